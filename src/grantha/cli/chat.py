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
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from grantha.chat import Options, Part, TextPart
from grantha.cli.answer import show_answer, terminal_display
from grantha.cli.attachments import read_attachment
from grantha.cli.completion import model_ids
from grantha.cli.display import Display, JsonDisplay, PlainDisplay
from grantha.cli.encoding import read_stdin
from grantha.cli.runner import (
    FAILED,
    INTERRUPTED,
    Url,
    client_in,
    notify,
    read_settings,
    with_client,
)
from grantha.cli.short_ids import find_answer, find_conversation
from grantha.errors import BadRequest
from grantha.events import GenerationEnd

if TYPE_CHECKING:
    from grantha.client import Client, Generation


@dataclass(frozen=True, slots=True)
class ChatArgs:
    """The command's arguments."""

    prompt: str
    files: tuple[Path, ...]
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
    files: Annotated[
        list[Path] | None,
        typer.Option("-f", "--file", help="Attach a file: text or an image. Can be repeated."),
    ] = None,
    last: Annotated[
        bool, typer.Option("-c", "--continue", help="Continue the latest conversation.")
    ] = False,
    conversation: Annotated[
        str | None,
        typer.Option(
            "--conversation", help="Continue this conversation; an end of its id will do."
        ),
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
    """Send a prompt and show the answer; without one, chat in this terminal.

    Ctrl-C stops an answer at the server.
    """
    text = "" if attach else _read_prompt(prompt or [])
    options = Options(temperature=temperature, max_tokens=max_tokens)
    args = ChatArgs(
        text, tuple(files or ()), attach, conversation, last, model, system, options, as_json
    )
    alone = not (prompt or attach or as_json)
    if alone and not text and sys.stdin.isatty() and sys.stdout.isatty():
        _converse(url, args)
    if problem := _usage_error(args, prompt):
        raise typer.BadParameter(problem)
    with_client(url, lambda client: _chat(client, args))


async def _chat(client: Client, args: ChatArgs) -> int:
    display = _display(client, args)
    shown = await show_answer(display, lambda: _generation(client, args))
    if shown.interrupts:
        return INTERRUPTED
    return _exit_code(shown.end, reported=not isinstance(display, PlainDisplay | JsonDisplay))


def _converse(url: str | None, args: ChatArgs) -> NoReturn:
    """A session in this terminal, in a new conversation or an old one."""
    from grantha.cli.prompt_line import PromptLine, history_file
    from grantha.cli.session import ChatSession

    settings = read_settings(url=url)

    def complete(line: str, word: str) -> list[str]:
        return session.complete(line, word)

    line = PromptLine(history_file(settings.variables), complete)
    with asyncio.Runner() as runner, client_in(runner, settings) as client:
        session = ChatSession(
            client,
            line,
            model=args.model,
            system=args.system,
            options=args.options,
            attached=[runner.run(read_attachment(client, file)) for file in args.files],
        )
        # Before anything is written: a server that isn't there, or wants a token, ends the command.
        session.models = [model.id for model in runner.run(client.models()).items]
        line.open()
        if args.last or args.conversation is not None:
            session.conversation, cut = runner.run(_last_answer(client, args))
            if args.system is not None:
                session.handle(runner, f"/system {args.system}")
            if cut is not None:
                session.follow(runner, lambda: _resumed(cut, args))
        session.run(runner)
    raise SystemExit(0)


def _display(client: Client, args: ChatArgs) -> Display:
    if args.as_json:
        return JsonDisplay(sys.stdout)
    if not sys.stdout.isatty():
        return PlainDisplay(sys.stdout)
    return terminal_display(client)


async def _generation(client: Client, args: ChatArgs) -> Generation:
    if args.attach is not None:
        return await client.generation(await find_answer(client, args.attach))
    if args.last or args.conversation is not None:
        return await _continue(client, args)
    return await client.ask(
        await _message(client, args),
        model=args.model,
        options=args.options,
        system_prompt=args.system or "",
    )


async def _continue(client: Client, args: ChatArgs) -> Generation:
    if args.prompt or args.files:
        conversation, message = await _conversation(client, args), await _message(client, args)
        if args.system is not None:
            await client.update_conversation(conversation, system_prompt=args.system)
        return await client.send(conversation, message, model=args.model, options=args.options)
    conversation, cut = await _last_answer(client, args)
    if cut is None:
        raise BadRequest("The last answer is complete.", advice="Write a prompt.")
    if args.system is not None:
        await client.update_conversation(conversation, system_prompt=args.system)
    return await _resumed(cut, args)


async def _message(client: Client, args: ChatArgs) -> tuple[Part, ...]:
    """The attached files, then the prompt."""
    files = [await read_attachment(client, file) for file in args.files]
    return (*files, TextPart(args.prompt)) if args.prompt else tuple(files)


async def _conversation(client: Client, args: ChatArgs) -> str:
    if args.conversation is not None:
        return await find_conversation(client, args.conversation)
    latest = await client.latest_conversation()
    if latest is None:
        raise BadRequest("There is no conversation yet.", advice="Leave out -c.")
    return latest.id


async def _last_answer(client: Client, args: ChatArgs) -> tuple[str, Generation | None]:
    """The conversation, and its last answer if that runs or was cut."""
    conversation = await _conversation(client, args)
    leaf = (await client.conversation(conversation)).thread()[-1:]
    if not leaf or leaf[0].generation is None or leaf[0].status == "done":
        return conversation, None
    return conversation, await client.generation(leaf[0].generation)


async def _resumed(answer: Generation, args: ChatArgs) -> Generation:
    if answer.snapshot.status == "running":
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
    if args.attach and (words or args.files or args.last or args.conversation):
        return "--attach follows an answer; it takes no prompt, no file and no conversation."
    if args.last and args.conversation:
        return "-c and --conversation exclude each other."
    if not (args.prompt or args.files or args.attach or args.last or args.conversation):
        return "There is no prompt."
    return ""
