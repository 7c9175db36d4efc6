"""One cell as people read it."""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.model import ZERO_TIME
from m31a_metrics.table import Cell, Column, Unit
from m31a_metrics.views.numbers import BAR_WIDTH, UNKNOWN, head_of, text_of

NUMBERS = (Unit.COUNT, Unit.TOKENS, Unit.MS, Unit.USD, Unit.SHARE)

CELLS: list[tuple[Unit, Cell, str]] = [
    *[
        (Unit.COUNT, cell, text)
        for cell, text in (
            *((0, "0"), (7, "7"), (12345, "12,345"), (-1234567, "-1,234,567")),
            *((3.0, "3"), (2.55, "2.5"), (1234.56, "1,234.6"), (0.044, "0.044")),
        )
    ],
    *[
        (Unit.TOKENS, cell, text)
        for cell, text in (
            *((0, "0"), (999, "999"), (999.6, "1.0k"), (1000, "1.0k"), (57_000, "57.0k")),
            *((999_949, "999.9k"), (999_950, "1.0M"), (12_345_678, "12.3M"), (-57_000, "-57.0k")),
            *((999_950_000, "1.0B"), (2_500_000_000_000, "2,500.0B")),
        )
    ],
    *[
        (Unit.MS, cell, text)
        for cell, text in (
            *((0, "0 ms"), (1e-6, "<0.01 ms"), (0.34, "0.34 ms"), (0.999, "1 ms"), (3, "3 ms")),
            *((3.44, "3.4 ms"), (9.96, "10 ms"), (15.2, "15 ms"), (999.4, "999 ms")),
            *((999.6, "1.0 s"), (3200, "3.2 s"), (59_949, "59.9 s"), (59_960, "1 min 00 s")),
            *((252_000, "4 min 12 s"), (3_599_600, "1 h 00 min"), (3_840_000, "1 h 04 min")),
            *((86_399_000, "1 d 00 h"), (90_000_000, "1 d 01 h"), (-3200, "-3.2 s")),
        )
    ],
    *[
        (Unit.USD, cell, text)
        for cell, text in (
            *((0, "$0.00"), (0.0381, "$0.0381"), (0.00001, "<$0.0001"), (0.99996, "$1.00")),
            *(
                (3.8, "$3.80"),
                (1234.567, "$1,234.57"),
                (-0.5, "-$0.5000"),
                ("unpriced", "unpriced"),
            ),
        )
    ],
    *[
        (Unit.CHANGE, cell, text)
        for cell, text in (
            *((0, "0%"), (0.0004, "0%"), (-0.0004, "0%"), (0.02, "+2.0%"), (-0.031, "-3.1%")),
            *((0.0996, "+10%"), (-0.5, "-50%"), (12.5, "+1,250%"), (None, UNKNOWN)),
        )
    ],
    *[
        (Unit.SHARE, cell, text)
        for cell, text in (
            *((0, "0%"), (0.0001, "<0.1%"), (0.034, "3.4%"), (0.9999, ">99.9%"), (1, "100%")),
            *((-0.12, "-12.0%"), (12.5, "1,250.0%")),
        )
    ],
    *[
        (Unit.BAR, cell, text)
        for cell, text in (
            *((0, ""), (0.001, "▏"), (0.5, "█████"), (0.55, "█████▌"), (1, "██████████")),
            *((7, "██████████"), (-1, "")),
        )
    ],
    (Unit.SPARK, [0.0, 1.0, 2.0, 3.0, 4.0], "▁▂▃▅▇"),
    (Unit.SPARK, [0.0, 0.0], "▁▁"),
    (Unit.SPARK, [math.nan, -1.0, 4.0], " ▁▇"),
    (Unit.SPARK, [], ""),
    (Unit.OUTCOME, True, "ok"),
    (Unit.OUTCOME, False, "failed"),
    (Unit.TEXT, True, "yes"),
    (Unit.TEXT, " a\x1b[1mb\n", "ab"),
    (Unit.TEXT, 12345, "12345"),
    (Unit.TEXT, 0.1, "0.1"),
    (Unit.TIME, ZERO_TIME, UNKNOWN),
    (
        Unit.TIME,
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=14))),
        "9999-12-31 23:59",
    ),
]


@pytest.mark.parametrize(("unit", "cell", "text"), CELLS)
def test_cells(unit: Unit, cell: Cell, text: str) -> None:
    """Each unit has its way of writing, also where rounding reaches the next size."""
    assert text_of(cell, unit) == text


@pytest.mark.parametrize("unit", Unit)
def test_not_known_is_a_dash(unit: Unit) -> None:
    """None is a dash in every column, and so is what is no number."""
    assert text_of(None, unit) == UNKNOWN
    assert text_of(math.nan, unit) == UNKNOWN
    assert text_of(-math.inf, unit) == UNKNOWN


def test_times_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time is shown to the minute in the reader's own zone."""
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    try:
        assert text_of(datetime(2026, 1, 2, 20, 4, 59, tzinfo=UTC), Unit.TIME) == "2026-01-03 01:34"
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.sampled_from(NUMBERS), st.one_of(st.integers(), st.floats(-1e300, 1e300)))
def test_figures_are_figures(unit: Unit, number: float) -> None:
    """Any number at all is written, however large or small."""
    assert re.search(r"\d", text_of(number, unit))


@given(st.floats())
def test_bars_fit(number: float) -> None:
    """A bar is never longer than its room, and there is one wherever there is something."""
    bar = text_of(number, Unit.BAR)
    assert len(bar) <= BAR_WIDTH
    assert bool(bar) == (not number <= 0 or bar == UNKNOWN)


def test_heads_name_the_unit() -> None:
    """Tokens are named in the head, once; other cells carry their own unit."""
    assert head_of(Column("n", "Prompt", Unit.TOKENS)) == "Prompt tok"
    assert head_of(Column("n", "Prompt tokens", Unit.TOKENS)) == "Prompt tokens"
    assert head_of(Column("n", "p95", Unit.MS)) == "p95"
