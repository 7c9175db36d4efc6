"""A fleet's answers are those of one index that has all sessions, whoever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from m31a_metrics.answers import SessionParts, SessionRow, Slice, part_of
from m31a_metrics.errors import FleetRefused
from m31a_metrics.fleet import reading
from m31a_metrics.fleet.client import Client, lines_of
from m31a_metrics.fleet.reading import DIALECT, ROWS_MAX, FleetReading
from m31a_metrics.folding.nested import nested
from m31a_metrics.folding.reading import TIMES, WHOLES, Reading
from m31a_metrics.histogram import Histogram
from m31a_metrics.history import History
from m31a_metrics.queries import Query
from m31a_metrics.record import ToolDay
from m31a_metrics.units import DAY_US
from tests.fleet.servers import Servers, a_database
from tests.fleet.sessions import (
    BRANCHES,
    DAYS,
    FIRST_US,
    LINES,
    MACHINES,
    PROJECTS,
    TOOLS,
    USERS,
    index_of,
    owner,
    pushed,
    records,
)

pytestmark = pytest.mark.fleet

SLICES = {
    "all": Slice(),
    "agents": Slice(agents=("codex", "pi-b")),
    "no agent": Slice(agents=()),
    "project": Slice(project="acme"),
    "hostile project": Slice(project="it's \\ a `"),
    "rules in a project": Slice(project="%_off [a-z]? *"),
    "parameter in a project": Slice(project=":agent_0", agents=("codex", "m31a")),
    "branch": Slice(branch="feat/a_b"),
    "branches": Slice(branch="feat/*", last_day=DAYS[3]),
    "case of a branch": Slice(branch="F*b"),
    "model": Slice(model="opus_*"),
    "model of some days": Slice(model="opus-4", first_day=DAYS[1], last_day=DAYS[4]),
    "days": Slice(first_day=DAYS[1], last_day=DAYS[3]),
    "since": Slice(first_day=DAYS[4]),
    "moments": Slice(since_us=FIRST_US + 5 * DAY_US, until_us=FIRST_US + 30 * DAY_US),
    "tool": Slice(tool="it's", first_day=DAYS[2]),
    "phase": Slice(phase="verify"),
    "text": Slice(text="OPUS_4"),
    "hostile text": Slice(text="'x' -- "),
    "labels": Slice(labels=(("prompt", "a"), ("te'am", "x"))),
    "session": Slice(session="n03"),
    "nothing": Slice(project="nosuch"),
    "no text of anybody's": Slice(text="\udcff", project="\udcff"),
    "several": Slice(
        ("codex", "pi-b", "m31a"), "a", "opus*", "*a*", "n", "", "Bash", DAYS[0], DAYS[5]
    ),
}


@pytest.fixture(scope="module")
def whole() -> Iterator[History]:
    """An index that has all sessions of the fleet."""
    with index_of(records(48)) as history:
        yield history


@pytest.fixture(scope="module")
def client(two_servers: Servers, whole: History) -> Iterator[Client]:
    """A connection, as a user who may only read, to a fleet that has the same."""
    with a_database(two_servers) as database:
        pushed(two_servers.client(database), whole)
        yield two_servers.client(database, 1, "reader")


@pytest.fixture(scope="module")
def fleet(client: Client) -> FleetReading:
    """Who answers for the fleet."""
    return FleetReading(client)


def answers_of(answers: Reading, which: Slice) -> dict[str, list[Any]]:
    """Every question of `Answers` about a slice, by its name."""
    label = "label:prompt"
    found: dict[str, list[Any]] = {
        "sessions": answers.sessions(which),
        "a page": answers.sessions(which, sort="call_count", limit=7, offset=3),
        "oldest": answers.sessions(which, sort="started_us", descending=False, limit=5),
        "latest": answers.sessions(which, limit=5),
        "parts": _in_order(answers.parts(which, 100)),
        "a few parts": _in_order(answers.parts(which, 5)),
        "reading": [answers.reading(which)],
        "rate limits": list(answers.rate_limits(which)),
        "heals": answers.heals(which),
        "a few heals": answers.heals(which, 3),
        "failures": answers.failures(which),
        "a few failures": answers.failures(which, 2),
    }
    for by in (*WHOLES, label, *TIMES):
        found[f"totals by {by}"] = _by_key(answers.totals(which, by))
    for by in ("tool", "phase", "session", *WHOLES, label, *TIMES):
        found[f"tools by {by}"] = _by_key(answers.tools(which, by))
    for keys in [(one,) for one in ("phase", "model", "session", *WHOLES, label, *TIMES)] + [
        (one, "model") for one in ("phase", "project", label, *TIMES)
    ]:
        found[f"llms by {keys}"] = _by_key(answers.llms(which, keys))
    for by in ("phase", "session", *WHOLES, label, *TIMES):
        found[f"phases by {by}"] = _by_key(answers.phases(which, by))
    return found


def _by_key(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=repr)


def _in_order(parts: list[SessionParts]) -> list[SessionParts]:
    for part in parts:
        part.tools.sort(key=lambda row: row.key)
        part.phases.sort(key=lambda row: row.key)
    return _by_key(parts)


def as_pushed(history: History, found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The answers of an index as a fleet gives them: without a path, with an owner."""
    rows = history.sessions(Slice(), sort="session_id", descending=False)
    owners = {(row.agent, row.session_id): owner(number) for number, row in enumerate(rows)}

    def told(row: Any) -> Any:
        if isinstance(row, SessionParts):
            return replace(row, session=told(row.session))
        if not hasattr(row, "machine"):
            return row
        whose = owners[row.agent, row.session_id]
        path = {"path": ""} if isinstance(row, SessionRow) else {}
        return replace(row, **whose, **path)

    return {name: [told(row) for row in rows] for name, rows in found.items()}


@pytest.mark.parametrize("name", SLICES)
def test_every_answer_is_that_of_one_index(whole: History, fleet: FleetReading, name: str) -> None:
    """Each question of two shards, histograms bucket by bucket, whatever is in the names."""
    which = SLICES[name]
    expected = as_pushed(whole, answers_of(whole, which))
    found = answers_of(fleet, which)
    for question, rows in expected.items():
        if "parts" in question:  # of whom there are more, a fair sample is the same
            rows, found[question] = _by_key(rows), _by_key(found[question])
        assert found[question] == rows, question


def test_owners_are_parts_of_a_fleet(whole: History, fleet: FleetReading) -> None:
    """By machine and by user all sums are there, and each is of its own sessions alone."""
    (everything,) = whole.totals(Slice())
    for by, names in (("machine", MACHINES), ("user", USERS)):
        rows = fleet.totals(Slice(), by)
        assert {row.key for row in rows} == set(names)
        assert sum(row.session_count for row in rows) == everything.session_count
        assert sum(row.total_tokens for row in rows) == everything.total_tokens
        tools = fleet.tools(Slice(), by)
        assert sum(row.ran.count for row in tools) == whole.tools(Slice(), "")[0].ran.count
        assert {row.key for row in fleet.phases(Slice(), by)} == set(names)
        assert {row.key for row in fleet.llms(Slice(), (by, "model"))} == set(names)
    mine = [row for row in fleet.sessions(Slice()) if row.user == "ann"]
    (ann,) = [row for row in fleet.totals(Slice(), "user") if row.key == "ann"]
    assert ann.session_count == len(mine)
    with pytest.raises(ValueError, match="cannot be grouped by 'machine'"):
        whole.totals(Slice(), "machine")


@pytest.mark.parametrize("branch", [*BRANCHES, "feat/*", "*[b]?", "*\\*", "*%*", "*_*", "f*A*"])
def test_only_the_star_is_a_wildcard(whole: History, fleet: FleetReading, branch: str) -> None:
    """A branch is a whole name, or a pattern whose other signs mean themselves."""
    which = Slice(branch=branch)
    found = {row.branch for row in fleet.sessions(which)}
    assert found == {row.branch for row in whole.sessions(which)}


def test_weeks_are_those_of_the_calendar(client: Client) -> None:
    """Each day of three centuries is in the week that ISO 8601 has it in; no day in none."""
    first = date(1, 1, 1)
    days = [first, date(9999, 12, 31)]
    days += [date(1890, 1, 1) + timedelta(days=number) for number in range(0, 110_000, 3)]
    weeks: dict[int, str] = {}
    for start in range(0, len(days), 5_000):
        listed = ", ".join(f"'{day}'" for day in days[start : start + 5_000])
        week = DIALECT.week.format("day")
        for day, number in client.rows(
            f"SELECT arrayJoin([{listed}]) AS day, {week} FROM system.one"
        ):
            assert weeks.setdefault(number, part_of("week", day)) == part_of("week", day)
    assert len(set(weeks.values())) == len(weeks)
    ((number,),) = client.rows(f"SELECT {DIALECT.week.format('day')} FROM (SELECT '' AS day)")
    assert number not in weeks


def test_what_a_stranger_pushed_is_named(two_servers: Servers, whole: History) -> None:
    """A row that no m31 writes is a sentence and no traceback; a path in it is not believed."""
    with a_database(two_servers) as database:
        client = two_servers.client(database)
        row = nested(next(whole.kept([whole.sessions(Slice())[0].ref])), 1, owner(0))
        client.insert("raw", b"".join(lines_of([row])), {"insert_distributed_sync": 1})
        (told,) = FleetReading(client).sessions(Slice())
        assert (row["path"] != "", told.path) == (True, "")
        row |= {"revision": 2, "labels": "[1", "rate_limits": '{"a": 1}'}
        client.insert("raw", b"".join(lines_of([row])), {"insert_distributed_sync": 1})
        for ask in (FleetReading(client).sessions, FleetReading(client).rate_limits):
            with pytest.raises(FleetRefused, match="holds a session that this m31 cannot read"):
                ask(Slice())


def test_a_bucket_holds_more_than_32_bits(two_servers: Servers) -> None:
    """The calls of all machines together, however many a bucket gets."""
    ran = Histogram({5: 2**32 - 1}, 1.0)
    some = [
        replace(record, tools=[ToolDay(DAYS[0], "Bash", "", ran)]) for record in records(5, seed=1)
    ]
    with a_database(two_servers) as database, index_of(some) as history:
        pushed(two_servers.client(database), history)
        (row,) = FleetReading(two_servers.client(database)).tools(Slice())
        assert row.ran.buckets == {5: 5 * (2**32 - 1)}
        assert [row] == history.tools(Slice())


def test_no_answer_is_larger_than_is_allowed(
    fleet: FleetReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine refuses what gives more rows, in a sentence that says how to ask for less."""
    with pytest.raises(FleetRefused, match=r"more than 100,000 rows.*--since"):
        list(fleet.ask(Query(f"SELECT number FROM system.numbers LIMIT {2 * ROWS_MAX}")))
    monkeypatch.setattr(reading, "_FAILURES_AT_ONCE", 2)
    named = [row.session_ids for row in fleet.failures(Slice())]
    monkeypatch.undo()
    assert named == [row.session_ids for row in fleet.failures(Slice())]
    assert len(named) == len(TOOLS) * len(LINES)


def test_a_hundred_thousand_names_are_a_short_text(fleet: FleetReading) -> None:
    """What is asked has nothing of the names that there are: a text may have 256 KiB."""
    asked: list[str] = []

    class Noting(FleetReading):
        def ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
            asked.append(query.text)
            return super().ask(query)

    noting = Noting(fleet.client)
    noting.tools(Slice(project="a", branch="f*", model="o*"), "project")
    noting.sessions(Slice(project="a", branch="f*", model="o*"))
    assert len(asked) == 2
    assert not any(name in text for text in asked for name in (*PROJECTS, *BRANCHES) if name)
    assert max(map(len, asked)) < 8_000
