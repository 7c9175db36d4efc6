"""The sessions that are running now, as one list to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.tables.from_metrics import session_row
from m31a_metrics.tables.live.course import current_phase
from m31a_metrics.tables.names import last_part
from m31a_metrics.tables.sessions import cost_of, known_time, known_tokens, lasted_ms


class Running(Struct):
    """One session that may be going on, and whose it is.

    `problem` says why it cannot be read, where it cannot; its figures are those of before.
    """

    session_id: str
    agent: str
    project: str
    metrics: SessionMetrics
    detail: SessionDetail
    problem: str = ""


COLUMNS = [
    columns.SESSION,
    columns.AGENT,
    columns.PROJECT,
    Column("idle_ms", "Idle", Unit.MS),
    columns.PHASE,
    columns.CALLS,
    columns.FAILED,
    columns.COST,
    columns.TOKENS,
    columns.LASTED,
    columns.HEALS,
]


def running(sessions: Sequence[Running], now: datetime) -> Table:
    """Show sessions, the one with the latest event first."""
    ordered = sorted(sessions, key=lambda one: one.metrics.updated_at, reverse=True)
    return Table(
        "Running sessions",
        COLUMNS,
        [_row(one, now) for one in ordered],
        "No session is running. Record one: `m31 run -- COMMAND`, or start an agent.",
        [f"{one.session_id}: {one.problem}" for one in ordered if one.problem],
    )


def _row(one: Running, now: datetime) -> tuple[Cell, ...]:
    sums = session_row(one.metrics)
    updated_at = known_time(sums.updated_us)
    idle_s = None if updated_at is None else max(int((now - updated_at).total_seconds()), 0)
    return (
        one.session_id,
        one.agent,
        last_part(one.project) or None,
        None if idle_s is None else idle_s * 1000,
        current_phase(one.detail.spans),
        sums.call_count,
        sums.fail_count,
        cost_of(sums),
        known_tokens(sums),
        lasted_ms(sums),
        sums.heal_trigger_count,
    )
