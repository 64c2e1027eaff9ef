"""What a runner is to write, and how its model ids are resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from grantha.chat import ContinuationMode, Message, Options
from grantha.events import SeamReason
from grantha.providers.base import Provider


class Models(Protocol):
    """Resolves model ids."""

    def resolve(self, model_id: str) -> tuple[Provider, str]:
        """The provider and its own model id; raises a `CallerError`."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: the conversation so far and the options. `model` is `provider/model`.

    `continues` is set when the log already holds text to continue from.
    """

    history: tuple[Message, ...]
    model: str
    options: Options
    fallbacks: tuple[str, ...] = ()
    continues: SeamReason | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The next upstream call: how it continues the text, after how many seconds.

    `announced` says that a record which counts the call was just added to the log.
    """

    mode: ContinuationMode | None = None
    delay: float = 0.0
    resume: str | None = None
    announced: bool = True
