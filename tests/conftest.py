"""Programs of the system that tests start themselves, found once and named clearly when missing."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from tests.server import server, server_factory

__all__ = ["server", "server_factory"]

# A loaded machine makes an example slow, never wrong. The examples are the same in every run, so that a
# change fails for what it changed; `--hypothesis-profile=explore` looks for others.
settings.register_profile("explore", deadline=None, max_examples=60)
settings.register_profile("grantha", settings.get_profile("explore"), derandomize=True)
settings.load_profile("grantha")


# Folders whose tests meet Grantha from outside, and fixtures that start it elsewhere.
_FROM_OUTSIDE = {"api", "cli", "client", "compat_clients", "deploy", "e2e", "faults"}
_STARTERS = {"server", "server_factory", "shared"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three workers for two cores: a third of the suite's time is waiting for processes and browsers."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that start a server, so that `make test-unit` can leave them out."""
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        starts = _STARTERS & set(getattr(item, "fixturenames", ()))
        if folder in _FROM_OUTSIDE or starts:
            item.add_marker("server")


def _program(name: str) -> str:
    """The path of a Debian program. Servers live in sbin, which is not on everybody's path."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        pytest.fail(
            f"This test starts {name}, which is not installed; `tools/test-needs` says how to get it."
        )
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Debian's Chromium, for Playwright's `executable_path`."""
    return _program("chromium")


@pytest.fixture(scope="session")
def nginx() -> str:
    """Path of nginx, to be started on a free port with a configuration of the test's own."""
    return _program("nginx")
