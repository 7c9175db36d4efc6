"""Whole lines of a JSON Lines file, decoded a chunk at a time in one reused buffer.

One call decodes some hundred lines; only a chunk that does not decode is gone through
line by line. Memory stays bounded whatever the file holds, and so does time where it holds
nothing. (Mapping the file would save the copy, but a file that is cut while it is mapped
kills the process.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import FileIO
from typing import Generic, TypeVar

from msgspec import MsgspecError, Struct

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
                records = _one_by_one(path, chunk, decode, damage)
            yield records
    except Torn as error:
        damage.add(path, error.strerror)


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
        with open_bytes(path) as file:
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


def first_line(path: str, at_most: int = LINE_BYTES_MAX) -> bytes:
    """Return the first line that is not blank, or its first bytes. Raises OSError."""
    for chunk in chunks(path):
        for line in bytes(chunk.data[:at_most]).split(b"\n"):
            if line := line.strip(_AROUND):
                return line
    return b""


def _behind_newline(file: FileIO | Unpacked, buffer: bytearray, at: int) -> tuple[int, int]:
    """Read on behind the next newline; return the offset there, and how much is held."""
    while size := file.readinto(buffer):
        cut = buffer.find(b"\n", 0, size) + 1
        if cut:
            buffer[: size - cut] = buffer[cut:size]
            return at + cut, size - cut
        at += size + _pass_hole(file)
    return at, 0


def _one_by_one(path: str, chunk: Chunk, decode: Decode[Record], damage: Damage) -> list[Record]:
    records: list[Record] = []
    first_number = 0
    for index, line in enumerate(bytes(chunk.data).split(b"\n")):
        line = line.strip(_AROUND)
        if not line:
            continue
        error = _take(line, decode, records)
        if error is None or (chunk.tail and "truncated" in str(error)):
            continue
        # Counting lines means reading the file again: once, and only while they are named.
        if not first_number and damage.count == len(damage.reasons):
            first_number = _number(path, chunk.at)
        damage.add(f"{path}, line {first_number + index}", error)
    return records


def _take(line: bytes, decode: Decode[Record], records: list[Record]) -> Exception | None:
    """Decode a line into `records`; return what failed, if anything did.

    Records that lost the newlines between them are taken one by one.
    """
    failed = _take_one(line, decode, records)
    if failed is None or b"}{" not in line:
        return failed
    parts = _whole_values(line)
    if len(parts) < 2:
        return failed
    failures = [_take_one(part, decode, records) for part in parts]
    return next((failure for failure in failures if failure is not None), None)


def _take_one(line: bytes, decode: Decode[Record], records: list[Record]) -> Exception | None:
    try:
        record = decode.one(line)
    except UNREADABLE as error:
        return error
    if record is not None:
        records.append(record)
    return None


def _whole_values(line: bytes) -> list[bytes]:
    """Split a line behind each whole JSON value; what is behind the last one is a part too."""
    from json import JSONDecoder

    decoder = JSONDecoder()
    parts: list[bytes] = []
    try:
        text = line.decode("utf-8")
        at = 0
        while at < len(text):
            _, end = decoder.raw_decode(text, at)
            parts.append(text[at:end].encode())
            at = end
    except (ValueError, RecursionError):
        if parts:
            parts.append(text[at:].encode())
    return parts


def _number(path: str, at: int) -> int:
    """Return the number of the line that begins at an offset; lines count from 1."""
    number = 1
    with open_bytes(path) as file:
        while at > 0 and (data := file.read(min(at, CHUNK_BYTES))):
            lines = data.count(b"\n")
            number += lines
            at -= len(data) + (0 if lines else _pass_hole(file))
    return number


def _pass_hole(file: FileIO | Unpacked) -> int:
    return pass_hole(file) if isinstance(file, FileIO) else 0
