"""`.ids`: the ids of events that METRICS.json counts, as sorted runs of hashes with times.

An id is looked up without reading the file: its hash tells about where in a run it stands, so
that a look-up reads two or three blocks of 4 KiB, however many ids there are. A flush appends
a run with the new ones; when there are many runs they are merged into one.

`.covered` says where the runs are. Each block has a checksum that begins with its run's own
number, so a file that belongs to another `.covered`, is torn or damaged is noticed where it
is read, and the ids are then read from the journals again.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from struct import Struct as Layout

from m31a_metrics import store
from m31a_metrics.errors import MetricsError, StorageError
from m31a_metrics.session.covered import IDS, Run
from m31a_metrics.tally import Ids

_RUNS_MAX = 32
_BLOCK_BYTES = 4096
_RECORD = Layout(">QQ")
_PER_BLOCK = 255
_TAIL = Layout(">LL8x")


class Unusable(Exception):
    """The file is not what `.covered` says."""


class CountedIds:
    """The ids that METRICS.json counts. `derive` reads them from the journals again.

    Nothing is read before the first question; a session without ids has no such file.
    """

    def __init__(self, directory: str, runs: list[Run], derive: Callable[[], Ids]) -> None:
        self.runs = runs
        self._path = f"{directory}/{IDS}"
        self._derive = derive
        self._derived: Ids | None = None

    def get(self, key: int) -> int | None:
        """Return when the counted event of a hashed id was; None if there is none.

        Raises ForeignFile, StorageError where journals must be read and cannot be.
        """
        if self._derived is None:
            if not self.runs:
                return None
            try:
                return self._look_up(key)
            except (Unusable, MetricsError, OSError):
                self._derived = self._derive()
        return self._derived.get(key)

    def _look_up(self, key: int) -> int | None:
        descriptor = store.open_file(self._path, os.O_RDONLY)
        try:
            for run in self.runs:
                found = _find(descriptor, run, key)
                if found is not None:
                    return found
            return None
        finally:
            os.close(descriptor)

    def add(self, fresh: Ids) -> list[Run]:
        """Write further ids; return the runs that the next `.covered` is to name.

        What `.covered` names now stays as it is until then, but for a merge, after which a
        kill costs reading the ids from the journals. Raises ForeignFile, StorageError.
        """
        if self._derived is None and not len(fresh):
            return self.runs
        if self._derived is None and 0 < len(self.runs) < _RUNS_MAX:
            end = max(run.block + _blocks_of(run) for run in self.runs)
            try:
                return [*self.runs, self._append(end, fresh)]
            except Unusable:
                self._derived = self._derive()
        return [self._rewrite(fresh)]

    def _append(self, block: int, fresh: Ids) -> Run:
        run = Run(block, len(fresh), int.from_bytes(os.urandom(4), "big"))
        file = store.HeldFile(store.open_file(self._path, os.O_RDWR | os.O_CREAT))
        try:
            if file.status().st_size < block * _BLOCK_BYTES:
                raise Unusable
            at = block * _BLOCK_BYTES
            for data in _blocks(fresh.items(), run.key):
                file.fill(data, at)
                at += len(data)
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error
        finally:
            file.close()
        return run

    def _rewrite(self, fresh: Ids) -> Run:
        run = Run(0, 0, int.from_bytes(os.urandom(4), "big"))
        try:
            self._merge(run, fresh)
        except (Unusable, MetricsError):
            self._derived = self._derive()
            self._merge(run, fresh)
        return run

    def _merge(self, run: Run, fresh: Ids) -> None:
        run.count = 0
        descriptor = None
        parts: list[Iterator[tuple[int, int]]] = []
        if self._derived is not None:
            parts = [self._derived.items()]
        elif self.runs:
            descriptor = store.open_file(self._path, os.O_RDONLY)
            parts = [_records(descriptor, one) for one in self.runs]

        def counted() -> Iterator[tuple[int, int]]:
            last = -1
            for key, t_us in merge(*parts, fresh.items()):
                if key != last:
                    run.count += 1
                    yield key, t_us
                last = key

        try:
            store.replace(self._path, _blocks(counted(), run.key), sync=False)
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _blocks_of(run: Run) -> int:
    return -(-run.count // _PER_BLOCK)


def _blocks(items: Iterable[tuple[int, int]], key: int) -> Iterator[bytes]:
    block = bytearray()
    for item in items:
        block += _RECORD.pack(*item)
        if len(block) == _PER_BLOCK * _RECORD.size:
            yield _sealed(block, key)
            block.clear()
    if block:
        yield _sealed(block, key)


def _sealed(block: bytearray, key: int) -> bytes:
    from binascii import crc32

    count = len(block) // _RECORD.size
    padded = bytes(block).ljust(_PER_BLOCK * _RECORD.size, b"\0")
    return padded + _TAIL.pack(crc32(padded, key), count)


def _read(descriptor: int, run: Run, number: int) -> bytes:
    """Return the records of one block of a run. Raises Unusable, OSError."""
    from binascii import crc32

    data = os.pread(descriptor, _BLOCK_BYTES, (run.block + number) * _BLOCK_BYTES)
    if len(data) != _BLOCK_BYTES:
        raise Unusable
    checksum, count = _TAIL.unpack_from(data, _PER_BLOCK * _RECORD.size)
    if checksum != crc32(data[: _PER_BLOCK * _RECORD.size], run.key) or not 0 < count <= _PER_BLOCK:
        raise Unusable
    return data[: count * _RECORD.size]


def _records(descriptor: int, run: Run) -> Iterator[tuple[int, int]]:
    for number in range(_blocks_of(run)):
        yield from _RECORD.iter_unpack(_read(descriptor, run, number))


def _find(descriptor: int, run: Run, key: int) -> int | None:
    low, high = 0, _blocks_of(run)
    # Hashes are spread evenly, so the first guess is off by a block or two.
    number = key * high >> 64
    step = 0
    while low < high:
        records = list(_RECORD.iter_unpack(_read(descriptor, run, number)))
        if key < records[0][0]:
            high = number
        elif key > records[-1][0]:
            low = number + 1
        else:
            at = bisect_left(records, (key,))
            return records[at][1] if records[at][0] == key else None
        step += 1
        near = high - 1 if number >= high else low
        number = near if step < 4 else (low + high) // 2
    return None
