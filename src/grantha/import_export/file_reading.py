"""Which format a decoded file has, and its conversations."""

from __future__ import annotations

from typing import Any

from grantha.errors import BadRequest
from grantha.import_export import chatgpt, claude, grantha_format
from grantha.import_export.portable_conversation import Talk


def talks_from(document: Any, now: int) -> list[Talk]:
    """The conversations of an export of ours, of ChatGPT or of Claude.

    `now` (ms since 1970) stands in for times that the file doesn't hold. Raises `BadRequest`.
    """
    if grantha_format.is_own(document):
        talks = grantha_format.from_json(document, now)
    elif chatgpt.is_chatgpt(document):
        talks = chatgpt.from_json(document, now)
    elif claude.is_claude(document):
        talks = claude.from_json(document, now)
    else:
        raise BadRequest(
            "The file is no export that is known here.",
            advice="Import an export of Grantha, ChatGPT (conversations.json) or Claude.",
        )
    if not talks:
        raise BadRequest("The file holds no conversation.")
    return talks
