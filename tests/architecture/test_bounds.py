"""Every bound that the operations guide states names a test that exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
TABLE = GUIDE.partition("### What a client can make the server keep")[2]


def _rows() -> list[list[str]]:
    """The cells of each row below the table's head."""
    lines = [line for line in TABLE.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def test_every_bound_has_a_test() -> None:
    rows = _rows()
    assert len(rows) >= 16
    for what, bound, test in rows:
        assert what, test
        assert bound, what
        named = re.fullmatch(r"`(tests/\S+\.py)::(test_\w+)`", test)
        assert named, f"{what}: {test}"
        assert named[2] in _functions(ROOT / named[1]), f"{what}: {test}"
