"""Subagents: what is known of one when it has ended."""

from __future__ import annotations

from datetime import datetime

from m31a_metrics.events import Subagent
from m31a_metrics.figures import text, tokens
from m31a_metrics.model import Usage
from m31a_metrics.sources.claude_code.records import Result, micros
from m31a_metrics.timestamps import millis, span_ms
from m31a_metrics.transcript import Call

_UNNAMED = "agent"


def ended(call: Call, said: Result) -> Subagent | None:
    """Return the event of a subagent's end; None if it goes on in the background."""
    if said.is_async is True or said.total_duration_ms is None:
        return None
    return Subagent(
        id=f"subagent:{call.id}",
        t_us=call.end_us,
        name=text(said.agent_type) or call.command.partition(":")[0] or _UNNAMED,
        usage=_usage(said),
        duration_ms=millis(said.total_duration_ms),
        success=call.success,
    )


def ended_by_file(agent: str, kind: str, began: datetime, finished: datetime) -> Subagent:
    """Return the event of a subagent that only its own transcript tells of."""
    end_us = micros(finished)
    return Subagent(
        id=f"subagent:{agent}",
        t_us=end_us,
        name=kind or (agent.partition("-")[0] if "-" in agent else _UNNAMED),
        duration_ms=span_ms(micros(began), end_us),
    )


def _usage(said: Result) -> Usage | None:
    """Return the last response's usage, with the total that the result gives."""
    if said.total_tokens is None:
        return None
    counts = _object(said.usage)
    read = tokens(counts.get("cache_read_input_tokens"))
    written = tokens(counts.get("cache_creation_input_tokens"))
    split = _object(counts.get("cache_creation"))
    written_1h = min(tokens(split.get("ephemeral_1h_input_tokens")), written)
    return Usage(
        tokens(counts.get("input_tokens")) + read + written,
        tokens(counts.get("output_tokens")),
        tokens(said.total_tokens),
        cache_read_tokens=read,
        cache_write_5m_tokens=written - written_1h,
        cache_write_1h_tokens=written_1h,
    )


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
