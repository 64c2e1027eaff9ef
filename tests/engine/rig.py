"""An engine to test: a real store in a temporary folder, the scripted provider, providers of one's own.

`Rig.ask` starts an answer and `Rig.ended` waits for its end by reading the log, as a client would.
Scripts with a `gate` stop where the test says, so that nothing here depends on time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grantha.chat import Call, Capabilities, JsonObject, Options, split_model_id, text_message
from grantha.engine.call_budget import CallLimits
from grantha.engine.feed import Feed
from grantha.engine.generation_request import GenerationRequest
from grantha.engine.ids import new_id
from grantha.engine.recovery import Recovery
from grantha.engine.supervisor import Supervisor
from grantha.engine.tuning import Tuning
from grantha.errors import UnknownProvider
from grantha.events import START, Event, Frame, RecordId, UpstreamEvent
from grantha.fold import Fold, fold
from grantha.providers.base import READY, ModelCard, Provider, Readiness
from grantha.providers.scripted.provider import ScriptedProvider
from grantha.storage.base import GenerationRow, NewConversation, Store
from grantha.storage.sql import SqlStore

ME = "local"
DEADLINE = 120.0  # seconds that a wait may take before it counts as hung
NO_PAUSES = CallLimits(first_pause=0.001, max_pause=0.001)
EAGER = Tuning(window=0.001, window_behind=0.002, titles=False, limits=NO_PAUSES)

Batches = AsyncIterator[Sequence[UpstreamEvent]]


class ProviderMap:
    """Model ids to providers, by the name before the slash."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self.providers = dict(providers)

    def resolve(self, model_id: str) -> tuple[Provider, str]:
        """See `grantha.engine.runner.Models`."""
        name, model = split_model_id(model_id)
        if name not in self.providers:
            raise UnknownProvider(f"There is no provider {name!r}.")
        return self.providers[name], model


class StubUpstream:
    """An upstream made of an async generator; `close` says what closing it does."""

    def __init__(
        self,
        batches: Batches,
        token: str | None = None,
        close: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.resume_token = token
        self._batches = batches
        self._close = close

    def __aiter__(self) -> Batches:
        return self._batches

    async def aclose(self) -> bool:
        """See `grantha.providers.base.Upstream`."""
        return await self._close() if self._close else True


@dataclass
class StubProvider:
    """A provider whose replies a test writes; `calls` holds its calls, in order."""

    replies: Sequence[Callable[[Call, str | None], Awaitable[StubUpstream]]]
    facts: Capabilities = field(default_factory=Capabilities)
    name: str = "own"
    calls: list[tuple[Call, str | None]] = field(default_factory=list)

    async def open(self, call: Call, resume: str | None = None) -> StubUpstream:
        """The reply of this call's number, the last one for all after it."""
        self.calls.append((call, resume))
        return await self.replies[min(len(self.calls), len(self.replies)) - 1](call, resume)

    def readiness(self) -> Readiness:
        """Always ready."""
        return READY

    async def models(self) -> Sequence[ModelCard]:
        """None is listed."""
        return ()

    def capabilities(self, model: str) -> Capabilities:
        """The same for every model."""
        return self.facts

    async def aclose(self) -> None:
        """Nothing to close."""


def replying(*batches: Sequence[UpstreamEvent] | BaseException, token: str | None = None) -> Any:
    """A reply of a `StubProvider`: yields the batches, and raises an exception that is among them."""

    async def opened(_call: Call, _resume: str | None) -> StubUpstream:
        async def run() -> Batches:
            for batch in batches:
                if isinstance(batch, BaseException):
                    raise batch
                yield batch

        return StubUpstream(run(), token)

    return opened


def refusing(error: BaseException) -> Any:
    """A call of a `StubProvider` that fails before its reply begins."""

    async def opened(_call: Call, _resume: str | None) -> StubUpstream:
        raise error

    return opened


class Rig:
    """One process' worth of engine. `start_again` is what a new process finds after a crash."""

    def __init__(
        self,
        folder: Path,
        tuning: Tuning = EAGER,
        providers: Mapping[str, Provider] | None = None,
        wrap: Callable[[Store], Store] | None = None,
    ) -> None:
        self.folder = folder
        self.scripts = folder / "scripts"
        self.scripts.mkdir(parents=True, exist_ok=True)
        self.instance_id = new_id("i")
        self.tuning = tuning
        self.providers = ProviderMap(
            {"scripted": ScriptedProvider(self.scripts), **(providers or {})}
        )
        self._wrap = wrap
        self.feed = Feed()
        self.store: Store = SqlStore(folder / "data", self.instance_id, "OFF")
        if wrap is not None:
            self.store = wrap(self.store)
        self.supervisor = Supervisor(self.store, self.providers, self.feed, tuning)
        self.conversation = ""

    async def open(self) -> Rig:
        """Opens the store and makes a conversation."""
        await self.store.open()
        self.supervisor.start_flushing()
        return self

    async def aclose(self, drain: float = 0.0) -> None:
        """Stops in order: what runs is handed over."""
        await self.supervisor.aclose(drain)
        await self.store.aclose()

    async def crash(self) -> None:
        """Stops as a killed process does: what wasn't written by now never will be."""
        flusher = self.supervisor._flusher._task
        runs = [run.task for run in self.supervisor._running.values()]
        tasks = [task for task in (flusher, *runs) if task is not None]
        for task in tasks:
            task.cancel()
        for run in self.supervisor._running.values():
            run.log.fence()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.store.aclose()

    async def start_again(self, *, recover: bool = True) -> Rig:
        """A new owner of the same folder."""
        after = Rig(self.folder, self.tuning, self.providers.providers, self._wrap)
        await after.open()
        after.conversation = self.conversation
        if recover:
            await after.recover()
        return after

    async def recover(self) -> int:
        """Takes up what a dead owner left."""
        return await Recovery(self.supervisor, self.store, self.providers, self.instance_id).run()

    # ---- scripts -------------------------------------------------------------------------------

    def script(self, name: str, *steps: JsonObject, **more: object) -> str:
        """Writes a script; returns its model id."""
        body = {"steps": list(steps), **more}
        (self.scripts / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")
        return f"scripted/{name}"

    def allow(self, gate: str, fragments: int | str = "open") -> None:
        """Lets a gated script write so many pieces in all."""
        new = self.scripts / f"{gate}.new"
        new.write_text(str(fragments), encoding="utf-8")
        new.replace(self.scripts / gate)

    # ---- answers -------------------------------------------------------------------------------

    async def ask(
        self, *models: str, text: str = "Go", key: str | None = None, **options: Any
    ) -> GenerationRow:
        """Starts an answer in the rig's conversation."""
        rows, _ = await self.start(*models, text=text, key=key, **options)
        return rows[0]

    async def start(
        self, *models: str, text: str = "Go", key: str | None = None, **options: Any
    ) -> tuple[list[GenerationRow], bool]:
        """The same with all rows, and whether it was new."""
        if not self.conversation:
            self.conversation = new_id("c")
            new = NewConversation(self.conversation, "", "page")
            await self.store.create_conversation(ME, new)
        return await self.supervisor.start(
            GenerationRequest(
                subject=ME,
                models=models,
                options=Options(**options),
                conversation=self.conversation,
                messages=(text_message("user", text),),
                key=key,
            )
        )

    async def frames(self, generation: str, after: RecordId = START) -> list[Frame]:
        """All frames after a cursor, up to the end."""
        reader = self.supervisor.reader(ME, generation, after)
        found: list[Frame] = []
        async with asyncio.timeout(DEADLINE):
            while not reader.ended:
                found.extend(await reader.read(DEADLINE))
        return found

    async def ended(self, row: GenerationRow) -> Answer:
        """Waits for the end; the answer as its log tells it."""
        frames = await self.frames(row.id)
        return Answer(frames, fold(frame.event for frame in frames))

    async def text_of(self, row: GenerationRow, least: int) -> str:
        """Waits until at least so many code points of text can be read; returns the text."""
        reader = self.supervisor.reader(ME, row.id, START)
        folded = Fold()
        async with asyncio.timeout(DEADLINE):
            while folded.text_length < least and not reader.ended:
                for frame in await reader.read(DEADLINE):
                    folded.apply(frame.event)
        return folded.text()

    async def stored(self, row: GenerationRow) -> GenerationRow:
        """The row as it is now."""
        return await self.store.generation(ME, row.id, include_deleted=True)


@dataclass
class Answer:
    """An ended log: its frames and their fold."""

    frames: list[Frame]
    folded: Fold

    @property
    def text(self) -> str:
        """All visible text."""
        return self.folded.text()

    @property
    def ending(self) -> str:
        """One of the four words."""
        assert self.folded.end is not None
        return self.folded.end.ending

    @property
    def error(self) -> JsonObject:
        """The error of the end."""
        assert self.folded.end is not None
        assert self.folded.end.error is not None
        return self.folded.end.error

    @property
    def reasons(self) -> list[tuple[str, str | None]]:
        """Reason and kind of every seam."""
        return [(seam.reason, seam.mode) for seam in self.folded.seams]

    def events(self, kind: type[Event]) -> list[Any]:
        """All events of a kind."""
        return [frame.event for frame in self.frames if isinstance(frame.event, kind)]


async def until(true: Callable[[], object], what: str) -> None:
    """Gives the loop its turn until something is true."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not true():  # noqa: ASYNC110  what is awaited has no event of its own
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"Waited {DEADLINE:.0f} s for {what}") from None
