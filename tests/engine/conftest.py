"""A rig for each test, closed after it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.rig import Rig

MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def make_rig(tmp_path: Path) -> AsyncIterator[MakeRig]:
    """Opens rigs with a folder of their own."""
    made: list[Rig] = []

    async def make(**how: Any) -> Rig:
        rig = Rig(tmp_path / f"rig-{len(made)}", **how)
        made.append(rig)
        return await rig.open()

    yield make
    for rig in made:
        await rig.aclose()


@pytest.fixture
async def rig(make_rig: MakeRig) -> Rig:
    """With the scripted provider alone."""
    return await make_rig()
