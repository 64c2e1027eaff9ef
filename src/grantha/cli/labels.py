"""Texts about an answer: seams, endings, numbers. Worded as on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grantha.events import GenerationEnd, Notice, Seam

GLYPHS = {"done": "✓", "stopped": "■", "failed": "✗", "interrupted": "⊘"}
_MODES = {
    "prefix": "true continuation",
    "instruction": "asked to continue from here, overlap checked",
}
_SEAMS = {
    "restart": "continued after restart",
    "provider-lost": "continued after the provider went away",
    "continued": "continued",
}


def seam(event: Seam) -> str:
    """One line for a seam: its reason, and how the answer was continued."""
    if event.reason == "options":
        what = ", ".join(_change(*item) for item in event.changes.items()) + " from here"
    elif event.reason == "fallback":
        what = f"continued by {event.model}"
    else:
        what = _SEAMS.get(event.reason, event.reason)
    return " · ".join(part for part in (what, _MODES.get(event.mode or "", "")) if part)


def ending(event: GenerationEnd) -> str:
    """The text of an ending, besides its numbers; empty for a complete answer."""
    error: Mapping[str, Any] = event.error or {}
    match event.ending:
        case "done":
            return "Cut at the token limit" if event.finish_reason == "length" else ""
        case "stopped":
            closed = (event.receipt or {}).get("closed_ms")
            return "Stopped" + (f" · provider closed in {closed:.0f} ms" if closed else "")
        case "failed":
            return join_sentences(
                error.get("message", "The answer failed"), error.get("advice", "")
            )
        case "interrupted":
            why = error.get("message", "")
            return join_sentences("Interrupted when the server stopped", why)


def numbers(event: GenerationEnd) -> str:
    """Time to the first token, speed, tokens and cost, as far as they are known."""
    first, speed = event.timings.get("first_text_ms"), event.timings.get("tok_s")
    estimate = event.timings.get("deltas_s") if speed is None else None
    tokens = event.usage.output_tokens if event.usage else None
    cost = event.usage.cost_usd if event.usage else None
    known = (
        f"{first / 1000:.2f} s to first token" if first is not None else "",
        f"{speed:.0f} tok/s" if speed is not None else "",
        f"≈ {estimate:.0f} tok/s" if estimate is not None else "",
        f"{tokens:,} tokens" if tokens is not None else "",
        f"${cost:.4f}" if cost is not None else "",
    )
    return " · ".join(part for part in known if part)


def notice(event: Notice) -> str:
    """The text of a notice; empty for those that aren't meant for people."""
    return "Retrying" if event.code == "retrying" else ""


def join_sentences(*parts: str) -> str:
    """Joins the parts, each with a full stop unless it ends with punctuation; empty ones are left out."""
    return " ".join(
        part if part.endswith((".", "?", "!")) else part + "." for part in parts if part
    )


def _change(name: str, pair: list[Any]) -> str:
    old, new = ("unset" if value is None else value for value in pair)
    return f"{name} {old} → {new}"
