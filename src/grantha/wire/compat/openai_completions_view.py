"""OpenAI's older Completions API as a view: a prompt is answered as the one message of a chat.

Source: OpenAI's API reference, "Completions". Today's models chat: they answer a prompt and don't fill the
gap before a `suffix`, which is refused. Reasoning has no place in this API.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from grantha.chat import JsonObject
from grantha.errors import BadRequest
from grantha.events import Frame, GenerationEnd, TextDelta
from grantha.wire.compat import openai_chat_view, view
from grantha.wire.compat.view import AnswerFold, ParsedRequest, ResponseMeta, sse_block

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.openai_completion_replies import (
        CompletionChoice,
        CompletionFinishReason,
        CompletionLogprobs,
        CompletionReply,
    )

UNSUPPORTED = {"suffix": "filling in a gap isn't supported"}
_MAX_RIVALS = 5  # of a token, as with OpenAI
_FINISH: dict[str, CompletionFinishReason] = {
    "length": "length",
    "content-filter": "content_filter",
    "refusal": "content_filter",
}


def parse_request(body: JsonObject) -> tuple[ParsedRequest, str]:
    """A request's body, and what the text of the answer begins with: the prompt, if `echo` asks for it.

    Raises `BadRequest` that names the member.
    """
    view.reject_members(body, UNSUPPORTED)
    for name in ("n", "best_of"):
        if view.member(body, name, int, 1) != 1:
            raise BadRequest(f"'{name}' must be 1: send several requests for several answers.")
    prompt = _prompt(body)
    rivals = view.integer(body, "logprobs")
    if rivals is not None and not 0 <= rivals <= _MAX_RIVALS:
        raise BadRequest(f"'logprobs' must be between 0 and {_MAX_RIVALS}.")
    echo = view.member(body, "echo", bool, False)
    if echo and rivals is not None:
        raise BadRequest("'echo' can't be combined with 'logprobs': a prompt has none here.")
    chat_body: dict[str, Any] = {
        **{name: body.get(name) for name in _SHARED},
        "messages": [{"role": "user", "content": prompt}],
    }
    if rivals is not None:
        chat_body |= {"logprobs": True, "top_logprobs": rivals}
    return openai_chat_view.parse_request(chat_body), prompt if echo else ""


class CompletionStream:
    """Chunks, then `[DONE]`. `before` is what the text begins with."""

    def __init__(self, meta: ResponseMeta, include_usage: bool, before: str) -> None:
        self._head = _head(meta)
        self._include_usage = include_usage
        self._before = before
        self._length = 0

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The chunks of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        event, at = frame.event, str(frame.id)
        match event:
            case TextDelta():
                return [self._text(at, event)]
            case GenerationEnd():
                return self._end(at, event)
            case _:
                return []

    def _text(self, at: str, event: TextDelta) -> str:
        text, self._before = self._before + event.text, ""
        found = _logprobs(event.logprobs, self._length)
        self._length += len(text)
        return self._chunk(at, {"index": 0, "text": text, "logprobs": found, "finish_reason": None})

    def _chunk(self, at: str, choice: CompletionChoice) -> str:
        chunk: CompletionReply = {**self._head, "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        return sse_block(chunk, id=at)

    def _end(self, at: str, end: GenerationEnd) -> list[str]:
        if (failed := openai_chat_view.end_error_body(end)) is not None:
            return [sse_block(failed, id=at), "data: [DONE]\n\n"]
        last: CompletionChoice = {
            "index": 0,
            "text": self._before,
            "logprobs": None,
            "finish_reason": _finish(end),
        }
        blocks = [self._chunk(at, last)]
        if self._include_usage:
            usage = openai_chat_view.usage_json(end.usage) if end.usage else None
            with_usage: CompletionReply = {**self._head, "usage": usage}
            blocks.append(sse_block(with_usage, id=at))
        return [*blocks, "data: [DONE]\n\n"]


def response_body(meta: ResponseMeta, answer: AnswerFold, before: str = "") -> CompletionReply:
    """The whole answer, which has ended."""
    end = answer.end
    found = [logprob for _, rows in sorted(answer.logprobs.items()) for logprob in rows]
    choice: CompletionChoice = {
        "index": 0,
        "text": before + view.text_of(answer.parts()),
        "logprobs": _logprobs(found, 0),
        "finish_reason": _finish(end),
    }
    usage = openai_chat_view.usage_json(end.usage) if end and end.usage else None
    return {**_head(meta), "choices": [choice], "usage": usage}


# ---- helpers below -------------------------------------------------------------------------------

_SHARED = (
    *("model", "stream", "stream_options", "store", "temperature", "top_p", "max_tokens"),
    *("stop", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "user"),
)


def _prompt(body: JsonObject) -> str:
    prompt = view.member(body, "prompt", (str, list))
    listed = [prompt] if isinstance(prompt, str) else prompt or []
    if len(listed) > 1 and isinstance(listed[0], str):
        raise BadRequest("'prompt' must be one text: send several requests for several prompts.")
    if not listed or not isinstance(listed[0], str):
        raise BadRequest("'prompt' must be text, not tokens.")
    if not listed[0]:
        raise BadRequest("'prompt' is empty.")
    return listed[0]


def _head(meta: ResponseMeta) -> CompletionReply:
    return {
        "id": f"cmpl-{meta.id}",
        "object": "text_completion",
        "created": meta.created,
        "model": meta.model,
        "choices": [],
    }


def _finish(end: GenerationEnd | None) -> CompletionFinishReason:
    return _FINISH.get((end.finish_reason if end else None) or "stop", "stop")


def _logprobs(found: Sequence[JsonObject], start: int) -> CompletionLogprobs | None:
    if not found:
        return None
    tokens = [_token(row) for row in found]
    return {
        "tokens": tokens,
        "token_logprobs": [_logprob(row) for row in found],
        "top_logprobs": [_rivals(row.get("top_logprobs")) for row in found],
        "text_offset": list(accumulate(map(len, tokens[:-1]), initial=start)),
    }


def _rivals(rows: Any) -> dict[str, float]:
    listed = rows if isinstance(rows, list) else []
    return {_token(row): _logprob(row) for row in listed if isinstance(row, dict)}


# Providers have log probabilities of their own shapes, and none may fail an answer.


def _token(row: JsonObject) -> str:
    return str(row.get("token") or "")


def _logprob(row: JsonObject) -> float:
    found = row.get("logprob")
    return float(found) if isinstance(found, int | float) else 0.0
