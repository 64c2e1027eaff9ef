"""Writes the table of providers in docs/providers.md, from the catalog: `python tools/providers_table.py`.

With `--check` it changes nothing and fails when the document is behind.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grantha.providers.catalog import HOSTS, Host
from grantha.providers.model_facts import capabilities_of

DOCUMENT = Path(__file__).parents[1] / "docs" / "providers.md"
BEGIN, END = "<!-- providers: begin -->", "<!-- providers: end -->"
HEAD = (
    "| Provider | Name | Dialect | Key | Base URL | Continues | Tools | Images | Lists models |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
PLACED = {"bedrock", "vertex"}  # a region or a project makes their address
NOT_LISTED = {"vertex"}


def table() -> str:
    """The table, a row for every host."""
    return "\n".join([HEAD, *(_row(host) for host in HOSTS)])


def with_table(document: str) -> str:
    """The document with a new table."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Writes, or checks."""
    document = DOCUMENT.read_text(encoding="utf-8")
    current = with_table(document)
    if "--check" in sys.argv:
        return int(document != current)
    DOCUMENT.write_text(current, encoding="utf-8")
    return 0


def _row(host: Host) -> str:
    facts = capabilities_of(host.name, host.default_model or "", host.default_facts)
    key_variables = " or ".join(
        [*(f"`{key}`" for key in host.key_variables), *filter(None, [host.credentials])]
    )
    own = f"GRANTHA_{host.name.upper().replace('-', '_')}_BASE_URL"
    url_variables = ", ".join(f"`{url}`" for url in (own, *host.url_variables))
    cells = (
        host.title,
        f"`{host.name}`",
        host.dialect,
        f"{key_variables}{' (optional)' if host.keyless else ''}",
        url_variables
        + ("" if host.base_url or host.usual_port or host.name in PLACED else " (needed)"),
        "from a prefix" if facts.prefix else "by instruction",
        "yes" if facts.tools else "by model",
        "yes" if facts.images else "by model",
        "no" if host.name in NOT_LISTED else "yes",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
