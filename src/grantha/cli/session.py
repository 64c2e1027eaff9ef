"""`grantha chat` without a prompt: a conversation in the terminal, until Ctrl-D.

Lines that begin with a slash are commands. While a line is edited nothing else runs: the event loop only
runs for an answer or a command, so that Ctrl-C means the line at the prompt and the answer while one is
shown. An error ends what was tried, never the session.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from grantha.chat import Options, Part, TextPart
from grantha.cli.answer import show_answer, terminal_display
from grantha.cli.attachments import read_attachment
from grantha.cli.labels import join_sentences
from grantha.cli.markdown import strip_controls
from grantha.cli.prompt_line import PromptLine
from grantha.errors import BadRequest, GranthaError, Unauthorized
from grantha.setting_problems import nearest

if TYPE_CHECKING:
    from grantha.client import Client, Generation

T = TypeVar("T")
_SHOWN_MODELS = 30
HELP = """\
/model [ID]     show the models, or use another one from here
/system [TEXT]  show the system prompt, or set it
/attach FILE    attach a file to the next message: text or an image
/retry          answer the last message again
/copy           copy the last answer to the clipboard
/new            begin another conversation
/help           show this
/quit           leave, like Ctrl-D

A line that ends in \\ goes on; three quotes \"\"\" begin and end a text of many lines.
A message that begins with a slash is written with two. Ctrl-C stops an answer."""


@dataclass
class ChatSession:
    """One conversation and what the next message is sent with. `conversation` is None before the first."""

    client: Client
    line: PromptLine
    conversation: str | None = None
    model: str | None = None
    system: str | None = None
    options: Options = field(default_factory=Options)
    attached: list[Part] = field(default_factory=list)
    models: list[str] = field(default_factory=list)  # for completion, once they have been listed
    answer: str | None = None  # the last one's id

    def run(self, runner: asyncio.Runner) -> None:
        """Reads and answers until the user leaves."""
        print("Write a message, or /help. Ctrl-D leaves.")
        while True:
            try:
                text = self.line.read()
            except EOFError:
                print()
                return
            except KeyboardInterrupt:
                print("\nCtrl-D leaves.")
                continue
            if text in {"/quit", "/exit"}:
                return
            if text:
                self.handle(runner, text)

    def handle(self, runner: asyncio.Runner, text: str) -> None:
        """Carries out one message or command; an error is printed."""
        try:
            if text.startswith("/") and not text.startswith("//"):
                self._command(runner, text)
            else:
                message = TextPart(text[1:] if text.startswith("//") else text)
                self._show(runner, lambda: self._send((*self.attached, message)))
                self.attached.clear()
        except Unauthorized as error:
            print(join_sentences(error.message, "GRANTHA_TOKEN holds another one"))
        except GranthaError as error:
            print(strip_controls(join_sentences(error.message, error.advice)))
        except KeyboardInterrupt:
            print()

    def complete(self, line: str, word: str) -> list[str]:
        """Completions of a word."""
        if line.startswith("/attach "):
            return _paths(word)
        if line.startswith("/model "):
            return [model for model in self.models if model.startswith(word)]
        names = [text.split()[0] for text in HELP.splitlines() if text.startswith("/")]
        return [name for name in names if name.startswith(word)] if line.startswith("/") else []

    # ---- answers --------------------------------------------------------------------------------

    def follow(self, runner: asyncio.Runner, start: Callable[[], Awaitable[Generation]]) -> None:
        """Shows an answer that `start` returns, as if its question had been sent here."""
        try:
            self._show(runner, start)
        except GranthaError as error:
            print(strip_controls(join_sentences(error.message, error.advice)))

    def _show(self, runner: asyncio.Runner, start: Callable[[], Awaitable[Generation]]) -> None:
        shown = _run(runner, show_answer(terminal_display(self.client), start))
        print()
        if shown.generation is not None:
            self.answer = shown.generation.snapshot.id
            self.conversation = shown.generation.snapshot.conversation

    async def _send(self, message: tuple[Part, ...]) -> Generation:
        if self.conversation is None:
            return await self.client.ask(
                message, model=self.model, options=self.options, system_prompt=self.system or ""
            )
        return await self.client.send(
            self.conversation, message, model=self.model, options=self.options
        )

    # ---- commands -------------------------------------------------------------------------------

    def _command(self, runner: asyncio.Runner, text: str) -> None:
        name, _, rest = text.partition(" ")
        rest = rest.strip()
        commands: dict[str, Callable[[], None]] = {
            "/help": lambda: print(HELP),
            "/model": lambda: _run(runner, self._use_model(rest)),
            "/system": lambda: _run(runner, self._use_system(rest)),
            "/attach": lambda: _run(runner, self._attach(rest)),
            "/retry": lambda: self._show(runner, self._retry),
            "/copy": lambda: _run(runner, self._copy()),
            "/new": self._start_over,
        }
        command = commands.get(name)
        if command is None:
            meant = nearest(name, commands)
            raise BadRequest(
                f"There is no command {name}.",
                advice=f"Did you mean {meant}?" if meant else "/help lists them.",
            )
        command()

    async def _use_model(self, name: str) -> None:
        found = await self.client.models()
        self.models = [model.id for model in found.items]
        if not name:
            used = self.model or found.default
            for model in self.models[:_SHOWN_MODELS]:
                print(f"{'●' if model == used else ' '} {strip_controls(model)}")
            if len(self.models) > _SHOWN_MODELS:
                print(f"… and {len(self.models) - _SHOWN_MODELS} more: `grantha models`")
            return
        matching = [model for model in self.models if model == name or model.endswith(f"/{name}")]
        if len(matching) == 1:
            name = matching[0]
        self.model = name
        print(f"The next answer is written by {strip_controls(name)}.")
        if name not in self.models:  # hosts don't list every model that they have
            meant = nearest(name, self.models)
            print("It isn't in the list." + (f" Did you mean {meant}?" if meant else ""))

    async def _use_system(self, text: str) -> None:
        if text:
            self.system = text
            if self.conversation is not None:
                await self.client.update_conversation(self.conversation, system_prompt=text)
            print("The system prompt is set.")
            return
        if self.conversation is not None:
            self.system = (await self.client.conversation(self.conversation)).system_prompt
        print(strip_controls(self.system or "") or "There is no system prompt.")

    async def _attach(self, name: str) -> None:
        if not name:
            raise BadRequest("Name a file: /attach FILE.")
        path = Path(name.strip("'\""))
        self.attached.append(await read_attachment(self.client, path))
        print(f"{path.name} goes with the next message.")

    async def _retry(self) -> Generation:
        if self.conversation is None:
            raise BadRequest("There is no question yet.")
        thread = (await self.client.conversation(self.conversation)).thread()
        question_ids = [message.id for message in thread if message.role == "user"]
        if not question_ids:
            raise BadRequest("There is no question yet.")
        return await self.client.send(
            self.conversation, model=self.model, options=self.options, parent=question_ids[-1]
        )

    async def _copy(self) -> None:
        if self.answer is None:
            raise BadRequest("There is no answer yet.")
        text = (await self.client.generation(self.answer)).snapshot.text
        # OSC 52: the terminal itself puts it into the clipboard, also over SSH.
        sys.stdout.write(f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07")
        sys.stdout.flush()
        print(f"{len(text):,} characters are sent to the terminal's clipboard.")

    def _start_over(self) -> None:
        self.conversation = self.answer = None
        self.attached.clear()
        print("The next message begins another conversation.")


def _run(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    return runner.run(work)


def _paths(word: str) -> list[str]:
    typed = Path(word).expanduser()
    folder, start = (typed, "") if word.endswith("/") else (typed.parent, typed.name)
    found: list[str] = []
    with contextlib.suppress(OSError):
        paths = [path for path in sorted(folder.iterdir()) if path.name.startswith(start)]
        found = [f"{path}/" if path.is_dir() else str(path) for path in paths]
    return found
