"""What every view is made of. Pure: ids and times are given, no request, no store, no clock.

A view has two halves: a function that reads a vendor's request into `ParsedRequest`, and a class that
turns frames of a log into that vendor's stream. How frames were merged must not change the meaning.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from typing_extensions import override

from grantha.chat import (
    FilePart,
    ImagePart,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
)
from grantha.documents.document_text import PDF, is_pdf
from grantha.errors import BadRequest, GranthaError
from grantha.events import Citation, Event, Frame, GenerationEnd, TextDelta
from grantha.fold import Fold
from grantha.wire import images, lenient_json
from grantha.wire.lenient_json import InvalidJson

if TYPE_CHECKING:
    from grantha.wire.compat.openai_chat_replies import Logprob

MAX_ITEMS = 4096  # of a list, such as the messages: reading one takes the event loop up to 10 us
NUMBER_TYPES = (int, float)
_MAX_URL = 8192  # characters of a URL that a vendor fetches
_MAX_EXACT = 2**53  # below, a number with a point is exactly what was written
MemberTypes: TypeAlias = Mapping[str, type | tuple[type, ...]]  # members, and what each may be
MESSAGE_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A vendor's request in our terms; `model` is as the client wrote it, maybe without a provider."""

    messages: tuple[Message, ...]
    options: Options
    model: str | None
    stream: bool
    include_usage: bool = True
    background: bool = False
    store: bool = True  # whether the conversation is kept once the answer has ended


@dataclass(frozen=True, slots=True)
class ResponseMeta:
    """The facts in every reply: our generation's id, the model as the client knows it, when it was
    made (seconds since 1970), and the tools that its calls may name."""

    id: str
    model: str
    created: int
    tools: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedCitation:
    """A citation and its position, in code points: in its part, and in the text of all parts."""

    citation: Citation
    part_offset: int
    text_offset: int


class CompatStream(Protocol):
    """Turns frames into a vendor's bytes. Stateful: one for each reader."""

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The bytes of frames; may be empty. The end record produces the end of the stream."""
        ...


class CitationOffsets:
    """The positions of sources. Holds counts only, so that a reader's memory doesn't grow."""

    def __init__(self) -> None:
        self._lengths: dict[int, int] = {}

    def advance(self, text: TextDelta) -> None:
        """Text before the next source."""
        self._lengths[text.part] = self._lengths.get(text.part, 0) + len(text.text)

    def locate(self, citation: Citation) -> PlacedCitation:
        """A source with its place."""
        return PlacedCitation(
            citation, self._lengths.get(citation.part, 0), sum(self._lengths.values())
        )


class AnswerFold(Fold):
    """A fold that also keeps what only replies show: log probabilities and places of sources."""

    def __init__(self) -> None:
        super().__init__()
        self.logprobs: dict[int, list[JsonObject]] = {}
        self.sources: list[PlacedCitation] = []
        self._offsets = CitationOffsets()

    @override
    def apply(self, event: Event) -> None:
        super().apply(event)
        if isinstance(event, TextDelta):
            self._offsets.advance(event)
            if event.logprobs:
                self.logprobs.setdefault(event.part, []).extend(event.logprobs)
        elif isinstance(event, Citation):
            self.sources.append(self._offsets.locate(event))


def sse_block(data: JsonObject, event: str | None = None, id: str | None = None) -> str:  # noqa: A002
    """One SSE block; `id` lets a client reconnect."""
    head = (f"id: {id}\n" if id else "") + (f"event: {event}\n" if event else "")
    return f"{head}data: {compact_json(data)}\n\n"


def compact_json(value: Any) -> str:
    """JSON without spaces, as it is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def end_error(end: GenerationEnd) -> JsonObject | None:
    """Why a generation isn't complete; None for `done` and for `stopped`, which was requested."""
    if end.ending in {"done", "stopped"}:
        return None
    return end.error or {"code": end.ending, "message": f"The answer ended {end.ending}."}


def error_text(error: JsonObject) -> str:
    """An error as one text: what happened, then what to do."""
    message, advice = str(error.get("message", "")).strip(), str(error.get("advice") or "")
    if advice and message and message[-1] not in ".!?…":
        message += "."
    return f"{message} {advice}".strip()


# ---- reading requests ----------------------------------------------------------------------------

_TYPE_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


def member(body: JsonObject, name: str, types: type | tuple[type, ...], default: Any = None) -> Any:
    """A member of a JSON object, of one of the given types; null counts as absent."""
    value = body.get(name)
    if value is None:
        return default
    allowed = types if isinstance(types, tuple) else (types,)
    if float not in allowed and isinstance(value, float) and abs(value) < _MAX_EXACT:
        # 40.0 is a whole number in JSON, and some clients write it so.
        value = int(value) if value.is_integer() else value
    # bool is an int in Python, but true isn't a number in JSON.
    if (isinstance(value, bool) and bool not in allowed) or not isinstance(value, allowed):
        raise BadRequest(f"{name!r} must be {' or '.join(_TYPE_NAMES[kind] for kind in allowed)}.")
    return value


def number(body: JsonObject, name: str, low: float, high: float) -> float | None:
    """A number within bounds."""
    value = member(body, name, NUMBER_TYPES)
    if value is not None and not low <= value <= high:
        raise BadRequest(f"{name!r} must be between {low:g} and {high:g}.")
    return None if value is None else float(value)


def positive_integer(body: JsonObject, name: str) -> int | None:
    """A positive whole number."""
    value = integer(body, name)
    if value is not None and value < 1:
        raise BadRequest(f"{name!r} must be at least 1.")
    return value


def integer(body: JsonObject, name: str) -> int | None:
    """A whole number that every database and vendor can hold."""
    value = member(body, name, int)
    if value is not None and abs(value) >= 2**63:
        raise BadRequest(f"{name!r} is too large.")
    return None if value is None else int(value)


def objects(body: JsonObject, name: str) -> list[JsonObject]:
    """A list of JSON objects; empty when absent."""
    found = member(body, name, list, [])
    if len(found) > MAX_ITEMS:
        raise BadRequest(f"'{name}' has more than {MAX_ITEMS} items.", advice="Send fewer of them.")
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            raise BadRequest(f"'{name}[{position}]' must be an object.")
    return list(found)


def strings(body: JsonObject, name: str) -> tuple[str, ...]:
    """One text or a list of texts; empty when absent."""
    found = member(body, name, (str, list), [])
    listed = [found] if isinstance(found, str) else found
    for position, item in enumerate(listed):
        if not isinstance(item, str):
            raise BadRequest(f"'{name}[{position}]' must be text.")
    return tuple(listed)


def required_string(body: JsonObject, name: str) -> str:
    """A required text."""
    value: str | None = member(body, name, str)
    if not value:
        raise BadRequest(f"{name!r} is missing.")
    return value


def pick_members(body: JsonObject, types: MemberTypes) -> dict[str, Any]:
    """The listed members that are present, each of its type, to be passed on unchanged."""
    found = {name: member(body, name, kind) for name, kind in types.items()}
    return {name: value for name, value in found.items() if value is not None}


def reject_members(body: JsonObject, why: Mapping[str, str]) -> None:
    """Raises `BadRequest` for a member that would change the answer and that we don't carry out."""
    for name, reason in why.items():
        if body.get(name) not in (None, [], {}, "", False):
            raise BadRequest(f"{name!r} isn't supported here: {reason}.")


def image(media_type: str, data: str) -> ImagePart:
    """An image from base64; its bytes determine the type. Raises `BadRequest` or `TooLarge`."""
    return images.check(ImagePart(media_type, data), images.MAX_SIZE)


def image_from_url(url: str) -> ImagePart:
    """An image from a data URL, or by a web URL, which isn't fetched here: it could name any host."""
    if _is_web_url(url):
        return ImagePart("", "", url)
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise BadRequest(
            "Images are taken as http or https URLs, and as data URLs with base64.",
            advice="Send data:image/png;base64,…",
        )
    return image(head[len("data:") : -len(";base64")], data)


def document_from_url(name: str, url: str) -> FilePart:
    """A document from a data URL or plain base64, or by a web URL, which is taken to be a PDF's."""
    if _is_web_url(url):
        return FilePart(name, PDF, "", url=url)
    if not url.startswith("data:"):
        return document(name, "", url)
    head, comma, data = url.partition(",")
    if not (comma and head.endswith(";base64")):
        raise BadRequest("Files are taken as http or https URLs, and as data URLs with base64.")
    return document(name, head.removeprefix("data:").partition(";")[0], data)


def document(name: str, media: str, data: str) -> FilePart:
    """A document from base64: as text, if it is UTF-8 text, else with its bytes. A PDF is one by its bytes.

    Raises `BadRequest` for what isn't base64, and for none at all.
    """
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise BadRequest(f"The file {name[:80]!r} isn't valid base64.") from error
    if not raw:
        raise BadRequest(f"The file {name[:80]!r} is empty.")
    # A text may mention the signature.
    if is_pdf(raw) and not (media.startswith("text/") and not raw.startswith(b"%PDF-")):
        return FilePart(name, PDF, "", data)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return FilePart(name, media or "application/octet-stream", "", data)
    return FilePart(name, media or "text/plain", text)


def data_url(file: FilePart) -> str:
    """A document with its text or its bytes, as `document_from_url` accepts it."""
    data = base64.b64encode(file.text.encode()).decode() if file.data is None else file.data
    return f"data:{file.media_type};base64,{data}"


def _is_web_url(url: str) -> bool:
    """Raises `BadRequest` for one that is too long."""
    if not url.lower().startswith(("https://", "http://")):
        return False
    if len(url) > _MAX_URL:
        raise BadRequest(f"A URL has more than {_MAX_URL} characters.")
    return True


def parse_role(body: JsonObject, roles: Mapping[str, Role]) -> Role:
    """A message's role in our terms. Raises `BadRequest` for one that isn't among `roles`."""
    role = required_string(body, "role")
    if role not in roles:
        raise BadRequest(f"There is no 'role' {role[:40]!r}; there are {', '.join(roles)}.")
    return roles[role]


def require_prompt(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, if there is one to answer."""
    if all(message.role == "system" or not message.parts for message in messages):
        raise BadRequest(
            "'messages' holds nothing to answer.", advice="Send at least one user message."
        )
    return tuple(messages)


# ---- writing replies -----------------------------------------------------------------------------


def text_of(parts: Sequence[Part]) -> str:
    """The visible text of parts."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def reasoning_of(parts: Sequence[Part]) -> str:
    """The reasoning among parts."""
    return "".join(part.text for part in parts if isinstance(part, ReasoningPart))


def calls_of(parts: Sequence[Part]) -> list[ToolCallPart]:
    """The tool calls among parts."""
    return [part for part in parts if isinstance(part, ToolCallPart)]


def logprobs(found: Sequence[JsonObject]) -> list[Logprob]:
    """Log probabilities as the provider sent them: its own form is passed on unchecked."""
    return cast("list[Logprob]", list(found))


def parse_arguments(text: str) -> Any:
    """A call's arguments, decoded; empty if the text was cut off, which the end reports."""
    try:
        return lenient_json.loads(text or "{}")
    except InvalidJson:
        return {}


_STATUS = {
    "rate_limited": 429,
    "quota_exhausted": 429,
    "overloaded": 503,
    "context_overflow": 400,
    "content_blocked": 400,
    "request_refused": 400,
    "unsupported": 400,
    "missing_key": 401,
    "key_rejected": 401,
    "access_denied": 403,
    "model_not_found": 404,
}


def client_status(error: GranthaError) -> int:
    """The HTTP status by which vendors' clients choose their exception, and to try again."""
    return _STATUS.get(error.code, error.http_status)
