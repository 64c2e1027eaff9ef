"""The client: conversations, sends, models, exports. Everything else hangs on a `Generation`.

Each send has its own idempotency key, so that a send repeated over a bad line makes one answer.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

from grantha.chat import Options, Part, parts_to_json
from grantha.client.generation import Generation
from grantha.client.http_client import FILE, Calls
from grantha.client.replies import Conversation, ConversationLine, Models, ProviderLine, Snapshot
from grantha.errors import GranthaError

PATIENCE = 60.0  # seconds that a server which was there may stay away
_PAGE = 200  # conversations asked for at once


class Client:
    """A Grantha server. Use it as `async with Client("http://127.0.0.1:8000") as client:`.

    `token` is the server's access token, where one is set. Methods raise the errors of
    `grantha.errors` as the server tells them, `ServerAway` and `StrangeReply`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._calls = Calls(url, token, patience)

    async def __aenter__(self) -> Self:
        self._calls.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._calls.aclose()

    @property
    def trouble(self) -> GranthaError | None:
        """What a call or a reader is waiting out at this moment; None when all is well."""
        return self._calls.trouble

    # ---- asking --------------------------------------------------------------------------------

    async def ask(
        self,
        question: str | Sequence[Part],
        *,
        model: str | None = None,
        options: Options | None = None,
        system_prompt: str = "",
    ) -> Generation:
        """Opens a new conversation with a question and starts its answer."""
        talk = await self.create(system_prompt=system_prompt, model=model)
        return await self.send(talk.id, question, model=model, options=options)

    async def send(
        self,
        conversation: str,
        question: str | Sequence[Part] | None = None,
        *,
        model: str | None = None,
        options: Options | None = None,
        parent: str | None = None,
    ) -> Generation:
        """Adds a question and starts its answer; without one, answers the last question again.

        `parent` is the message that the question hangs on, or, without a question, the one to
        answer; the active branch's end when it is left out.
        """
        body: dict[str, Any] = {}
        if isinstance(question, str):
            body["text"] = question
        elif question is not None:
            body["parts"] = parts_to_json(question)
        if model is not None:
            body["model"] = model
        if options is not None:
            body["options"] = options.to_json()
        if parent is not None:
            body["parent"] = parent
        path = f"/api/conversations/{conversation}/generations"
        found = await self._calls.json("POST", path, body, key=str(uuid.uuid4()))
        return Generation(self._calls, Snapshot.from_json(found))

    async def generation(self, generation: str) -> Generation:
        """An answer by its id, running or ended."""
        body = await self._calls.json("GET", f"/api/generations/{generation}")
        return Generation(self._calls, Snapshot.from_json(body))

    # ---- conversations -------------------------------------------------------------------------

    async def create(
        self,
        *,
        title: str | None = None,
        system_prompt: str = "",
        options: Options | None = None,
        model: str | None = None,
    ) -> Conversation:
        """A new, empty conversation."""
        body: dict[str, Any] = {"system_prompt": system_prompt} if system_prompt else {}
        if title is not None:
            body["title"] = title
        if options is not None:
            body["options"] = options.to_json()
        if model is not None:
            body["model"] = model
        return Conversation.from_json(await self._calls.json("POST", "/api/conversations", body))

    async def conversations(
        self, query: str = "", *, origin: str = "page"
    ) -> AsyncGenerator[ConversationLine, None]:
        """All conversations, pinned ones first, then the last changed.

        With `query` those whose title or text holds the words, 200 at most. `origin` "api" gives
        those that came over other doors, "all" both.
        """
        params = {"limit": str(_PAGE), "origin": origin, **({"q": query} if query else {})}
        while True:
            body = await self._calls.json("GET", "/api/conversations", params=params)
            for item in body["items"]:
                yield ConversationLine.from_json(item)
            if body["next_cursor"] is None:
                return
            params["cursor"] = body["next_cursor"]

    async def latest(self) -> ConversationLine | None:
        """The conversation that was changed last, pinned or not; None when there is none."""
        newest: ConversationLine | None = None
        async for line in self.conversations():
            if newest is None or line.updated_at > newest.updated_at:
                newest = line
            if not line.pinned:
                break  # the first that isn't pinned is the newest of its kind
        return newest

    async def conversation(self, conversation: str) -> Conversation:
        """A conversation with its messages."""
        body = await self._calls.json("GET", f"/api/conversations/{conversation}")
        return Conversation.from_json(body)

    async def change_conversation(self, conversation: str, **changes: Any) -> Conversation:
        """Changes `title`, `pinned`, `system_prompt`, `options`, `model` or `leaf`."""
        path = f"/api/conversations/{conversation}"
        return Conversation.from_json(await self._calls.json("PATCH", path, changes))

    async def delete(self, conversation: str) -> None:
        """Deletes it and stops what runs in it; `restore` undoes this for an hour."""
        await self._calls.json("DELETE", f"/api/conversations/{conversation}")

    async def restore(self, conversation: str) -> Conversation:
        """Undoes `delete`."""
        path = f"/api/conversations/{conversation}/restore"
        return Conversation.from_json(await self._calls.json("POST", path, repeat=True))

    async def export(self, conversation: str, form: str = "json") -> bytes:
        """A conversation as a file: "json", which `import_document` takes, or "markdown"."""
        path = f"/api/conversations/{conversation}/export"
        return (await self._calls.whole("GET", path, params={"format": form}, limit=FILE)).body

    async def import_document(self, document: bytes) -> list[str]:
        """Takes an export of Grantha or of another chat application; the new conversations' ids."""
        found = (await self._calls.whole("POST", "/api/import", document, limit=FILE)).json()
        return [str(item) for item in found["conversations"]]

    # ---- the server ----------------------------------------------------------------------------

    async def models(self) -> Models:
        """What can be asked now."""
        return Models.from_json(await self._calls.json("GET", "/api/models"))

    async def providers(self) -> list[ProviderLine]:
        """Every provider the server knows, and why it can't be used where it can't."""
        body = await self._calls.json("GET", "/api/providers")
        return [ProviderLine.from_json(item) for item in body["items"]]
