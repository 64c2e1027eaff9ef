"""A client's handle to one answer: read it, stop it, change its options, continue it.

Reading never affects the run. Every reading method starts at the beginning of the log by default and
finishes when the answer ends.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from grantha.chat import Options
from grantha.client.attach import ResumingReader
from grantha.client.errors import error_from
from grantha.client.http_client import HttpClient
from grantha.client.log_verifier import LogVerifier
from grantha.client.responses import ChangeResult, Snapshot, StopResult
from grantha.events import START, Event, Frame, RecordId, TextDelta


class Generation:
    """`snapshot` is the answer as last fetched; `refresh` fetches it again."""

    def __init__(self, http: HttpClient, snapshot: Snapshot) -> None:
        self._http = http
        self.snapshot = snapshot

    @property
    def id(self) -> str:
        """Its id, `g_…`."""
        return self.snapshot.id

    @property
    def conversation(self) -> str:
        """The id of the conversation it is written in."""
        return self.snapshot.conversation

    async def events(self, after: RecordId = START) -> AsyncGenerator[Event, None]:
        """Every event after the cursor, as `grantha.events` has them; the end comes last.

        Survives disconnects. Raises `BrokenLog` when the text doesn't match the hash in the end
        record, `ServerUnavailable` when the server stays unreachable.
        """
        async with aclosing(self.frames(after)) as frames:
            async for frame in frames:
                yield frame.event

    async def frames(self, after: RecordId = START) -> AsyncGenerator[Frame, None]:
        """The events with their ids and times (milliseconds since 1970)."""
        async with aclosing(ResumingReader(self._http, self.id, after).frames()) as frames:
            async for frame in frames:
                yield frame

    async def text(self) -> AsyncGenerator[str, None]:
        """The visible text, delta by delta. Raises the error of an answer that failed."""
        async with aclosing(self.frames()) as frames:
            async for frame in frames:
                if isinstance(frame.event, TextDelta):
                    yield frame.event.text
                elif frame.event.kind == "generation-end" and frame.event.ending == "failed":
                    raise error_from(502, frame.event.error or {})

    async def answer(self) -> Snapshot:
        """Waits for the end, verifies the text, and returns the whole answer, however it ended."""
        async with aclosing(self.frames()) as frames:
            async for _ in frames:
                pass
        return await self.refresh()

    async def records(self) -> list[Frame]:
        """All records so far, unmerged, with their original times; raises `Trimmed` once deleted."""
        path, verifier = f"/api/generations/{self.id}/events", LogVerifier(self.id)
        found: list[Frame] = []
        while True:
            params = {"after": str(verifier.last), "merged": "false"}
            body = await self._http.json("GET", path, params=params)
            if not body or not body["frames"]:
                return found
            taken = [verifier.verify(frame) for frame in body["frames"]]
            found += [frame for frame in taken if frame is not None]

    async def refresh(self) -> Snapshot:
        """The answer's current state."""
        body = await self._http.json("GET", f"/api/generations/{self.id}")
        self.snapshot = Snapshot.from_json(body)
        return self.snapshot

    async def stop(self) -> StopResult:
        """Stops it at the server and at the provider; the text so far is kept. Idempotent."""
        path = f"/api/generations/{self.id}/stop"
        return StopResult.from_json(await self._http.json("POST", path, idempotent=True))

    async def change(self, *, model: str | None = None, **options: Any) -> ChangeResult:
        """Changes temperature, top_p, max_tokens or the model from the next token on.

        Raises `Unsupported` when the model can't, `Conflict` when nothing runs.
        """
        changes = {**options, **({"model": model} if model else {})}
        return ChangeResult.from_json(
            await self._http.json("PATCH", f"/api/generations/{self.id}", changes)
        )

    async def continue_answer(
        self, *, model: str | None = None, options: Options | None = None
    ) -> Generation:
        """Continues an ended answer: a new generation on the same message."""
        body = {
            **({"model": model} if model else {}),
            **({"options": options.to_json()} if options else {}),
        }
        path = f"/api/generations/{self.id}/continue"
        found = await self._http.json("POST", path, body, key=str(uuid.uuid4()))
        return Generation(self._http, Snapshot.from_json(found))
