"""One answer as a client holds it: read it, stop it, change it, go on with it.

Reading never touches the run. Every reading method starts at the beginning of the log unless told
otherwise, and ends with the answer.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from grantha.chat import Options
from grantha.client.attach import Attachment
from grantha.client.http_client import Calls
from grantha.client.log_verifier import Ledger
from grantha.client.problems import error_from
from grantha.client.replies import Changed, Snapshot, StopReceipt
from grantha.events import START, Event, Frame, RecordId, TextDelta


class Generation:
    """`snapshot` is how the answer was when the server was last asked; `refresh` asks again."""

    def __init__(self, calls: Calls, snapshot: Snapshot) -> None:
        self._calls = calls
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

        Survives disconnects. Raises `BrokenLog` when the text isn't what the end record proves,
        `ServerAway` when the server stays away.
        """
        async with aclosing(self.frames(after)) as frames:
            async for frame in frames:
                yield frame.event

    async def frames(self, after: RecordId = START) -> AsyncGenerator[Frame, None]:
        """The same with ids and times (milliseconds since 1970), for one's own bookkeeping."""
        async with aclosing(Attachment(self._calls, self.id, after).frames()) as frames:
            async for frame in frames:
                yield frame

    async def text(self) -> AsyncGenerator[str, None]:
        """The visible text, piece by piece. Raises the error of an answer that failed."""
        async with aclosing(self.frames()) as frames:
            async for frame in frames:
                if isinstance(frame.event, TextDelta):
                    yield frame.event.text
                elif frame.event.kind == "generation-end" and frame.event.ending == "failed":
                    raise error_from(502, frame.event.error or {})

    async def answer(self) -> Snapshot:
        """Waits for the end, proves the text, and returns the whole answer, however it ended."""
        async with aclosing(self.frames()) as frames:
            async for _ in frames:
                pass
        return await self.refresh()

    async def records(self) -> list[Frame]:
        """All records so far, none merged, as they were timed; raises `Trimmed` once deleted."""
        path, ledger = f"/api/generations/{self.id}/events", Ledger(self.id)
        found: list[Frame] = []
        while True:
            params = {"after": str(ledger.last), "merged": "false"}
            body = await self._calls.json("GET", path, params=params)
            if not body or not body["frames"]:
                return found
            taken = [ledger.take(frame) for frame in body["frames"]]
            found += [frame for frame in taken if frame is not None]

    async def refresh(self) -> Snapshot:
        """The answer as it is now."""
        body = await self._calls.json("GET", f"/api/generations/{self.id}")
        self.snapshot = Snapshot.from_json(body)
        return self.snapshot

    async def stop(self) -> StopReceipt:
        """Stops it at the server and at the provider; what is written stays. Idempotent."""
        path = f"/api/generations/{self.id}/stop"
        return StopReceipt.from_json(await self._calls.json("POST", path, repeat=True))

    async def change(self, *, model: str | None = None, **options: Any) -> Changed:
        """Changes temperature, top_p, max_tokens or the model from the next token on.

        Raises `Unsupported` when the model can't, `Conflict` when nothing runs.
        """
        wanted = {**options, **({"model": model} if model else {})}
        return Changed.from_json(
            await self._calls.json("PATCH", f"/api/generations/{self.id}", wanted)
        )

    async def continue_answer(
        self, *, model: str | None = None, options: Options | None = None
    ) -> Generation:
        """Goes on with an ended answer: a new generation on the same message."""
        body = {
            **({"model": model} if model else {}),
            **({"options": options.to_json()} if options else {}),
        }
        path = f"/api/generations/{self.id}/continue"
        found = await self._calls.json("POST", path, body, key=str(uuid.uuid4()))
        return Generation(self._calls, Snapshot.from_json(found))
