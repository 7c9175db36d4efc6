"""Limits held against sessions: which of them broke."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from math import isfinite

from msgspec import Struct

from m31a_metrics.comparison.baseline import Value
from m31a_metrics.comparison.metrics import OF_A_PHASE, OF_A_TOOL, OF_SESSIONS, Metric, named
from m31a_metrics.comparison.sides import Side
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import columns

# A limit as people write it, `cost=+10%`, and what it allows.
#
# A number with a sign is set against the baseline: `+10%` of it more, or `+0.02` more. A number
# without a sign stands for itself: `0.05` or `5%` for shares, `1.50` or `$1.50` for cost, `30s`
# for times.

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_LIMIT = re.compile(rf"([+-]?)\s*(\$?){_NUMBER}\s*(%|[A-Za-z]*)")
_MS = {"ms": 1.0, "s": 1e3, "m": 60e3, "min": 60e3, "h": 3_600e3, "d": 86_400e3}
_MANY = {"": 1.0, "k": 1e3, "M": 1e6}

_HOW = {
    Unit.MS: "a time with its unit, as 500ms, 30s or 2m",
    Unit.SHARE: "a share, as 0.05 or 5%",
    Unit.USD: "US dollars, as 1.50",
    Unit.COUNT: "a number, as 20",
    Unit.TOKENS: "a number, as 200000 or 200k",
}

_SLACK = 1e-9
"""Relative: what adding up in another order may do to a figure breaks no limit."""


class Limit(Struct, frozen=True):
    """What a metric may be at most, or must be at least.

    `amount` is in the metric's unit; where `is_relative` it is added to the baseline, where
    `is_percent` too, as so many parts of it (0.1 for +10%). `text` is how it was written.
    """

    metric: Metric
    is_most: bool
    text: str
    amount: float
    is_relative: bool = False
    is_percent: bool = False

    def bound(self, base: float | None) -> float | None:
        """Give the value that must not be passed; None where a baseline is needed."""
        if not self.is_relative:
            return self.amount
        if base is None:
            return None
        return base * (1 + self.amount) if self.is_percent else base + self.amount

    def holds(self, value: float, bound: float) -> bool:
        """Tell whether a value keeps to the bound."""
        slack = _SLACK * max(abs(value), abs(bound))
        return value <= bound + slack if self.is_most else value >= bound - slack


def split(text: str) -> tuple[str, str]:
    """Part a limit into the metric's name and the rest. Raises ValueError for what is none."""
    name, equals, amount = text.rpartition("=")
    if not equals or not name or not amount:
        raise ValueError(f"{text!r} is no limit: write METRIC=VALUE, as cost=+10%.")
    return name.strip(), amount.strip()


def limit_of(metric: Metric, text: str, *, is_most: bool) -> Limit:
    """Read what stands behind `METRIC=`. Raises ValueError that says how it is written."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise _wrong(metric, text)
    sign, dollar, number, suffix = found.groups()
    amount = float(number) * (-1 if sign == "-" else 1)
    if not isfinite(amount) or (dollar and metric.unit is not Unit.USD):
        raise _wrong(metric, text)
    if suffix == "%" and (sign or metric.unit is Unit.SHARE) and not dollar:
        return Limit(metric, is_most, text, amount / 100, bool(sign), bool(sign))
    return Limit(metric, is_most, text, amount * _scale(metric, suffix, text), bool(sign))


def _scale(metric: Metric, suffix: str, text: str) -> float:
    if metric.unit is Unit.MS:
        scale = _MS.get(suffix)
    elif metric.unit in (Unit.TOKENS, Unit.COUNT):
        scale = _MANY.get(suffix)
    else:
        scale = None if suffix else 1.0
    if scale is None:
        raise _wrong(metric, text)
    return scale


def _wrong(metric: Metric, text: str) -> ValueError:
    return ValueError(
        f"{metric.name}={text}: write {_HOW[metric.unit]}; "
        "with a sign it is relative to the baseline, as +10%."
    )


METRIC = Column("metric", "Metric")
OUTCOME = Column("success", "Gate", Unit.OUTCOME)
CURRENT = Column("current", "Current", Unit.BY_ROW)
LIMIT = Column("limit", "Limit")
BOUND = Column("bound", "Which is", Unit.BY_ROW)
BASE = Column("baseline", "Baseline", Unit.BY_ROW)
CHANGE = Column("change", "Change", Unit.CHANGE)
COUNT = Column("session_count", "Sessions", Unit.COUNT)
BASE_COUNT = Column("baseline_session_count", "of baseline", Unit.COUNT)

FOR_PEOPLE = [METRIC, OUTCOME, CURRENT, LIMIT, BOUND, BASE, columns.UNIT]
FOR_PROGRAMS = [*FOR_PEOPLE, CHANGE, COUNT, BASE_COUNT]

LISTED = [METRIC, Column("unit", "Unit"), Column("meaning", "What it is")]


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


def gate(
    judgements: Sequence[Judgement], current: str, baseline: str, *, whole: bool = False
) -> Table:
    """Show what was held against what: what broke first, then what nothing is known of.

    `current` and `baseline` say whose figures these are. `whole` adds the columns that a
    terminal has no room for.
    """
    ordered = sorted(judgements, key=lambda one: (one.holds is not False, one.holds is not None))
    broke = sum(one.holds is False for one in judgements)
    count = f"{len(judgements):,} limit{'' if len(judgements) == 1 else 's'}"
    title = f"{broke:,} of {count} broke" if broke else f"{count}, none broke"
    shown = FOR_PROGRAMS if whole else FOR_PEOPLE
    if not whole and all(one.base is None for one in judgements):
        shown = [column for column in shown if column is not BASE]
    table = Table(title, shown, [_row(one, shown) for one in ordered])
    table.notes.append(f"Of {current}{f', against {baseline}' if baseline else ''}.")
    if any(one.holds is None for one in judgements):
        table.notes.append("A dash: nothing is known to check this limit against.")
    return table


def _row(one: Judgement, shown: Sequence[Column]) -> tuple[Cell, ...]:
    base = one.base.value if one.base is not None else None
    cells: dict[Column, Cell] = {
        METRIC: one.limit.metric.name,
        OUTCOME: one.holds,
        CURRENT: one.value,
        LIMIT: f"{'max' if one.limit.is_most else 'min'} {one.limit.text}",
        BOUND: one.bound,
        BASE: base,
        CHANGE: (one.value - base) / base if one.value is not None and base else None,
        COUNT: one.session_count,
        BASE_COUNT: one.base.session_count if one.base is not None else None,
        columns.UNIT: one.limit.metric.unit.value,
    }
    return tuple(cells[column] for column in shown)


def metric_list(names: Sequence[str] = ()) -> Table:
    """List the metrics: how they are named, or, where `names` are given, those."""
    metrics: list[tuple[str, Metric | None]] = [(name, named(name)) for name in names]
    if not names:
        metrics = [
            *OF_SESSIONS.items(),
            *((f"phase.NAME.{suffix}", named(f"phase.NAME.{suffix}")) for suffix in OF_A_PHASE),
            *((f"tool.NAME.{suffix}", named(f"tool.NAME.{suffix}")) for suffix in OF_A_TOOL),
        ]
    rows: list[tuple[Cell, ...]] = [
        (name, one.unit.value, one.words) for name, one in metrics if one is not None
    ]
    notes = [] if names else ["NAME is that of a tool or phase; see yours: --list --current all"]
    return Table("Metrics", LISTED, rows, notes=notes)
