from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.table import Cell, Column, Kind, Plot, Table, Unit
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.web.charts import chart, figure_of, tick_text, y_axis
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.marks import Chart, Mark, short_name
from m31a_metrics.views.web.state import State

DAY = Column("day", "Day")
MODEL = Column("model", "Model")
PHASE = Column("phase", "Phase")
TOOL = Column("tool", "Tool")
COST = Column("cost_usd", "Cost", Unit.USD)
FAILED = Column("fail_count", "Failed", Unit.COUNT)
MS = Column("p50_ms", "p50", Unit.MS)
P99 = Column("p99_ms", "p99", Unit.MS)

Rows = list[tuple[Cell, ...]]


def drawn(columns: Sequence[Column], rows: Rows, plot: Plot, links: Links | None = None) -> Chart:
    """Lay a plot out; without links, as in a file."""
    return chart(Table("A table", list(columns), rows), plot, links or Links())


def marks(made: Chart) -> list[Mark]:
    """All marks of a chart."""
    groups = [*made.groups, *(group for row in made.rows for group in row.groups)]
    return [mark for group in groups for mark in group.marks]


def test_bars_are_stacked_by_series_and_leave_room_for_days_between() -> None:
    """A series has one colour, a day its own place, and the whole height is the axis' top."""
    rows: Rows = [("2026-06-01", "opus", 3.0), ("2026-06-03", "opus", 2.0)]
    rows += [("2026-06-01", "haiku", 1.0)]
    made = drawn([DAY, MODEL, COST], rows, Plot("Cost", Kind.BARS, "day", ("cost_usd",), "model"))
    first, third = made.groups
    assert [mark.tone for mark in first.marks] == ["c1", "c2"]
    assert [swatch.name for swatch in made.legend] == ["opus", "haiku"]
    assert first.marks[0].height == 3 * first.marks[1].height
    assert first.marks[1].y + first.marks[1].height == pytest.approx(first.marks[0].y)
    middles = [group.marks[0].x + group.marks[0].width / 2 for group in (first, third)]
    assert middles == pytest.approx([100 / 6, 500 / 6])
    assert first.name == "2026-06-01: $4.00"
    assert "opus" in first.marks[0].title
    assert [tick.text for tick in made.y_ticks] == ["$0", "$1", "$2", "$3", "$4"]


def test_a_bar_leads_to_its_day_and_a_legend_to_its_model() -> None:
    """What is clicked narrows the page that it stands on, and a file leads nowhere."""
    plot = Plot("Cost", Kind.BARS, "day", ("cost_usd",), "model")
    rows: Rows = [("2026-06-01", "opus", 3.0), ("2026-06-01", "haiku", 1.0)]
    made = drawn([DAY, MODEL, COST], rows, plot, Links(State(agent=("codex",)), "/"))
    assert made.groups[0].href == "/?since=2026-06-01&until=2026-06-01&agent=codex"
    assert made.legend[1].href == "/?agent=codex&model=haiku"
    inert = drawn([DAY, MODEL, COST], rows, plot)
    assert not any(group.href for group in inert.groups)
    assert not any(swatch.href for swatch in inert.legend)


def test_a_ranking_has_a_row_for_each_bar() -> None:
    """The longest bar fills its room, names that are cut alike stay two, failures are red."""
    rows: Rows = [("x" * 90 + "1", 8), ("x" * 90 + "2", 2)]
    plot = Plot("Failures", Kind.RANKING, "tool", ("fail_count",))
    made = drawn([TOOL, FAILED], rows, plot, Links(State(), "/"))
    assert [row.groups[0].marks[0].width for row in made.rows] == [100, 25]
    assert {mark.tone for mark in marks(made)} == {"bad"}
    assert [row.text for row in made.rows] == ["8", "2"]
    assert made.rows[0].whole != made.rows[1].whole
    assert made.rows[0].href.startswith("/tools?tool=x")


def test_phases_have_their_own_colours() -> None:
    """A bar of a phase has the colour that the phase has on screens."""
    rows: Rows = [("verify", 2.0), ("execute", 1.0)]
    made = drawn([PHASE, COST], rows, Plot("", Kind.RANKING, "phase", ("cost_usd",)))
    assert [mark.fill for mark in marks(made)] == [phase_color("verify"), phase_color("execute")]


def test_classes_of_a_model_lie_end_to_end() -> None:
    """Bars that have names lie down, and several figures of one are its parts."""
    other = Column("output_tokens", "Output", Unit.TOKENS)
    columns = [MODEL, Column("input_tokens", "Input", Unit.TOKENS), other]
    plot = Plot("", Kind.BARS, "model", ("input_tokens", "output_tokens"))
    made = drawn(columns, [("opus", 30, 10), ("haiku", 20, None)], plot)
    opus = made.rows[0].groups[0].marks
    assert [(mark.x, mark.width) for mark in opus] == [(0, 75), (75, 25)]
    assert [row.text for row in made.rows] == ["40", "20"]
    assert [one.name for one in made.legend] == ["Input tok", "Output tok"]


def test_a_line_has_a_dot_for_each_point() -> None:
    """Each point can be pointed at over the whole height, and leads to its day."""
    rate = Column("fail_rate", "Fail rate", Unit.SHARE)
    rows: Rows = [("2026-06-01", 0.5), ("2026-06-02", None), ("2026-06-03", 0.25)]
    plot = Plot("Fail rate", Kind.LINE, "day", ("fail_rate",))
    made = drawn([DAY, rate], rows, plot, Links(State(), "/tools"))
    assert len(made.groups) == 2
    hit, dot = made.groups[0].marks
    assert (hit.height, dot.is_dot, dot.tone) == (100, True, "bad")
    assert made.groups[0].href == "/tools?since=2026-06-01&until=2026-06-01"
    assert [tick.text for tick in made.y_ticks][-1] == "60%" or made.y_ticks[-1].at == 0


def test_ranges_are_dots_between_the_ends() -> None:
    """On a logarithmic axis each tenfold is as wide as the next."""
    rows: Rows = [("Bash", 10.0, 1000.0), ("Read", 10.0, 100.0)]
    plot = Plot("", Kind.RANGE, "tool", ("p50_ms", "p99_ms"), log=True)
    made = drawn([TOOL, MS, P99], rows, plot)
    rail, low, high = made.rows[0].groups[0].marks
    _, _, middle = made.rows[1].groups[0].marks
    assert rail.tone == "rail"
    assert middle.x == pytest.approx((low.x + high.x) / 2)
    assert [made.x_ticks[0].at, made.x_ticks[0].text] == [low.x, "10 ms"]


def test_a_calendar_puts_days_under_their_weekdays() -> None:
    """A column is a week from Monday on; more is darker, and an empty day leads nowhere."""
    rows: Rows = [("2026-06-17", 4.0), ("2026-06-22", 0.0), ("2026-06-23", 0.5)]
    made = drawn([DAY, COST], rows, Plot("", Kind.DAYS, "day", ("cost_usd",)), Links(State(), "/"))
    places = [(round(mark.x), round(mark.y)) for mark in marks(made)]
    assert places == [(0, 29), (50, 0), (50, 14)]
    assert [mark.tone for mark in marks(made)] == ["heat-4", "heat-0", "heat-1"]
    assert [bool(group.href) for group in made.groups] == [True, False, True]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_table_without_rows_draws_nothing(kind: Kind) -> None:
    """No kind of plot stumbles over an empty table."""
    columns = [DAY, COST, Column("lane", "Lane"), Column("kind", "Kind")]
    plot = Plot("", kind, "day", ("cost_usd",), series="kind", lane="lane")
    assert not marks(drawn(columns, [], plot))


Figures = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers())


@pytest.mark.parametrize("kind", [Kind.BARS, Kind.LINE, Kind.RANKING, Kind.RANGE, Kind.DAYS])
@given(figures=st.lists(Figures, max_size=9))
def test_every_mark_lies_in_its_drawing(kind: Kind, figures: list[Any]) -> None:
    """Whatever a table holds, nothing is drawn outside of the plot, nor where no number is."""
    rows: Rows = [(f"2026-06-{at + 1:02d}", "opus", one) for at, one in enumerate(figures)]
    plot = Plot("", kind, "day", ("cost_usd",), log=kind is Kind.RANGE)
    for mark in marks(drawn([DAY, MODEL, COST], rows, plot)):
        for begin, end in ((mark.x, mark.x + mark.width), (mark.y, mark.y + mark.height)):
            assert -0.01 <= begin <= end <= 100.01


@given(st.floats(0, 1e12), st.sampled_from([Unit.USD, Unit.COUNT, Unit.TOKENS, Unit.SHARE]))
def test_an_axis_reaches_over_its_figures(top: float, unit: Unit) -> None:
    """The highest tick is not below the greatest figure, and there are a handful of them."""
    top = figure_of(top)
    reached, ticks = y_axis([top], Column("x", "X", unit))
    assert reached >= top * 0.998
    assert 2 <= len(ticks) <= 7
    assert [ticks[0].at, ticks[-1].at] == pytest.approx([100, 0])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, Unit.USD, "$0.5"),
        (2000, Unit.USD, "$2,000"),
        (15e6, Unit.TOKENS, "15M"),
        (0.25, Unit.SHARE, "25%"),
        (60_000, Unit.MS, "1 min"),
    ],
)
def test_ticks_are_short(value: float, unit: Unit, text: str) -> None:
    """A round figure beside an axis has no more digits than it needs."""
    assert tick_text(value, unit) == text


@pytest.mark.parametrize(
    ("kind", "whole", "short"),
    [
        ("tool", "mcp__tracker__search", "search (tracker)"),
        ("tool", "mcp__odd", "mcp__odd"),
        ("tool", "Bash", "Bash"),
        ("project", "/home/ada/work/shop", "work/shop"),
        ("project", "/home/ada/shop", "shop"),
        ("project", "/srv/www/a/shop", "a/shop"),
        ("project", "C:\\Users\\ada\\shop", "shop"),
        ("model", "a/b/c", "a/b/c"),
    ],
)
def test_names_are_as_short_as_people_say_them(kind: str, whole: str, short: str) -> None:
    """Of a path the end counts, of an MCP tool its own name."""
    assert short_name(kind, whole) == short
