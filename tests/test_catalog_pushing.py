"""What a push sends, and what it does not: by a fleet that only this process knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, config, events
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog import pushing
from m31a_metrics.catalog.forget_sessions import find, forget, prune
from m31a_metrics.catalog.pushing import Plan, Sent, Telling, differences, key_of, plan, push, spool
from m31a_metrics.config import Config
from m31a_metrics.errors import ConfigError, FleetUnreachable, IndexUnusable
from m31a_metrics.fleet.client import Client
from m31a_metrics.fleet.identity import Who
from m31a_metrics.folding.nested import TOMBSTONE, session_key
from m31a_metrics.history import History, zones
from m31a_metrics.history.pushed import keys_of
from tests import transcripts
from tests.fleet.scripted import Scripted
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt

HOUR = timedelta(hours=1)
TO = "clickhouse://ch.example:8443/team"
WHO = Who("green", "ann")


class Fleet(Scripted):
    """A client and its server in one; `fails_at` is the insert that does not arrive."""

    fails_at = -1

    def insert(self, table: str, lines: bytes, settings: Mapping[str, Any]) -> None:
        """Keep the rows."""
        if len(self.bodies) == self.fails_at:
            raise FleetUnreachable("gone")
        assert (table, settings) == ("raw", {"insert_distributed_sync": 1})
        self.bodies.append(lines)
        self.rows += [json.loads(line) for line in lines.splitlines()]


def environ(home: Path) -> dict[str, str]:
    """The variables of that home alone."""
    return {"HOME": str(home)}


def plan_of(history: History, home: Path, named: Sequence[str] | None = ("*",)) -> Plan:
    """Plan a push of these projects."""
    return plan(history, TO, named, Telling(WHO, home=str(home)))


def pushed(
    home: Path,
    fleet: Fleet,
    *,
    named: Sequence[str] | None = ("*",),
    who: Who = WHO,
    failures: bool = True,
    settings: Config | None = None,
) -> Sent:
    """Push what differs."""
    with spool(settings or config.defaults(), environ(home)) as index:
        telling = Telling(who, failures=failures, home=str(home))
        going = plan(index.history, TO, named, telling)
        found = differences(index.history, going)
        return push(index.history, cast("Client", fleet), going, found)


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with two sessions."""
    write(clean_home)
    return clean_home


def write(home: Path) -> None:
    """Write the transcripts of two sessions, of two projects."""
    failed, result = call("b", NOW, tool="Bash")
    result["message"]["content"][0] |= {
        "is_error": True,
        "content": f"FileNotFoundError: [Errno 2] No such file: '{home}/secret/plan.txt'",
    }
    transcripts.write(
        home,
        ONE,
        prompt(NOW - HOUR),
        answer("a", NOW - HOUR),
        *(failed, result),
        project=f"{home}/src/shop",
    )
    transcripts.write(home, TWO, answer("c", NOW + HOUR), *call("d", NOW + HOUR))


@pytest.fixture
def fleet() -> Fleet:
    """A fleet without sessions."""
    return Fleet()


def grow(home: Path, key: str = "e", at: timedelta = 2 * HOUR) -> None:
    """Let the second session go on."""
    transcripts.write(
        home, TWO, answer("c", NOW + HOUR), *call("d", NOW + HOUR), answer(key, NOW + at)
    )


def test_each_session_goes_once(home: Path, fleet: Fleet) -> None:
    """One row each, of its last event's revision; a second push has nothing to say."""
    assert pushed(home, fleet).session_count == 2
    assert {name: row["revision"] for name, row in fleet.by_id().items()} == {
        name: row["updated_us"] for name, row in fleet.by_id().items()
    }
    assert set(fleet.sessions()) == {session_key("claude-code", one) for one in (ONE, TWO)}
    assert pushed(home, fleet) == Sent()
    assert len(fleet.rows) == 2


def test_what_grew_goes_again_and_what_shrank_outranks_it(home: Path, fleet: Fleet) -> None:
    """A session that ends earlier when it is read again replaces what was there all the same."""
    pushed(home, fleet)
    grow(home)
    assert pushed(home, fleet).session_count == 1
    grown = fleet.by_id()[TWO]
    grow(home, at=HOUR * 1.5)
    assert pushed(home, fleet).session_count == 1
    shrunk = fleet.by_id()[TWO]
    assert shrunk["updated_us"] < grown["updated_us"]
    assert shrunk["revision"] > grown["revision"] == grown["updated_us"]
    assert pushed(home, fleet) == Sent()


def test_another_machine_that_saw_less_is_passed_over(home: Path, fleet: Fleet) -> None:
    """Of two machines with one session, the one that saw more of it is believed."""
    grow(home)
    pushed(home, fleet)
    other = home / "other"
    write(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(other))
        assert pushed(other, fleet, who=Who("red", "ann")).session_count == 2
    assert {row["machine"] for row in fleet.by_id().values()} == {"green", "red"}
    assert fleet.by_id()[TWO]["machine"] == "green"


def test_a_rebuild_looks_at_all_and_sends_nothing(home: Path, fleet: Fleet) -> None:
    """What is read again is compared by its content."""
    pushed(home, fleet)
    with spool(config.defaults(), environ(home)) as index:
        index.history.remake()
    with spool(config.defaults(), environ(home)) as index:
        going = plan_of(index.history, home)
        assert [one.is_unchanged for one in going.going] == [False, False]
    assert pushed(home, fleet) == Sent()
    with spool(config.defaults(), environ(home)) as index:
        assert all(one.is_unchanged for one in plan_of(index.history, home).going)


def test_a_push_that_broke_off_goes_on(
    home: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken is known; what was taken and not noted is sent once more, and is one."""
    monkeypatch.setattr(pushing, "BATCH_BYTES", 1)
    fleet.fails_at = 1
    with pytest.raises(FleetUnreachable):
        pushed(home, fleet)
    assert len(fleet.by_id()) == 1
    fleet.fails_at = -1
    note = History.note_pushed

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(History, "note_pushed", killed)
    with pytest.raises(KeyboardInterrupt):
        pushed(home, fleet)
    monkeypatch.setattr(History, "note_pushed", note)
    assert pushed(home, fleet).session_count == 1
    assert len(fleet.rows) == 3
    assert len(fleet.by_id()) == 2
    assert pushed(home, fleet) == Sent()


def test_batches_are_of_bytes_and_of_few_months(
    home: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No insert is larger than it may be, nor touches more partitions; a larger row goes alone."""
    for number in range(6):
        transcripts.write(
            home, f"{number}-old", answer(f"k{number}", NOW - number * 40 * 24 * HOUR)
        )
    monkeypatch.setattr(pushing, "BATCH_BYTES", 6_000)
    pushed(home, fleet)
    assert len(fleet.bodies) > 1
    assert max(map(len, fleet.bodies)) <= 6_000
    few = Fleet()
    monkeypatch.setattr(pushing, "BATCH_BYTES", 1 << 20)
    monkeypatch.setattr(pushing, "_MONTHS_MAX", 2)
    other = replace(config.defaults(), index=str(home / "other.db"))
    pushed(home, few, settings=other)
    months = [
        {json.loads(line)["first_day"][:7] for line in body.splitlines()} for body in few.bodies
    ]
    assert max(map(len, months)) == 2
    assert len(set().union(*months)) == 6
    assert few.by_id().keys() == fleet.by_id().keys()


def test_only_projects_that_are_named_go(home: Path, fleet: Fleet) -> None:
    """By whole names or patterns; nothing goes where nobody named any."""
    with spool(config.defaults(), environ(home)) as index:
        for named in (None, [], ["sho", "SHOP", "ap"]):
            found = plan_of(index.history, home, named)
            assert not found.going
            assert {one.name: (one.goes, one.session_count) for one in found.projects} == {
                "app": (False, 1),
                "shop": (False, 1),
            }
    assert pushed(home, fleet, named=["sh*"]).session_count == 1
    assert [row["project"] for row in fleet.by_id().values()] == ["shop"]
    assert pushed(home, fleet, named=["shop", "app"]).session_count == 1


def test_a_project_is_its_repository(home: Path, fleet: Fleet) -> None:
    """And stays that when its folder is gone."""
    git = home / "src" / "shop" / ".git"
    git.mkdir(parents=True)
    (git / "config").write_text('[remote "origin"]\nurl = git@github.com:acme/shop.git\n')
    pushed(home, fleet, named=["github.com/acme/*"])
    assert fleet.by_id()[ONE]["project"] == "github.com/acme/shop"
    (git / "config").unlink()
    git.rmdir()
    git.parent.rmdir()
    with spool(config.defaults(), environ(home)) as index:
        index.history.remake()
    assert pushed(home, fleet, named=["github.com/acme/*"]) == Sent()


def test_no_place_and_no_text_goes(home: Path, fleet: Fleet) -> None:
    """No path of a home folder is in what is sent, wherever the index has one, and no prompt."""
    with Collector("a-session", project=f"{home}/x", labels={"at": f"{home}/notes"}) as collector:
        collector.record_tool_call("Bash", False, 5, error=f"{home}/x.py: not found")
    pushed(home, fleet)
    body = b"".join(fleet.bodies)
    assert str(home).encode() not in body
    assert b"hello" not in body
    assert {(row["path"], row["worktree"]) for row in fleet.rows} == {("", "")}
    row = fleet.by_id()["a-session"]
    assert (row["machine"], row["user"], row["project"]) == ("green", "ann", "x")
    assert (row["n.name"], row["n.value"]) == (["at"], ["~/notes"])
    assert fleet.by_id()[ONE]["search"].split("\n")[2] == "shop"


def test_failure_lines_can_stay_here(home: Path, fleet: Fleet) -> None:
    """How often a tool failed goes all the same; lines that went before are taken back."""
    pushed(home, fleet)
    row = fleet.by_id()[ONE]
    assert (row["f.tool"], row["f.count"]) == (["Bash"], [1])
    assert row["f.line"] != [""]
    assert pushed(home, fleet, failures=False).session_count == 1
    row = fleet.by_id()[ONE]
    assert (row["f.tool"], row["f.count"], row["f.line"]) == (["Bash"], [1], [""])
    assert set(row["h.line"]) <= {""}


def test_who_is_called_otherwise_is_told_again(home: Path, fleet: Fleet) -> None:
    """All sessions of a machine are told of by its new name, and then no more."""
    pushed(home, fleet)
    assert pushed(home, fleet, who=Who("build-7", "ann")).session_count == 2
    assert {row["machine"] for row in fleet.by_id().values()} == {"build-7"}
    assert pushed(home, fleet, who=Who("build-7", "ann")) == Sent()


def test_what_was_forgotten_is_taken_out_for_good(home: Path, fleet: Fleet) -> None:
    """A tombstone lies in the row's partition, outranks every revision, and is sent once."""
    pushed(home, fleet)
    before = fleet.by_id()[ONE]
    forget(config.defaults(), find(config.defaults(), environ(home), [ONE], []))
    sent = pushed(home, fleet)
    assert (sent.session_count, sent.ended_count) == (0, 1)
    assert fleet.by_id().keys() == {TWO}
    tombstone = fleet.rows[-1]
    assert tombstone["revision"] == TOMBSTONE
    assert tombstone["first_day"] == before["first_day"]
    assert ONE not in json.dumps(tombstone)
    assert pushed(home, fleet) == Sent()
    other = home / "other"
    write(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(other))
        pushed(other, fleet)
    assert fleet.by_id().keys() == {TWO}


def test_a_tombstone_waits_until_it_arrives(home: Path, fleet: Fleet) -> None:
    """Through pushes that fail and rebuilds of the index."""
    pushed(home, fleet)
    forget(config.defaults(), find(config.defaults(), environ(home), [ONE], []))
    fleet.fails_at = len(fleet.bodies)
    with pytest.raises(FleetUnreachable):
        pushed(home, fleet)
    with spool(config.defaults(), environ(home)) as index:
        index.history.remake()
    fleet.fails_at = -1
    assert pushed(home, fleet).ended_count == 1
    assert fleet.by_id().keys() == {TWO}


def test_what_was_pruned_stays_in_the_fleet(home: Path, fleet: Fleet) -> None:
    """Only this machine's index forgets it."""
    path = transcripts.write(home, ONE, answer("a", NOW), project=f"{home}/src/shop")
    pushed(home, fleet)
    path.unlink()
    pushed(home, fleet)
    assert fleet.by_id()[ONE]["is_gone"] == 1
    rows, *_ = prune(config.defaults(), environ(home), NOW + HOUR, sure=True)
    assert [row.session_id for row in rows] == [ONE]
    assert pushed(home, fleet) == Sent()
    assert fleet.by_id().keys() == {ONE, TWO}


def test_what_was_never_pushed_is_not_pruned(home: Path, fleet: Fleet) -> None:
    """Where a fleet is to have it; the others go, and it is said what stays and why."""
    path = transcripts.write(home, ONE, answer("a", NOW), project=f"{home}/src/shop")
    with spool(config.defaults(), environ(home)):
        pass
    path.unlink()
    named = replace(config.defaults(), fleet={"to": TO, "projects": ["shop"]})
    for sure in (False, True):
        rows, notes, _ = prune(named, environ(home), NOW + HOUR, sure=sure)
        assert not rows
        assert notes[-1] == f"1 session was never pushed to {TO}, and stays until then: m31 push"
    other = replace(config.defaults(), fleet={"to": TO, "projects": ["app"]})
    rows, *_ = prune(other, environ(home), NOW + HOUR, sure=False)
    assert [row.session_id for row in rows] == [ONE]
    pushed(home, fleet)
    rows, notes, _ = prune(named, environ(home), NOW + HOUR, sure=True)
    assert ([row.session_id for row in rows], notes) == ([ONE], [])


def test_what_was_pruned_can_be_forgotten(home: Path, fleet: Fleet) -> None:
    """By its id, though nothing but the fleet knows it any more."""
    path = transcripts.write(home, ONE, answer("a", NOW), project=f"{home}/src/shop")
    pushed(home, fleet)
    path.unlink()
    prune(config.defaults(), environ(home), NOW + HOUR, sure=True)
    found = find(config.defaults(), environ(home), [ONE], [])
    assert [(one.place, one.path) for one in found.traces if one.row_count] == [("fleet", TO)]
    assert forget(config.defaults(), found) == []
    assert pushed(home, fleet).ended_count == 1
    assert fleet.by_id().keys() == {TWO}


def test_what_is_no_session_any_more_leaves_and_may_come_back(home: Path, fleet: Fleet) -> None:
    """A file that turns out to copy another is counted once; what it was is taken out."""
    pushed(home, fleet)
    with spool(config.defaults(), environ(home)) as index:
        index.history.remove("claude-code", TWO)
        going = plan_of(index.history, home)
        assert [one.session for one in going.ending] == [session_key("claude-code", TWO)]
        found = differences(index.history, going)
        assert push(index.history, cast("Client", fleet), going, found).ended_count == 1
        assert fleet.by_id().keys() == {ONE}
    grow(home)
    assert pushed(home, fleet).session_count == 1
    assert fleet.by_id().keys() == {ONE, TWO}


def test_a_session_that_moves_to_another_month_is_in_one(home: Path, fleet: Fleet) -> None:
    """Whichever of the two partitions goes, no older revision comes back."""
    pushed(home, fleet)
    transcripts.write(home, TWO, answer("z", NOW - 60 * 24 * HOUR), answer("c", NOW + 2 * HOUR))
    assert pushed(home, fleet).session_count == 1
    key = session_key("claude-code", TWO)
    rows = [row for row in fleet.rows if row["session"] == key]
    last: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: cast("int", row["revision"])):
        last[row["first_day"][:7]] = row
    assert {month: row["deleted"] for month, row in last.items()} == {"2026-06": 1, "2026-04": 0}
    assert fleet.by_id()[TWO]["first_day"][:7] == "2026-04"


def test_days_are_those_of_the_fleet(home: Path, fleet: Fleet, zone: Callable[[str], None]) -> None:
    """Whatever zone the machine is in: in UTC, or in that which the configuration names."""
    zone("Pacific/Kiritimati")
    pushed(home, fleet)
    assert fleet.by_id()[ONE]["d.day"] == ["2026-06-20"]
    other = Fleet()
    there = replace(
        config.defaults(), index=str(home / "other.db"), fleet={"zone": "Pacific/Kiritimati"}
    )
    pushed(home, other, settings=there)
    assert other.by_id()[ONE]["d.day"] == ["2026-06-21"]
    wrong = replace(config.defaults(), fleet={"zone": "Berlin"})
    with pytest.raises(ConfigError, match="a time zone as Europe/Berlin, not 'Berlin'"):
        pushed(home, other, settings=wrong)
    with spool(config.defaults(), environ(home)) as index:
        known = [one.name for one in zones.zones(index.index).values() if one is not None]
    assert known == ["UTC"]


def test_nothing_goes_from_an_index_that_cannot_be_kept(home: Path, fleet: Fleet) -> None:
    """In memory it would know of no push: all of it would go again and again."""
    settings = replace(config.defaults(), index="/proc/nothing/metrics.db")
    with pytest.raises(IndexUnusable, match="so nothing can be pushed"):
        pushed(home, fleet, settings=settings)
    assert not fleet.bodies


@pytest.mark.parametrize(
    ("agent", "by_id_alone"),
    [("claude-code", True), ("codex", True), ("m31a", False), ("a-plugin", False)],
)
def test_a_session_is_known_by_what_differs_everywhere(agent: str, by_id_alone: bool) -> None:
    """Agents' own ids do; what is recorded, or read by another package, is known by its start."""
    row = SessionRow(agent, "one", "one", started_us=5)
    assert key_of(row) == session_key(agent, "one", 0 if by_id_alone else 5)
    assert key_of(row) in keys_of(row.ref, 5)


@contextmanager
def recording(home: Path, started: float) -> Any:
    """Record a session of a short id that began at a time."""
    with Collector("cafe0001", str(home / ".m31a" / "sessions")) as collector:
        at = events.ToolCall(round(started * 1e6), name="Bash", success=True, duration_ms=1)
        collector.record(at)
        yield


def test_two_recordings_of_one_short_id_are_two(clean_home: Path, fleet: Fleet) -> None:
    """32 bits differ on one machine, and not among thousands: their start tells them apart."""
    for number in range(2):
        home = clean_home / f"{number}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(home))
            with recording(home, 1_750_000_000 + number):
                pass
            assert pushed(home, fleet).session_count == 1
    assert len(fleet.sessions()) == 2
