"""Phases: time, cost and outcome, heals and bisects, of one session, of many, by part."""

from __future__ import annotations

from m31a_metrics.answers import PhaseRow
from m31a_metrics.record import PhaseDay, SessionRecord
from m31a_metrics.table import Table
from m31a_metrics.tables import columns
from m31a_metrics.tables.phases import HEALING, OF_MANY, OF_ONE, healing, phases, phases_by
from m31a_metrics.tables.phrases import Scope
from tests.tables.builders import ALL, calls, column, day, indexed, record, records, scope, use


def stay(phase: str, ms: int = 0, success: bool | None = None, **more: int) -> PhaseDay:
    """A phase of a session, on the day of the clock."""
    return PhaseDay(day(), phase, active_us=ms * 1000, success=success, **more)


def asked(*sessions: SessionRecord, session_id: str = "") -> list[Table]:
    """The tables of these sessions."""
    answers = indexed(sessions)
    return phases(answers.phases(ALL), scope(answers, session_id=session_id), whole=True)


def test_one_session_shows_outcomes() -> None:
    """Of one session each phase has its share of the time and how it ended."""
    one = record("a", stay("ship", 300, success=True), stay("plan", 100, success=False))
    table, healed = asked(one, session_id="a")
    assert table.columns[1:] == list(OF_ONE)
    assert column(table, "phase") == ["plan", "ship"]
    assert column(table, "duration_share") == [0.25, 0.75]
    assert column(table, "success") == [False, True]
    assert (healed.rows, healed.empty) == ([], "")


def test_denied_calls_belong_to_the_phase_in_which_they_were_asked_for() -> None:
    """They are no calls of it; a program gets the column in any case."""
    one = record("a", stay("ship", 300, success=True), calls("Bash", 1.0, phase="ship", denied=3))
    (row,) = records(asked(one, session_id="a")[0])
    assert (row["call_count"], row["fail_rate"], row["denied_count"]) == (1, 0, 3)
    assert columns.DENIED in phases([], Scope(), whole=True)[0].columns


def test_a_phase_that_never_ended_did_not_fail() -> None:
    """Nobody knows how long it took or how it ended."""
    row = records(asked(record("a", stay("plan")), session_id="a")[0])[0]
    assert row["success"] is row["duration_ms"] is None


def test_many_sessions_are_counted_by_phase() -> None:
    """Of many sessions a phase is one row, in the order of work, other names behind it."""
    table = asked(
        record(
            "a",
            stay("own", 5, success=True),
            stay("ship", 50, success=True),
            calls("Bash", 1.0, 2.0, failed=1, phase="ship"),
            use("m", 0.75, 300, phase="ship"),
        ),
        record(
            "b",
            stay("plan", 10, success=True),
            stay("ship", 100, success=False),
            stay("verify", transition_count=1),
            use("m", 0.25, 100),
        ),
    )[0]
    assert table.columns[1:] == list(OF_MANY)
    assert column(table, "phase") == ["plan", "verify", "ship", "own", None]
    ship = records(table)[2]
    assert ship["duration_ms"] == 150
    assert (ship["session_count"], ship["ended_count"], ship["success_count"]) == (2, 2, 1)
    assert (ship["call_count"], ship["fail_rate"], ship["fail_count"]) == (2, 0.5, 1)
    assert (ship["cost_usd"], ship["cost_share"], ship["total_tokens"]) == (0.75, 0.75, 300)
    verify = records(table)[1]
    assert verify["duration_ms"] is verify["duration_share"] is None
    assert verify["ended_count"] == 0
    assert table.notes[-1].startswith("A dash:")


def test_parts_of_time_are_in_order() -> None:
    """All phases together by week: the earlier week first."""
    answers = indexed(
        [
            record("a", stay("plan", 10, success=True, heal_trigger_count=1)),
            record("b", PhaseDay(day(7), "plan", active_us=30_000, success=True), days_ago=7),
        ]
    )
    table = phases_by(answers.phases(ALL, "week"), scope(answers), "week")
    assert column(table, "week") == ["2026-W24", "2026-W25"]
    assert column(table, "duration_share") == [0.75, 0.25]
    assert column(table, "heal_trigger_count") == [0, 1]


def test_healing_shows_only_phases_that_healed() -> None:
    """Heals and bisects have their own table, with how they ended."""
    row = PhaseRow(
        "execute",
        heal_trigger_count=3,
        heal_success_count=2,
        heal_fail_count=1,
        heal_loop_count=1,
        heal_duration_us=40_000,
        bisect_trigger_count=2,
        bisect_success_count=1,
        bisect_fail_count=1,
    )
    table = healing([PhaseRow("plan", 1), row])
    assert table.columns == HEALING
    assert table.rows == [("execute", 3, 2, 1, 2 / 3, 1, 40, 2, 1, 1)]
    assert table.notes == []


def test_outcomes_that_nobody_recorded_are_dashes() -> None:
    """Recorders that know of triggers only have not seen every heal fail."""
    table = healing([PhaseRow("execute", heal_trigger_count=3, bisect_trigger_count=2)])
    assert table.rows == [("execute", 3, None, None, None, None, None, 2, None, None)]
    assert table.notes == [
        "How 3 of the heals ended is not known.",
        "How 2 of the bisects ended is not known.",
    ]


def test_no_phases_say_what_to_try() -> None:
    """An empty table names the command that records a phase."""
    assert "`m31 record phase --help`" in asked(record("a"), session_id="a")[0].empty
    assert "Nothing is recorded" in asked()[0].empty
