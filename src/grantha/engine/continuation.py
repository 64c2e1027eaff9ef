"""Continuing from the text so far: by prefix where the model takes one, else by instruction.

An instruction has the model repeat the last few words first. The trimmer then finds them and leaves
them out, so that the answer continues exactly where it stopped. It decides as early as it
can and never holds back more than `_MAX_BUFFERED` characters. It only ever leaves out text that repeats
the end of what is already there; if the requested words come exactly, exactly those.
"""

from __future__ import annotations

from grantha.chat import Call, Capabilities, ContinuationMode, Message, Options, text_message
from grantha.errors import Unsupported

_ANCHOR = 60  # characters of the end that the model is to repeat
_LOOK_BACK = 600  # how far back a repetition may begin
_MAX_BUFFERED = 400
_MIN_OVERLAP = 8  # shorter repetitions are left out only from the start of a word


def continuation_mode(model: str, capabilities: Capabilities) -> ContinuationMode:
    """How a model continues a partial answer. Raises `Unsupported` when it can't."""
    if capabilities.continuation is None:
        raise Unsupported(
            f"{model} can't continue a partial answer.",
            advice="Regenerate the answer, or choose another model.",
        )
    return capabilities.continuation


def continued_call(
    model: str, messages: tuple[Message, ...], options: Options, text: str, mode: ContinuationMode
) -> Call:
    """The call that continues `text`, which isn't empty."""
    if mode == "prefix":
        return Call(model, messages, options, prefix=text)
    request = (
        "Your answer was cut off. Go on with it from exactly where it stopped. "
        "Begin by repeating these last words of it, letter by letter, then continue at once, "
        f"without any remark: {anchor_of(text)!r}"
    )
    more = (text_message("assistant", text), text_message("user", request))
    return Call(model, (*messages, *more), options)


def anchor_of(text: str) -> str:
    """The last words of a text, whole where possible."""
    tail = text[-_ANCHOR:]
    cut = tail.find(" ")
    return tail[cut + 1 :] if len(text) > _ANCHOR and 0 <= cut < _ANCHOR // 2 else tail


class OverlapTrimmer:
    """Takes the continuation in pieces and returns what is new."""

    def __init__(self, text: str) -> None:
        self._tail = text[-_LOOK_BACK:]
        self._anchor = anchor_of(text)
        self._held = ""
        self._joined = not text

    def feed(self, text: str) -> str:
        """New text that can be shown now; may be empty while the overlap isn't clear."""
        if self._joined:
            return text
        self._held += text
        if self._held.startswith(self._anchor):
            return self.finish()
        if self._may_still_repeat():
            return ""
        return self.finish()

    def finish(self) -> str:
        """The rest, decided with what has arrived."""
        if self._joined:
            return ""
        self._joined = True
        held, self._held = self._held, ""
        if held.startswith(self._anchor):
            return held[len(self._anchor) :]
        overlap = self._overlap(held)
        if overlap:
            return held[overlap:]
        stripped = held.lstrip(" \n\u2026.") if held[:1] in " \n\u2026" else held
        overlap = self._overlap(stripped)
        if overlap:
            return stripped[overlap:]
        return self._spaced(held)

    def _may_still_repeat(self) -> bool:
        """Whether all that came could be the beginning of a longer repetition."""
        if len(self._held) >= _MAX_BUFFERED:
            return False
        if self._anchor.startswith(self._held):
            return True
        start = self._held.lstrip(" \n\u2026")
        return (
            not start
            or (start in self._tail and not self._tail.endswith(start))
            or (self._tail.endswith(start) and self._tail.count(start) > 1)
        )

    def _overlap(self, text: str) -> int:
        for size in range(min(len(text), len(self._tail)), 0, -1):
            if self._tail.endswith(text[:size]) and self._counts(size):
                return size
        return 0

    def _counts(self, size: int) -> bool:
        if size >= _MIN_OVERLAP:
            return True
        before = self._tail[-size - 1 : -size]
        return size >= 2 and not before.isalnum()

    def _spaced(self, text: str) -> str:
        # By instruction, a model begins with a whole word: without a space two words would run together.
        if self._tail[-1:].isalnum() and text[:1].isalnum():
            return " " + text
        return text
