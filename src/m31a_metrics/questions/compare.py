"""Is one lot of sessions better or worse than another, and does it keep its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from m31a_metrics.comparison import compare as of_compare
from m31a_metrics.comparison.baseline import Baseline, Value, values_of
from m31a_metrics.comparison.gate import Judgement, judge, read_limits
from m31a_metrics.comparison.gate import gate as of_gate
from m31a_metrics.comparison.metrics import names_of
from m31a_metrics.comparison.sides import SAMPLE_MAX, Side
from m31a_metrics.comparison.sides import side as of_side
from m31a_metrics.questions.ask import Ask
from m31a_metrics.table import Panel


class NoBaseline(ValueError):
    """A limit is set against a baseline, and none is given."""


def side(ask: Ask, label: str) -> Side:
    """The sessions on one side of a comparison, and what people call it."""
    parts = ask.answers.parts(ask.which, SAMPLE_MAX)
    if len(parts) == ask.totals.session_count:
        made = of_side(label, ask.totals, parts)
    else:
        ran = {row.key: row.ran for row in ask.answers.tools(ask.which)}
        made = of_side(label, ask.totals, parts, ran)
    return replace(made, which=ask.which)


def compare(a: Side, b: Side, *, whole: bool = False, only_differing: bool = False) -> list[Panel]:
    """Metric by metric, and which differences are more than noise."""
    table = of_compare.compare(a, b, whole=whole, only_differing=only_differing)
    if not any(one.totals.session_count for one in (a, b)):
        table.rows, table.empty = [], "Neither side has a session."
    return [Panel("compare", table, is_wide=True)]


def gate(
    current: Side,
    against: Side | Baseline | None,
    most: Sequence[str],
    least: Sequence[str],
    *,
    missing: bool = False,
    named: str = "",
    whole: bool = False,
) -> tuple[list[Panel], list[Judgement]]:
    """Hold sessions to limits (`most`, `least`: METRIC=VALUE), and tell which are kept.

    `missing` lets limits pass that nothing is known of; `named` is what people call a
    baseline. Raises ValueError for a limit that makes no sense, NoBaseline for one that is
    set against a baseline where there is none.
    """
    kept: Mapping[str, Value] = against.metrics if isinstance(against, Baseline) else {}
    sides = [current, against] if isinstance(against, Side) else [current]
    limits = read_limits(most, least, {*names_of(sides), *kept}, missing=missing)
    if against is None and any(limit.is_relative for limit in limits):
        raise NoBaseline("A value with a sign is relative to --baseline: give one.")
    values = kept
    if isinstance(against, Side):
        values = values_of(against, [limit.metric.name for limit in limits])
        named = str(against)
    judgements = judge(limits, current, values)
    return [Panel("gate", of_gate(judgements, str(current), named, whole=whole))], judgements
