"""A call with everything in it, and its body in each dialect."""

from __future__ import annotations

import base64
import json
from typing import Any

from grantha.chat import (
    Call,
    Capabilities,
    FilePart,
    ImagePart,
    Message,
    Options,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.wire.upstream import (
    anthropic_request,
    bedrock_request,
    gemini_request,
    ollama_request,
    openai_chat_request,
    openai_responses_request,
)
from grantha.wire.upstream.openai_chat_profile import DEFAULT_PROFILE, DialectProfile

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
FACTS = Capabilities(images=True, tools=True, reasoning=True, output_limit=32000)
TOOL = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
OPTIONS = Options(
    temperature=0.5,
    top_p=0.9,
    max_tokens=100,
    stop=("END",),
    seed=7,
    tools=(TOOL,),
    tool_choice="required",
)
MESSAGES = (
    text_message("system", "Be brief."),
    Message(
        "user",
        (
            TextPart("What is this?"),
            ImagePart("image/png", PNG),
            FilePart("notes.txt", "text/plain", "Some notes."),
        ),
    ),
    Message("assistant", (ReasoningPart("Old thought.", "b2xk"), TextPart("A picture."))),
    text_message("user", "And the weather?"),
    Message(
        "assistant",
        (
            ReasoningPart("New thought.", "bmV3"),
            TextPart("Let me look."),
            ToolCallPart("call_1", "weather", '{"city":"Köln"}'),
        ),
    ),
    Message("tool", (ToolResultPart("call_1", "Rain."),)),
)
CALL = Call("model-x", MESSAGES, OPTIONS)
PDF = base64.b64encode(b"%PDF-1.4\n").decode()
PICTURE_URL = "https://pictures.example/cat.webp?size=2"
PAPER_URL = "https://papers.example/a.pdf"
# Images and PDFs beside a question and inside a tool's result.
MEDIA = (
    Message(
        "user",
        (
            ImagePart("image/png", PNG),
            FilePart("a.pdf", "application/pdf", "", PDF),
            TextPart("Compare them."),
        ),
    ),
    Message("assistant", (ToolCallPart("call_1", "look", "{}"),)),
    Message(
        "tool",
        (
            ToolResultPart("call_1", "Found."),
            ImagePart("image/png", PNG, call_id="call_1"),
            FilePart("b.pdf", "application/pdf", "", PDF, call_id="call_1"),
        ),
    ),
)
BY_URL = Message(
    "user",
    (
        ImagePart("", "", PICTURE_URL),
        FilePart("c.pdf", "application/pdf", "", url=PAPER_URL),
        TextPart("And these?"),
    ),
)
READS_ALL = Capabilities(images=True, documents=True, urls=True, tools=True)


def chat(call: Call, profile: DialectProfile = DEFAULT_PROFILE, facts: Capabilities = FACTS) -> Any:
    return json.loads(openai_chat_request.encode_request(call, profile, facts))


def anthropic(call: Call, facts: Capabilities = FACTS) -> dict[str, Any]:
    return anthropic_request.encode_request(call, facts)


def gemini(call: Call, facts: Capabilities = FACTS) -> Any:
    return json.loads(gemini_request.encode_request(call, facts))


def responses(call: Call, facts: Capabilities = FACTS) -> Any:
    return json.loads(openai_responses_request.encode_request(call, facts))


def converse(call: Call, facts: Capabilities = FACTS) -> Any:
    return json.loads(bedrock_request.encode_request(call, facts))


def local_chat(call: Call, facts: Capabilities = FACTS) -> Any:
    return json.loads(ollama_request.encode_request(call, facts))
