from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import json

from m31a_metrics.table import Cell, Column, Kind, Plot, Table, Unit
from m31a_metrics.views.web.plots import figure

DAY = Column("day", "Day")
MODEL = Column("model", "Model")
COST = Column("cost_usd", "Cost", Unit.USD)
MS = Column("p50_ms", "p50", Unit.MS)
P99 = Column("p99_ms", "p99", Unit.MS)


def drawn(columns: list[Column], rows: list[tuple[Cell, ...]], plot: Plot) -> dict[str, Any]:
    return figure(Table("A table", columns, rows), plot)


def test_bars_are_split_by_their_series() -> None:
    """Each value of the series is a trace with its own rows, in order of appearance."""
    rows: list[tuple[Cell, ...]] = [
        ("2026-06-01", "opus", 2.0),
        ("2026-06-02", "opus", None),
        ("2026-06-01", "haiku", 0.5),
    ]
    made = drawn([DAY, MODEL, COST], rows, Plot("", Kind.BARS, "day", ("cost_usd",), "model"))
    assert [(one["name"], one["x"], one["y"]) for one in made["data"]] == [
        ("opus", ["2026-06-01", "2026-06-02"], [2.0, None]),
        ("haiku", ["2026-06-01"], [0.5]),
    ]
    assert made["layout"]["xaxis"]["type"] == "date"
    assert made["layout"]["showlegend"]


def test_weeks_are_names_and_not_dates() -> None:
    """What is no day is a category, which plotly leaves as it is."""
    made = drawn(
        [Column("week", "Week"), COST],
        [("2026-W25", 1.0)],
        Plot("", Kind.LINE, "week", ("cost_usd",)),
    )
    assert made["layout"]["xaxis"]["type"] == "category"


def test_the_calendar_puts_days_under_their_weekdays() -> None:
    """A column is a week from Monday on, and a day that is not in the table stays empty."""
    rows: list[tuple[Cell, ...]] = [("2026-06-17", 3.0), ("2026-06-22", 0.0)]
    made = drawn([DAY, COST], rows, Plot("", Kind.DAYS, "day", ("cost_usd",)))
    (trace,) = made["data"]
    assert trace["x"] == ["2026-06-15", "2026-06-22"]
    assert trace["z"][2] == [3.0, None]  # Wednesdays
    assert trace["z"][0] == [None, 0.0]  # Mondays


def test_a_ranking_keeps_names_apart_that_are_cut_alike() -> None:
    """Bars stand at numbers, and two long names that begin alike stay two bars."""
    rows: list[tuple[Cell, ...]] = [("x" * 90 + "1", 2.0), ("x" * 90 + "2", 1.0)]
    made = drawn([MODEL, COST], rows, Plot("", Kind.RANKING, "model", ("cost_usd",)))
    assert made["data"][0]["y"] == [0, 1]
    assert len(made["layout"]["yaxis"]["ticktext"]) == 2


def test_ranges_show_each_percentile() -> None:
    """A line from the first to the last, and dots of each column."""
    made = drawn(
        [MODEL, MS, P99],
        [("Bash", 10.0, 900.0)],
        Plot("", Kind.RANGE, "model", ("p50_ms", "p99_ms"), log=True),
    )
    assert made["data"][0]["x"] == [10.0, 900.0, None]
    assert [one["x"] for one in made["data"][1:]] == [[10.0], [900.0]]
    assert made["layout"]["xaxis"]["type"] == "log"


def test_spans_begin_and_last() -> None:
    """A bar's base is when it began, its length how long it took, its place its lane."""
    at = datetime(2026, 6, 20, 12, tzinfo=UTC)
    columns = [
        Column("began_at", "Began", Unit.TIME),
        Column("duration_ms", "Took", Unit.MS),
        Column("lane", "Lane"),
        Column("kind", "Kind"),
    ]
    rows: list[tuple[Cell, ...]] = [(at, 90.0, "phases", "plan"), (at, 5.0, "Bash", "failed")]
    plot = Plot("", Kind.SPANS, "began_at", ("duration_ms",), series="kind", lane="lane")
    made = drawn(columns, rows, plot)
    plan, failed = made["data"]
    assert (plan["x"], plan["y"]) == ([90.0], [0])
    assert (failed["x"], failed["y"]) == ([5.0], [1])
    local = at.astimezone().replace(tzinfo=None).isoformat(timespec="milliseconds")
    assert plan["base"] == [local]
    assert failed["marker"]["color"] == "var(--bad)"


@pytest.mark.parametrize("kind", [Kind.BARS, Kind.LINE, Kind.STEPS, Kind.RANKING, Kind.RANGE])
def test_names_of_strangers_are_text_to_plotly(kind: Kind) -> None:
    """Plotly reads some HTML in its texts, so no name carries a tag into it."""
    name = '<a href="javascript:alert(1)">x</a>\u202e'
    columns = [MODEL, COST, Column("tool", "Tool")]
    plot = Plot("", kind, "model", ("cost_usd",), series="tool", label=("tool",))
    text = json.encode(drawn(columns, [(name, 1.0, name)], plot)).decode()
    assert "<a" not in text
    assert "\u202e" not in text
    assert "&lt;a" in text


@pytest.mark.parametrize("kind", list(Kind))
def test_a_table_without_rows_draws_nothing(kind: Kind) -> None:
    """No kind of plot stumbles over an empty table."""
    columns = [DAY, COST, Column("lane", "Lane"), Column("kind", "Kind")]
    plot = Plot("", kind, "day", ("cost_usd",), series="kind", lane="lane")
    made = drawn(columns, [], plot)
    assert not any(value for one in made["data"] for value in one.get("x", []))


@pytest.mark.parametrize(
    ("longest_ms", "ticks"),
    [
        (900.0, ["0 ms", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]),
        (5_000.0, ["0 ms", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s"]),
        (9_000_000.0, ["0 ms", "30 min", "1 h", "1 h 30 min", "2 h", "2 h 30 min", "3 h"]),
    ],
)
def test_durations_have_ticks_that_people_use(longest_ms: float, ticks: list[str]) -> None:
    """An axis of durations says minutes and hours, not 200k ms."""
    made = drawn([MODEL, MS], [("Bash", longest_ms)], Plot("", Kind.RANKING, "model", ("p50_ms",)))
    assert made["layout"]["xaxis"]["ticktext"] == ticks
