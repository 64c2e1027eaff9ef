"""What an answer does when its provider fails: the policy in action, over a real store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from grantha.chat import Capabilities, Usage
from grantha.engine.tuning import Tuning
from grantha.errors import (
    ContentBlocked,
    GranthaError,
    Overloaded,
    ProviderFailed,
    RateLimited,
    Truncated,
    UnknownModel,
    Unreachable,
)
from grantha.events import Accepted, Finished, Notice, Reasoning, Text, ToolCall, UsageSeen
from tests.engine.conftest import MakeRig
from tests.engine.rig import NO_PAUSES, Rig, StubProvider, StubUpstream, refusing, replying
from tests.scripts import counted

PREFIX = Capabilities(prefix=True)
NO_CONTINUATION = Capabilities(prefix=False, instruction=False)
STOP = Finished("stop")


async def answered(make_rig: MakeRig, own: StubProvider, **more: Any) -> Any:
    rig = await make_rig(providers={"own": own}, **more)
    return await rig.ended(await rig.ask("own/model"))


async def test_a_refused_call_is_retried_after_the_pause_that_the_provider_requests(
    make_rig: MakeRig,
) -> None:
    own = StubProvider(
        [refusing(RateLimited("slow down", retry_after=0.01)), replying([Text("hi"), STOP])]
    )
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.text, answer.reasons) == ("done", "hi", [])
    retries = [e for e in answer.events(Notice) if e.code == "retrying"]
    assert [e.details["delay_ms"] for e in retries] == [10]
    assert len(own.calls) == 2


async def test_a_provider_that_asks_for_an_hour_counts_as_gone(make_rig: MakeRig) -> None:
    own = StubProvider([refusing(RateLimited("slow down", retry_after=3600))])
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.error["code"]) == ("failed", "rate_limited")
    assert answer.error["retry_after"] == 3600
    assert len(own.calls) == 1


async def test_three_failures_in_a_row_without_a_word_end_as_failed(make_rig: MakeRig) -> None:
    own = StubProvider([refusing(Overloaded("full", retry_after=0.0))])
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.error["code"], len(own.calls)) == ("failed", "overloaded", 3)


async def test_a_cut_answer_is_continued_from_its_text_with_a_seam(rig: Rig) -> None:
    model = rig.script(
        "cut",
        {"text": "one two "},
        {"truncate": True},
        {"text": "three"},
        capabilities={"prefix": True},
    )
    answer = await rig.ended(await rig.ask(model))
    assert (answer.ending, answer.text) == ("done", "one two three")
    assert answer.reasons == [("provider-lost", "prefix")]
    assert answer.folded.seams[0].text_length == len("one two ")
    assert answer.folded.seams[0].details["error"]["code"] == "truncated"


async def test_every_cut_answer_is_continued_as_long_as_text_comes(rig: Rig) -> None:
    steps: list[dict[str, object]] = []
    for number in range(5):
        steps += [{"text": f"part{number} "}, {"reset": True}]
    model = rig.script("cuts", *steps, {"text": "end"}, capabilities={"prefix": True})
    answer = await rig.ended(await rig.ask(model))
    assert answer.text == "part0 part1 part2 part3 part4 end"
    assert answer.reasons == [("provider-lost", "prefix")] * 5


async def test_a_cut_answer_of_a_model_without_prefix_is_failed_and_its_text_kept(rig: Rig) -> None:
    model = rig.script("cut", {"text": "one two "}, {"truncate": True})
    answer = await rig.ended(await rig.ask(model))
    assert (answer.ending, answer.text) == ("failed", "one two ")
    assert answer.error["code"] == "truncated"


async def test_a_reply_without_a_terminal_sign_is_never_done(make_rig: MakeRig) -> None:
    own = StubProvider([replying([Text("half an ans")])], NO_CONTINUATION)
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.error["code"]) == ("failed", "truncated")


async def test_an_error_after_the_terminal_sign_takes_nothing_from_a_complete_answer(
    make_rig: MakeRig,
) -> None:
    own = StubProvider([replying([Text("whole"), STOP], Truncated("reset after the end"))], PREFIX)
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.text, answer.reasons) == ("done", "whole", [])
    assert len(own.calls) == 1


async def test_the_fallback_takes_over_before_the_first_word(make_rig: MakeRig) -> None:
    first = StubProvider([refusing(ContentBlocked("no"))], name="first")
    broken = StubProvider([refusing(Unreachable("gone", retry_after=999.0))], name="broken")
    second = StubProvider([replying([Text("from the second"), STOP])], name="second")
    rig = await make_rig(
        providers={"first": first, "broken": broken, "second": second},
        tuning=Tuning(
            window=0.001,
            titles=False,
            limits=NO_PAUSES,
            fallbacks={"first/m": ("second/m",), "broken/m": ("second/m",)},
        ),
    )
    refused = await rig.ended(await rig.ask("first/m"))
    assert (refused.ending, refused.error["code"]) == ("failed", "content_blocked")
    answer = await rig.ended(await rig.ask("broken/m"))
    assert (answer.ending, answer.text) == ("done", "from the second")
    assert answer.reasons == [("fallback", None)]
    assert answer.folded.seams[0].changes == {"model": ["broken/m", "second/m"]}


async def test_the_fallback_continues_the_text_of_the_first_model(make_rig: MakeRig) -> None:
    text = "The quick brown fox jumps over the lazy dog"
    first = StubProvider(
        [replying([Text(text[:20])], Unreachable("gone"))], NO_CONTINUATION, name="first"
    )
    second = StubProvider([replying([Text(text[4:20] + text[20:]), STOP])], name="second")
    rig = await make_rig(
        providers={"first": first, "second": second},
        tuning=Tuning(window=0.001, titles=False, limits=NO_PAUSES, fallbacks={"*": ("second/m",)}),
    )
    answer = await rig.ended(await rig.ask("first/m"))
    assert (answer.ending, answer.text) == ("done", text)
    assert answer.reasons == [("fallback", "instruction")]
    requested = second.calls[0][0].messages
    assert [message.role for message in requested] == ["user", "assistant", "user"]
    assert requested[1].text == text[:20]


async def test_a_chain_of_fallbacks_is_tried_in_order_and_then_given_up(make_rig: MakeRig) -> None:
    gone = {n: StubProvider([refusing(Unreachable("gone", retry_after=99))], name=n) for n in "abc"}
    rig = await make_rig(
        providers=gone,
        tuning=Tuning(
            window=0.001, titles=False, limits=NO_PAUSES, fallbacks={"a/m": ("b/m", "c/m")}
        ),
    )
    answer = await rig.ended(await rig.ask("a/m"))
    assert (answer.ending, answer.error["code"]) == ("failed", "unreachable")
    assert [seam.model for seam in answer.folded.seams] == ["b/m", "c/m"]
    assert [len(own.calls) for own in gone.values()] == [1, 1, 1]


async def test_the_rest_of_the_same_reply_is_fetched_where_the_provider_keeps_it(
    make_rig: MakeRig,
) -> None:
    own = StubProvider(
        [
            replying([Text("one ")], Truncated("cut"), token="reply-7"),
            replying([Text("two"), STOP], token="reply-7"),
        ],
        NO_CONTINUATION,
    )
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.text, answer.reasons) == ("done", "one two", [])
    assert [resume for _, resume in own.calls] == [None, "reply-7"]


async def test_a_reply_is_resumed_at_most_twice(make_rig: MakeRig) -> None:
    own = StubProvider([replying([Text("x")], Truncated("cut"), token="reply-7")], NO_CONTINUATION)
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.text) == ("failed", "xxx")
    assert [resume for _, resume in own.calls] == [None, "reply-7", "reply-7"]


async def test_an_answer_that_began_to_call_a_tool_is_not_continued(make_rig: MakeRig) -> None:
    own = StubProvider(
        [replying([Text("Let me see. "), ToolCall(0, "call-1", "look", '{"a"')], Truncated("cut"))],
        PREFIX,
    )
    answer = await answered(make_rig, own)
    assert (answer.ending, len(own.calls)) == ("failed", 1)


async def test_reasoning_without_text_starts_over_after_a_cut(make_rig: MakeRig) -> None:
    own = StubProvider(
        [replying([Reasoning("hm")], Truncated("cut")), replying([Text("answer"), STOP])], PREFIX
    )
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.text) == ("done", "answer")
    assert own.calls[1][0].prefix == ""


async def test_max_tokens_holds_over_all_segments(rig: Rig) -> None:
    model = rig.script(
        "cut",
        {"repeat": "w{n} ", "count": 4},
        {"truncate": True},
        {"repeat": "w{n} ", "start": 4, "count": 96},
        capabilities={"prefix": True},
    )
    answer = await rig.ended(await rig.ask(model, max_tokens=40))
    assert (answer.ending, answer.text) == ("done", counted(40))
    assert answer.folded.end is not None
    assert answer.folded.end.finish_reason == "length"


async def test_a_cut_after_the_last_allowed_token_is_complete_by_the_vendors_count(
    make_rig: MakeRig,
) -> None:
    used = UsageSeen(Usage(input_tokens=5, output_tokens=2))
    own = StubProvider([replying([Text("one "), Text("two "), used], Truncated("cut"))], PREFIX)
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model", max_tokens=2))
    assert (answer.ending, answer.text, len(own.calls)) == ("done", "one two ", 1)


@pytest.mark.parametrize(
    "error", [Truncated("cut"), ContentBlocked("filtered"), ProviderFailed("broken")], ids=str
)
async def test_as_many_deltas_as_tokens_allowed_never_make_a_broken_answer_complete(
    make_rig: MakeRig, error: GranthaError
) -> None:
    own = StubProvider([replying([Text("one "), Text("two ")], error)], Capabilities(prefix=False))
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model", max_tokens=2))
    assert (answer.ending, answer.text) == ("failed", "one two ")


async def test_a_filtered_answer_is_never_complete_by_its_length(make_rig: MakeRig) -> None:
    used = UsageSeen(Usage(output_tokens=2))
    own = StubProvider([replying([Text("one "), used], ContentBlocked("filtered"))], PREFIX)
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model", max_tokens=2))
    assert answer.ending == "failed"


async def test_what_is_left_of_the_limit_is_counted_in_the_vendors_tokens(
    make_rig: MakeRig,
) -> None:
    used = UsageSeen(Usage(output_tokens=30))
    first = replying([Text("one "), used], Truncated("cut"))
    own = StubProvider([first, replying([Text("two"), STOP])], PREFIX)
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model", max_tokens=100))
    assert (answer.ending, own.calls[1][0].options.max_tokens) == ("done", 70)


async def test_usage_is_a_lower_bound_once_a_call_was_cut_and_known_when_it_was_only_refused(
    make_rig: MakeRig,
) -> None:
    used = UsageSeen(Usage(input_tokens=5, output_tokens=2))
    cut = StubProvider(
        [replying([Text("a ")], Truncated("cut")), replying([Text("b"), used, STOP])], PREFIX
    )
    answer = await answered(make_rig, cut)
    assert answer.folded.usage == Usage(input_tokens=5, output_tokens=2, partial=True)
    refused = StubProvider(
        [
            refusing(RateLimited("later", retry_after=0)),
            replying([Accepted("m"), Text("b"), used, STOP]),
        ]
    )
    answer = await answered(make_rig, refused)
    assert answer.folded.usage == Usage(input_tokens=5, output_tokens=2)


async def test_a_missing_key_is_reported_by_the_answer_itself(make_rig: MakeRig) -> None:
    from grantha.errors import MissingKey

    own = StubProvider([refusing(MissingKey("No key: set OWN_API_KEY."))])
    answer = await answered(make_rig, own)
    assert (answer.ending, answer.error["code"]) == ("failed", "missing_key")
    assert "OWN_API_KEY" in answer.error["message"]


@pytest.mark.parametrize(
    "defect", [ValueError("a bug"), RuntimeError("a bug"), asyncio.CancelledError()], ids=repr
)
async def test_a_defect_of_a_provider_is_a_failed_answer_and_nothing_else(
    make_rig: MakeRig, defect: BaseException
) -> None:
    for own in (
        StubProvider([replying([Text("some")], defect)], NO_CONTINUATION),
        StubProvider([refusing(defect)], NO_CONTINUATION),
    ):
        answer = await answered(make_rig, own)
        assert answer.ending == "failed"
        assert answer.error["code"] in {"internal", "provider_failed"}
        assert "a bug" not in str(answer.error)


async def test_an_answer_ends_whose_model_is_known_no_more(make_rig: MakeRig) -> None:
    class Forgetful(StubProvider):
        @override
        def capabilities(self, model: str) -> Capabilities:
            if self.calls:
                raise UnknownModel(f"There is no model {model!r} any more.")
            return self.facts

    own = Forgetful([replying([Text("so far")], Truncated("cut"))])
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model"))
    assert (answer.ending, answer.text, answer.error["code"]) == ("failed", "so far", "truncated")


async def test_a_provider_that_does_not_let_itself_be_closed_ends_all_the_same(
    make_rig: MakeRig,
) -> None:
    async def never() -> bool:
        raise ValueError("closing failed")

    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text("all of it"), STOP]

        return StubUpstream(run(), close=never)

    answer = await answered(make_rig, StubProvider([opened]))
    assert (answer.ending, answer.text) == ("done", "all of it")


async def test_halves_of_characters_do_no_harm(make_rig: MakeRig) -> None:
    torn = "\ud83d"
    own = StubProvider(
        [
            replying(
                [Reasoning(f"t{torn}"), Text(f"a{torn}b"), ToolCall(0, torn, "look", f'"{torn}"')],
                [Finished("tool-calls", torn)],
            )
        ]
    )
    rig = await make_rig(providers={"own": own})
    answer, other = await asyncio.gather(
        rig.ended(await rig.ask("own/model")), rig.ended(await rig.ask("scripted/count-50"))
    )
    assert (answer.ending, answer.text) == ("done", "a\ufffdb")
    assert other.ending == "done"


async def test_a_provider_that_floods_waits_for_the_store(make_rig: MakeRig) -> None:
    """Back-pressure: what waits for the store stays bounded however fast the provider is."""
    most = 0
    chunk = "x" * 1000

    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            nonlocal most
            for _ in range(2000):
                yield [Text(chunk)]
                (run_,) = rig.supervisor._running.values()
                most = max(most, run_.log.pending_bytes)
            yield [STOP]

        return StubUpstream(run())

    rig = await make_rig(providers={"own": StubProvider([opened])})
    answer = await rig.ended(await rig.ask("own/model"))
    assert len(answer.text) == 2_000_000
    assert most <= 66_000
