"""What exports of other products hold today, as people have reported it."""

from __future__ import annotations

from typing import Any

import pytest

from grantha.chat import TextPart
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
