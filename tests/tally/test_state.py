"""A tally made again of its METRICS.json goes on as if it had never been put down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from m31a_metrics import SessionMetrics, ToolMetric, events
from m31a_metrics.codec import decode, encode
from m31a_metrics.events import Event
from m31a_metrics.tally import OTHER, Tally, merge
from m31a_metrics.tally.rows import NAMES_MAX
from m31a_metrics.tally.state import Orders, orders_of, restored
from tests import strategies as some
from tests.folds import batches, folded
from tests.strategies import assert_same

journals = st.lists(st.lists(some.all_events, max_size=6), min_size=1, max_size=4)


def through_a_file(tally: Tally) -> Tally:
    """The tally as another process finds it."""
    metrics = decode(encode(tally.metrics("s")))
    return restored(metrics, json.decode(json.encode(orders_of(tally)), type=Orders))


@given(st.none() | some.counted, journals, st.lists(st.integers(0, 6)))
def test_a_tally_goes_on(
    base: SessionMetrics | None, written: list[list[Event]], cuts: list[int]
) -> None:
    """Put down and made again in the middle of any journals: the fold of all of them."""
    plain = [[event for event in one if event.id is None] for one in written]
    halves = [(cuts + [3] * len(plain))[number] for number in range(len(plain))]
    tally = folded(base, [one[:half] for one, half in zip(plain, halves, strict=True)])
    tally = through_a_file(tally)
    for batch, half in zip(batches(plain), halves, strict=True):
        for place, event in enumerate(batch.events):
            if place >= half:
                tally.add(event, place, batch.writer)
    assert_same(through_a_file(tally).metrics("s"), folded(base, plain).metrics("s"))


@given(journals, journals)
def test_what_is_taken_out_can_be_put_back(
    left: list[list[Event]], right: list[list[Event]]
) -> None:
    """(a + b) - b + b counts what a + b does, and (a + b) - a - b nothing."""
    one, other = (
        folded(None, [[event for event in part if event.id is None] for part in parts])
        for parts in (left, right)
    )
    whole = merge(one, other)
    rest = merge(whole)
    rest.take_out(other)
    assert_same(merge(rest, other).metrics(""), whole.metrics(""))
    rest.take_out(one)
    metrics = rest.metrics("")
    assert not any(tool.call_count or tool.total_duration_ms for tool in metrics.tools)
    assert not any(llm.interaction_count for llm in metrics.llms)


def test_orders_of_another_session() -> None:
    """Rows that do not fit are refused, not guessed."""
    orders = orders_of(folded(None, [[events.ToolCall(1, "Bash", True, 1)]]))
    with pytest.raises(ValueError, match="zip"):
        restored(SessionMetrics(), orders)


def test_other_names_stay_other() -> None:
    """Of more names than are told apart, the first stay as they are, and the rest stays one."""
    tally = Tally()
    for number in range(NAMES_MAX + 5):
        tally.add(events.ToolCall(number, f"tool-{number}", True, 1), number)
    tally = through_a_file(tally)
    tally.add(events.ToolCall(NAMES_MAX + 9, "another", True, 1))
    tally.add(events.ToolCall(NAMES_MAX + 9, "tool-7", True, 1))
    assert len(tally.tools) == NAMES_MAX + 1
    assert tally.tools[OTHER].succeeded.calls == 6
    assert tally.tools["tool-7"].succeeded.calls == 2
    metrics = tally.metrics("")
    assert sum(tool.call_count for tool in metrics.tools) == NAMES_MAX + 7
    assert metrics.tools[-1] == ToolMetric(OTHER, 6, 6, 0, 6, 1.0)
