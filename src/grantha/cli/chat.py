"""`grantha chat`: ask, read the answer as it is written, stop it with Ctrl-C.

The question comes from the command's words, from a pipe, or both. Markdown is drawn in a terminal; a
pipe gets the text alone.
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
from grantha.cli.plain import JsonView, PlainView, View
from grantha.cli.runner import FAILED, INTERRUPTED, Url, say, with_client
from grantha.errors import BadRequest
from grantha.events import GenerationEnd

if TYPE_CHECKING:
    from grantha.client import Client, Generation


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command's words ask for."""

    question: str
    attach: str | None
    conversation: str | None
    last: bool  # go on in the conversation that was changed last
    model: str | None
    system: str | None
    options: Options
    as_json: bool


def chat(
    question: Annotated[
        list[str] | None, typer.Argument(help="The question; - reads it from standard input.")
    ] = None,
    *,
    last: Annotated[
        bool, typer.Option("-c", "--continue", help="Go on in the last conversation.")
    ] = False,
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="Go on in this conversation.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="provider/model.", autocompletion=model_ids),
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model should be.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer.")] = None,
    attach: Annotated[
        str | None, typer.Option(metavar="ID", help="Join an answer by its id instead of asking.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every event as a line of JSON.")
    ] = False,
    url: Url = None,
) -> None:
    """Ask a question and read the answer. Ctrl-C stops it at the server; twice leaves."""
    text = "" if attach else _question(question or [])
    options = Options(temperature=temperature, max_tokens=max_tokens)
    wish = Wish(text, attach, conversation, last, model, system, options, as_json)
    if problem := _contradiction(wish, question):
        raise typer.BadParameter(problem)
    with_client(url, lambda client: _chat(client, wish))


async def _chat(client: Client, wish: Wish) -> int:
    from grantha.cli.interrupt import Brake

    end: GenerationEnd | None = None
    view = _view(client, wish)
    brake = Brake(view.stopping)
    try:
        async with brake, view:
            generation = await _generation(client, wish)
            view.begin(generation.snapshot)
            brake.hold(generation)
            try:
                async for frame in generation.frames():
                    view.take(frame)
                    if isinstance(frame.event, GenerationEnd):
                        end = frame.event
            except BrokenPipeError:
                brake.stop()  # nobody reads the rest, and it may cost
                raise
    except asyncio.CancelledError:
        if brake.pulled < 2:
            raise
    if brake.pulled:
        return INTERRUPTED
    return _verdict(end, told=not isinstance(view, PlainView | JsonView))


def _view(client: Client, wish: Wish) -> View:
    if wish.as_json:
        return JsonView(sys.stdout)
    if not sys.stdout.isatty():
        return PlainView(sys.stdout)
    return terminal_view(client)


def terminal_view(client: Client, hint: str = "Ctrl-C stops") -> View:
    """The view for a person. Imports what only a person needs."""
    from rich.console import Console

    from grantha.cli.markdown import THEME
    from grantha.cli.terminal import TerminalView

    return TerminalView(Console(theme=THEME, highlight=False), lambda: client.trouble, hint)


async def _generation(client: Client, wish: Wish) -> Generation:
    if wish.attach is not None:
        return await client.generation(wish.attach)
    if wish.last or wish.conversation is not None:
        return await _go_on(client, wish)
    return await client.ask(
        wish.question, model=wish.model, options=wish.options, system_prompt=wish.system or ""
    )


async def _go_on(client: Client, wish: Wish) -> Generation:
    talk = wish.conversation
    if talk is None:
        latest = await client.latest()
        if latest is None:
            raise BadRequest("There is no conversation yet.", advice="Ask without -c.")
        talk = latest.id
    if wish.system is not None:
        await client.change_conversation(talk, system_prompt=wish.system)
    if wish.question:
        return await client.send(talk, wish.question, model=wish.model, options=wish.options)
    leaf = (await client.conversation(talk)).thread()[-1:]
    if not leaf or leaf[0].generation is None or leaf[0].status == "done":
        raise BadRequest("The last answer is complete.", advice="Ask something.")
    answer = await client.generation(leaf[0].generation)
    if leaf[0].status == "running":
        return answer
    return await answer.continue_answer(model=wish.model, options=wish.options)


def _verdict(end: GenerationEnd | None, *, told: bool) -> int:
    """0 for a whole answer; what is missing is told, unless the view has done so."""
    from grantha.cli import labels

    if end is None:
        say("The answer has no end.")
        return FAILED
    if not told and (said := labels.ending(end)):
        say(said)
    return 0 if end.ending == "done" else FAILED


def _question(given: list[str]) -> str:
    """The command's words, and what a pipe or file brings."""
    asked = " ".join(word for word in given if word != "-").strip()
    if "-" not in given and not _is_fed():
        return asked
    piped = sys.stdin.read().strip()
    return "\n\n".join(part for part in (asked, piped) if part)


def _is_fed() -> bool:
    # Not every input that isn't a terminal ends: a service's or an editor's may stay open for ever.
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _contradiction(wish: Wish, words: list[str] | None) -> str:
    if wish.attach and (words or wish.last or wish.conversation):
        return "--attach joins an answer; it takes no question and no conversation."
    if wish.last and wish.conversation:
        return "-c and --conversation name two conversations."
    if not (wish.question or wish.attach or wish.last or wish.conversation):
        return "There is no question."
    return ""
