"""Two sides, metric by metric: what differs, and whether by more than noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from m31a_metrics.answers import Slice
from m31a_metrics.comparison.metrics import Good, Metric, named
from m31a_metrics.comparison.noise import Ranks, interval, rank_test
from m31a_metrics.comparison.sides import Figure, Side
from m31a_metrics.model import WorkflowPhase
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.phrases import counted, unpriced

FEW = 5
"""With fewer sessions on a side no difference is a finding.

Of 4 and 4 even those that all lie apart have p = 0.029, which is above P_MAX.
"""
P_MAX = 0.01
"""Not 0.05, because some 50 metrics are looked at: two or three would seem to differ."""

TOOLS_SHOWN = 6
"""So many tools, those with the most calls, are shown to people."""

METRIC = Column("metric", "Metric")
A = Column("a", "A", Unit.BY_ROW)
B = Column("b", "B", Unit.BY_ROW)
CHANGE = Column("change", "Change", Unit.CHANGE)
VERDICT = Column("verdict", "Verdict")
P_VALUE = Column("p_value", "By chance", Unit.SHARE)
DIFFERENCE = Column("difference", "Difference", Unit.BY_ROW)
LOW = Column("difference_low", "at least", Unit.BY_ROW)
HIGH = Column("difference_high", "at most", Unit.BY_ROW)
A_COUNT = Column("a_session_count", "n A", Unit.COUNT)
B_COUNT = Column("b_session_count", "n B", Unit.COUNT)

FOR_PEOPLE = [METRIC, A, B, CHANGE, VERDICT, A_COUNT, B_COUNT, columns.UNIT]
"""What fits a terminal of 80 cells with metrics written out."""
FOR_PROGRAMS = [*FOR_PEOPLE, P_VALUE, DIFFERENCE, LOW, HIGH]
OF_TWO = [METRIC, A, B, CHANGE, DIFFERENCE, columns.UNIT]

_OF_SESSIONS = (
    *("sessions", "cost.total", "cost", "tokens", "session_time", "calls", "fail_rate", "denied"),
    *("llm_calls", "user_turns", "heals", "heal_rate", "heal_success"),
)
_OF_A_PHASE = ("time_share", "cost_share")
_OF_A_TOOL = ("fail_rate", "p95")
_RARE = frozenset({"denied"})
"""What most sessions have none of: a row where either side has any."""
_OF_LOTS = frozenset({"sessions", "cost.total", "heal_rate"})
"""These say nothing of a single session that another row does not."""

_WORKFLOW = {phase.value: place for place, phase in enumerate(WorkflowPhase)}


class Verdict(StrEnum):
    """What a difference amounts to; `higher` and `lower` where neither is better."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    HIGHER = "higher"
    LOWER = "lower"
    NOISE = "noise"
    MIXED = "mixed"
    FEW = "too few"


class Difference(Struct, frozen=True):
    """One metric on both sides. `verdict` is of A; None where sessions do not scatter."""

    metric: Metric
    a: Figure
    b: Figure
    verdict: Verdict | None
    ranks: Ranks | None


def compare(a: Side, b: Side, *, whole: bool = False, only_differing: bool = False) -> Table:
    """Set A beside B, as a table of one row per metric.

    Two single sessions are compared without a word about noise: one session does not
    scatter. `whole` shows every tool that both have, not only the busiest, and all columns;
    `only_differing` leaves out the metrics that do not differ beyond noise, and says so.
    """
    of_two = a.totals.session_count == b.totals.session_count == 1
    found, left_out = differences(a, b, whole=whole, of_two=of_two)
    shown = OF_TWO if of_two else FOR_PROGRAMS if whole else FOR_PEOPLE
    judged = [one for one in found if of_two or one.verdict is not None]
    differing = [one for one in judged if differs(one, of_two=of_two)]
    table = Table(f"{a.label} against {b.label}", shown)
    table.rows = [_row(one, shown) for one in (differing if only_differing else found)]
    table.answer = " ".join(filter(None, (_answer(judged, differing), _about_periods(a, b))))
    table.notes = [] if of_two else [*_about_sides(a, b), *_about_verdicts(found)]
    rest = _about_rest(len(found) - len(table.rows), left_out)
    table.empty, table.notes = rest, table.notes + [rest] * bool(table.rows and rest)
    for side in (a, b):
        table.notes += [f"{side.label}: {said}" for said in unpriced(side.totals.unpriced_tokens)]
    return table


LISTED = 3
"""So many metrics that differ are named in the sentence above the table."""

_COUNTING = frozenset({Verdict.BETTER, Verdict.WORSE, Verdict.HIGHER, Verdict.LOWER, Verdict.MIXED})


def differs(one: Difference, *, of_two: bool) -> bool:
    """Tell whether a difference counts: beyond noise, or at all where one session is one side."""
    return one.a.value != one.b.value if of_two else one.verdict in _COUNTING


def _metrics(count: int) -> str:
    return "metric" if count == 1 else "metrics"


def _about_rest(same_count: int, tool_count: int) -> str:
    """Say what is not shown: metrics that do not differ, and tools that were not looked at."""
    tools = f"{counted(tool_count, 'more tool')} that both have" if tool_count else ""
    same = f"{same_count:,} {_metrics(same_count)} without a difference" if same_count else ""
    rest = " and ".join(filter(None, (same, tools)))
    return f"Not shown: {rest}; see all: --all." if rest else ""


def _answer(judged: Sequence[Difference], differing: Sequence[Difference]) -> str:
    """Say how many metrics differ, and by how much the first of them."""
    if not judged:
        return ""
    of = f"of {len(judged):,} {_metrics(len(judged))}"
    if not differing:
        if all(one.verdict is Verdict.FEW for one in judged):
            return f"No finding: none {of} is known of {FEW} sessions or more on both sides."
        return f"None {of} differs by more than noise."
    listed = [_said(one) for one in differing[:LISTED]]
    if len(differing) > LISTED:
        listed.append(f"{len(differing) - LISTED:,} more")
    verb = "differs" if len(differing) == 1 else "differ"
    return f"{len(differing):,} {of} {verb}: {'; '.join(listed)}."


def _said(one: Difference) -> str:
    """Say one difference: `session time +34 %, worse`; of what was nothing, both figures."""
    a, b = one.a.value, one.b.value
    name = _words_of(one.metric.name)
    verdict = f", {one.verdict.value}" if one.verdict in _COUNTING else ""
    if a is not None and b:
        return f"{name} {written.signed_percent(a / b - 1)}{verdict}"
    figures = " against ".join(_figure(value, one.metric.unit) for value in (a, b))
    return f"{name} {figures}{verdict}"


def _figure(value: float | None, unit: Unit) -> str:
    if value is None:
        return "unknown"
    return written.percent(value) if unit is Unit.SHARE else written.BY_UNIT[unit](value)


def _words_of(metric: str) -> str:
    """Give a metric as people say it: `session time`, `Bash fail rate`."""
    kind, dot, rest = metric.partition(".")
    if dot and kind in ("tool", "phase"):
        of, _, suffix = rest.rpartition(".")
        return f"{answer.name_of(of)} {suffix.replace('_', ' ')}"
    return metric.replace("_", " ").replace(".", " ")


def _about_periods(a: Side, b: Side) -> str:
    """Say that the sides have sessions in common, or that A is the earlier one."""
    keys = [{(one.session.agent, one.session.session_id) for one in side.parts} for side in (a, b)]
    shared = len(keys[0] & keys[1])
    first, last = a.which, b.which
    if _ends_before(first, last):
        return "A is the earlier of the two: this says how it was against what came later."
    if not shared or _ends_before(last, first):
        return ""
    verb = "is" if shared == 1 else "are"
    return f"The two overlap: {counted(shared, 'session')} {verb} on both sides."


def _ends_before(one: Slice, other: Slice) -> bool:
    """Tell whether the period of one slice is over when that of the other begins."""
    if one.until_us is not None and other.since_us is not None:
        return one.until_us <= other.since_us
    return bool(one.last_day and other.first_day) and one.last_day < other.first_day


def differences(
    a: Side, b: Side, *, whole: bool = False, of_two: bool = False
) -> tuple[list[Difference], int]:
    """Compare metric by metric; also tell how many tools were left out."""
    names = [name for name in _OF_SESSIONS if not of_two or name not in _OF_LOTS]
    names += [f"phase.{phase}.{suffix}" for phase in _phases(a, b) for suffix in _OF_A_PHASE]
    tools = _tools(a, b)
    shown = tools if whole else tools[:TOOLS_SHOWN]
    names += [f"tool.{tool}.{suffix}" for tool in shown for suffix in _OF_A_TOOL]
    found = [difference(metric, a, b) for name in names if (metric := named(name)) is not None]
    known = [
        one
        for one in found
        if (one.a.value is not None or one.b.value is not None)
        and (one.a.value or one.b.value or one.metric.name not in _RARE)
    ]
    return known, len(tools) - len(shown)


def difference(metric: Metric, a: Side, b: Side) -> Difference:
    """Compare one metric."""
    mine, other = metric.of(a), metric.of(b)
    if not mine.values and not other.values:
        return Difference(metric, mine, other, None, None)
    if min(len(mine.values), len(other.values)) < FEW:
        return Difference(metric, mine, other, Verdict.FEW, None)
    ranks = rank_test(mine.values, other.values)
    return Difference(metric, mine, other, _verdict(metric.good, mine, other, ranks), ranks)


def _verdict(good: Good, a: Figure, b: Figure, ranks: Ranks) -> Verdict:
    if a.value is None or b.value is None or ranks.p_value >= P_MAX:
        return Verdict.SAME if a.value == b.value else Verdict.NOISE
    # A few huge sessions can pull a sum one way while the others went the other way.
    if (a.value - b.value) * ranks.tendency < 0:
        return Verdict.MIXED
    rose = ranks.tendency > 0
    if good is Good.NEITHER:
        return Verdict.HIGHER if rose else Verdict.LOWER
    return Verdict.BETTER if rose is (good is Good.HIGH) else Verdict.WORSE


def _phases(a: Side, b: Side) -> list[str]:
    """The phases of either side, in the order of work, those of other names behind."""
    names = {row.key for side in (a, b) for one in side.parts for row in one.phases if row.key}
    return sorted(names, key=lambda name: (_WORKFLOW.get(name, len(_WORKFLOW)), name))


def _tools(a: Side, b: Side) -> list[str]:
    """The tools that both sides have, the busiest first."""

    def call_count(tool: str) -> int:
        return sum(row.call_count for side in (a, b) for row in side.tools[tool])

    return sorted(a.tools.keys() & b.tools.keys(), key=lambda tool: (-call_count(tool), tool))


def _row(one: Difference, shown: Sequence[Column]) -> tuple[Cell, ...]:
    a, b = one.a.value, one.b.value
    by = None if a is None or b is None else a - b
    cells: dict[Column, Cell] = {
        METRIC: one.metric.name,
        A: a,
        B: b,
        CHANGE: by / b if by is not None and b else None,
        DIFFERENCE: by,
        columns.UNIT: one.metric.unit.value,
    }
    if VERDICT in shown:
        between = interval(one.a.parts, one.b.parts) if one.ranks is not None else None
        cells |= {
            VERDICT: one.verdict.value if one.verdict is not None else None,
            P_VALUE: one.ranks.p_value if one.ranks is not None else None,
            A_COUNT: one.a.session_count,
            B_COUNT: one.b.session_count,
            LOW: between[0] if between is not None else None,
            HIGH: between[1] if between is not None else None,
        }
    return tuple(cells[column] for column in shown)


def _about_sides(a: Side, b: Side) -> list[str]:
    notes = [f"A is {a}, B is {b}."]
    sampled = [side for side in (a, b) if side.is_sample]
    if sampled:
        counts = " and ".join(f"{len(side.parts):,} of {side.label}" for side in sampled)
        notes.append(
            f"All but totals and times of calls are of a fair sample of the sessions: {counts}."
        )
    return notes


def _about_verdicts(found: Iterable[Difference]) -> list[str]:
    verdicts = {one.verdict for one in found}
    notes = []
    if verdicts & {Verdict.BETTER, Verdict.WORSE, Verdict.HIGHER, Verdict.LOWER}:
        notes.append(
            "A difference counts where chance would make one as large in less than "
            f"{P_MAX:.0%} of cases (rank test of the sessions)."
        )
    if Verdict.MIXED in verdicts:
        notes.append(
            "mixed: most sessions went one way, the sum the other, because of a few large ones."
        )
    if Verdict.FEW in verdicts:
        notes.append(f"too few: fewer than {FEW} sessions of a side have it; no finding.")
    return notes
