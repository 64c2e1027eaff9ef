"""What scripted models do: pace, faults, prefixes, options in force."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from grantha import errors
from grantha.chat import Call, Options, text_message
from grantha.errors import BadRequest, GranthaError, UnknownModel
from grantha.events import Cited, Finished, Reasoning, Text, ToolCall, UpstreamEvent, UsageSeen
from grantha.providers.scripted.provider import SHIPPED, ScriptedProvider, ScriptedUpstream

DEADLINE = 60.0
QUESTION = (text_message("user", "Say it now"),)


def script(folder: Path, name: str, **body: Any) -> ScriptedProvider:
    (folder / f"{name}.json").write_text(json.dumps(body))
    return ScriptedProvider(folder)


async def read(upstream: ScriptedUpstream) -> tuple[list[UpstreamEvent], GranthaError | None]:
    events: list[UpstreamEvent] = []
    try:
        async with asyncio.timeout(DEADLINE):
            async for batch in upstream:
                events += batch
    except GranthaError as error:
        return events, error
    return events, None


async def answer(provider: ScriptedProvider, model: str, prefix: str = "", **options: Any) -> Any:
    call = Call(model, QUESTION, Options.from_json(options), prefix)
    return await read(await provider.open(call))


def said(events: list[UpstreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def test_a_script_sends_its_text_and_counts_its_deltas(tmp_path: Path) -> None:
    provider = script(tmp_path, "s", steps=[{"text": "One two  three\n"}, {"text": "four"}])
    events, error = await answer(provider, "s")
    assert error is None
    assert said(events) == "One two  three\nfour"
    assert sum(event.deltas for event in events if isinstance(event, Text)) == 4
    usage = next(event.usage for event in events if isinstance(event, UsageSeen))
    assert (usage.input_tokens, usage.output_tokens) == (3, 4)
    assert events[-1] == Finished("stop", "stop")


@pytest.mark.parametrize("at", range(len("One two three four") + 1))
async def test_a_prefix_is_continued_exactly_where_it_ends(tmp_path: Path, at: int) -> None:
    text = "One two three four"
    provider = script(
        tmp_path,
        "s",
        steps=[
            {"reasoning": "Hm."},
            {"text": text[:8]},
            {"error": "Overloaded"},
            {"text": text[8:], "split": "chars"},
        ],
    )
    events, error = await answer(provider, "s", prefix=text[:at])
    if 0 < at < 8:
        assert isinstance(error, errors.Overloaded)
        assert text[:at] + said(events) == text[:8]
    elif at:
        assert error is None
        assert text[:at] + said(events) == text
        assert not any(isinstance(event, Reasoning) for event in events)


async def test_the_options_in_force_show_in_the_text_at_a_fixed_width(tmp_path: Path) -> None:
    provider = script(tmp_path, "s", steps=[{"repeat": "{n}:{temperature} ", "count": 3}])
    events, _ = await answer(provider, "s", temperature=0.2)
    assert said(events) == "0:0.20 1:0.20 2:0.20 "
    events, _ = await answer(provider, "s", prefix="0:0.20 1:0.20 ", temperature=1.0)
    assert said(events) == "2:1.00 "
    events, _ = await answer(provider, "s")
    assert said(events).startswith("0:none ")


async def test_a_hundred_thousand_deltas_need_one_line() -> None:
    events, _ = await answer(ScriptedProvider(), "count-100000")
    assert sum(event.deltas for event in events if isinstance(event, Text)) == 100_000
    assert said(events).endswith("w99999 ")


async def test_the_output_limit_is_kept(tmp_path: Path) -> None:
    events, _ = await answer(ScriptedProvider(), "count-100", max_tokens=3)
    assert said(events) == "w0 w1 w2 "
    assert events[-1] == Finished("length", "length")


@pytest.mark.parametrize(
    ("step", "expected", "native"),
    [
        ({"truncate": True}, errors.Truncated, None),
        ({"reset": True}, errors.Truncated, "ConnectionResetError"),
        ({"error": "rate_limited", "retry_after": 3}, errors.RateLimited, None),
        ({"error": "ContentBlocked", "native": "filter"}, errors.ContentBlocked, "filter"),
    ],
)
async def test_a_fault_comes_after_the_text_before_it(
    tmp_path: Path, step: dict[str, Any], expected: type[GranthaError], native: str | None
) -> None:
    provider = script(tmp_path, "s", steps=[{"text": "Half an "}, step, {"text": "answer"}])
    events, error = await answer(provider, "s")
    assert said(events) == "Half an "
    assert type(error) is expected
    assert error.native == native
    assert error.retry_after == step.get("retry_after")


async def test_attempts_are_taken_call_by_call_and_the_last_one_stays(tmp_path: Path) -> None:
    provider = script(
        tmp_path,
        "s",
        attempts=[{"refuse": "Overloaded"}, {"steps": [{"text": "a"}]}, {"steps": [{"text": "b"}]}],
    )
    with pytest.raises(errors.Overloaded):
        await answer(provider, "s")
    assert [said((await answer(provider, "s"))[0]) for _ in range(3)] == ["a", "b", "b"]


async def test_tools_sources_reasoning_and_usage_come_in_their_place(tmp_path: Path) -> None:
    provider = script(
        tmp_path,
        "s",
        usage=False,
        steps=[
            {"reasoning": "Hm.", "signature": "c2ln"},
            {"tool": "weather", "arguments": {"city": "Rome"}, "call_id": "c1"},
            {"cite": "https://example.org", "title": "T"},
            {"usage": {"input_tokens": 3}},
            {"finish": "tool-calls", "native": "tool_calls"},
            {"text": "never"},
        ],
    )
    events, _ = await answer(provider, "s")
    assert events[1:] == [
        Reasoning("Hm.", None, 1),
        Reasoning("", "c2ln", 0),
        ToolCall(0, "c1", "weather", '{"city":"Rome"}'),
        Cited("https://example.org", "T", None),
        events[5],
        Finished("tool-calls", "tool_calls"),
    ]
    assert isinstance(events[5], UsageSeen)
    assert events[5].usage.input_tokens == 3


async def test_a_gate_lets_out_as_many_deltas_as_its_file_says(tmp_path: Path) -> None:
    provider = script(tmp_path, "s", gate="pace", steps=[{"text": "a b c d "}])
    gate = tmp_path / "pace"
    gate.write_text("2")
    upstream = await provider.open(Call("s", QUESTION))
    received = ""
    async with asyncio.timeout(DEADLINE):
        async for batch in upstream:
            received += said(list(batch))
            if received == "a b ":
                gate.write_text("3")
            elif received == "a b c ":
                gate.write_text("open")
    assert received == "a b c d "


async def test_a_step_waits_until_its_gate_file_is_there(tmp_path: Path) -> None:
    provider = script(tmp_path, "s", steps=[{"text": "a "}, {"gate": "go"}, {"text": "b"}])
    received = ""
    async with asyncio.timeout(DEADLINE):
        async for batch in await provider.open(Call("s", QUESTION)):
            received += said(list(batch))
            if received == "a ":
                (tmp_path / "go").touch()
    assert received == "a b"


@pytest.mark.parametrize("steps", [[{"hang": True}], [{"wait": 1000}], [{"gate": "never"}]])
async def test_closing_ends_a_script_at_once_and_confirms_it(
    tmp_path: Path, steps: list[dict[str, Any]]
) -> None:
    provider = script(tmp_path, "s", steps=[{"text": "a "}, *steps])
    upstream = await provider.open(Call("s", QUESTION))
    reading = asyncio.create_task(read(upstream))
    await asyncio.sleep(0)
    assert await upstream.aclose() is True
    _, error = await asyncio.wait_for(reading, DEADLINE)
    assert isinstance(error, errors.Truncated)


async def test_declared_capabilities_are_reported(tmp_path: Path) -> None:
    provider = script(tmp_path, "s", capabilities={"prefix": True, "temperature": False}, steps=[])
    assert provider.capabilities("s").prefix
    assert not provider.capabilities("s").temperature
    assert provider.capabilities("hello").images is not None


async def test_a_script_may_be_toml_and_stands_before_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "hello.toml").write_text('[[steps]]\ntext = "mine"\n')
    events, _ = await answer(ScriptedProvider(tmp_path), "hello")
    assert said(events) == "mine"


async def test_every_shipped_script_can_be_read() -> None:
    cards = await ScriptedProvider().models()
    assert {(card.id, card.name) for card in cards} >= {("scripted/hello", "hello")}
    assert len(cards) == len(list(SHIPPED.glob("*.json")))


@pytest.mark.parametrize("name", ["nope", "../hello", "/etc/passwd", "", "a/b", "hello.json"])
async def test_a_name_that_is_no_script_is_unknown(name: str) -> None:
    provider = ScriptedProvider()
    assert not provider.has_model(name)
    with pytest.raises(UnknownModel):
        await provider.open(Call(name, QUESTION))


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("{oops", "JSON"),
        ('{"stepps": []}', "stepps"),
        ('{"steps": [{"txt": "a"}]}', "a step has none of"),
        ('{"steps": [{"error": "Nope"}]}', "Nope"),
        ('{"refuse": "Nope"}', "Nope"),
        ('{"capabilities": {"wings": true}}', "wings"),
    ],
)
async def test_a_script_that_is_wrong_says_where(tmp_path: Path, body: str, wrong: str) -> None:
    (tmp_path / "bad.json").write_text(body)
    with pytest.raises(BadRequest, match=wrong) as caught:
        await ScriptedProvider(tmp_path).open(Call("bad", QUESTION))
    assert "'bad.json'" in caught.value.message
