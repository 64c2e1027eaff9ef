"""The client: conversations, models, imports and exports. Everything about one answer is in `Generation`.

Each send has its own idempotency key, so that a send repeated on a bad connection starts only one answer.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Self

from grantha.chat import Options, Part, Role, parts_to_json
from grantha.client.generation import Generation
from grantha.client.http_client import FILE_TIMEOUT, HttpClient
from grantha.client.responses import (
    Conversation,
    ConversationSummary,
    ConvertedDocument,
    ImportResult,
    ModelList,
    ProviderCheckResult,
    ProviderStatus,
    SearchResult,
    Snapshot,
)
from grantha.errors import GranthaError

RETRY_TIMEOUT = 60.0  # seconds to keep retrying a server that answered before


class Client:
    """A Grantha server. Use it as `async with Client("http://127.0.0.1:8000") as client:`.

    `token` is the server's access token, if it has one. Methods raise the server's errors as the
    classes of `grantha.errors`, and `ServerUnavailable` and `UnexpectedResponse`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        retry_timeout: float = RETRY_TIMEOUT,
    ) -> None:
        self._http = HttpClient(url, token, retry_timeout)

    async def __aenter__(self) -> Self:
        self._http.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.aclose()

    @property
    def connection_error(self) -> GranthaError | None:
        """Why a call or reader is retrying at this moment; None when it isn't."""
        return self._http.connection_error

    # ---- answers --------------------------------------------------------------------------------

    async def ask(
        self,
        prompt: str | Sequence[Part],
        *,
        model: str | None = None,
        options: Options | None = None,
        system_prompt: str = "",
    ) -> Generation:
        """Creates a conversation with this prompt and starts the answer."""
        conversation = await self.create_conversation(system_prompt=system_prompt, model=model)
        return await self.send(conversation.id, prompt, model=model, options=options)

    async def send(
        self,
        conversation: str,
        prompt: str | Sequence[Part] | None = None,
        *,
        model: str | None = None,
        options: Options | None = None,
        parent: str | None = None,
    ) -> Generation:
        """Adds a prompt and starts its answer; without one, answers the last prompt again.

        `parent` is the message the prompt follows or, without a prompt, the message to answer;
        by default the end of the active branch.
        """
        body: dict[str, Any] = {}
        if isinstance(prompt, str):
            body["text"] = prompt
        elif prompt is not None:
            body["parts"] = parts_to_json(prompt)
        if model is not None:
            body["model"] = model
        if options is not None:
            body["options"] = options.to_json()
        if parent is not None:
            body["parent"] = parent
        path = f"/api/conversations/{conversation}/generations"
        found = await self._http.json("POST", path, body, key=str(uuid.uuid4()))
        return Generation(self._http, Snapshot.from_json(found))

    async def generation(self, generation: str) -> Generation:
        """The answer with this id, running or ended."""
        body = await self._http.json("GET", f"/api/generations/{generation}")
        return Generation(self._http, Snapshot.from_json(body))

    # ---- conversations -------------------------------------------------------------------------

    async def create_conversation(
        self,
        *,
        title: str | None = None,
        system_prompt: str = "",
        options: Options | None = None,
        model: str | None = None,
    ) -> Conversation:
        """Creates an empty conversation."""
        body: dict[str, Any] = {"system_prompt": system_prompt} if system_prompt else {}
        if title is not None:
            body["title"] = title
        if options is not None:
            body["options"] = options.to_json()
        if model is not None:
            body["model"] = model
        return Conversation.from_json(await self._http.json("POST", "/api/conversations", body))

    async def conversations(
        self, query: str = "", *, origin: str = "page", page_size: int = 200
    ) -> AsyncGenerator[ConversationSummary, None]:
        """All conversations, pinned ones first, then the most recent first.

        `query` keeps those whose title or text contains its words, at most 200; `search` finds every
        message. `origin` "api" gives the ones created through the compatible APIs, "all" gives both.
        `page_size` (1 to 200) is the number fetched per request.
        """
        params = {"limit": str(page_size), "origin": origin, **({"q": query} if query else {})}
        async for item in self._items("/api/conversations", params):
            yield ConversationSummary.from_json(item)

    async def search(
        self,
        query: str,
        *,
        origin: str = "page",
        model: str | None = None,
        role: Role | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 50,
    ) -> AsyncGenerator[SearchResult, None]:
        """Conversations whose titles match, the last active first; then messages, the newest first.

        Every word must occur, whatever its case and accents; a word of three letters or more may be
        the beginning of a longer one. `"exact words"` stand together, and what has a `-word` is left
        out. A model finds its answers and the questions that it answered. `since` and `until` need a
        time zone. `origin` and `page_size` are those of `conversations`.
        """
        filters: dict[str, str | None] = {
            "model": model,
            "role": role,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        }
        params = {"q": query, "origin": origin, "limit": str(page_size)}
        params.update({name: value for name, value in filters.items() if value is not None})
        async for item in self._items("/api/search", params):
            yield SearchResult.from_json(item)

    async def latest_conversation(self) -> ConversationSummary | None:
        """The most recently active conversation, pinned or not; None when there is none."""
        newest: ConversationSummary | None = None
        async for line in self.conversations():
            if newest is None or line.updated_at > newest.updated_at:
                newest = line
            if not line.pinned:
                break  # unpinned ones are sorted: the first is the newest
        return newest

    async def conversation(self, conversation: str) -> Conversation:
        """A conversation with its messages."""
        body = await self._http.json("GET", f"/api/conversations/{conversation}")
        return Conversation.from_json(body)

    async def update_conversation(self, conversation: str, **changes: Any) -> Conversation:
        """Changes `title`, `pinned`, `system_prompt`, `options`, `model` or `leaf`."""
        path = f"/api/conversations/{conversation}"
        return Conversation.from_json(await self._http.json("PATCH", path, changes))

    async def delete_conversation(self, conversation: str) -> None:
        """Deletes it and stops its running answers; `restore_conversation` undoes this for an hour."""
        await self._http.json("DELETE", f"/api/conversations/{conversation}")

    async def restore_conversation(self, conversation: str) -> Conversation:
        """Undoes `delete_conversation`."""
        path = f"/api/conversations/{conversation}/restore"
        return Conversation.from_json(await self._http.json("POST", path, idempotent=True))

    async def export_conversation(self, conversation: str, file_format: str = "json") -> bytes:
        """A conversation as a file: "json", which `import_document` takes, or "markdown"."""
        path = f"/api/conversations/{conversation}/export"
        return (
            await self._http.request(
                "GET", path, params={"format": file_format}, timeout=FILE_TIMEOUT
            )
        ).body

    async def import_document(self, document: bytes) -> ImportResult:
        """Imports an export of Grantha, ChatGPT, Claude, Open WebUI or LibreChat, or a ZIP archive."""
        found = await self._http.request("POST", "/api/import", document, timeout=FILE_TIMEOUT)
        return ImportResult.from_json(found.json())

    async def document_text(self, name: str, document: bytes) -> ConvertedDocument:
        """A PDF, Word, Excel, OpenDocument spreadsheet or PowerPoint file as text, ready to be sent."""
        found = await self._http.request(
            "POST",
            "/api/documents/text",
            document,
            params={"name": name},
            idempotent=True,
            timeout=FILE_TIMEOUT,
        )
        return ConvertedDocument.from_json(found.json())

    # ---- the server ----------------------------------------------------------------------------

    async def models(self) -> ModelList:
        """The models that can be used now."""
        return ModelList.from_json(await self._http.json("GET", "/api/models"))

    async def providers(self) -> list[ProviderStatus]:
        """Every provider the server knows, with the reason where one can't be used."""
        body = await self._http.json("GET", "/api/providers")
        return [ProviderStatus.from_json(item) for item in body["items"]]

    async def check_provider(self, provider: str) -> ProviderCheckResult:
        """Has the server ask a provider for one word, which costs a few tokens."""
        body = await self._http.json("POST", f"/api/providers/{provider}/check", idempotent=True)
        return ProviderCheckResult.from_json(body)

    # ---- helpers below -------------------------------------------------------------------------

    async def _items(self, path: str, params: dict[str, str]) -> AsyncGenerator[Any, None]:
        """The items of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            body = await self._http.json("GET", path, params={**params, **cursor})
            for item in body["items"]:
                yield item
            if body["next_cursor"] is None:
                return
            cursor = {"cursor": body["next_cursor"]}
