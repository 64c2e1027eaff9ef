"""Observers of generations: metrics, traces. Called once for each generation, never for a token."""

from __future__ import annotations

from typing import Protocol

from grantha.events import GenerationEnd
from grantha.storage.base import GenerationRow


class Observer(Protocol):
    """Neither call may block or raise."""

    def started(self, row: GenerationRow) -> None:
        """A generation begins, or is taken up after a restart."""
        ...

    def ended(self, row: GenerationRow, model: str, end: GenerationEnd) -> None:
        """It ended; `model` (`provider/model`) is the one that wrote last."""
        ...


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def started(self, row: GenerationRow) -> None:
        """In order."""
        for observer in self._observers:
            observer.started(row)

    def ended(self, row: GenerationRow, model: str, end: GenerationEnd) -> None:
        """In order."""
        for observer in self._observers:
            observer.ended(row, model, end)
