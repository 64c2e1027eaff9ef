"""Writes the table of clients in docs/compatible-apis.md, from the marks of their tests.

A test that drives a client says what it shows: `@pytest.mark.client("openai", "streams", "usage")`.
`python tools/clients_table.py`; with `--check` it changes nothing and fails when the document is behind.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "compat_clients"
DOCUMENT = ROOT / "docs" / "compatible-apis.md"
BEGIN, END = "<!-- clients: begin -->", "<!-- clients: end -->"
CAPABILITIES = (
    "whole replies", "streams", "reasoning", "tools", "usage", "images", "structured output", "embeddings",
    "models", "errors", "resuming", "stopping",
)  # fmt: skip


def shown() -> dict[str, set[str]]:
    """What the tests show of each client. Raises ValueError for a capability that isn't listed above."""
    found: dict[str, set[str]] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        for client, *capabilities in _marks(path):
            if unknown := set(capabilities) - set(CAPABILITIES):
                raise ValueError(f"{path.name}: no capability {unknown.pop()!r} for {client}")
            found.setdefault(client, set()).update(capabilities)
    return found


def table() -> str:
    """The table, a row for every client."""
    lines = [f"| client | {' | '.join(CAPABILITIES)} |", "|---" * (len(CAPABILITIES) + 1) + "|"]
    for client, capabilities in sorted(shown().items(), key=lambda row: row[0].lower()):
        cells = ["✓" if name in capabilities else "" for name in CAPABILITIES]
        lines.append(f"| {client} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(document: str) -> str:
    """The document with a new table."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Writes, or checks."""
    document = DOCUMENT.read_text(encoding="utf-8")
    current = with_table(document)
    if "--check" not in sys.argv:
        DOCUMENT.write_text(current, encoding="utf-8")
    elif document != current:
        print(f"{DOCUMENT.name} is behind the tests: run tools/clients_table.py.", file=sys.stderr)
        return 1
    return 0


# ---- helpers below -------------------------------------------------------------------------------


def _marks(path: Path) -> Iterator[list[str]]:
    """The arguments of `pytest.mark.client` at the tests of a file, which is read and never run."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.client":
                    yield [ast.literal_eval(argument) for argument in mark.args]


if __name__ == "__main__":
    sys.exit(main())
