"""Phases: time and outcome, heals and bisects, of one session and of many."""

from __future__ import annotations

from m31a_metrics import PhaseMetric
from m31a_metrics.review.phases import HEALING, OF_MANY, OF_ONE, phases
from tests.review.builders import column, records, session


def test_one_session_shows_outcomes() -> None:
    """Of one session each phase has its share of the time and how it ended, in file order."""
    one = session(
        phases=[
            PhaseMetric("ship", 300, 1, success=True),
            PhaseMetric("plan", 100, 2, success=False),
        ]
    )
    table, healing = phases([one])
    assert table.columns == OF_ONE
    assert column(table, "phase") == ["ship", "plan"]
    assert column(table, "duration_share") == [0.75, 0.25]
    assert column(table, "success") == [True, False]
    assert healing.rows == []
    assert healing.empty == ""


def test_a_phase_that_never_ended_did_not_fail() -> None:
    """METRICS.json says 0 ms and no success of it, which is shown as not known."""
    table = phases([session(phases=[PhaseMetric("plan", 0, 1)])])[0]
    assert records(table)[0]["success"] is records(table)[0]["duration_ms"] is None


def test_many_sessions_are_counted_by_phase() -> None:
    """Of many sessions a phase is one row, in the order of work, other names behind it."""
    two = [
        session(phases=[PhaseMetric("own", 5), PhaseMetric("ship", 50, 1, success=True)]),
        session(
            phases=[
                PhaseMetric("plan", 10, 1, success=True),
                PhaseMetric("ship", 100, 2),
                PhaseMetric("verify", 0, 1),
            ]
        ),
    ]
    table = phases(two)[0]
    assert table.columns == OF_MANY
    assert column(table, "phase") == ["plan", "verify", "ship", "own"]
    ship = records(table)[2]
    assert ship["duration_ms"] == 150
    assert (ship["session_count"], ship["success_count"], ship["fail_count"]) == (2, 1, 1)
    verify = records(table)[1]
    assert verify["duration_ms"] is verify["duration_share"] is None
    assert (verify["session_count"], verify["success_count"], verify["fail_count"]) == (1, 0, 0)


def test_healing_shows_only_phases_that_healed() -> None:
    """Heals and bisects have their own table, with how they ended."""
    phase = PhaseMetric("execute", 100, 1, 3, 2, True, 2, 1, 40, 1, 1, 1)
    healing = phases([session(phases=[PhaseMetric("plan", 10), phase])])[1]
    assert healing.columns == HEALING
    assert healing.rows == [("execute", 3, 2, 1, 1, 40, 2, 1, 1)]
    assert healing.notes == []


def test_outcomes_that_nobody_recorded_are_dashes() -> None:
    """Recorders that know of triggers only have not seen every heal fail."""
    healing = phases([session(phases=[PhaseMetric("execute", 100, 1, 3, 2)])])[1]
    assert healing.rows == [("execute", 3, None, None, None, None, 2, None, None)]
    assert healing.notes == [
        "How 3 of the heals ended was not recorded.",
        "How 2 of the bisects ended was not recorded.",
    ]


def test_heals_of_many_sessions_add_up() -> None:
    """Every figure of healing is summed over the sessions."""
    phase = PhaseMetric("execute", 100, 1, 3, 2, True, 2, 1, 40, 1, 1, 1)
    healing = phases([session(phases=[phase]), session(phases=[phase])])[1]
    assert healing.rows == [("execute", 6, 4, 2, 2, 80, 4, 2, 2)]


def test_heals_of_unknown_outcome_are_counted_beside_known_ones() -> None:
    """A sum over recorders that tell outcomes and ones that do not says how many are missing."""
    told = PhaseMetric("execute", heal_trigger_count=1, heal_success_count=1)
    untold = PhaseMetric("execute", heal_trigger_count=2)
    healing = phases([session(phases=[told]), session(phases=[untold])])[1]
    assert healing.rows[0][1:4] == (3, 1, 0)
    assert healing.notes == ["How 2 of the heals ended was not recorded."]


def test_no_phases_say_what_to_try() -> None:
    """An empty table names the command that records a phase."""
    assert "`m31 record phase --help`" in phases([session()])[0].empty
    assert "Nothing is recorded" in phases([])[0].empty
