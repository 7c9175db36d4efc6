"""Blanking damaged lines, after they were copied beside the journal.

In place and without changing the file's length, because anyone may append to the shared
journal meanwhile. A line that is JSON, but an event of no kind we know, is left alone: a
newer version wrote it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import get_args

from msgspec import UNSET, MsgspecError, Struct, UnsetType
from msgspec.json import decode

from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, decoder
from m31a_metrics.journal import chunks
from m31a_metrics.journal.read import NAMED_AT_MOST, UNREADABLE, is_torn_at, lines
from m31a_metrics.journal.shared import is_shared
from m31a_metrics.journal.trim import lock
from m31a_metrics.store import open_file, replace, vacant


class Mended(Struct):
    """The damaged lines of a journal, and where they are kept once they are blanked.

    `damaged` are the numbers (from 1) of the first of them. `unknown` are lines of a newer
    version, which are no damage.
    """

    name: str
    damaged: list[int] = []
    damaged_count: int = 0
    unknown: list[int] = []
    unknown_count: int = 0
    kept_as: str = ""


def mend(directory: str, name: str, *, dry: bool = False) -> Mended | None:
    """Blank the damaged lines of a journal; None while its writer lives.

    `dry` only tells which. Raises ForeignFile, StorageError.
    """
    path = f"{directory}/{name}"
    descriptor = open_file(path, os.O_RDONLY if dry else os.O_RDWR)
    try:
        if not is_shared(name) and not lock(descriptor, shared=dry):
            return None
        # What is appended meanwhile is looked at the next time.
        end = chunks.content_end(descriptor)
        mended = Mended(name)
        _look(descriptor, end, mended)
        if dry or not mended.damaged_count:
            return mended
        mended.kept_as = vacant(path)
        replace(mended.kept_as, (line + b"\n" for _, line in _damaged(descriptor, end)))
        for at, line in _damaged(descriptor, end):
            os.pwrite(descriptor, b"\n" * len(line), at)
        os.fsync(descriptor)
        return mended
    except OSError as error:
        raise StorageError(f"cannot mend {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _look(descriptor: int, end: int, mended: Mended) -> None:
    for at, _, is_known in _unreadable(descriptor, end):
        if is_known:
            mended.damaged_count += 1
            numbers = mended.damaged
        else:
            mended.unknown_count += 1
            numbers = mended.unknown
        if len(numbers) < NAMED_AT_MOST:
            numbers.append(chunks.line_number(descriptor, at))


def _damaged(descriptor: int, end: int) -> Iterator[tuple[int, bytes]]:
    for at, line, is_known in _unreadable(descriptor, end):
        if is_known:
            yield at, line


class _Tagged(Struct):
    event: str | UnsetType = UNSET


def _unreadable(descriptor: int, end: int) -> Iterator[tuple[int, bytes, bool]]:
    """The lines that cannot be read: where, the line, and whether its kind is known (or none).

    Of a line that is too long, its parts.
    """
    decode_lines = decoder().decode_lines
    for chunk in chunks.chunks(descriptor, 0, end):
        if chunk.is_too_long:
            yield from ((at, part, True) for at, part in _parts(descriptor, chunk.at, end))
            continue
        try:
            decode_lines(chunk.data.strip(chunks.EMPTY))
            continue
        except UNREADABLE:
            pass
        for _, start, line in lines(chunk.data):
            try:
                decode_lines(line)
            except UNREADABLE:
                at = chunk.at + start
                if _is_of_another_version(line):
                    yield at, line, False
                elif at + len(line) < end or not is_torn_at(descriptor, at, line):
                    yield at, line, True


def _parts(descriptor: int, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The pieces, none of them large, of the line that begins at a place."""
    while at < end:
        data = chunks.read_between(descriptor, at, min(at + chunks.CHUNK_BYTES, end))
        newline = data.find(b"\n")
        yield at, data if newline < 0 else data[:newline]
        if newline >= 0 or not data:
            return
        at += len(data)


def _is_of_another_version(line: bytes) -> bool:
    try:
        tag = decode(line, type=_Tagged).event
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return tag is not UNSET and tag not in _tags()


@cache
def _tags() -> frozenset[str]:
    return frozenset(kind.__struct_config__.tag for kind in get_args(Event))
