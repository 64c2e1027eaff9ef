"""OpenAI's Python client at `/v1/responses`: what its `background` needs is what our log is."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.compat_clients.conftest import PNG, TEXT, THOUGHT, CompatServer
from tests.server import until

DELTA = "response.output_text.delta"


def text_of(events: list[Any]) -> str:
    return "".join(event.delta for event in events if event.type == DELTA)


def location_of(response: Any) -> str:
    return f"/api/generations/{response.id.removeprefix('resp_')}/events"


@pytest.mark.client("openai: Responses", "streams", "reasoning", "usage")
def test_a_stream_has_every_event_and_adds_up(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    with openai_client.responses.stream(model="scripted/everything", input="Hi") as stream:
        events: list[Any] = list(stream)
        final = stream.get_final_response()
    assert text_of(events) == final.output_text == TEXT
    compat_server.assert_said(location_of(final), TEXT)
    assert [item.type for item in final.output] == ["reasoning", "message"]
    thought = final.output[0]
    assert thought.type == "reasoning"
    assert (thought.summary[0].text, thought.encrypted_content) == (THOUGHT, "proof==")
    kinds = {event.type for event in events}
    assert {
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.output_text.annotation.added",
        "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
        "response.completed",
    } <= kinds  # fmt: skip
    numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
    assert numbers == sorted(set(numbers))


@pytest.mark.client("openai: Responses", "whole replies", "images", "structured output")
def test_a_whole_response_repeats_the_request(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    image: Any = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    message: Any = {"role": "user", "content": [{"type": "input_text", "text": "See"}, image]}
    made = openai_client.responses.create(
        model="scripted/everything",
        instructions="Be brief",
        input=[message],
        temperature=0.5,
        max_output_tokens=900,
        metadata={"a": "b"},
        text={"format": {"type": "json_object"}},
    )
    assert (made.status, made.output_text) == ("completed", TEXT)
    assert (made.instructions, made.metadata) == ("Be brief", {"a": "b"})
    found = openai_client.responses.retrieve(made.id)
    assert (found.temperature, found.max_output_tokens) == (0.5, 900)
    assert (found.output_text, found.metadata) == (TEXT, {"a": "b"})
    options = compat_server.generation(compat_server.located(location_of(made)))["options"]
    assert options["response_format"] == {"type": "json_object"}


@pytest.mark.client("openai: Responses", "resuming")
def test_a_background_response_is_resumed_after_any_number_with_exactly_the_rest(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model, allow = compat_server.gated()
    made = openai_client.responses.create(model=model, input="Hi", background=True)
    assert made.status == "in_progress"
    allow(4)
    live = openai_client.responses.retrieve(made.id, stream=True)
    seen: list[Any] = []
    for event in live:
        seen.append(event)
        if len(text_of(seen)) == 4:
            break
    live.close()
    allow("open")
    compat_server.ended(compat_server.located(location_of(made)))

    for place, event in enumerate(seen):
        rest: list[Any] = list(
            openai_client.responses.retrieve(
                made.id, stream=True, starting_after=event.sequence_number
            )
        )
        assert text_of([*seen[: place + 1], *rest]) == TEXT
        assert rest[0].sequence_number > event.sequence_number
        assert rest[-1].response.output_text == TEXT

    whole: list[Any] = list(openai_client.responses.retrieve(made.id, stream=True))
    for place, event in enumerate(whole):
        rest = list(
            openai_client.responses.retrieve(
                made.id, stream=True, starting_after=event.sequence_number
            )
        )
        assert rest == whole[place + 1 :]


@pytest.mark.client("openai: Responses", "stopping")
def test_a_response_is_cancelled_and_says_so(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model, allow = compat_server.gated()
    made = openai_client.responses.create(model=model, input="Hi", background=True)
    stream = openai_client.responses.retrieve(made.id, stream=True)
    allow(5)
    compat_server.wait_for_text(location_of(made), 5)
    gone = openai_client.responses.cancel(made.id)
    assert (gone.status, gone.output_text) == ("cancelled", TEXT[:5])
    last: Any = list(stream)[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "cancelled")
    assert openai_client.responses.retrieve(made.id).status == "cancelled"


def test_a_deleted_response_is_gone(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model, _ = compat_server.gated()
    made = openai_client.responses.create(model=model, input="Hi", background=True)
    openai_client.responses.delete(made.id)
    for call in (openai_client.responses.retrieve, openai_client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="There is no response"):
            call(made.id)
    assert until(
        lambda: compat_server.call("GET", location_of(made).removesuffix("/events")).status != 500,
        "no 500",
    )


def test_a_response_goes_on_from_the_one_before(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    first = openai_client.responses.create(model="scripted/hello", input="One")
    second = openai_client.responses.create(
        model="scripted/hello", input="Two", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    found = compat_server.generation(compat_server.located(location_of(second)))
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    said = [m["parts"][0]["text"] for m in conversation["messages"]]
    assert said == ["One", first.output_text, "Two", second.output_text]
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.create(
            model="scripted/hello", input="Hi", previous_response_id="resp_none"
        )


def test_the_input_of_a_response_is_listed_and_can_be_sent_again(
    openai_client: openai.OpenAI,
) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    document = {
        "type": "input_file",
        "filename": "a.txt",
        "file_data": "data:text/plain;base64,SGk=",
    }
    requested: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "See"}, image, document]},
        {"type": "reasoning", "summary": [], "encrypted_content": "proof"},
        {"role": "assistant", "content": "I look"},
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "12 degrees"}, image],
        },
    ]
    made = openai_client.responses.create(model="scripted/hello", input=requested)
    items = openai_client.responses.input_items.list(made.id, order="asc", limit=2)
    reported: list[Any] = [item.to_dict() for item in items]  # the client turns the pages
    assert [item["type"] for item in reported] == [
        "message", "reasoning", "message", "function_call", "function_call_output"
    ]  # fmt: skip
    assert [part["type"] for part in reported[-1]["output"]] == ["input_text", "input_image"]
    assert [part["type"] for part in reported[0]["content"]] == [
        "input_text", "input_image", "input_file"
    ]  # fmt: skip
    again = openai_client.responses.create(model="scripted/hello", input=reported)
    second = openai_client.responses.input_items.list(again.id, order="asc")
    plain = [{k: v for k, v in item.items() if k != "id"} for item in reported]
    assert [{k: v for k, v in item.to_dict().items() if k != "id"} for item in second] == plain
    newest = openai_client.responses.input_items.list(made.id).data[0]
    assert newest.to_dict() == reported[-1]
    with pytest.raises(openai.NotFoundError, match="There is no item"):
        openai_client.responses.input_items.list(made.id, after="item_none")


def test_an_item_that_is_referred_to_is_read_from_its_response(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    first = openai_client.responses.create(model="scripted/think-and-call", input="Hi")
    refer: list[Any] = [{"type": "item_reference", "id": item.id} for item in first.output]
    result: Any = {"type": "function_call_output", "call_id": "call_1", "output": "12 degrees"}
    second = openai_client.responses.create(
        model="scripted/hello", input=[{"role": "user", "content": "Hi"}, *refer, result]
    )
    found = compat_server.generation(compat_server.located(location_of(second)))
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    kinds = [part["type"] for message in conversation["messages"][:-1] for part in message["parts"]]
    assert kinds == ["text", "reasoning", "text", "tool-call", "tool-result"]
    assert conversation["messages"][1]["parts"][0]["signature"] == "proof=="
    for unknown in ("item_none", "item_g_none_0", f"{first.output[0].id}9"):
        with pytest.raises(openai.NotFoundError, match="There is no item"):
            openai_client.responses.create(
                model="scripted/hello", input=[{"type": "item_reference", "id": unknown}]
            )


def test_an_input_is_not_counted_by_guess(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="can't count tokens without answering"):
        openai_client.responses.input_tokens.count(model="scripted/hello", input="Hi")


def test_what_is_not_stored_is_read_once_and_found_nowhere(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    first = openai_client.responses.create(model="scripted/hello", input="One")
    made = openai_client.responses.create(
        model="scripted/hello", input="Two", store=False, previous_response_id=first.id
    )
    assert (made.status, made.to_dict()["store"]) == ("completed", False)
    for call in (openai_client.responses.retrieve, openai_client.responses.delete):
        with pytest.raises(openai.NotFoundError, match="There is no response"):
            call(made.id)
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.create(
            model="scripted/hello", input="Hi", previous_response_id=made.id
        )
    found = compat_server.generation(compat_server.located(location_of(made)))
    listed = compat_server.call("GET", "/api/conversations?origin=all&limit=200").expect(200)[
        "items"
    ]
    assert found["conversation"] not in {item["id"] for item in listed}
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    said = [message["parts"][0]["text"] for message in conversation["messages"]]
    assert said == ["One", first.output_text, "Two", made.output_text]
    kept = compat_server.generation(compat_server.located(location_of(first)))["conversation"]
    conversation = compat_server.call("GET", f"/api/conversations/{kept}").expect(200)
    assert len(conversation["messages"]) == 2
    with pytest.raises(openai.BadRequestError, match="'background' needs 'store'"):
        openai_client.responses.create(
            model="scripted/hello", input="Hi", background=True, store=False
        )


@pytest.mark.client("openai: Responses", "tools")
def test_functions_go_out_and_their_outputs_come_back(openai_client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "name": "get_weather", "parameters": {}, "strict": False}
    first = openai_client.responses.create(model="scripted/call", input="Hi", tools=[tool])
    call: Any = first.output[-1]
    assert (call.type, call.call_id, call.arguments) == (
        "function_call", "call_1", '{"city":"Paris"}'
    )  # fmt: skip
    again: list[Any] = [
        {"role": "user", "content": "Hi"},
        *[item.model_dump(exclude_none=True) for item in first.output],
        {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"},
    ]
    second = openai_client.responses.create(model="scripted/hello", input=again, tools=[tool])
    assert second.output_text.startswith("Hello!")


@pytest.mark.client("openai: Responses", "errors")
def test_a_failed_response_says_why(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    made = openai_client.responses.create(model="scripted/blocked", input="Hi", background=True)
    compat_server.ended(compat_server.located(location_of(made)))
    found = openai_client.responses.retrieve(made.id)
    assert found.status == "failed"
    assert found.error is not None
    assert found.error.message.startswith("The filter cut it")
    with pytest.raises(openai.RateLimitError):
        openai_client.responses.create(model="scripted/limited", input="Hi")


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("scripted/too-long", "context_length_exceeded"),
        ("scripted/no-credit", "insufficient_quota"),
        ("scripted/refuses", "server_error"),
    ],
)
def test_a_failed_response_has_the_vendors_code(
    openai_client: openai.OpenAI, compat_server: CompatServer, model: str, code: str
) -> None:
    made = openai_client.responses.create(model=model, input="Hi", background=True)
    compat_server.ended(compat_server.located(location_of(made)))
    error = openai_client.responses.retrieve(made.id).error
    assert error is not None
    assert error.code == code


def test_an_incomplete_response_says_why(openai_client: openai.OpenAI) -> None:
    made = openai_client.responses.create(model="scripted/hello", input="Hi", max_output_tokens=2)
    assert made.status == "incomplete"
    assert made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"
