"""The edge of every command: settings in, one line of error and an exit code out.

Refuses to know what a command does. An error is told once, on stderr, as what happened and what to do.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from grantha.cli.labels import sentences
from grantha.config import Settings, load_settings
from grantha.errors import BadRequest, GranthaError, Unauthorized

if TYPE_CHECKING:  # costs a third of a second, which commands that ask no server don't owe
    from grantha.client import Client

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

Url = Annotated[
    str | None,
    typer.Option("--url", help="Address of the server; GRANTHA_URL sets it for good."),
]


def read_settings(**overrides: object) -> Settings:
    """The settings; a wrong one ends the command."""
    try:
        return load_settings(overrides)
    except GranthaError as error:
        fail(error, MISUSED)


def address(settings: Settings) -> str:
    """Where the server is reached from this machine. Raises `BadRequest` when none is known."""
    if settings.url is not None:
        return settings.url
    if settings.port == 0:
        raise BadRequest(
            "The server's port isn't known: GRANTHA_PORT is 0.", advice="Name it with --url."
        )
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    host = everywhere.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def with_client(url: str | None, work: Callable[[Client], Awaitable[int]]) -> NoReturn:
    """Runs a command's work against the server and exits with the code that it returns."""
    from grantha.client import Client

    settings = read_settings(url=url)

    async def whole() -> int:
        try:
            async with Client(address(settings), settings.token) as client:
                return await work(client)
        except Unauthorized as error:
            # The server's own advice is for programs and for the page.
            known = (
                "GRANTHA_TOKEN holds another one." if settings.token else "Set GRANTHA_TOKEN to it."
            )
            raise Unauthorized(error.message, advice=known) from error

    raise SystemExit(finish(whole()))


def finish(work: Coroutine[Any, Any, int]) -> int:
    """Runs it; every way it can end becomes an exit code."""
    try:
        code = asyncio.run(work)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except GranthaError as error:
        fail(error, MISUSED if error.code == "bad_request" else FAILED)
    except BrokenPipeError:
        # The reader of our output left. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def fail(error: GranthaError, code: int = FAILED) -> NoReturn:
    """Tells an error in one line and exits."""
    say(sentences(error.message, error.advice))
    raise SystemExit(code)


def say(line: str) -> None:
    """One line for the person, never on stdout."""
    print(f"grantha: {line}".rstrip(), file=sys.stderr)
