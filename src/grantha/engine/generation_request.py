"""What a caller can request from the engine: new answers, and the continuation of an ended one.

Plain values. Bodies were validated at the edge; what depends on the store is checked by `history`.
"""

from __future__ import annotations

from dataclasses import dataclass

from grantha.chat import JsonObject, Message, Options
from grantha.engine.ids import new_id
from grantha.storage.base import NewConversation, NewMessage


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One new message for one or more models; without messages, `parent` is answered again.

    With `new_conversation` the messages are the whole history and are stored in it. `abandon_after` is
    how many seconds the answers may be written without a reader; None is for ever.
    """

    subject: str
    models: tuple[str, ...]
    options: Options
    conversation: str
    parent: str | None = None
    messages: tuple[Message, ...] = ()
    new_conversation: NewConversation | None = None
    key: str | None = None
    fingerprint: str = ""
    abandon_after: float | None = None

    def new_messages(self) -> tuple[tuple[NewMessage, ...], str | None]:
        """The messages to store, each the parent of the next, and the parent of the answer."""
        parent = self.parent
        chain: list[NewMessage] = []
        for message in self.messages:
            chain.append(NewMessage(new_id("m"), parent, message.role, message.parts))
            parent = chain[-1].id
        return tuple(chain), parent


@dataclass(frozen=True, slots=True)
class ContinuationRequest:
    """More of an ended answer, with `changes` to its options and, if `model` is set, by another model."""

    subject: str
    generation: str
    changes: JsonObject
    model: str | None = None
    key: str | None = None
    fingerprint: str = ""
