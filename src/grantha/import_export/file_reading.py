"""Detects the format of a decoded file and reads its conversations."""

from __future__ import annotations

from typing import Any

from grantha.errors import BadRequest
from grantha.import_export import chatgpt, claude, grantha_format
from grantha.import_export.portable_conversation import PortableConversation

EXPORTS_ADVICE = "Import an export of Grantha, ChatGPT (conversations.json) or Claude."


def parse_export(document: Any, now: int) -> list[PortableConversation]:
    """The conversations in an export of Grantha, ChatGPT or Claude.

    `now` (ms since 1970) replaces times that are missing in the file. Raises `BadRequest`.
    """
    if grantha_format.is_grantha(document):
        conversations = grantha_format.from_json(document, now)
    elif chatgpt.is_chatgpt(document):
        conversations = chatgpt.from_json(document, now)
    elif claude.is_claude(document):
        conversations = claude.from_json(document, now)
    else:
        raise BadRequest(
            "The file isn't an export that Grantha can read.",
            advice=EXPORTS_ADVICE,
        )
    if not conversations:
        raise BadRequest("The file contains no conversation.")
    return conversations
