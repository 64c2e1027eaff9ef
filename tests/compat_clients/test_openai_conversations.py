"""OpenAI's Python client at `/v1/conversations`, and responses in a conversation."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.compat_clients.conftest import PNG, CompatServer

MODEL = "scripted/hello"
USER: Any = {"type": "message", "role": "user", "content": "One"}
ANSWER: Any = {"type": "message", "role": "assistant", "content": "Two"}


def texts(client: openai.OpenAI, conversation: str) -> list[str]:
    """The texts of all items, oldest first; the client turns the pages."""
    items = client.conversations.items.list(conversation, order="asc", limit=2)
    found: list[Any] = [item.to_dict() for item in items]
    return [part["text"] for item in found for part in item["content"]]


def test_a_conversation_has_metadata_that_can_be_replaced(openai_client: openai.OpenAI) -> None:
    made = openai_client.conversations.create(metadata={"topic": "palms"})
    assert (made.object, made.metadata) == ("conversation", {"topic": "palms"})
    changed = openai_client.conversations.update(made.id, metadata={"topic": "leaves"})
    assert changed.metadata == {"topic": "leaves"}
    assert openai_client.conversations.retrieve(made.id) == changed
    assert openai_client.conversations.items.list(made.id).data == []
    assert openai_client.conversations.create().metadata == {}


def test_a_response_continues_a_conversation_and_is_part_of_it(
    openai_client: openai.OpenAI,
) -> None:
    made = openai_client.conversations.create(items=[USER, ANSWER])
    first = openai_client.responses.create(
        model=MODEL, input="Three", conversation=made.id, instructions="Be brief."
    )
    assert first.conversation is not None
    assert first.conversation.id == made.id
    again = openai_client.responses.retrieve(first.id)
    assert again.conversation == first.conversation
    assert again.instructions == "Be brief."
    with openai_client.responses.stream(
        model=MODEL, input="Five", conversation={"id": made.id}
    ) as stream:
        second = stream.get_final_response()
    assert second.conversation == first.conversation
    said = ["One", "Two", "Three", first.output_text, "Five", second.output_text]
    assert texts(openai_client, made.id) == said


def test_a_response_that_is_not_stored_leaves_the_conversation_as_it_was(
    openai_client: openai.OpenAI,
) -> None:
    made = openai_client.conversations.create(items=[USER])
    openai_client.responses.create(model=MODEL, input="Go", conversation=made.id, store=False)
    assert texts(openai_client, made.id) == ["One"]


def test_items_are_added_read_and_deleted(openai_client: openai.OpenAI) -> None:
    items = openai_client.conversations.items
    made = openai_client.conversations.create(items=[USER])
    call: Any = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
    result: Any = {
        "type": "function_call_output",
        "call_id": "c1",
        "output": [{"type": "input_text", "text": "Seen"}, image],
    }
    added = items.create(made.id, items=[call, result, ANSWER])
    assert [item.type for item in added.data] == [
        "function_call",
        "function_call_output",
        "message",
    ]
    assert (added.first_id, added.has_more) == (added.data[0].id, False)
    newest: Any = items.list(made.id, limit=1).data[0]
    assert items.retrieve(newest.id, conversation_id=made.id) == newest == added.data[-1]
    assert items.delete(newest.id, conversation_id=made.id).id == made.id
    assert [item.type for item in items.list(made.id, order="asc")] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    first: Any = items.list(made.id, order="asc").data[0]
    items.delete(first.id, conversation_id=made.id)
    rest = [item.type for item in items.list(made.id, order="asc")]
    assert rest == ["function_call", "function_call_output"]
    with pytest.raises(openai.NotFoundError, match="There is no item"):
        items.retrieve(first.id, conversation_id=made.id)


def test_one_item_of_an_answer_is_deleted_and_the_rest_of_it_stays(
    openai_client: openai.OpenAI,
) -> None:
    items = openai_client.conversations.items
    made = openai_client.conversations.create()
    openai_client.responses.create(
        model="scripted/think-and-call", input="Go", conversation=made.id
    )
    found: Any = items.list(made.id).data
    assert [item.type for item in found] == ["function_call", "message", "reasoning", "message"]
    items.delete(found[0].id, conversation_id=made.id)
    kept = [item.type for item in items.list(made.id, order="asc")]
    assert kept == ["message", "reasoning", "message"]


def test_nothing_is_added_while_an_answer_is_being_written(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model, allow = compat_server.gated("Done.")
    made = openai_client.conversations.create()
    response = openai_client.responses.create(
        model=model, input="Go", conversation=made.id, background=True
    )
    with pytest.raises(openai.ConflictError):
        openai_client.conversations.items.create(made.id, items=[USER])
    with pytest.raises(openai.ConflictError):
        openai_client.responses.create(model=MODEL, input="Go", conversation=made.id)
    allow("open")
    for _ in openai_client.responses.retrieve(response.id, stream=True):
        pass
    openai_client.conversations.items.create(made.id, items=[USER])
    assert texts(openai_client, made.id) == ["Go", "Done.", "One"]


def test_a_deleted_conversation_is_gone_with_its_responses(openai_client: openai.OpenAI) -> None:
    made = openai_client.conversations.create()
    response = openai_client.responses.create(model=MODEL, input="Go", conversation=made.id)
    receipt = openai_client.conversations.delete(made.id)
    assert (receipt.id, receipt.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError, match="There is no conversation"):
        openai_client.conversations.retrieve(made.id)
    with pytest.raises(openai.NotFoundError, match="There is no conversation"):
        openai_client.responses.create(model=MODEL, input="Go", conversation=made.id)
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(response.id)


@pytest.mark.parametrize(
    "metadata", [{"a": 1}, {"a": "x" * 513}, {"a" * 65: "x"}, {str(n): "x" for n in range(17)}]
)
def test_metadata_are_bounded_as_at_openai(openai_client: openai.OpenAI, metadata: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="metadata"):
        openai_client.conversations.create(metadata=metadata)


def test_what_makes_no_sense_is_refused(openai_client: openai.OpenAI) -> None:
    made = openai_client.conversations.create(items=[USER])
    response = openai_client.responses.create(model=MODEL, input="Go")
    with pytest.raises(openai.BadRequestError, match="together"):
        openai_client.responses.create(
            model=MODEL, input="Go", conversation=made.id, previous_response_id=response.id
        )
    with pytest.raises(openai.BadRequestError, match="more than 20"):
        openai_client.conversations.items.create(made.id, items=[USER] * 21)
    with pytest.raises(openai.BadRequestError, match="nothing to add"):
        openai_client.conversations.items.create(made.id, items=[])


@pytest.mark.parametrize("name", ["conversation", "previous_response_id"])
def test_only_the_responses_api_continues_what_was_before(
    compat_server: CompatServer, name: str
) -> None:
    body = {"model": MODEL, "input": "Go", name: "one_1"}
    reply = compat_server.call("POST", "/v1/chat/completions", body)
    assert name in reply.expect(400)["error"]["message"]


# ---- compaction ----------------------------------------------------------------------------------


def test_a_compacted_conversation_is_the_input_of_the_next_response(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model = compat_server.script("summary", {"steps": [{"text": "They counted palms."}]})
    first = openai_client.responses.create(model=MODEL, input="Zero")
    call: Any = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    result: Any = {"type": "function_call_output", "call_id": "c1", "output": "Seen"}
    compacted = openai_client.responses.compact(
        model=model, input=[USER, call, result, ANSWER], previous_response_id=first.id
    )
    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["message", "message", "compaction"]
    assert compacted.usage.total_tokens > 0
    # The SDK types the user's messages as if they were answers.
    output: Any = [item.to_dict(warnings=False) for item in compacted.output]
    again = openai_client.responses.create(model=MODEL, input=[*output, USER])
    items: Any = openai_client.responses.input_items.list(again.id, order="asc").data
    assert [item.content[0].text for item in items] == [
        "Zero",
        "One",
        "Summary of the conversation so far:\n\nThey counted palms.",
        "One",
    ]
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(compacted.id)


def test_nothing_to_compact_and_no_summary_are_errors(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    with pytest.raises(openai.BadRequestError, match="nothing to compact"):
        openai_client.responses.compact(model=MODEL, input=[])
    broken: Any = {"type": "compaction", "encrypted_content": "grantha:?"}
    with pytest.raises(openai.BadRequestError, match="compaction"):
        openai_client.responses.create(model=MODEL, input=[broken, USER])
    foreign: Any = {"type": "compaction", "encrypted_content": "only OpenAI reads it"}
    assert openai_client.responses.create(model=MODEL, input=[foreign, USER]).output_text
    silent = compat_server.script("silent", {"steps": [{"finish": "stop"}]})
    with pytest.raises(openai.APIStatusError, match="summary"):
        openai_client.responses.compact(model=silent, input=[USER])
