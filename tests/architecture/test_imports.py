"""Who imports whom, and what nobody imports.

The contracts themselves stand in pyproject.toml under [tool.importlinter]; this file runs them and
adds the two questions they cannot ask: is every module used, is every dependency declared and used.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]

# Alembic finds these by their place in the migrations folder.
LOADED_BY_PLACE = ("grantha.storage.migrations.env", "grantha.storage.migrations.versions")

# Nobody imports these, and uvicorn cannot do without them.
LOADED_BY_OTHERS = {"httptools", "uvloop", "websockets"}

# Only its shared library is loaded, by path: see grantha.providers.local.openmp.
LOADED_BY_PATH = {"cmeel-libomp"}

# In the standard library of a later Python than the one that runs this.
STANDARD_LATER = {"compression"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("grantha", include_external_packages=True, cache_dir=None)


def test_every_import_contract_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)

    assert exit_code == 0, capsys.readouterr().out


def test_every_module_is_reached_from_the_command_line(graph: grimp.ImportGraph) -> None:
    ours = {name for name in graph.modules if name.split(".")[0] == "grantha"}

    reached = _reached_from("grantha.__main__", graph, ours)

    assert sorted(n for n in ours - reached if not n.startswith(LOADED_BY_PLACE)) == []


@pytest.mark.parametrize("costly", ["aiohttp", "alembic"])
def test_a_server_is_ready_without_it(costly: str) -> None:
    program = (
        f"import sys, grantha.cli.app, grantha.api.server; sys.exit({costly!r} in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_imported_package_is_declared_and_every_declared_one_is_used(
    graph: grimp.ImportGraph,
) -> None:
    provided_by = packages_distributions()
    declared = set(_declared_distributions())
    imported: set[str] = set()
    for name in graph.modules:
        top = name.split(".")[0]
        if top not in {"grantha", *sys.stdlib_module_names, *STANDARD_LATER}:
            # Several distributions may share a namespace: those that are declared are meant.
            provided = {_canonical(distribution) for distribution in provided_by.get(top, [name])}
            imported |= (provided & declared) or provided

    assert sorted(imported - declared) == []
    assert sorted(declared - imported - LOADED_BY_OTHERS - LOADED_BY_PATH) == []


def _reached_from(start: str, graph: grimp.ImportGraph, ours: set[str]) -> set[str]:
    """Modules that `start` loads: by import, by a parent package, or by a name in a string.

    Registries and child processes name modules as text ("grantha.providers.x" or "…:attribute").
    """
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in ours:
            continue
        reached.add(name)
        waiting += graph.find_modules_directly_imported_by(name)
        waiting += [name.rpartition(".")[0], *_strings_in(name)]
    return reached


def _strings_in(module: str) -> Iterator[str]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]


def _declared_distributions() -> Iterable[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
        yield _canonical(line.replace("[", ">").partition(">")[0].partition(";")[0])


def _canonical(distribution: str) -> str:
    return distribution.strip().lower().replace("_", "-").replace(".", "-")
