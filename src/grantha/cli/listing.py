"""`grantha list` and `grantha search`: conversations by line, the most recent first."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli.encoding import is_utf8
from grantha.cli.runner import FAILED, Url, notify, with_client
from grantha.cli.short_ids import short_ids

if TYPE_CHECKING:
    from grantha.client import Client
    from grantha.client.responses import ConversationSummary

Limit = Annotated[int, typer.Option("-n", "--limit", min=1, help="The maximum number.")]
Json = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")]


def list_conversations(limit: Limit = 20, as_json: Json = False, url: Url = None) -> None:
    """List the conversations. The ids' ends are enough for every command that takes an id."""
    with_client(url, lambda client: _list(client, "", limit, as_json))


def search(
    words: Annotated[list[str], typer.Argument(help="Words of a title or a message.")],
    limit: Limit = 20,
    as_json: Json = False,
    url: Url = None,
) -> None:
    """List the conversations that have all of these words in their titles or messages."""
    with_client(url, lambda client: _list(client, " ".join(words), limit, as_json))


async def _list(client: Client, query: str, limit: int, as_json: bool) -> int:
    found: list[ConversationSummary] = []
    async for line in client.conversations(query, origin="all", page_size=min(limit, 200)):
        found.append(line)
        if len(found) == limit:
            break
    if as_json:
        for line in found:
            print(json.dumps(asdict(line), ensure_ascii=not is_utf8(sys.stdout)))
    elif sys.stdout.isatty():
        _print_table(found)
    else:
        for line in found:
            print(line.id, line.updated_at, _one_line(line.title), sep="\t")
    if not found:
        notify(f"No conversation has {query!r}." if query else "There is no conversation yet.")
    return FAILED if query and not found else 0


def _print_table(found: list[ConversationSummary]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from grantha.cli.markdown import THEME

    table = Table.grid(padding=(0, 2, 0, 0))
    ends = short_ids(line.id for line in found)
    for line in found:
        title = Text(_one_line(line.title), overflow="ellipsis", no_wrap=True)
        if line.status in {"running", "interrupted", "failed"}:
            title.append(f"  {line.status}", "accent" if line.status == "running" else "warning")
        if line.snippet:
            title.append(f"\n{_one_line(line.snippet)}", "muted")
        table.add_row(Text(ends[line.id], "accent"), Text(_when(line.updated_at), "muted"), title)
    Console(theme=THEME, highlight=False).print(table)


def _one_line(text: str) -> str:
    from grantha.cli.markdown import strip_controls

    return " ".join(strip_controls(text).split())


def _when(moment: str) -> str:
    """A time of the API as this machine's clock shows it."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
