"""Detects the format of a file and reads its conversations, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from grantha.errors import BadRequest
from grantha.import_export import chatgpt, claude, grantha_format
from grantha.import_export.portable_conversation import PortableConversation

EXPORTS_ADVICE = "Import an export of Grantha, ChatGPT (conversations.json) or Claude."
ITEMS = grantha_format.ITEMS  # key of the list of conversations, where the file isn't a list itself


def read_conversations(
    outline: Any, items: Iterable[Any], now: int
) -> Iterator[PortableConversation]:
    """The conversations in an export of Grantha, ChatGPT or Claude.

    `outline` is the decoded file without the items of its list of conversations; without such a list it may
    be one conversation of ChatGPT or Claude. `now` (ms since 1970)
    replaces times that are missing in the file. Raises `BadRequest`, also in the middle.
    """
    read: Callable[[Any, str, int], PortableConversation] | None = None
    prefix = ""
    if grantha_format.is_grantha(outline):
        grantha_format.check_version(outline)
        read, prefix = grantha_format.conversation_from, f"{ITEMS}."
    number = -1
    for number, item in enumerate(items):
        read = read or _reader_of(outline, item)
        conversation = read(item, f"{prefix}{number}", now)
        # Others list conversations in which nothing was said.
        if conversation.messages or prefix:
            yield conversation
    if read is None:
        # One conversation, as scripts save it from the page, is no list.
        conversation = _reader_of([outline], outline)(outline, "conversation", now)
        if conversation.messages:
            yield conversation


# ---- helpers below -------------------------------------------------------------------------------


def _reader_of(outline: Any, first: Any) -> Callable[[Any, str, int], PortableConversation]:
    if isinstance(outline, list) and chatgpt.is_chatgpt(first):
        return chatgpt.conversation_from
    if isinstance(outline, list) and claude.is_claude(first):
        return claude.conversation_from
    raise _unknown()


def _unknown() -> BadRequest:
    return BadRequest("The file isn't an export that Grantha can read.", advice=EXPORTS_ADVICE)
