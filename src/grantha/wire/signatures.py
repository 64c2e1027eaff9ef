"""Marks the signatures of reasoning with their maker: only that model gets them back.

A signature is opaque. Vendors refuse each other's, and mostly those of their own other models too. So a
decoder marks each with its maker, and the signatures of others are removed from a call before it is
encoded. The mark stays with the signature in the log and in clients, which echo it unchanged.
"""

from __future__ import annotations

from dataclasses import replace

from grantha.chat import Call, Message, Part, ReasoningPart, ToolCallPart

REDACTED = "redacted_thinking:"  # begins a signature that is a whole redacted block


def signature_owner(provider: str, model: str) -> str:
    """The mark. Neither name holds a blank, so that none is the beginning of another."""
    return f"{provider}/{model} "


def tag_signature(signature: str, owner: str) -> str:
    """The signature with its maker; a redacted block still begins as one."""
    kind = REDACTED if signature.startswith(REDACTED) else ""
    return f"{kind}{owner}{signature.removeprefix(kind)}"


def keep_own_signatures(call: Call, owner: str) -> Call:
    """The call with this maker's signatures as the vendor sent them, and without any others."""
    if not any(_signature(part) for message in call.messages for part in message.parts):
        return call
    return replace(call, messages=tuple(_filter_message(m, owner) for m in call.messages))


def _filter_message(message: Message, owner: str) -> Message:
    return replace(message, parts=tuple(_filter_part(part, owner) for part in message.parts))


def _filter_part(part: Part, owner: str) -> Part:
    signature = _signature(part)
    if not isinstance(part, ReasoningPart | ToolCallPart) or signature is None:
        return part
    kind = REDACTED if signature.startswith(REDACTED) else ""
    if not signature.startswith(kind + owner):
        return replace(part, signature=None)
    return replace(part, signature=kind + signature.removeprefix(kind + owner))


def _signature(part: Part) -> str | None:
    return part.signature if isinstance(part, ReasoningPart | ToolCallPart) else None
