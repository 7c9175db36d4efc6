"""Where files of one record a line may hold a pattern: as fast as memory gives their bytes.

A file is read a buffer at a time, which stays in a core's cache, and the C library looks for
the needle in it while other threads do the same; only records that have the needle are looked
at more closely. (Mapping a file would save the copy, but one that is cut while it is mapped
kills the process. `memmem` looks at twice as many bytes in a second as Python's `find`, and
lets other threads run.)
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from io import FileIO
from threading import Lock, Thread

from msgspec import Struct

from m31a_metrics.compressed_files import Unpacked, open_bytes
from m31a_metrics.foreign_files import pass_hole
from m31a_metrics.jsonlines import chunks
from m31a_metrics.patterns import Pattern

RECORDS_MAX = 1000
"""So many records are found before somebody looks at the first of them."""

_BLOCK_BYTES = 2**17
"""Fits in a core's cache, and is worth changing threads for."""

_KEY_BYTES = 256
"""So far before an occurrence the key is looked for that its text belongs to."""

_KEY = re.compile(rb'"([^"\\]{1,64})"\s*:\s*"[^"]*\Z')

_LOOKED_AT_EACH = 20
"""So many needles in a buffer are looked at one by one; more take longer than all of it."""

_File = FileIO | Unpacked
_Find = Callable[[int, int], int]


class Records(Struct):
    """What was found in one file, behind the record of an offset (-1: from its beginning).

    `offsets` has one within each record that may hold the pattern. `is_whole`: the file was
    looked at to its end. `reason` says why it could not be read.
    """

    path: str
    behind: int
    offsets: list[int]
    is_whole: bool = True
    reason: str = ""


File = tuple[str, int]
"""A file to be looked through, behind the record of an offset; -1: all of it."""


def find_records(
    pattern: Pattern,
    files: Sequence[File],
    passed_over: Collection[bytes] = (),
    threads: int = 1,
) -> tuple[list[Records], list[File]]:
    """Look through files in their order until `RECORDS_MAX` records are found.

    Returns what was found in each that was looked at, and what is left to be looked through:
    a file in which enough was found is in both. `passed_over` are the keys whose texts are no
    part of what was said: an occurrence in one does not count.
    """
    stretch = _Stretch(pattern, passed_over, files)
    found = stretch.run(threads)
    unfinished = [(one.path, one.offsets[-1]) for one in found if not one.is_whole]
    return found, [*unfinished, *files[stretch.begun_count :]]


class _Stretch:
    """One way through files until enough is found, shared by threads.

    Files are begun in their order, and what is begun is looked at until enough is found in it:
    so what comes first is among what is found.
    """

    def __init__(
        self, pattern: Pattern, passed_over: Collection[bytes], files: Sequence[File]
    ) -> None:
        self.begun_count = 0
        self._pattern = pattern
        self._passed_over = frozenset(passed_over)
        self._files = files
        self._lock = Lock()
        self._found: list[tuple[int, Records]] = []
        self._found_count = 0
        self._failed: BaseException | None = None

    def run(self, threads: int) -> list[Records]:
        """Look through the files; return what was found in each that was begun, in order."""
        # What Python looks at it looks at in one thread, whatever their number is.
        count = min(threads, len(self._files)) if self._pattern.is_quick else 1
        others = [Thread(target=self._work, daemon=True) for _ in range(count - 1)]
        for one in others:
            one.start()
        self._work()
        for one in others:
            one.join()
        if self._failed is not None:
            raise self._failed
        return [records for _, records in sorted(self._found, key=lambda one: one[0])]

    def _next(self) -> int | None:
        with self._lock:
            is_over = self._failed is not None or self._found_count >= RECORDS_MAX
            if is_over or self.begun_count == len(self._files):
                return None
            self.begun_count += 1
            return self.begun_count - 1

    def _work(self) -> None:
        try:
            look = _Look(self._pattern, self._passed_over)
            while (place := self._next()) is not None:
                records = look.through(*self._files[place])
                with self._lock:
                    self._found.append((place, records))
                    self._found_count += len(records.offsets)
        except BaseException as error:  # noqa: BLE001 - raised by who waits for all threads
            self._failed = error


class _Look:
    """Looks through one file after the other, with one buffer."""

    def __init__(self, pattern: Pattern, passed_over: Collection[bytes]) -> None:
        self._pattern = pattern
        self._passed_over = passed_over
        self._needle = pattern.needle
        self._kept = len(self._needle) - 1 + max(_KEY_BYTES, pattern.reach)
        self._buffer = bytearray(self._kept + _BLOCK_BYTES)
        self._in_buffer = _finder(self._buffer, self._needle)

    def through(self, path: str, behind: int) -> Records:
        """Find records of a file, those behind the one that an offset is in; -1: all."""
        records = Records(path, behind, [])
        try:
            if not self._needle:
                self._one_by_one(behind, records)
            else:
                with open_bytes(path) as file:
                    self._blocks(file, behind, records)
        except OSError as error:
            records.reason = error.strerror or str(error)
        return records

    def _one_by_one(self, behind: int, records: Records) -> None:
        for chunk in chunks(records.path):
            at = chunk.at
            for line in bytes(chunk.data).split(b"\n"):
                if at > behind and self._pattern.may_be_in(line):
                    records.offsets.append(at)
                at += len(line) + 1
            if len(records.offsets) >= RECORDS_MAX:
                records.is_whole = False
                return

    def _blocks(self, file: _File, behind: int, records: Records) -> None:
        """Read a file from an offset on, and note where the needle is, once in each record."""
        at = 0
        if behind > 0 and isinstance(file, FileIO):
            at = file.seek(behind)
        is_in_known = behind >= 0
        kept, buffer = self._kept, self._buffer
        into, held = memoryview(buffer)[kept:], 0
        while size := file.readinto(into):
            begins, ends = kept, kept + size
            if is_in_known:
                begins = buffer.find(b"\n", max(begins, begins + behind - at), ends)
                is_in_known = begins < 0
            else:
                begins -= min(held, len(self._needle) - 1)
            if not is_in_known:
                is_in_known = self._in_block(file, begins, ends, at - kept, records)
            if len(records.offsets) >= RECORDS_MAX:
                records.is_whole = False
                return
            buffer[:kept] = buffer[size:ends]
            held, at = held + size, at + size
            if not buffer[ends - 1] and isinstance(file, FileIO):
                at += pass_hole(file)

    def _in_block(self, file: _File, begins: int, ends: int, offset: int, records: Records) -> bool:
        """Note what is in a part of the buffer; tell whether the last record goes on."""
        find = self._in_buffer
        if self._pattern.ignores_case:
            find = partial(self._buffer.lower().find, self._needle)
        begins = self._behind_what_is_certain(begins, ends, offset)
        while (place := find(begins, ends)) >= 0:
            begins = place + 1
            if self._is_passed_over(place) or not self._is_found(file, place, ends, offset):
                continue  # there may be another one in the same record
            records.offsets.append(offset + place)
            begins = self._buffer.find(b"\n", place, ends)
            if begins < 0 or len(records.offsets) >= RECORDS_MAX:
                return True
        return False

    def _behind_what_is_certain(self, begins: int, ends: int, offset: int) -> int:
        """Pass what is certainly not found, where there is too much to look at each."""
        pattern = self._pattern
        if pattern.is_needle or pattern.ignores_case:
            return begins
        if self._buffer.count(self._needle, begins, ends) < _LOOKED_AT_EACH:
            return begins
        if pattern.may_be_in(bytes(self._buffer[max(begins - pattern.reach, -offset) : ends])):
            return begins
        return max(begins, ends - pattern.reach)  # what goes on behind the buffer

    def _is_passed_over(self, place: int) -> bool:
        if not self._passed_over:
            return False
        key = key_before(bytes(self._buffer[max(place - _KEY_BYTES, 0) : place]))
        return key in self._passed_over

    def _is_found(self, file: _File, place: int, ends: int, offset: int) -> bool:
        """Tell whether the rest of the pattern may stand around a needle in the buffer."""
        pattern = self._pattern
        if pattern.is_needle or not isinstance(file, FileIO):
            return True
        begins, until = max(place - pattern.reach, -offset), place + pattern.reach
        if until <= ends:
            around = bytes(self._buffer[begins:until])
        else:
            around = os.pread(file.fileno(), until - begins, offset + begins)
        at = place - begins
        before, after = around.rfind(b"\n", 0, at) + 1, around.find(b"\n", at)
        return pattern.may_be_in(around[before : len(around) if after < 0 else after])


def key_before(data: bytes) -> bytes:
    """The key whose text goes on at the end of some JSON; b"" where that does not show."""
    found = _KEY.search(data)
    return found[1] if found else b""


def _finder(buffer: bytearray, needle: bytes) -> _Find:
    """What tells where a needle is in a part of a buffer; -1: nowhere."""
    try:
        memmem = ctypes.CDLL(None).memmem
    except (AttributeError, OSError, TypeError):  # not on Windows
        return lambda begins, ends: buffer.find(needle, begins, ends)
    memmem.restype = ctypes.c_void_p
    memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
    base = ctypes.addressof(ctypes.c_char.from_buffer(buffer))

    def find(begins: int, ends: int) -> int:
        found = memmem(base + begins, ends - begins, needle, len(needle))
        return -1 if found is None else found - base

    return find
