"""The replies of OpenAI's older Completions API, member by member.

Source: OpenAI's API reference, "Completions". The view builds exactly these, and the OpenAPI description is
generated from them.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from grantha.wire.compat.openai_chat_replies import ChatUsage

CompletionFinishReason = Literal["stop", "length", "content_filter"]


class CompletionLogprobs(TypedDict):
    """The tokens of a text, how likely each was, its likeliest rivals, and where it begins in the text."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(TypedDict):
    """The one answer or, in a stream, what is new of it."""

    index: Literal[0]
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: CompletionFinishReason | None


class CompletionReply(TypedDict):
    """An answer, or one `data:` line of it; the last line is `[DONE]`."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: NotRequired[ChatUsage | None]
