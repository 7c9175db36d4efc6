"""Requests of OTLP/HTTP, protobuf or JSON, as batches of records that are read alike.

Of JSON only what somebody may ask for is decoded, into structs that are named as protobuf names
its messages, so that one piece of code reads both. The JSON mapping is OTLP's own: ids are
hexadecimal, 64-bit numbers come as numbers or as strings, enums as numbers (or their names),
unknown fields are passed over (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from m31a_metrics.errors import ExtraNotInstalled, MetricsError
from m31a_metrics.jsonlines import UNREADABLE, decode_json

LOGS, TRACES, METRICS = "logs", "traces", "metrics"

Scalar = str | int | float | bool

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Undecodable(MetricsError):
    """A body that is no request of OTLP: it is answered with 400, and not to be sent again."""


class Batch(NamedTuple):
    """What one scope of one resource sent: its service's attributes, the scope, its records."""

    resource: dict[str, Scalar]
    scope: str
    records: Sequence[Any]


class Reader(NamedTuple):
    """How the records of a request are read, by its encoding.

    `attributes` gives those attributes of a record or a resource that are wanted and hold one
    value, `hexed` an id as it is written.
    """

    attributes: Callable[[Any, Container[str]], dict[str, Scalar]]
    hexed: Callable[[Any], str]


def decode(signal: str, body: bytes, content_type: str) -> tuple[Reader, Iterator[Batch]]:
    """Decode a request. Raises Undecodable; ExtraNotInstalled for protobuf without `otel`."""
    kind = content_type.partition(";")[0].strip().lower()
    if signal not in _PARTS:
        raise Undecodable(f"{signal} is no signal of OTLP: there are logs, traces and metrics")
    if kind == JSON:
        return _JSON_READER, _batches(_JSON_READER, _of_json(signal, body), _PARTS[signal])
    if kind == PROTOBUF:
        return _PROTOBUF_READER, _batches(
            _PROTOBUF_READER, _of_protobuf(signal, body), _PARTS[signal]
        )
    raise Undecodable(f"{kind or 'no content type'} is neither {PROTOBUF} nor {JSON}")


_RESOURCE = frozenset(
    (
        "service.name",
        "service.version",
        "session.id",
        "gen_ai.conversation.id",
    )
)

_PARTS = {
    LOGS: ("resource_logs", "scope_logs", "log_records"),
    TRACES: ("resource_spans", "scope_spans", "spans"),
    METRICS: ("resource_metrics", "scope_metrics", "metrics"),
}


def _batches(reader: Reader, request: Any, parts: tuple[str, str, str]) -> Iterator[Batch]:
    resources, scopes, records = parts
    for one in getattr(request, resources) or ():
        resource = reader.attributes(one.resource, _RESOURCE) if one.resource else {}
        for scoped in getattr(one, scopes) or ():
            scope = scoped.scope.name if scoped.scope else ""
            yield Batch(resource, scope, getattr(scoped, records) or ())


# ---- protobuf


def _of_protobuf(signal: str, body: bytes) -> Any:
    request = _messages()[signal]()
    from google.protobuf.message import DecodeError  # which the extra brings, too

    try:
        request.ParseFromString(body)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise Undecodable(f"the body is no {signal} request of OTLP in protobuf") from error
    return request


@cache
def _messages() -> dict[str, Any]:
    try:
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
            ExportMetricsServiceRequest,
        )
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )
    except ImportError:
        raise ExtraNotInstalled("reading protobuf", "otel") from None
    return {
        LOGS: ExportLogsServiceRequest,
        TRACES: ExportTraceServiceRequest,
        METRICS: ExportMetricsServiceRequest,
    }


_SCALARS = frozenset(("string_value", "int_value", "bool_value"))


def _protobuf_attributes(owner: Any, wanted: Container[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for one in owner.attributes:
        key = one.key
        if key in wanted:
            value = one.value
            kind = value.WhichOneof("value")
            if kind in _SCALARS:
                found[key] = getattr(value, kind)
            elif kind == "double_value" and (figure := number(value.double_value)) is not None:
                found[key] = figure  # neither NaN nor infinite
    return found


_PROTOBUF_READER = Reader(_protobuf_attributes, bytes.hex)


# ---- JSON


class _Value(Struct, rename="camel", gc=False):
    string_value: Any = None
    int_value: Any = None
    double_value: Any = None
    bool_value: Any = None


_value_decoder = msgspec.json.Decoder(_Value | None)
_decode_value = _value_decoder.decode


class _Attribute(Struct, gc=False):
    key: str = ""
    value: msgspec.Raw = msgspec.Raw()


class _Resource(Struct, gc=False):
    attributes: list[_Attribute] | None = None


class _Scope(Struct, gc=False):
    name: str = ""


class _Status(Struct, gc=False):
    code: Any = 0


class _Span(Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: Any = 0
    end_time_unix_nano: Any = 0
    attributes: list[_Attribute] | None = None
    status: _Status | None = None


class _Log(Struct, rename="camel", gc=False):
    time_unix_nano: Any = 0
    observed_time_unix_nano: Any = 0
    event_name: str = ""
    attributes: list[_Attribute] | None = None
    trace_id: str = ""
    span_id: str = ""


class _ScopeSpans(Struct, gc=False):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ScopeLogs(Struct, rename="camel", gc=False):
    scope: _Scope | None = None
    log_records: list[_Log] | None = None


class _ScopeMetrics(Struct, gc=False):
    scope: _Scope | None = None
    metrics: list[msgspec.Raw] | None = None


class _ResourceSpans(Struct, rename="camel", gc=False):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _ResourceLogs(Struct, rename="camel", gc=False):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _ResourceMetrics(Struct, rename="camel", gc=False):
    resource: _Resource | None = None
    scope_metrics: list[_ScopeMetrics] | None = None


class _Traces(Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans] | None = None


class _Logs(Struct, rename="camel", gc=False):
    resource_logs: list[_ResourceLogs] | None = None


class _Metrics(Struct, rename="camel", gc=False):
    resource_metrics: list[_ResourceMetrics] | None = None


@cache
def _decoders() -> dict[str, msgspec.json.Decoder[Any]]:
    return {
        LOGS: msgspec.json.Decoder(_Logs),
        TRACES: msgspec.json.Decoder(_Traces),
        METRICS: msgspec.json.Decoder(_Metrics),
    }


def _of_json(signal: str, body: bytes) -> Any:
    try:
        return decode_json(_decoders()[signal], body)
    except UNREADABLE as error:
        raise Undecodable(f"the body is no {signal} request of OTLP in JSON") from error


def _json_value(raw: msgspec.Raw) -> Scalar | None:
    """Decode a value that is wanted: what is not, such as a prompt, is passed over undecoded."""
    try:
        value = _decode_value(raw)
    except UNREADABLE:
        try:
            value = decode_json(_value_decoder, raw)
        except UNREADABLE:
            return None
    if value is None:
        return None
    if type(value.string_value) is str:
        return value.string_value
    if value.int_value is not None:
        whole = number(value.int_value)
        return None if whole is None else int(whole)
    if value.double_value is not None:
        return number(value.double_value)
    return value.bool_value if type(value.bool_value) is bool else None


def _json_attributes(owner: _Resource | _Span | _Log, wanted: Container[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for one in owner.attributes or ():
        if one.key in wanted:
            value = _json_value(one.value)
            if value is not None:
                found[one.key] = value
    return found


_JSON_READER = Reader(_json_attributes, str)

_DIGITS_MAX = 40
"""More digits than any figure here has; so many are not worth the time to read them."""


def number(value: object) -> int | float | None:
    """Return a number that may have come as a string; None for anything that is none."""
    if type(value) is int:
        return value
    if type(value) is float:
        return value if value - value == 0 else None  # neither NaN nor infinite
    if type(value) is not str or not 0 < len(value) <= _DIGITS_MAX:
        return None
    try:
        # A float would round what a 64-bit integer holds.
        return int(value) if value.removeprefix("-").isdecimal() else number(float(value))
    except ValueError:
        return None
