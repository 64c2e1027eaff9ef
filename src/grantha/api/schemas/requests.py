"""Bodies that the native API and the simple chat endpoint take, as pydantic models.

They validate and are turned into the values of `grantha.chat` at once; nothing below this
layer sees them. Unknown fields are ignored, so that a newer client can speak to an older server.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field

from grantha.chat import FilePart, ImagePart, Message, Options, Part, TextPart
from grantha.errors import BadRequest
from grantha.wire import images
from grantha.wire.compat.view import MAX_ITEMS

MAX_IMAGE = 5 * 1024 * 1024  # bytes, decoded: the smallest limit among the vendors
MAX_TEXT = 4 * 1024 * 1024  # characters

ModelId = Annotated[str, Field(min_length=1, max_length=300)]
_OPTIONS = {
    "temperature", "top_p", "max_tokens", "stop", "seed", "reasoning_effort", "tools",
    "tool_choice", "response_format",
}  # fmt: skip


class Body(BaseModel):
    """Base of all bodies; numbers aren't taken from text or truth values."""

    model_config = ConfigDict(strict=True, extra="ignore")


class OptionsBody(Body):
    """Options of an answer; absent leaves what is in force."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    stop: list[str] | None = Field(default=None, max_length=16)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    reasoning_effort: str | None = Field(default=None, max_length=32)
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=256)
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None

    def changes(self) -> dict[str, Any]:
        """The options that were sent; None goes back to the model's own default."""
        return {k: v for k, v in self.model_dump(exclude_unset=True).items() if k in _OPTIONS}

    def options(self) -> Options:
        """As a value."""
        return Options.from_json({k: v for k, v in self.changes().items() if v is not None})


class TextPartBody(Body):
    """Text."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ImagePartBody(Body):
    """An image, base64."""

    type: Literal["image"]
    media_type: str
    data: str


class FilePartBody(Body):
    """A document as text."""

    type: Literal["file"]
    name: str = Field(max_length=300)
    media_type: str = Field(default="text/plain", max_length=100)
    text: str = Field(max_length=MAX_TEXT)


PartBody = Annotated[TextPartBody | ImagePartBody | FilePartBody, Field(discriminator="type")]


class GenerationBody(Body):
    """A send: text or parts are a new question; without them an existing one is answered again."""

    text: str | None = Field(default=None, max_length=MAX_TEXT)
    parts: list[PartBody] | None = Field(default=None, max_length=64)
    parent: str | None = None
    model: ModelId | None = None
    models: list[ModelId] | None = Field(default=None, min_length=1, max_length=8)
    options: OptionsBody | None = None

    def message(self) -> Message | None:
        """The new user message, None when there is none."""
        if self.parts is not None and self.text is not None:
            raise BadRequest("'text' and 'parts' can't both be given.")
        if self.text is not None:
            parts: tuple[Part, ...] = (TextPart(self.text),)
        elif self.parts is not None:
            parts = tuple(part_of(part) for part in self.parts)
        else:
            return None
        if not any(not isinstance(p, TextPart) or p.text.strip() for p in parts):
            raise BadRequest("The message is empty.", advice="Write something, or add an image.")
        return Message("user", parts)


class ContinueBody(Body):
    """Continues an ended answer."""

    model: ModelId | None = None
    options: OptionsBody | None = None


class ChangeBody(OptionsBody):
    """Live controls."""

    model: ModelId | None = None


class ConversationBody(Body):
    """A new conversation, or changes to one."""

    title: str | None = Field(default=None, max_length=300)
    system_prompt: str | None = Field(default=None, max_length=200_000)
    options: OptionsBody | None = None
    model: ModelId | None = None
    pinned: bool | None = None
    leaf: str | None = None

    def changes(self) -> dict[str, Any]:
        """The changes that were sent, by the store's columns."""
        found: dict[str, Any] = {
            name: value
            for name, value in self.model_dump(exclude_unset=True, exclude={"options"}).items()
            if value is not None or name == "model"
        }
        if self.options is not None:
            found["options"] = self.options.options().to_json()
        if "title" in found:
            found["title"] = " ".join(found["title"].split()) or "New chat"
            found["title_by"] = "user"
        return found


class DownloadBody(Body):
    """What to download: a model of the curated list, or a GGUF file from a URL."""

    name: str | None = Field(default=None, min_length=1, max_length=100)
    url: str | None = Field(default=None, min_length=1, max_length=2000)
    sha256: str | None = Field(default=None, pattern="^[0-9A-Fa-f]{64}$")


def _text_of_content(content: Any) -> Any:
    """OpenAI's list of content parts, as far as it is text, joined; everything else as it is."""
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    ):
        return "".join(part["text"] for part in content)
    return content


def _none_if_empty(name: Any) -> Any:
    """Frontends in which nothing was chosen send an empty name."""
    return None if name == "" else name


class SimpleChatMessage(Body):
    """A message of the simple chat endpoint."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text_of_content)] = Field(max_length=MAX_TEXT)


class SimpleChatBody(Body):
    """The body of all calls of the simple chat endpoint. `model` may be bare or `provider/model`."""

    # A list of wrong messages would take the event loop for an error each.
    messages: Annotated[list[SimpleChatMessage], FailFast()] = Field(
        min_length=1, max_length=MAX_ITEMS
    )
    model: Annotated[ModelId | None, BeforeValidator(_none_if_empty)] = None
    provider: Annotated[
        Annotated[str, Field(min_length=1, max_length=100)] | None, BeforeValidator(_none_if_empty)
    ] = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=10_000_000)
    stream: bool | None = None

    def values(self) -> tuple[Message, ...]:
        """The messages; raises `BadRequest` when there is no question among them."""
        found = tuple(Message(m.role, (TextPart(m.content),)) for m in self.messages)
        last = found[-1]
        if last.role != "user" or not last.text.strip():
            raise BadRequest(
                "The last message must be a user's and must not be empty.",
                advice='Send {"messages": [{"role": "user", "content": "…"}]}.',
            )
        return found

    def options(self) -> Options:
        """As a value."""
        return Options(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens)


class SimpleChatStop(Body):
    """Stops the answer that `WS /ws/chat` is writing, or is about to write."""

    # A body with a member `type` of its own is still a body.
    model_config = ConfigDict(extra="forbid")

    type: Literal["stop"]


def part_of(body: TextPartBody | ImagePartBody | FilePartBody) -> Part:
    """A part as a value. Raises `BadRequest` or `TooLarge` for an image that can't be used."""
    if isinstance(body, TextPartBody):
        return TextPart(body.text)
    if isinstance(body, FilePartBody):
        return FilePart(body.name, body.media_type, body.text)
    return images.check(ImagePart(body.media_type, body.data), MAX_IMAGE)
