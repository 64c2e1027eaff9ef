"""The wheel answers from an empty environment, however it is installed.

What it requires comes from uv's cache, which the set-up has filled: no test asks an index.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from grantha.providers.local import builtin
from tests.server import DEADLINE, MakeServer

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
EXTRAS = "bedrock,documents,local,otel,vertex"

pytestmark = [pytest.mark.slow, pytest.mark.local_model]


def _uv(*words: str, **variables: str) -> str:
    """Runs uv without the network, and returns what it printed."""
    # The default environment would be this project's own.
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [str(UV), *words],
        env={**kept, "UV_OFFLINE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout with its page. Skips where uv's cache wasn't filled."""
    if not (ROOT / "src/grantha/static/index.html").exists():
        pytest.skip("the page isn't built: make build-page")
    folder = tmp_path_factory.mktemp("dist")
    _uv(
        *("build", "--wheel", "--python", sys.executable, "--no-build-isolation"),
        *("--out-dir", str(folder), str(ROOT)),
    )
    (built,) = folder.glob("*.whl")
    _uv("venv", "--python", sys.executable, str(folder / "empty"))
    empty = ("--python", str(folder / "empty/bin/python"), "--offline", "--dry-run")
    tried = subprocess.run(
        [str(UV), "pip", "install", *empty, *_pinned(), f"{built}[{EXTRAS}]"],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    if "network was disabled" in tried.stderr:
        pytest.skip("uv's cache lacks packages: make fills it when it sets up .venv")
    return built


def _installed_by_pip(wheel: Path, folder: Path) -> list[str]:
    _uv("venv", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv/bin/python"
    _uv("pip", "install", "--python", str(python), *_pinned(), f"{wheel}[{EXTRAS}]")
    return [str(python.with_name("grantha"))]


def _installed_as_tool(wheel: Path, folder: Path) -> list[str]:
    folders = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    named = ["--python", sys.executable, *_pinned(), *_as_here(folder), f"{wheel}[{EXTRAS}]"]
    _uv("tool", "install", *named, **folders)
    return [str(folder / "bin/grantha")]


def _run_by_uvx(wheel: Path, folder: Path) -> list[str]:
    named = ["--offline", "--python", sys.executable, *_pinned(), *_as_here(folder)]
    return [str(UV), "tool", "run", *named, "--from", f"{wheel}[{EXTRAS}]", "grantha"]


def _pinned() -> tuple[str, ...]:
    return ("-c", str(ROOT / "requirements/dev.txt"))


def _as_here(folder: Path) -> tuple[str, ...]:
    """Tools don't read this project's settings, and would want a build system that the cache hasn't got."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    rows = (
        ", ".join(f"{name} = {json.dumps(value)}" for name, value in row.items())
        for row in settings["dependency-metadata"]
    )
    file = folder / "uv.toml"
    file.write_text(f"dependency-metadata = [{', '.join(f'{{ {row} }}' for row in rows)}]\n")
    return ("--config-file", str(file))


@pytest.mark.parametrize("install", [_installed_by_pip, _installed_as_tool, _run_by_uvx])
def test_the_wheel_answers_from_an_empty_environment(
    wheel: Path,
    install: Callable[[Path, Path], list[str]],
    server_factory: MakeServer,
    tmp_path: Path,
) -> None:
    program = install(wheel, tmp_path)
    server = server_factory({"GRANTHA_LOCAL_ENABLED": "1", "GRANTHA_SCRIPTED": "0"})
    server.env.pop("GRANTHA_DEFAULT_MODEL")
    server.command = [*program, "serve"]
    model = builtin.find(server.data_dir)
    assert model is not None
    builtin.models_folder(server.data_dir).mkdir(parents=True)
    (builtin.models_folder(server.data_dir) / builtin.FILE).symlink_to(model)
    try:
        server.start()
        assert b"<!doctype html>" in server.call("GET", "/").body
        body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
        answer = server.call("POST", "/chat/completions", body).json()
    finally:
        server.terminate()  # uvx passes it on; a kill would leave the server behind
    assert answer["content"]
    assert answer["provider"] == "local"
