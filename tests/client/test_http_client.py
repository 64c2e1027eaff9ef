"""Sends that are repeated safely, errors that keep their class, and every call of the API once."""

from __future__ import annotations

import asyncio

import pytest

from grantha.chat import FilePart, ImagePart, Options, Part, TextPart
from grantha.client import Client, ServerUnavailable, UnexpectedResponse
from grantha.client.responses import ImageLink
from grantha.errors import (
    BadRequest,
    Conflict,
    ContentBlocked,
    MissingKey,
    NotFound,
    Unauthorized,
    UnknownModel,
    Unsupported,
)
from tests.client.relay import WELL, Fault, relay
from tests.server import MakeServer, Server

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_a_send_whose_reply_was_lost_makes_one_answer(shared: Server) -> None:
    lost: list[bytes] = []

    def lose_the_first(head: bytes) -> Fault:
        if b"POST" in head and b"/generations" in head and not lost:
            lost.append(head)
            return Fault(0)
        return WELL

    async with relay(shared.port, lose_the_first) as line, Client(line.url) as client:
        conversation = await client.create_conversation()
        generation = await client.send(conversation.id, "Once", model="scripted/hello")
        answer = await generation.answer()
        messages = (await client.conversation(conversation.id)).thread()

    assert lost, "nothing was lost"
    assert [m.role for m in messages] == ["user", "assistant"]
    assert messages[1].id == answer.message


async def test_what_could_be_done_twice_is_not_repeated(shared: Server) -> None:
    def lose_creations(head: bytes) -> Fault:
        return Fault(0) if b"POST /api/conversations " in head else WELL

    async with relay(shared.port, lose_creations) as line, Client(line.url) as client:
        await client.models()
        with pytest.raises(ServerUnavailable, match="closed the connection"):
            await client.create_conversation()
        tried = sum(b"POST /api/conversations " in head for head in line.requests)

    assert tried == 1


async def test_errors_keep_their_class_and_advice(shared: Server) -> None:
    async with Client(shared.url) as client:
        keyless = await client.ask("Hello", model="anthropic/claude-sonnet-4-5")
        with pytest.raises(MissingKey, match="ANTHROPIC_API_KEY") as missing:
            _ = [chunk async for chunk in keyless.text()]
        with pytest.raises(UnknownModel):
            await client.ask("Hello", model="scripted/nothing-like-it")
        with pytest.raises(NotFound):
            await client.generation("g_nothing")
        with pytest.raises(BadRequest):
            await client.ask("  ", model="scripted/hello")
        generation = await client.ask("Hello", model="scripted/count-1")
        await generation.answer()
        with pytest.raises(Conflict):
            await generation.change(temperature=0.5)

    assert "ANTHROPIC_API_KEY" in missing.value.advice


async def test_a_change_that_the_model_cannot_carry_out_is_unsupported(shared: Server) -> None:
    model = shared.script(
        "fixed",
        {
            "capabilities": {"temperature": False},
            "rate": 50,
            "steps": [{"text": "A "}, {"hang": True}],
        },
    )
    async with Client(shared.url) as client:
        generation = await client.ask("Hello", model=model)
        with pytest.raises(Unsupported):
            await generation.change(temperature=0.5)
        await generation.stop()


async def test_text_raises_the_error_of_an_answer_that_failed(shared: Server) -> None:
    async with Client(shared.url) as client:
        generation = await client.ask("Hello", model="scripted/failing")
        with pytest.raises(ContentBlocked, match="filter cut"):
            _ = [chunk async for chunk in generation.text()]
        answer = await generation.answer()

    assert answer.text == "This answer will not "
    assert answer.status == "failed"


async def test_a_token_is_sent_and_a_wrong_one_is_reported(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_TOKEN": "correct horse"}).start(ready=False)
    async with Client(server.url, "correct horse", retry_timeout=30) as client:
        client._http.reached = True  # it is still starting
        assert (await client.models()).items
    async with Client(server.url, "battery staple") as client:
        with pytest.raises(Unauthorized):
            await client.models()


async def test_something_else_at_the_address_is_reported_as_such() -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(page, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}") as client:
            with pytest.raises(UnexpectedResponse, match="text/html"):
                await client.models()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", ""])
def test_an_address_that_is_none_is_reported_before_any_call(url: str) -> None:
    with pytest.raises(BadRequest, match="isn't the address"):
        Client(url)


async def test_an_answer_is_stopped_changed_continued_and_regenerated(shared: Server) -> None:
    async with Client(shared.url) as client:
        generation = await client.ask(
            "Count", model="scripted/temperature", options=Options(temperature=0.25)
        )
        seen, changed = "", None
        async for chunk in generation.text():
            seen += chunk
            if changed is None:
                changed = await generation.change(temperature=0.75)
            elif "0.75" in seen:
                break
        receipt = await generation.stop()
        first = await generation.answer()
        again = await generation.stop()

        going_on = await generation.continue_answer()
        async for event in going_on.events():
            if event.kind == "seam" and event.reason == "continued":
                await going_on.stop()
        second = await going_on.answer()
        other = await client.send(generation.conversation, model="scripted/hello")
        await other.answer()
        conversation = await client.conversation(generation.conversation)

    assert changed is not None
    assert (changed.mode, changed.options.temperature) == ("prefix", 0.75)
    assert receipt.stopped
    assert not again.stopped
    assert [seam.reason for seam in first.seams] == ["options"]
    assert second.text.startswith(first.text)
    assert second.message == first.message
    assert [m.role for m in conversation.messages] == ["user", "assistant", "assistant"]
    assert conversation.thread()[-1].text.startswith("Hello!")


async def test_a_conversation_is_made_found_changed_deleted_and_restored(shared: Server) -> None:
    async with Client(shared.url) as client:
        made = await client.create_conversation(title="Aubergines", system_prompt="Be brief.")
        pinned = await client.update_conversation(made.id, pinned=True, title="Parasols")
        found = [line.id async for line in client.conversations("parasols")]
        await client.delete_conversation(made.id)
        gone = [line.id async for line in client.conversations("parasols")]
        with pytest.raises(NotFound):
            await client.conversation(made.id)
        restored = await client.restore_conversation(made.id)

    assert pinned.line.pinned
    assert found == [made.id]
    assert gone == []
    assert (restored.line.title, restored.system_prompt) == ("Parasols", "Be brief.")


async def test_the_latest_conversation_is_the_most_recently_active_one_pinned_or_not(
    server_factory: MakeServer,
) -> None:
    server = server_factory().start()
    async with Client(server.url) as client:
        assert await client.latest_conversation() is None
        old = await client.create_conversation(title="Old and pinned")
        await client.update_conversation(old.id, pinned=True)
        new = await client.create_conversation(title="New")
        first = await client.latest_conversation()
        await asyncio.sleep(0.002)  # times are in milliseconds
        await client.update_conversation(old.id, title="A title is no activity")
        second = await client.latest_conversation()
        await (await client.send(old.id, "Hello", model="scripted/hello")).answer()
        third = await client.latest_conversation()

    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.id, second.id, third.id) == (new.id, new.id, old.id)


async def test_every_conversation_of_many_pages_is_listed_once(
    shared: Server,
) -> None:
    async with Client(shared.url) as client:
        made = {(await client.create_conversation(title=f"Page {n}")).id for n in range(5)}
        listed = [line.id async for line in client.conversations(page_size=2)]

    assert len(listed) == len(set(listed))
    assert made <= set(listed)


async def test_images_and_files_are_sent_and_come_back(shared: Server) -> None:
    question: list[Part] = [
        TextPart("What is this?"),
        ImagePart("image/png", PIXEL),
        FilePart("notes.txt", "text/plain", "Some notes"),
    ]
    async with Client(shared.url) as client:
        generation = await client.ask(question, model="scripted/hello")
        await generation.answer()
        requested = (await client.conversation(generation.conversation)).thread()[0]

    assert requested.text == "What is this?"
    assert [part.type for part in requested.parts] == ["text", "image", "file"]
    assert isinstance(requested.parts[1], ImageLink)


async def test_an_export_is_imported_again_with_its_text(shared: Server) -> None:
    async with Client(shared.url) as client:
        generation = await client.ask("Tell me", model="scripted/hello")
        answer = await generation.answer()
        document = await client.export_conversation(generation.conversation)
        markdown = (await client.export_conversation(generation.conversation, "markdown")).decode()
        (copy,) = (await client.import_document(document)).conversations
        thread = (await client.conversation(copy)).thread()

    assert answer.text in markdown
    assert [message.text for message in thread] == ["Tell me", answer.text]


async def test_models_and_providers_say_what_can_be_used(shared: Server) -> None:
    async with Client(shared.url) as client:
        models = await client.models()
        providers = {provider.name: provider for provider in await client.providers()}

    hello = next(model for model in models.items if model.id == "scripted/hello")
    assert models.default == "scripted/hello"
    assert hello.readiness.state == "ready"
    assert hello.capabilities.prefix
    assert providers["openai"].readiness.variable == "OPENAI_API_KEY"
