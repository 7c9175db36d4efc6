"""A session on a line of time: its phases, heals and calls, each tool on a line of its own.

Times in which nothing ran are drawn short, for a session that was left overnight would
otherwise be two slivers at the ends of a page. Spans of one kind that lie closer together
than can be seen are drawn as one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from m31a_metrics.table import Cell, Plot, Unit
from m31a_metrics.tables.timeline import HEALS_LANE, OF_PHASE, OTHER_TOOLS, PHASES_LANE
from m31a_metrics.timestamps import local, micros, moment
from m31a_metrics.views.names import clean
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.marks import (
    TONES,
    Chart,
    Group,
    Mark,
    Row,
    Swatch,
    Tick,
    short_name,
    title_of,
)
from m31a_metrics.views.web.plots import OUTCOMES, Columns

GAP_SHARE, GAP_MIN_US = 0.02, 60_000_000
"""Drawn short is what lasted longer than this part of the time in which something ran."""
POINTS_GAP_US = 600_000_000
"""The same between points in time, of which a long one may have been spent waiting for a call."""
GAP_WIDTH, GAPS_WIDTH = 1.2, 20.0
"""How wide a time is in which nothing ran, and all of them together at most (percent)."""
SEEN = 0.12
"""Spans that are less than so much apart (percent) are drawn as one."""
TICKS = 5

Stretch = tuple[int, int]


class TimeScale:
    """Places on a line of time, in percent.

    `stretches` are when something ran; what lies between two of them for long is a gap, drawn
    short unless `shows_gaps`. With `is_points` they lie between points in time, and a long one
    is itself a gap.
    """

    def __init__(
        self, stretches: Sequence[Stretch], *, shows_gaps: bool, is_points: bool = False
    ) -> None:
        ran = _united(stretches) if not is_points else sorted(stretches)
        self._began_us = ran[0][0] if ran else 0
        self._ended_us = max(ran[-1][1], self._began_us + 1) if ran else 1
        between = [(a[1], b[0]) for a, b in pairwise(ran)] if not is_points else ran
        least_us = POINTS_GAP_US if is_points else GAP_MIN_US
        whole_us = self._ended_us - self._began_us
        self.gaps = [] if shows_gaps else _long(between, whole_us, least_us)
        width = min(GAP_WIDTH, GAPS_WIDTH / len(self.gaps)) if self.gaps else 0.0
        left_us = self._ended_us - self._began_us - sum(end - begin for begin, end in self.gaps)
        per_us = (100 - width * len(self.gaps)) / max(left_us, 1)
        # Where the line bends: a time and its place, from left to right.
        self._times, self._places = [self._began_us], [0.0]
        for begin, end in self.gaps:
            self._bend(begin, per_us * (begin - self._times[-1]))
            self._bend(end, width)
        self._bend(self._ended_us, per_us * (self._ended_us - self._times[-1]))

    def _bend(self, at_us: int, width: float) -> None:
        self._times.append(at_us)
        self._places.append(self._places[-1] + width)

    def at(self, t_us: int) -> float:
        """Give the place of a time."""
        after = min(max(bisect_right(self._times, t_us), 1), len(self._times) - 1)
        begin, end = self._times[after - 1], self._times[after]
        low, high = self._places[after - 1], self._places[after]
        share = (t_us - begin) / (end - begin) if end > begin else 0.0
        return min(max(low + share * (high - low), 0.0), 100.0)

    def time_at(self, place: float) -> int:
        """Give the time that is drawn at a place."""
        after = min(max(bisect_right(self._places, place), 1), len(self._places) - 1)
        low, high = self._places[after - 1], self._places[after]
        share = (place - low) / (high - low) if high > low else 0.0
        return round(self._times[after - 1] + share * (self._times[after] - self._times[after - 1]))

    @property
    def ticks(self) -> list[Tick]:
        """Times along the line, as the person's clock had them."""
        places = [100 / (TICKS - 1) * number for number in range(TICKS)]
        times = [local(moment(self.time_at(place))) for place in places]
        is_long = times[0].date() != times[-1].date()
        is_short = (times[-1] - times[0]).total_seconds() < 600
        form = "%H:%M:%S" if is_short else "%H:%M"
        return [
            Tick(
                place,
                (f"{at:%b} {at.day} " if is_long else "") + f"{at:{form}}",
                number % 2 == 1,
                "start" if number == 0 else "end" if number == TICKS - 1 else "middle",
            )
            for number, (place, at) in enumerate(zip(places, times, strict=True))
        ]

    @property
    def marks(self) -> list[Mark]:
        """The times in which nothing ran, where they are drawn short."""
        return [
            Mark(
                self.at(begin),
                0,
                self.at(end) - self.at(begin),
                100,
                "gap",
                title=f"nothing ran for {text_of((end - begin) / 1000, Unit.MS)}",
            )
            for begin, end in self.gaps
        ]


def _united(stretches: Sequence[Stretch]) -> list[Stretch]:
    united: list[Stretch] = []
    for begin, end in sorted(stretches):
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((begin, end))
    return united


def _long(between: Sequence[Stretch], whole_us: int, least_us: int) -> list[Stretch]:
    """Of the times between, those that take room which nothing needs."""
    by_length = sorted(between, key=lambda gap: gap[0] - gap[1])
    left_us, found = whole_us, []
    for begin, end in by_length:
        left_us -= end - begin
        if end - begin < least_us or end - begin < left_us * GAP_SHARE:
            break
        found.append((begin, end))
    return sorted(found)


def spans(columns: Columns, plot: Plot, links: Links) -> Chart:
    """Lay a session out: a row a lane, in the order in which they came."""
    state = links.state
    shows_gaps = state is not None and bool(state.gaps)
    began = [micros(at) for at in columns.raw(plot.x)]
    took = [round(float(took_ms or 0) * 1000) for took_ms in columns.raw(plot.y[0])]
    stretches = [(at, at + long) for at, long in zip(began, took, strict=True)]
    scale = TimeScale(stretches, shows_gaps=shows_gaps)
    colours = _colours(columns.texts(plot.series))
    lanes: dict[str, list[_Span]] = {}
    cells = zip(
        *(columns.texts(name) for name in (plot.lane, plot.series)),
        stretches,
        columns.rows,
        strict=True,
    )
    for lane, kind, stretch, row in cells:
        lanes.setdefault(lane, []).append(_Span(kind, stretch, row))
    made = Chart("spans", f"Timeline: {len(began):,} spans", x_ticks=scale.ticks, gaps=scale.marks)
    drawing = _Drawing(columns, plot, links, scale, colours)
    made.rows = [drawing.row(lane, lanes[lane]) for lane in sorted(lanes, key=_first)]
    made.legend = [
        Swatch(kind.removeprefix(OF_PHASE), tone, fill) for kind, (tone, fill) in colours.items()
    ]
    if scale.gaps:
        count = len(scale.gaps)
        times = "One stretch" if count == 1 else f"{count:,} stretches"
        made.under = f"{times} in which nothing ran {'is' if count == 1 else 'are'} drawn short."
        if state is not None:
            made.link = ("Show the time between", links.path + state.query(gaps="1"))
    elif shows_gaps and state is not None:
        made.link = ("Leave out when nothing ran", links.path + state.query(gaps=""))
    return made


def _first(lane: str) -> int:
    """Phases and heals stand above the tools, which keep their order."""
    return {PHASES_LANE: 0, HEALS_LANE: 1}.get(lane, 2)


def _colours(kinds: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Give each kind of span its colour, as a tone or a fill."""
    found: dict[str, tuple[str, str]] = {}
    free = 1  # the first colour is that of calls that went well
    for kind in dict.fromkeys(kinds):
        if kind.startswith(OF_PHASE):
            found[kind] = ("", phase_color(kind.removeprefix(OF_PHASE)))
        elif kind in OUTCOMES:
            found[kind] = (OUTCOMES[kind].removeprefix("var(--").removesuffix(")"), "")
        elif kind == "no phase":
            found[kind] = ("rail", "")
        else:
            found[kind], free = (TONES[free], ""), 1 + free % 7
    return found


class _Span:
    """One span: its kind, when, and the row of the table that tells of it."""

    def __init__(self, kind: str, stretch: Stretch, row: tuple[Cell, ...]) -> None:
        self.kind, self.stretch, self.row = kind, stretch, row


class _Drawing:
    def __init__(
        self,
        columns: Columns,
        plot: Plot,
        links: Links,
        scale: TimeScale,
        colours: dict[str, tuple[str, str]],
    ) -> None:
        self._columns, self._plot, self._links = columns, plot, links
        self._scale, self._colours = scale, colours

    def row(self, lane: str, found: list[_Span]) -> Row:
        """Draw one lane. A tool leads to its calls, a phase or a heal to its time."""
        is_tool = lane not in (PHASES_LANE, HEALS_LANE)
        href = self._links.to("tool", lane) if is_tool and lane != OTHER_TOOLS else ""
        groups = [
            Group(
                [self._mark(several)],
                "" if is_tool else self._links.span(*_ends(several)),
                several[0].kind.removeprefix(OF_PHASE),
            )
            for several in self._near(found)
        ]
        if is_tool:
            groups = [Group([one.marks[0] for one in groups], href, lane)]
        return Row(
            short_name("tool", clean(lane)), clean(lane), groups, href=href, title=clean(lane)
        )

    def _near(self, found: list[_Span]) -> list[list[_Span]]:
        """Put together what is of one kind and too near to be told apart."""
        near: list[list[_Span]] = []
        reached: dict[str, tuple[float, list[_Span]]] = {}
        for one in sorted(found, key=lambda span: span.stretch):
            begin, end = map(self._scale.at, one.stretch)
            last, several = reached.get(one.kind, (-1.0, []))
            if several and begin - last < SEEN and end - begin < SEEN:
                several.append(one)
            else:
                several = [one]
                near.append(several)
            reached[one.kind] = (max(last, end), several)
        # What failed is drawn last, so that nothing hides it.
        near.sort(key=lambda several: OUTCOMES.get(several[0].kind) == OUTCOMES["failed"])
        return near

    def _mark(self, several: list[_Span]) -> Mark:
        begin, end = (self._scale.at(t_us) for t_us in _ends(several))
        tone, fill = self._colours[several[0].kind]
        names = (self._plot.x, self._plot.y[0], *self._plot.label)
        (lines,) = self._columns.lines(names, [several[0].row])
        known = [line for line in lines if not line.endswith(": \N{EN DASH}")]
        more = f"and {len(several) - 1:,} more" if len(several) > 1 else ""
        return Mark(begin, 0, max(end - begin, 0.05), 100, tone, fill, title_of([*known, more]))


def _ends(several: list[_Span]) -> Stretch:
    return several[0].stretch[0], max(one.stretch[1] for one in several)
