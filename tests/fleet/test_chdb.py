"""A recent ClickHouse understands what 18.16 does: its engine, in this process, where it is here.

chdb locks out other processes and takes 600 MB, so that it is a part for this test alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.invented import records
from m31a_metrics.answers import Slice
from m31a_metrics.fleet.client import Address, Client, lines_of
from m31a_metrics.fleet.reading import FleetReading
from m31a_metrics.fleet.schema import check_version, statements
from m31a_metrics.fleet.status import note_push, status_of
from m31a_metrics.folding.nested import nested
from m31a_metrics.history import MEMORY, History

pytestmark = pytest.mark.fleet


class Embedded(Client):
    """A client of the engine in this process."""

    def __init__(self, session: Any, database: str) -> None:
        super().__init__(Address("localhost", 0, database))
        self._session = session
        self._session.query(f"CREATE DATABASE IF NOT EXISTS {database}")
        self._session.query(f"USE {database}")

    def rows(self, text: str, settings: Mapping[str, str | int] = {}) -> list[list[Any]]:
        said = ", ".join(f"{name} = {value!r}" for name, value in settings.items())
        answered = self._session.query(f"{text} SETTINGS {said}" if said else text, "JSONCompact")
        return list(msgspec.json.decode(answered.bytes())["data"])

    def run(self, text: str, _settings: Mapping[str, str | int] = {}) -> None:
        self._session.query(text)

    def insert(self, table: str, lines: bytes, _settings: Mapping[str, str | int] = {}) -> None:
        self._session.query(f"INSERT INTO {table} FORMAT JSONEachRow {lines.decode()}")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Embedded]:
    """A fleet of one node, in this process."""
    chdb = pytest.importorskip("chdb.session", reason="optional: needs chdb (600 MB)")
    with closing(chdb.Session(str(tmp_path))) as session:
        client = Embedded(session, "team")
        for statement in statements("team"):
            client.run(statement)
        yield client


SLICES = [
    Slice(),
    Slice(first_day="2026-09-14", last_day="2026-11-10"),
    Slice(agents=("claude-code",), branch="feature/*", tool="Read", model="claude*"),
    Slice(project="none such"),
]
QUESTIONS: list[tuple[str, tuple[Any, ...]]] = [
    *(("parts", (50,)), ("reading", ()), ("heals", ()), ("failures", (10,)), ("rate_limits", ())),
    *(("totals", (by,)) for by in ("", "agent", "project", "branch", "day", "week", "month")),
    *(("tools", (by,)) for by in ("tool", "phase", "session", "", "agent", "day", "week")),
    *(("llms", ((by,),)) for by in ("phase", "model", "session", "", "agent", "day", "week")),
    *(("llms", (by,)) for by in (("month", "model"), ("phase", "model"))),
    *(("phases", (by,)) for by in ("phase", "session", "", "agent", "day", "week", "month")),
]
"""Methods of answers, and what they are given beside the slice."""


def told(row: object) -> bytes:
    """A row in one form, whichever order its names came in."""
    return msgspec.json.encode(msgspec.to_builtins(row, str_keys=True), order="sorted")


def answered(answers: FleetReading | History, which: Slice) -> dict[str, list[bytes]]:
    """Every answer, its rows in one order, by the question."""
    found = {
        f"sessions {sort}": list(map(told, answers.sessions(which, sort=sort, limit=20, offset=5)))
        for sort in ("updated_us", "cost_nano")
    }
    for method, given in QUESTIONS:
        rows = getattr(answers, method)(which, *given)
        rows = rows if isinstance(rows, list) else [rows]
        for row in rows if method == "parts" else ():
            row.tools.sort(key=told)
            row.phases.sort(key=told)
        found[f"{method} {given}"] = sorted(map(told, rows))
    return found


def test_every_question_is_answered(engine: Embedded) -> None:
    """The tables are made, rows go in, and every question is answered as the index answers it."""
    with closing(History(MEMORY)) as history:
        with history.batch():
            for one in records(100):
                history.put(one)
        refs = [row.ref for row in history.sessions(Slice())]
        who = {"machine": "red", "user": "ann"}
        rows = [nested(kept, kept.facts["updated_us"], who) for kept in history.kept(refs)]
        engine.insert("raw", b"".join(lines_of(rows)))
        note_push(engine, "red", "ann", version="0.1.0", session_count=100, pushed_us=1)
        fleet = FleetReading(engine)
        for which in SLICES:
            assert answered(fleet, which) == answered(history, which)
    assert check_version(engine) == ""
    (red,) = status_of(engine).machines
    assert (red.session_count, red.user) == (100, "ann")
