"""Sessions that a machine invents, with all that METRICS.json can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from m31a_metrics.codec.fields import (
    EDIT_STRATEGY,
    LLM,
    PHASE,
    SESSION,
    TOOL,
    Field,
    by_name,
    match,
)
from m31a_metrics.model import (
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
)

# Unicode whole, but for halves of characters, which come back as U+FFFD.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
broken_words = st.text(st.characters(), max_size=12)
int64s = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
zones = st.one_of(
    st.just(UTC),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
times = st.datetimes(min_value=datetime(1, 1, 1), timezones=zones)  # noqa: DTZ001 - zones adds one
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), floats, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=8,
)


def unknowns(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Keys that are no field's, in whatever case."""
    known = by_name(fields)
    keys = words.filter(lambda key: match(known, key) is None)
    return st.dictionaries(keys, json_values, max_size=2)


tools = st.builds(ToolMetric, words, int64s, int64s, int64s, int64s, floats, unknown=unknowns(TOOL))
edit_strategies = st.builds(EditStrategyMetric, words, int64s, unknown=unknowns(EDIT_STRATEGY))
llms = st.builds(
    LLMMetric,
    phase=words,
    prompt_tokens=int64s,
    completion_tokens=int64s,
    total_tokens=int64s,
    cost=floats,
    interaction_count=int64s,
    prompt_hash=words,
    truncated_input=st.booleans(),
    unpriced_tokens=int64s,
    unknown=unknowns(LLM),
)
phases = st.builds(
    PhaseMetric,
    **{
        field.name: {"str": words, "int": int64s, "bool": st.booleans()}[field.kind]
        for field in PHASE
    },
    unknown=unknowns(PHASE),
)
sessions = st.builds(
    SessionMetrics,
    session_id=words,
    started_at=times,
    updated_at=times,
    tools=st.lists(tools, max_size=3),
    llms=st.lists(llms, max_size=3),
    phases=st.lists(phases, max_size=3),
    edit_strategies=st.lists(edit_strategies, max_size=2),
    plan_outcomes=st.lists(json_values, max_size=2),
    startup=st.dictionaries(words, json_values, max_size=2),
    completions=st.lists(json_values, max_size=2),
    cancellations=st.lists(json_values, max_size=2),
    unknown=unknowns(SESSION),
)


def example_session() -> SessionMetrics:
    """A session with something in every field but the unknown ones."""
    return SessionMetrics(
        session_id="0a1b2c3d",
        started_at=datetime(2026, 6, 20, 10, 0, 0, 250_000, tzinfo=UTC),
        updated_at=datetime(2026, 6, 20, 12, 15, 30, tzinfo=timezone(timedelta(hours=2))),
        tools=[ToolMetric("Bash", 12, 11, 1, 45_200, 45_200 / 12), ToolMetric("a<b>&", 8, 8, 0)],
        llms=[LLMMetric("execute", 45_000, 12_000, 57_000, 0.038, 15, "b94d27b9", True, 7)],
        phases=[PhaseMetric("execute", 180_000, 1, 2, 3, True, 4, 5, 6, 7, 8, 9)],
        edit_strategies=[EditStrategyMetric("exact_match", 2)],
        plan_outcomes=[{"task_id": 1, "files": ["a.go", "b.go"], "success": True}],
        startup={"duration_ms": 420},
        completions=[{"phase": "plan", "timeout": False}],
        cancellations=[{"phase": "verify", "timestamp": "2026-06-20T10:15:30Z"}],
    )
