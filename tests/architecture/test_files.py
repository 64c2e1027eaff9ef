"""What may stand in the files of this project.

Their length, names that say something, and no place outside the project: neither a package registry
nor a folder of somebody's machine.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 600
SOURCES = {".css", ".js", ".py", ".svelte", ".ts"}

# Files above the limit, each with its reason.
LONG_WITH_A_REASON: dict[str, str] = {
    "web/src/lib/wire/schema.ts": "written by tools/page_types.py, one type for each schema",
}

# Written in pieces, so that this file does not find itself.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "deb." + "debian.org",
]
MACHINE_PATHS = [r"/ho" + r"me/\w", r"/ro" + r"ot/\w", r"/wo" + r"rk/\w", r"/Us" + r"ers/\w"]
SAYS_NOTHING = {
    *("common", "data", "enhanced", "helper", "helpers", "info"),
    *("manager", "misc", "util", "utils", "v2"),
}


def _files() -> Iterator[Path]:
    """Every file that git keeps or would keep."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listing.split("\0"):
        path = ROOT / name
        if name and path.is_file() and not path.is_symlink():
            yield path


def _text(path: Path) -> str:
    """The file's text; the empty string for pictures, fonts and recorded bytes."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_source_file_is_longer_than_600_lines_without_a_named_reason() -> None:
    lengths = {
        str(path.relative_to(ROOT)): _text(path).count("\n")
        for path in _files()
        if path.suffix in SOURCES
    }

    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_LINES}
    assert set(too_long) == set(LONG_WITH_A_REASON), too_long


@pytest.mark.parametrize("pattern", [*map(re.escape, REGISTRY_HOSTS), *MACHINE_PATHS])
def test_no_file_names_a_package_registry_or_a_folder_of_one_machine(pattern: str) -> None:
    place = re.compile(rf"(?<![\w.]){pattern}" if pattern.startswith("/") else pattern)

    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files()
        for number, line in enumerate(_text(path).splitlines(), 1)
        if place.search(line)
    ]
    assert found == []


def test_no_module_or_class_has_a_name_that_says_nothing() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in _files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "src")
        for name in [path.stem, *_class_names(path)]
        if SAYS_NOTHING & set(_words(name))
    ]
    assert named == []


def _class_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(_text(path))):
        if isinstance(node, ast.ClassDef):
            yield node.name


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]
