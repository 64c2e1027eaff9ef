"""OpenTelemetry: one span a generation, by the conventions for generative AI. For the extra `otel`.

Made when the generation has ended, with its true times, so that writing costs nothing. Holds ids,
models, options and counts; never what people or models wrote. Where to send it is the SDK's own
business: the OTEL_… variables.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from grantha import __version__, trace_context
from grantha.chat import split_model_id
from grantha.config import Settings
from grantha.engine.observer import Observer
from grantha.errors import BadRequest
from grantha.events import GenerationEnd
from grantha.storage.base import GenerationRow

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# Names of the conventions where they differ from ours.
_PROVIDERS = {
    "google": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}


def tracer_for(settings: Settings) -> GenerationTracer | None:
    """A tracer, if the environment names an endpoint for spans. Raises `BadRequest` without the extra."""
    if not any(settings.variables.get(name) for name in _ENDPOINT_VARIABLES):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BadRequest(
            "Traces are to be sent, and OpenTelemetry isn't installed.",
            advice="Install grantha[otel], or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        ) from error
    own = {"service.name": "grantha", "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(own))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return GenerationTracer(provider)


class GenerationTracer(Observer):
    """Makes them with a tracer provider of the app's own, not the process's."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("grantha", __version__)

    @override
    def started(self, row: GenerationRow) -> None:
        pass

    @override
    def ended(self, row: GenerationRow, model: str, end: GenerationEnd) -> None:
        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace import Status as SpanStatus

        now = time.time_ns()
        lasted = float(end.timings.get("duration_ms", 0))
        span = self._tracer.start_span(
            f"chat {split_model_id(row.model)[1]}",
            kind=SpanKind.CLIENT,
            context=_parent(),
            attributes=_attributes(row, model, end),
            start_time=now - round(lasted * 1_000_000),
        )
        if end.error is not None:
            span.set_status(SpanStatus(StatusCode.ERROR, str(end.error.get("code"))))
        span.end(now)

    def close(self) -> None:
        """Sends pending spans. May take seconds."""
        self._provider.shutdown()


def _parent() -> Context | None:
    """The span that the request named as its parent; without one, the answer's span begins a trace."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    found = trace_context.current.get()
    return TraceContextTextMapPropagator().extract(found.headers()) if found is not None else None


def _attributes(row: GenerationRow, model: str, end: GenerationEnd) -> dict[str, Any]:
    provider, wanted = split_model_id(row.model)
    usage, timings, first = end.usage, end.timings, end.timings.get("first_event_ms")
    found: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.conversation.id": row.conversation,
        "gen_ai.request.model": wanted,
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": row.options.temperature,
        "gen_ai.request.top_p": row.options.top_p,
        "gen_ai.request.max_tokens": row.options.max_tokens,
        "gen_ai.request.seed": row.options.seed,
        "gen_ai.request.stop_sequences": row.options.stop or None,
        "gen_ai.response.id": row.id,
        "gen_ai.response.model": split_model_id(model)[1],
        "gen_ai.response.finish_reasons": (end.finish_reason,) if end.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": first / 1000 if first is not None else None,
        "gen_ai.usage.input_tokens": usage.input_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if usage else None,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens if usage else None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens if usage else None,
        "error.type": str(end.error.get("code")) if end.error else None,
        "grantha.ending": end.ending,
        "grantha.segments": timings.get("segments"),
        "grantha.retries": timings.get("retries"),
        "grantha.stalls": timings.get("stalls"),
    }
    return {name: value for name, value in found.items() if value is not None}
