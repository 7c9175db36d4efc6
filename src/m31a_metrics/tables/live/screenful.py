"""All the tables of one session's screen, made in one go."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.table import Table
from m31a_metrics.tables.live.cards import cards
from m31a_metrics.tables.live.cost import cost_by_model, cost_by_phase
from m31a_metrics.tables.live.course import by_phase, spend, timeline
from m31a_metrics.tables.live.events import latest
from m31a_metrics.tables.live.tools import tools

_LIVE = timedelta(seconds=30)


class Screenful(Struct):
    """What a screen shows of one session at one moment.

    `is_live` says that something happened within the last half minute.
    """

    is_live: bool
    cards: Table
    timeline: Table
    tools: Table
    phases: Table
    cost_by_phase: Table
    cost_by_model: Table
    spend: Table
    events: Table


def screenful(metrics: SessionMetrics, detail: SessionDetail | None, now: datetime) -> Screenful:
    """Make the tables of a session; `detail` None: only the sums are known, the rest is dashes."""
    known = SessionDetail() if detail is None else detail
    shown = Screenful(
        now - metrics.updated_at < _LIVE,
        cards(metrics, now),
        timeline(metrics, known),
        tools(metrics, known),
        by_phase(metrics, known),
        cost_by_phase(metrics),
        cost_by_model(known),
        spend(known),
        latest(known.latest),
    )
    if detail is None:
        unknown = "Not known: METRICS.json alone holds sums."
        for table in (shown.cost_by_model, shown.spend, shown.events):
            table.empty = unknown
    return shown
