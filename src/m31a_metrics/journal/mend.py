"""Blanking damaged lines, after they were copied beside the journal.

In place and without changing the file's length, because anyone may append to the shared
journal meanwhile. A line that is JSON, but an event of no kind we know, is left alone: a
newer version wrote it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import get_args

from msgspec import UNSET, MsgspecError, Struct, UnsetType
from msgspec.json import decode

from m31a_metrics.errors import StorageError
from m31a_metrics.events import Event, decoder
from m31a_metrics.journal.read import is_torn, lines
from m31a_metrics.journal.shared import SHARED
from m31a_metrics.journal.trim import lock
from m31a_metrics.store import open_file, replace, vacant
from m31a_metrics.store import read as read_file


class Mended(Struct, frozen=True):
    """The damaged lines of a journal (numbers from 1), and where they are kept once blanked.

    `unknown` are lines of a newer version, which are no damage.
    """

    name: str
    damaged: list[int]
    unknown: list[int]
    kept_as: str = ""


def mend(directory: str, name: str, *, dry: bool = False) -> Mended | None:
    """Blank the damaged lines of a journal; None while its writer lives.

    `dry` only tells which. Raises ForeignFile, StorageError.
    """
    path = f"{directory}/{name}"
    descriptor = open_file(path, os.O_RDONLY if dry else os.O_RDWR)
    try:
        if name != SHARED and not lock(descriptor, shared=dry):
            return None
        data = read_file(path) or b""
        damaged, unknown = _unreadable(data)
        numbers = [number for number, _, _ in damaged]
        others = [number for number, _, _ in unknown]
        if dry or not damaged:
            return Mended(name, numbers, others)
        kept_as = vacant(path)
        replace(kept_as, b"\n".join(line for _, _, line in damaged) + b"\n")
        for _, start, line in damaged:
            os.pwrite(descriptor, b"\n" * len(line), start)
        os.fsync(descriptor)
        return Mended(name, numbers, others, kept_as)
    except OSError as error:
        raise StorageError(f"cannot mend {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


_Line = tuple[int, int, bytes]


class _Tagged(Struct):
    event: str | UnsetType = UNSET


def _unreadable(data: bytes) -> tuple[list[_Line], list[_Line]]:
    damaged, unknown = [], []
    end = len(data.rstrip(b"\0\n"))
    for number, start, line in lines(data):
        try:
            decoder().decode_lines(line)
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            if _is_of_another_version(line):
                unknown.append((number, start, line))
            elif start + len(line) < end or not is_torn(line):
                damaged.append((number, start, line))
    return damaged, unknown


def _is_of_another_version(line: bytes) -> bool:
    try:
        tag = decode(line, type=_Tagged).event
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return tag is not UNSET and tag not in _tags()


@cache
def _tags() -> frozenset[str]:
    return frozenset(kind.__struct_config__.tag for kind in get_args(Event))
