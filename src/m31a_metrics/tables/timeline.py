"""One session in the order of time: its phases, the calls in them, heals, what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.active_time import Stretch, ran, stretch_at
from m31a_metrics.events import (
    BisectOutcome,
    BisectTrigger,
    Event,
    HealOutcome,
    HealTrigger,
    LLMInteraction,
    ToolCall,
)
from m31a_metrics.table import Cell, Column, Kind, Panel, Plot, Table, Unit
from m31a_metrics.tables import columns
from m31a_metrics.timestamps import moment

NO_PHASES: Mapping[str, str] = {}
Price = Callable[[LLMInteraction], float | None]

CALLS_MAX = 4_000
"""More spans than this are more than a browser draws quickly, or a person tells apart."""
LANES_MAX = 12
COST_POINTS_MAX = 1_500
ERRORS_MAX = 200

PHASES_LANE = "phases"
HEALS_LANE = "heals"
OTHER_TOOLS = "other tools"
OF_PHASE = "phase "
"""What the kind of a phase's span begins with; its name follows."""

BEGAN = Column("began_at", "Began", Unit.TIME)
LASTED = Column("duration_ms", "Took", Unit.MS)
SPANS = [
    BEGAN,
    LASTED,
    Column("lane", "Lane"),
    Column("kind", "Kind"),
    Column("what", "What"),
    columns.PHASE,
    Column("error", "Failure"),
]
OVER_TIME = [
    Column("at", "When", Unit.TIME),
    Column("cost_so_far_usd", "Cost so far", Unit.USD),
    Column("tokens_so_far", "Tokens so far", Unit.TOKENS),
    columns.PHASE,
    columns.MODEL,
]
ERRORS = [Column("at", "When", Unit.TIME), columns.TOOL, Column("error", "Failure"), columns.PHASE]


class _Span(Struct):
    began_us: int
    ended_us: int
    lane: str
    kind: str
    what: str
    phase: str = ""
    error: str = ""


class Only(Struct, frozen=True):
    """What part of a session is shown: of a tool, of a phase, of a stretch of time; or all.

    `stretch_us` is from and to, in Unix microseconds.
    """

    tool: str = ""
    phase: str = ""
    stretch_us: tuple[int, int] | None = None

    def overlaps(self, began_us: int, ended_us: int) -> bool:
        """Tell whether something that lasted so long is in the stretch of time."""
        return self.stretch_us is None or (
            began_us <= self.stretch_us[1] and ended_us >= self.stretch_us[0]
        )


EVERYTHING = Only()


def timeline(
    events: Sequence[Event],
    price: Price,
    active: Iterable[Stretch],
    of_calls: Mapping[str, str] = NO_PHASES,
    only: Only = EVERYTHING,
) -> list[Panel]:
    """Show a session by its events, which are in the order of time, and its `active` time.

    `price` is asked for the cost of LLM use that came without one. `of_calls` are the
    phases that calls served, by id; the others get the one that they lie in.
    """
    stretches = list(active)
    phases = [_phase(stretch) for stretch in stretches]
    phase_of = PhaseOf(stretches, of_calls)
    calls = [
        event
        for event in events
        if isinstance(event, ToolCall)
        and only.tool in ("", event.name)
        and (not only.phase or phase_of(event) == only.phase)
        and only.overlaps(max(0, ran(event)[0]), event.t_us)
    ]
    shown = [_within(span, only) for span in (*phases, *_episodes(events)) if _is_shown(span, only)]
    return [
        _spans(calls, shown, phase_of),
        _cost(events, price, only),
        _errors(calls, phase_of),
    ]


def _is_shown(span: _Span, only: Only) -> bool:
    if only.phase not in ("", span.phase) or not only.overlaps(span.began_us, span.ended_us):
        return False
    cut = _within(span, only)
    # What only touches the stretch of time is not in it.
    return cut.ended_us > cut.began_us or span.ended_us == span.began_us


def _within(span: _Span, only: Only) -> _Span:
    """Cut what reaches out of the stretch of time."""
    if only.stretch_us is None:
        return span
    first_us, last_us = only.stretch_us
    began_us, ended_us = max(span.began_us, first_us), min(span.ended_us, last_us)
    return replace(span, began_us=began_us, ended_us=ended_us)


def _phase(stretch: Stretch) -> _Span:
    """Draw a time without a gap in one phase; where none is drawn, nothing ran."""
    began_us, ended_us, name = stretch
    kind = f"{OF_PHASE}{name}" if name else "no phase"
    return _Span(began_us, ended_us, PHASES_LANE, kind, name, name)


class PhaseOf:
    """Which phase a call served: as somebody said, else the one in which it ended.

    `active` are the times in which its session was active, in their order.
    """

    def __init__(self, active: Sequence[Stretch], of_calls: Mapping[str, str]) -> None:
        self._active = active
        self._of_calls = of_calls

    def __call__(self, call: ToolCall) -> str:
        """Name the phase; "" where there is none."""
        said = self._of_calls.get(call.id or "")
        if said is not None:
            return said
        stretch = stretch_at(self._active, call.t_us)
        return "" if stretch is None else stretch.phase


def _spans(calls: Sequence[ToolCall], phases: list[_Span], phase_of: PhaseOf) -> Panel:
    lanes = _lanes(calls)
    spans = [*phases]
    spans += [
        _Span(
            max(0, ran(call)[0]),
            call.t_us,
            call.name if call.name in lanes else OTHER_TOOLS,
            _kind(call),
            call.name,
            phase_of(call),
            call.error or "",
        )
        for call in calls[:CALLS_MAX]
    ]
    table = Table(
        "Timeline",
        SPANS,
        [_span_row(span) for span in spans],
        "Nothing is known of the order of events: only a journal or a transcript tells it.",
    )
    if len(calls) > CALLS_MAX:
        table.notes.append(f"The first {CALLS_MAX:,} of {len(calls):,} calls.")
    plot = Plot(
        "Timeline",
        Kind.SPANS,
        "began_at",
        ("duration_ms",),
        series="kind",
        lane="lane",
        label=("what", "phase", "error"),
    )
    return Panel("timeline", table, (plot,), is_wide=True)


def _kind(call: ToolCall) -> str:
    return "denied" if call.denied else "ok" if call.success else "failed"


def _lanes(calls: Iterable[ToolCall]) -> set[str]:
    took: dict[str, float] = {}
    for call in calls:
        took[call.name] = took.get(call.name, 0.0) + call.duration_ms
    return set(sorted(took, key=lambda name: -took[name])[:LANES_MAX])


def _episodes(events: Iterable[Event]) -> list[_Span]:
    """Find heals and bisects: from the trigger to its outcome, where that is known."""
    spans: list[_Span] = []
    open_spans: dict[str, _Span] = {}
    for event in events:
        if isinstance(event, HealTrigger | BisectTrigger):
            what = "heal" if isinstance(event, HealTrigger) else "bisect"
            span = _Span(event.t_us, event.t_us, HEALS_LANE, f"{what}, open", what, event.phase)
            open_spans[what] = span
            spans.append(span)
        elif isinstance(event, HealOutcome | BisectOutcome):
            what = "heal" if isinstance(event, HealOutcome) else "bisect"
            ended = open_spans.pop(what, None)
            if ended is not None:
                ended.ended_us = max(event.t_us, ended.began_us)
                ended.kind = f"{what}, {'passed' if event.success else 'not passed'}"
    return spans


def _span_row(span: _Span) -> tuple[Cell, ...]:
    return (
        _time(span.began_us),
        (span.ended_us - span.began_us) / 1000,
        span.lane,
        span.kind,
        span.what,
        span.phase or None,
        span.error or None,
    )


def _cost(events: Iterable[Event], price: Price, only: Only) -> Panel:
    cost_usd, tokens = 0.0, 0
    rows: list[tuple[Cell, ...]] = []
    for event in events:
        if isinstance(event, LLMInteraction):
            if only.phase not in ("", event.phase) or not only.overlaps(event.t_us, event.t_us):
                continue
            cost_usd += (event.cost if event.cost is not None else price(event)) or 0.0
            tokens += event.usage.total
            rows.append((_time(event.t_us), cost_usd, tokens, event.phase or None, event.model))
    # Every n-th and the last: sums so far lose nothing by that.
    step = -(-len(rows) // COST_POINTS_MAX) or 1
    table = Table(
        "Cost over time", OVER_TIME, rows[::-1][::step][::-1], "No LLM use in this session."
    )
    plots = (
        Plot("Cost so far", Kind.STEPS, "at", ("cost_so_far_usd",), label=("phase", "model")),
        Plot("Tokens so far", Kind.STEPS, "at", ("tokens_so_far",), label=("phase", "model")),
    )
    return Panel("cost_over_time", table, plots, is_wide=True)


def _errors(calls: Iterable[ToolCall], phase_of: PhaseOf) -> Panel:
    failed = [call for call in calls if not (call.success or call.denied)]
    table = Table(
        "Failed calls",
        ERRORS,
        [
            (_time(call.t_us), call.name, call.error, phase_of(call) or None)
            for call in failed[:ERRORS_MAX]
        ],
        "No call failed.",
    )
    if len(failed) > ERRORS_MAX:
        table.notes.append(f"The first {ERRORS_MAX:,} of {len(failed):,}.")
    return Panel("errors", table, is_wide=True)


def _time(t_us: int) -> datetime:
    return moment(t_us)
