"""Details of several sessions: merged, they are those of all events together."""

from __future__ import annotations

from math import isclose

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics import events
from m31a_metrics.tally.live import DetailTally
from tests.strategies import tool_calls

# Without ids: those of one session mean nothing in another.
calls = st.lists(tool_calls.map(lambda call: replace(call, id=None)))


def detail_of(recorded: list[events.ToolCall]) -> DetailTally:
    """The detail of one session."""
    detail = DetailTally()
    detail.add_all([recorded])
    return detail


@given(st.lists(calls, max_size=4))
def test_merged_sessions_are_one(sessions: list[list[events.ToolCall]]) -> None:
    """Histograms, and so percentiles, are exactly those of one session with all the calls."""
    merged = DetailTally()
    for recorded in sessions:
        merged.merge(detail_of(recorded))
    together = detail_of([call for recorded in sessions for call in recorded])
    assert merged.histograms == together.histograms
    assert merged.waits_ms.keys() == together.waits_ms.keys()
    for name, wait_ms in merged.waits_ms.items():
        assert isclose(wait_ms, together.waits_ms[name], rel_tol=1e-9)
    latest = [event.at for event in merged.latest()]
    assert latest == [event.at for event in together.latest()] == sorted(latest)


@given(calls, calls)
def test_merging_leaves_the_other_alone(
    left: list[events.ToolCall], right: list[events.ToolCall]
) -> None:
    """What was merged into another tally is not changed by what that one counts later."""
    other = detail_of(right)
    before = other.durations()
    merged = detail_of(left)
    merged.merge(other)
    merged.merge(other)
    assert other.durations() == before
