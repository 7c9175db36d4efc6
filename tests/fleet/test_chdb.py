"""A recent ClickHouse understands what 18.16 does: its engine, in this process, where it is here.

chdb locks out other processes and takes 600 MB, so that it is a part for this test alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import msgspec
import pytest

from m31a_metrics.fleet.client import Address, Client
from m31a_metrics.fleet.reading import FleetReading
from m31a_metrics.fleet.schema import check_version, statements
from m31a_metrics.fleet.status import note_push, status_of
from m31a_metrics.history import History
from tests.fleet.sessions import index_of, pushed, records
from tests.fleet.test_answers import SLICES, answers_of, as_pushed

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


@pytest.fixture(scope="module")
def whole() -> Iterator[History]:
    """An index that has all sessions of the fleet."""
    with index_of(records(48)) as history:
        yield history


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, whole: History) -> Iterator[Embedded]:
    """A fleet of one node, in this process, which has the same."""
    chdb = pytest.importorskip("chdb.session", reason="optional: needs chdb (600 MB)")
    with closing(chdb.Session(str(tmp_path_factory.mktemp("chdb")))) as session:
        client = Embedded(session, "team")
        for statement in statements("team"):
            client.run(statement)
        pushed(client, whole)
        yield client


@pytest.mark.parametrize("name", SLICES)
def test_every_answer_is_that_of_one_index(engine: Embedded, whole: History, name: str) -> None:
    """What two old servers are asked, a recent engine answers likewise."""
    expected = as_pushed(whole, answers_of(whole, SLICES[name]))
    found = answers_of(FleetReading(engine), SLICES[name])
    assert {question for question in expected if found[question] != expected[question]} == set()


def test_a_fleet_is_told_of(engine: Embedded) -> None:
    """Its version is known, a push is noted, and status reads both."""
    note_push(engine, "red", "ann", version="0.1.0", zone="UTC", session_count=48, pushed_us=1)
    assert check_version(engine) == ""
    red = next(one for one in status_of(engine).machines if one.machine == "red")
    assert red.session_count > 0
    assert red.user == "ann"
