"""Whole lines of a JSON Lines file, decoded a chunk at a time in one reused buffer.

One call decodes some hundred lines; only a chunk that does not decode is gone through
line by line. Memory stays bounded whatever the file holds, and so does time where it holds
nothing. (Mapping the file would save the copy, but a file that is cut while it is mapped
kills the process.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from io import FileIO, RawIOBase
from typing import Any, Generic, TypeVar

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.compressed_files import Torn, Unpacked, open_bytes
from m31a_metrics.foreign_files import pass_hole
from m31a_metrics.transcript import Damage

CHUNK_BYTES = 2**18
"""Large enough that a call costs nothing, small enough to stay in a core's cache."""

LINE_BYTES_MAX = 2**25
"""A longer line is damage: no request to a model may be longer than 32 MiB."""

UNREADABLE = (MsgspecError, ValueError, RecursionError, OverflowError)
"""What decoding of hostile bytes may raise."""

# What an interrupted write or a power failure leaves around a line, and a byte order mark.
_AROUND = b"\0 \t\r\xef\xbb\xbf"

Record = TypeVar("Record")

_spare: list[bytearray] = []


class Decode(Struct, Generic[Record]):
    """How a source reads lines: many at once, and one that stands among damaged ones.

    `one` returns None for a line to be passed over, and raises one of UNREADABLE.
    """

    many: Callable[[memoryview], list[Record]]
    one: Callable[[bytes], Record | None]


class Chunk(Struct):
    """Lines of a file from offset `at`. `tail`: one last line without its newline.

    An empty chunk stands for a line longer than LINE_BYTES_MAX.
    """

    at: int
    data: memoryview
    tail: bool = False


def batches(path: str, decode: Decode[Record], damage: Damage) -> Iterator[list[Record]]:
    """Yield the records of a file, in order, a list for each chunk.

    A last line without its newline is taken if it is whole, and is no damage if it is
    torn: it may be being written. A compressed file that is cut or damaged is read up to
    there. What a record holds of the buffer (msgspec.Raw) is
    gone with the next batch. Raises OSError.
    """
    try:
        for chunk in chunks(path):
            if not chunk.data:
                damage.add(f"{path}, line {_number(path, chunk.at)}", "longer than 32 MiB")
                continue
            try:
                records = decode.many(chunk.data)
            except UNREADABLE:
                records = _carefully(path, chunk, decode, damage)
            yield records
    except Torn as error:
        damage.add(path, error.strerror)


# Surrogates: a whole pair, and a half, escaped or as the bytes of UTF-8 that it would have.
# A backslash that is escaped itself begins no escape.
_SURROGATES = re.compile(
    rb"\\\\"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|(\xed[\xa0-\xbf][\x80-\xbf])"
)


def without_half_pairs(data: bytes) -> bytes:
    r"""Replace each half of a surrogate pair in JSON by U+FFFD; the length stays the same.

    JavaScript cuts texts in the middle of a pair and writes `\ud83d` alone. RFC 8259 (8.2)
    allows that, and leaves open what a reader makes of it; msgspec refuses it. As no half
    gets past here, nothing behind needs to know of them: no hash, database, file or screen.
    """
    return _SURROGATES.sub(_without_half, data)


def _without_half(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found[1] else b"\xef\xbf\xbd" if found[2] else found[0]


def decode_json(decoder: Decoder[Record], data: bytes | Raw | str) -> Record:
    """Decode one JSON value, halves of surrogate pairs replaced. Raises one of UNREADABLE."""
    try:
        return decoder.decode(data)
    except UNREADABLE:
        given = data.encode() if isinstance(data, str) else bytes(data)
        mended = without_half_pairs(given)
        if mended == given:
            raise
        return decoder.decode(mended)


def chunks(path: str) -> Iterator[Chunk]:
    """Yield the bytes of a file, cut behind newlines. Each is gone with the next one.

    Raises OSError.
    """
    try:
        buffer = _spare.pop()
    except IndexError:
        buffer = bytearray(CHUNK_BYTES)
    at = held = 0
    try:
        with _opened(path) as file:
            while size := file.readinto(memoryview(buffer)[held:]):
                cut = buffer.rfind(b"\n", held, held + size) + 1
                held += size
                if cut:
                    yield Chunk(at, memoryview(buffer)[:cut])
                    buffer[: held - cut] = buffer[cut:held]
                    at, held = at + cut, held - cut
                elif held == LINE_BYTES_MAX:
                    yield Chunk(at, memoryview(b""))
                    at, held = _behind_newline(file, buffer, at + held)
                elif held == len(buffer):
                    # A new one, for records of the last batch may still hold the old one.
                    grown = bytearray(2 * held)
                    grown[:held] = buffer
                    buffer = grown
            if held:
                yield Chunk(at, memoryview(buffer)[:held], tail=True)
    finally:
        if len(buffer) == CHUNK_BYTES:
            _spare.append(buffer)


class Excerpt(Struct, frozen=True):
    """Which bytes of a file are read: those before `head`, then from `since` to before `until`.

    Each is where a line begins.
    """

    head: int
    since: int
    until: int


class Excerpts:
    """What is read of files while these are in force, whoever reads them; and which these were.

    Who follows a transcript of megabytes needs its beginning, which says whose it is, and what
    is new: a source reads such a file as one of which the middle is lost. `opened` is how far
    each file was read, by path.
    """

    def __init__(self, known: Mapping[str, Excerpt] | None = None) -> None:
        self.opened: dict[str, int] = {}
        self._known = known or {}

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Read within: of known files their excerpts, of others what they hold now."""
        token = _in_force.set(self)
        try:
            yield
        finally:
            _in_force.reset(token)

    def part_of(self, path: str, file: FileIO) -> _Part:
        """Give the excerpt of a file that was opened."""
        known = self._known.get(path) or Excerpt(0, 0, os.fstat(file.fileno()).st_size)
        self.opened[path] = known.until
        return _Part(file, known)


_in_force: ContextVar[Excerpts | None] = ContextVar("excerpts", default=None)


class _Part(RawIOBase):
    """An excerpt of a file, from its beginning to its end."""

    def __init__(self, file: FileIO, excerpt: Excerpt) -> None:
        self._file = file
        self._spans = [(0, excerpt.head), (excerpt.since, excerpt.until)]
        self._left = 0

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer as far as it goes; 0 at the end. Raises OSError."""
        while self._left <= 0:
            if not self._spans:
                return 0
            begins, ends = self._spans.pop(0)
            self._left = ends - begins
            self._file.seek(begins)
        size = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= size
        return size


def _opened(path: str) -> FileIO | Unpacked | _Part:
    file, excerpts = open_bytes(path), _in_force.get()
    if excerpts is None or not isinstance(file, FileIO):
        return file
    return excerpts.part_of(path, file)


def first_line(path: str, at_most: int = LINE_BYTES_MAX) -> bytes:
    """Return the first line that is not blank, or its first bytes. Raises OSError."""
    for chunk in chunks(path):
        for line in bytes(chunk.data[:at_most]).split(b"\n"):
            if line := line.strip(_AROUND):
                return line
    return b""


def _behind_newline(file: FileIO | Unpacked | _Part, buffer: bytearray, at: int) -> tuple[int, int]:
    """Read on behind the next newline; return the offset there, and how much is held."""
    while size := file.readinto(buffer):
        cut = buffer.find(b"\n", 0, size) + 1
        if cut:
            buffer[: size - cut] = buffer[cut:size]
            return at + cut, size - cut
        at += size + _pass_hole(file)
    return at, 0


def _carefully(path: str, chunk: Chunk, decode: Decode[Record], damage: Damage) -> list[Record]:
    """Decode a chunk that does not decode as it is."""
    given = bytes(chunk.data)
    data = without_half_pairs(given)
    if data != given:
        try:
            return decode.many(memoryview(data))
        except UNREADABLE:
            pass
    return _one_by_one(path, Chunk(chunk.at, memoryview(data), chunk.tail), decode, damage)


def _one_by_one(path: str, chunk: Chunk, decode: Decode[Record], damage: Damage) -> list[Record]:
    records: list[Record] = []
    first_number = 0
    lines = bytes(chunk.data).split(b"\n")
    begins = {found[1] for line in lines if (found := _FIRST_KEY.match(line))}
    for index, line in enumerate(lines):
        line = line.strip(_AROUND)
        if not line:
            continue
        error = _take(line, decode, records, begins, is_last=chunk.tail)
        if error is None:
            continue
        # Counting lines means reading the file again: once, and only while they are named.
        if not first_number and damage.count == len(damage.reasons):
            first_number = _number(path, chunk.at)
        damage.add(f"{path}, line {first_number + index}", error)
    return records


def _take(
    line: bytes,
    decode: Decode[Record],
    records: list[Record],
    begins: set[bytes],
    *,
    is_last: bool,
) -> Exception | None:
    """Decode a line into `records`; return what is damaged of it, if anything is.

    Records that lost the newlines between them are taken one by one, those behind the
    beginning of one that a kill cut off too. `begins`: how records of the file begin.
    `is_last`: the end of the line may not be written yet.
    """
    error = _take_one(line, decode, records)
    if error is not None and line.find(_OBJECT, 1) > 0:
        parts = _parts(line, begins)
        if len(parts) > 1:
            errors = [_take_one(part, decode, records) for part in parts]
            error = errors.pop()
            if damaged := next(filter(None, errors), None):
                return damaged
    return None if is_last and "truncated" in str(error) else error


def _take_one(line: bytes, decode: Decode[Record], records: list[Record]) -> Exception | None:
    try:
        record = decode.one(line)
    except UNREADABLE as error:
        return error
    if record is not None:
        records.append(record)
    return None


def records_of(line: bytes) -> list[bytes]:
    """Split a line of records that lost the newlines between them; damage stays what it is."""
    found = _FIRST_KEY.match(line)
    return _parts(line, {found[1]} if found else set()) if line.find(_OBJECT, 1) > 0 else [line]


_OBJECT = b'{"'
_FIRST_KEY = re.compile(rb'\s*(\{"[^"\\]{1,64}":)')
_FOLLOWS = re.compile(r"[\0\s]*(?:\{|\Z)")
_STRING_OR_BRACE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[{}]', re.DOTALL)

_ATTEMPTS = 100
"""So often a line is looked at again: each look costs time that grows with its length."""

_CUT_CHARS = 2
"""The quote behind a record's brace ends a text that was cut off: so far back it began."""


def _parts(line: bytes, begins: set[bytes]) -> list[bytes]:
    """Split a line into whole JSON values and what is damaged between them.

    Where a value cannot go on, the next record may begin. It is one if it is whole and the
    line ends behind it, or another one begins: an object within a damaged one is followed
    by something else.
    """
    from json import JSONDecodeError, JSONDecoder

    decoder = JSONDecoder()
    text = line.decode("utf-8", "surrogateescape")
    at = attempts = 0
    torn: list[str] = []
    parts: list[bytes] = []
    while at < len(text) and attempts < _ATTEMPTS:
        try:
            _, end = decoder.raw_decode(text, at)
        except JSONDecodeError as error:
            end = text.find('{"', max(at + 1, error.pos - _CUT_CHARS)) % (len(text) + 1)
            torn.append(text[at:end])
            attempts += 1
        except RecursionError:
            end, attempts = at, _ATTEMPTS
        else:
            if not torn or _FOLLOWS.match(text, end):
                parts += _torn(torn, begins)
                parts.append(_encoded(text[at:end]))
                torn = []
            else:
                torn.append(text[at:end])
        at = end
    return parts + _torn([*torn, text[at:]], begins)


def _torn(torn: list[str], begins: set[bytes]) -> list[bytes]:
    """Join what is damaged into as few parts as the whole records in it allow."""
    parts: list[bytes] = []
    rest: list[bytes] = []
    for text in torn:
        before, whole = _behind_colon(_encoded(text), begins)
        rest.append(before)
        if whole:
            parts += (b"".join(rest), whole)
            rest = []
    last = b"".join(rest)
    return [*parts, last] if last.strip(_AROUND) else parts


def _behind_colon(data: bytes, begins: set[bytes]) -> tuple[bytes, bytes]:
    """Split what is damaged before a whole record that stands in the place of a value in it.

    A record that was cut off behind a colon goes on with the next one, as far as JSON can
    tell; but then the two begin alike.
    """
    opened: list[int] = []
    begun = closed = 0
    for found in _STRING_OR_BRACE.finditer(data):
        if found[0] == b"{":
            opened.append(found.start())
        elif found[0] == b"}" and opened:
            begun, closed = opened.pop(), found.end()
    if begun and closed == len(data) and any(data.startswith(one, begun) for one in begins):
        return data[:begun], data[begun:]
    return data, b""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _number(path: str, at: int) -> int:
    """Return the number of the line that begins at an offset; lines count from 1."""
    number = 1
    with open_bytes(path) as file:
        while at > 0 and (data := file.read(min(at, CHUNK_BYTES))):
            lines = data.count(b"\n")
            number += lines
            at -= len(data) + (0 if lines else _pass_hole(file))
    return number


def _pass_hole(file: FileIO | Unpacked | _Part) -> int:
    return pass_hole(file) if isinstance(file, FileIO) else 0
