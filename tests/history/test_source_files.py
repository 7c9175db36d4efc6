"""Each event counts once, in the same session, in whatever order files are read and vanish."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.history import MEMORY, Fresh, History, SourceFile, source_files
from m31a_metrics.history.ownership import Files
from m31a_metrics.history.packing import unpacked, unpacked_whole
from m31a_metrics.history.source_files import hashed
from m31a_metrics.record import SessionRecord, ToolDay
from m31a_metrics.transcript import SessionRef
from m31a_metrics.witnesses import COPY, HOOKS, TRANSCRIPT

DAY = "2026-01-01"


class File(Struct, frozen=True):
    """A file as a machine invents it: every event is a call."""

    path: str
    native_id: str
    started_us: int
    ids: tuple[str, ...]
    agent: str = "pi"
    rank: int = TRANSCRIPT
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def stamp(self) -> bytes:
        """How it looks."""
        return repr(self).encode()

    def record(self, skip: Iterable[int] = ()) -> SessionRecord:
        """What reading it gives, without some events."""
        left_out = set(skip)
        count = sum(number not in left_out for number in hashed(self.ids))
        tools = [ToolDay(DAY, "Bash", call_count=count)] if count else []
        return SessionRecord(
            self.agent,
            self.native_id,
            self.native_id,
            self.path,
            started_us=self.started_us,
            updated_us=self.started_us,
            user_turn_count=1,
            tools=tools,
            labels=dict(self.labels),
        )

    def source_file(self) -> SourceFile:
        """What the index is told of it."""
        ids = hashed(self.ids) if self.rank != HOOKS else []
        return SourceFile(
            self.path,
            "kind",
            self.stamp,
            self.agent,
            self.native_id,
            self.rank,
            self.started_us,
            ids,
        )


def take(history: History, files: Iterable[File]) -> None:
    """Let the index read these files, without settling what needs another reading."""
    history.take([(file.source_file(), file.record()) for file in files])


def settle(history: History, files: dict[str, File]) -> None:
    """Read again what waits, as it looks now; a file that is gone cannot be read."""
    for _ in range(5):
        waiting = history.unreconciled()
        fresh: Fresh = {
            part: files[part.path].record(part.skip)
            for _, parts in waiting
            for part in parts
            if part.path in files
        }
        history.reconcile([group for group, _ in waiting], fresh)
    assert history.unreconciled() == []


def rows(history: History) -> list[SessionRow]:
    """All sessions, in an order of their own."""
    return sorted(history.sessions(Slice()), key=lambda row: (row.agent, row.native_id))


def made_of(history: History) -> list[tuple[object, ...]]:
    """Of what plan each session was made: what it tells of copies, no row shows."""
    query = "SELECT agent, native_id, made_of FROM sessions ORDER BY agent, native_id"
    return history.connection.execute(query).fetchall()


def assert_made_as_at_once(history: History, files: dict[str, File]) -> None:
    """Check that an index is what one would be that reads these files all at once."""
    with History(MEMORY) as at_once:
        take(at_once, files.values())
        settle(at_once, files)
        assert rows(history) == rows(at_once)
        assert made_of(history) == made_of(at_once)


def index_of(files: Iterable[File]) -> list[SessionRow]:
    """The sessions of an index that reads all files at once."""
    by_path = {file.path: file for file in files}
    with History(MEMORY) as history:
        take(history, by_path.values())
        settle(history, by_path)
        return rows(history)


ids = st.lists(st.sampled_from("abcdef"), max_size=5, unique=True).map(tuple)
files = st.builds(
    File,
    st.sampled_from(["/1", "/2", "/3", "/4"]),
    st.sampled_from(["n1", "n2", "n3"]),
    st.integers(1, 3),
    ids,
    st.sampled_from(["pi", "pi", "qwen"]),
)


def kept(history: History) -> dict[str, list[tuple[object, ...]]]:
    """What is in the index, without the numbers that it gives out."""
    found = {}
    for table in ("sources", "sessions", "session_days", "unreconciled"):
        columns = [row[1] for row in history.connection.execute(f"PRAGMA table_info({table})")]
        named = ", ".join(one for one in columns if one not in ("source", "session"))
        query = f"SELECT {named} FROM {table} ORDER BY {named}"  # noqa: S608 - names of ours
        found[table] = history.connection.execute(query).fetchall()
    found["ids"] = history.connection.execute(
        "SELECT held >> 24, path FROM ids JOIN sources ON source = held & 16777215 ORDER BY 1, path"
    ).fetchall()
    found["rollups"] = [
        (*place, unpacked_whole(whole), sorted(unpacked(cells).items()))
        for *place, whole, cells in history.connection.execute(
            "SELECT project, grain, span, agent, whole_tool_days, tool_days FROM rollups "
            "ORDER BY 1, 2, 3, 4"
        )
        if cells
    ]
    return found


@given(st.lists(files, min_size=1, max_size=6, unique_by=lambda file: file.path), st.booleans())
def test_files_that_share_nothing_are_kept_as_if_they_were_planned(
    some: list[File], is_first: bool
) -> None:
    """All at once or one by one, by plans or without: the index holds the same."""
    with (
        History(MEMORY) as planned,
        History(MEMORY) as at_once,
        pytest.MonkeyPatch.context() as patch,
    ):
        for history in (planned, at_once):
            if not is_first:
                take(history, [File("/0", "n1", 1, ("a", "z")), File("/9", "n9", 1, ("y",))])
        take(at_once, some)
        patch.setattr(source_files, "note_lone", lambda *_: set())
        take(planned, some)
        assert kept(at_once) == kept(planned)


LEFT = [
    [File("/1", "n1", 1, ())],
    [File("/2", "n2", 1, ()), File("/1", "n2", 2, ("a",)), File("/3", "n1", 1, ("a",))],
    [File("/2", "n1", 1, (), "qwen")],
]
"""A session loses the file that made it the earlier one: what it shares counts elsewhere now."""
LATER = [
    [
        File("/1", "n1", 1, ("a", "x")),
        File("/2", "n2", 2, ("b", "y")),
        File("/3", "n3", 4, ("a", "b")),
    ],
    [File("/1", "n1", 3, ("a", "x"))],
]
"""A session begins later than it did: of the copy another tells, which shares nothing with it."""
SHRUNK = [
    [File("/1", "n1", 1, ("a", "b")), File("/2", "n2", 2, ("a", "b", "c"))],
    [File("/2", "n2", 2, ("a", "b"))],
]
"""A fork loses all that was its own: it is a copy, of which the other session tells."""


@given(
    st.lists(
        st.tuples(st.lists(files, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=6
    )
)
@example([(batch, False) for batch in LEFT])
def test_the_order_of_refreshes_does_not_matter(batches: list[tuple[list[File], bool]]) -> None:
    """Files that come and change, in any order and batches, end as read at once: counted once."""
    now: dict[str, File] = {}
    with History(MEMORY) as history:
        for states, is_settled in batches:
            batch = {file.path: file for file in states}
            now |= batch
            take(history, batch.values())
            if is_settled:
                settle(history, now)
        settle(history, now)
        assert_made_as_at_once(history, now)
        counted = sum(row.call_count for row in rows(history))
    assert counted == len({(file.agent, one) for file in now.values() for one in file.ids})


@pytest.mark.parametrize("batches", [LEFT, LATER, SHRUNK], ids=["left", "later", "shrunk"])
def test_sessions_follow_what_others_become(batches: list[list[File]]) -> None:
    """A session whose own files stay as they are is made again where another's change moves it."""
    now: dict[str, File] = {}
    with History(MEMORY) as history:
        for batch in batches:
            now |= {file.path: file for file in batch}
            take(history, batch)
            settle(history, now)
        assert_made_as_at_once(history, now)


def test_a_session_that_loses_a_file_gives_up_what_it_shares() -> None:
    """When the file that made a session the earlier one is gone, shared events count elsewhere."""
    files = {
        "/1": File("/1", "n1", 1, ("z",)),
        "/2": File("/2", "n1", 3, ("a", "x")),
        "/3": File("/3", "n2", 2, ("a", "y")),
    }
    with History(MEMORY) as history:
        take(history, files.values())
        settle(history, files)
        assert [row.call_count for row in rows(history)] == [3, 1]
        history.take_gone(["/1"])
        del files["/1"]
        settle(history, files)
        assert rows(history)[1].call_count == 2


@given(
    st.lists(files, min_size=1, max_size=4, unique_by=lambda file: file.path),
    st.permutations(["/1", "/2", "/3", "/4"]),
    st.integers(0, 4),
)
def test_what_is_gone_stays_counted(states: list[File], order: list[str], gone_count: int) -> None:
    """Files that vanish, some of them or all, take no event with them, and none counts twice."""
    now = {
        file.path: File(file.path, file.path, file.started_us, file.ids, file.agent)
        for file in states
    }
    with History(MEMORY) as history:
        take(history, now.values())
        settle(history, now)
        before = rows(history)
        left = dict(now)
        for path in order[:gone_count]:
            history.take_gone([path])
            left.pop(path, None)
            settle(history, left)
        after = rows(history)
        assert [row.call_count for row in after] == [row.call_count for row in before]
        assert [row.is_gone for row in after] == [row.native_id not in left for row in after]
        take(history, now.values())  # and they come back
        settle(history, now)
        assert rows(history) == before


def test_the_transcript_goes_before_hooks_and_copies() -> None:
    """The best of a session's files is what it is read from, whichever came first."""
    transcript = File("/t", "n", 1, ("a", "b"))
    hooks = File("/h", "n", 1, ("a",), rank=HOOKS)
    copy = File("/c", "n", 1, ("a", "b", "c"), rank=COPY)
    for order in ([transcript, hooks, copy], [copy, hooks, transcript], [hooks, transcript]):
        (row,) = index_of(order)
        assert (row.path, row.call_count) == ("/t", 2)
    (row,) = index_of([hooks, copy])
    assert (row.path, row.call_count) == ("/c", 3)
    (row,) = index_of([hooks])
    assert row.path == "/h"


def test_one_file_of_a_session_takes_what_only_hooks_know() -> None:
    """The others are joined field by field, or what no file of a session has would count twice."""
    files = [
        File("/a", "n", 1, ("a", "b")),
        File("/b", "n", 1, ("c",)),
        File("/h", "n", 1, ("a",), rank=HOOKS),
        File("/c", "n", 1, ("a",), rank=COPY),
    ]
    with History(MEMORY) as history:
        take(history, files)
        first, second = Files(history.connection).parts(SessionRef("pi", "n"))
    assert [path for path, _ in first.witnesses] == [path for path, _ in second.witnesses]
    assert [path for path, _ in first.witnesses] == ["/c", "/h"]
    assert (first.path, first.only_fields) == ("/a", False)
    assert first.skip == set(hashed(["c"]))  # nor is it hooks' to add what the other tells of
    assert (second.path, second.only_fields, second.skip) == ("/b", True, frozenset())


def test_a_gone_transcript_stays_beside_hooks() -> None:
    """Hooks may hold less than what was read of a transcript, so that stays when it is gone."""
    files = {"/t": File("/t", "n", 1, ("a", "b")), "/h": File("/h", "n", 1, ("a",), rank=HOOKS)}
    with History(MEMORY) as history:
        take(history, files.values())
        settle(history, files)
        history.take_gone(["/t"])
        (row,) = rows(history)
        assert (row.path, row.call_count, row.is_gone) == ("/t", 2, False)
        history.take_gone(["/h"])
        (row,) = rows(history)
        assert (row.path, row.call_count, row.is_gone) == ("/t", 2, True)


def test_a_copy_counts_where_the_transcript_is_gone() -> None:
    """An imported copy takes over, and what it shares with others still counts once."""
    files = {
        "/t": File("/t", "n", 1, ("a", "b")),
        "/c": File("/c", "n", 1, ("a", "b"), rank=COPY),
        "/f": File("/f", "fork", 2, ("a", "b", "x")),
    }
    with History(MEMORY) as history:
        take(history, files.values())
        settle(history, files)
        assert [(row.path, row.call_count) for row in rows(history)] == [("/f", 1), ("/t", 2)]
        history.take_gone(["/t"])
        settle(history, files)
        assert [(row.path, row.call_count) for row in rows(history)] == [("/f", 1), ("/c", 2)]
        assert not any(row.is_gone for row in rows(history))


def test_an_older_state_of_a_transcript_is_no_session() -> None:
    """A copy of a transcript's beginning, of the same session, adds neither session nor turn."""
    old, new = File("/a", "n", 1, ("a",)), File("/b", "n", 1, ("a", "b"))
    for order in ([old, new], [new, old]):
        (row,) = index_of(order)
        assert (row.path, row.call_count, row.user_turn_count) == ("/b", 2, 1)


def test_a_file_that_is_a_session_no_more_is_forgotten() -> None:
    """What became part of another session goes, and its events count there."""
    files = {"/a": File("/a", "n1", 1, ("a", "b")), "/b": File("/b", "n2", 2, ("a", "b"))}
    with History(MEMORY) as history:
        take(history, files.values())
        settle(history, files)
        assert [row.path for row in rows(history)] == ["/a"]
        history.take_gone([], ["/a"])
        settle(history, files)
        assert [(row.path, row.call_count) for row in rows(history)] == [("/b", 2)]


def test_two_processes_refresh_at_once(tmp_path: Path) -> None:
    """Both read the same files in two orders, and settle what the other left: counted once."""
    path = str(tmp_path / "metrics.db")
    files = {
        "/a": File("/a", "n1", 2, ("a", "b")),
        "/b": File("/b", "n2", 1, ("b", "c")),
        "/c": File("/c", "n3", 3, ("a", "c", "d")),
    }
    with History(path) as one, History(path) as other:
        take(one, [files["/a"]])
        take(other, [files["/c"], files["/b"]])
        take(one, [files["/b"], files["/c"]])
        take(other, [files["/a"]])
        settle(other, files)
        assert rows(one) == rows(other) == index_of(files.values())
        assert sum(row.call_count for row in rows(one)) == 4


def test_a_failure_keeps_what_is_known() -> None:
    """A file that cannot be read any more is named, and its session stays as it was."""
    with History(MEMORY) as history:
        take(history, [File("/a", "n", 1, ("a",))])
        history.take_failure("/a", "kind", b"new", "/a: damaged")
        history.take_failure("/b", "kind", b"new", "/b: no transcript")
        assert [row.path for row in rows(history)] == ["/a"]
        assert history.problems() == [
            ("pi", "/a", "/a: damaged"),
            ("kind", "/b", "/b: no transcript"),
        ]
        assert history.sources() == {"/a": ("kind", b"new"), "/b": ("kind", b"new")}
        history.take_gone(["/a", "/b"])
        assert history.problems() == []
        assert set(history.sources()) == set()


def test_an_id_is_the_same_number_everywhere() -> None:
    """In every process, beside whatever other ids; no two of the strangest are one."""
    strange = ["", "\0", "a\0b", "\ud800", "\udc80", "x" * 1_000_000, "x" * 1_000_001]
    numbers = hashed(["msg_1", *strange])
    assert numbers[0] == hashed(["msg_1"])[0]
    assert len(set(numbers)) == len(numbers)
    assert all(-(2**63) <= number < 2**63 for number in numbers)
    if sys.byteorder == "little":
        assert numbers[0] == 8_277_455_116_616_230_395
    assert hashed([]) == []
