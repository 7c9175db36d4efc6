"""Reading journals: whole lines only, and a word about each one that is damaged.

Empty lines and NUL bytes are the tail of a preallocated file, or the place of a line
whose writer was killed before it stood there. A last line that does not come to its end
was torn by a kill, or is being written this moment. Neither is damage. Every other line
that does not decode is counted and named.

Read a batch at a time, so that a journal may be of any size.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import msgspec

from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, decoder
from m31a_metrics.journal import chunks
from m31a_metrics.journal.chunks import EMPTY, Chunk
from m31a_metrics.store import open_file

SUFFIX = ".jsonl"
IMPORT_PREFIX = "import-"
"""How the names of journals begin that hold what was imported of a transcript."""
NAMED_AT_MOST = 5
_PADDING = b"\0 \t\r"
_FIRST_BYTES = 16
"""So many at least are stored last where a copy stores its beginning last: a vector's."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding a line may raise."""


def is_copy(names: Collection[str]) -> bool:
    """Tell whether journals hold an imported copy of a transcript, and nothing recorded here."""
    return bool(names) and all(name.startswith(IMPORT_PREFIX) for name in names)


class Journal:
    """One journal as read: what could not be read, and how far reading came.

    `length` is where to go on the next time: behind the last line that was read, and before
    a last one that could not be, which may be being written this moment. `gaps_at` is the
    first place at which a line was damaged or NULs stood. `events` are those of `read`.
    """

    __slots__ = ("damaged", "events", "gaps_at", "length", "name", "reasons")

    def __init__(self, name: str, length: int = 0) -> None:
        self.name = name
        self.events: list[Event] = []
        self.length = length
        self.damaged = 0
        self.reasons: list[str] = []
        self.gaps_at: int | None = None

    def has_gap_before(self, length: int) -> bool:
        """Tell whether something was lost within so many bytes."""
        return self.gaps_at is not None and self.gaps_at < length

    def gap(self, at: int) -> None:
        """Note that something was lost at a place."""
        if self.gaps_at is None:
            self.gaps_at = at


def names(directory: str) -> list[str]:
    """The journals of an events directory, by writer name; none if it is absent."""
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(f"cannot list {directory}: {error.strerror}") from error


def read(directory: str, name: str, covered: int | None = None) -> Journal:
    """Read one journal, or only its first `covered` bytes, with all its events in memory.

    Raises StorageError or ForeignFile if it cannot be read at all.
    """
    journal = Journal(name)
    for _, events in batches(directory, journal, covered):
        journal.events += events
    return journal


def batches(
    directory: str, journal: Journal, end: int | None = None
) -> Iterator[tuple[int, list[Event]]]:
    """Read on from where the journal was read to, up to `end`: a place, and the events there.

    Places grow from event to event, and are never beyond the byte at which a line begins.
    One that is gone has no events. Raises StorageError or ForeignFile.
    """
    path = f"{directory}/{journal.name}"
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return
        raise
    try:
        if end is None:
            # What stands there while it is read may show a later line and not an earlier one,
            # which was copied a moment before it was written. So nothing is read that is
            # younger than this look at the end (and the newline): then all before that is there.
            end = chunks.content_end(descriptor) + 1
        reader = _Reader(descriptor, journal)
        for chunk in chunks.chunks(descriptor, journal.length, end):
            if events := reader.events(chunk):
                yield chunk.at, events
        reader.finish()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


class _Reader:
    """Decodes the chunks of a journal. A line that does not decode waits for what follows it."""

    def __init__(self, descriptor: int, journal: Journal) -> None:
        self._descriptor = descriptor
        self._journal = journal
        self._bad: tuple[int, bytes, str] | None = None

    def events(self, chunk: Chunk) -> list[Event]:
        """The events of a chunk."""
        if chunk.is_too_long:
            self._behind_bad()
            self._damage(chunk.at, f"longer than {chunks.LINE_BYTES_MAX >> 20} MiB")
            return []
        data = chunk.data.lstrip(EMPTY)
        at = chunk.at + len(chunk.data) - len(data)
        data = data.rstrip(EMPTY)
        if b"\0" in chunk.data:
            self._journal.gap(chunk.at + chunk.data.index(b"\0"))
            if not data:
                return []
        try:
            # One call for the whole chunk is three times as quick as one per line.
            events = decoder().decode_lines(data)
        except UNREADABLE:
            return self._line_by_line(at, data)
        self._behind_bad()
        self._journal.length = at + len(data)
        return events

    def _line_by_line(self, first: int, data: bytes) -> list[Event]:
        events: list[Event] = []
        for _, at, line in lines(data):
            self._behind_bad()
            try:
                # The same call as for a chunk, for the same answer.
                events += decoder().decode_lines(line)
            except UNREADABLE as error:
                from m31a_metrics.transcript import without_values  # a recorder needs it never

                self._bad = first + at, line, without_values(error)
            else:
                self._journal.length = first + at + len(line)
        return events

    def finish(self) -> None:
        """Nothing follows: a last line that is torn is no damage."""
        if self._bad is not None:
            at, line, reason = self._bad
            if not is_torn_at(self._descriptor, at, line):
                self._damage(at, reason)

    def _behind_bad(self) -> None:
        """Something follows a line that could not be read: it is damage."""
        if self._bad is not None:
            at, _, reason = self._bad
            self._bad = None
            self._damage(at, reason)

    def _damage(self, at: int, reason: str) -> None:
        journal = self._journal
        journal.gap(at)
        journal.damaged += 1
        if len(journal.reasons) < NAMED_AT_MOST:
            number = chunks.line_number(self._descriptor, at)
            journal.reasons.append(f"line {number}: {reason}")


def lines(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The lines that hold anything: number (from 1), place in `data`, and the line itself."""
    start = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        content = line.lstrip(_PADDING)
        if content:
            yield number, start + len(line) - len(content), content.rstrip(_PADDING)
        start += len(line) + 1


def is_torn(line: bytes) -> bool:
    """Tell whether an unreadable last line is the beginning of one: not all braces are closed."""
    return line.count(b"{") > line.count(b"}")


def is_torn_at(descriptor: int, at: int, line: bytes) -> bool:
    """Tell whether an unreadable last line, which stands at `at`, is a part of one.

    Its beginning may be what is missing: the C library copies a long line into a mapping with
    its first bytes last (glibc's memmove, from some 2 KiB on). What a window was filled with
    stands in their place. Raises OSError.
    """
    if is_torn(line):
        return True
    before = chunks.read_between(descriptor, max(at - _FIRST_BYTES, 0), at)
    return not line.startswith(b"{") and before == b"\n" * _FIRST_BYTES


def has_more(directory: str, name: str, length: int) -> bool:
    """Tell whether a journal holds anything behind its first `length` bytes.

    Not by its time: the kernel notes a store into a mapping when it first touches the
    page, so a journal can look older than the METRICS.json that lacks its last events.
    """
    try:
        with _looking(directory, name) as descriptor:
            return not chunks.is_empty(descriptor, length)
    except OSError:
        return True  # let the reader say what is wrong with it


def is_lost(directory: str, name: str, length: int) -> bool:
    """Tell whether the first `length` bytes of a journal are no longer what was read of it.

    It is gone or shorter, or no line ends where the last of them did: of the last pages, which
    a disk writes last, only zeros are left. What lies before them is not looked at.
    """
    if not length:
        return False
    try:
        with _looking(directory, name) as descriptor:
            first = max(length - 2, 0)
            last = chunks.read_between(descriptor, first, length + 1)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # nobody can tell
    before, after = last[: length - first], last[length - first :]
    ends = before.endswith(b"}\n") or (before.endswith(b"}") and not after.strip(EMPTY))
    return not ends


def content_length(directory: str, name: str) -> int:
    """How many bytes of a journal there are up to the end of its last line.

    0 for one that is gone, or cannot be looked at.
    """
    try:
        with _looking(directory, name) as descriptor:
            return chunks.content_end(descriptor)
    except OSError:
        return 0


@contextmanager
def _looking(directory: str, name: str) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(f"{directory}/{name}", flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "is not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def count_lines(directory: str, name: str, start: int, end: int) -> int:
    """Count the events between two places of a journal. Raises StorageError, ForeignFile."""
    path = f"{directory}/{name}"
    descriptor = open_file(path, os.O_RDONLY)
    try:
        return chunks.count_lines(descriptor, start, end)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
