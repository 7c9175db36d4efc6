"""Limits held against sessions: which of them broke."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from msgspec import Struct

from m31a_metrics.review import columns
from m31a_metrics.review.baseline import Baseline, Value
from m31a_metrics.review.limits import Limit, limit_of, split
from m31a_metrics.review.metrics import OF_A_PHASE, OF_A_TOOL, OF_SESSIONS, Metric, named, names_of
from m31a_metrics.review.sides import Side
from m31a_metrics.table import Cell, Column, Table, Unit

METRIC = Column("metric", "Metric")
OUTCOME = Column("success", "Gate", Unit.OUTCOME)
CURRENT = Column("current", "Current", Unit.BY_ROW)
LIMIT = Column("limit", "Limit")
BOUND = Column("bound", "Which is", Unit.BY_ROW)
BASE = Column("baseline", "Baseline", Unit.BY_ROW)
CHANGE = Column("change", "Change", Unit.CHANGE)
COUNT = Column("session_count", "Sessions", Unit.COUNT)
BASE_COUNT = Column("baseline_session_count", "of baseline", Unit.COUNT)

COLUMNS = [
    *(METRIC, OUTCOME, CURRENT, LIMIT, BOUND, BASE),
    *(CHANGE, COUNT, BASE_COUNT, columns.UNIT),
]

LISTED = [Column("metric", "Metric"), columns.UNIT, Column("meaning", "What it is")]


class Judgement(Struct, frozen=True):
    """A limit held against the sessions; `holds` None: there was nothing to hold it against."""

    limit: Limit
    value: float | None
    session_count: int
    base: Value | None
    bound: float | None
    holds: bool | None


class UnknownMetric(ValueError):
    """No metric of that name is there; the sentence names the nearest."""


def read_limits(
    most: Sequence[str], least: Sequence[str], known: Collection[str], *, missing: bool = False
) -> list[Limit]:
    """Read `--max` and `--min`. `known` are the metrics of both sides, by name.

    Raises UnknownMetric for a name that is not among them, unless `missing` allows tools and
    phases that are not there, and ValueError for a value that makes no sense.
    """
    limits = []
    for texts, is_most in ((most, True), (least, False)):
        for text in texts:
            name, amount = split(text)
            metric = named(name)
            if metric is None or (name not in known and not missing):
                raise UnknownMetric(_unknown(name, known))
            limits.append(limit_of(metric, amount, is_most=is_most))
    return limits


def _unknown(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    if named(name) is not None:
        owner = "tool" if name.startswith("tool.") else "phase"
        return f"None of the sessions has the {owner} of {name}.{meant} See all: m31 gate --list"
    return f"There is no metric {name}.{meant} See all: m31 gate --list"


def known_names(side: Side, base: Baseline | None) -> list[str]:
    """List the metrics of the sessions and of the baseline."""
    names = names_of([side])
    return [*names, *(base.metrics.keys() - set(names) if base is not None else ())]


def judge(limits: Sequence[Limit], side: Side, base: Mapping[str, Value]) -> list[Judgement]:
    """Hold each limit against the sessions."""
    return [_judge(limit, side, base.get(limit.metric.name)) for limit in limits]


def _judge(limit: Limit, side: Side, base: Value | None) -> Judgement:
    figure = limit.metric.of(side)
    bound = limit.bound(base.value if base is not None else None)
    holds = None
    if figure.value is not None and bound is not None:
        holds = limit.holds(figure.value, bound)
    return Judgement(limit, figure.value, figure.session_count, base, bound, holds)


def gate(judgements: Sequence[Judgement], current: str, baseline: str) -> Table:
    """Show what was held against what, what broke first, then what nothing is known of."""
    ordered = sorted(judgements, key=lambda one: (one.holds is not False, one.holds is not None))
    broke = sum(one.holds is False for one in judgements)
    count = f"{len(judgements):,} limit{'' if len(judgements) == 1 else 's'}"
    title = f"{broke:,} of {count} broke" if broke else f"{count}, none broke"
    table = Table(title, COLUMNS, [_row(one) for one in ordered])
    table.notes.append(f"{current}, against {baseline}." if baseline else f"{current}.")
    if any(one.holds is None for one in judgements):
        table.notes.append("A dash: nothing is known to hold this limit against.")
    return table


def _row(one: Judgement) -> tuple[Cell, ...]:
    base = one.base.value if one.base is not None else None
    words = "at most" if one.limit.is_most else "at least"
    return (
        one.limit.metric.name,
        one.holds,
        one.value,
        f"{words} {one.limit.text}",
        one.bound,
        base,
        (one.value - base) / base if one.value is not None and base else None,
        one.session_count,
        one.base.session_count if one.base is not None else None,
        one.limit.metric.unit.value,
    )


def metric_list(names: Sequence[str] = ()) -> Table:
    """List the metrics: how they are named, or, where `names` are given, those."""
    metrics: list[tuple[str, Metric | None]] = [(name, named(name)) for name in names]
    if not names:
        metrics = [
            *OF_SESSIONS.items(),
            *((f"phase.NAME.{suffix}", named(f"phase.NAME.{suffix}")) for suffix in OF_A_PHASE),
            *((f"tool.NAME.{suffix}", named(f"tool.NAME.{suffix}")) for suffix in OF_A_TOOL),
        ]
    return Table(
        "Metrics",
        LISTED,
        [(name, one.unit.value, one.words) for name, one in metrics if one is not None],
    )
