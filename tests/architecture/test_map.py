"""What docs/architecture.md says of the source is true: folders, layers, and where to change what."""

import re
import subprocess
import tomllib
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

# The folders below it are the pages' addresses.
NOT_DRAWN = PurePosixPath("web/src/routes")


def _block(after: str) -> list[str]:
    """Lines of the first code block after a text."""
    found = re.search(
        rf"{re.escape(after)}.*?^```\n(.*?)^```$", ARCHITECTURE, re.DOTALL | re.MULTILINE
    )
    assert found, after
    return found[1].splitlines()


def _drawn() -> set[PurePosixPath]:
    """Every path of the folder map, whose indentation says what is inside what."""
    paths: set[PurePosixPath] = set()
    parents: list[PurePosixPath] = []
    for line in _block("## Layout"):
        depth = (len(line) - len(line.lstrip())) // 2
        path = PurePosixPath(*parents[depth - 1 : depth], line.split()[0])
        parents[depth:] = [path]
        paths.add(path)
    return paths


def _tracked(folder: str) -> list[PurePosixPath]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [PurePosixPath(name) for name in listing.split("\0") if (ROOT / name).is_file()]


@pytest.mark.parametrize("tree", ["src/grantha", "web/src", "tests"])
def test_the_map_draws_every_folder_and_no_other(tree: str) -> None:
    folders = {parent for path in _tracked(tree) for parent in path.parents}
    inside = {path for path in folders if path.is_relative_to(tree)}
    expected = {path for path in inside if NOT_DRAWN not in path.parents}

    drawn = {path for path in _drawn() if path.is_relative_to(tree) and path.suffix != ".py"}
    assert drawn == expected


def test_the_map_draws_every_module_beside_the_packages() -> None:
    modules = {path for path in _tracked("src/grantha") if len(path.parts) == 3}

    drawn = {path for path in _drawn() if path.suffix == ".py"}
    assert drawn == {path for path in modules if path.suffix == ".py"} - {
        PurePosixPath("src/grantha/__init__.py")
    }


def test_the_layers_are_drawn_as_they_are_enforced() -> None:
    contracts = _contracts()
    enforced = [name for layer in contracts["layers"]["layers"] for name in layer.split(" | ")]

    drawn = [line.partition("   ")[0] for line in _block("only from layers below it")]
    assert re.split(r"[ |]+", " ".join(drawn)) == enforced


def test_every_package_is_named_by_an_import_contract() -> None:
    """Packages two levels down; a deeper one is part of its parent's contract."""
    named = set()
    for contract in _contracts().values():
        prefixes = [f"{container}." for container in contract.get("containers", [])] or [""]
        for key in ("layers", "modules", "source_modules", "protected_modules"):
            for entry in contract.get(key, []):
                named |= {p + name for p in prefixes for name in entry.split(" | ")}

    packages = {
        ".".join(path.parent.parts[1:])
        for path in _tracked("src/grantha")
        if path.name == "__init__.py" and len(path.parts) in {4, 5}
    }
    assert {name for name in packages if not _is_named(name, named)} == set()


def _contracts() -> dict[str, dict[str, list[str]]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {found["id"]: found for found in project["tool"]["importlinter"]["contracts"]}


def _is_named(package: str, named: set[str]) -> bool:
    return package in named or f"{package.rpartition('.')[0]}.*" in named


def _rows() -> list[str]:
    """The rows of the table "Where do I change …"."""
    section = ARCHITECTURE.partition("## Where do I change")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def test_the_table_of_changes_has_its_twenty_rows() -> None:
    assert len(_rows()) >= 20


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row.split("|")[1].strip())
def test_each_row_of_the_table_names_files_that_exist(row: str) -> None:
    """A path without its root is of src/grantha; `<vendor>` stands for any name."""
    named = re.findall(r"`([^` ]+)`", row.split("|")[2])

    assert named
    for path in named:
        root = "" if path.startswith(("docs/", "fixtures/", "tests/", "web/")) else "src/grantha/"
        pattern = root + re.sub(r"<\w+>", "*", path).rstrip("/")
        assert list(ROOT.glob(pattern)), path
