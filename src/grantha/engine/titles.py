"""Titles of conversations: first the beginning of the question, later one from the model."""

from __future__ import annotations

import asyncio
import contextlib

from grantha.chat import Call, Options, TextPart, text_message
from grantha.engine.feed import Change, Feed
from grantha.engine.plan import Models
from grantha.errors import GranthaError
from grantha.events import Text
from grantha.providers.base import Provider
from grantha.storage.base import GenerationRow, MessageRow, Store

_MAX_REPLY = 64 * 1024
_MAX_LENGTH = 60
_TIMEOUT = 30.0  # seconds
_MAX_EXCERPT = 1200  # characters of question and answer in the prompt for a title


class Titler:
    """Gives conversations of the page a title from the model after their first answer."""

    def __init__(self, store: Store, models: Models, feed: Feed) -> None:
        self._store = store
        self._models = models
        self._feed = feed

    async def title(self, subject: str, row: GenerationRow, model: str) -> None:
        """Titles the conversation of an ended answer, unless it has a title from the user or a model."""
        with contextlib.suppress(GranthaError):  # deleted meanwhile, or the disk is full
            await self._title(subject, row, model)

    async def _title(self, subject: str, row: GenerationRow, model: str) -> None:
        conversation = await self._store.conversation(subject, row.conversation)
        if conversation.title_by != "none" or conversation.origin != "page":
            return
        path = await self._store.path(subject, row.message)
        question, answer = (_text_of(path[0]), _text_of(path[-1])) if path else ("", "")
        provider, name = self._models.resolve(model)
        title = await title_by_model(provider, name, question, answer)
        current = await self._store.conversation(subject, row.conversation)
        if current.title_by == "none":  # the user may have named it meanwhile
            changes = {"title": title or current.title, "title_by": "auto"}
            await self._store.update_conversation(subject, current.id, changes)
            self._feed.publish(Change("conversation", subject, current.id))


def title_from(question: str) -> str:
    """The first line of a question, cut between words."""
    line = next((part for part in question.splitlines() if part.strip()), "").strip()
    line = " ".join(line.split())
    if len(line) <= _MAX_LENGTH:
        return line or "New chat"
    cut = line[:_MAX_LENGTH].rsplit(" ", 1)[0].rstrip(",.;:-") or line[:_MAX_LENGTH]
    return cut + "…"


async def title_by_model(provider: Provider, model: str, question: str, answer: str) -> str | None:
    """A title from the model that answered, or None if its reply isn't usable."""
    request = (
        "Give this conversation a title of two to six words, in its own language. "
        "Reply with the title alone.\n\n"
        f"Question: {question[:_MAX_EXCERPT]}\n\nAnswer: {answer[:_MAX_EXCERPT]}"
    )
    options = Options(max_tokens=24)
    try:
        if provider.capabilities(model).temperature:
            options = Options(max_tokens=24, temperature=0.2)
        call = Call(model, (text_message("user", request),), options)
        async with asyncio.timeout(_TIMEOUT):
            return usable_title(await _reply_text(provider, call))
    except (GranthaError, TimeoutError):
        return None


def usable_title(text: str) -> str | None:
    """A model's reply as a title; None for a sentence, a list or a comment on the task."""
    line = text.strip().splitlines()[0].strip() if text.strip() else ""
    for label in ("Title:", "**Title:**", "#"):
        line = line.removeprefix(label).strip()
    line = line.strip("\"'*_`\u201c\u201d\u2018\u2019").rstrip(".").strip()
    words = line.split()
    if not 1 <= len(words) <= 9 or len(line) > _MAX_LENGTH or ":" in line[:12]:
        return None
    return line


async def _reply_text(provider: Provider, call: Call) -> str:
    upstream = await provider.open(call)
    reply = ""
    try:
        async for batch in upstream:
            reply += "".join([event.text for event in batch if isinstance(event, Text)])
            if len(reply) > _MAX_REPLY:
                break  # no title, and no reason to keep what a broken upstream sends
    finally:
        await upstream.aclose()
    return reply


def _text_of(row: MessageRow) -> str:
    return "".join(part.text for part in row.parts if isinstance(part, TextPart))
