"""Spans and metrics to a receiver of OTLP over HTTP, by OpenTelemetry's own exporters.

These know the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `..._HEADERS`, ...), and try again
for as long as a request may take. What they do not say is why one failed, that a receiver took
only a part, or that a redirection is no success: so the requests are listened to, in the session
that they are given. There, too, the bytes of spans are put in, which `encoding` makes faster.
"""

from __future__ import annotations

import gzip
import logging
import math
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import requests
from google.protobuf.message import DecodeError
from msgspec import MsgspecError, Struct
from msgspec.json import decode as decode_json
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics import export as sdk_metrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext
from requests.structures import CaseInsensitiveDict

from m31a_metrics import genai
from m31a_metrics.errors import ConfigError
from m31a_metrics.exports.otlp.encoding import request
from m31a_metrics.genai import METRICS, Kind, Point
from m31a_metrics.spans import Span, Trace

_DEFAULT = "http://localhost:4318"
_PASSING = frozenset((408, 429, 500, 502, 503, 504))
_TOO_LARGE = 413
_WORDS_MAX = 200
_CAUSES_MAX = 10
_FAST = 1
"""The level of compression: more of it saves a tenth of the bytes, for five times the time."""


class Outcome(NamedTuple):
    """What became of a request.

    `why` it was not taken, as a part of a sentence; `rejected` of what was in it, the receiver
    did not want, and says `words`. `is_passing`: it may take it later, after `retry_after_s`
    where it said so.
    """

    why: str = ""
    is_passing: bool = False
    retry_after_s: float | None = None
    status: int | None = None
    rejected: int = 0
    words: str = ""


class Places(NamedTuple):
    """Where traces and metrics go: two addresses."""

    traces: str
    metrics: str


def places(endpoint: str | None, environ: Mapping[str, str]) -> Places:
    """Find out where to send, by an option or the standard variables. Raises ConfigError."""
    for signal in ("", "TRACES_", "METRICS_"):
        name = f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL"
        protocol = environ.get(name, "").strip()
        if protocol and protocol != "http/protobuf":
            raise ConfigError(
                f"{name} is {protocol!r}, and what is sent here is http/protobuf: "
                "set it to that, and the endpoint to the receiver's port for it (4318)"
            )
    base = endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT
    found = []
    for signal in ("traces", "metrics"):
        own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        if own and not endpoint:
            found.append(own)
            continue
        without = base.removesuffix("/").removesuffix("/v1/traces").removesuffix("/v1/metrics")
        found.append(f"{without}/v1/{signal}")
    for url in found:
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            is_usable = is_usable and (parts.port is None or parts.port > 0)
        except ValueError:
            is_usable = False
        if not is_usable:
            raise ConfigError(f"{url} is no address to send to; it is like {_DEFAULT}")
    return Places(*found)


def shown(url: str) -> str:
    """An address without the name and the password that may be in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Receiver:
    """Whoever takes spans and metrics. Not thread-safe.

    `version` is ours, and `instance` names who sends, the same at each run.
    """

    def __init__(self, at: Places, version: str, instance: str) -> None:
        self.at = at
        self._instance = instance
        self._listened = _Listened()
        self._version = version
        # They say on stderr what is said better here.
        log = logging.getLogger("opentelemetry")
        log.addHandler(logging.NullHandler())
        log.propagate = False
        self._traces = OTLPSpanExporter(at.traces, session=self._listened)
        self._metrics = OTLPMetricExporter(at.metrics, session=self._listened)

    def close(self) -> None:
        """Let go of the connection."""
        self._listened.close()

    def send(self, trace: Trace, spans: Sequence[Span]) -> Outcome:
        """Send spans of one session in one request, or several where that is too large."""
        row = trace.traced.row
        resource, scope = _envelope(row.agent, row.version, self._instance, self._version)
        self._listened.instead = request(resource, scope, trace.id, spans)
        outcome = self._post(
            lambda: self._traces.export(()), ExportTraceServiceResponse, self.at.traces
        )
        if outcome.status == _TOO_LARGE and len(spans) > 1:
            half = len(spans) // 2
            first = self.send(trace, spans[:half])
            return first if first.why else _both(first, self.send(trace, spans[half:]))
        return outcome

    def send_metrics(self, points: Sequence[Point], start_us: int, now_us: int) -> Outcome:
        """Send all series, as they have grown from `start_us` to `now_us`."""
        self._listened.instead = b""
        resource = _resource_of("m31a", self._version, self._instance)
        times_ns = start_us * 1000, max(now_us, start_us) * 1000
        data = _metrics_data(points, times_ns, resource, _scope(self._version))
        return self._post(
            lambda: self._metrics.export(data), ExportMetricsServiceResponse, self.at.metrics
        )

    def _post(self, export: Callable[[], Any], response: type[Any], url: str) -> Outcome:
        self._listened.clear()
        try:
            result = export()
        except Exception:
            if self._listened.error is None:
                raise
            result = None  # earlier versions let through that nobody answers
        answer, error = self._listened.answer, self._listened.error
        if answer is None:
            why = _words_of(error) if error else "it could not be encoded"
            return Outcome(f"{shown(url)}: {why}", is_passing=error is not None)
        status = answer.status_code
        if not 200 <= status < 300:
            said = f"{status} {answer.reason or ''}".strip()
            return Outcome(
                f"{shown(url)} answered {said}", status in _PASSING, _retry_after_s(answer), status
            )
        if "html" in answer.headers.get("content-type", ""):
            return Outcome(f"{shown(url)} answered with a page, as no receiver does", status=status)
        if result is None or result.value:  # as enumerations of results have it: 0 is success
            return Outcome(f"{shown(url)}: it could not be encoded", status=status)
        return _taken(answer, response)


class _Listened(requests.Session):
    """Remembers what became of the last request.

    The body of the next one is that of `instead`, where there is one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.instead = b""
        self.clear()

    def clear(self) -> None:
        """Forget it."""
        self.answer: requests.Response | None = None
        self.error: Exception | None = None

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Make a request, as any session does."""
        self.clear()
        if self.instead:
            headers = CaseInsensitiveDict({**self.headers, **(options.get("headers") or {})})
            packed = _PACKED.get(headers.get("content-encoding", ""), bytes)
            options["data"] = packed(self.instead)
        options["allow_redirects"] = False  # a POST would become a GET without its body
        try:
            self.answer = super().request(*arguments, **options)
        except Exception as error:
            self.error = error
            raise
        return self.answer


_PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, compresslevel=_FAST),
    "deflate": lambda data: zlib.compress(data, level=_FAST),
}


def _words_of(error: BaseException) -> str:
    """Say in a few words why nobody answered: what the system says, where it says something."""
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or it speaks no TLS"
    cause: object = error
    for _ in range(_CAUSES_MAX):
        if isinstance(cause, OSError) and cause.strerror and not cause.filename:
            return cause.strerror.lower()
        if not isinstance(cause, BaseException):
            break
        reason = next((one for one in cause.args if isinstance(one, BaseException)), None)
        cause = reason or getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
    return "no connection"


def _retry_after_s(answer: requests.Response) -> float | None:
    """When to try again, as the answer says it: in seconds, or as a date."""
    text = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _taken(answer: requests.Response, response: type[Any]) -> Outcome:
    """Read how much of it a receiver took that said it did."""
    kind = answer.headers.get("content-type", "")
    rejected, words = 0, ""
    if "json" in kind:
        try:
            partial = decode_json(answer.content, type=_Answer, strict=False).partialSuccess
        except MsgspecError:
            partial = None
        if partial is not None:
            rejected = partial.rejectedSpans or partial.rejectedDataPoints
            words = partial.errorMessage
    elif "protobuf" in kind:
        told = response()
        try:
            told.ParseFromString(answer.content)
        except DecodeError:
            return Outcome(status=answer.status_code)
        partial_success = told.partial_success
        rejected = getattr(partial_success, "rejected_spans", 0)
        rejected = rejected or getattr(partial_success, "rejected_data_points", 0)
        words = partial_success.error_message
    return Outcome(status=answer.status_code, rejected=rejected, words=words[:_WORDS_MAX])


class _Partial(Struct):
    rejectedSpans: int = 0  # noqa: N815 - as OTLP spells it in JSON
    rejectedDataPoints: int = 0  # noqa: N815 - as OTLP spells it in JSON
    errorMessage: str = ""  # noqa: N815 - as OTLP spells it in JSON


class _Answer(Struct):
    partialSuccess: _Partial | None = None  # noqa: N815 - as OTLP spells it in JSON


def _both(one: Outcome, other: Outcome) -> Outcome:
    return other._replace(rejected=one.rejected + other.rejected, words=other.words or one.words)


def _resource_of(agent: str, version: str, instance: str) -> Resource:
    """Whose spans they are: an agent, unless OTEL_SERVICE_NAME or the like says otherwise."""
    told = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {"service.instance.id": instance, "service.version": version, "service.name": agent}
    if os.environ.get("OTEL_SERVICE_NAME"):
        del own["service.name"]
    own = {
        name: value.encode("utf-8", "replace").decode()
        for name, value in own.items()
        if value and f"{name}=" not in told
    }
    return Resource.create(own)


def _scope(version: str) -> InstrumentationScope:
    return InstrumentationScope("m31a_metrics", version)


@lru_cache(64)
def _envelope(agent: str, version: str, instance: str, own_version: str) -> tuple[bytes, bytes]:
    """What a request says of whose spans these are and who made them, encoded."""
    empty = ReadableSpan(
        "",
        context=SpanContext(1, 1, is_remote=False),
        resource=_resource_of(agent, version, instance),
        instrumentation_scope=_scope(own_version),
        start_time=0,
        end_time=0,
    )
    (encoded,) = encode_spans([empty]).resource_spans
    return encoded.resource.SerializeToString(), encoded.scope_spans[0].scope.SerializeToString()


def _metrics_data(
    points: Iterable[Point],
    times_ns: tuple[int, int],
    resource: Resource,
    scope: InstrumentationScope,
) -> sdk_metrics.MetricsData:
    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point.metric, []).append(point)
    metrics = [_metric(METRICS[name], of_it, times_ns) for name, of_it in by_name.items()]
    scoped = sdk_metrics.ScopeMetrics(scope, metrics, "")
    return sdk_metrics.MetricsData([sdk_metrics.ResourceMetrics(resource, [scoped], "")])


def _metric(
    metric: genai.Metric, points: Iterable[Point], times_ns: tuple[int, int]
) -> sdk_metrics.Metric:
    cumulative = sdk_metrics.AggregationTemporality.CUMULATIVE
    labelled = [(dict(one.labels), one) for one in points]
    if metric.kind is Kind.SUM:
        numbers = [
            sdk_metrics.NumberDataPoint(labels, *times_ns, one.sum) for labels, one in labelled
        ]
        total = sdk_metrics.Sum(numbers, cumulative, is_monotonic=True)
        return sdk_metrics.Metric(metric.name, metric.description, metric.unit, total)
    nobody_knows: Any = None  # the least and the greatest, which may be left out
    distributions = [
        sdk_metrics.HistogramDataPoint(
            labels,
            *times_ns,
            one.count,
            one.sum,
            one.buckets,
            metric.bounds,
            nobody_knows,
            nobody_knows,
        )
        for labels, one in labelled
    ]
    spread = sdk_metrics.Histogram(distributions, cumulative)
    return sdk_metrics.Metric(metric.name, metric.description, metric.unit, spread)
