"""The scripted provider: models that follow a script, with its delays and faults.

For tests, tutorials and load, when `scripted` is set; it never stands in for another provider's answer.
Deterministic: the same script, options and prefix give the same events. With a prefix in the call it
continues exactly where that ends, by code points; waits and faults before that point are skipped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from grantha.chat import Call, Capabilities, Usage
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import GranthaError, Truncated, UnknownModel, Unsupported
from grantha.events import (
    Accepted,
    Cited,
    Finished,
    Reasoning,
    Text,
    ToolCall,
    UpstreamEvent,
    UsageSeen,
)
from grantha.providers.base import READY, ModelCard, Readiness
from grantha.providers.scripted.script import (
    Script,
    ScriptStep,
    generated_script,
    make_error,
    read_script,
)
from grantha.wire.tool_calls import new_call_id

SHIPPED = Path(__file__).parent / "scripts"
POLL = 0.005  # seconds between looks at a gate file
BATCH = 64  # deltas in a batch when a script has no rate
_SUFFIXES = (".json", ".toml")


class ScriptedProvider:
    """See `grantha.providers.base.Provider`. A script in `folder` takes precedence over a shipped one."""

    name = "scripted"

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._calls: Counter[str] = Counter()

    async def open(
        self,
        call: Call,
        resume: str | None = None,  # noqa: ARG002 - a script can be continued, not resumed
    ) -> ScriptedUpstream:
        """Begins the script after its `begin` delay; raises the error of its `refuse`."""
        script = await self._begin(call.model)
        return ScriptedUpstream(script, call, self._folder or SHIPPED)

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """The script's vector for each input; a token is a character, or one of those that are given."""
        script = await self._begin(call.model)
        if not script.embedding:
            raise Unsupported(f"The script {call.model} has no embedding", provider=self.name)
        vector = script.embedding[: call.dimensions]
        return Embeddings((vector,) * len(call.inputs), sum(map(len, call.inputs)))

    def readiness(self) -> Readiness:
        """Always ready."""
        return READY

    async def models(self) -> Sequence[ModelCard]:
        """One card a script."""
        folders = (SHIPPED, self._folder) if self._folder is not None else (SHIPPED,)
        names = {p.stem for folder in folders for p in folder.glob("*") if p.suffix in _SUFFIXES}
        return [self._card(name) for name in sorted(names)]

    def capabilities(self, model: str) -> Capabilities:
        """The capabilities that the script declares; defaults for an unknown one."""
        return self._script(model).capabilities if self.has_model(model) else Capabilities()

    def has_model(self, model: str) -> bool:
        """Whether this script exists."""
        return generated_script(model) is not None or self._path(model) is not None

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _begin(self, model: str) -> Script:
        script = self._script(model).attempt(self._calls[model])
        self._calls[model] += 1
        if script.begin:
            await asyncio.sleep(script.begin)
        if script.refuse is not None:
            raise make_error(script.refuse["error"], script.refuse)
        return script

    def _card(self, name: str) -> ModelCard:
        script = self._script(name)
        return ModelCard(f"{self.name}/{name}", name, self.name, script.capabilities)

    def _script(self, model: str) -> Script:
        script = generated_script(model)
        if script is not None:
            return script
        path = self._path(model)
        if path is None:
            raise UnknownModel(
                f"There is no script {model!r}",
                advice="Look at the list of models, or put a script file into the script folder.",
                provider=self.name,
            )
        return read_script(path)

    def _path(self, model: str) -> Path | None:
        if not model.replace("-", "").replace("_", "").isalnum():
            return None  # a name is a file's stem, never a path
        for folder in (self._folder, SHIPPED):
            for suffix in _SUFFIXES:
                if folder is not None and (path := folder / (model + suffix)).is_file():
                    return path
        return None


class ScriptedUpstream:
    """One run of a script. See `grantha.providers.base.Upstream`."""

    resume_token: str | None = None

    def __init__(self, script: Script, call: Call, folder: Path) -> None:
        self._script = script
        self._call = call
        self._folder = folder
        self._closed = asyncio.Event()
        self._started = 0.0
        self._prefix_left = len(call.prefix)  # code points of text that were written before
        self._written = 0  # deltas of text and reasoning so far
        self._gate_limit = 0 if script.gate else None
        self._calls = 0

    async def __aiter__(self) -> AsyncIterator[Sequence[UpstreamEvent]]:
        self._started = asyncio.get_running_loop().time()
        yield [Accepted(self._call.model, None)]
        finish = Finished("stop", "stop")
        for step in self._script.steps:
            if step.kind in {"text", "reasoning", "repeat"}:
                async for batch in self._write_step(step):
                    yield batch
                if self._limit_reached():
                    finish = Finished("length", "length")
                    break
            elif step.kind == "finish":
                finish = Finished(step.value, step.fields.get("native"))
                break
            elif not self._prefix_left and not (self._call.prefix and not self._written):
                yield await self._run_step(step)
        if self._script.usage:
            words = sum(len(message.text.split()) for message in self._call.messages)
            yield [UsageSeen(Usage(input_tokens=words, output_tokens=self._written))]
        yield [finish]

    async def aclose(self) -> bool:
        """Ends the script at once; a script always confirms."""
        self._closed.set()
        return True

    async def _write_step(self, step: ScriptStep) -> AsyncIterator[list[UpstreamEvent]]:
        held: list[str] = []
        is_reasoning = step.kind == "reasoning"
        for whole in step.fragments(self._call.options):
            fragment = whole if is_reasoning else self._after_prefix(whole)
            if not fragment or (is_reasoning and self._call.prefix):
                continue
            if held and (self._delay() > 0 or self._gated() or len(held) >= BATCH):
                yield [_join(held, is_reasoning)]
                held = []
                await self._sleep(0)
            await self._wait_for_turn()
            held.append(fragment)
            self._written += 1
            if self._limit_reached():
                break
        if held:
            yield [_join(held, is_reasoning)]
        if step.fields.get("signature") and not self._call.prefix:
            yield [Reasoning("", step.fields["signature"], 0)]

    async def _run_step(self, step: ScriptStep) -> list[UpstreamEvent]:
        value, fields = step.value, step.fields
        match step.kind:
            case "wait":
                await self._sleep(float(value))
            case "gate":
                while not (self._folder / str(value)).exists():
                    await self._sleep(POLL)
            case "hang":
                await self._closed.wait()
                raise self._truncated("Closed")
            case "error" | "truncate" | "reset":
                raise self._step_error(step)
            case "tool":
                self._calls += 1
                call_id = fields.get("call_id") or new_call_id()
                return [ToolCall(self._calls - 1, call_id, str(value), step.arguments)]
            case "cite":
                return [Cited(str(value), fields.get("title"), fields.get("quoted"))]
            case "usage":
                return [UsageSeen(Usage.from_json(value))]
            case _:
                pass
        return []

    async def _wait_for_turn(self) -> None:
        delay = self._delay()
        if delay > 0:
            await self._sleep(delay)
        while self._gated():
            await self._sleep(POLL)

    async def _sleep(self, seconds: float) -> None:
        """Sleeps; raises `Truncated` as soon as the upstream is closed."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            try:
                async with asyncio.timeout(seconds):
                    await self._closed.wait()
            except TimeoutError:
                return
        if self._closed.is_set():
            raise self._truncated("Closed")

    def _delay(self) -> float:
        if not self._script.rate:
            return 0.0
        due = self._started + self._written / self._script.rate
        return due - asyncio.get_running_loop().time()

    def _gated(self) -> bool:
        if self._gate_limit is None or self._written < self._gate_limit:
            return False
        try:
            text = (self._folder / str(self._script.gate)).read_text().strip()
        except OSError:
            return True
        self._gate_limit = (
            None if text == "open" else int(text) if text.isdigit() else self._gate_limit
        )
        return self._gate_limit is not None and self._written >= self._gate_limit

    def _after_prefix(self, fragment: str) -> str:
        if not self._prefix_left:
            return fragment
        skipped = min(self._prefix_left, len(fragment))
        self._prefix_left -= skipped
        return fragment[skipped:]

    def _limit_reached(self) -> bool:
        limit = self._call.options.max_tokens
        return limit is not None and self._written >= limit

    def _step_error(self, step: ScriptStep) -> GranthaError:
        if step.kind == "error":
            return make_error(step.value, step.fields)
        return self._truncated("ConnectionResetError" if step.kind == "reset" else None)

    def _truncated(self, native: str | None) -> Truncated:
        return Truncated(
            "The script broke off in the middle of the answer", provider="scripted", native=native
        )


def _join(fragments: list[str], is_reasoning: bool) -> UpstreamEvent:
    text = fragments[0] if len(fragments) == 1 else "".join(fragments)
    return Reasoning(text, None, len(fragments)) if is_reasoning else Text(text, len(fragments))
