"""Append-only events on disk: writers, readers, tails of the dead, damaged lines."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import ForeignFile, MetricsError, StorageError, journal
from m31a_metrics.events import SessionStart, ToolCall, encode
from m31a_metrics.journal.mend import mend
from m31a_metrics.journal.writer import WINDOW_BYTES, Extent
from tests import children

CALL = ToolCall(1, "Bash", True, 1)
LINE = encode(CALL) + b"\n"


def numbered(number: int) -> bytes:
    """A line that tells which one it is."""
    return encode(ToolCall(number, "Bash", True, 1)) + b"\n"


def write(directory: Path, data: bytes, name: str = "1-aa.jsonl") -> str:
    """A journal of these bytes; its name."""
    (directory / name).write_bytes(data)
    return name


def times(directory: Path, name: str) -> list[int]:
    """The times of a journal's events, which must have no damaged lines."""
    read = journal.read(str(directory), name)
    assert not read.damaged
    return [event.t_us for event in read.events]


# ---- writing


@pytest.fixture(params=[True, False], ids=["mapped", "by write"])
def mapped(request: pytest.FixtureRequest) -> bool:
    """Both ways of appending, whatever file system the tests run on."""
    way: bool = request.param
    return way


def test_lines_are_there_at_once(tmp_path: Path, *, mapped: bool) -> None:
    """What `append` returned from is in the file, without a flush of any kind."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    for number in range(10):
        writer.append(numbered(number))
        assert times(tmp_path, writer.name) == list(range(number + 1))
        assert writer.length == len(LINE) * (number + 1)
    writer.close()


def test_the_name_tells_the_process(tmp_path: Path) -> None:
    """`<pid>-<8 hex>.jsonl`, one file per writer."""
    one, two = journal.Writer(str(tmp_path)), journal.Writer(str(tmp_path))
    for writer in (one, two):
        pid, _, rest = writer.name.partition("-")
        assert pid == str(os.getpid())
        assert len(rest.removesuffix(".jsonl")) == 8
    assert sorted(os.listdir(tmp_path)) == sorted([one.name, two.name])
    one.close()
    two.close()


def test_the_file_grows_by_windows(tmp_path: Path) -> None:
    """Lines go on in the next window; the file ends in empty lines until it is closed."""
    writer = journal.Writer(str(tmp_path), mapped=True)
    number = 0
    while writer.length < 3 * WINDOW_BYTES:
        writer.append(numbered(number))
        number += 1
    path = tmp_path / writer.name
    assert path.stat().st_size == 4 * WINDOW_BYTES
    assert path.read_bytes()[writer.length :].strip(b"\n") == b""
    assert times(tmp_path, writer.name) == list(range(number))
    writer.close()
    assert path.stat().st_size == writer.length
    assert path.read_bytes().endswith(b"}\n")
    assert times(tmp_path, writer.name) == list(range(number))


@pytest.mark.parametrize(
    "size",
    [
        WINDOW_BYTES - 1,
        WINDOW_BYTES,
        WINDOW_BYTES + 1,
        WINDOW_BYTES + mmap.PAGESIZE,
        3 * WINDOW_BYTES + 17,
    ],
)
def test_long_lines(tmp_path: Path, size: int, *, mapped: bool) -> None:
    """A line of any length is written whole, between others."""
    bare = len(encode(ToolCall(2, "", True, 1))) + 1
    line = encode(ToolCall(2, "x" * (size - bare), True, 1)) + b"\n"
    assert len(line) == size
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    for one in (numbered(1), line, numbered(3), line, numbered(5)):
        writer.append(one)
    assert times(tmp_path, writer.name) == [1, 2, 3, 2, 5]
    writer.close()
    assert times(tmp_path, writer.name) == [1, 2, 3, 2, 5]


@given(lengths=st.lists(st.integers(1, 2 * WINDOW_BYTES), max_size=12), mapped=st.booleans())
def test_lines_of_any_lengths(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], *, mapped: bool
) -> None:
    """Whatever the lengths, every line is read back, in order."""
    directory = tmp_path_factory.mktemp("j")
    writer = journal.Writer(str(directory), mapped=mapped)
    for number, length in enumerate(lengths):
        writer.append(encode(ToolCall(number, "x" * length, True, 1)) + b"\n")
    assert times(directory, writer.name) == list(range(len(lengths)))
    writer.close()
    assert times(directory, writer.name) == list(range(len(lengths)))
    assert (directory / writer.name).stat().st_size == writer.length


def test_threads_share_a_writer(tmp_path: Path, *, mapped: bool) -> None:
    """Lines of eight threads never meet, across many windows."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)

    def record(thread: int) -> None:
        for number in range(3000):
            writer.append(numbered(thread * 10_000 + number))

    threads = [threading.Thread(target=record, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    found = times(tmp_path, writer.name)
    assert sorted(found) == [
        thread * 10_000 + number for thread in range(8) for number in range(3000)
    ]
    assert [t_us for t_us in found if t_us < 10_000] == list(range(3000))


def test_closed_is_closed(tmp_path: Path) -> None:
    """Closing twice is closing once; nothing can be appended any more, and the length stays."""
    writer = journal.Writer(str(tmp_path), mapped=True)
    writer.append(LINE)
    writer.close()
    writer.close()
    with pytest.raises(StorageError, match=f"cannot write {writer.path}: it is closed"):
        writer.append(LINE)
    with pytest.raises(ValueError, match="range"):
        writer.write(LINE)
    assert writer.length == len(LINE)
    by_write = journal.Writer(str(tmp_path), mapped=False)
    by_write.append(LINE)
    by_write.close()
    by_write.close()
    for write in (by_write.append, by_write.write):
        with pytest.raises(StorageError, match=f"cannot write {by_write.path}: it is closed"):
            write(LINE)
    assert by_write.length == os.path.getsize(by_write.path) == len(LINE)


def test_closed_between_growing_and_the_line_that_needed_it(tmp_path: Path) -> None:
    """Where another thread grew the file and has written nothing yet, it ends with the last line.

    A file that ended in the window's empty lines was cut by the next flush, and was then
    taken for one that somebody else had cut.
    """
    writer = journal.Writer(str(tmp_path), mapped=True)
    writer.append(LINE)
    writer._grow(writer._window, len(LINE))
    assert writer.length == len(LINE)
    writer.close()
    assert writer.length == len(LINE)
    assert (tmp_path / writer.name).read_bytes() == LINE
    assert journal.trim(str(tmp_path), writer.name).cut_bytes == 0


def test_the_length_of_a_full_window(tmp_path: Path) -> None:
    """While another thread puts a new window in the place of a full one, its lines are known."""
    writer = journal.Writer(str(tmp_path), mapped=True)
    writer.append(LINE)
    writer._window.seek(0, os.SEEK_END)
    assert writer.length == len(LINE)
    writer.append(LINE)
    writer._window.seek(0, os.SEEK_END)
    assert writer.length == WINDOW_BYTES + len(LINE)
    writer.close()


def test_a_closed_journal_is_whole(tmp_path: Path, *, mapped: bool) -> None:
    """Closing cuts it to its lines; to a thread that looks then nobody has cut it short."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    writer.append(LINE)
    writer.close()
    assert writer.is_whole()
    os.truncate(writer.path, 3)
    assert not writer.is_whole()


def test_closed_while_another_thread_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that comes while the journal is closed is told so, and not that it was cut."""
    writer = journal.Writer(str(tmp_path), mapped=True)
    writer.append(LINE)
    look = writer._least

    def closed_then_looked() -> Extent:
        least = look()
        monkeypatch.undo()
        writer.close()
        return least

    monkeypatch.setattr(writer, "_least", closed_then_looked)
    with pytest.raises(StorageError, match="it is closed") as raised:
        writer.append(LINE)
    assert not isinstance(raised.value, journal.JournalLost)


def test_an_empty_journal(tmp_path: Path, *, mapped: bool) -> None:
    """Nothing was written: an empty file."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    assert writer.length == 0
    writer.close()
    assert (writer.length, (tmp_path / writer.name).stat().st_size) == (0, 0)
    assert times(tmp_path, writer.name) == []


def test_a_discarded_journal(tmp_path: Path, *, mapped: bool) -> None:
    """A journal that never took a line leaves nothing behind."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    writer.discard()
    assert os.listdir(tmp_path) == []


def test_no_directory(tmp_path: Path) -> None:
    """Where no file can be made, the message names it."""
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}/none/.*: No such file"):
        journal.Writer(f"{tmp_path}/none")
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}/none/hooks.jsonl: No such"):
        journal.append_shared(f"{tmp_path}/none", [b"{}"])


def test_a_forked_child_lets_go(tmp_path: Path, *, mapped: bool) -> None:
    """After `abandon` the parent's file is untouched, and its lock is the parent's alone."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    writer.append(LINE)
    size = (tmp_path / writer.name).stat().st_size

    def child() -> None:
        writer.abandon()
        assert journal.trim(str(tmp_path), writer.name).alive
        with pytest.raises((ValueError, StorageError), match="closed"):
            writer.write(LINE)

    assert children.run(child) == 0
    assert (tmp_path / writer.name).stat().st_size == size
    writer.append(LINE)
    writer.close()
    assert times(tmp_path, writer.name) == [1, 1]


def test_short_commands_share_a_file(tmp_path: Path) -> None:
    """Each append is led and ended by a line end, so that a torn one swallows nobody's."""
    journal.append_shared(str(tmp_path), [encode(CALL)])
    journal.append_shared(str(tmp_path), [encode(CALL), encode(CALL)])
    path = tmp_path / journal.SHARED
    assert path.read_bytes() == b"\n" + LINE + b"\n" + LINE + LINE
    with path.open("ab") as file:
        file.write(b'{"event":"tool_c')  # a writer that died
    journal.append_shared(str(tmp_path), [encode(CALL)])
    read = journal.read(str(tmp_path), journal.SHARED)
    assert (len(read.events), read.damaged) == (4, 1)
    assert read.reasons[0].startswith("line 6: ")


# ---- reading


def test_names_of_journals(tmp_path: Path) -> None:
    """Sorted; other files are none; a missing directory has none."""
    for name in ("b.jsonl", "a.jsonl", "base.json", ".covered", "a.jsonl.bad-1"):
        write(tmp_path, b"", name)
    assert journal.names(str(tmp_path)) == ["a.jsonl", "b.jsonl"]
    assert journal.names(f"{tmp_path}/none") == []
    assert journal.names(f"{tmp_path}/base.json") == []


def test_a_journal_that_is_gone_is_empty(tmp_path: Path) -> None:
    """It was removed between listing and reading."""
    read = journal.read(str(tmp_path), "none.jsonl")
    assert (read.events, read.length, read.damaged) == ([], 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        LINE * 3,
        LINE * 3 + b"\n" * 500,
        LINE * 3 + b"\0" * 500,
        LINE * 3 + b"\n" * 9 + b"\0" * 500,
        LINE * 2 + b"\n" * 300 + LINE,
        LINE * 2 + b"\0" * 300 + LINE,
        b"\n\n" + LINE + b"\r\n" + LINE * 2,
        (LINE * 3)[:-1],
        LINE * 3 + b'{"event":"tool_call","t_us":',
        LINE * 3 + b"{",
        LINE * 3 + b'{"usage":{"prompt_tokens":3}',
        LINE * 3 + b'{"name":"\xc3',
        LINE * 3 + b"\n" * 40 + LINE[32:],
        LINE * 3 + b"\n" * 16 + LINE[16:-20],
        b" " + LINE * 3,
    ],
)
def test_what_is_passed_over(tmp_path: Path, data: bytes) -> None:
    """Empty lines, NULs and a torn last line are no damage."""
    assert times(tmp_path, write(tmp_path, data)) == [1, 1, 1]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"}",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"event":"tool_call"}',
        b'{"event":"unheard_of","t_us":1}',
        b'{"t_us":1}',
        LINE[:40] + b"\0" * 40 + LINE[80:-1],
        LINE.replace(b":1,", b":-1,")[:-1],
        LINE.replace(b":1,", b":1e400,")[:-1],
        b'{"event":"counts","t_us":1,"metrics":{"started_at":"2026-01-01T00:00:00"}}',
        b'{"event":"counts","t_us":1,"metrics":{"tools":[{"call_count":' + b"9" * 400 + b"}]}}",
        b'{"event":"counts","t_us":1,"metrics":{"llms":[{"cost":1e999}]}}',
        b"[" * 100_000,
    ],
)
def test_damage_is_counted_and_named(tmp_path: Path, line: bytes) -> None:
    """A line that cannot be read costs itself alone, and is told by its number."""
    name = write(tmp_path, LINE + line + b"\n" + LINE + line + b"\n" + LINE)
    read = journal.read(str(tmp_path), name)
    assert [event.t_us for event in read.events] == [1, 1, 1]
    assert read.damaged == 2
    assert [reason.partition(": ")[0] for reason in read.reasons] == ["line 2", "line 4"]


def test_a_lost_line_end_costs_nothing(tmp_path: Path) -> None:
    """Two events in one line are two events, also where other lines are damaged."""
    data = LINE[:-1] + LINE
    assert len(journal.read(str(tmp_path), write(tmp_path, data)).events) == 2
    name = write(tmp_path, data + b"broken\n" + data)
    read = journal.read(str(tmp_path), name)
    assert (len(read.events), read.damaged) == (4, 1)
    mended = mend(str(tmp_path), name)
    assert mended is not None
    assert mended.damaged == [2]


def test_why_a_line_is_damaged_is_told_without_what_it_holds(tmp_path: Path) -> None:
    """Decoders quote what they cannot read, which may be anybody's words."""
    line = b'{"event":"my \'secret\' diary","t_us":1}\n'
    (reason,) = journal.read(str(tmp_path), write(tmp_path, line + LINE)).reasons
    assert reason == "line 1: Invalid value <text> - at `$[0].event`"


def test_a_damaged_last_line_is_damage(tmp_path: Path) -> None:
    """A last line that came to its end was not torn."""
    name = write(tmp_path, LINE + LINE.replace(b'"name"', b'"nume"'))
    assert journal.read(str(tmp_path), name).damaged == 1
    assert not journal.trim(str(tmp_path), name).torn_bytes


def test_not_every_line_is_named(tmp_path: Path) -> None:
    """All are counted; five are described."""
    name = write(tmp_path, b"x\n" * 100 + LINE)
    read = journal.read(str(tmp_path), name)
    assert (read.damaged, len(read.reasons), len(read.events)) == (100, 5, 1)


def test_only_a_beginning(tmp_path: Path) -> None:
    """The first bytes alone can be asked for."""
    name = write(tmp_path, LINE * 5)
    assert len(journal.read(str(tmp_path), name, len(LINE) * 2).events) == 2
    assert len(journal.read(str(tmp_path), name, 10**9).events) == 5
    assert journal.read(str(tmp_path), name, 0).length == 0


@given(st.binary(max_size=400))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever a journal holds, it is read, trimmed and mended, and nothing more is lost."""
    directory = tmp_path_factory.mktemp("j")
    name = write(directory, LINE + data + b"\n" + LINE)
    read = journal.read(str(directory), name)
    assert read.events[0] == read.events[-1] == CALL
    journal.trim(str(directory), name)
    mended = mend(str(directory), name)
    assert mended is not None
    assert mended.damaged_count + mended.unknown_count == read.damaged
    again = journal.read(str(directory), name)
    assert again.events == read.events
    assert again.damaged == mended.unknown_count


@pytest.mark.parametrize(
    ("data", "covered", "more"),
    [
        (LINE * 2, len(LINE) * 2, False),
        (LINE * 2, len(LINE), True),
        (LINE * 2 + b"\n\0\n" * 99_999, len(LINE) * 2, False),
        (LINE * 2 + b"\n" * 600_000 + b"{", len(LINE) * 2, True),
        (LINE, 10**9, False),
        (b"", 0, False),
    ],
)
def test_what_is_beyond(tmp_path: Path, data: bytes, covered: int, more: bool) -> None:
    """Only lines count, not the empty tail; a shorter file has nothing more to say."""
    assert journal.has_more(str(tmp_path), write(tmp_path, data), covered) is more


def test_beyond_what_cannot_be_opened(tmp_path: Path) -> None:
    """It may hold anything: the reader will say what is wrong."""
    assert journal.has_more(str(tmp_path), "none.jsonl", 0)


# ---- the tails of the dead


def test_a_dead_writers_tail(tmp_path: Path) -> None:
    """The empty tail goes, the lines stay; a second time there is nothing to do."""

    def die() -> None:
        writer = journal.Writer(str(tmp_path), mapped=True)
        for number in range(3):
            writer.append(numbered(number))
        os.kill(os.getpid(), signal.SIGKILL)

    assert children.run(die) == -signal.SIGKILL
    (name,) = journal.names(str(tmp_path))
    tail = WINDOW_BYTES - 3 * len(LINE)
    dry = journal.trim(str(tmp_path), name, dry=True)
    assert (dry.cut_bytes, dry.torn_bytes, dry.alive) == (tail, 0, False)
    assert (tmp_path / name).stat().st_size == WINDOW_BYTES
    assert journal.trim(str(tmp_path), name) == dry
    assert times(tmp_path, name) == [0, 1, 2]
    assert (tmp_path / name).read_bytes().endswith(b"}\n")
    assert journal.trim(str(tmp_path), name).cut_bytes == 0


@pytest.mark.parametrize(
    ("data", "kept", "torn"),
    [
        (LINE * 2, LINE * 2, 0),
        (LINE * 2 + b'{"ev', LINE * 2, 4),
        (LINE * 2 + b'{"ev\n\n\0\0', LINE * 2, 4),
        (LINE + b"\n\n" + LINE + b"\n", LINE + b"\n\n" + LINE, 0),
        (LINE[:-1], LINE[:-1], 0),
        (b'{"ev', b"", 4),
        (b"\0\n\0", b"", 0),
        (b"", b"", 0),
        (LINE + b'{"event":"new","x":"{"}\n', LINE + b'{"event":"new","x":"{"}\n', 0),
        (LINE + b"\n" * 16 + LINE[16:40], LINE + b"\n" * 16, 24),
        (LINE + b"\n" * 32 + LINE[32:] + b"\n", LINE + b"\n" * 32, len(LINE) - 33),
        (LINE + b"\n" + LINE[16:], LINE + b"\n" + LINE[16:], 0),
    ],
)
def test_what_is_cut(tmp_path: Path, data: bytes, kept: bytes, torn: int) -> None:
    """Empty lines at the end and a torn last line, and never anything that is whole."""
    name = write(tmp_path, data)
    trimmed = journal.trim(str(tmp_path), name)
    assert (tmp_path / name).read_bytes() == kept
    assert (trimmed.cut_bytes, trimmed.torn_bytes) == (len(data) - len(kept), torn)


def test_a_living_writer_is_not_touched(tmp_path: Path, *, mapped: bool) -> None:
    """Its lock tells, to this process and to any other."""
    writer = journal.Writer(str(tmp_path), mapped=mapped)
    writer.append(LINE)
    size = (tmp_path / writer.name).stat().st_size

    def look() -> None:
        assert journal.trim(str(tmp_path), writer.name).alive
        assert journal.trim(str(tmp_path), writer.name, dry=True).alive
        assert mend(str(tmp_path), writer.name) is None

    look()
    assert children.run(look) == 0
    assert (tmp_path / writer.name).stat().st_size == size
    writer.close()
    assert not journal.trim(str(tmp_path), writer.name).alive


def test_two_that_look_do_not_see_each_other(tmp_path: Path) -> None:
    """Looking takes the lock together with whoever else looks."""
    name = write(tmp_path, LINE + b"\n")
    with (tmp_path / name).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not journal.trim(str(tmp_path), name, dry=True).alive
        assert journal.trim(str(tmp_path), name).alive


def test_the_shared_journal_has_no_tail(tmp_path: Path) -> None:
    """Nobody can tell whether somebody is about to append to it, so nothing is cut."""
    write(tmp_path, LINE + b'{"ev', journal.SHARED)
    assert journal.trim(str(tmp_path), journal.SHARED).cut_bytes == 0
    assert (tmp_path / journal.SHARED).read_bytes() == LINE + b'{"ev'


# ---- damaged lines


def test_mending_keeps_what_it_blanks(tmp_path: Path) -> None:
    """The lines are copied beside the journal first; all others stay where they were."""
    name = write(tmp_path, LINE + b"broken\n" + numbered(2) + b"{}\n" + numbered(3) + b'{"torn')
    dry = mend(str(tmp_path), name, dry=True)
    assert dry is not None
    assert (dry.damaged, dry.unknown, dry.kept_as) == ([2, 4], [], "")
    mended = mend(str(tmp_path), name)
    assert mended is not None
    assert Path(mended.kept_as).read_bytes() == b"broken\n{}\n"
    kept = LINE + b"\n" * 7 + numbered(2) + b"\n" * 3 + numbered(3) + b'{"torn'
    assert (tmp_path / name).read_bytes() == kept
    assert journal.names(str(tmp_path)) == [name]
    again = mend(str(tmp_path), name)
    assert again is not None
    assert (again.damaged, again.kept_as) == ([], "")


def test_lines_of_a_newer_version_are_left(tmp_path: Path) -> None:
    """An event of an unknown kind is not damage, though this version cannot count it."""
    data = LINE + b'{"event":"thought","t_us":1}\n' + LINE
    name = write(tmp_path, data)
    mended = mend(str(tmp_path), name)
    assert mended is not None
    assert (mended.damaged, mended.unknown) == ([], [2])
    assert (tmp_path / name).read_bytes() == data


def test_appending_while_it_is_mended(tmp_path: Path) -> None:
    """Commands that append to the shared journal meanwhile lose nothing."""
    journal.append_shared(str(tmp_path), [b"broken", encode(SessionStart(1))])

    def append() -> None:
        for _ in range(300):
            journal.append_shared(str(tmp_path), [encode(CALL), b"broken"])

    pid = children.start(append)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        mend(str(tmp_path), journal.SHARED)
    mend(str(tmp_path), journal.SHARED)
    read = journal.read(str(tmp_path), journal.SHARED)
    assert (len(read.events), read.damaged) == (301, 0)


# ---- what is no journal


@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """A directory, a link or a pipe of that name is refused by name, and never waited for."""
    for name in ("1-aa.jsonl", journal.SHARED):
        path = tmp_path / name
        if kind == "directory":
            path.mkdir()
        elif kind == "link":
            path.symlink_to("elsewhere")
        else:
            os.mkfifo(path)
        for call in (journal.read, mend):
            with pytest.raises(ForeignFile, match=f"{path} is "):
                call(str(tmp_path), name)
    with pytest.raises(ForeignFile, match="1-aa.jsonl is "):
        journal.trim(str(tmp_path), "1-aa.jsonl")
    with pytest.raises(MetricsError, match="hooks.jsonl is "):
        journal.append_shared(str(tmp_path), [encode(CALL)])
    assert not (tmp_path / "elsewhere").exists()
