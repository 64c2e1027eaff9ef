"""The bodies that a local model is sent: a chat, or the raw text to be continued exactly.

llama.cpp's chat endpoint takes a partial answer too, but through the model's template, and templates trim
their input. So a prefix is appended to the rendered conversation unchanged, and the plain completion
endpoint continues it: no space is lost or doubled between them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from grantha.chat import Call, Capabilities
from grantha.wire.lenient_json import loads
from grantha.wire.upstream.openai_chat_profile import DialectProfile
from grantha.wire.upstream.openai_chat_request import encode_request

PROFILE = DialectProfile(prefix="continue_final_message", echo_reasoning="reasoning_content")
CHAT_PATH = "/v1/chat/completions"
TEXT_PATH = "/v1/completions"
TEMPLATE_PATH = "/apply-template"
TOKENS_PATH = "/tokenize"
EMBEDDINGS_PATH = "/v1/embeddings"

# Vendor fields that only shape the sampling. Others reach into the server: slots, files, tools.
_SAMPLING = frozenset(
    {
        *("frequency_penalty", "presence_penalty", "repeat_penalty", "repeat_last_n"),
        *("logit_bias", "logprobs", "top_logprobs", "top_k", "min_p", "typical_p", "top_n_sigma"),
        *("dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n"),
        *("xtc_probability", "xtc_threshold", "mirostat", "mirostat_tau", "mirostat_eta"),
        *("grammar", "ignore_eos", "chat_template_kwargs"),
    }
)
_CHAT_ONLY = frozenset(
    {
        *("messages", "continue_final_message", "add_generation_prompt", "chat_template_kwargs"),
        *("tools", "tool_choice", "response_format"),
    }
)


def chat_body(call: Call, facts: Capabilities, slot: int) -> dict[str, Any]:
    """The body for `CHAT_PATH`; with a prefix in the call, what `TEMPLATE_PATH` renders."""
    extra = {k: v for k, v in call.options.extra.items() if k in _SAMPLING}
    # Without progress reports a closed connection is noticed only when the whole prompt is computed.
    extra |= {"id_slot": slot, "return_progress": True}
    request = replace(call, options=replace(call.options, extra=extra))
    body: dict[str, Any] = loads(encode_request(request, PROFILE, facts))
    return body


def counted_body(call: Call, facts: Capabilities) -> dict[str, Any]:
    """What `TEMPLATE_PATH` renders to the whole prompt of a call without a prefix."""
    body = chat_body(call, facts, 0)
    rendered = ("messages", "tools", "tool_choice", "chat_template_kwargs")
    return {name: body[name] for name in rendered if name in body}


def template_body(body: dict[str, Any], *, continued: bool) -> dict[str, Any]:
    """The part of a chat's body that decides what its conversation looks like as text."""
    messages = body["messages"] if continued else body["messages"][:-1]
    request: dict[str, Any] = {"messages": messages}
    if "chat_template_kwargs" in body:
        request["chat_template_kwargs"] = body["chat_template_kwargs"]
    if continued:
        request |= {"continue_final_message": True, "add_generation_prompt": False}
    return request


def text_body(body: dict[str, Any], prompt: str) -> dict[str, Any]:
    """The body for `TEXT_PATH` out of a chat's."""
    return {**{k: v for k, v in body.items() if k not in _CHAT_ONLY}, "prompt": prompt}


def with_exact_prefix(rendered: str, prefix: str) -> str | None:
    """The rendered conversation with exactly `prefix` at its end; None if it doesn't end in it at all.

    Templates may have trimmed the prefix at either side.
    """
    if rendered.endswith(prefix):
        return rendered
    for left in (prefix.rstrip(), prefix.strip()):
        if left and rendered.endswith(left):
            return rendered.removesuffix(left) + prefix
    return None
