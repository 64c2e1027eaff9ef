"""Tool results with images and documents: the result is text, and each of the others names its call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from grantha.chat import FilePart, ImagePart, Part, TextPart, ToolResultPart


def tool_result(call_id: str, content: Sequence[Part], *, is_error: bool = False) -> list[Part]:
    """The parts of a tool's result, from its content."""
    text = "".join(part.text for part in content if isinstance(part, TextPart))
    media = [part for part in content if isinstance(part, ImagePart | FilePart)]
    return [
        ToolResultPart(call_id, text, is_error),
        *[replace(part, call_id=call_id) for part in media],
    ]


def nest_in_results(
    parts: Sequence[Part], fits: Callable[[Part], bool] = lambda _: True
) -> tuple[list[Part], dict[str, list[Part]]]:
    """The parts that stand for themselves, and those that belong inside a result, by its call's id.

    Inside are those that `fits` accepts, of results that are no errors: Anthropic takes only text in these.
    """
    results = {p.call_id for p in parts if isinstance(p, ToolResultPart) and not p.is_error}
    outside: list[Part] = []
    inside: dict[str, list[Part]] = {}
    for part in parts:
        call_id = part.call_id if isinstance(part, ImagePart | FilePart) else None
        if call_id is not None and call_id in results and fits(part):
            inside.setdefault(call_id, []).append(part)
        else:
            outside.append(part)
    return outside, inside
