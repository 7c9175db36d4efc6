"""Lots of sessions, made up: sides to compare, with tools and phases, from a few figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from m31a_metrics.answers import PhaseRow, SessionParts, SessionRow, ToolRow, TotalsRow
from m31a_metrics.comparison.sides import Side, side
from m31a_metrics.histogram import Histogram

SECOND_US = 1_000_000


def one(
    session_id: str = "abc",
    *,
    cost_usd: float = 1.0,
    tokens: int = 1_000,
    unpriced: int = 0,
    lasted_s: float = 60,
    turns: int = 1,
    heals: tuple[int, int, int] = (0, 0, 0),
    tools: Iterable[ToolRow] = (),
    phases: Iterable[PhaseRow] = (),
) -> SessionParts:
    """A session; heals are those begun, passed and failed; calls are those of its tools."""
    of_tools = list(tools)
    began_us = 1_780_000_000 * SECOND_US
    row = SessionRow(
        "m31a",
        session_id,
        started_us=began_us,
        updated_us=began_us + int(lasted_s * SECOND_US),
        user_turn_count=turns,
        call_count=sum(tool.call_count for tool in of_tools),
        fail_count=sum(tool.fail_count for tool in of_tools),
        interaction_count=min(tokens, 3),
        total_tokens=tokens,
        unpriced_tokens=unpriced,
        cost_nano=round(cost_usd * 1e9),
        heal_trigger_count=heals[0],
        heal_success_count=heals[1],
        heal_fail_count=heals[2],
    )
    row.active_us = sum(phase.active_us for phase in phases)
    return SessionParts(row, of_tools, list(phases))


def tool(name: str, *ran_ms: float, failed: int = 0) -> ToolRow:
    """A tool of a session, with a call for each duration."""
    ran = Histogram()
    for value_ms in ran_ms:
        ran.add(value_ms)
    ran_us = int(sum(ran_ms) * 1e3)
    return ToolRow(
        name,
        1,
        call_count=len(ran_ms),
        fail_count=failed,
        duration_us=ran_us,
        ran_us=ran_us,
        ran=ran,
    )


def phase(name: str, time_s: float, cost_usd: float = 0.0, tokens: int = 10) -> PhaseRow:
    """A phase of a session that ended."""
    nano = round(cost_usd * 1e9)
    return PhaseRow(
        name,
        1,
        ended_count=1,
        success_count=1,
        active_us=int(time_s * SECOND_US),
        total_tokens=tokens,
        cost_nano=nano,
    )


def lot(label: str, parts: Sequence[SessionParts], *, session_count: int | None = None) -> Side:
    """A side of these sessions, or of so many, of which these are a sample."""
    rows = [each.session for each in parts]
    totals = TotalsRow(
        session_count=len(rows) if session_count is None else session_count,
        **{
            name: sum(getattr(row, name) for row in rows)
            for name in (
                *("call_count", "fail_count", "interaction_count", "total_tokens"),
                *("unpriced_tokens", "cost_nano", "heal_trigger_count"),
            )
        },
    )
    return side(label, totals, parts)


_tool_rows = st.builds(
    lambda name, ran_ms, failed: tool(name, *ran_ms, failed=min(failed, len(ran_ms))),
    st.sampled_from(["Bash", "Edit", "mcp__a.b__c"]),
    st.lists(st.integers(1, 100_000), min_size=1, max_size=4),
    st.integers(0, 4),
)
_phase_rows = st.builds(
    phase,
    st.sampled_from(["plan", "verify", "own phase"]),
    st.integers(0, 1_000),
    st.integers(0, 100),
)
sessions = st.builds(
    one,
    cost_usd=st.integers(0, 1_000).map(lambda cents: cents / 100),
    tokens=st.integers(0, 10_000),
    lasted_s=st.integers(0, 10_000),
    turns=st.integers(0, 9),
    heals=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    tools=st.lists(_tool_rows, max_size=3, unique_by=lambda row: row.key),
    phases=st.lists(_phase_rows, max_size=3, unique_by=lambda row: row.key),
)
lots = st.lists(sessions, min_size=1, max_size=14)
"""Sessions of a side."""
