"""The states of one generation while this process owns it, as a table.

    | state      | what happens                           | may go to                                  |
    |------------|----------------------------------------|--------------------------------------------|
    | calling    | connecting, or waiting for the reply   | writing, waiting, changing, ending         |
    | writing    | the provider's events come in          | calling, waiting, changing, ending         |
    | waiting    | a pause before the next try            | calling, changing, ending                  |
    | changing   | options changed: the upstream closes   | calling, ending                            |
    | ending     | the end record is on its way           | done, stopped, failed, interrupted         |
    | handed-over| the server stops; a next owner goes on | (nothing: the log stays open)              |

The last four words are the only ways a generation can end; `handed-over` isn't an end. Every state but
`ending` and the ends may go to `handed-over`.
"""

from __future__ import annotations

from typing import Literal

from grantha.chat import Ending

State = Literal["calling", "writing", "waiting", "changing", "ending", "handed-over"] | Ending

TRANSITIONS: dict[str, frozenset[str]] = {
    "calling": frozenset({"writing", "waiting", "changing", "ending", "handed-over"}),
    "writing": frozenset({"calling", "waiting", "changing", "ending", "handed-over"}),
    "waiting": frozenset({"calling", "changing", "ending", "handed-over"}),
    "changing": frozenset({"calling", "ending", "handed-over"}),
    "ending": frozenset({"done", "stopped", "failed", "interrupted"}),
    "handed-over": frozenset(),
    "done": frozenset(),
    "stopped": frozenset(),
    "failed": frozenset(),
    "interrupted": frozenset(),
}


class Lifecycle:
    """Holds the state; a step that the table doesn't allow is a bug and raises."""

    def __init__(self) -> None:
        self.state: State = "calling"

    def move_to(self, state: State) -> None:
        """Goes to a state; staying is always allowed."""
        if state == self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"a generation can't go from {self.state} to {state}")
        self.state = state

    @property
    def running(self) -> bool:
        """Whether text may still come from this owner."""
        return self.state in {"calling", "writing", "waiting", "changing"}
