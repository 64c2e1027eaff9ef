"""Ollama's API as a view: its requests, NDJSON lines, whole replies, and model details.

Source: Ollama's API documentation, "Generate a completion", "Generate a chat completion", "List local
models" and "Show model information". Times are nanoseconds there; unknown counts are left out. Calls
may lack ids there: results are then matched by the tool's name, in the order of its calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from grantha.chat import (
    Capabilities,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    iso_time,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.compat import view
from grantha.wire.compat.openai_chat_view import parse_tool
from grantha.wire.compat.pending_calls import PendingCalls
from grantha.wire.compat.view import AnswerFold, ParsedRequest, ResponseMeta
from grantha.wire.tool_results import tool_result

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.ollama_replies import (
        OllamaAnswer,
        OllamaCall,
        OllamaCapability,
        OllamaDetails,
        OllamaError,
        OllamaGenerateReply,
        OllamaHead,
        OllamaModel,
        OllamaModels,
        OllamaReply,
        OllamaRunningModel,
        OllamaShowReply,
    )

MEDIA_TYPE = "application/x-ndjson"
_DONE: dict[str, Literal["stop", "length"]] = {"stop": "stop", "length": "length"}
_EXTRA: view.MemberTypes = {
    "frequency_penalty": view.NUMBER_TYPES,
    "min_p": view.NUMBER_TYPES,
    "presence_penalty": view.NUMBER_TYPES,
    "repeat_penalty": view.NUMBER_TYPES,
    "top_k": int,
}
_PROBABILITIES: view.MemberTypes = {"logprobs": bool, "top_logprobs": int}
UNSUPPORTED = {
    "suffix": "filling in a gap isn't supported",
    "raw": "send messages",
    "template": "models have their own",
    "context": "send the messages so far to /api/chat",
}


def parse_request(body: JsonObject) -> ParsedRequest:
    """A request's body. Raises `BadRequest` that names the member."""
    view.reject_members(body, UNSUPPORTED)
    options = view.member(body, "options", dict, {})
    calls = PendingCalls()
    return ParsedRequest(
        messages=view.require_prompt([_message(m, calls) for m in view.objects(body, "messages")]),
        options=Options(
            temperature=view.number(options, "temperature", 0, 2),
            top_p=view.number(options, "top_p", 0, 1),
            max_tokens=_limit(options),
            stop=view.strings(options, "stop"),
            seed=view.integer(options, "seed"),
            reasoning_effort=_effort(view.member(body, "think", (bool, str))),
            tools=tuple(parse_tool(tool) for tool in view.objects(body, "tools")),
            response_format=_format(body.get("format")),
            extra=view.pick_members(options, _EXTRA) | view.pick_members(body, _PROBABILITIES),
        ),
        model=view.member(body, "model", str),
        stream=view.member(body, "stream", bool, True),
    )


def parse_completion(body: JsonObject) -> ParsedRequest | None:
    """The body of a completion, which is a chat of one question; None when it only loads a model."""
    images = view.member(body, "images", list, [])
    prompt = view.member(body, "prompt", str, "")
    if not prompt and not images:
        return None
    messages = [{"role": "user", "content": prompt, "images": images}]
    if system := view.member(body, "system", str, ""):
        messages.insert(0, {"role": "system", "content": system})
    return parse_request({**body, "messages": messages, "tools": None})


class ChatLines:
    """One JSON object per line; the last has `done: true`."""

    def __init__(self, meta: ResponseMeta) -> None:
        self._head = _head(meta.model, meta.created)
        self._tools: dict[int, tuple[PartStart, list[str]]] = {}

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The lines of frames."""
        lines = [line for frame in frames for line in self._frame(frame)]
        return "".join([view.compact_json(line) + "\n" for line in lines]).encode()

    def _frame(self, frame: Frame) -> list[OllamaReply | OllamaError]:
        event = frame.event
        match event:
            case TextDelta():
                return [self._text(event)]
            case ReasoningDelta(text=text) if text:
                answer: OllamaAnswer = {"role": "assistant", "content": "", "thinking": text}
                return [self.line(self._head, answer)]
            case PartStart(part_kind="tool-call"):
                self._tools[event.part] = (event, [])
                return []
            case ToolCallDelta() if event.part in self._tools:
                self._tools[event.part][1].append(event.arguments)
                return []
            case PartEnd() if event.part in self._tools:
                return [self._called(event.part)]
            case GenerationEnd():
                cut = [self._called(part) for part in sorted(self._tools)]
                return [*cut, self._end(event)]
            case _:
                return []

    def _text(self, text: TextDelta) -> OllamaReply:
        line = self.line(self._head, {"role": "assistant", "content": text.text})
        if text.logprobs:
            line["logprobs"] = view.logprobs(text.logprobs)
        return line

    def _called(self, part: int) -> OllamaReply:
        start, fragments = self._tools.pop(part)
        call = _call(start.call_id or f"call_{part}", start.name or "", "".join(fragments))
        answer: OllamaAnswer = {"role": "assistant", "content": "", "tool_calls": [call]}
        return self.line(self._head, answer)

    @staticmethod
    def line(head: OllamaHead, answer: OllamaAnswer) -> OllamaReply:
        """A line that isn't the last."""
        return {
            "model": head["model"],
            "created_at": head["created_at"],
            "message": answer,
            "done": False,
        }

    def _end(self, end: GenerationEnd) -> OllamaReply | OllamaError:
        error = view.end_error(end)
        if error is not None:
            return {"error": view.error_text(error)}
        return _completed(self.line(self._head, {"role": "assistant", "content": ""}), end)


class CompletionLines(ChatLines):
    """The same for a completion."""

    @staticmethod
    @override
    def line(head: OllamaHead, answer: OllamaAnswer) -> OllamaReply:
        line: OllamaGenerateReply = {
            "model": head["model"],
            "created_at": head["created_at"],
            "response": answer["content"],
            "done": False,
        }
        if "thinking" in answer:
            line["thinking"] = answer["thinking"]
        if "tool_calls" in answer:
            line["tool_calls"] = answer["tool_calls"]
        return line


def response_body(
    meta: ResponseMeta, answer: AnswerFold, lines: type[ChatLines] = ChatLines
) -> OllamaReply:
    """The whole answer, which has ended, in the format of these lines."""
    parts = answer.parts()
    message: OllamaAnswer = {"role": "assistant", "content": view.text_of(parts)}
    if reasoning := view.reasoning_of(parts):
        message["thinking"] = reasoning
    if calls := view.calls_of(parts):
        message["tool_calls"] = [_call(c.call_id, c.name, c.arguments) for c in calls]
    reply = lines.line(_head(meta.model, meta.created), message)
    if answer.logprobs:
        found = [lp for _, lps in sorted(answer.logprobs.items()) for lp in lps]
        reply["logprobs"] = view.logprobs(found)
    return _completed(reply, answer.end)


def load_response(model: str, made: int, body: JsonObject, lines: type[ChatLines]) -> OllamaReply:
    """The reply to a request without a question: clients load models with it, and unload them."""
    reply = lines.line(_head(model, made), {"role": "assistant", "content": ""})
    reply["done"] = True
    reply["done_reason"] = "unload" if body.get("keep_alive") in (0, "0") else "load"
    return reply


def model_info(model: str, owner: str, facts: Capabilities) -> OllamaShowReply:
    """What is known about a model."""
    able: dict[OllamaCapability, bool] = {
        "tools": facts.tools,
        "vision": facts.images,
        "thinking": facts.reasoning,
    }
    known: dict[str, Any] = {"general.architecture": owner, "general.basename": model}
    if facts.context_length is not None:
        known[f"{owner}.context_length"] = facts.context_length
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(owner),
        "model_info": known,
        "capabilities": ["completion", *(name for name, can in able.items() if can)],
    }


def model_list(cards: Sequence[tuple[str, str, int]]) -> OllamaModels:
    """The list of models, from (id, owner, made in seconds)."""
    rows: list[OllamaModel] = [
        {
            "name": name,
            "model": name,
            "modified_at": iso_time(made * 1000),
            "size": 0,
            "digest": "",
            "details": _details(owner),
        }
        for name, owner, made in cards
    ]
    return {"models": rows}


def running_model(name: str, size: int, context_length: int, expires: int) -> OllamaRunningModel:
    """A model in memory; `expires` is in milliseconds since 1970."""
    return {
        "name": name,
        "model": name,
        "size": size,
        "digest": "",
        "details": _details(name.partition("/")[0]),
        "expires_at": iso_time(expires),
        "size_vram": 0,  # the local engine computes on the processor
        "context_length": context_length,
    }


def error_body(error: GranthaError) -> OllamaError:
    """An error before the first line."""
    return {"error": view.error_text(error.to_json())}


# ---- helpers below -------------------------------------------------------------------------------


def _head(model: str, created: int) -> OllamaHead:
    return {"model": model, "created_at": iso_time(created * 1000)}


def _details(owner: str) -> OllamaDetails:
    return {
        "family": owner,
        "families": [owner],
        "format": "",
        "parameter_size": "",
        "quantization_level": "",
    }


def _call(call_id: str, name: str, arguments: str) -> OllamaCall:
    return {"id": call_id, "function": {"name": name, "arguments": view.parse_arguments(arguments)}}


def _completed(reply: OllamaReply, end: GenerationEnd | None) -> OllamaReply:
    """A whole reply, or the last line: with the reason of the end, the time and the counts."""
    reply["done"] = True
    if end is None:
        return reply
    reply["done_reason"] = _DONE.get(end.finish_reason or "stop", "stop")
    duration = end.timings.get("duration_ms")
    if duration is not None:
        reply["total_duration"] = round(duration * 1_000_000)
    if end.usage is not None:
        if end.usage.input_tokens is not None:
            reply["prompt_eval_count"] = end.usage.input_tokens
        if end.usage.output_tokens is not None:
            reply["eval_count"] = end.usage.output_tokens
    return reply


def _format(form: Any) -> JsonObject | None:
    if form is None or form == "":
        return None
    if form == "json":
        return {"type": "json_object"}
    if isinstance(form, dict):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}
    raise BadRequest("'format' must be \"json\" or a JSON schema.")


def _limit(options: JsonObject) -> int | None:
    # Negative values mean: no limit at all, or as much as the context holds.
    limit = view.integer(options, "num_predict")
    return limit if limit is not None and limit > 0 else None


def _effort(think: bool | str | None) -> str | None:
    if isinstance(think, bool):
        return "medium" if think else "none"
    return think


def _message(body: JsonObject, calls: PendingCalls) -> Message:
    text = view.member(body, "content", str, "")
    images = [_image(image) for image in view.member(body, "images", list, [])]
    if body.get("role") == "tool":
        content = [TextPart(text), *images]
        return Message("tool", tuple(tool_result(_result_id(body, calls), content)))
    role = view.parse_role(body, view.MESSAGE_ROLES)
    parts: list[Part] = []
    if reasoning := view.member(body, "thinking", str, ""):
        parts.append(ReasoningPart(reasoning))
    if text:
        parts.append(TextPart(text))
    parts.extend(images)
    parts.extend(_requested_call(call, calls) for call in view.objects(body, "tool_calls"))
    return Message(role, tuple(parts))


def _requested_call(body: JsonObject, calls: PendingCalls) -> ToolCallPart:
    function = view.member(body, "function", dict, {})
    arguments = view.compact_json(view.member(function, "arguments", dict, {}))
    name = view.required_string(function, "name")
    return calls.call(view.member(body, "id", str), name, arguments)


def _result_id(body: JsonObject, calls: PendingCalls) -> str:
    return calls.resolve_result(
        view.member(body, "tool_call_id", str), view.member(body, "tool_name", str), "tool_name"
    )


def _image(data: Any) -> Part:
    if not isinstance(data, str):
        raise BadRequest("'images' must be base64 text.")
    return view.image("", data)
