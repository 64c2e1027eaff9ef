"""The bound on the upstream calls of one generation: by count, by waste and by time.

Each call that the engine makes by itself costs money: the first one, retries, continuations, fallbacks
and the call of a next owner after a crash. Without a bound over all of them, an upstream that breaks
after a few words would be called for ever.

| limit             | counts                                                                         |
|-------------------|--------------------------------------------------------------------------------|
| `calls`           | upstream calls in all, the first one included                                   |
| `resent`          | characters of prompt and answer sent again; each new character pays for 16      |
| `seconds`         | time in which an owner was writing; none of the calls begins after it           |
| `changes`         | calls that people cause by changing options, on top of `calls`                  |

All of it is counted from the log's records, which are durable before the call that they announce goes
out. So the bound holds over `kill -9`; what isn't certain counts as a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grantha.chat import FilePart, ImagePart, Message, TextPart, part_to_json
from grantha.events import Event, Notice, Open, Record, Seam, TextDelta

RESENT_PER_NEW_CHARACTER = 16  # characters sent again that one new character of the answer pays for
_IMAGE_SIZE = 4000  # characters; vendors count an image by its area, not by its bytes
_DOCUMENT_SIZE = 40_000  # of one that the vendor reads itself, as text and as images of its pages


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of one generation, and the pauses between its calls in seconds.

    `resent` is in characters; a prompt that is longer may be sent again once all the same.
    """

    calls: int = 20
    resent: int = 400_000
    seconds: float = 7200.0
    changes: int = 100
    first_pause: float = 0.5
    max_pause: float = 30.0


DEFAULT_LIMITS = CallLimits()


class CallBudget:
    """Counts the calls of one generation. `prompt_size` is that of its history (`estimate_prompt_size`).

    Three kinds of records announce a call: `open`, a `retrying` notice, and a seam `options`. They are
    counted alike when they are written (`announced`) and when a next owner reads them (`replay`).
    """

    def __init__(self, limits: CallLimits, prompt_size: int) -> None:
        self.limits = limits
        self.calls = 0
        self.changes = 0
        self.failures = 0
        self._prompt_size = prompt_size
        self._first_size = 0
        self._resent = 0
        self._last_size = 0
        self._start_length = 0
        self._last_length = 0  # code points of text when the last call was announced
        self._seconds_before = 0.0  # that earlier owners wrote

    def replay(self, records: Iterable[Record]) -> None:
        """Counts all records of a log so far, in order."""
        length = 0
        opened: Record | None = None
        last: Record | None = None
        for record in records:
            if isinstance(record.event, Open):
                self._add_seconds(opened, last)
                opened = record
            if isinstance(record.event, TextDelta):
                length += len(record.event.text)
            else:
                self.announced(record.event, length)
            last = record
        # The last owner may be this one, whose time `exceeded` gets as an argument; counting its
        # opening records twice adds nothing.
        self._add_seconds(opened, last)

    def announced(self, event: Event, length: int) -> None:
        """Counts an event that follows `length` code points of text; most announce no call."""
        match event:
            case Open():
                self._begin(length)
            case Notice(code="retrying"):
                self._fail(refused=bool(event.details.get("refused")))
                self._begin(length, resumed=bool(event.details.get("resumed")))
            case Seam(reason="options"):
                self.changes += 1
                self._last_size, self._last_length = self._prompt_size + length, length
            case Seam(reason="continued"):
                # What stands before it was paid for by an earlier generation.
                self.calls, self.changes, self.failures, self._resent = 1, 0, 0, 0
                self._first_size = self._last_size = self._prompt_size + length
                self._start_length = self._last_length = length
            case _:
                pass

    def paid(self, length: int) -> bool:
        """Whether the last call wrote enough for what was sent to be worth another one."""
        return RESENT_PER_NEW_CHARACTER * (length - self._last_length) >= max(self._last_size, 1)

    def exceeded(
        self, length: int, seconds: float, *, refused: bool = False, resumed: bool = False
    ) -> str | None:
        """The limit that one more call would break, as text; None if it is allowed.

        `seconds` is how long this owner has been writing. `refused` says that the last prompt wasn't
        taken, `resumed` that the next call sends none.
        """
        limits = self.limits
        if self.calls >= limits.calls:
            return f"{self.calls} calls were made"
        if self._seconds_before + seconds > limits.seconds:
            return f"it has been written for more than {limits.seconds:g} s"
        resent = self._resent - self._refunded(refused=refused)
        resent += 0 if resumed else self._prompt_size + length
        allowed = max(limits.resent, self._first_size)
        if resent > allowed + RESENT_PER_NEW_CHARACTER * (length - self._start_length):
            return f"{resent} characters would have been sent again"
        return None

    def _begin(self, length: int, *, resumed: bool = False) -> None:
        size = 0 if resumed else self._prompt_size + length
        if self.calls == 0:
            self._first_size = size
        else:
            self._resent += size
        self.calls += 1
        self._last_size, self._last_length = size, length

    def _fail(self, *, refused: bool) -> None:
        self.failures += 1
        self._resent -= self._refunded(refused=refused)

    def _refunded(self, *, refused: bool) -> int:
        # A prompt that wasn't taken costs nothing; the first one isn't among what was sent again.
        return self._last_size if refused and self.calls > 1 else 0

    def _add_seconds(self, opened: Record | None, last: Record | None) -> None:
        if opened is not None and last is not None:
            self._seconds_before += max(0, last.at - opened.at) / 1000


def estimate_prompt_size(messages: Sequence[Message]) -> int:
    """Characters of a conversation as it is sent, an image counting as a few thousand."""
    size = 0
    for message in messages:
        for part in message.parts:
            if isinstance(part, ImagePart):
                size += _IMAGE_SIZE
            elif isinstance(part, FilePart) and not part.text:
                size += _DOCUMENT_SIZE
            elif isinstance(part, TextPart):
                size += len(part.text)
            else:
                size += sum(len(v) for v in part_to_json(part).values() if isinstance(v, str))
    return size
