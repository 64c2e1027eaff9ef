"""The trace that a request belongs to, by W3C's Trace Context (https://www.w3.org/TR/trace-context/).

Set once a request has been let in; everything that is started for it sees it: its answer, the calls to
providers, the lines of the log. An answer that is taken up after a restart has none.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from dataclasses import dataclass

from typing_extensions import override

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[\x21-\x7e]*)?")
_STATE = re.compile(r"[\x20-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Two headers as they came; `trace_id` is part of the first."""

    traceparent: str
    tracestate: str
    trace_id: str

    def headers(self) -> dict[str, str]:
        """To be sent to the other services of the trace."""
        state = {"tracestate": self.tracestate} if self.tracestate else {}
        return {"traceparent": self.traceparent, **state}


current: ContextVar[TraceContext | None] = ContextVar("trace_context", default=None)


def parse_trace_context(traceparent: str | None, tracestate: str | None) -> TraceContext | None:
    """The trace that two headers name. None for anything that the standard calls invalid."""
    found = _PARENT.fullmatch(traceparent or "")
    if found is None:
        return None
    version, trace_id, parent_id, more = found.groups()
    if (
        version == "ff"
        or (version == "00" and more)
        or not int(trace_id, 16)
        or not int(parent_id, 16)
    ):
        return None
    state = tracestate or ""
    return TraceContext(found[0], state if _STATE.fullmatch(state) else "", trace_id)


class TraceFilter(logging.Filter):
    """Lets every record pass, with ` trace=…` as its `trace`, or nothing."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        context = current.get()
        record.trace = f" trace={context.trace_id}" if context is not None else ""
        return True
