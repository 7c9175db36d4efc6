"""What sessions are compared and gated by: each metric's name, unit, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from m31a_metrics.answers import PhaseRow, SessionParts, SessionRow, ToolRow
from m31a_metrics.comparison.noise import Part
from m31a_metrics.comparison.sides import (
    Figure,
    Make,
    Measure,
    Side,
    quantile_of_calls,
    quantile_of_sessions,
    ratio,
    ratio_of_sums,
    total,
)
from m31a_metrics.table import Unit
from m31a_metrics.units import NANO_PER_USD, usd

_US_IN_MS = 1e3


class Good(StrEnum):
    """Which way a metric should move."""

    LOW = "low"
    HIGH = "high"
    NEITHER = ""


class Metric(Struct, frozen=True):
    """A named metric. `words` say what it is."""

    name: str
    unit: Unit
    good: Good
    words: str
    of: Make


def _cost(row: SessionRow | PhaseRow) -> Part | None:
    # Unknown is not free: neither where nobody recorded LLM use, nor where none is priced.
    if not row.total_tokens and not row.cost_nano:
        return None
    return None if row.unpriced_tokens and not row.cost_nano else (usd(row.cost_nano), 1)


def _tokens(one: SessionParts) -> Part | None:
    row = one.session
    return (row.total_tokens, 1) if row.interaction_count or row.total_tokens else None


def _active_time(one: SessionParts) -> Part | None:
    return (one.session.active_us / _US_IN_MS, 1) if one.session.active_us else None


def _session_time(one: SessionParts) -> Part | None:
    row = one.session
    known = 0 < row.started_us <= row.updated_us
    return ((row.updated_us - row.started_us) / _US_IN_MS, 1) if known else None


def _fail_rate(row: SessionRow | ToolRow) -> Part | None:
    return (row.fail_count, row.call_count) if row.call_count else None


def _heal_success(one: SessionParts) -> Part | None:
    ended = one.session.heal_success_count + one.session.heal_fail_count
    return (one.session.heal_success_count, ended) if ended else None


_AMOUNTS: list[tuple[str, Unit, Good, str, Measure]] = [
    ("cost", Unit.USD, Good.LOW, "Cost", lambda one: _cost(one.session)),
    ("tokens", Unit.TOKENS, Good.LOW, "Tokens", _tokens),
    ("active_time", Unit.MS, Good.LOW, "Active time", _active_time),
    ("session_time", Unit.MS, Good.LOW, "Time from the first event to the last", _session_time),
    (
        "calls",
        Unit.COUNT,
        Good.NEITHER,
        "Tool calls",
        lambda one: (one.session.call_count, 1),
    ),
    (
        "denied",
        Unit.COUNT,
        Good.NEITHER,
        "Calls that were denied, and never ran",
        lambda one: (one.session.denied_count, 1),
    ),
    (
        "llm_calls",
        Unit.COUNT,
        Good.NEITHER,
        "LLM calls",
        lambda one: (one.session.interaction_count, 1),
    ),
    (
        "user_turns",
        Unit.COUNT,
        Good.NEITHER,
        "How often a person spoke",
        lambda one: (one.session.user_turn_count, 1),
    ),
    (
        "heals",
        Unit.COUNT,
        Good.NEITHER,
        "Self-heals begun",
        lambda one: (one.session.heal_trigger_count, 1),
    ),
]
"""What each session has an amount of."""

_SUMMED = {
    "cost": ("cost_nano", NANO_PER_USD),
    "tokens": ("total_tokens", 1),
    "active_time": ("active_us", _US_IN_MS),
    "calls": ("call_count", 1),
    "denied": ("denied_count", 1),
    "llm_calls": ("interaction_count", 1),
    "heals": ("heal_trigger_count", 1),
}


def _of_sessions() -> dict[str, Metric]:
    made = [
        Metric("sessions", Unit.COUNT, Good.NEITHER, "How many sessions", total("session_count"))
    ]
    for name, unit, good, words, measure in _AMOUNTS:
        made.append(Metric(name, unit, good, f"{words}, per session", ratio_of_sums(measure)))
        for suffix, q in (("p50", 0.5), ("p95", 0.95)):
            of = quantile_of_sessions(measure, q)
            made.append(
                Metric(f"{name}.{suffix}", unit, good, f"{words}, {suffix} of the sessions", of)
            )
        if name in _SUMMED:
            of = total(*_SUMMED[name])
            made.append(Metric(f"{name}.total", unit, good, f"{words}, all sessions together", of))
    made += [
        Metric(
            "fail_rate",
            Unit.SHARE,
            Good.LOW,
            "Share of the tool calls that failed",
            ratio_of_sums(lambda one: _fail_rate(one.session)),
        ),
        Metric(
            "heal_rate",
            Unit.SHARE,
            Good.NEITHER,
            "Share of the sessions that healed themselves at least once",
            ratio_of_sums(lambda one: (int(one.session.heal_trigger_count > 0), 1)),
        ),
        Metric(
            "heal_success",
            Unit.SHARE,
            Good.HIGH,
            "Share of the self-heals with a known outcome that passed",
            ratio_of_sums(_heal_success),
        ),
    ]
    return {metric.name: metric for metric in made}


OF_SESSIONS = _of_sessions()
"""The metrics that every lot of sessions has, by name."""

OF_A_TOOL = {
    "fail_rate": "Share of its calls that failed",
    "calls": "Its calls, per session that used it",
    "denied": "Its calls that were denied, per session that asked for it",
    "p50": "p50 of its calls",
    "p95": "p95 of its calls",
    "p99": "p99 of its calls",
}
"""What follows `tool.NAME.`, and what it is."""

OF_A_PHASE = {
    "time": "Active time in it, per session that had it",
    "p50": "p50 of the time that sessions spent in it",
    "p95": "p95 of the time that sessions spent in it",
    "time_share": "Its share of the active time",
    "cost": "What it cost, per session that had it and whose cost is known",
    "cost_share": "Its share of the cost of all phases",
    "heals": "Self-heals begun in it, per session that had it",
}
"""What follows `phase.NAME.`, and what it is."""


def named(name: str) -> Metric | None:
    """Make the metric of a name; None where names are not formed so."""
    kind, _, rest = name.partition(".")
    owner, _, suffix = rest.rpartition(".")
    if owner and kind == "tool" and suffix in OF_A_TOOL:
        return _of_tool(owner, suffix)
    if owner and kind == "phase" and suffix in OF_A_PHASE:
        return _of_phase(owner, suffix)
    return OF_SESSIONS.get(name)


def names_of(sides: Sequence[Side]) -> list[str]:
    """List the metrics that there are on any of the sides, phases and tools by name."""
    tools = sorted({tool for side in sides for tool in side.tools})
    phases = sorted({row.key for side in sides for one in side.parts for row in one.phases})
    return [
        *OF_SESSIONS,
        *(f"phase.{phase}.{suffix}" for phase in phases for suffix in OF_A_PHASE),
        *(f"tool.{tool}.{suffix}" for tool in tools for suffix in OF_A_TOOL),
    ]


def _of_tool(tool: str, suffix: str) -> Metric:
    name, words = f"tool.{tool}.{suffix}", OF_A_TOOL[suffix]

    def measured(measure: Callable[[ToolRow], Part | None]) -> Make:
        def make(side: Side) -> Figure:
            return ratio(
                [part for row in side.tools.get(tool, ()) if (part := measure(row)) is not None]
            )

        return make

    if suffix == "fail_rate":
        return Metric(name, Unit.SHARE, Good.LOW, words, measured(_fail_rate))
    if suffix in ("calls", "denied"):
        measure = _calls if suffix == "calls" else _denied
        return Metric(name, Unit.COUNT, Good.NEITHER, words, measured(measure))
    q = int(suffix.removeprefix("p")) / 100
    return Metric(
        name,
        Unit.MS,
        Good.LOW,
        words,
        lambda side: quantile_of_calls(side, tool, q),
    )


def _calls(row: ToolRow) -> Part | None:
    # Where all of its calls were denied, a session did not use it.
    return (row.call_count, 1) if row.call_count else None


def _denied(row: ToolRow) -> Part | None:
    return (row.denied_count, 1)


def _of_phase(phase: str, suffix: str) -> Metric:
    name, words = f"phase.{phase}.{suffix}", OF_A_PHASE[suffix]

    def own(measure: Callable[[PhaseRow], Part | None]) -> Measure:
        def of(one: SessionParts) -> Part | None:
            rows = [row for row in one.phases if row.key == phase]
            return measure(rows[0]) if rows else None

        return of

    def share(field: str) -> Measure:
        def of(one: SessionParts) -> Part | None:
            whole = sum(getattr(row, field) for row in one.phases)
            mine = sum(getattr(row, field) for row in one.phases if row.key == phase)
            return (mine, whole) if whole else None

        return of

    if suffix in ("p50", "p95"):
        of = quantile_of_sessions(own(_phase_time), 0.5 if suffix == "p50" else 0.95)
        return Metric(name, Unit.MS, Good.LOW, words, of)
    unit, good, measure = {
        "time": (Unit.MS, Good.LOW, own(_phase_time)),
        "time_share": (Unit.SHARE, Good.NEITHER, share("active_us")),
        "cost": (Unit.USD, Good.LOW, own(_cost)),
        "cost_share": (Unit.SHARE, Good.NEITHER, share("cost_nano")),
        "heals": (Unit.COUNT, Good.NEITHER, own(lambda row: (row.heal_trigger_count, 1))),
    }[suffix]
    return Metric(name, unit, good, words, ratio_of_sums(measure))


def _phase_time(row: PhaseRow) -> Part | None:
    return (row.active_us / _US_IN_MS, 1) if row.active_us or row.ended_count else None
