"""What only events can tell: percentiles, waits, the latest events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.model import LatestEvent, ToolDurations, Usage
from m31a_metrics.tally import moment
from m31a_metrics.tally.live import LATEST, DetailTally
from tests import strategies as some


def detail_of(*journals: list[events.Event]) -> DetailTally:
    detail = DetailTally()
    detail.add_all(journals)
    return detail


def names(detail: DetailTally) -> list[str]:
    return [event.name for event in detail.latest()]


def call(t_us: int, name: str, duration_ms: float = 1, id: str | None = None) -> events.ToolCall:  # noqa: A002 - the field's name
    return events.ToolCall(t_us, name, True, duration_ms, id=id)


def test_percentiles_are_within_two_percent() -> None:
    """p50, p95 and p99 of a thousand calls; the largest exactly; waits are summed."""
    detail = detail_of(
        [events.ToolCall(1, "Bash", ms % 2 == 0, ms, ms / 10) for ms in range(1, 1001)],
        [call(1, "Read", 0)],
    )
    bash, read = detail.durations()
    assert (bash.name, bash.count, bash.max_ms) == ("Bash", 1000, 1000)
    assert bash.p50_ms == pytest.approx(500, rel=0.02)
    assert bash.p95_ms == pytest.approx(950, rel=0.02)
    assert bash.p99_ms == pytest.approx(990, rel=0.02)
    assert bash.wait_ms == pytest.approx(50_050)
    assert read == ToolDurations("Read", 1, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_a_denied_call_has_no_duration() -> None:
    """It is in no percentile, and in the list it neither went well nor failed nor took time."""
    detail = detail_of(
        [call(1, "Bash", 40), events.ToolCall(2, "Bash", False, 0, 7, denied=True)],
    )
    (bash,) = detail.durations()
    assert (bash.count, bash.max_ms, bash.wait_ms) == (1, 40, 7)
    assert detail.latest()[-1] == LatestEvent(moment(2), "tool_call", "Bash", denied=True)


def test_nothing_happened() -> None:
    """No journal: no percentiles and no events, rather than zeros."""
    assert detail_of().durations() == []
    assert detail_of([]).latest() == []


def test_an_id_counts_once() -> None:
    """Of two events with one id the first by time counts, whatever journal it is in."""
    late, early = call(9, "Bash", 900, "x"), call(5, "Bash", 5, "x")
    for detail in (
        detail_of([late], [early]),
        detail_of([early], [late]),
        detail_of([late, early]),
    ):
        assert [(one.count, one.max_ms) for one in detail.durations()] == [(1, 5)]
        assert [event.at for event in detail.latest()] == [moment(5)]


def test_the_latest_are_merged_by_time() -> None:
    """Journals side by side: the latest of all, and no more, oldest first."""
    detail = detail_of(
        [call(t_us, f"a{t_us}") for t_us in range(0, 600, 2)],
        [call(t_us, f"b{t_us}", id=f"{t_us}") for t_us in range(1, 600, 2)],
    )
    expected = [f"{'ab'[t_us % 2]}{t_us}" for t_us in range(600 - LATEST, 600)]
    assert names(detail) == expected


def test_the_latest_need_not_come_last() -> None:
    """A journal whose lines are not in the order of their times gives the latest all the same."""
    detail = detail_of([call(5_000 - n, f"{5_000 - n}", id=f"{n}") for n in range(3_000)])
    assert names(detail) == [f"{t_us}" for t_us in range(5_001 - LATEST, 5_001)]
    unnamed = detail_of([call(5_000 - n, f"{5_000 - n}") for n in range(3_000)])
    assert names(unnamed) == names(detail)


def test_elapsed_time_is_no_percentile() -> None:
    """A duration that may hold a wait stays out of percentiles; the call is still an event."""
    detail = detail_of(
        [
            events.ToolCall(1, "Bash", True, 5),
            events.ToolCall(2, "Bash", True, 90_000, elapsed_only=True),
            events.ToolCall(3, "Read", True, 90_000, elapsed_only=True),
        ]
    )
    assert [(one.name, one.count, one.max_ms) for one in detail.durations()] == [("Bash", 1, 5)]
    assert names(detail) == ["Bash", "Bash", "Read"]


def test_one_moment_keeps_its_order() -> None:
    """Events of one microsecond stand in the order of journals and lines."""
    assert names(detail_of([call(5, "a"), call(5, "b")], [call(5, "c"), call(1, "d")])) == [
        "d", "a", "b", "c",
    ]  # fmt: skip


def test_each_event_is_named_by_what_tells_most() -> None:
    """A tool by its name, a model's answer by the model or else the phase, and so on."""
    latest = detail_of(
        [
            events.SessionStart(1, "agent", "1.0"),
            events.ToolCall(2, "Bash", False, 1.5),
            events.LLMInteraction(3, "plan", Usage(1, 1), model="m", duration_ms=2),
            events.LLMInteraction(4, "plan", Usage(1, 1)),
            events.EditStrategy(5, "exact_match"),
            events.Compaction(6, "auto"),
            events.UserTurn(7),
        ]
    ).latest()
    assert latest == [
        LatestEvent(moment(1), "session_start", "agent"),
        LatestEvent(moment(2), "tool_call", "Bash", False, 1.5),
        LatestEvent(moment(3), "llm_interaction", "m", None, 2, 2),
        LatestEvent(moment(4), "llm_interaction", "plan", total_tokens=2),
        LatestEvent(moment(5), "edit_strategy", "exact_match"),
        LatestEvent(moment(6), "compaction", "auto"),
        LatestEvent(moment(7), "user_turn", ""),
    ]


def test_the_latest_tell_cost_and_failure() -> None:
    """A cost that was given, one that is looked up, and the line of a failure."""
    detail = DetailTally(lambda event: 0.5 if event.model == "known" else None)
    detail.add(events.LLMInteraction(1, "plan", Usage(3, 1), 0.25, "any"))
    detail.add(events.LLMInteraction(2, "plan", Usage(3, 1), model="known"))
    detail.add(events.LLMInteraction(3, "plan", Usage(3, 1)))
    detail.add(events.ToolCall(4, "Bash", False, 5, error="exit code <n>"))
    latest = detail.latest()
    assert [event.cost for event in latest] == [0.25, 0.5, None, None]
    assert latest[-1].error == "exit code <n>"


@given(st.lists(some.single_events, max_size=20))
def test_any_event_has_a_line(recorded: list[events.Event]) -> None:
    """No event is too odd for the list of the latest, or for the percentiles."""
    detail = detail_of(recorded)
    unique = {event.id or object() for event in recorded}
    assert len(detail.latest()) == len(unique)
    assert sum(one.count for one in detail.durations()) <= len(unique)
