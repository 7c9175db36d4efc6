"""Events that a machine invents, and what it means that two sessions hold the same.

Names, times and ids come from small sets now and then, so that they meet again.
Sessions with everything that METRICS.json can hold are in tests/codec/strategies.py.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from math import isclose
from typing import Any

import msgspec
from hypothesis import strategies as st

from m31a_metrics import (
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    Usage,
    events,
)
from m31a_metrics.units import LARGEST

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
names = st.sampled_from(["Bash", "Read", "mcp__a__b", "größer", "Bash"]) | words
phases = st.sampled_from(["plan", "execute", "verify", ""]) | words
strategies = st.sampled_from(["exact_match", "cascading"]) | words
ids = st.none() | st.none() | st.sampled_from(["a", "b", "c"]) | words

whole_ms = st.integers(0, 5_000) | st.integers(0, LARGEST)
durations_ms = whole_ms | st.floats(0, 5_000) | st.floats(0, float(LARGEST))
tokens = st.integers(0, 100_000) | st.integers(0, LARGEST)
# Not negative: sums that cancel out have no relative error to speak of.
costs = st.none() | st.just(0.0) | st.floats(0, 100) | st.floats(1e-9, 1e15)
# What failure_line leaves as it is.
errors = st.none() | st.sampled_from(["ValueError", "exit code <n>", "FAILED <path>"])
times_us = st.integers(0, 9) | st.integers(1_700_000_000_000_000, 1_800_000_000_000_000)

usages = st.builds(
    Usage,
    tokens,
    tokens,
    st.none() | tokens,
    cache_read_tokens=tokens,
    cache_write_5m_tokens=tokens,
    cache_write_1h_tokens=tokens,
    reasoning_tokens=tokens,
)


def _rows(kind: type[Any], names: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    """Rows with sums in all their fields, no two of one name."""
    by_type: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(0, 1_000_000),
        float: st.floats(0, 100),
        bool: st.booleans(),
    }
    fields = {
        field.name: by_type[field.type]
        for field in msgspec.structs.fields(kind)[1:]
        if field.name not in ("prompt_hash", "unknown")
    }
    rows = st.builds(kind, names, **fields)
    return st.lists(rows, max_size=3, unique_by=lambda row: getattr(row, row.__struct_fields__[0]))


_moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - timezones adds one

counted = st.builds(
    SessionMetrics,
    words,
    _moments,
    _moments,
    tools=_rows(ToolMetric, names).map(lambda rows: [_consistent(row) for row in rows]),
    llms=_rows(LLMMetric, phases),
    phases=_rows(PhaseMetric, phases),
    edit_strategies=_rows(EditStrategyMetric, strategies),
)
"""Sums as a Counts event carries them."""


def _consistent(tool: ToolMetric) -> ToolMetric:
    tool.call_count = tool.success_count + tool.fail_count
    tool.avg_duration_ms = tool.total_duration_ms / tool.call_count if tool.call_count else 0.0
    return tool


optional_durations_ms = st.none() | durations_ms
optional_words = st.none() | words
flags = st.booleans()

tool_calls = st.builds(
    events.ToolCall,
    times_us,
    names,
    flags,
    durations_ms,
    optional_durations_ms,
    errors,
    flags,
    optional_words,
    denied=st.sampled_from([False, False, False, True]),
    id=ids,
)
llm_interactions = st.builds(
    events.LLMInteraction,
    times_us,
    phases,
    usages,
    costs,
    optional_words,
    optional_durations_ms,
    optional_words,
    optional_words,
    id=ids,
)
phase_durations = st.builds(events.PhaseDuration, times_us, phases, durations_ms, flags, id=ids)
counts = st.builds(events.Counts, times_us, counted, id=ids)

single_events = st.one_of(
    tool_calls,
    llm_interactions,
    phase_durations,
    st.builds(events.PhaseTransition, times_us, phases, id=ids),
    st.builds(events.HealTrigger, times_us, phases, id=ids),
    st.builds(events.HealOutcome, times_us, phases, flags, optional_durations_ms, id=ids),
    st.builds(events.HealLoop, times_us, phases, id=ids),
    st.builds(events.BisectTrigger, times_us, phases, id=ids),
    st.builds(events.BisectOutcome, times_us, phases, flags, id=ids),
    st.builds(events.EditStrategy, times_us, strategies, id=ids),
    st.builds(
        events.SessionStart,
        times_us,
        optional_words,
        optional_words,
        optional_words,
        optional_words,
        optional_words,
        id=ids,
    ),
    st.builds(events.UserTurn, times_us, id=ids),
    st.builds(
        events.Compaction,
        times_us,
        optional_words,
        st.none() | tokens,
        st.none() | tokens,
        optional_durations_ms,
        id=ids,
    ),
    st.builds(
        events.Subagent,
        times_us,
        words,
        st.none() | usages,
        optional_durations_ms,
        st.none() | flags,
        id=ids,
    ),
    st.builds(events.Mode, times_us, words, id=ids),
    st.builds(
        events.PermissionWait, times_us, durations_ms, optional_words, st.none() | flags, id=ids
    ),
)
"""Every kind of event but sums of others."""

partial_events = st.one_of(
    st.builds(events.ToolStart, times_us, words, words),
    st.builds(events.ToolEnd, times_us, words, id=ids),
    st.builds(
        events.AgentTotals,
        times_us,
        st.none() | st.floats(0, 1e6),
        optional_durations_ms,
        optional_durations_ms,
        st.none() | st.floats(0, 100),
        st.none() | tokens,
    ),
)
"""What tells of a part of something: a call's start or end, an agent's totals."""

all_events = single_events | counts


def assert_same(left: SessionMetrics, right: SessionMetrics, *, in_order: bool = True) -> None:
    """Assert that two sessions hold the same: all exactly, costs within 1e-9 relative.

    `in_order=False` compares rows by name: of threads that record at one moment, nobody
    can say who was first.
    """
    left, right = deepcopy(left), deepcopy(right)
    if not in_order:
        for metrics in (left, right):
            metrics.tools.sort(key=lambda row: row.name)
            metrics.llms.sort(key=lambda row: row.phase)
            metrics.phases.sort(key=lambda row: row.phase)
            metrics.edit_strategies.sort(key=lambda row: row.strategy)
    for one, other in zip(left.llms, right.llms, strict=True):
        assert isclose(one.cost, other.cost, rel_tol=1e-9), (one, other)
        one.cost = other.cost
    assert left == right
