"""`grantha chat`: sends a prompt and shows the answer as it is written.

The prompt comes from the arguments, from a pipe, or both. In a terminal Markdown is rendered; a pipe gets
only the text.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.chat import Options
from grantha.cli.completion import model_ids
from grantha.cli.display import Display, JsonDisplay, PlainDisplay
from grantha.cli.encoding import read_stdin
from grantha.cli.runner import FAILED, INTERRUPTED, Url, notify, with_client
from grantha.errors import BadRequest
from grantha.events import GenerationEnd

if TYPE_CHECKING:
    from grantha.client import Client, Generation


@dataclass(frozen=True, slots=True)
class ChatArgs:
    """The command's arguments."""

    prompt: str
    attach: str | None
    conversation: str | None
    last: bool  # continue the most recently active conversation
    model: str | None
    system: str | None
    options: Options
    as_json: bool


def chat(
    prompt: Annotated[
        list[str] | None, typer.Argument(help="The prompt; - reads it from standard input.")
    ] = None,
    *,
    last: Annotated[
        bool, typer.Option("-c", "--continue", help="Continue the latest conversation.")
    ] = False,
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="Continue this conversation, c_….")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="Model id, provider/model.", autocompletion=model_ids),
    ] = None,
    system: Annotated[str | None, typer.Option(help="System prompt.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="Temperature, 0 to 2.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Limit of the answer, in tokens.")
    ] = None,
    attach: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Follow an answer, g_…, instead of sending a prompt."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every event as a line of JSON.")
    ] = False,
    url: Url = None,
) -> None:
    """Send a prompt and show the answer. Ctrl-C stops it at the server; twice exits."""
    text = "" if attach else _read_prompt(prompt or [])
    options = Options(temperature=temperature, max_tokens=max_tokens)
    args = ChatArgs(text, attach, conversation, last, model, system, options, as_json)
    if problem := _usage_error(args, prompt):
        raise typer.BadParameter(problem)
    with_client(url, lambda client: _chat(client, args))


async def _chat(client: Client, args: ChatArgs) -> int:
    from grantha.cli.interrupt import InterruptHandler

    end: GenerationEnd | None = None
    display = _display(client, args)
    interrupt = InterruptHandler(display.show_stopping)
    try:
        async with interrupt, display:
            generation = await _generation(client, args)
            display.start(generation.snapshot)
            interrupt.watch(generation)
            try:
                async for frame in generation.frames():
                    display.show(frame)
                    if isinstance(frame.event, GenerationEnd):
                        end = frame.event
            except BrokenPipeError:
                interrupt.stop()  # nobody reads the rest, and it may cost
                raise
    except asyncio.CancelledError:
        if interrupt.count < 2:
            raise
    if interrupt.count:
        return INTERRUPTED
    return _exit_code(end, reported=not isinstance(display, PlainDisplay | JsonDisplay))


def _display(client: Client, args: ChatArgs) -> Display:
    if args.as_json:
        return JsonDisplay(sys.stdout)
    if not sys.stdout.isatty():
        return PlainDisplay(sys.stdout)
    return terminal_display(client)


def terminal_display(client: Client, hint: str = "Ctrl-C stops") -> Display:
    """The display for a terminal. Imports Rich, which pipes don't need."""
    from rich.console import Console

    from grantha.cli.markdown import THEME
    from grantha.cli.terminal import TerminalDisplay

    return TerminalDisplay(
        Console(theme=THEME, highlight=False), lambda: client.connection_error, hint
    )


async def _generation(client: Client, args: ChatArgs) -> Generation:
    if args.attach is not None:
        return await client.generation(args.attach)
    if args.last or args.conversation is not None:
        return await _continue(client, args)
    return await client.ask(
        args.prompt, model=args.model, options=args.options, system_prompt=args.system or ""
    )


async def _continue(client: Client, args: ChatArgs) -> Generation:
    conversation = args.conversation
    if conversation is None:
        latest = await client.latest_conversation()
        if latest is None:
            raise BadRequest("There is no conversation yet.", advice="Leave out -c.")
        conversation = latest.id
    if args.system is not None:
        await client.update_conversation(conversation, system_prompt=args.system)
    if args.prompt:
        return await client.send(conversation, args.prompt, model=args.model, options=args.options)
    leaf = (await client.conversation(conversation)).thread()[-1:]
    if not leaf or leaf[0].generation is None or leaf[0].status == "done":
        raise BadRequest("The last answer is complete.", advice="Write a prompt.")
    answer = await client.generation(leaf[0].generation)
    if leaf[0].status == "running":
        return answer
    return await answer.continue_answer(model=args.model, options=args.options)


def _exit_code(end: GenerationEnd | None, *, reported: bool) -> int:
    """0 for a complete answer; otherwise says what is missing, unless the display has."""
    from grantha.cli import labels

    if end is None:
        notify("The connection ended before the answer.")
        return FAILED
    if not reported and (text := labels.ending(end)):
        notify(text)
    return 0 if end.ending == "done" else FAILED


def _read_prompt(words: list[str]) -> str:
    """The prompt from the arguments and from standard input."""
    typed = " ".join(word for word in words if word != "-").strip()
    if "-" not in words and not _stdin_has_input():
        return typed
    piped = read_stdin().strip()
    return "\n\n".join(part for part in (typed, piped) if part)


def _stdin_has_input() -> bool:
    # Not every input that isn't a terminal ends: that of a service or an editor may stay open forever.
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _usage_error(args: ChatArgs, words: list[str] | None) -> str:
    if args.attach and (words or args.last or args.conversation):
        return "--attach follows an answer; it takes no prompt and no conversation."
    if args.last and args.conversation:
        return "-c and --conversation exclude each other."
    if not (args.prompt or args.attach or args.last or args.conversation):
        return "There is no prompt."
    return ""
