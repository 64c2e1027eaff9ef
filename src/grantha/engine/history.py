"""The messages that a model gets: the branch of a conversation up to the answer, from the store."""

from __future__ import annotations

from grantha.chat import Message, Options, instructed, text_message
from grantha.engine.generation_request import GenerationRequest
from grantha.errors import BadRequest, Conflict, NotFound
from grantha.storage.base import GenerationRow, MessageRow, Store


class HistoryReader:
    """Reads histories and checks that an answer can be added to them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_request(self, request: GenerationRequest) -> tuple[Message, ...]:
        """The history of new answers, their new messages included.

        Raises `NotFound` for a parent elsewhere, `Conflict` while the parent is being written, and
        `BadRequest` if the last message isn't a question.
        """
        if request.new_conversation is not None:
            return instructed(request.messages, request.options)
        conversation = await self._store.conversation(request.subject, request.conversation)
        branch: list[MessageRow] = []
        if request.parent is not None:
            branch = await self._store.path(request.subject, request.parent)
            if branch[-1].conversation != request.conversation:
                raise NotFound(f"There is no message {request.parent!r} in this conversation.")
        if branch and branch[-1].status == "running":
            raise Conflict(
                "The previous answer is still being written.", advice="Wait for it, or stop it."
            )
        if not request.messages and (not branch or branch[-1].role != "user"):
            raise BadRequest("There is no question to answer.", advice="Send text or parts.")
        history = (*_messages(conversation.system_prompt, branch), *request.messages)
        return instructed(history, request.options)

    async def of_generation(self, subject: str, row: GenerationRow) -> tuple[Message, ...]:
        """The history of a stored generation."""
        message = await self._store.message(subject, row.message)
        return await self.before(subject, message, row.options)

    async def before(
        self, subject: str, message: MessageRow, options: Options
    ) -> tuple[Message, ...]:
        """All messages that precede a message in its branch, and the instructions of these options."""
        conversation = await self._store.conversation(subject, message.conversation)
        branch = await self._store.path(subject, message.id)
        return instructed(_messages(conversation.system_prompt, branch[:-1]), options)


def _messages(system_prompt: str, branch: list[MessageRow]) -> tuple[Message, ...]:
    messages = [Message(row.role, row.parts) for row in branch if row.parts]
    if system_prompt.strip():
        messages.insert(0, text_message("system", system_prompt))
    return tuple(messages)
