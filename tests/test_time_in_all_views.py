"""Every view that shows time shows the same: active time, shares of phases, rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from m31a_metrics import events
from m31a_metrics.active_time import Stretch, stretches_of, time_by, time_by_phase
from m31a_metrics.answers import Slice
from m31a_metrics.catalog.records import Recording, record_of
from m31a_metrics.history import MEMORY, History
from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.phases import infer
from m31a_metrics.questions.ask import Ask
from m31a_metrics.questions.phases import phases
from m31a_metrics.questions.session import show
from m31a_metrics.questions.sessions import session, sessions
from m31a_metrics.record import SessionRecord
from m31a_metrics.table import CARDS, Table
from m31a_metrics.tables import live
from m31a_metrics.tables.timeline import PHASES_LANE, timeline
from m31a_metrics.tally.live import LiveTally
from m31a_metrics.transcript import Transcript
from tests.active_sessions import invented, transcripts
from tests.tables.builders import column, records

NOW = datetime(2026, 6, 30, tzinfo=UTC)


def free(_: events.LLMInteraction) -> float:
    return 0.0


def spent(table: Table) -> dict[Any, Any]:
    """The time of each phase in a table; of a phase without any there may be a dash."""
    return {row["phase"] or "": row["duration_ms"] or 0 for row in records(table)}


def figures(table: Table, name: str) -> float:
    """Add up a column."""
    return sum(cell for cell in column(table, name) if isinstance(cell, int | float))


def agree(
    active: Sequence[Stretch],
    record: SessionRecord,
    told: tuple[SessionMetrics, SessionDetail],
    recorded: Sequence[events.Event],
) -> None:
    """Ask every view, and compare with what the stretches add up to."""
    metrics, detail = told
    by_phase = {phase: us / 1000 for phase, us in time_by_phase(active).items()}
    whole_ms = sum(ended_us - began_us for began_us, ended_us, _ in active) / 1000
    with History(MEMORY) as history:
        history.put(record)
        ask = Ask(history, Slice(), NOW)
        (listed,) = records(sessions(ask, whole=True)[0].table)
        (in_all,) = records(sessions(ask, by="agent", whole=True)[0].table)
        (shown_head, _, shown, *_) = (
            panel.table for panel in show(metrics, detail, record=record, whole=True)
        )
        (head,) = records(shown_head)
        (card,) = records(live.cards(metrics, detail, metrics.updated_at))
        (row,) = history.sessions(Slice())
        page = {panel.name: panel.table for panel in session(ask, row)}
        tables = [
            phases(ask, whole=True)[0].table,
            shown,
            page["phases"],
            live.by_phase(metrics, detail, metrics.updated_at),
        ]
        days = phases(ask, by="day", whole=True)[0].table
        by_day = sessions(ask, by="day", whole=True)[0].table
        (cards,) = records(page[CARDS])
    for one in (listed, head, card, in_all, cards):
        assert one["active_ms"] == (pytest.approx(whole_ms) if whole_ms else None)
    for name in ("cost_per_hour_usd", "tokens_per_hour"):
        rates = {one[name] for one in (listed, head, in_all)}
        assert len(rates) == 1
    assert card["cost_per_hour_usd"] == listed["cost_per_hour_usd"]
    for table in tables:
        if table.rows:  # where nobody named a phase there are none
            assert {name: ms for name, ms in spent(table).items() if ms} == pytest.approx(by_phase)
            assert figures(table, "duration_share") == pytest.approx(1 if whole_ms else 0)
    assert figures(days, "duration_ms") == pytest.approx(whole_ms)
    assert figures(by_day, "active_ms") == pytest.approx(whole_ms)
    bar = live.timeline(metrics, detail, metrics.updated_at)
    assert figures(bar, "duration_ms") == pytest.approx(whole_ms)
    lanes = timeline(recorded, free, active)[0].table
    lanes.rows = [row for row in lanes.rows if PHASES_LANE in row]
    assert figures(lanes, "duration_ms") == pytest.approx(whole_ms)
    hours = time_by(active, lambda t_us: str(t_us // 3_600_000_000))
    assert sum(us for _, _, us in hours) / 1000 == pytest.approx(whole_ms)


def live_of(
    recorded: Sequence[events.Event], *, inferred: bool
) -> tuple[SessionMetrics, SessionDetail]:
    tally = LiveTally(free, inferred=inferred, is_over=True)
    tally.add_all(enumerate(recorded))
    return tally.metrics("one"), tally.detail()


@given(invented())
def test_views_agree_on_recorded_sessions(recorded: list[events.Event]) -> None:
    """Stays, calls and answers that a recorder told of."""
    record = SessionRecord("m31a", "one", "one", "/sessions/one", is_recorded=True)
    record = Recording(record, None, recorded).summed(free)
    active = stretches_of(recorded, inferred=False)
    agree(active, record, live_of(recorded, inferred=False), recorded)


@given(transcripts())
def test_views_agree_on_transcripts(transcript: Transcript) -> None:
    """Other agents' sessions, with phases that are inferred; their imports count the same."""
    inference = infer(transcript)
    record = record_of("/sessions/one.jsonl", transcript, inference, free)
    agree(inference.active, record, live_of(inference.events, inferred=True), inference.events)
    assert stretches_of(inference.events, inferred=True) == inference.active
    durations = {
        event.phase: event.duration_ms
        for event in inference.events
        if isinstance(event, events.PhaseDuration)
    }
    named = {phase: us / 1000 for phase, us in time_by_phase(inference.active).items() if phase}
    assert {phase: ms for phase, ms in durations.items() if ms} == pytest.approx(named)


def test_what_goes_on_is_ahead_on_the_screen_alone() -> None:
    """The live screen counts the phase that goes on up to now; the rest up to the last event."""
    began_us = round(NOW.timestamp() * 1e6)
    recorded: list[events.Event] = [
        events.PhaseTransition(began_us, "plan"),
        events.UserTurn(began_us + 30_000_000),
    ]
    metrics, detail = live_of(recorded, inferred=False)
    assert detail.times[0].active_us == 30_000_000
    tally = LiveTally(free)
    tally.add_all(enumerate(recorded))
    (row,) = records(live.by_phase(metrics, tally.detail(), NOW + timedelta(seconds=45)))
    assert (row["duration_ms"], row["success"]) == (45_000, "now")
