"""Writes a conversation as Markdown: the active branch, from the first message on."""

from __future__ import annotations

from grantha.chat import FilePart, ImagePart, Part, ReasoningPart, TextPart
from grantha.import_export.portable_conversation import PortableConversation, PortableMessage

_NOTES = {
    "stopped": "*Stopped here.*",
    "failed": "*The answer failed here.*",
    "interrupted": "*Interrupted here.*",
}


def to_markdown(conversation: PortableConversation) -> str:
    """Title, system prompt, and each message of the active branch under a heading."""
    blocks = [f"# {conversation.title or 'New chat'}"]
    if conversation.system_prompt.strip():
        blocks.append(_quoted(conversation.system_prompt))
    for message in _branch(conversation):
        blocks.append(f"## {_heading(message)}")
        blocks.extend(_block(part) for part in message.parts)
        if message.ending in _NOTES:
            blocks.append(_NOTES[message.ending])
    return "\n\n".join(block for block in blocks if block) + "\n"


def _branch(conversation: PortableConversation) -> list[PortableMessage]:
    by_id = {message.id: message for message in conversation.messages}
    branch: list[PortableMessage] = []
    current = conversation.leaf or (conversation.messages[-1].id if conversation.messages else None)
    while current is not None and current in by_id:
        branch.append(by_id[current])
        current = by_id[current].parent
    return branch[::-1]


def _heading(message: PortableMessage) -> str:
    if message.role == "assistant":
        return message.model or "Answer"
    return {"user": "User", "system": "System", "tool": "Tool"}[message.role]


def _block(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case ReasoningPart():
            return _quoted(part.text)
        case ImagePart(url=str(url)):
            return f"*An image: <{url}>.*"
        case ImagePart():
            return f"*An image ({part.media_type}).*"
        case FilePart(text=""):
            return f"**{part.name}**" + (f" <{part.url}>" if part.url else "")
        case FilePart():
            fence = "`" * (_longest_run(part.text) + 3)
            return f"**{part.name}**\n\n{fence}\n{part.text}\n{fence}"
        case _:
            return ""


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _longest_run(text: str) -> int:
    """Length of the longest run of backticks; a fence around the text must be longer."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
