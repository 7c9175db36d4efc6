from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.table import Cell, Column, Kind, Panel, Plot, Table, Unit
from m31a_metrics.views.web.drawing import cards, draw, spark, templates
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.state import State

TOOL = Column("tool", "Tool")
COST = Column("cost_usd", "Cost", Unit.USD)


class Tags(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


PAGE = templates().from_string(
    '{% import "panel.html" as panels %}{{ panels.draw(panel) }}',
)


def drawn_tags(name: str) -> Tags:
    columns = [TOOL, COST, Column("day", "Day"), Column("model", "Model")]
    table = Table(name, columns, [(name, 1.0, "2026-06-20", name)], notes=[name])
    plots = (
        Plot(name, Kind.RANKING, "tool", ("cost_usd",), label=("model",)),
        Plot(name, Kind.BARS, "day", ("cost_usd",), series="model"),
        Plot(name, Kind.LINE, "model", ("cost_usd",), series="tool"),
    )
    seen = Tags()
    links = Links(State(q=name), "/tools", "/api/tools")
    seen.feed(PAGE.render(panel=draw(Panel("one", table, plots), links)))
    return seen


@given(st.text(max_size=60))
def test_a_name_adds_no_tag_and_no_attribute(name: str) -> None:
    """Whatever a tool is called, a browser sees the tags of any other table and plot."""
    seen, plain = drawn_tags(name), drawn_tags("x")
    assert seen.tags <= plain.tags
    assert seen.attributes <= plain.attributes


@pytest.mark.parametrize(
    ("now", "sort", "said"),
    [
        ("", "cost_usd", ""),
        ("cost_usd", "-cost_usd", "descending"),
        ("-cost_usd", "cost_usd", "ascending"),
        ("tool", "cost_usd", ""),
    ],
)
def test_a_head_sorts_and_turns_around(now: str, sort: str, said: str) -> None:
    """Figures begin with the greatest, as on the command line, and then the other way round."""
    links = Links(State(), "/tools", "", frozenset({"cost_usd"}), now)
    tool, cost = draw(Panel("tools", Table("", [TOOL, COST])), links).columns
    assert cost.href == f"/tools?sort={sort}"
    assert cost.sorted_as == said
    assert not tool.href


def test_a_file_has_no_links() -> None:
    """Without a server nothing leads anywhere."""
    drawn = draw(Panel("one", Table("", [TOOL], [("Bash",)])), Links())
    assert drawn.rows[0][0].href == ""
    assert not drawn.csv


def test_a_table_that_counts_nothing() -> None:
    """A column without a count is left out, but never all of them."""
    table = Table("Sums", [COST, Column("call_count", "Calls", Unit.COUNT)], [(0.0, 0)])
    drawn = draw(Panel("sums", table), Links())
    assert [column.title for column in drawn.columns] == ["Cost"]
    assert len(drawn.rows[0]) == 1


def test_cards_carry_change_and_course() -> None:
    """A figure's change and trend stand in the columns beside it."""
    columns = [
        COST,
        Column("cost_usd_change", "", Unit.CHANGE),
        Column("cost_usd_trend", "", Unit.SPARK),
        Column("heals", "Heals", Unit.COUNT),
    ]
    row: tuple[Cell, ...] = (2.0, -0.25, [1.0, 3.0], None)
    cost, heals = cards(Table("", columns, [row]))
    assert (cost.text, cost.change, cost.direction) == ("$2.00", "-25%", "down")
    assert cost.points
    assert (heals.text, heals.change) == ("\N{EN DASH}", "")


@given(st.lists(st.floats(0, 1e12), min_size=2, max_size=80))
def test_a_sparkline_stays_in_its_box(points: list[float]) -> None:
    """Every point lies inside the drawing."""
    for pair in spark(points).split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= 96
        assert 0 <= y <= 24
