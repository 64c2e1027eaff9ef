"""`grantha models`: lists models, and why providers can't be used; gets and removes local models."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli import fetching
from grantha.cli.encoding import is_utf8
from grantha.cli.runner import Url, notify, with_client

if TYPE_CHECKING:
    from grantha.client import Client
    from grantha.client.responses import Model, ModelList, ProviderStatus, Readiness

app = typer.Typer(help="List the models; get and remove local ones.", invoke_without_command=True)
_USABLE = frozenset({"ready", "loading"})


@app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = None,
) -> None:
    """List the models that can be used now, and why others can't."""
    if context.invoked_subcommand is None:
        with_client(url, lambda client: _list(client, as_json))


app.command()(fetching.fetch)
app.command()(fetching.available)
app.command()(fetching.remove)


async def _list(client: Client, as_json: bool) -> int:
    found, providers = await asyncio.gather(client.models(), client.providers())
    if as_json:
        _print_json(found, providers)
    elif sys.stdout.isatty():
        _print_table(found, providers)
    else:
        _print_lines(found, providers)
    return 0


def _print_json(found: ModelList, providers: list[ProviderStatus]) -> None:
    body = {
        "default": found.default,
        "models": [{"id": m.id, "name": m.name, "state": m.readiness.state} for m in found.items],
        "providers": [
            {"name": p.name, "state": p.readiness.state, "reason": p.readiness.reason}
            for p in providers
        ],
    }
    print(json.dumps(body, ensure_ascii=not is_utf8(sys.stdout), indent=2))


def _print_lines(found: ModelList, providers: list[ProviderStatus]) -> None:
    """Ids to stdout, for other programs; reasons to stderr, for people."""
    for model in found.items:
        print(model.id)
        if model.readiness.state not in _USABLE:
            notify(f"{model.id} can't be used: {_unusable_reason(model.readiness)}")
    for provider in providers:
        if provider.readiness.state not in _USABLE:
            notify(f"{provider.name} can't be used: {_unusable_reason(provider.readiness)}")


def _print_table(found: ModelList, providers: list[ProviderStatus]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from grantha.cli.markdown import THEME

    console = Console(theme=THEME, highlight=False)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for model in found.items:
        glyph = Text("●", "accent") if model.readiness.state in _USABLE else Text("○", "muted")
        name = Text.assemble(glyph, " ", model.id)
        if model.id == found.default:
            name.append("  default", "accent")
        table.add_row(name, Text(_about(model), "muted"), Text(_context(model), "muted"))
    console.print(table if found.items else Text("No model can be used.", "warning"))
    missing = [p for p in providers if p.readiness.state not in _USABLE]
    if missing:
        console.print()
        console.print(Text("Not in use", "bold"))
        reasons = Table.grid(padding=(0, 2, 0, 0))
        for provider in missing:
            reasons.add_row(
                Text(f"○ {provider.name}"), Text(_unusable_reason(provider.readiness), "muted")
            )
        console.print(reasons)


def _about(model: Model) -> str:
    return model.name if model.readiness.state == "ready" else _unusable_reason(model.readiness)


def _unusable_reason(readiness: Readiness) -> str:
    if readiness.variable is not None:
        return f"{readiness.variable} isn't set"
    if readiness.progress is not None:
        return f"{readiness.state}, {readiness.progress:.0%}"
    return readiness.reason or readiness.state


def _context(model: Model) -> str:
    length = model.capabilities.context_length
    return f"{length:,} tokens" if length else ""
