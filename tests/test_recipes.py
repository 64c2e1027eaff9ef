"""The recipes of CONTRIBUTING.md work: each is applied to a copy of the source, and the result is tried."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fake_vendors.server import ANSWER, fake_vendor
from tests.fake_vendors.wire_samples import OPENAI_CHAT
from tests.server import DEADLINE, MakeServer

ROOT = Path(__file__).resolve().parents[1]
# "In `file`, below `line`:" or "New file `file`:", and the block that follows.
_STEP = re.compile(
    r"^(?:In `(?P<file>[^`]+)`, (?P<where>below|above|instead of) `(?P<line>[^`]+)`"
    r"|New file `(?P<new>[^`]+)`):\n\n```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_JOKE = {"messages": [{"role": "user", "content": "Tell me a joke"}]}

# Run against the copy: the kind passes through the log to a reader, and comes back from the store.
_RECORD_KIND = """
import asyncio
import sys
from pathlib import Path

from grantha.events import PromptProgress
from tests.engine.rig import Rig


async def main():
    rig = await Rig(Path(sys.argv[1])).open()
    model = rig.script("held", {"text": "Done."}, gate="gate")
    row = await rig.ask(model)
    rig.supervisor._running[row.id].log.add(PromptProgress(3, 12))
    rig.allow("gate")
    answer = await rig.ended(row)
    assert answer.text == "Done."
    assert list(answer.events(PromptProgress)) == [PromptProgress(3, 12)]
    await rig.aclose()
    again = await rig.start_again()
    stored = [frame.event for frame in await again.frames(row.id)]
    assert [event for event in stored if event.kind == "prompt-progress"] == [PromptProgress(3, 12)]
    await again.aclose()


asyncio.run(main())
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the source, to be found before the real one."""
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("static", "__pycache__")
    )
    return tmp_path


def follow(recipe: str, copy: Path) -> dict[str, str]:
    """Takes every step of a recipe; returns an environment whose Python runs the copy."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.split(r"^##", text.partition(f"\n### {recipe}\n")[2], flags=re.MULTILINE)[0]
    steps = list(_STEP.finditer(section))
    assert steps, recipe
    assert len(steps) == section.count("```python\n"), "a block doesn't say where it goes"
    for step in steps:
        if step["new"]:
            path = copy / step["new"]
            assert not path.exists()
            path.write_text(step["code"], encoding="utf-8")
        else:
            _edit(copy / step["file"], step["where"], step["line"], step["code"])
    return {"PYTHONPATH": f"{copy / 'src'}:{ROOT}"}


def _edit(path: Path, where: str, anchor: str, code: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.rstrip("\n") == anchor]
    assert len(found) == 1, f"{path.name} has {len(found)} lines {anchor!r}"
    at = found[0]
    below, instead = where == "below", where == "instead of"
    lines[at + below : at + below + instead] = [code]
    path.write_text("".join(lines), encoding="utf-8")


async def test_a_provider_is_added_by_its_recipe(copy: Path, server_factory: MakeServer) -> None:
    environment = follow("Add a provider", copy)
    async with fake_vendor(OPENAI_CHAT) as vendor:
        keys = {"ACME_API_KEY": "k", "GRANTHA_ACME_BASE_URL": vendor.url}
        server = server_factory({**environment, **keys})
        await asyncio.to_thread(server.start)
        body = {**_JOKE, "model": "acme/m"}
        reply = await asyncio.to_thread(server.call, "POST", "/chat/completions", body)
        assert reply.expect(200)["content"] == "".join(ANSWER)
        assert vendor.calls[-1].headers["Authorization"] == "Bearer k"


def test_a_view_is_added_by_its_recipe(copy: Path, server_factory: MakeServer) -> None:
    server = server_factory(follow("Add an API view", copy)).start()
    generation = server.ask("scripted/count-5")["id"]
    reply = server.call("GET", f"/api/generations/{generation}/text")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert reply.body == b"w0 w1 w2 w3 w4 "
    missing = server.call("GET", "/api/generations/g_none/text")
    assert missing.status == 404
    assert missing.headers["content-type"].startswith("application/problem+json")


def test_a_record_kind_is_added_by_its_recipe(copy: Path) -> None:
    environment = follow("Add a record kind", copy)
    done = subprocess.run(
        [sys.executable, "-c", _RECORD_KIND, str(copy / "rig")],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr


def test_a_setting_is_added_by_its_recipe(copy: Path, server_factory: MakeServer) -> None:
    environment = follow("Add a setting", copy)
    server = server_factory({**environment, "GRANTHA_SERVER_NAME": "east"}).start()
    ready: dict[str, Any] = server.call("GET", "/readyz").expect(200)
    assert ready["name"] == "east"
    schemas = server.call("GET", "/openapi.json").expect(200)["components"]["schemas"]
    assert "name" in schemas["ReadyReply"]["properties"]
