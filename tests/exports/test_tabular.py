"""JSON and CSV of tables, pinned to the character."""

from __future__ import annotations

import csv
import json
import math
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.exports.tabular import escaped, write_csv, write_json
from m31a_metrics.table import Cell, Column, Table, Unit

TOOLS = Table(
    "Slowest tools",
    [
        Column("name", "Tool"),
        Column("call_count", "Calls", Unit.COUNT),
        Column("p95_ms", "p95", Unit.MS),
        Column("cost_usd", "Cost", Unit.USD),
        Column("trend", "Trend", Unit.SPARK),
        Column("last_at", "Last", Unit.TIME),
        Column("success", "Outcome", Unit.OUTCOME),
    ],
    [
        (
            *("Bash", 12345, 15.25, 0.0381, [1.0, 2.5]),
            *(datetime(2026, 1, 2, 3, 4, 5, 678900, UTC), True),
        ),
        ('né, "x"', 0, None, "unpriced", None, None, None),
    ],
)


def as_json(*tables: Table) -> str:
    file = StringIO()
    write_json(list(tables), file)
    return file.getvalue()


def as_csv(table: Table) -> str:
    file = StringIO(newline="")
    write_csv(table, file)
    return file.getvalue()


def of(*cells: Cell) -> Table:
    return Table("Cells", [Column("cell", "Cell")], [(cell,) for cell in cells])


def test_json_of_one_table() -> None:
    """One table is an array of objects with raw figures, times in Z and nulls."""
    assert as_json(TOOLS) == (
        "[\n"
        "  {\n"
        '    "name": "Bash",\n'
        '    "call_count": 12345,\n'
        '    "p95_ms": 15.25,\n'
        '    "cost_usd": 0.0381,\n'
        '    "trend": [\n'
        "      1.0,\n"
        "      2.5\n"
        "    ],\n"
        '    "last_at": "2026-01-02T03:04:05.678900Z",\n'
        '    "success": true\n'
        "  },\n"
        "  {\n"
        '    "name": "né, \\"x\\"",\n'
        '    "call_count": 0,\n'
        '    "p95_ms": null,\n'
        '    "cost_usd": "unpriced",\n'
        '    "trend": null,\n'
        '    "last_at": null,\n'
        '    "success": null\n'
        "  }\n"
        "]\n"
    )


def test_json_of_several_tables() -> None:
    """Several tables are an object keyed by the slugs of their titles, none lost."""
    same, strange = of(1), Table("§ %", [])
    assert list(json.loads(as_json(TOOLS, same, of(2), strange))) == [
        *("slowest_tools", "cells", "cells_2", "table"),
    ]
    assert as_json(same, strange) == (
        '{\n  "cells": [\n    {\n      "cell": 1\n    }\n  ],\n  "table": []\n}\n'
    )


def test_json_of_nothing() -> None:
    """A table without rows is an empty array, no table at all an empty object."""
    assert as_json(of()) == "[]\n"
    assert as_json() == "{}\n"


def test_csv_of_a_table() -> None:
    """A head of names, CRLF, quotes where needed, empty cells where nobody knows."""
    assert as_csv(TOOLS) == (
        "name,call_count,p95_ms,cost_usd,trend,last_at,success\r\n"
        'Bash,12345,15.25,0.0381,"[1.0,2.5]",2026-01-02T03:04:05.678900Z,true\r\n'
        '"né, ""x""",0,,unpriced,,,\r\n'
    )
    assert as_csv(of()) == "cell\r\n"


def test_times_are_written_in_utc() -> None:
    """A time of another zone is the same moment in Z."""
    moment = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert json.loads(as_json(of(moment))) == [{"cell": "2026-01-01T21:30:00Z"}]
    assert as_csv(of(moment)) == "cell\r\n2026-01-01T21:30:00Z\r\n"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_known(number: float) -> None:
    """NaN and infinities, which JSON cannot write, are null and empty."""
    assert json.loads(as_json(of(number))) == [{"cell": None}]
    assert as_csv(of(number)) == 'cell\r\n""\r\n'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_formulas_are_disarmed(start: str) -> None:
    """Text that a spreadsheet would run gets an apostrophe; negative numbers do not."""
    [_, [cell]] = csv.reader(StringIO(as_csv(of(f"{start}cmd|'/c calc'!A0")), newline=""))
    assert cell == f"'{start}cmd|'/c calc'!A0"
    assert as_csv(of(-5, -0.5)) == "cell\r\n-5\r\n-0.5\r\n"


def test_formulas_behind_control_characters_are_disarmed() -> None:
    """Control characters cannot be written in CSV: they go before formulas are looked for."""
    assert as_csv(of("\x00=1+1", "a\x1b[31mb\x9b")) == "cell\r\n'=1+1\r\na[31mb\r\n"


def test_names_that_are_no_text() -> None:
    """A lone surrogate (a file name that is not UTF-8) does not stop an export."""
    assert json.loads(as_json(of("a\udcffb"))) == [{"cell": "a?b"}]
    assert as_csv(of("a\udcffb")) == "cell\r\na?b\r\n"


@given(st.lists(st.one_of(st.text(), st.integers(-(2**53), 2**53), st.booleans(), st.none())))
def test_json_brings_back_what_went_in(cells: list[Cell]) -> None:
    """Any JSON reader gets the same cells back."""
    assert json.loads(as_json(of(*cells))) == [{"cell": cell} for cell in cells]


@given(st.lists(st.text()))
def test_csv_keeps_rows_apart(cells: list[str]) -> None:
    """Whatever a name holds, a CSV reader finds one row of one cell for it."""
    rows = list(csv.reader(StringIO(as_csv(of(*cells)), newline="")))
    assert [len(row) for row in rows] == [1] * (len(cells) + 1)
    assert not any(row[0].startswith(("=", "+", "-", "@")) for row in rows)


def test_ten_thousand_rows(record_property: Callable[[str, object], None]) -> None:
    """Ten thousand rows are written whole; the time is noted, not judged."""
    table = Table(TOOLS.title, TOOLS.columns, TOOLS.rows * 5_000)
    began = time.perf_counter()
    assert as_json(table).count('\n    "name"') == 10_000
    middle = time.perf_counter()
    assert as_csv(table).count("\r\n") == 10_001
    record_property("seconds", (middle - began, time.perf_counter() - middle))


def test_json_is_safe_on_a_terminal() -> None:
    """What Unicode calls a control, a format or a separator is an escape of the same value."""
    unseen = [
        chr(number)
        for number in range(0x7F, 0x110000)
        if unicodedata.category(chr(number)) in ("Cc", "Cf", "Zl", "Zp")
    ]
    assert len(unseen) > 190
    text = f"é{''.join(unseen)}語🚀"
    said = as_json(of(text))
    assert json.loads(said) == [{"cell": text}]
    assert not set(unseen) & set(said)
    assert {"é", "語", "🚀"} <= set(said)


@given(st.text())
def test_escaping_changes_no_value(text: str) -> None:
    """JSON is the same to a reader, and what has nothing to escape is as it was."""
    encoded = json.dumps([text], ensure_ascii=False)
    try:
        encoded.encode()
    except UnicodeEncodeError:
        return
    assert json.loads(escaped(encoded)) == [text]
    if text.isascii() and text.isprintable():
        assert escaped(encoded) == encoded


class Terminal(StringIO):
    """A file that says that a person looks on."""

    def isatty(self) -> bool:
        return True


def test_csv_is_safe_on_a_terminal() -> None:
    """On a terminal a cell is one line of what can be seen; in a pipe it is whole."""
    text = "a\u202eb\nc\x9bd\u2028e\tf"
    file = Terminal(newline="")
    write_csv(of(text), file)
    assert file.getvalue() == "cell\r\nab cde f\r\n"
    assert as_csv(of(text)) == 'cell\r\n"a\u202eb\ncd\u2028e\tf"\r\n'
