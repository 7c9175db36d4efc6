"""`m31 collect` on one core: spans and requests a second of its CPU, and its memory (Linux)."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path

from msgspec import json
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from bench.measure import M31, Row

_EACH = 512
_SPANS = 51_200
_ALONE = 3_000
_ROUNDS = 3
_SPANS_S, _REQUESTS_S, _MEMORY_MB = 25_000, 1_000, 80
_PROTOBUF = {"Content-Type": "application/x-protobuf"}
_GZIP = _PROTOBUF | {"Content-Encoding": "gzip"}
_JSON = {"Content-Type": "application/json"}
_TICKS_S = os.sysconf("SC_CLK_TCK")


def _attributes(number: int) -> dict[str, str | int]:
    """Those of a span of a model call, some of which nobody keeps."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-11-20",
        "gen_ai.response.id": f"chatcmpl-{number:012}",
        "gen_ai.conversation.id": f"session-{number % 4}",
        "gen_ai.usage.input_tokens": 1200 + number % 100,
        "gen_ai.usage.output_tokens": 60,
        "gen_ai.usage.cache_read.input_tokens": 1000,
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.finish_reasons": "stop",
    }


def _protobuf(first: int, count: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(
        KeyValue(key="service.name", value=AnyValue(string_value="shop"))
    )
    scope = resource.scope_spans.add()
    for number in range(first, first + count):
        span = scope.spans.add()
        span.name, span.trace_id, span.span_id = "chat gpt-4o", bytes(16), number.to_bytes(8)
        span.start_time_unix_nano = 1_780_000_000 * 10**9 + number * 1000
        span.end_time_unix_nano = span.start_time_unix_nano + 10**9
        for name, value in _attributes(number).items():
            said = span.attributes.add()
            said.key = name
            if isinstance(value, int):
                said.value.int_value = value
            else:
                said.value.string_value = value
    body: bytes = request.SerializeToString()
    return body


def _as_json(first: int, count: int) -> bytes:
    spans = [
        {
            "traceId": "0" * 32,
            "spanId": f"{number:016x}",
            "name": "chat gpt-4o",
            "startTimeUnixNano": str(1_780_000_000 * 10**9 + number * 1000),
            "endTimeUnixNano": str(1_780_000_001 * 10**9 + number * 1000),
            "attributes": [
                {
                    "key": name,
                    "value": {"intValue": str(value)}
                    if isinstance(value, int)
                    else {"stringValue": value},
                }
                for name, value in _attributes(number).items()
            ],
        }
        for number in range(first, first + count)
    ]
    named = [{"key": "service.name", "value": {"stringValue": "shop"}}]
    resource = {"resource": {"attributes": named}, "scopeSpans": [{"spans": spans}]}
    return json.encode({"resourceSpans": [resource]})


class _Collecting:
    """`m31 collect` in a process of its own, and one connection to it."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [*M31, "collect", "--port", "0"],
            env=dict(os.environ, HOME=str(home)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline().rpartition(":")[2])
        self._connection = HTTPConnection("127.0.0.1", port)
        self._token = (home / ".m31a/live/otlp.token").read_text().strip()

    def cpu_s(self, bodies: Sequence[bytes], headers: dict[str, str]) -> float:
        """The CPU seconds that it takes for some requests."""
        before_s = self._used_s()
        for body in bodies:
            more = {"Authorization": f"Bearer {self._token}"}
            self._connection.request("POST", "/v1/traces", body, headers | more)
            answer = self._connection.getresponse()
            answer.read()
            assert answer.status == 200
        return self._used_s() - before_s

    def _used_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_S

    def peak_mb(self) -> float:
        """What it held at most."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def close(self) -> None:
        """End it."""
        self._connection.close()
        self._process.terminate()
        self._process.communicate()


def rows(directory: Path) -> Iterator[Row]:
    """Send spans in batches, as exporters do, and one by one; each kind several times."""
    batches = range(0, _SPANS, _EACH)
    kinds = {
        "protobuf": ([_protobuf(first, _EACH) for first in batches], _PROTOBUF, _SPANS),
        "JSON": ([_as_json(first, _EACH) for first in batches], _JSON, _SPANS),
        "one span a request": ([_protobuf(one, 1) for one in range(_ALONE)], _PROTOBUF, _ALONE),
    }
    packed = [gzip.compress(body, 1) for body in kinds["protobuf"][0]]
    kinds["protobuf, gzip"] = packed, _GZIP, _SPANS
    collecting = _Collecting(directory)
    try:
        for name, (bodies, headers, count) in kinds.items():
            cpu_s = min(collecting.cpu_s(bodies, headers) for _ in range(_ROUNDS))
            alone = count == len(bodies)
            yield Row(
                f"m31 collect, {name}",
                count / cpu_s,
                _REQUESTS_S if alone else _SPANS_S,
                "requests/CPU s" if alone else "spans/CPU s",
                at_least=True,
                note=f"{len(bodies[0]) // (1 if alone else _EACH):,} bytes a span, "
                f"{count // len(bodies)} a request, each written before it is acknowledged; "
                f"best of {_ROUNDS}",
            )
        yield Row("m31 collect, peak memory of all that", collecting.peak_mb(), _MEMORY_MB, "MB")
    finally:
        collecting.close()
