"""Reading what was said, by windows of bounded memory: what several agents' sources do alike.

A source says what one record holds (`Told`); which records a window is made of, which result
belongs to which call, and where to go on at, is worked out here for all of them.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from io import FileIO
from itertools import takewhile
from types import TracebackType
from typing import Self

from msgspec import Struct, field

from m31a_metrics.compressed_files import Torn, Unpacked, open_bytes
from m31a_metrics.conversation import ONE_RECORD, Image, Part, PartKind, Window
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.foreign_files import pass_hole
from m31a_metrics.jsonlines import LINE_BYTES_MAX, UNREADABLE, records_of

END = "end"
"""The place of the last parts."""

LIMIT_MAX = 2_000
"""More parts than this no window has, whoever asks for them."""


_CHUNK_BYTES = 2**18
_LOOK_BYTES = 2**23
"""So far a result is looked for behind a window, and its call before it."""

_ENDS_BYTES = 2**16
"""So much of both ends of a file is looked through for its title."""

_FEW = 4

_OBJECTS_MAX, _BETWEEN = 100_000, re.compile(rb"\}[ \t\r]*,[ \t\r]*\{")
"""A record of more objects, one behind the other, would take many times its length."""

_SPLIT_BYTES_MAX = 2**15
"""Longer lines are not looked through for records within: that takes time."""

_BACK_BYTES_MAX = 2**28
"""So far back a line may have begun; more is a hole, or no text."""


_AROUND = b"\0 \t\r\n\xef\xbb\xbf"


class Result(Struct):
    """What came of a call, from the record that says so. `call` is the id that it names.

    `judge` says by this result whether the call succeeded, and whether it was denied, and
    `goes_on` that another record will tell more.
    """

    call: str
    output: str = ""
    judge: Callable[[Part], tuple[bool | None, bool]] | None = None
    goes_on: bool = False
    diff: str = ""
    images: tuple[Image, ...] = ()
    subagent: str = ""
    left_out: int = 0


class Told(Struct):
    """What one record holds: parts that begin in it, and results of calls before it.

    `calls` are those parts that a later record may bring a result of, by the id it names.
    """

    parts: list[Part] = field(default_factory=list)
    calls: dict[str, Part] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)


Tell = Callable[[str, bytes], Told]
"""Says what a record holds, given its place and its bytes. Raises one of UNREADABLE."""


def take(part: Part, result: Result) -> None:
    """Give a call what came of it."""
    part.output = result.output or part.output
    if result.judge is not None:
        part.success, part.denied = result.judge(part)
    part.diff = result.diff or part.diff
    part.images += result.images
    part.subagent = result.subagent or part.subagent
    part.left_out = max(part.left_out, result.left_out)


def _taken(line: bytes, size: int) -> bytes:
    """Give a line of a size; nothing of one that would take more memory than may be."""
    if size > LINE_BYTES_MAX:
        return b""
    if size > _SPLIT_BYTES_MAX and _is_too_many(line):
        return b""
    return line


def _is_too_many(line: bytes) -> bool:
    return any(number > _OBJECTS_MAX for number, _ in enumerate(_BETWEEN.finditer(line)))


class Lines:
    """The lines of a file from any place on, forwards and backwards, one in memory at a time.

    A line longer than LINE_BYTES_MAX, or of too many objects, comes as no bytes. A compressed
    file is read from its beginning each time. Raises OSError.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open_bytes(path)
        self.is_packed = isinstance(self._file, Unpacked)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def end(self) -> int:
        """Where the file ends."""
        if self.is_packed:
            return sum(len(data) for data, _ in self._pieces(0))
        return self._file.seek(0, 2)

    def forwards(self, at: int) -> Iterator[tuple[int, bytes]]:
        """Yield lines and where they begin, from the one on that byte `at` is of."""
        begins = self._line_begins(at)
        held, size = bytearray(), 0
        for data, hole in self._pieces(begins):
            since = 0
            while cut := data.find(b"\n", since) + 1:
                size += cut - since
                if not held:
                    yield begins, _taken(data[since:cut], size)
                else:
                    held += data[since:cut]
                    yield begins, _taken(bytes(held), size)
                    held = bytearray()
                begins, size, since = begins + size, 0, cut
            size += len(data) - since
            if size <= LINE_BYTES_MAX:
                held += data[since:]
            else:
                held = bytearray(b"\0")  # which stands for all that is too long
            size += hole
        if size:
            yield begins, _taken(bytes(held), size)

    def backwards(self, before: int) -> Iterator[tuple[int, bytes]]:
        """Yield lines and where they begin, from the last one on before a line's beginning."""
        if self.is_packed:
            yield from self._packed_backwards(before)
            return
        at, held, size = before, deque[bytes](), 0
        while at > 0 and size < _BACK_BYTES_MAX:
            length = min(_CHUNK_BYTES, at)
            at -= length
            self._file.seek(at)
            data = self._file.read(length) or b""
            until = len(data)
            while (cut := data.rfind(b"\n", 0, until if size else max(until - 1, 0))) >= 0:
                size += until - cut - 1
                held.appendleft(data[cut + 1 : until])
                yield at + cut + 1, _taken(b"".join(held), size)
                held.clear()
                size, until = 0, cut + 1
            size += until
            if size <= LINE_BYTES_MAX:
                held.appendleft(data[:until])
            else:
                held.clear()
        if size and at == 0:
            yield 0, _taken(b"".join(held), size)

    def _packed_backwards(self, before: int) -> Iterator[tuple[int, bytes]]:
        while before > 0:
            held, size = deque[tuple[int, bytes]](), 0
            for at, data in self.forwards(0):
                if at >= before:
                    break
                held.append((at, data))
                size += len(data)
                while size > _LOOK_BYTES and len(held) > 1:
                    size -= len(held.popleft()[1])
            if not held:
                return
            before = held[0][0]
            yield from reversed(held)

    def _line_begins(self, at: int) -> int:
        if at <= 0 or self.is_packed:
            return self._packed_line_begins(at) if at > 0 else 0
        before = at = min(at, self.end)
        while before > max(0, at - _BACK_BYTES_MAX):
            length = min(_CHUNK_BYTES, before)
            self._file.seek(before - length)
            data = self._file.read(length) or b""
            cut = data.rfind(b"\n")
            if cut >= 0:
                return before - length + cut + 1
            before -= length
        return before

    def _packed_line_begins(self, at: int) -> int:
        begins = 0
        for begun, _ in self.forwards(0):
            if begun > at:
                break
            begins = begun
        return begins

    def _pieces(self, at: int) -> Iterator[tuple[bytes, int]]:
        """Yield the bytes from one on, and how long the hole is that follows."""
        if not isinstance(self._file, FileIO):
            yield from ((data, 0) for data in self._unpacked(at))
            return
        self._file.seek(at)
        while data := self._file.read(_CHUNK_BYTES):
            hole = 0 if data.strip(b"\0") else pass_hole(self._file)
            at += len(data) + hole
            yield data, hole
            self._file.seek(at)  # for it may be read elsewhere meanwhile

    def _unpacked(self, at: int) -> Iterator[bytes]:
        try:
            with open_bytes(self._path) as file:
                while data := file.read(_CHUNK_BYTES):
                    if at < len(data):
                        yield data[max(at, 0) :]
                    at -= len(data)
        except Torn:
            return  # cut or damaged: read up to there


class Listed:
    """Records that were read already, each with the byte that it begins at, and its newline."""

    def __init__(self, records: Sequence[tuple[int, bytes]]) -> None:
        self._records = [(at, _taken(data, len(data))) for at, data in records]
        self._begins = [at for at, _ in records]

    @property
    def end(self) -> int:
        """Where the last one ends."""
        return self._begins[-1] + 1 if self._begins else 0

    def forwards(self, at: int) -> Iterator[tuple[int, bytes]]:
        """Yield records from the one on that `at` is of."""
        yield from self._records[max(0, bisect_right(self._begins, at) - 1) :]

    def backwards(self, before: int) -> Iterator[tuple[int, bytes]]:
        """Yield records from the last one on before where one begins."""
        yield from reversed(self._records[: bisect_left(self._begins, before)])


def opened(path: str, is_ours: Callable[[bytes], bool], at_most: int, otherwise: str) -> Lines:
    """Open a file that an agent wrote, as one of its first records tells.

    `is_ours` may raise one of UNREADABLE. Raises NotThisFormat with the sentence `otherwise`,
    and OSError.
    """
    lines = Lines(path)
    try:
        for number, (_, data) in enumerate(lines.forwards(0)):
            if number == at_most:
                break
            if any(_is(is_ours, record) for record in _records_of(data)):
                return lines
    except BaseException:
        lines.close()
        raise
    lines.close()
    raise NotThisFormat(otherwise)


def _records_of(line: bytes) -> Iterator[bytes]:
    """Yield a line, then what it is made of where records lost the newlines between them."""
    yield line
    if len(line) <= _SPLIT_BYTES_MAX:
        yield from records_of(line)


def _is(is_ours: Callable[[bytes], bool], record: bytes) -> bool:
    try:
        return is_ours(record)
    except UNREADABLE:
        return False


def place_at(prefix: str, at: int, number: int = 0) -> str:
    """Write where a part stands: its file's prefix, the byte its record begins at, its number."""
    return place_of_part(f"{prefix}{at}", number)


def place_of_part(record: str, number: int) -> str:
    """Write where the part (or the image) of a record with a number stands."""
    return f"{record}.{number}" if number else record


def parsed(place: str) -> tuple[str, int, int]:
    """Read what `place_at` wrote; what nobody wrote is the beginning."""
    prefix, colon, where = place.rpartition(":")
    at, _, number = where.partition(".")
    return (
        prefix + colon,
        int(at) if _BYTE.fullmatch(at) else 0,
        int(number) if _NUMBER.fullmatch(number) else 0,
    )


_BYTE, _NUMBER = re.compile("[0-9]{1,18}"), re.compile("[0-9]{1,8}")


class Records(ABC):
    """The records of a conversation; `prefix` is how places in it begin."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    @property
    @abstractmethod
    def end(self) -> int:
        """Where it ends."""

    @abstractmethod
    def forwards(
        self, at: int, needles: Collection[bytes] = (), reach: int = sys.maxsize
    ) -> Iterator[tuple[int, Told | None]]:
        """Yield where records begin and what they hold, from the one on that `at` is of.

        None stands for what is damaged. Records without one of the needles, and those farther
        away than `reach`, may be passed over.
        """

    @abstractmethod
    def backwards(
        self, before: int, needles: Collection[bytes] = (), reach: int = sys.maxsize
    ) -> Iterator[tuple[int, Told | None]]:
        """Yield the same, from the last record on before where one begins."""

    def at(self, at: int) -> list[Part]:
        """Give what the record holds that a byte is of, with nothing that stands around it."""
        begins, told = next(self.forwards(at), (0, None))
        if told is None:
            return []
        results = [
            Part(
                PartKind.CALL,
                place_at(self.prefix, begins, number),
                id=one.call,
                diff=one.diff,
                output=one.output,
                left_out=one.left_out,
            )
            for number, one in enumerate(told.results)
        ]
        return told.parts + results

    def find(self, wanted: str, *needles: str) -> str:
        """Find the part with an id, by a text that stands in its record; "" if there is none.

        Ids that a time was added to are found without it, too: so the agent writes them.
        """
        for _, told in self.forwards(0, [needle.encode() for needle in needles]):
            for part in told.parts if told is not None else ():
                if wanted in (part.id, part.id.partition("@")[0]):
                    return part.place
        return ""

    def before(self, at: int, number: int, limit: int) -> tuple[int, int] | None:
        """Find the place `limit` parts before one; the first if there are less, None if none."""
        if number >= limit:
            return at, number - limit
        count, first = number, (at, 0) if number else None
        for begins, told in self.backwards(at):
            if told is not None and told.parts:
                count, first = count + len(told.parts), (begins, 0)
                if count >= limit:
                    return begins, count - limit
        return first

    def call_before(self, at: int, call: str) -> Part | None:
        """Find the call that a result is of, in what stands before it."""
        for _, told in self.backwards(at, [call.encode()], _LOOK_BYTES) if call else ():
            if told is not None and call in told.calls:
                return told.calls[call]
        return None


class LineRecords(Records):
    """Those of a file of lines, or of records that were read: `tell` says what each holds."""

    def __init__(self, lines: Lines | Listed, prefix: str, tell: Tell) -> None:
        super().__init__(prefix)
        self._lines = lines
        self._tell = tell

    @property
    def end(self) -> int:
        """Where the file ends."""
        return self._lines.end

    def forwards(
        self, at: int, needles: Collection[bytes] = (), reach: int = sys.maxsize
    ) -> Iterator[tuple[int, Told | None]]:
        """Yield records from the one on that byte `at` is of."""
        near = takewhile(lambda line: line[0] - at <= reach, self._lines.forwards(at))
        return self._told(near, needles)

    def backwards(
        self, before: int, needles: Collection[bytes] = (), reach: int = sys.maxsize
    ) -> Iterator[tuple[int, Told | None]]:
        """Yield records from the last one on before a byte where one begins."""
        near = takewhile(lambda line: before - line[0] <= reach, self._lines.backwards(before))
        return self._told(near, needles)

    def _told(
        self, lines: Iterable[tuple[int, bytes]], needles: Collection[bytes]
    ) -> Iterator[tuple[int, Told | None]]:
        # One look for many of them, but a look for each of a few is quicker.
        many = re.compile(b"|".join(map(re.escape, needles))) if len(needles) > _FEW else None
        for at, data in lines:
            if many is not None:
                if many.search(data) is None:
                    continue
            elif needles and not any(needle in data for needle in needles):
                continue
            told = self._hold(at, data)
            if told is None and data and not data.endswith(b"\n"):
                told = Told()  # it may be being written
            yield at, told

    def _hold(self, at: int, data: bytes) -> Told | None:
        record = data.strip(_AROUND)
        if not record:
            return Told() if data else None
        place = place_at(self.prefix, at)
        try:
            told = self._tell(place, record)
        except UNREADABLE:
            several = self._told_of_several(place, list(_records_of(record))[1:])
            if several is None:
                return None
            told = several
        for number, part in enumerate(told.parts):
            part.place = place_at(self.prefix, at, number)
        return told

    def _told_of_several(self, place: str, records: Sequence[bytes]) -> Told | None:
        """Take records that lost the newlines between them; None if one of them is damaged."""
        if len(records) < 2:
            return None
        all_ = Told()
        for record in records:
            try:
                told = self._tell(place, record)
            except UNREADABLE:
                return None
            all_.parts += told.parts
            all_.results += told.results
            all_.calls |= told.calls
        return all_


def window_of(records: Records, place: str, limit: int) -> Window:
    """Give the window of a JSON Lines file that begins at a place. Raises OSError."""
    if limit == ONE_RECORD:
        return Window(records.at(parsed(place)[1]))
    limit = max(1, min(limit, LIMIT_MAX))
    _, at, number = parsed(place)
    if place.removeprefix(records.prefix) == END:
        at, number = records.before(records.end, 0, limit) or (0, 0)
    return _Reading(records, limit).window(at, number)


class _Reading:
    """A window while it is read. `_open` are its calls whose results were not seen yet."""

    def __init__(self, records: Records, limit: int) -> None:
        self._records = records
        self._limit = limit
        self._open: dict[str, Part] = {}

    def window(self, at: int, number: int) -> Window:
        """Read from the record on that byte `at` is of, its part `number` first."""
        window, began = Window([]), None
        for begins, told in self._records.forwards(at):
            if told is None:
                window.damage += 1
                told = Told()
            if began is None:
                began = begins
                # A hit may be in a result; whoever begins at the beginning sees no result first.
                told.parts = told.parts[number:] or (self._orphans(begins, told) if at else [])
            self._join(told.results)
            fitting = told.parts[: self._limit - len(window.parts)]
            window.parts += fitting
            self._open |= told.calls
            if len(fitting) < len(told.parts):
                window.after = told.parts[len(fitting)].place
                self._join_behind(begins)
                break
        before = self._records.before(
            self._records.end if began is None else began, number, self._limit
        )
        window.before = "" if before is None else place_at(self._records.prefix, *before)
        return window

    def _join(self, results: Iterable[Result]) -> None:
        for result in results:
            part = self._open.get(result.call)
            if part is not None:
                take(part, result)
                if not result.goes_on:
                    del self._open[result.call]

    def _orphans(self, at: int, told: Told) -> list[Part]:
        """Show each result of a record as the call that it ends."""
        orphans: list[Part] = []
        for number, result in enumerate(told.results):
            part = self._records.call_before(at, result.call) or Part(PartKind.CALL, "")
            part.place = place_at(self._records.prefix, at, number)
            take(part, result)
            orphans.append(part)
        return orphans

    def _join_behind(self, at: int) -> None:
        """Look behind a window for what came of its calls, of which nothing was seen yet."""
        self._open = {
            call: part
            for call, part in self._open.items()
            if call and part.success is None and not part.output
        }
        needles = [call.encode() for call in self._open]
        for _, told in self._records.forwards(at, needles, _LOOK_BYTES) if needles else ():
            if not self._open:
                break
            self._join(told.results if told is not None else ())


def named_at_last(
    lines: Lines, needle: bytes, name_of: Callable[[bytes], str | None], at_most: int = _ENDS_BYTES
) -> str:
    """Return the last name in the end of a file, else in its beginning; "" if there is none.

    Names stand in lines with the needle; `name_of` gives that of one, None if it has none, and
    may raise one of UNREADABLE.
    """
    end = lines.end
    ends = takewhile(lambda line: line[0] >= end - at_most, lines.backwards(end))
    name = next(_names(ends, needle, name_of), None)
    if name is None:
        head = takewhile(lambda line: line[0] < at_most, lines.forwards(0))
        for found in _names(head, needle, name_of):
            name = found
    return name or ""


def _names(
    lines: Iterable[tuple[int, bytes]], needle: bytes, name_of: Callable[[bytes], str | None]
) -> Iterator[str]:
    for _, data in lines:
        if needle in data:
            try:
                name = name_of(data)
            except UNREADABLE:
                continue
            if name is not None:
                yield name
