"""Who wants to know how generations go, such as the metrics. Told once a generation, never a token."""

from __future__ import annotations

from typing import Protocol

from grantha.events import GenerationEnd


class Observer(Protocol):
    """Neither call may block or raise."""

    def started(self, model: str) -> None:
        """A generation begins, or is taken up after a restart. `model` is `provider/model`."""
        ...

    def ended(self, model: str, end: GenerationEnd) -> None:
        """It ended; `model` is the one that wrote last."""
        ...


class Unobserved(Observer):
    """Nobody."""

    def started(self, model: str) -> None:
        """Nothing."""

    def ended(self, model: str, end: GenerationEnd) -> None:
        """Nothing."""
