"""What stays, breaks, is cut or goes when a table must fit a width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.views.grid import GAP, fit

TABLE = Table(
    "Tools",
    [
        Column("name", "Tool"),
        Column("share", "Share", Unit.BAR),
        Column("total_duration_ms", "Time in all calls", Unit.MS),
        Column("project", "Project"),
        Column("cost_usd", "Cost", Unit.USD),
    ],
    [("n" * 30, 1.0, 3200, "p" * 20, 1.5)],
)


def shown(width: int | None) -> list[tuple[str, int, str]]:
    return [(column.head, column.width, column.cells[0]) for column in fit(TABLE, width).columns]


def test_no_width_is_no_limit() -> None:
    """Without a width everything stands as wide as it is."""
    assert shown(None) == [
        ("Tool", 30, "n" * 30),
        ("Share", 10, "█" * 10),
        ("Time in all calls", 17, "3.2 s"),
        ("Project", 20, "p" * 20),
        ("Cost", 5, "$1.50"),
    ]


def test_rows_may_have_units_of_their_own() -> None:
    """A column of figures of different kinds draws each as its row says, without a word of it."""
    columns = [Column("value", "Value", Unit.BY_ROW), Column("unit", "Unit", Unit.UNIT)]
    table = Table("Metrics", columns, [(0.5, "share"), (0.5, "usd"), (90_000, "ms")])
    (value,) = fit(table, None).columns
    assert value.cells == ["50.0%", "$0.5000", "1 min 30 s"]
    assert value.right


def test_heads_break_first() -> None:
    """A long head over short figures is broken over lines before any name is cut."""
    grid = fit(TABLE, 82)
    assert [column.width for column in grid.columns] == [30, 10, 9, 20, 5]
    assert grid.columns[2].head_lines == ["Time in", "all calls"]
    assert not grid.hidden


def test_a_line_of_text_has_room_before_the_columns_that_follow_it() -> None:
    """Two fifths of the width are a line's, where it is that long; then it takes what is left."""
    columns = [
        Column("check", "Check"),
        Column("line", "Failure", is_line=True),
        Column("cost_usd", "Cost", Unit.USD),
        Column("project", "Project"),
    ]
    table = Table("Heals", columns, [("n" * 12, "f" * 200, 1.5, "p" * 20)])
    grid = fit(table, 60)
    assert [column.head for column in grid.columns] == ["Check", "Failure", "Cost", "Project"]
    assert sum(column.width + GAP for column in grid.columns) - GAP == 60
    assert grid.columns[1].width >= 24
    grid = fit(table, 50)
    assert [(column.head, column.width) for column in grid.columns] == [
        ("Check", 12),
        ("Failure", 29),
        ("Cost", 5),
    ]
    short = Table("Heals", columns, [("n" * 12, "f" * 5, 1.5, "p" * 20)])
    assert [column.width for column in fit(short, 50).columns] == [12, 7, 5, 20]


def test_then_names_are_cut() -> None:
    """Names give way next, each keeping enough to be told apart."""
    grid = fit(TABLE, 77)
    assert [column.head for column in grid.columns][1] == "Share"
    assert grid.columns[0].cells[0].endswith("n…")
    assert sum(column.width for column in grid.columns) + GAP * 4 == 77


def test_then_bars_go_and_columns_from_the_right() -> None:
    """Bars go before names get short, then the rightmost columns; all are named."""
    grid = fit(TABLE, 50)
    assert [column.head for column in grid.columns] == [
        "Tool",
        "Time in all calls",
        "Project",
        "Cost",
    ]
    assert grid.hidden == ["Share"]
    assert fit(TABLE, 30).hidden == ["Share", "Project", "Cost"]


def test_a_bar_goes_before_a_column_that_carries_news() -> None:
    """Of many columns the left ones are shown, and no bar, for a figure says more."""
    many = [Column("name", "Tool"), Column("calls", "Calls", Unit.COUNT)]
    many += [Column("share", "Share", Unit.BAR)]
    many += [Column(f"f{n}", f"F{n}", Unit.TOKENS) for n in range(9)]
    table = Table("Tools", many, [("n" * 30, 12, 1.0, *[1_000] * 9)])
    grid = fit(table, 70)
    assert [column.head for column in grid.columns][:3] == ["Tool", "Calls", "F0 tok"]
    assert (grid.hidden[0], grid.hidden[-1]) == ("Share", "F8 tok")


def test_a_column_of_zeros_goes_whatever_the_width() -> None:
    """Zero, no and unknown in all rows say nothing; but a failed outcome is news."""
    columns = [
        Column("name", "Tool"),
        Column("denied_count", "Denied", Unit.COUNT),
        Column("p95_ms", "p95", Unit.MS),
        Column("share", "Share", Unit.BAR),
        Column("passed", "Outcome", Unit.OUTCOME),
        Column("calls", "Calls", Unit.COUNT),
    ]
    rows: list[tuple[Cell, ...]] = [("a", 0, None, 0.0, False, 0), ("b", 0, None, 0.0, False, 2)]
    grid = fit(Table("Tools", columns, rows), 200)
    assert [column.head for column in grid.columns] == ["Tool", "Outcome", "Calls"]
    assert (grid.zero, grid.hidden) == (["Denied"], [])
    live = fit(Table("Tools", columns, rows), 200, ordered=True)
    assert len(live.columns) == len(columns)


def test_what_is_the_same_in_all_rows_goes_first() -> None:
    """Where room is short, before bars and figures; a word below says what it was."""
    columns = [
        Column("name", "Session"),
        Column("agent", "Agent"),
        Column("share", "Share", Unit.BAR),
        Column("cost_usd", "Cost", Unit.USD),
    ]
    table = Table("Sessions", columns, [("a" * 8, "codex", 0.5, 1.5), ("b" * 8, "codex", 1.0, 3.0)])
    assert len(fit(table, 80).columns) == 4
    grid = fit(table, 27)
    assert [column.head for column in grid.columns] == ["Session", "Share", "Cost"]
    assert (grid.same, grid.hidden) == (["Agent codex"], [])
    assert fit(table, 20).hidden == ["Share"]


def test_paths_keep_their_ends_and_differ() -> None:
    """Of a path the end says more; where that is the same, they differ all the same."""
    columns = [Column("id", "Session"), Column("project", "Project", keeps_end=True)]
    paths = ["work/alpha/service-for-customers", "work/beta/service-for-customers", "old/tools"]
    table = Table("Sessions", columns, [("x" * 8, path) for path in paths])
    for width in (24, 28, 32, 36, 80):
        cells = fit(table, width).columns[1].cells
        assert len(set(cells)) == 3
        assert all(cell.endswith(("rs", "ls")) or width < 28 for cell in cells)
    one = Table("Sessions", columns, [("x" * 8, paths[0])])
    assert fit(one, 30).columns[1].cells == ["…rvice-for-customers"]


def test_names_that_would_look_the_same_are_cut_in_the_middle() -> None:
    """Tools of one server differ at the end of their names; others keep their beginning."""
    names = ["mcp__browser_tools__navigate", "mcp__browser_tools__click", "a" * 30]
    table = Table("Tools", [Column("name", "Tool")], [(name,) for name in names])
    assert fit(table, 16).columns[0].cells == [
        "mcp__bro…avigate",
        "mcp__bro…__click",
        "a" * 15 + "…",
    ]


@given(st.integers(1, 200))
def test_figures_are_whole(width: int) -> None:
    """At any width the first column stays, the rest fits, and no figure is cut."""
    grid = fit(TABLE, width)
    assert grid.columns[0].head == "Tool"
    assert sum(column.width for column in grid.columns) + GAP * (len(grid.columns) - 1) <= width
    whole = {column.head: column.cells for column in fit(TABLE, None).columns}
    for column in grid.columns:
        if column.unit is not Unit.TEXT:
            assert column.cells == whole[column.head]
    assert {column.head for column in grid.columns} | set(grid.hidden) == set(whole)
