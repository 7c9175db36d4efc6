"""Sorting and cutting tables: columns by what people call them, the unknown last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.table import Column, Table, Unit
from m31a_metrics.tables.order import column_of, known_only, limited, ordered, unknown_column
from tests.tables.builders import column

COLUMNS = [
    Column("tool", "Tool"),
    Column("fail_rate", "Fail rate", Unit.SHARE),
    Column("fail_count", "Failed", Unit.COUNT),
    Column("p95_ms", "p95", Unit.MS),
]


def table(*rows: tuple[str | None, float | None, int, float | None]) -> Table:
    """A table of tools."""
    return Table("Tools", COLUMNS, list(rows))


def test_columns_are_found_by_name_title_or_beginning() -> None:
    """The JSON name, the head on the screen and a beginning of either will do."""
    found = {
        wanted: one.name if (one := column_of(COLUMNS, wanted)) else None
        for wanted in (
            "fail_rate",
            "Fail rate",
            "fail-rate",
            "failed",
            "fail",
            "p95",
            "P95",
            "x",
            "",
        )
    }
    assert found == {
        "fail_rate": "fail_rate",
        "Fail rate": "fail_rate",
        "fail-rate": "fail_rate",
        "failed": "fail_count",
        "fail": "fail_rate",
        "p95": "p95_ms",
        "P95": "p95_ms",
        "x": None,
        "": None,
    }


def test_figures_descend_and_names_ascend() -> None:
    """The greatest figure first, names from A; a minus turns either around; unknown last."""
    some = table(("b", 0.5, 1, None), ("A", None, 2, 3.0), ("c", 0.9, 0, 1.0))
    assert column(ordered(some, "fail_rate") or some, "tool") == ["c", "b", "A"]
    assert column(ordered(some, "-fail_rate") or some, "tool") == ["b", "c", "A"]
    assert column(ordered(some, "tool") or some, "tool") == ["A", "b", "c"]
    assert column(ordered(some, "-tool") or some, "tool") == ["c", "b", "A"]
    assert column(ordered(some, "p95") or some, "p95_ms") == [3.0, 1.0, None]
    assert ordered(some, "cost") is None


def test_an_unknown_column_names_the_nearest() -> None:
    """The error tells which column may have been meant, and which there are."""
    said = str(unknown_column("fial_rate", [table()]))
    assert "Did you mean fail_rate?" in said
    assert "There are: tool, fail_rate, fail_count, p95_ms." in said


def test_what_is_cut_off_is_told() -> None:
    """A limit keeps the first rows and says how many there are."""
    some = table(*((str(number), 0.0, 0, 0.0) for number in range(5)))
    cut = limited(some, 2, "see the rest: --all")
    assert len(cut.rows) == 2
    assert cut.notes == ["The first 2 of 5; see the rest: --all."]
    assert limited(some, 2, "x", last=True).rows == some.rows[-2:]
    assert limited(some, 4, "x", is_whole=False).notes == ["The first 4; x."]
    assert limited(some, 5, "") is some
    assert limited(some, None, "") is some


def test_columns_of_which_nothing_is_known_can_go() -> None:
    """Only those that may, and only where every row has a dash."""
    some = table(("a", None, 1, None), ("b", None, 1, 2.0))
    assert known_only(some, COLUMNS).columns == [COLUMNS[0], *COLUMNS[2:]]
    assert known_only(some, COLUMNS[2:]) is some


@given(st.lists(st.tuples(st.text(max_size=3) | st.none(), st.floats() | st.none())))
def test_sorting_loses_no_row(rows: list[tuple[str | None, float | None]]) -> None:
    """Whatever stands in the cells, the same rows come out."""
    some = table(*((name, rate, 0, None) for name, rate in rows))
    for wanted in ("tool", "-tool", "fail_rate", "-fail_rate"):
        out = ordered(some, wanted)
        assert out is not None
        assert sorted(map(repr, out.rows)) == sorted(map(repr, some.rows))
