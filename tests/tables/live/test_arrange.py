"""Filter, search and sort: the rows that a person wants, in the order they want."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables.live import arrange
from tests.tables.builders import column

TOOLS = Table(
    "Tools",
    [
        Column("name", "Tool"),
        Column("fail_count", "Failed", Unit.COUNT),
        Column("p95_ms", "p95", Unit.MS),
        Column("recent_ms", "Recent", Unit.SPARK),
        Column("at", "At", Unit.TIME),
        Column("success", "Outcome", Unit.OUTCOME),
    ],
    [
        ("Bash", 2, 30.0, [1.0, 9.0], datetime(2026, 1, 2, tzinfo=UTC), None),
        ("Read", 0, None, [], datetime(2026, 1, 3, tzinfo=UTC), True),
        ("edit", 0, 10.0, None, None, False),
    ],
    "No tools.",
    ["A note."],
)


@pytest.mark.parametrize(
    ("sort", "descending", "expected"),
    [
        (None, True, ["Bash", "Read", "edit"]),
        ("gone", True, ["Bash", "Read", "edit"]),
        ("name", False, ["Bash", "edit", "Read"]),
        ("name", True, ["Read", "edit", "Bash"]),
        ("p95_ms", True, ["Bash", "edit", "Read"]),
        ("p95_ms", False, ["edit", "Bash", "Read"]),
        ("recent_ms", True, ["Bash", "Read", "edit"]),
        ("at", True, ["Read", "Bash", "edit"]),
    ],
)
def test_sorting(sort: str | None, descending: bool, expected: list[str]) -> None:
    """By any kind of cell; what is not known comes last either way."""
    assert column(arrange(TOOLS, sort=sort, descending=descending), "name") == expected


def test_searching_ignores_case() -> None:
    """Rows that hold the text in a cell of text, however it is written."""
    assert column(arrange(TOOLS, text="EDI"), "name") == ["edit"]
    assert column(arrange(TOOLS, text=""), "name") == ["Bash", "Read", "edit"]


def test_only_failures() -> None:
    """A count of failures, or an outcome that is one."""
    assert column(arrange(TOOLS, failed_only=True), "name") == ["Bash", "edit"]


def test_nothing_left_says_why() -> None:
    """An empty result tells what was asked; a table that was empty before keeps its own words."""
    assert arrange(TOOLS, text="x", failed_only=True).empty == "Nothing here holds 'x' and failed."
    assert arrange(Table("T", TOOLS.columns, [], "No tools."), text="x").empty == "No tools."
    assert arrange(TOOLS, text="Bash").notes == ["A note."]


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans())))
def test_any_cells_can_be_sorted(cells: list[Cell]) -> None:
    """Words among figures, and figures that are none: nothing is lost."""
    table = Table("T", [Column("x", "X")], [(cell,) for cell in cells])
    assert len(arrange(table, sort="x").rows) == len(cells)
