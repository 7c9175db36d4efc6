"""Requests of OTLP as senders make them, said once and encoded both ways."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

from m31a_metrics.catalog.records import session_name
from m31a_metrics.events import Event, encode
from m31a_metrics.journal import OTLP, append_shared
from m31a_metrics.live.otlp.decoding import JSON, PROTOBUF
from m31a_metrics.live.otlp.telling import Told, told
from m31a_metrics.session import Session

Attributes = Mapping[str, object]

_NONE: Attributes = MappingProxyType({})
TRACE, T_NS = "5b8efff798038103d269b633813fc60c", 1_795_977_011_000_000_000


def attributes(values: Attributes) -> list[dict[str, Any]]:
    """Attributes as OTLP's JSON has them, whole numbers as strings."""
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def log(values: Attributes, t_ns: int = T_NS) -> dict[str, Any]:
    """One log record."""
    return {"timeUnixNano": str(t_ns), "attributes": attributes(values)}


def span(
    name: str, values: Attributes, *, number: int = 1, failed: bool = False, **more: object
) -> dict[str, Any]:
    """One span, of 250 ms."""
    one = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": name,
        "startTimeUnixNano": str(T_NS - 250_000_000 + number),
        "endTimeUnixNano": str(T_NS + number),
        "attributes": attributes(values),
        "status": {"code": 2 if failed else 0},
    }
    return one | more


def request(
    records: Sequence[Mapping[str, Any]],
    service: str = "shop-agent",
    resource: Attributes = _NONE,
    *,
    scope: str = "anything",
) -> tuple[str, dict[str, Any]]:
    """A request of logs or of spans, as what they are tells: its signal and its JSON."""
    is_logs = "timeUnixNano" in records[0]
    outer, inner, kind = (
        ("resourceLogs", "scopeLogs", "logRecords")
        if is_logs
        else ("resourceSpans", "scopeSpans", "spans")
    )
    of = {"attributes": attributes({"service.name": service} | dict(resource))}
    scoped = {"scope": {"name": scope}, kind: list(records)}
    return "logs" if is_logs else "traces", {outer: [{"resource": of, inner: [scoped]}]}


def tell(
    records: Sequence[Mapping[str, Any]],
    service: str = "shop-agent",
    resource: Attributes = _NONE,
) -> Told:
    """What such a request tells, which both encodings tell alike."""
    signal, sent = request(records, service, resource)
    by_json = told(signal, json.dumps(sent).encode(), f"{JSON}; charset=utf-8")
    assert told(signal, protobuf(signal, sent), PROTOBUF) == by_json
    return by_json


def events(
    records: Sequence[Mapping[str, Any]],
    service: str = "shop-agent",
    resource: Attributes = _NONE,
) -> list[Event]:
    """The events of the one session that a request tells of, without its start."""
    (found,) = tell(records, service, resource).sessions.values()
    return found[1:]


def arrive(capture: Path, sessions_dir: str, name: str = OTLP, *, times: int = 1) -> str:
    """Let all that a run sent arrive, and return the directory of its one session."""
    directories = set()
    for path in sorted(capture.glob("otlp-*")) * times:
        kind = PROTOBUF if path.suffix == ".pb" else JSON
        found = told(path.name.split("-")[1], path.read_bytes(), kind)
        assert (found.rejected, found.reason) == (0, "")
        for key, some in found.sessions.items():
            session = Session(sessions_dir, session_name(*key, ""))
            Path(session.events).mkdir(parents=True, exist_ok=True, mode=0o700)
            Path(session.directory).chmod(0o700)
            lines = [encode(event) for event in some]
            append_shared(session.events, lines, name)
            directories.add(session.directory)
    (directory,) = directories
    return directory


def protobuf(signal: str, sent: Mapping[str, Any]) -> bytes:
    """Encode a request in protobuf."""
    from google.protobuf.json_format import ParseDict

    from m31a_metrics.live.otlp.decoding import _messages

    data: bytes = ParseDict(_with_base64(sent), _messages()[signal]()).SerializeToString()
    return data


def _with_base64(value: Any) -> Any:
    """Protobuf's own JSON has base64 where OTLP's has hexadecimal."""
    if isinstance(value, list):
        return [_with_base64(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(one)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_base64(one)
        for key, one in value.items()
    }


_UNWRITTEN = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _value(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if isfinite(value) else _UNWRITTEN[str(value)]}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes(value)}}
    return {"stringValue": value}
