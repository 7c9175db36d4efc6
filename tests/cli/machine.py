"""A machine with four sessions, the same at every run: what the tests of the review look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from m31a_metrics import (
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    Usage,
    events,
    save,
)
from m31a_metrics.session import Session

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
FULL, M31A, SHELL, UNPRICED = "3f2a91c0", "77e01b5d", "nightly", "3f00aa11"


def record(sessions_dir: Path) -> None:
    """Write the sessions: one with a journal and all there is, one as M31A leaves it, ..."""
    _journalled(sessions_dir, FULL, _full(_us(NOW - timedelta(hours=2))))
    save(sessions_dir, M31A, _by_m31a())
    start_us = _us(NOW - timedelta(days=1))
    _journalled(
        sessions_dir,
        SHELL,
        [
            events.ToolCall(
                t_us=start_us + at,
                name="make",
                success=at < 2,
                duration_ms=9_000.5,
                error=None if at < 2 else "make: *** [test] Error <n>",
            )
            for at in range(3)
        ],
    )
    _journalled(
        sessions_dir,
        UNPRICED,
        [
            events.LLMInteraction(
                t_us=_us(NOW - timedelta(days=40)),
                phase="plan",
                usage=Usage(9_000, 1_000),
                model="local",
            )
        ],
    )


def _journalled(sessions_dir: Path, session_id: str, recorded: list[events.Event]) -> None:
    session = Session(str(sessions_dir), session_id)
    session.append(recorded)
    session.flush()


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def _full(start_us: int) -> list[events.Event]:
    """Three phases: tools with percentiles, two models, a heal that passed, a bisect."""
    recorded: list[events.Event] = [events.PhaseTransition(t_us=start_us, phase="plan")]
    recorded += [
        events.ToolCall(
            t_us=start_us + at, name="Read", success=True, duration_ms=at / 2, wait_ms=10
        )
        for at in range(1, 101)
    ]
    recorded += [
        events.LLMInteraction(
            t_us=start_us + 200,
            phase="plan",
            usage=Usage(40_000, 2_000, cache_read_tokens=30_000),
            cost=0.25,
            model="large-1",
        ),
        events.PhaseDuration(t_us=start_us + 201, phase="plan", duration_ms=60_000, success=True),
        events.PhaseTransition(t_us=start_us + 202, phase="execute"),
        events.ToolCall(
            t_us=start_us + 203,
            name="Bash",
            success=False,
            duration_ms=4_200,
            error="AssertionError: assert <n> == <n>",
        ),
        events.HealTrigger(t_us=start_us + 204, phase="execute"),
        events.LLMInteraction(
            t_us=start_us + 205,
            phase="execute",
            usage=Usage(8_000, 500),
            cost=0.05,
            model="small-2",
        ),
        events.EditStrategy(t_us=start_us + 206, strategy="exact_match"),
        events.ToolCall(t_us=start_us + 207, name="Bash", success=True, duration_ms=3_900),
        events.HealOutcome(t_us=start_us + 208, phase="execute", success=True, duration_ms=12_000),
        events.BisectTrigger(t_us=start_us + 209, phase="execute"),
        events.BisectOutcome(t_us=start_us + 210, phase="execute", success=True),
        events.PhaseDuration(
            t_us=start_us + 211, phase="execute", duration_ms=180_000, success=True
        ),
        events.PhaseTransition(t_us=start_us + 300_000_000, phase="ship"),
        events.PhaseDuration(
            t_us=start_us + 300_000_001, phase="ship", duration_ms=900, success=False
        ),
    ]
    return recorded


def _by_m31a() -> SessionMetrics:
    return SessionMetrics(
        M31A,
        NOW - timedelta(days=3, minutes=15, seconds=30),
        NOW - timedelta(days=3),
        [
            ToolMetric("Bash", 12, 11, 1, 45_200, 45_200 / 12),
            ToolMetric("mcp__github__create_issue", 8, 8, 0, 120, 15.0),
        ],
        [LLMMetric("execute", 45_000, 12_000, 57_000, 0.038, 15)],
        [PhaseMetric("execute", 180_000, 1, 2, 0, True)],
    )
