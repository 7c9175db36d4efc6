"""Parts sum to the whole, and the whole is what the files hold, read without the index."""

from __future__ import annotations

import shutil
from math import isclose
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics import SessionMetrics, Usage, config, events
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask
from m31a_metrics.history import History
from m31a_metrics.session import Session
from m31a_metrics.units import NANO_PER_USD

_times_us = st.integers(0, 60).map(lambda day: 1_769_860_800_000_000 + day * 43_200_000_000)
_phases = st.sampled_from(["plan", "verify", ""])
_tokens = st.integers(0, 10**6)

_events = st.one_of(
    st.builds(
        events.ToolCall,
        _times_us,
        st.sampled_from(["Bash", "Edit"]),
        st.booleans(),
        st.floats(0, 10**6),
    ),
    st.builds(
        events.LLMInteraction,
        _times_us,
        _phases,
        st.builds(Usage, _tokens, _tokens),
        st.floats(0, 10),
        st.sampled_from([None, "a", "b"]),
    ),
    st.builds(events.PhaseTransition, _times_us, _phases.filter(bool)),
    st.builds(events.HealTrigger, _times_us, _phases.filter(bool)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(_events, min_size=1, max_size=12), min_size=1, max_size=3))
def test_partitions_sum_to_what_the_files_hold(recorded: list[list[events.Event]]) -> None:
    """By day, week, month, model, phase, tool, project, agent and session: exactly the same sums.

    Against METRICS.json's own sums: counts and tokens exactly, money within 1e-6 USD.
    """
    directory = mkdtemp(prefix="m31a-test-")
    try:
        read = []
        for number, some in enumerate(recorded):
            session = Session(directory, f"s{number}")
            session.append(sorted(some, key=lambda event: event.t_us))
            metrics = session.load()
            assert metrics is not None
            read.append(metrics)
        chosen = replace(config.defaults(), sessions_dir=directory)
        with ask(chosen, {}, only_dir=True) as asking:
            _assert_equal(asking.history, read)
    finally:
        shutil.rmtree(Path(directory))


def _assert_equal(history: History, read: list[SessionMetrics]) -> None:
    (whole,) = history.totals(Slice())
    assert whole.session_count == len(read)
    tools = [tool for metrics in read for tool in metrics.tools]
    llms = [llm for metrics in read for llm in metrics.llms]
    phases = [phase for metrics in read for phase in metrics.phases]
    assert whole.call_count == sum(tool.call_count for tool in tools)
    assert whole.fail_count == sum(tool.fail_count for tool in tools)
    assert whole.duration_us == sum(tool.total_duration_ms for tool in tools) * 1000
    assert whole.total_tokens == sum(llm.total_tokens for llm in llms)
    assert whole.heal_trigger_count == sum(phase.heal_trigger_count for phase in phases)
    cost_usd = sum(llm.cost for llm in llms)
    assert isclose(whole.cost_nano / NANO_PER_USD, cost_usd, abs_tol=1e-6)
    for by in ("day", "week", "month", "agent", "project"):
        parts = history.totals(Slice(), by)
        assert sum(part.call_count for part in parts) == whole.call_count, by
        assert sum(part.cost_nano for part in parts) == whole.cost_nano, by
        assert sum(part.total_tokens for part in parts) == whole.total_tokens, by
    for by in ("tool", "phase", "day", "session"):
        rows = history.tools(Slice(), by)
        assert sum(row.call_count for row in rows) == whole.call_count, by
        assert sum(row.ran.count for row in rows) == whole.call_count, by
    for keys in (("phase",), ("model",), ("phase", "model"), ("month", "model"), ("session",)):
        uses = history.llms(Slice(), keys)
        assert sum(use.cost_nano for use in uses) == whole.cost_nano, keys
    own = history.phases(Slice())
    assert sum(phase.cost_nano for phase in own) == whole.cost_nano
    assert sum(phase.call_count for phase in own) == whole.call_count
