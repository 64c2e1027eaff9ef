"""Google's Gemini API as a view: chunks and replies for its clients. `gemini_input` reads their requests.

Source: Google's API reference, "Generating content". Chunks are events (`alt=sse`) or the elements of one
JSON array. Google's clients know neither ids nor comments in a stream. Function calls come whole; thoughts
only on request, while their signatures always come, since they must go back.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grantha.chat import Part, ReasoningPart, TextPart, ToolCallPart, Usage
from grantha.embedding import Embeddings
from grantha.errors import GranthaError, error_from_json
from grantha.events import (
    Citation,
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.compat import view
from grantha.wire.compat.view import AnswerFold, ResponseMeta, compact_json
from grantha.wire.lenient_json import dumps

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.gemini_replies import (
        GeminiCallPart,
        GeminiCandidate,
        GeminiError,
        GeminiFinishReason,
        GeminiModel,
        GeminiModels,
        GeminiPart,
        GeminiReply,
        GeminiSource,
        GeminiTextPart,
        GeminiUsage,
    )

_FINISH: dict[str, GeminiFinishReason] = {
    "length": "MAX_TOKENS",
    "content-filter": "SAFETY",
    "refusal": "SAFETY",
}
_STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    507: "RESOURCE_EXHAUSTED",
}


class GeminiStream:
    """Chunks, the last of which has the reason of the end and the counts."""

    def __init__(self, meta: ResponseMeta, *, thoughts: bool, array: bool) -> None:
        self._meta = meta
        self._thoughts = thoughts
        self._array = array
        self._begun = False
        self._calls: dict[int, tuple[PartStart, list[ToolCallDelta]]] = {}
        self._sources: list[Citation] = []

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The chunks of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        event = frame.event
        match event:
            case TextDelta(text=text) if text:
                return self._parts([{"text": text}])
            case ReasoningDelta():
                part = _thought(event.text, event.signature, shown=self._thoughts)
                return self._parts([part] if part is not None else [])
            case PartStart(part_kind="tool-call"):
                self._calls[event.part] = (event, [])
            case ToolCallDelta() if event.part in self._calls:
                self._calls[event.part][1].append(event)
            case PartEnd() if event.part in self._calls:
                return self._parts([self._call(event.part)])
            case Citation(url=str()):
                self._sources.append(event)
            case GenerationEnd():
                return self._end(event)
            case _:
                pass
        return []

    def _call(self, part: int) -> GeminiCallPart:
        start, deltas = self._calls.pop(part)
        signature = next((delta.signature for delta in deltas if delta.signature), None)
        arguments = "".join(delta.arguments for delta in deltas)
        return _call(start.call_id or f"call_{part}", start.name or "", arguments, signature)

    def _parts(self, parts: list[GeminiPart]) -> list[str]:
        return [self._chunk(_reply(self._meta, parts))] if parts else []

    def _end(self, end: GenerationEnd) -> list[str]:
        cut: list[GeminiPart] = [self._call(part) for part in sorted(self._calls)]
        close = "]" if self._array else ""
        error = view.end_error(end)
        if error is not None:
            failed = error_body(error_from_json(error))
            return [*self._parts(cut), self._chunk(failed), close]
        last = _reply(self._meta, cut or [{"text": ""}])
        _complete(last, end, self._sources)
        return [self._chunk(last), close]

    def _chunk(self, chunk: GeminiReply | GeminiError) -> str:
        text = compact_json(chunk)
        if not self._array:
            return f"data: {text}\r\n\r\n"
        start, self._begun = (",\r\n" if self._begun else "["), True
        return start + text


def response_body(meta: ResponseMeta, answer: AnswerFold, *, thoughts: bool) -> GeminiReply:
    """The whole answer, which has ended."""
    parts = [found for part in answer.parts() for found in _part(part, thoughts)]
    reply = _reply(meta, parts)
    if answer.end is not None:
        _complete(reply, answer.end, [source.citation for source in answer.sources])
    return reply


def model_list(cards: Sequence[tuple[str, str, int]]) -> GeminiModels:
    """The list of models, from (id, owner, made in seconds)."""
    rows: list[GeminiModel] = [
        {
            "name": f"models/{name}",
            "displayName": name,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }
        for name, _, _ in cards
    ]
    return {"models": rows}


def encode_embeddings(found: Embeddings) -> bytes:
    """Vectors as JSON. One by one: between two of them other threads get their turn."""
    rows = b",".join([dumps({"values": list(vector)}) for vector in found.vectors])
    return b'{"embeddings":[' + rows + b"]}"


def encode_embedding(found: Embeddings) -> bytes:
    """The one vector as JSON."""
    return dumps({"embedding": {"values": list(found.vectors[0])}})


def error_body(error: GranthaError) -> GeminiError:
    """An error, in Google's form."""
    code = view.client_status(error)
    status = _STATUSES.get(code, "INTERNAL" if code >= 500 else "INVALID_ARGUMENT")
    return {"error": {"code": code, "message": view.error_text(error.to_json()), "status": status}}


# ---- helpers below -------------------------------------------------------------------------------


def _reply(meta: ResponseMeta, parts: list[GeminiPart]) -> GeminiReply:
    candidate: GeminiCandidate = {"index": 0, "content": {"role": "model", "parts": parts}}
    return {"candidates": [candidate], "modelVersion": meta.model, "responseId": meta.id}


def _complete(reply: GeminiReply, end: GenerationEnd, sources: Sequence[Citation]) -> None:
    """Adds what comes with the end: the reason, the sources, the counts."""
    candidate = reply["candidates"][0]
    candidate["finishReason"] = _FINISH.get(end.finish_reason or "stop", "STOP")
    cited: list[GeminiSource] = [
        {"web": {"uri": source.url, "title": source.title or ""}}
        for source in sources
        if source.url is not None
    ]
    if cited:
        candidate["groundingMetadata"] = {"groundingChunks": cited}
    if end.usage is not None:
        reply["usageMetadata"] = _usage(end.usage)


def _part(part: Part, thoughts: bool) -> list[GeminiPart]:
    match part:
        case TextPart(text=text):
            return [{"text": text}] if text else []
        case ReasoningPart():
            found = _thought(part.text, part.signature, shown=thoughts)
            return [found] if found is not None else []
        case ToolCallPart():
            return [_call(part.call_id, part.name, part.arguments, part.signature)]
        case _:
            raise TypeError(f"an answer holds no {part.type} part")


def _thought(text: str, signature: str | None, *, shown: bool) -> GeminiTextPart | None:
    if not signature and not (shown and text):
        return None
    part: GeminiTextPart = {"text": text if shown else ""}
    if shown and text:
        part["thought"] = True
    if signature:
        part["thoughtSignature"] = _bytes(signature)
    return part


def _call(call_id: str, name: str, arguments: str, signature: str | None) -> GeminiCallPart:
    given = view.parse_arguments(arguments)
    part: GeminiCallPart = {
        "functionCall": {
            "id": call_id,
            "name": name,
            "args": given if isinstance(given, dict) else {},
        }
    }
    if signature:
        part["thoughtSignature"] = _bytes(signature)
    return part


def _bytes(signature: str) -> str:
    """A signature as Google's clients read it; ours has its maker's name in it."""
    return base64.b64encode(signature.encode()).decode()


def _usage(usage: Usage) -> GeminiUsage:
    prompt, output = usage.input_tokens or 0, usage.output_tokens or 0
    thoughts = usage.reasoning_tokens or 0
    found: GeminiUsage = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": max(0, output - thoughts),
        "totalTokenCount": prompt + output,
    }
    if usage.cached_input_tokens:
        found["cachedContentTokenCount"] = usage.cached_input_tokens
    if thoughts:
        found["thoughtsTokenCount"] = thoughts
    return found
