"""Documents that a client sends with their bytes: extracts their text for models that don't read them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from starlette.requests import HTTPConnection, Request

from grantha.api.answers import run_while_connected
from grantha.api.state import app_state
from grantha.chat import Capabilities, FilePart, Message, Part
from grantha.errors import BadRequest, GranthaError
from grantha.wire.documents import is_sent_as_file

_SLICE = 64 * 1024  # bytes


async def with_readable_documents(
    request: HTTPConnection, model: str | None, messages: Sequence[Message]
) -> tuple[Message, ...]:
    """The messages as `model` can take them: PDFs stay as they are where it reads them, or isn't known yet.

    Raises what `DocumentConverter.convert` raises, for documents without text and where the extra isn't
    installed; and `BadRequest`, which nobody gets, once the client has gone.
    """
    if not any(_has_bytes(part) for message in messages for part in message.parts):
        return tuple(messages)
    facts = Capabilities(documents=True)
    if model is not None:
        provider, name = app_state(request).registry.resolve(model)
        facts = provider.capabilities(name)
    converting = _converted(request, facts, messages)
    if not isinstance(request, Request):  # a socket: its answers don't end with it
        return await converting
    found = await run_while_connected(request.receive, converting)
    if found is None:
        raise BadRequest("The client disconnected while its documents were read.")
    return found


# ---- helpers below -------------------------------------------------------------------------------


def _has_bytes(part: Part) -> bool:
    return isinstance(part, FilePart) and part.data is not None


async def _converted(
    request: HTTPConnection, facts: Capabilities, messages: Sequence[Message]
) -> tuple[Message, ...]:
    return tuple(
        [
            Message(m.role, tuple([await _readable(request, facts, part) for part in m.parts]))
            for m in messages
        ]
    )


async def _readable(request: HTTPConnection, facts: Capabilities, part: Part) -> Part:
    if not isinstance(part, FilePart) or part.data is None or is_sent_as_file(part, facts):
        return part
    try:
        found = await app_state(request).documents.convert(part.name, _slices(part.data))
    except GranthaError as error:
        error.advice = f"{error.advice} A model that reads PDFs gets a PDF as it is.".strip()
        raise
    return replace(part, media_type=found.media_type, text=found.text, data=None)


async def _slices(data: str) -> AsyncIterator[bytes]:
    raw = base64.b64decode(data)
    for start in range(0, len(raw), _SLICE):
        yield raw[start : start + _SLICE]
