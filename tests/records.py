"""Sessions as the index keeps them, that a machine invents: names and days meet often."""

from __future__ import annotations

from hypothesis import strategies as st

from m31a_metrics.histogram import Histogram
from m31a_metrics.measures import LLMSums, PhaseSums
from m31a_metrics.record import (
    FailureDay,
    HealEpisode,
    LLMDay,
    PhaseDay,
    SessionRecord,
    ToolDay,
)
from m31a_metrics.transcript import Damage, Effects, RateLimit
from m31a_metrics.units import DAY_US

FIRST_US = 1_769_860_800_000_000  # 2026-01-31, 12:00 UTC

DAYS = ("2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02", "2026-02-28", "2026-03-01")
"""They cross months, and weeks: 2026-02-01 is a Sunday."""

_days = st.sampled_from(DAYS)
_phases = st.sampled_from(["plan", "verify", ""])
_tools = st.sampled_from(["Bash", "Edit"])
_models = st.sampled_from(["opus-4", "opus-5", ""])
_counts = st.integers(0, 5)
_figures = st.integers(0, 10**9)
_money = st.integers(0, 10**12)


@st.composite
def _histograms(draw: st.DrawFn) -> Histogram:
    histogram = Histogram()
    for value_ms in draw(st.lists(st.sampled_from([0.0, 1.0, 5.5, 70_000.0]), max_size=3)):
        histogram.add(value_ms)
    return histogram


tool_days = st.builds(
    ToolDay,
    _days,
    _tools,
    _phases,
    _histograms(),
    call_count=_counts,
    fail_count=_counts,
    duration_us=_figures,
    ran_us=_figures,
    wait_us=_figures,
)
llm_days = st.builds(
    LLMDay,
    _days,
    _models,
    _phases,
    **dict.fromkeys(LLMSums.__struct_fields__, _figures)
    | {"interaction_count": _counts, "cost_nano": _money, "cost_1h_nano": _money},
)
phase_sums = st.builds(
    PhaseDay,
    _days,
    _phases,
    st.none() | st.booleans(),
    **dict.fromkeys(PhaseSums.__struct_fields__, _counts)
    | dict.fromkeys(("active_us", "last_stay_us"), _figures),
)
heal_episodes = st.builds(
    HealEpisode,
    _days,
    st.integers(1, 3),
    _phases,
    _tools,
    st.sampled_from(["pytest", ""]),
    st.sampled_from(["boom", "crash"]),
    st.just("f"),
    st.just("r"),
    st.none() | st.booleans(),
    st.booleans(),
    st.integers(FIRST_US, FIRST_US + DAY_US),
    _figures,
    _figures,
    st.none() | _money,
)
failure_days = st.builds(
    FailureDay, _days, _tools, st.sampled_from(["boom", "crash"]), st.integers(1, 5)
)


_labels = st.sampled_from(["prompt", "team"])


_rate_limits = st.builds(
    RateLimit,
    st.sampled_from(["primary", "five_hour"]),
    st.floats(0, 100),
    st.sampled_from([0, 300]),
    st.integers(0, 10**9),
    st.integers(0, 10**15),
)


@st.composite
def session_records(draw: st.DrawFn, native_id: str | None = None) -> SessionRecord:
    """A session: few days, tools and models, any figures."""
    if native_id is None:
        native_id = draw(st.sampled_from(["n1", "n2", "n3", "n4"]))
    started_us = FIRST_US + draw(st.integers(-2, 30)) * DAY_US
    llms = draw(st.lists(llm_days, max_size=4))
    agent = draw(st.sampled_from(["m31a", "codex", "pi"]))
    return SessionRecord(
        agent,
        native_id,
        f"{agent}-{native_id}",
        f"/sessions/{native_id}.jsonl",
        "1.0",
        draw(st.sampled_from(["/src/app", "/src/lib", ""])),
        draw(st.sampled_from(["main", "feat/a", "feat/b"])),
        models=sorted({llm.model for llm in llms if llm.model}),
        started_us=started_us,
        updated_us=started_us + draw(st.integers(0, 3 * DAY_US)),
        user_turn_count=draw(_counts),
        tools=draw(st.lists(tool_days, max_size=4)),
        llms=llms,
        phases=draw(st.lists(phase_sums, max_size=3)),
        heals=draw(st.lists(heal_episodes, max_size=3)),
        failures=draw(st.lists(failure_days, max_size=3)),
        damage=Damage(draw(_counts)),
        effects=Effects(*draw(st.tuples(*[_counts] * len(Effects.__struct_fields__)))),
        labels=draw(st.dictionaries(_labels, st.sampled_from(["a", "b"]), max_size=2)),
        is_recorded=agent == "m31a" or draw(st.booleans()),
        rate_limits=draw(st.lists(_rate_limits, max_size=2, unique_by=lambda one: one.name)),
    )
