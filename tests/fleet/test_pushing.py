"""Pushing to real servers: from any number of machines, killed, grown, shrunk, stale, forgotten."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.invented import records
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import pushing
from m31a_metrics.catalog.pushing import Sent, Telling, differences, plan, push
from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet.address import address_of
from m31a_metrics.fleet.client import Address, Client
from m31a_metrics.fleet.identity import Who
from m31a_metrics.fleet.reading import FleetReading
from m31a_metrics.history import MEMORY, History
from m31a_metrics.record import SessionRecord
from tests import children
from tests.cli.conftest import M31
from tests.fleet.servers import PASSWORD, Servers
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt, write

pytestmark = pytest.mark.fleet

COUNT = 90
RECORDS = list(records(COUNT))


class Machine:
    """A machine with an index of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = str(folder / f"{name}.db")
        self.telling = Telling(Who(name, "ada"))

    def put(self, some: Iterable[SessionRecord]) -> None:
        """Have its index know these sessions so."""
        with History(self.path) as history, history.batch():
            for one in some:
                history.put(one)

    def push(self, address: Address, *, dies_at: int = -1) -> Sent:
        """Push what differs; `dies_at`: dies with the insert of this number, which arrived."""
        with History(self.path) as history, closing(_Mortal(address, dies_at)) as client:
            going = plan(history, str(address), ["*"], self.telling)
            return push(history, client, going, differences(history, going))


class _Mortal(Client):
    """A connection whose process ends with an insert."""

    def __init__(self, address: Address, dies_at: int) -> None:
        super().__init__(address)
        self._left = dies_at

    def insert(self, table: str, lines: bytes, settings: Any = {}) -> None:  # noqa: B006 - as Client's
        super().insert(table, lines, settings)
        self._left -= 1
        if self._left == -1:
            os.kill(os.getpid(), signal.SIGKILL)


MadeMachine = Callable[[str], Machine]


@pytest.fixture
def machine(tmp_path: Path) -> MadeMachine:
    """Make a machine of a name."""
    return lambda name: Machine(tmp_path, name)


def answers(told: FleetReading | History) -> list[dict[Any, Any]]:
    """All sums there are, by several parts; each row by its key."""
    about = Slice()
    return [
        *({row.key: row for row in told.totals(about, by)} for by in ("day", "agent", "project")),
        {row.key: row for row in told.tools(about)},
        {row.key: row for row in told.llms(about)},
        {row.key: row for row in told.phases(about)},
    ]


def assert_is(servers: Servers, fleet: str, truth: Iterable[SessionRecord]) -> None:
    """Every shard answers as an index does that knows just these sessions."""
    with History(MEMORY) as index:
        with index.batch():
            for one in truth:
                index.put(replace(one, project=os.path.basename(one.project)))
        expected = answers(index)
    for shard in range(len(servers.shards)):
        assert answers(FleetReading(servers.client(fleet, shard))) == expected


def grown(one: SessionRecord) -> SessionRecord:
    """The same session an hour later, with a row of tools less and calls more."""
    first, *rest = one.tools[:-1]
    more = replace(first, call_count=first.call_count + 7)
    return replace(one, tools=[more, *rest], updated_us=one.updated_us + 3_600_000_000)


def test_three_machines_of_which_one_is_killed(
    two_servers: Servers, fleet: str, machine: MadeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions that two of them have count once; what the killed one had sent is sent again."""
    monkeypatch.setattr(pushing, "BATCH_BYTES", 60_000)
    address = two_servers.address(fleet)
    red, green, blue = map(machine, ("red", "green", "blue"))
    for one, part in ((red, RECORDS[:40]), (green, RECORDS[30:70]), (blue, RECORDS[60:])):
        one.put(part)
    pids = [children.start(lambda one=one: one.push(address)) for one in (red, blue)]  # type: ignore[misc] # which is bound
    dying = children.start(lambda: green.push(address, dies_at=2))
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert os.waitstatus_to_exitcode(os.waitpid(dying, 0)[1]) == -signal.SIGKILL
    again = green.push(address)
    assert 0 < again.session_count < 40
    assert_is(two_servers, fleet, RECORDS)
    assert [one.push(address) for one in (red, green, blue)] == [Sent()] * 3
    assert_is(two_servers, fleet, RECORDS)


def test_what_grew_shrank_is_stale_and_was_forgotten(
    two_servers: Servers, fleet: str, machine: MadeMachine
) -> None:
    """In whatever order machines tell of it, and after the engine has merged its parts."""
    address = two_servers.address(fleet)
    red, green = machine("red"), machine("green")
    red.put(RECORDS)
    red.push(address)
    more = [grown(one) for one in RECORDS[:30]]
    red.put(more)
    assert red.push(address).session_count == 30
    green.put(RECORDS[:50])
    assert green.push(address).session_count == 50
    assert_is(two_servers, fleet, [*more, *RECORDS[30:]])

    red.put(RECORDS[:10])  # they were read again, and end earlier
    assert red.push(address).session_count == 10
    known = [*RECORDS[:10], *more[10:], *RECORDS[30:]]
    assert_is(two_servers, fleet, known)

    with History(red.path) as history:
        history.forget_in_fleets([_ref(one) for one in known[20:40]])
    assert red.push(address).ended_count == 20
    green.put([grown(grown(one)) for one in RECORDS[20:40]])
    green.push(address)
    left = [*known[:20], *known[40:]]
    assert_is(two_servers, fleet, left)
    for shard in range(2):
        two_servers.client(fleet, shard).run("OPTIMIZE TABLE raw_local FINAL")
    assert_is(two_servers, fleet, left)


def _ref(one: SessionRecord) -> Any:
    with History(MEMORY) as index:
        index.put(one)
        return index.sessions(Slice())[0].ref


def test_a_shard_that_is_away_while_it_is_pushed(
    own_servers: Servers, own_fleet: str, machine: MadeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken to be there that is not, and the next push completes it."""
    monkeypatch.setattr(pushing, "BATCH_BYTES", 100_000)
    address = own_servers.address(own_fleet)
    red = machine("red")
    red.put(RECORDS[:50])
    red.push(address)
    red.put(RECORDS[50:])
    own_servers.shards[1].kill()
    with pytest.raises(FleetRefused, match="a shard of it does not answer"):
        red.push(address)
    own_servers.shards[1].start()
    assert red.push(address).session_count > 0
    assert_is(own_servers, own_fleet, RECORDS)
    assert red.push(address) == Sent()


def test_hostile_names_arrive_as_they_are(
    two_servers: Servers, fleet: str, machine: MadeMachine
) -> None:
    """Whatever branches, tools, models and labels are called."""
    names = ["'", "\\", "a'); DROP TABLE raw; --", "\0", "\t\n", "{x:String}", "%s", "é🎈", "NULL"]
    hostile = [
        replace(
            one,
            branch=name,
            project=name,
            labels={"prompt": name},
            models=[name],
            llms=[replace(llm, model=name) for llm in one.llms],
            tools=[replace(tool, tool=f"{name}{tool.tool}") for tool in one.tools],
        )
        for name, one in zip(names, RECORDS, strict=False)
    ]
    red = machine("red")
    red.put(hostile)
    red.push(two_servers.address(fleet))
    told = FleetReading(two_servers.client(fleet))
    tools = {row.key for row in told.tools(Slice())}
    assert {tool.tool for one in hostile for tool in one.tools} == tools
    for name in names:
        about = Slice(branch=name, labels=(("prompt", name),), model=name)
        assert [row.branch for row in told.sessions(about)] == [name]


@pytest.mark.parametrize("kind", ["alone", "cluster"])
def test_the_command_from_nothing(
    kind: str,
    request: pytest.FixtureRequest,
    clean_home: Path,
    m31: M31,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tables made, pushed, grown, forgotten; `m31 fleet status` tells who pushed."""
    servers: Servers = request.getfixturevalue("one_server" if kind == "alone" else "two_servers")
    fleet = "from_nothing"
    monkeypatch.setenv("M31A_CLICKHOUSE_USER", "pusher")
    monkeypatch.setenv("M31A_CLICKHOUSE_PASSWORD", PASSWORD)
    servers.make(fleet)
    try:
        to = f"clickhouse://127.0.0.1:{servers.shards[0].http}/{fleet}"
        write(clean_home, ONE, prompt(), answer("a"), project="/src/shop")
        write(clean_home, TWO, answer("b", NOW), project="/src/shop")
        (clean_home / ".m31a").mkdir()
        (clean_home / ".m31a" / "config.toml").write_text(
            f'[metrics.fleet]\nto = "{to}"\nprojects = ["*"]\nmachine = "green"\n'
        )
        assert m31("push", "--yes").err == f"m31: pushed 2 sessions to {to}\n"
        write(clean_home, TWO, answer("b", NOW), *call("c", NOW), project="/src/shop")
        assert m31("push").err == f"m31: pushed 1 session to {to}\n"
        assert m31("forget", ONE, "--yes").code == 0
        assert m31("push").err == f"m31: pushed 0 sessions to {to}, took 1 session out\n"
        reading = FleetReading(Client(address_of(to, {}, dict(os.environ))))
        (row,) = reading.sessions(Slice())
        assert (row.native_id, row.project, row.path) == (TWO, "shop", "")
        reading.client.close()
        assert "green" in m31("fleet", "status").out
        monkeypatch.setenv("M31A_CLICKHOUSE_PASSWORD", "wrong")
        said = m31("push")
        assert (said.code, said.err) == (4, f"m31: {to} refused: the password is wrong\n")
    finally:
        servers.drop(fleet)
