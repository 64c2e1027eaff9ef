"""Titles of conversations: the question's first words at once, a better one from the model later."""

from __future__ import annotations

import asyncio

from grantha.chat import Call, Options, text_message
from grantha.errors import GranthaError
from grantha.events import Text
from grantha.providers.base import Provider

_MAX_LENGTH = 60
_TIMEOUT = 30.0  # seconds
_MAX_EXCERPT = 1200  # characters of question and answer that it gets to see


def title_from(question: str) -> str:
    """The first line of a question, cut at a word."""
    line = next((part for part in question.splitlines() if part.strip()), "").strip()
    line = " ".join(line.split())
    if len(line) <= _MAX_LENGTH:
        return line or "New chat"
    cut = line[:_MAX_LENGTH].rsplit(" ", 1)[0].rstrip(",.;:-") or line[:_MAX_LENGTH]
    return cut + "…"


async def title_by_model(provider: Provider, model: str, question: str, answer: str) -> str | None:
    """A title from the model that answered; None when it gives none that can be used."""
    request = (
        "Give this conversation a title of two to six words, in its own language. "
        "Reply with the title alone.\n\n"
        f"Question: {question[:_MAX_EXCERPT]}\n\nAnswer: {answer[:_MAX_EXCERPT]}"
    )
    options = Options(max_tokens=24)
    if provider.capabilities(model).temperature:
        options = Options(max_tokens=24, temperature=0.2)
    call = Call(model, (text_message("user", request),), options)
    try:
        async with asyncio.timeout(_TIMEOUT):
            return usable_title(await _reply_text(provider, call))
    except (GranthaError, TimeoutError):
        return None


def usable_title(text: str) -> str | None:
    """A model's reply as a title; None for a sentence, a list or a speech about the task."""
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
    try:
        pieces = [
            event.text async for batch in upstream for event in batch if isinstance(event, Text)
        ]
    finally:
        await upstream.aclose()
    return "".join(pieces)
