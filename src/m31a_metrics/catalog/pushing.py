"""Pushing sessions to a fleet: which may go, what differs from what went, and sending that.

The index is the spool: its table `pushed` says what a fleet has of this machine, and each batch
is noted there once the fleet has taken it. Whatever happens in between, the next push sends it
again, which changes nothing: of two rows of a session the one of the greater revision counts,
and what is sent again has the same. So a push may be killed anywhere, and several machines may
tell of one session: the one that saw more of it is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from hashlib import blake2b
from os import path as os_path
from typing import Any

from msgspec import Struct, json
from msgspec.structs import replace

from m31a_metrics import __version__, sources
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.fleet import zone_name
from m31a_metrics.catalog.open_index import OpenIndex, ask
from m31a_metrics.catalog.projects import repository_name
from m31a_metrics.catalog.refresh import Progress, quiet
from m31a_metrics.config import Config
from m31a_metrics.errors import IndexUnusable
from m31a_metrics.fleet.address import destination_of
from m31a_metrics.fleet.client import Client, lines_of
from m31a_metrics.fleet.identity import Who, without_homes
from m31a_metrics.folding.nested import (
    NESTS,
    TOMBSTONE,
    Kept,
    columns_of,
    nested,
    session_key,
    tombstone,
)
from m31a_metrics.history import History, zones
from m31a_metrics.history.pushed import FORGOTTEN, GONE, LEFT, THERE, Look, Pushed
from m31a_metrics.timestamps import in_zone
from m31a_metrics.transcript import SessionRef

BATCH_BYTES = 8 << 20
"""So much goes in one insert, at most: a server takes some hundred times that to sort it in."""

_MONTHS_MAX = 50
"""So many partitions one insert may touch, at most: servers refuse more than 100."""
_MARK_BYTES, _LOOK_BYTES = 16, 8
_SETTINGS: Mapping[str, str | int] = {"insert_distributed_sync": 1}
"""Without it a cluster says that it has what lies on the disk of one of its nodes only."""


class Project(Struct):
    """A project as a fleet calls it; `goes`: the configuration names it."""

    name: str
    goes: bool
    session_count: int = 0


class Going(Struct):
    """A session that may go: its number in fleets, its project's name, and what went of it.

    `look` stands for how the index has it and what is told of it.
    """

    ref: SessionRef
    key: int
    project: str
    look: bytes
    before: Pushed | None

    @property
    def is_unchanged(self) -> bool:
        """Tell whether it is as it was when it was pushed, as far as a look tells."""
        before = self.before
        return (
            before is not None
            and before.state == THERE
            and (before.look, before.project) == (self.look, self.project)
        )


class Telling(Struct, frozen=True):
    """How sessions are told of: by whom, and with `failures` the lines of failures.

    `home` is the person's own folder, of which no path goes.
    """

    who: Who
    failures: bool = True
    home: str = ""

    @property
    def mark(self) -> bytes:
        """Stands for it, and for the rules by which this version tells."""
        return f"{self!r} {__version__}".encode("utf-8", "surrogateescape")


class Plan(Struct):
    """What of an index may go to a fleet.

    `going` are the sessions of projects that are named; `ending` is what the fleet is to be
    told of the end of.
    """

    destination: str
    projects: list[Project]
    telling: Telling
    going: list[Going]
    ending: list[Pushed]
    is_first: bool
    """Whether nothing went to this fleet before."""


class Difference(Struct):
    """What a fleet is to be told of a session; `lines` b"": that it has it already."""

    lines: bytes
    now: Pushed | None
    session: int
    months: Sequence[str] = ()


class Sent(Struct):
    """How much went: sessions that the fleet did not have so, and those that it has no more."""

    session_count: int = 0
    ended_count: int = 0
    byte_count: int = 0


@contextmanager
def spool(
    config: Config,
    environ: Mapping[str, str],
    *,
    all_folders: bool = False,
    progress: Progress = quiet,
) -> Iterator[OpenIndex]:
    """Open the index of a fleet's time zone, brought up to date, while this process is in it.

    Raises ConfigError for a zone that is none, IndexUnusable where the index cannot be kept,
    and what asking raises.
    """
    name = zone_name(config)
    with (
        in_zone(name),
        ask(config, {**environ, "TZ": name}, all_folders=all_folders, progress=progress) as index,
    ):
        if index.is_in_memory:
            raise IndexUnusable(f"{index.notes[0]}; so nothing can be pushed")
        yield index


def plan(history: History, destination: str, named: Sequence[str] | None, telling: Telling) -> Plan:
    """Find what of an index may go to a fleet: the sessions of projects that are `named`.

    By whole names or patterns with `*`; None names none.
    """
    known = history.pushed(destination)
    named_by = _Names(known, telling.home)
    mark = telling.mark
    projects: dict[str, Project] = {}
    going: list[Going] = []
    there: set[int] = set()
    for look in history.looks():
        key = key_of(look)
        there.add(key)
        name = named_by.name(look.project, key)
        project = projects.get(name)
        if project is None:
            project = projects[name] = Project(name, _is_named(name, named or ()))
        project.session_count += 1
        before = known.get(key)
        # What is being taken out for good, nothing would bring back.
        if project.goes and (before is None or before.state != FORGOTTEN):
            own = blake2b(look.look + mark, digest_size=_LOOK_BYTES).digest()
            going.append(Going(look.ref, key, name, own, before))
    ending = [
        one
        for one in known.values()
        if one.state == FORGOTTEN or (one.state == LEFT and one.session not in there)
    ]
    ordered = sorted(projects.values(), key=_most)
    return Plan(destination, ordered, telling, going, ending, is_first=not known)


def never_pushed(config: Config, rows: Iterable[SessionRow], home: str) -> list[SessionRow]:
    """Choose the sessions that the configured fleet is to have and that never went there.

    Raises ConfigError for an address that is none.
    """
    to, named = config.fleet.get("to", ""), config.fleet.get("projects") or ()
    rows = list(rows)
    if not rows or not to or not named:
        return []
    destination = destination_of(to)
    known: set[int] = set()
    for path in zones.paths(config.index):
        with History(path) as history:
            known.update(history.pushed(destination))
    return [
        row
        for row in rows
        if key_of(row) not in known and _is_named(repository_name(row.project, home), named)
    ]


def key_of(session: Look | SessionRow) -> int:
    """The number of a session in fleets.

    Agents give ids that differ among all machines. A recording is told by its start, too, and
    so is what another package reads: whether that is installed must not make it another one.
    """
    if session.ref.agent in sources.SOURCES:
        return session_key(*session.ref)
    return session_key(*session.ref, session.started_us)


def _is_named(project: str, named: Iterable[str]) -> bool:
    return any(fnmatchcase(project, pattern) for pattern in named)


def _most(project: Project) -> tuple[int, str]:
    return -project.session_count, project.name


class _Names:
    """What projects are called in a fleet; one whose folder is gone as it was called before."""

    def __init__(self, known: Mapping[int, Pushed], home: str) -> None:
        self._known = known
        self._home = home
        self._names: dict[str, str] = {}
        self._gone: set[str] = set()

    def name(self, project: str, key: int) -> str:
        name = self._names.get(project)
        if name is None:
            name = self._names[project] = repository_name(project, self._home)
            if project.startswith("/") and not os_path.isdir(project):
                self._gone.add(project)
        if project in self._gone and key in self._known:
            before = self._known[key].project
            if before:
                self._names[project] = name = before
                self._gone.discard(project)
        return name


def differences(history: History, plan: Plan) -> Iterator[Difference]:
    """Find what the fleet has not, or has otherwise."""
    yield from map(_end_of, plan.ending)
    for one in plan.going:
        if not one.is_unchanged:
            for kept in history.kept([one.ref]):
                yield _difference(one, kept, _told(kept, one, plan.telling))


def _end_of(one: Pushed) -> Difference:
    is_forgotten = one.state == FORGOTTEN
    revision = TOMBSTONE if is_forgotten else one.revision + 1
    now = None if is_forgotten else replace(one, revision=revision, mark=b"", look=b"", state=GONE)
    row = tombstone(one.session, one.first_day, revision)
    return Difference(b"".join(lines_of([row])), now, one.session, (one.first_day[:7],))


def _difference(one: Going, kept: Kept, told: bytes) -> Difference:
    key, look, before = one.key, one.look, one.before
    mark = blake2b(told, digest_size=_MARK_BYTES).digest()
    if before is not None and before.mark == mark:
        now = replace(before, look=look, state=THERE, project=one.project)
        return Difference(b"", now, key)
    # Never less than what went before: a file that is read again may end earlier.
    revision: int = max(kept.facts["updated_us"], before.revision + 1 if before else 0)
    first_day: str = kept.facts["first_day"]
    lines, months = b"", [first_day[:7]]
    if before is not None and before.first_day[:7] not in months:
        # Whoever drops one of the two partitions must not bring back what was in the other.
        lines = b"".join(lines_of([tombstone(key, before.first_day, revision)]))
        months.append(before.first_day[:7])
        revision += 1
    lines += b'{"revision":%d,' % revision + told[1:]
    now = Pushed(key, revision, mark, look, first_day, one.project)
    return Difference(lines, now, key, months)


def _told(kept: Kept, one: Going, telling: Telling) -> bytes:
    """Write a session's row without its revision, and without what names a place."""
    project = one.project
    facts = kept.facts | {"path": "", "worktree": "", "project": project}
    models: list[str] = json.decode(facts["models"])
    names = (facts["session_id"], facts["native_id"], project, facts["branch"], facts["agent"])
    row = nested(
        replace(
            kept,
            facts=facts,
            search="\n".join((*names, *models)).lower(),
            rows=kept.rows if telling.failures else _without_lines(kept.rows),
        ),
        0,
        {"machine": telling.who.machine, "user": telling.who.user},
    )
    del row["revision"]
    row["session"] = one.key
    return without_homes(b"".join(lines_of([row])), telling.home)


def _without_lines(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Take the failure lines away; how often a tool failed stays."""
    counted: dict[tuple[str, str], int] = {}
    for day, tool, _, count in rows["failures"]:
        counted[day, tool] = counted.get((day, tool), 0) + count
    heals = next(columns_of(nest) for nest in NESTS if nest.table == "heals")
    at = heals.index("line")
    return rows | {
        "failures": [(day, tool, "", count) for (day, tool), count in counted.items()],
        "heals": [(*row[:at], "", *row[at + 1 :]) for row in rows["heals"]],
    }


def push(
    history: History,
    client: Client,
    plan: Plan,
    found: Iterable[Difference],
    *,
    progress: Progress = quiet,
) -> Sent:
    """Send what differs, a batch at a time, and keep what went.

    Raises FleetRefused and FleetUnreachable, with all before them sent and kept, and IndexLocked.
    """
    sent = Sent()
    total = len(plan.ending) + sum(not one.is_unchanged for one in plan.going)
    done = 0
    for batch in _batches(found):
        lines = b"".join(one.lines for one in batch)
        if lines:
            client.insert("raw", lines, _SETTINGS)
        history.note_pushed(
            plan.destination,
            [one.now for one in batch if one.now is not None],
            [one.session for one in batch if one.now is None],
        )
        went = [one for one in batch if one.lines]
        ended = sum(one.now is None or one.now.state == GONE for one in went)
        sent.ended_count += ended
        sent.session_count += len(went) - ended
        sent.byte_count += len(lines)
        done += len(batch)
        progress(done, total)
    return sent


def count_there(history: History, destination: str) -> int:
    """How many of this machine's sessions a fleet has."""
    return sum(one.state == THERE for one in history.pushed(destination).values())


def _batches(found: Iterable[Difference]) -> Iterator[list[Difference]]:
    batch: list[Difference] = []
    byte_count, months = 0, set[str]()
    for one in found:
        touched = months.union(one.months)
        if batch and (byte_count + len(one.lines) > BATCH_BYTES or len(touched) > _MONTHS_MAX):
            yield batch
            batch, byte_count, touched = [], 0, set(one.months)
        batch.append(one)
        byte_count += len(one.lines)
        months = touched
    if batch:
        yield batch
