"""A receiver of OTLP over HTTP in this process, which answers as a test tells it to."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROTOBUF = {"Content-Type": "application/x-protobuf"}


class Answer(NamedTuple):
    """What to answer; status 0 closes the connection without a word."""

    status: int = 200
    headers: dict[str, str] = PROTOBUF
    body: bytes = b""


class Asked(NamedTuple):
    """What was sent."""

    path: str
    headers: dict[str, str]
    body: bytes


class Scripted:
    """Gives its `answers` one after another, then takes all that is sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answers: list[Answer] = []
        self.taken: list[Asked] = []

    def take(self, asked: Asked) -> Answer:
        """Answer a request."""
        self.asked.append(asked)
        answer = self.answers.pop(0) if self.answers else Answer()
        if answer.status == 200:
            self.taken.append(asked)
        return answer

    @property
    def spans(self) -> list[Any]:
        """All spans that were taken, in the order of arrival."""
        return [
            span
            for request in self._requests("/v1/traces", ExportTraceServiceRequest)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The attributes of what the spans are of."""
        return [
            attributes(resource.resource)
            for request in self._requests("/v1/traces", ExportTraceServiceRequest)
            for resource in request.resource_spans
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics that were taken last, by name."""
        request = self._requests("/v1/metrics", ExportMetricsServiceRequest)[-1]
        (resource,) = request.resource_metrics
        (scope,) = resource.scope_metrics
        return {metric.name: metric for metric in scope.metrics}

    def _requests(self, path: str, kind: Any) -> list[Any]:
        return [_decoded(kind, one) for one in self.taken if one.path == path]


def attributes(one: Any) -> dict[str, Any]:
    """The attributes of a span, a resource or a data point."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes
    }


def _decoded(kind: Any, asked: Asked) -> Any:
    packed = asked.headers.get("content-encoding") == "gzip"
    request = kind()
    request.ParseFromString(gzip.decompress(asked.body) if packed else asked.body)
    return request


@contextmanager
def listening() -> Iterator[Scripted]:
    """Listen on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = scripted.take(Asked(self.path, headers, body))
            if not answer.status:
                self.close_connection = True
                return
            with suppress(ConnectionError):  # who has waited for long enough is gone
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, *arguments: Any) -> None:
            pass  # tests are quiet

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        scripted = Scripted(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield scripted
        finally:
            server.shutdown()
            thread.join()
