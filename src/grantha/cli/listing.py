"""`grantha list` and `grantha search`: conversations and hits by line, the most recent first."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from grantha.cli.encoding import is_utf8
from grantha.cli.runner import FAILED, Url, notify, with_client
from grantha.cli.short_ids import short_ids

if TYPE_CHECKING:
    from grantha.client import Client
    from grantha.client.responses import ConversationSummary, SearchResult

T = TypeVar("T")
D = TypeVar("D", "ConversationSummary", "SearchResult")

_DAYS = ["%Y-%m-%d"]
_MARK = re.compile("\x02([^\x03]*)\x03")
Limit = Annotated[int, typer.Option("-n", "--limit", min=1, help="The maximum number.")]
Json = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")]


def list_conversations(limit: Limit = 20, as_json: Json = False, url: Url = None) -> None:
    """List the conversations. The ids' ends are enough for every command that takes an id."""
    with_client(url, lambda client: _list(client, limit, as_json))


def search(  # noqa: PLR0917  the options of a command
    words: Annotated[list[str], typer.Argument(help='Words, "exact words" and, after --, -words.')],
    limit: Limit = 20,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="Only its answers, and what it answered.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(formats=_DAYS, help="From this day on.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAYS, help="Before this day.")] = None,
    as_json: Json = False,
    url: Url = None,
) -> None:
    """Find conversations by their titles, and messages that have all of these words."""
    # The shell has removed the quotes around words that stand together.
    query = " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words)

    async def run(client: Client) -> int:
        hits = client.search(
            query,
            origin="all",
            model=model,
            since=since and since.astimezone(),
            until=until and until.astimezone(),
            page_size=min(limit, 200),
        )
        found = await _first(hits, limit)
        _print(found, as_json, _print_hits, _hit_line)
        if not found:
            notify(f"Nothing has {query!r}.")
        return 0 if found else FAILED

    with_client(url, run)


async def _list(client: Client, limit: int, as_json: bool) -> int:
    found = await _first(client.conversations(origin="all", page_size=min(limit, 200)), limit)
    _print(found, as_json, _print_conversations, _conversation_line)
    if not found:
        notify("There is no conversation yet.")
    return 0


async def _first(items: AsyncIterable[T], limit: int) -> list[T]:
    found: list[T] = []
    async for item in items:
        found.append(item)
        if len(found) == limit:
            break
    return found


def _print(
    found: list[D], as_json: bool, table: Callable[[list[D]], None], line: Callable[[D], str]
) -> None:
    """As JSON, as a table for a terminal, or with tabs for a pipe."""
    if as_json:
        for item in found:
            print(json.dumps(asdict(item), ensure_ascii=not is_utf8(sys.stdout)))
    elif sys.stdout.isatty():
        table(found)
    else:
        for item in found:
            print(line(item))


def _conversation_line(line: ConversationSummary) -> str:
    return f"{line.id}\t{line.updated_at}\t{_one_line(line.title)}"


def _hit_line(hit: SearchResult) -> str:
    text = _one_line(hit.title if hit.snippet is None else hit.snippet)
    return f"{hit.conversation}\t{hit.message or '-'}\t{hit.created_at}\t{text}"


def _print_hits(found: list[SearchResult]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from grantha.cli.markdown import THEME

    table = Table.grid(padding=(0, 2, 0, 0))
    ends = short_ids(hit.conversation for hit in found)
    last = None
    for hit in found:
        if hit.conversation != last:
            title = Text(_one_line(hit.title), overflow="ellipsis", no_wrap=True)
            table.add_row(Text(ends[hit.conversation], "accent"), "", title)
        last = hit.conversation
        if hit.snippet is not None:
            who = "you" if hit.role == "user" else ""
            text = Text(overflow="fold")
            for number, part in enumerate(_MARK.split(hit.snippet)):
                text.append(_one_line(part, keep_ends=True), "accent" if number % 2 else "muted")
            table.add_row(
                Text(who, "muted", justify="right"), Text(_when(hit.created_at), "muted"), text
            )
    Console(theme=THEME, highlight=False).print(table)


def _print_conversations(found: list[ConversationSummary]) -> None:
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
        table.add_row(Text(ends[line.id], "accent"), Text(_when(line.updated_at), "muted"), title)
    Console(theme=THEME, highlight=False).print(table)


def _one_line(text: str, *, keep_ends: bool = False) -> str:
    from grantha.cli.markdown import strip_controls

    text = strip_controls(text)
    return re.sub(r"\s+", " ", text) if keep_ends else " ".join(text.split())


def _when(moment: str) -> str:
    """A time of the API as this machine's clock shows it."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
