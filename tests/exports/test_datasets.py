"""Datasets as CSV and JSON Lines: what programs read, whatever names hold."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO

from m31a_metrics.exports.datasets import PIECE_ROWS, csv_pieces, jsonl_pieces
from m31a_metrics.tables.datasets import DATASETS, Dataset, Kind, Row

FAILURES, SESSIONS, HEALS = (DATASETS[name] for name in ("failures", "sessions", "heals"))


def failure(tool: str = "Bash", line: str = "Error: no", day: str = "2026-06-20") -> Row:
    """One row of failures."""
    return ("codex", "s1", "/src/app", "main", day, tool, line, 2)


def session(**changed: object) -> Row:
    """One row of sessions: 1 of each figure, at the first second of Unix time."""
    values: dict[Kind, object] = {
        Kind.TEXT: "x",
        Kind.INT: 1,
        Kind.FLOAT: 1_000,
        Kind.BOOL: 0,
        Kind.TIME: 1_000_000,
        Kind.NAMES: ["a", "b"],
        Kind.LABELS: {"prompt": "b"},
    }
    return tuple(changed.get(field.name, values[field.kind]) for field in SESSIONS.fields)


def read_csv(dataset: Dataset, *rows: Row) -> list[dict[str, str]]:
    """What a program reads out of the CSV."""
    text = b"".join(csv_pieces(dataset, rows)).decode()
    return list(csv.DictReader(StringIO(text, newline="")))


def read_jsonl(dataset: Dataset, *rows: Row) -> list[dict[str, object]]:
    """What a program reads out of the JSON Lines."""
    return [json.loads(line) for line in b"".join(jsonl_pieces(dataset, rows)).splitlines()]


def test_both_say_the_same() -> None:
    """The same names and figures, units as the names say."""
    (as_csv,), (as_json,) = read_csv(SESSIONS, session()), read_jsonl(SESSIONS, session())
    assert list(as_csv) == list(as_json) == [field.name for field in SESSIONS.fields]
    assert as_json["active_ms"] == 1.0
    assert as_csv["active_ms"] == "1.0"
    assert as_json["cost_usd"] == 1e-6
    assert as_json["started_at"] == as_csv["started_at"] == "1970-01-01T00:00:01Z"
    assert as_json["is_gone"] is False
    assert (as_json["models"], as_json["labels"]) == (["a", "b"], {"prompt": "b"})
    assert json.loads(as_csv["labels"]) == {"prompt": "b"}


def test_what_is_not_known_is_empty_or_null() -> None:
    """A time of 0, a day that nobody knows, a cost of None."""
    assert read_jsonl(SESSIONS, session(started_at=0))[0]["started_at"] is None
    assert read_jsonl(FAILURES, failure(day=""))[0]["day"] is None
    assert read_csv(FAILURES, failure(day=""))[0]["day"] == ""
    heal = ("codex", "s", "/p", "", "", "p", "Bash", "pytest", "E", 1, None, False, 1, 1, 1, None)
    assert read_jsonl(HEALS, heal)[0]["cost_usd"] is None
    assert read_jsonl(HEALS, heal)[0]["passed"] is None


def test_names_that_would_be_obeyed() -> None:
    """No formula for a spreadsheet, no control character, no half of a surrogate pair."""
    row = failure(tool="=cmd()", line="\x1b[2J\ud83d \u202e")
    assert read_csv(FAILURES, row)[0]["tool"] == "'=cmd()"
    assert "\x1b" not in read_csv(FAILURES, row)[0]["line"]
    raw = b"".join(jsonl_pieces(FAILURES, [row]))
    assert b"\x1b" not in raw
    assert "\u202e".encode() not in raw
    assert read_jsonl(FAILURES, row)[0]["line"] == "\x1b[2J? \u202e"


def test_rows_are_written_as_they_come() -> None:
    """After so many rows a piece is handed on, before more is asked for."""
    asked = 0

    def rows() -> Iterator[Row]:
        nonlocal asked
        for _ in range(3 * PIECE_ROWS):
            asked += 1
            yield failure()

    for pieces in (csv_pieces, jsonl_pieces):
        asked = 0
        next(pieces(FAILURES, rows()))
        assert asked == PIECE_ROWS


def test_no_row_at_all() -> None:
    """CSV has its head, JSON Lines nothing."""
    assert b"".join(csv_pieces(FAILURES, [])).startswith(b"agent,session_id,")
    assert b"".join(jsonl_pieces(FAILURES, [])) == b""
