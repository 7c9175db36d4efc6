from __future__ import annotations

from m31a_metrics.active_time import stretches_of
from m31a_metrics.events import (
    Event,
    HealOutcome,
    HealTrigger,
    LLMInteraction,
    PhaseDuration,
    PhaseTransition,
    ToolCall,
)
from m31a_metrics.model import Usage
from m31a_metrics.table import Cell, Table
from m31a_metrics.tables.timeline import CALLS_MAX, COST_POINTS_MAX, Only, timeline
from tests.tables.builders import records

SECOND = 1_000_000


def tables(events: list[Event]) -> dict[str, Table]:
    active = stretches_of(events, inferred=False)
    return {panel.name: panel.table for panel in timeline(events, lambda _: 0.25, active)}


def spans(events: list[Event], lane: str) -> list[dict[str, Cell]]:
    return [row for row in records(tables(events)["timeline"]) if row["lane"] == lane]


def test_a_call_began_before_it_was_recorded() -> None:
    """Its bar ends at the event, lies in its tool's lane and knows the phase it was in."""
    events: list[Event] = [
        PhaseTransition(t_us=0, phase="verify"),
        ToolCall(t_us=10 * SECOND, name="Bash", success=False, duration_ms=4_000, error="boom"),
    ]
    (row,) = spans(events, "Bash")
    assert row["began_at"].timestamp() == 6  # type: ignore[union-attr]  # it is a time
    assert (row["duration_ms"], row["kind"]) == (4_000, "failed")
    assert (row["phase"], row["error"]) == ("verify", "boom")
    (failed,) = records(tables(events)["errors"])
    assert failed["error"] == "boom"


def test_a_phase_lasts_until_the_next_one() -> None:
    """Transitions divide the time; between what a phase took and the next call nothing is drawn."""
    events: list[Event] = [
        PhaseTransition(t_us=0, phase="plan"),
        PhaseTransition(t_us=3 * SECOND, phase="execute"),
        PhaseDuration(t_us=5 * SECOND, phase="execute", duration_ms=2_000, success=True),
        ToolCall(t_us=9 * SECOND, name="Bash", success=True, duration_ms=1),
    ]
    assert [(row["what"], row["duration_ms"]) for row in spans(events, "phases")] == [
        ("plan", 3_000),
        ("execute", 2_000),
        ("", 1),
    ]


def test_a_phase_is_known_by_its_duration_alone() -> None:
    """A recorder that only says how long a phase took has it drawn before that moment."""
    events: list[Event] = [
        PhaseDuration(t_us=5 * SECOND, phase="plan", duration_ms=2_000, success=True)
    ]
    (row,) = spans(events, "phases")
    assert row["began_at"].timestamp() == 3  # type: ignore[union-attr]  # it is a time


def test_what_only_elapsed_is_drawn_as_it_counts() -> None:
    """A call that may have waited for a person all night is a bar of ten minutes."""
    events: list[Event] = [
        ToolCall(
            t_us=30_000 * SECOND,
            name="Bash",
            success=True,
            duration_ms=27_000_000,
            elapsed_only=True,
        )
    ]
    (row,) = spans(events, "Bash")
    (active,) = spans(events, "phases")
    assert row["duration_ms"] == active["duration_ms"] == 600_000


def test_heals_are_marked_with_their_outcome() -> None:
    """From the trigger to the outcome; one without an outcome stays open."""
    events: list[Event] = [
        HealTrigger(t_us=1 * SECOND, phase="verify"),
        HealOutcome(t_us=4 * SECOND, phase="verify", success=True),
        HealTrigger(t_us=6 * SECOND, phase="verify"),
    ]
    assert [(row["kind"], row["duration_ms"]) for row in spans(events, "heals")] == [
        ("heal, passed", 3_000),
        ("heal, open", 0),
    ]


def test_cost_adds_up_and_asks_for_prices() -> None:
    """A given cost is kept, a missing one is priced, and thinning keeps the last sum."""
    events: list[Event] = [
        LLMInteraction(
            t_us=number, phase="plan", usage=Usage(8, 2), cost=1.0 if number % 2 else None
        )
        for number in range(2 * COST_POINTS_MAX + 1)
    ]
    rows = records(tables(events)["cost_over_time"])
    assert len(rows) <= COST_POINTS_MAX + 1
    assert rows[-1]["tokens_so_far"] == 10 * len(events)
    assert rows[-1]["cost_so_far_usd"] == COST_POINTS_MAX * 1.25 + 0.25


def test_a_long_session_says_what_is_left_out() -> None:
    """More calls than a browser draws quickly are cut, with a word about it."""
    events: list[Event] = [
        ToolCall(t_us=number, name=f"tool-{number % 40}", success=True, duration_ms=0)
        for number in range(CALLS_MAX + 5)
    ]
    table = tables(events)["timeline"]
    assert len(table.rows) == CALLS_MAX
    assert f"{CALLS_MAX:,}" in table.notes[0]
    assert "other tools" in {row["lane"] for row in records(table)}


def test_nothing_known_is_said() -> None:
    """A session without events has three empty tables with sentences."""
    for table in tables([]).values():
        assert not table.rows
        assert table.empty


COURSE: list[Event] = [
    PhaseTransition(t_us=0, phase="plan"),
    ToolCall(t_us=2 * SECOND, name="Read", success=True, duration_ms=1_000),
    LLMInteraction(t_us=3 * SECOND, phase="plan", usage=Usage(9, 1), cost=1.0, model="opus"),
    PhaseTransition(t_us=10 * SECOND, phase="verify"),
    HealTrigger(t_us=11 * SECOND, phase="verify"),
    ToolCall(t_us=14 * SECOND, name="Bash", success=False, duration_ms=2_000, error="boom"),
    LLMInteraction(t_us=15 * SECOND, phase="verify", usage=Usage(9, 1), cost=2.0, model="opus"),
    PhaseDuration(t_us=20 * SECOND, phase="verify", duration_ms=10_000, success=True),
]


def part(only: Only) -> tuple[list[tuple[Cell, Cell]], list[Cell]]:
    """The spans that a part of the session is made of (lane and length), and its costs so far."""
    active = stretches_of(COURSE, inferred=False)
    drawn = timeline(COURSE, lambda _: 0.0, active, only=only)
    rows = {panel.name: records(panel.table) for panel in drawn}
    lanes = [(row["lane"], row["duration_ms"]) for row in rows["timeline"]]
    return lanes, [row["cost_so_far_usd"] for row in rows["cost_over_time"]]


def test_a_part_of_a_session_is_shown_alone() -> None:
    """Of a phase its time, calls and cost; of a tool its calls beside all phases."""
    lanes, costs = part(Only(phase="verify"))
    assert lanes == [("phases", 10_000), ("heals", 0), ("Bash", 2_000)]
    assert costs == [2.0]
    lanes, costs = part(Only(tool="Read"))
    assert [lane for lane, _ in lanes] == ["phases", "phases", "heals", "Read"]
    assert costs == [1.0, 3.0]


def test_a_stretch_of_time_cuts_what_reaches_out_of_it() -> None:
    """A phase is as long as its part of the stretch, and what only touches it is not there."""
    lanes, costs = part(Only(stretch_us=(10 * SECOND, 13 * SECOND)))
    assert lanes == [("phases", 3_000), ("heals", 0), ("Bash", 2_000)]
    assert costs == []
