"""One session read whole: what happened in it, and call by call why."""

from __future__ import annotations

from m31a_metrics.answers import SessionRow
from m31a_metrics.conversation import Title
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.record import SessionRecord
from m31a_metrics.table import Panel
from m31a_metrics.tables import explain as of_calls
from m31a_metrics.tables import show as of_session
from m31a_metrics.tables.explain import Explained


def show(
    metrics: SessionMetrics,
    detail: SessionDetail,
    told: SessionRecord | None = None,
    *,
    row: SessionRow | None = None,
    record: SessionRecord | None = None,
    title: Title | None = None,
    whole: bool = False,
) -> list[Panel]:
    """Its head, transcript, phases, heals, tools, cost, edit strategies and rate limits.

    `detail` is what its journals know, `told` what its transcript tells, if it is another
    agent's, `row` the session as a list of sessions has it, `record` what its events add up to.
    `title` is what a person recognises it by, read for whoever looks on.
    """
    names = (
        *("session", "transcript", "phases", "healing", "tools"),
        *("cost_by_phase", "cost_by_model", "edit_strategies", "rate_limits"),
    )
    tables = of_session.show(metrics, detail, told, row=row, record=record, whole=whole)
    if title is not None:
        tables[:2] = of_session.entitled(tables[0], tables[1], title, whole=whole)
    return [Panel(name, table) for name, table in zip(names, tables, strict=True)]


def explain(explained: Explained, *, whole: bool = False) -> list[Panel]:
    """Each call with its phase and the rule that decided it, the heals and the bisects."""
    tables = of_calls.explain(explained, whole=whole)
    return [
        Panel(name, table)
        for name, table in zip(("calls", "heals", "bisects"), tables, strict=True)
    ]
