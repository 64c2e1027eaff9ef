"""Runs a command's work: reads the settings, turns errors into one line on stderr and an exit code.

Knows nothing about what a command does. The line says what happened and what to do.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from grantha.cli.labels import join_sentences
from grantha.config import Settings, load_settings
from grantha.errors import BadRequest, GranthaError, Unauthorized
from grantha.tls_errors import missing_certificates

if TYPE_CHECKING:  # takes a third of a second, which commands without a server should not cost
    from grantha.client import Client

FAILED, USAGE_ERROR, INTERRUPTED = 1, 2, 130

Url = Annotated[
    str | None,
    typer.Option("--url", help="URL of the server; GRANTHA_URL sets it permanently."),
]


def read_settings(**overrides: object) -> Settings:
    """The settings; an invalid one ends the command."""
    try:
        return load_settings(overrides)
    except GranthaError as error:
        fail(error, USAGE_ERROR)


def server_url(settings: Settings) -> str:
    """The server's URL from this machine. Raises `BadRequest` when it isn't known."""
    if settings.url is not None:
        return settings.url
    if settings.port == 0:
        raise BadRequest(
            "The server's port isn't known: GRANTHA_PORT is 0.", advice="Set it with --url."
        )
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    host = wildcards.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def with_client(url: str | None, work: Callable[[Client], Awaitable[int]]) -> NoReturn:
    """Runs a command's work against the server and exits with the code that it returns."""
    from grantha.client import Client

    settings = read_settings(url=url)

    async def run() -> int:
        with _advice_of(settings):
            async with Client(server_url(settings), settings.token) as client:
                return await work(client)

    raise SystemExit(run_to_exit_code(run()))


@contextmanager
def client_in(runner: asyncio.Runner, settings: Settings) -> Iterator[Client]:
    """A client for work that a runner does step by step; an error ends the command."""
    from grantha.client import Client

    client = Client(server_url(settings), settings.token)
    try:
        runner.run(client.__aenter__())
        try:
            with _advice_of(settings):
                yield client
        finally:
            runner.run(client.__aexit__())
    except GranthaError as error:
        fail(error, USAGE_ERROR if error.code == "bad_request" else FAILED)


@contextmanager
def _advice_of(settings: Settings) -> Iterator[None]:
    """Gives errors the advice that fits a command line: which variable to set."""
    from grantha.client.errors import TlsFailed

    try:
        yield
    except TlsFailed as error:
        raise TlsFailed(
            error.message, advice=missing_certificates(settings.variables) or error.advice
        ) from error
    except Unauthorized as error:
        # The server's own advice is meant for programs and for the page.
        advice = (
            "GRANTHA_TOKEN holds a different one." if settings.token else "Set GRANTHA_TOKEN to it."
        )
        raise Unauthorized(error.message, advice=advice) from error


def run_to_exit_code(work: Coroutine[Any, Any, int]) -> int:
    """Runs the work and returns its exit code; errors are printed, and end the process."""
    try:
        code = asyncio.run(work)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except GranthaError as error:
        fail(error, USAGE_ERROR if error.code == "bad_request" else FAILED)
    except BrokenPipeError:
        # The reader of our output has exited. Python would report it again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def fail(error: GranthaError, code: int = FAILED) -> NoReturn:
    """Prints an error as one line and exits."""
    notify(join_sentences(error.message, error.advice))
    raise SystemExit(code)


def notify(line: str) -> None:
    """Prints one line to stderr."""
    print(f"grantha: {line}".rstrip(), file=sys.stderr)
