"""`/metrics` in Prometheus' text format: the engine reports generations, the rest is collected on scrape.

Labels are bounded: providers, endings and error codes, never model names, which callers may invent.
The registry belongs to the app and not to the process, so that two apps don't meet in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from typing_extensions import override

from grantha.api.reader_limits import ReaderLimits
from grantha.chat import split_model_id
from grantha.engine.observer import Observer
from grantha.events import GenerationEnd
from grantha.storage.base import GenerationRow

if TYPE_CHECKING:
    from grantha.engine.supervisor import Supervisor

router = APIRouter(tags=["health"])
_FIRST = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60, 120)
_BETWEEN = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 3)
_RATES = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 500, 1000, 5000)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "The numbers.", "content": {"text/plain": {}}}},
)
async def metrics(request: Request) -> Response:
    """Counters, histograms and gauges of this process, for Prometheus."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE_LATEST)


class Metrics(Observer):
    """All metrics of one app."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"grantha_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"grantha_{name}", what, ("provider",), buckets=buckets, registry=registry
            )

        self._started = counter("generations_started", "Generations begun.", "provider")
        self._ended = counter("generations_ended", "Generations ended.", "provider", "ending")
        self._stops = counter("stops", "Answers stopped by a user.", "provider", "confirmed")
        self._errors = counter("errors", "Answers that failed.", "provider", "code")
        self._retries = counter("retries", "Upstream calls that failed.", "provider")
        self._stalls = counter("stalls", "Silences over 3 s while writing.", "provider")
        self._tokens = counter("output_tokens", "Tokens written, as vendors count.", "provider")
        self._cost = counter("cost_usd", "US dollars, where the price is known.", "provider")
        self._first = histogram(
            "time_to_first_token_seconds", "From the request to the first visible text.", _FIRST
        )
        self._between = histogram(
            "time_between_deltas_seconds", "Between two deltas, the mean of an answer.", _BETWEEN
        )
        self._rate = histogram("tokens_per_second", "While writing.", _RATES)

    def watch(
        self, supervisor: Supervisor, readers: ReaderLimits, stored: Callable[[], bool]
    ) -> None:
        """Adds what each scrape collects: readers, lag, whether the store accepts records."""
        self.registry.register(_CurrentState(supervisor, readers, stored))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)

    @override
    def started(self, row: GenerationRow) -> None:
        self._started.labels(_provider(row.model)).inc()

    @override
    def ended(self, row: GenerationRow, model: str, end: GenerationEnd) -> None:
        provider = _provider(model)
        self._ended.labels(provider, end.ending).inc()
        if end.receipt is not None:
            self._stops.labels(provider, _word(end.receipt.get("confirmed"))).inc()
        if end.error is not None:
            self._errors.labels(provider, str(end.error.get("code"))).inc()
        if end.usage is not None:
            self._tokens.labels(provider).inc(end.usage.output_tokens or 0)
            self._cost.labels(provider).inc(end.usage.cost_usd or 0)
        self._time(provider, end.timings)

    def _time(self, provider: str, timings: Mapping[str, float]) -> None:
        self._retries.labels(provider).inc(timings.get("retries", 0))
        self._stalls.labels(provider).inc(timings.get("stalls", 0))
        if "first_text_ms" in timings:
            self._first.labels(provider).observe(timings["first_text_ms"] / 1000)
        deltas, writing = timings.get("deltas", 0), timings.get("writing_ms")
        if deltas > 1 and writing is not None:
            self._between.labels(provider).observe(writing / 1000 / (deltas - 1))
        if "tok_s" in timings:
            self._rate.labels(provider).observe(timings["tok_s"])


class _CurrentState(Collector):
    """Gauges and counters that are read when Prometheus scrapes."""

    def __init__(
        self, supervisor: Supervisor, readers: ReaderLimits, stored: Callable[[], bool]
    ) -> None:
        self._supervisor = supervisor
        self._readers = readers
        self._stored = stored

    @override
    def collect(self) -> Iterable[Metric]:
        flushing = self._supervisor.flush_state
        yield _gauge("active_generations", "Being written now.", self._supervisor.running)
        yield _gauge("log_lag_seconds", "How long the last write took.", flushing.lag)
        yield _gauge("log_flush_window_seconds", "How long text may wait.", flushing.window)
        yield _gauge("storage_up", "Whether the store accepts records.", float(self._stored()))
        active = GaugeMetricFamily(
            "grantha_active_readers", "Clients that are reading now.", labels=["transport"]
        )
        attached = CounterMetricFamily(
            "grantha_attaches", "Readers that attached.", labels=["transport", "resumed"]
        )
        for transport, count in sorted(self._readers.active.items()):
            active.add_metric([transport], count)
        for (transport, resumed), count in sorted(self._readers.attached.items()):
            attached.add_metric([transport, _word(resumed)], count)
        yield active
        yield attached


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"grantha_{name}", what, value=value)


def _provider(model: str) -> str:
    return split_model_id(model)[0] if "/" in model else "unknown"


def _word(value: object) -> str:
    return "unknown" if value is None else "yes" if value else "no"
