"""Invented requests of OTLP, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import json

JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}
NOW_NS = 1_700_000_000 * 10**9


def attributes(**values: str | int) -> list[dict[str, Any]]:
    """Attributes, whose names may have a dot for each double underscore."""
    return [
        {
            "key": name.replace("__", "."),
            "value": {"intValue" if isinstance(value, int) else "stringValue": value},
        }
        for name, value in values.items()
    ]


def logs(
    *sessions: str, count: int = 1, first: int = 0, more: Mapping[str, str] | None = None
) -> bytes:
    """A request of Claude Code's logs: so many model calls of each session, each of its own id.

    `more` are further attributes of each.
    """
    records = [
        {
            "timeUnixNano": str(NOW_NS + number * 10**6),
            "body": {"stringValue": "claude_code.api_request"},
            "attributes": attributes(
                event__name="api_request",
                session__id=session,
                request_id=f"req_{session}_{number}",
                model="claude-opus-4-5",
                input_tokens=10,
                output_tokens=5,
                cost_usd="0.01",
                **(more or {}),
            ),
        }
        for session in sessions
        for number in range(first, first + count)
    ]
    resource = {"attributes": attributes(service__name="claude-code")}
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": records}
    return json.encode({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})
