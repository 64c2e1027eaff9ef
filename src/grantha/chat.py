"""The nouns of Grantha as plain frozen values: messages, parts, options, capabilities, calls.

Owns their JSON form, which is the same in the store, on the wire and in exports. Knows nothing of
HTTP, SQL or any vendor. Values are never changed; a change makes a new one.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, Literal, TypeAlias, TypeGuard, Union, get_args, get_origin, get_type_hints

JsonObject: TypeAlias = Mapping[str, Any]  # JSON as decoded; Any because JSON is
JsonDict: TypeAlias = dict[str, Any]  # the same, while it is being built

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 253_402_300_799_999  # the end of the year 9999, after which ISO 8601 has no times
MAX_COUNT = 2**53  # no count of tokens and no price in dollars is larger; exact as a float

Role = Literal["system", "user", "assistant", "tool"]
Ending = Literal["done", "stopped", "failed", "interrupted"]
Status = Literal["running", "done", "stopped", "failed", "interrupted"]
FinishReason = Literal["stop", "length", "tool-calls", "content-filter", "refusal", "unknown"]
ContinuationMode = Literal["prefix", "instruction"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Plain text (Markdown in answers)."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """A model's reasoning before its answer; `signature` goes back only to the model that made it."""

    text: str
    signature: str | None = None
    duration_ms: int | None = None
    type: Literal["reasoning"] = "reasoning"


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A tool call that the model requests. `arguments` is JSON text, "{}" when empty."""

    call_id: str
    name: str
    arguments: str
    signature: str | None = None
    type: Literal["tool-call"] = "tool-call"


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """A tool's result, as text."""

    call_id: str
    text: str
    is_error: bool = False
    type: Literal["tool-result"] = "tool-result"


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image: base64 without line breaks and a media type such as image/png, or a URL.

    With a URL both are empty, and the vendor fetches the image itself. `call_id` names the tool call whose
    result the image is part of.
    """

    media_type: str
    data: str
    url: str | None = None
    call_id: str | None = None
    type: Literal["image"] = "image"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document: converted to text or, where the text is empty, to be read by the vendor.

    `data` is its bytes as base64 without line breaks; instead of it, there may be a `url` that the vendor
    fetches. `call_id` names the tool call whose result the document is part of.
    """

    name: str
    media_type: str
    text: str
    data: str | None = None
    url: str | None = None
    call_id: str | None = None
    type: Literal["file"] = "file"


Part: TypeAlias = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePart | FilePart

_PART_TYPES: dict[str, type[Part]] = {
    "text": TextPart,
    "reasoning": ReasoningPart,
    "tool-call": ToolCallPart,
    "tool-result": ToolResultPart,
    "image": ImagePart,
    "file": FilePart,
}


@dataclass(frozen=True, slots=True)
class Message:
    """A role and its parts, as it is sent to a model."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts joined; reasoning, tools, images and files are left out."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


def text_message(role: Role, text: str) -> Message:
    """A message with one text part."""
    return Message(role, (TextPart(text),))


@dataclass(frozen=True, slots=True)
class Options:
    """The options of an answer; None leaves the model's own default.

    `extra` holds vendor fields passed through unchanged by dialects that know them
    (for example frequency_penalty, logit_bias, logprobs). `instructions` are a system text of this answer
    alone: they aren't part of the conversation.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    tools: tuple[JsonObject, ...] = ()  # {"name","description","parameters": JSON Schema}
    tool_choice: str | JsonObject | None = None  # "auto" | "none" | "required" | {"name": ...}
    response_format: JsonObject | None = None  # OpenAI's form
    instructions: str | None = None
    extra: JsonObject = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Only what is set."""
        body: dict[str, Any] = {}
        for name in _OPTION_FIELDS:
            value = getattr(self, name)
            if value is not None and value != () and value != {}:
                body[name] = list(value) if isinstance(value, tuple) else value
        return body

    @staticmethod
    def from_json(body: JsonObject) -> Options:
        """Inverse of `to_json`; unknown names are ignored. Raises TypeError for a value of a wrong type."""
        values = {name: value for name, value in body.items() if name in _OPTION_FIELDS}
        for name, value in values.items():
            if value is not None and not _OPTION_TYPES[name](value):
                raise TypeError(f"The option {name!r} has a value of a wrong type.")
        for name in ("stop", "tools"):
            if name in values:
                values[name] = tuple(values[name] or ())
        return Options(**values)

    def changed(self, changes: JsonObject) -> Options:
        """A copy with the named options replaced; the names must be option names."""
        return Options.from_json({**self.to_json(), **changes})


_OPTION_FIELDS = tuple(item.name for item in dataclasses.fields(Options))


def _is(*kinds: type) -> Callable[[Any], bool]:
    """A type check; a bool isn't a number."""
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool)


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list | tuple) and all(isinstance(item, kind) for item in value)
    )


_OPTION_TYPES: dict[str, Callable[[Any], bool]] = {
    "temperature": _is(int, float),
    "top_p": _is(int, float),
    "max_tokens": _is(int),
    "stop": _is_list_of(str),
    "seed": _is(int),
    "reasoning_effort": _is(str),
    "tools": _is_list_of(Mapping),
    "tool_choice": _is(str, Mapping),
    "response_format": _is(Mapping),
    "instructions": _is(str),
    "extra": _is(Mapping),
}


def instructed(messages: Sequence[Message], options: Options) -> tuple[Message, ...]:
    """The messages as they are sent, with the answer's own instructions before them."""
    if not options.instructions:
        return tuple(messages)
    return (text_message("system", options.instructions), *messages)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the vendor reports them; None is unknown, never 0.

    `input_tokens` includes cached ones; `output_tokens` includes reasoning. `partial` says that a call
    broke off before it had reported everything: the counts are then a lower bound.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None  # as billed by the vendor, where it says so
    partial: bool = False

    def __post_init__(self) -> None:
        # Vendors send any number, and a stored row may hold anything: such a count is unknown.
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and not is_amount(value, whole=name != "cost_usd"):
                object.__setattr__(self, name, None)

    def to_json(self) -> dict[str, Any]:
        """Only what is known."""
        values = {name: getattr(self, name) for name in _USAGE_FIELDS}
        return {name: v for name, v in values.items() if v is not None and v is not False}

    @staticmethod
    def from_json(body: JsonObject) -> Usage:
        """Inverse of `to_json`."""
        return Usage(**{name: body[name] for name in _USAGE_FIELDS if name in body})


_USAGE_FIELDS = tuple(item.name for item in dataclasses.fields(Usage))
_COUNTS = tuple(name for name in _USAGE_FIELDS if name != "partial")


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices of all tokens of a call whose prompt has more than `above` tokens."""

    above: int
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    cache_write_price: float | None = None
    reasoning_price: float | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about one model. Lengths are in tokens, prices in US dollars per million tokens.

    Where a special price is None, such tokens cost what other input or output costs. Tiers ascend.
    """

    context_length: int | None = None
    output_limit: int | None = None
    chat: bool = True  # writes answers; models that only make embeddings or rank texts don't
    images: bool = False
    documents: bool = False  # reads PDFs
    urls: bool = False  # its vendor fetches images by URL, and PDFs where its API takes their URLs
    tools: bool = False
    reasoning: bool = False
    unopened_thinking: bool = False  # begins with reasoning of which only the end has a tag
    prefix: bool = False  # continues a partial answer exactly where it ends
    instruction: bool = True  # can be instructed to continue a text
    temperature: bool = True
    top_p: bool = True
    stream: bool = True
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    cache_write_price: float | None = None
    reasoning_price: float | None = None
    price_tiers: tuple[PriceTier, ...] = ()

    @property
    def continuation(self) -> ContinuationMode | None:
        """How an answer cut in the middle can be continued, or None if it can't be."""
        if self.prefix:
            return "prefix"
        return "instruction" if self.instruction else None


@dataclass(frozen=True, slots=True)
class Call:
    """One upstream call: everything a provider needs to write one segment.

    `model` is the vendor's own id (no `provider/`). `messages` never ends with the partial answer;
    that is `prefix`, set only for models whose capabilities say `prefix`: the reply must then
    hold only what comes after it.
    """

    model: str
    messages: tuple[Message, ...]
    options: Options = Options()
    prefix: str = ""


def part_to_json(part: Part) -> dict[str, Any]:
    """JSON form of a part; None values are left out."""
    return {k: v for k, v in _shallow(part).items() if v is not None}


def part_from_json(body: JsonObject) -> Part:
    """Inverse of `part_to_json`. Raises KeyError or TypeError for what isn't a part."""
    kind = _PART_TYPES[body["type"]]
    return kind(**typed_fields(body, _PART_FIELDS[kind]))


def parts_to_json(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """JSON form of a message's parts."""
    return [part_to_json(part) for part in parts]


def is_amount(value: object, *, whole: bool = False) -> TypeGuard[float]:
    """Whether a value can be a count or a price: a number that is finite, not negative and not absurd."""
    # By type, because True is an int.
    if type(value) is int:
        return 0 <= value <= MAX_COUNT
    return not whole and type(value) is float and math.isfinite(value) and 0 <= value <= MAX_COUNT


def json_types(cls: type) -> dict[str, tuple[type, ...]]:
    """For each field of a dataclass, the types that its JSON form can have."""
    hints = get_type_hints(cls)
    return {field.name: _json_types(hints[field.name]) for field in dataclasses.fields(cls)}


def typed_fields(body: JsonObject, types: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """The fields of `json_types` that a JSON object has. Raises TypeError for one of a wrong type."""
    values = {name: body[name] for name in types if name in body}
    for name, value in values.items():
        if not isinstance(value, types[name]):
            raise TypeError(f"{name!r} has a value of a wrong type")
    return values


def iso_time(ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC, with milliseconds, clamped to 1970 and 9999."""
    at = _EPOCH + timedelta(milliseconds=min(max(ms, 0), LATEST_MS))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def split_model_id(model_id: str) -> tuple[str, str]:
    """`provider/model` in two; the model's own name may hold further slashes.

    Raises ValueError when there is no slash or a side is empty.
    """
    provider, slash, model = model_id.partition("/")
    if not (provider and slash and model):
        raise ValueError(f"{model_id!r} is not of the form provider/model")
    return provider, model


def _json_types(hint: Any) -> tuple[type, ...]:
    origin = get_origin(hint) or hint
    if origin in {Union, UnionType}:
        return tuple(kind for arg in get_args(hint) for kind in _json_types(arg))
    if origin is Literal:
        return tuple({type(value) for value in get_args(hint)})
    if origin is float:
        return int, float
    if (isinstance(origin, type) and issubclass(origin, Mapping)) or origin is Usage:
        return (dict,)
    return (list,) if origin is tuple else (origin,)


_PART_FIELDS = {kind: json_types(kind) for kind in _PART_TYPES.values()}


def _shallow(part: Part) -> dict[str, Any]:
    return {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
