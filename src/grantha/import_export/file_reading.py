"""Detects the format of a file and reads its conversations, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from grantha.errors import BadRequest
from grantha.import_export import chatgpt, claude, grantha_format, librechat, open_webui
from grantha.import_export.portable_conversation import EXPORTS_ADVICE, PortableConversation

ITEMS = grantha_format.ITEMS  # key of the list of conversations, where the file isn't a list itself


def read_conversations(
    outline: Any, items: Iterable[Any], now: int
) -> Iterator[PortableConversation]:
    """The conversations in an export of a product that is known here.

    `outline` is the decoded file without the items of its list of conversations; without such a list it may
    be one conversation. `now` (ms since 1970) replaces times that are missing in the file. Raises
    `BadRequest`, also in the middle.
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

_READERS = (
    (chatgpt.is_chatgpt, chatgpt.conversation_from),
    (claude.is_claude, claude.conversation_from),
    (open_webui.is_open_webui, open_webui.conversation_from),
    (librechat.is_librechat, librechat.conversation_from),
)


def _reader_of(outline: Any, first: Any) -> Callable[[Any, str, int], PortableConversation]:
    if isinstance(outline, list):
        for is_of, read in _READERS:
            if is_of(first):
                return read
    raise _unknown()


def _unknown() -> BadRequest:
    return BadRequest("The file isn't an export that Grantha can read.", advice=EXPORTS_ADVICE)
