"""A fleet that is an index in memory: for what is asked of a fleet, without a server."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog import fleet
from m31a_metrics.fleet.client import Client
from m31a_metrics.folding.reading import Reading
from m31a_metrics.history import History
from m31a_metrics.history.reading import DIALECT, IndexReading
from m31a_metrics.queries import Query
from m31a_metrics.queries.tables import OWNERS
from m31a_metrics.record import SessionRecord
from tests.fleet.sessions import index_of

ADDRESS = "clickhouse://127.0.0.1:9/team"
MACHINE, USER = "red", "ann"


def pretend(
    monkeypatch: pytest.MonkeyPatch, records: Sequence[SessionRecord], missing: list[str]
) -> None:
    """Have these sessions be a fleet's, on MACHINE and of USER; `missing` are shards away.

    The list is looked at whenever the shards are, so that a test may change it meanwhile.
    """

    class Connection(Client):
        """Of a fleet that nobody connects to."""

        history: History | None = None

        def close(self) -> None:
            if self.history is not None:
                self.history.close()

    class Pretended(IndexReading):
        dialect = replace(DIALECT, more_facts=OWNERS)
        has_failure_totals = False
        choose = Reading.choose
        rolled_up = Reading.rolled_up
        rolled_up_totals = Reading.rolled_up_totals

        def __init__(self, client: Connection, *, is_partial: bool) -> None:
            assert is_partial or not missing
            client.history = index_of(records)
            super().__init__(client.history.connection)
            for name, value in zip(OWNERS, (MACHINE, USER), strict=True):
                self.connection.execute(f"ALTER TABLE sessions ADD COLUMN {name} DEFAULT '{value}'")

        def session_rows(self, query: Query) -> list[SessionRow]:
            rows = super().session_rows(query)
            return [replace(row, path="") for row in rows]

    monkeypatch.setattr(fleet, "Client", Connection)
    monkeypatch.setattr(fleet, "FleetReading", Pretended)
    monkeypatch.setattr(fleet, "missing_shards", lambda _client: [*missing])
