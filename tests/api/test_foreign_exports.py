"""What exports of other products hold today, as people have reported it."""

from __future__ import annotations

from typing import Any

import pytest

from grantha.chat import FilePart, ImagePart, ReasoningPart, TextPart
from grantha.errors import BadRequest
from grantha.import_export.file_reading import read_conversations
from grantha.import_export.portable_conversation import PortableConversation, PortableMessage


def node(name: str, parent: str | None, role: str = "user", **more: Any) -> dict[str, Any]:
    content = more.pop("content", {"content_type": "text", "parts": [name]})
    message = {"author": {"role": role}, "content": content, **more}
    return {"id": name, "parent": parent, "children": [], "message": message}


def chatgpt(*nodes: dict[str, Any], **more: Any) -> PortableConversation:
    body = {"title": "T", "mapping": {found["id"]: found for found in nodes}, **more}
    (found,) = read_conversations([], [body], 0)
    return found


def _texts(message: PortableMessage) -> list[TextPart]:
    return [part for part in message.parts if isinstance(part, TextPart)]


def test_chatgpts_tree_is_read_by_parents_where_lists_of_children_lack_some() -> None:
    """nowledge-co/community#261"""
    found = chatgpt(
        node("q", None),
        node("a", "q", "assistant"),
        node("b", "a", "assistant"),
        node("other", "q", "assistant"),
        node("next", "b"),
        current_node="next",
    )
    read = {m.id: (m.parent, "".join(part.text for part in _texts(m))) for m in found.messages}
    assert read == {
        "q": (None, "q"),
        "a": ("q", "ab"),
        "other": ("q", "other"),
        "next": ("a", "next"),
    }
    assert found.leaf == "next"


def test_chatgpts_model_may_stand_at_the_conversation_and_hidden_context_is_left_out() -> None:
    """danny-avila/LibreChat#15229"""
    hidden = {"content_type": "user_editable_context", "user_profile": "Mine"}
    found = chatgpt(
        node("context", None, content=hidden),
        {**node("q", "context"), "message": {**node("q", None)["message"], "metadata": None}},
        node("a", "q", "assistant"),
        default_model_slug="gpt-5",
    )
    assert [message.id for message in found.messages] == ["q", "a"]
    assert found.model == "openai/gpt-5"


def test_an_image_of_chatgpt_leaves_its_name() -> None:
    """Superkikim/nexus-ai-chat-importer#62"""
    pointer = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_7"}
    files = {"attachments": [{"id": "file_7", "name": "cat.png"}, "odd"]}
    for metadata, name in ((files, "Image cat.png"), ({}, "Image"), ({"attachments": 5}, "Image")):
        content = {"content_type": "multimodal_text", "parts": [pointer]}
        (message,) = chatgpt(node("q", None, content=content, metadata=metadata)).messages
        assert message.parts == (TextPart(f"[{name}, not part of the export]"),)


def test_marks_of_sources_in_chatgpts_texts_become_links_or_nothing() -> None:
    """pionxzh/chatgpt-exporter#309"""
    first, second = "\ue200cite\ue202turn5search9\ue201", "\ue200cite\ue202turn1\ue202turn2\ue201"
    content = {"content_type": "text", "parts": [f"Rain{first}, sun{second}, \ue203wind\ue204."]}
    references = [{"matched_text": first, "alt": "([a.example](https://a.example/))"}, {"alt": 5}]
    metadata = {"content_references": references}
    (message,) = chatgpt(node("a", None, "assistant", content=content, metadata=metadata)).messages
    assert message.parts == (TextPart("Rain([a.example](https://a.example/)), sun, wind."),)


def test_claudes_one_conversation_is_read_with_its_branch() -> None:
    """CherryHQ/cherry-studio#18135"""
    root = "00000000-0000-4000-8000-000000000000"
    said = [
        ("q", root, "human", [{"type": "text", "text": "Hi"}]),
        ("a", "q", "assistant", [{"type": "text", "text": "Hello"}]),
        ("tool", "q", "assistant", [{"type": "tool_use", "name": "f", "input": {}}]),
        ("b", "q", "assistant", [{"type": "text", "text": "Good day"}]),
    ]
    body = {
        "name": "T",
        "current_leaf_message_uuid": "a",
        "chat_messages": [
            {"uuid": name, "parent_message_uuid": parent, "sender": sender, "text": "", "content": content}
            for name, parent, sender, content in said
        ],
    }  # fmt: skip
    (single,) = read_conversations(body, [], 0)
    (listed,) = read_conversations([], [body], 0)
    assert single == listed
    assert [(m.id, m.parent, m.role) for m in single.messages] == [
        ("q", None, "user"),
        ("a", "q", "assistant"),
        ("b", "q", "assistant"),
    ]
    assert single.leaf == "a"


@pytest.mark.parametrize("outline", [{}, {"messages": []}, 5, "x", {"conversations": []}])
def test_a_file_of_another_kind_is_refused(outline: Any) -> None:
    with pytest.raises(BadRequest, match="isn't an export"):
        list(read_conversations(outline, [], 0))


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="


def shape(found: PortableConversation) -> list[Any]:
    return [(m.id, m.parent, m.role, m.parts, m.model, m.ending) for m in found.messages]


def open_webui(*messages: dict[str, Any], **more: Any) -> PortableConversation:
    history = {"messages": {message["id"]: message for message in messages}, **more}
    chat = {
        "title": "Inner",
        "models": ["m"],
        "history": history,
        "params": {"system": "Be brief."},
    }
    item = {"id": "1", "title": "T", "chat": chat, "created_at": 5, "pinned": True}
    (found,) = read_conversations([], [item], 0)
    return found


def test_a_chat_of_open_webui_keeps_tree_reasoning_and_files() -> None:
    image = {"type": "image", "url": f"data:image/png;base64,{PNG}"}
    elsewhere = {"type": "image", "url": "/api/v1/files/9/content"}
    document = {"type": "file", "name": "a.md", "file": {"data": {"content": "# A"}}}
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "Hm."}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "output": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Yes."}]},
    ]
    answer = {"role": "assistant", "parentId": "q", "model": "llama:1b", "timestamp": 7}
    found = open_webui(
        {"id": "q", "role": "user", "parentId": None, "content": "Is it?", "timestamp": 6,
         "files": [image, elsewhere, document, {"type": "collection"}]},
        {"id": "a", **answer, "content": "ignored", "output": output, "done": True},
        {"id": "b", **answer, "content": "No", "done": False},
        {"id": "gone", **answer, "content": "", "error": {"content": "no such model"}},
        {"id": "next", "role": "user", "parentId": "gone", "content": "So?"},
        currentId="a",
    )  # fmt: skip
    files = (ImagePart("image/png", PNG), FilePart("a.md", "text/plain", "# A"))
    model = "open-webui/llama:1b"
    assert shape(found) == [
        ("q", None, "user", (*files, TextPart("Is it?")), None, None),
        ("a", "q", "assistant", (ReasoningPart("Hm."), TextPart("Yes.")), model, "done"),
        ("b", "q", "assistant", (TextPart("No"),), model, "interrupted"),
        ("next", "q", "user", (TextPart("So?"),), None, None),
    ]
    assert (found.title, found.system_prompt, found.pinned, found.leaf) == (
        "T", "Be brief.", True, "a",
    )  # fmt: skip
    assert [m.created_at for m in found.messages] == [6000, 7000, 7000, 5000]
    assert found.left_out == {"images": 1, "files": 1, "tool_calls": 1}


def test_details_in_older_texts_of_open_webui_are_reasoning_and_calls() -> None:
    text = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds</summary>\n'
        "> 1 &lt; 2\n> so yes\n</details>\n"
        'Wait.\n<details type="tool_calls" name="f"><summary>Ran</summary>\nx</details>\n\nYes.'
        '<details type="reasoning">unended'
    )
    found = open_webui({"id": "a", "role": "assistant", "parentId": None, "content": text})
    assert found.messages[0].parts == (
        ReasoningPart("1 < 2\nso yes"),
        TextPart("\nWait.\n"),
        TextPart('Yes.<details type="reasoning">unended'),
    )
    assert found.left_out == {"tool_calls": 1}


def test_the_oldest_chats_of_open_webui_are_lists() -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    (found,) = read_conversations([], [{"chat": {"title": "T", "messages": said}}], 9)
    assert [(m.id, m.parent) for m in found.messages] == [("0", None), ("1", "0")]
    assert (found.title, found.created_at) == ("T", 9)


def librechat(**more: Any) -> PortableConversation:
    body = {"conversationId": "c", "endpoint": "anthropic", "title": "T", **more}
    (found,) = read_conversations(body, [], 0)
    return found


def said(name: str, parent: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"messageId": name, "parentMessageId": parent, "text": text, **more}


def test_a_conversation_of_librechat_is_read_as_a_list_and_as_a_tree() -> None:
    root = "00000000-0000-0000-0000-000000000000"
    content = [
        {"type": "think", "think": "Hm."},
        {"type": "tool_call", "tool_call": {}},
        None,
        {"type": "text", "text": {"value": "Yes."}},
    ]
    time = "1970-01-01T00:00:07Z"
    file = {"filename": "a.png", "type": "image/png"}
    question = said("q", root, "Is it?", isCreatedByUser=True, createdAt=time, files=[file])
    answer = said("a", "q", content=content, isCreatedByUser=False, model="claude-x")
    other = said("b", "q", "No", isCreatedByUser=False, model="m", endpoint="Mine", unfinished=True)
    failed = said("e", "q", "An error", isCreatedByUser=False, error=True)
    options = {"options": {"promptPrefix": "Be brief."}}
    tree = {**question, "children": [answer, {**other, "children": []}, failed]}
    for form in (
        {"messages": [question, answer, other, failed]},
        {"messages": [tree], "recursive": True},
        {"messagesTree": [tree]},
    ):
        found = librechat(**form, **options)
        parts = (ReasoningPart("Hm."), TextPart("Yes."))
        assert shape(found) == [
            ("q", None, "user", (TextPart("Is it?"),), None, None),
            ("a", "q", "assistant", parts, "anthropic/claude-x", "done"),
            ("b", "q", "assistant", (TextPart("No"),), "librechat/m", "interrupted"),
        ]
        assert (found.title, found.created_at, found.system_prompt) == ("T", 7000, "Be brief.")
        assert found.left_out == {"images": 1, "tool_calls": 1}


def test_what_others_exports_only_name_is_counted() -> None:
    pointer = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_7"}
    content = {"content_type": "multimodal_text", "parts": [pointer, "See.", {"content_type": "x"}]}
    files = {"attachments": [{"id": "1", "name": "a.pdf", "mime_type": "application/pdf"}]}
    found = chatgpt(
        node("q", None, content=content, metadata=files),
        node("call", "q", "assistant", recipient="python"),
        node("result", "call", "tool"),
    )
    assert found.left_out == {"images": 1, "other": 1, "files": 1, "tool_calls": 1}
    blocks = [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "name": "f"},
        {"type": "tool_result"},
        {"type": "token_budget"},
        {"type": "voice_note"},
    ]
    message = {
        "sender": "human",
        "content": blocks,
        "attachments": [{"file_name": "a.txt", "extracted_content": ""}],
        "files": [{"file_name": "b.png"}],
    }
    (claude,) = read_conversations([], [{"chat_messages": [message]}], 0)
    assert claude.left_out == {"files": 2, "tool_calls": 1, "other": 1}
