"""OpenTelemetry: a span a generation, by the conventions, received by a real collector."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.server import MakeServer

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Receives OTLP over HTTP and keeps the bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.http = HTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler

    def spans(self) -> list[Any]:
        """All spans so far."""
        found = []
        for body in self.bodies:
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found.extend(scope.spans)
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.http.serve_forever)
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def _attributes(span: Any) -> dict[str, Any]:
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes
    }


def test_every_answer_becomes_a_span_without_a_word_of_it(
    server_factory: MakeServer, collector: Collector
) -> None:
    server = server_factory({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}).start()
    good = server.ask(
        "scripted/count-20-at-200", "A private question", options={"temperature": 0.5}
    )
    bad = server.ask("scripted/failing", "Another private question")
    ended = server.ended(good["id"])
    server.ended(bad["id"])
    body = {"model": "scripted/hello", "messages": [{"role": "user", "content": "Private"}]}
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=value"}
    reply = server.call("POST", "/v1/chat/completions", body, parent)
    joined = reply.headers["x-request-id"]
    server.terminate()
    spans = {_attributes(span)["gen_ai.response.id"]: span for span in collector.spans()}
    assert spans.keys() == {good["id"], bad["id"], joined}
    assert spans[joined].trace_id.hex() == TRACE
    assert spans[joined].parent_span_id.hex() == PARENT
    assert spans[good["id"]].parent_span_id == b""
    ended_lines = [line for line in server.output().splitlines() if " ended done" in line]
    traced = [line for line in ended_lines if line.endswith(f" trace={TRACE}")]
    assert [joined in line for line in traced] == [True]
    span, reported = spans[good["id"]], _attributes(spans[good["id"]])
    assert span.name == "chat count-20-at-200"
    assert reported["gen_ai.operation.name"] == "chat"
    assert reported["gen_ai.provider.name"] == "scripted"
    assert reported["gen_ai.request.model"] == "count-20-at-200"
    assert reported["gen_ai.request.temperature"] == 0.5
    assert reported["gen_ai.usage.output_tokens"] == 20
    assert reported["gen_ai.conversation.id"] == good["conversation"]
    assert reported["grantha.ending"] == "done"
    lasted = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
    assert lasted == pytest.approx(ended["end"]["timings"]["duration_ms"], abs=1)
    failed = spans[bad["id"]]
    assert failed.status.code == 2
    assert _attributes(failed)["error.type"] == failed.status.message
    assert b"private" not in b"".join(collector.bodies)
