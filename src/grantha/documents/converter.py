"""Converts documents to text, each in a child process of its own, a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterable, Mapping

from grantha.config import child_variables
from grantha.documents import child_process
from grantha.documents.document_text import DocumentText, Reason, Unreadable, decode
from grantha.errors import BadRequest, Busy, GranthaError, TooLarge, Unsupported

_CONCURRENT = 2
_MAX_WAITING = 20
_SECONDS = 60.0  # by the clock, for one document
_MESSAGES: dict[Reason, tuple[type[GranthaError], str, str]] = {
    "unsupported": (
        Unsupported,
        "{name} isn't a document that can be read: PDF, Word, Excel or PowerPoint.",
        "Attach it as text or as a PDF.",
    ),
    "damaged": (BadRequest, "{name} is damaged.", "Open it in its program, and save it again."),
    "locked": (BadRequest, "{name} is protected by a password.", "Save it without one."),
    "empty": (
        BadRequest,
        "{name} has no text.",
        "If its pages are pictures, attach them as images, or have their text recognised first.",
    ),
    "too-large": (
        TooLarge,
        "{name} takes more time or memory than a document may.",
        "Attach a part of it.",
    ),
    "not-installed": (
        Unsupported,
        "This server can't read {name}: its document readers aren't installed.",
        "An administrator installs them with `pip install 'grantha[documents]'`.",
    ),
}


class DocumentConverter:
    """One for the server. `max_characters` bounds the text of a document; the child runs `program`."""

    def __init__(
        self,
        max_characters: int,
        variables: Mapping[str, str],
        program: str = child_process.__name__,
    ) -> None:
        self._max_characters = max_characters
        self._environment = child_variables(variables)
        self._program = program
        self._turns = asyncio.Semaphore(_CONCURRENT)
        self._waiting = 0

    async def convert(self, name: str, body: AsyncIterable[bytes]) -> DocumentText:
        """The text of a document, which errors call by its name. The bytes go to the child as they come.

        Raises `Unsupported` for other files, `BadRequest` for damaged, locked and empty ones, `TooLarge`,
        and `Busy` where too many wait.
        """
        if self._waiting >= _MAX_WAITING:
            raise Busy("Too many documents are being read.")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            return decode(await self._reply(body))
        except Unreadable as error:
            kind, message, advice = _MESSAGES[error.reason]
            raise kind(message.format(name=name), advice=error.advice or advice) from error
        finally:
            self._turns.release()

    async def _reply(self, body: AsyncIterable[bytes]) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", self._program, str(self._max_characters)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
        )
        try:
            stdin, stdout = _pipes(process)
            await _feed(stdin, body)
            async with asyncio.timeout(_SECONDS):
                reply = await stdout.read()
                await process.wait()
        except TimeoutError as error:
            raise Unreadable("too-large") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.returncode:  # the kernel ended it at a limit, or a parser crashed
            raise Unreadable("too-large" if process.returncode < 0 else "damaged")
        return reply


# ---- helpers below -------------------------------------------------------------------------------


def _pipes(
    process: asyncio.subprocess.Process,
) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("The process was started without pipes.")
    return process.stdin, process.stdout


async def _feed(stdin: asyncio.StreamWriter, body: AsyncIterable[bytes]) -> None:
    async for chunk in body:
        stdin.write(chunk)
        with contextlib.suppress(ConnectionError):  # it ended before its time: its status says why
            await stdin.drain()
    stdin.close()
