"""The built-in model, run for real: calls, continuation, stop, death, unloading."""

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from grantha.chat import Call, ImagePart, Message, Options, Usage, text_message
from grantha.config import Settings
from grantha.errors import (
    ContextOverflow,
    ModelNotFound,
    ProviderError,
    RequestRefused,
    UnknownModel,
    Unsupported,
)
from grantha.events import Accepted, Finished, Text, UpstreamEvent, UsageSeen
from grantha.providers.local import builtin, create
from grantha.providers.local.provider import LocalProvider
from grantha.providers.local.upstream import LocalUpstream
from grantha.providers.local.worker_process import Worker

pytestmark = pytest.mark.local_model

DEADLINE = 60.0  # seconds for anything to happen, on however busy a machine
MODEL = builtin.NAME
SENTENCE = "The quick brown fox jumps over the lazy dog"
QUESTION = f"Say exactly: {SENTENCE}"
ENDLESS = Options(temperature=0.0, extra={"ignore_eos": True})

Make = Callable[..., LocalProvider]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes providers with the given settings; ends their processes after the test."""
    made: list[LocalProvider] = []

    def provider(**changes: object) -> LocalProvider:
        settings = Settings.model_validate(
            {"data_dir": tmp_path / "data", "variables": dict(os.environ), **changes}
        )
        made.append(create(settings))
        return made[-1]

    yield provider
    for each in made:
        await each.aclose()


def _saying(text: str) -> Options:
    """Forces the model to write this text: its free output differs between CPUs."""
    return Options(temperature=0.0, extra={"grammar": f"root ::= {json.dumps(text)}"})


def _call(text: str = QUESTION, options: Options | None = None, prefix: str = "") -> Call:
    options = options or _saying(SENTENCE)
    return Call(MODEL, (text_message("user", text),), options, prefix)


async def _collect(provider: LocalProvider, call: Call) -> list[UpstreamEvent]:
    upstream = await provider.open(call)
    try:
        return [event async for events in upstream for event in events]
    finally:
        assert await upstream.aclose()


def _text(events: list[UpstreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def _answer(provider: LocalProvider, call: Call) -> str:
    return _text(await _collect(provider, call))


def _usage(events: list[UpstreamEvent]) -> Usage:
    return next(event.usage for event in events if isinstance(event, UsageSeen))


async def _length(provider: LocalProvider, prefix: str, text: str = QUESTION) -> int:
    """The tokens of the question as the model's template shows it, with exactly `prefix` behind."""
    worker = _worker(provider)
    question = {"messages": [{"role": "user", "content": text}]}
    prompt = (await worker.fetch("/apply-template", question))["prompt"] + prefix
    requested = {"content": prompt, "add_special": True, "parse_special": True}
    return len((await worker.fetch("/tokenize", requested))["tokens"])


async def _begin(provider: LocalProvider, call: Call) -> LocalUpstream:
    """An upstream whose text has begun."""
    upstream = await provider.open(call)
    async for events in upstream:
        if any(isinstance(event, Text) for event in events):
            return upstream
    raise AssertionError("the answer ended before it began")


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  a process's state has no event to wait for
            await asyncio.sleep(0.01)


def _worker(provider: LocalProvider, model: str = MODEL) -> Worker:
    worker = provider.worker(model)
    assert worker is not None
    return worker


def _copy(folder: Path) -> Path:
    """The built-in model as another one, `local/copy`."""
    installed = builtin.find(folder)
    assert installed is not None
    folder.mkdir(parents=True)
    return shutil.copyfile(installed, folder / "Copy.gguf")


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}  # an orphan that isn't reaped yet has ended all the same


async def test_an_answer_comes_with_usage_and_an_end(make: Make) -> None:
    events = await _collect(make(), _call())
    assert _text(events) == SENTENCE
    assert isinstance(events[0], Accepted)
    assert events[0].model == MODEL
    usage = _usage(events)
    assert usage.input_tokens
    assert usage.output_tokens
    assert usage.cached_input_tokens is not None
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stop"


async def test_max_tokens_and_the_context_bound_an_answer(make: Make) -> None:
    provider = make(local_context=256, local_slots=2)
    short = await _collect(provider, _call(options=Options(max_tokens=3)))
    assert short[-1] == Finished("length", "length")
    assert sum(e.deltas for e in short if isinstance(e, Text)) <= 3
    endless = await _collect(provider, _call(options=ENDLESS))
    assert endless[-1] == Finished("length", "length")
    usage = _usage(endless)
    assert (usage.input_tokens or 0) + (usage.output_tokens or 0) <= 257


@pytest.mark.parametrize("cut", [1, 13, 14, 15, 16, 20, 42])
async def test_an_answer_cut_anywhere_is_continued_without_a_character_lost(
    make: Make, cut: int
) -> None:
    provider = make()
    prefix, rest = SENTENCE[:cut], SENTENCE[cut:]
    events = await _collect(provider, _call(options=_saying(rest), prefix=prefix))
    assert _text(events) == rest  # a space at the joint among it, after 15 characters
    assert _usage(events).input_tokens == await _length(provider, prefix)
    assert events[-1] == Finished("stop", "stop")


async def test_white_space_at_the_end_of_a_prefix_is_kept_as_it_is(make: Make) -> None:
    provider = make()
    for prefix in ("The quick brown ", " The quick brown\n\n", "```python\n    ", "a\t", "\n"):
        events = await _collect(provider, _call(options=_saying(" fox"), prefix=prefix))
        assert _text(events) == " fox"
        assert _usage(events).input_tokens == await _length(provider, prefix)


async def test_a_continued_answer_is_the_one_that_was_cut(make: Make) -> None:
    provider = make(local_slots=1)
    question = "Name the planets of the solar system."
    whole = await _answer(provider, _call(question, Options(temperature=0.0, max_tokens=48)))
    words = whole.split(" ")
    prefix = " ".join(words[: len(words) // 2])
    usage = _usage(await _collect(provider, _call(question, _saying(" and"), prefix)))
    # The model still knows every token but the last, which it has to look at again: it was given
    # what it had written.
    assert usage.input_tokens == await _length(provider, prefix, question)
    assert usage.cached_input_tokens == (usage.input_tokens or 0) - 1


async def test_several_answers_are_written_at_once_and_more_wait_their_turn(make: Make) -> None:
    provider = make(local_slots=2)
    texts = [f"I know all about {what}." for what in ("a river", "the sea", "dogs", "love", "tea")]
    calls = [_call("What do you know?", _saying(text)) for text in texts]
    assert await asyncio.gather(*(_answer(provider, call) for call in calls)) == texts
    assert _worker(provider).slots.free == 2


async def test_closing_an_answer_ends_its_computation(make: Make) -> None:
    provider = make(local_slots=1)
    upstream = await _begin(provider, _call("Write a very long story.", ENDLESS))
    worker = _worker(provider)
    assert not await worker.idle(0, 0.05)
    confirmed = await upstream.aclose()
    # Unconfirmed is right on a machine that is too busy to look in time; the end is not optional.
    assert confirmed or await worker.idle(0, DEADLINE)
    assert await upstream.aclose() == confirmed
    assert await _answer(provider, _call())  # the only slot is free again


async def test_closing_during_the_prompt_ends_its_computation(make: Make) -> None:
    provider = make(local_slots=1, local_context=4096)
    upstream = await provider.open(_call("one two three " * 1000, ENDLESS))
    confirmed = await upstream.aclose()
    assert confirmed or await _worker(provider).idle(0, DEADLINE)
    events = await _collect(provider, _call())
    assert events[-1] == Finished("stop", "stop")


async def test_cancelling_an_opening_call_gives_its_slot_back(make: Make) -> None:
    provider = make(local_slots=1)
    await provider.warm()
    held = await _begin(provider, _call("Write a very long story.", ENDLESS))
    waiting = asyncio.create_task(provider.open(_call()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await held.aclose()
    assert await _answer(provider, _call())


async def test_a_killed_child_fails_the_calls_in_flight_and_is_started_again(make: Make) -> None:
    provider = make()
    upstream = await _begin(provider, _call("Write a very long story.", ENDLESS))
    first = _worker(provider).pid
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ProviderError, match="SIGKILL") as caught:
        async for _ in upstream:
            pass
    assert caught.value.retryable
    await upstream.aclose()
    rest = await _answer(provider, _call(options=_saying(" fox"), prefix="The quick brown"))
    assert rest == " fox"
    assert _worker(provider).pid != first
    assert not _is_running(first)


async def test_a_child_that_nobody_uses_is_started_again_too(make: Make) -> None:
    provider = make()
    await provider.warm()
    first = _worker(provider).pid
    os.kill(first, signal.SIGKILL)
    await _until(lambda: provider.readiness().state == "loading")
    await _until(lambda: provider.worker(MODEL) is not None)
    assert provider.readiness().state == "ready"
    assert _worker(provider).pid != first


async def test_an_unused_model_is_unloaded_and_loaded_again_by_the_next_call(make: Make) -> None:
    provider = make(local_idle=0.05)
    assert await _answer(provider, _call())
    pid = _worker(provider).pid if provider.worker(MODEL) else 0
    await _until(lambda: provider.worker(MODEL) is None)
    await _until(lambda: not _is_running(pid))
    assert provider.readiness().state == "ready"
    assert await _answer(provider, _call())


async def test_a_model_in_use_is_not_unloaded(make: Make) -> None:
    provider = make(local_idle=0.01)
    events = await _collect(provider, _call("Write a story.", Options(max_tokens=64)))
    assert isinstance(events[-1], Finished)


async def test_a_deleted_model_is_unloaded_after_its_last_answer(
    make: Make, tmp_path: Path
) -> None:
    copy = _copy(tmp_path / "data/models")
    provider = make()
    upstream = await _begin(provider, Call("copy", _call().messages, _saying(SENTENCE)))
    worker = _worker(provider, "copy")
    copy.unlink()
    provider.unload_removed()
    assert _is_running(worker.pid)
    events = [event async for batch in upstream for event in batch]
    assert isinstance(events[-1], Finished)
    await upstream.aclose()
    await _until(lambda: not _is_running(worker.pid))
    with pytest.raises(UnknownModel):
        await provider.open(Call("copy", _call().messages))


async def test_a_deleted_model_that_nobody_uses_is_unloaded_at_once(
    make: Make, tmp_path: Path
) -> None:
    copy = _copy(tmp_path / "data/models")
    provider = make()
    await provider.warm("copy")
    worker = _worker(provider, "copy")
    provider.unload_removed()
    assert _is_running(worker.pid)
    copy.unlink()
    provider.unload_removed()
    await _until(lambda: not _is_running(worker.pid))


async def test_closing_while_a_model_is_unloaded_leaves_no_process(
    make: Make, tmp_path: Path
) -> None:
    copy = _copy(tmp_path / "data/models")
    provider = make()
    await provider.warm("copy")
    worker = _worker(provider, "copy")
    copy.unlink()
    provider.unload_removed()
    for _ in range(10):  # turns of the loop, until the process's end is awaited
        await asyncio.sleep(0)
    await provider.aclose()
    assert worker.ended
    assert not _is_running(worker.pid)


async def test_loading_ahead_shows_in_the_readiness(make: Make) -> None:
    provider = make()
    assert provider.readiness().state == "ready"
    assert provider.worker() is None
    warming = asyncio.create_task(provider.warm())
    await _until(lambda: provider.readiness().state == "loading")
    await warming
    assert provider.readiness().state == "ready"
    assert provider.worker() is not None


async def test_closing_the_provider_leaves_no_process(make: Make) -> None:
    provider = make()
    await provider.warm()
    worker = _worker(provider)
    await provider.aclose()
    assert not _is_running(worker.pid)
    assert (
        worker.exit_reason == "its process ended with status 0"
    )  # on its own, at the end of the pipe


async def test_two_files_run_in_two_processes(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    _copy(folder)
    provider = make(local_models=(folder,), local_slots=1, local_context=512)
    cards = await provider.models()
    assert [card.id for card in cards] == [f"local/{MODEL}", "local/copy"]
    assert all(card.readiness.state == "ready" for card in cards)
    other = Call("copy", _call().messages, _saying("Another one"))
    answers = await asyncio.gather(_answer(provider, _call()), _answer(provider, other))
    assert list(answers) == [SENTENCE, "Another one"]
    assert _worker(provider).pid != _worker(provider, "copy").pid


async def test_a_file_that_llama_cpp_refuses_is_reported_and_not_tried_again(
    make: Make, tmp_path: Path
) -> None:
    installed = builtin.find(tmp_path)
    assert installed is not None
    path = tmp_path / "cut.gguf"
    content = installed.read_bytes()
    path.write_bytes(content[:-1000])  # the head is whole, only the last tensor isn't
    provider = make(local_models=(path,))
    call = Call("cut", _call().messages)
    for _ in range(2):
        with pytest.raises(ModelNotFound, match=r"incomplete|bounds") as caught:
            await provider.open(call)
        assert str(tmp_path) not in str(caught.value)
    card = next(card for card in await provider.models() if card.id == "local/cut")
    assert card.readiness.state == "off"
    path.write_bytes(content)
    assert await _answer(provider, Call("cut", _call().messages, _saying("Whole"))) == "Whole"


async def test_a_changed_built_in_file_is_not_run(make: Make, tmp_path: Path) -> None:
    installed = builtin.find(tmp_path)
    assert installed is not None
    content = bytearray(installed.read_bytes())
    content[-1] ^= 1
    folder = builtin.models_folder(tmp_path / "data")
    folder.mkdir(parents=True)
    (folder / builtin.FILE).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtin, "PACKAGE", "no-such-package-as-this")
        with pytest.raises(ModelNotFound, match="SHA-256"):
            await make().open(_call())


async def test_calls_that_cannot_be_answered_are_refused_as_what_they_are(make: Make) -> None:
    provider = make()
    with pytest.raises(UnknownModel):
        await provider.open(Call("nothing-of-this-name", _call().messages))
    picture = Message("user", (ImagePart("image/png", "AAAA"),))
    with pytest.raises(Unsupported):
        await provider.open(Call(MODEL, (picture,)))
    with pytest.raises(ContextOverflow) as overflow:
        await provider.open(_call("word " * 4000))
    assert "word word" not in str(overflow.value)
    with pytest.raises(RequestRefused):
        await provider.open(_call(options=Options(extra={"grammar": "not a grammar"})))
    assert await _answer(provider, _call())


async def test_nobody_else_can_use_the_child(make: Make) -> None:
    provider = make()
    await provider.warm()
    worker = _worker(provider)
    assert worker.url("").startswith("http://127.0.0.1:")
    command = await asyncio.to_thread(Path(f"/proc/{worker.pid}/cmdline").read_bytes)
    assert worker.key.encode() not in command
    assert b"gguf" not in command
    async with aiohttp.ClientSession() as stranger:
        for headers in ({}, {"Authorization": "Bearer guessed"}):
            for path in ("/slots", "/v1/models", "/apply-template"):
                async with stranger.get(worker.url(path), headers=headers) as reply:
                    assert reply.status in {401, 403}


PARENT = """
import asyncio, os, sys
from pathlib import Path
from grantha.config import Settings
from grantha.providers.local import create

async def main():
    provider = create(Settings(data_dir=Path(sys.argv[1]), variables=dict(os.environ)))
    await provider.warm()
    print(provider.worker().pid, "xllamacpp" in sys.modules, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_child_ends_with_a_killed_parent_which_never_loads_llama_cpp(tmp_path: Path) -> None:
    assert importlib.util.find_spec("xllamacpp") is not None
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stdout is not None
            pid, loaded = parent.stdout.readline().split()
            assert loaded == "False"
            assert _is_running(int(pid))
        finally:
            parent.kill()
    asyncio.run(_until(lambda: not _is_running(int(pid))))
