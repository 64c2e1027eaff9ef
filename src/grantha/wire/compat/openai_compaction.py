"""Compaction in OpenAI's Responses API: a summary that stands for a long conversation.

Source: OpenAI's API reference, "Compact a response". The reply is the input of the next request: the
messages of the user, and one item with the summary. OpenAI encrypts it; ours is base64.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grantha.chat import JsonObject, Message, Options, Usage, text_message
from grantha.errors import BadRequest, MalformedReply
from grantha.wire.compat import openai_responses_input, view
from grantha.wire.compat.openai_chat_view import parse_tools
from grantha.wire.compat.openai_responses_view import usage_json
from grantha.wire.compat.view import AnswerFold, ParsedRequest, ResponseMeta

if TYPE_CHECKING:
    from grantha.wire.compat.openai_responses_replies import (
        CompactionItem,
        CompactionReply,
        ResponseItem,
    )

PROMPT = (
    "Summarise the conversation above for an assistant who will continue it without seeing it. State the "
    "task, the decisions and their reasons, the facts and results that matter, with names, paths and "
    "numbers as they were, and what is left to do. Write nothing but the summary."
)


def parse_request(body: JsonObject, past: Sequence[Message]) -> ParsedRequest:
    """A request's body as a request for the summary of what is `past` and of its input."""
    given = body.get("input")
    messages = [*past, *(openai_responses_input.parse_input(given) if given else [])]
    if not messages:
        raise BadRequest("'input' holds nothing to compact.")
    tools = parse_tools(body, "openai-responses")
    return ParsedRequest(
        messages=(*messages, text_message("user", PROMPT)),
        # Vendors want the tools of earlier calls described; none is to be called.
        options=Options(
            tools=tools,
            tool_choice="none" if tools else None,
            instructions=view.member(body, "instructions", str) or None,
        ),
        model=view.member(body, "model", str),
        stream=False,
        store=False,
    )


def response_body(
    meta: ResponseMeta, answer: AnswerFold, messages: Sequence[Message]
) -> CompactionReply:
    """The compacted form of `messages`. Raises `MalformedReply` without a summary."""
    text = view.text_of(answer.parts()).strip()
    if not text:
        raise MalformedReply("The model wrote no summary")
    said: list[ResponseItem | CompactionItem] = [
        item
        for number, message in enumerate(messages)
        if message.role == "user"
        for item in openai_responses_input.input_items(f"{meta.id}_{number}", message)
        if item["type"] == "message"
    ]
    summary: CompactionItem = {
        "type": "compaction",
        "id": f"cmp_{meta.id}",
        "encrypted_content": openai_responses_input.COMPACTED
        + base64.b64encode(text.encode()).decode(),
    }
    return {
        "id": f"resp_{meta.id}",
        "object": "response.compaction",
        "created_at": meta.created,
        "output": [*said, summary],
        "usage": usage_json(answer.end.usage if answer.end and answer.end.usage else Usage()),
    }
