"""Work on a list of things in several processes, results as they come.

Processes, because decoding holds the GIL; forked by hand, because the standard pool
takes longer to import than a day's transcripts take to read. What a child that died
left undone, the parent does itself.

Where the process has other threads (a server, a notebook) all is done in it, one thing after
the other: a fork copies locks that those hold, with nobody in the child to release them. Nor
is their garbage collection switched off.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import TypeVar

from msgspec.msgpack import Decoder, Encoder

Item = TypeVar("Item")
Result = TypeVar("Result")

_HEADER_BYTES = 8
_READ_BYTES = 1 << 20
_WRITE_BYTES = 1 << 16
_WAITING_BYTES_MAX = 1 << 24
_ITEMS_PER_COLLECTION = 16


def work(
    items: Sequence[Item],
    sizes: Sequence[int],
    do: Callable[[Item], Result],
    kind: type[Result],
    processes: int,
) -> Generator[tuple[int, Result], None, None]:
    """Yield (index, do(item)) for every item, in no certain order.

    `sizes` tell how much work each is, so that the shares come out even; `kind` is the
    type of a result, which msgspec must be able to encode. With one process, and where there
    are other threads, all is done here, in order.
    """
    if not _is_alone():
        for index, item in enumerate(items):
            yield index, do(item)
        return
    left = set(range(len(items)))
    do = _tidily(do)
    enabled = gc.isenabled()
    gc.disable()  # for the children too; `_tidily` does its work
    try:
        if processes > 1:
            decode = Decoder(kind).decode
            for index, data in _from_children(items, _shares(sizes, processes), do):
                left.discard(index)
                yield index, decode(data)
        for index in sorted(left):
            yield index, do(items[index])
    finally:
        if enabled:
            gc.enable()


def _is_alone() -> bool:
    """Tell whether this thread is the only one of its process."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # libraries have threads of their own
    except OSError:  # not on Linux
        from threading import active_count

        return active_count() == 1


def _tidily(do: Callable[[Item], Result]) -> Callable[[Item], Result]:
    """Let garbage be collected every few items, and only what is younger than that.

    Readers tie records into knots that nothing else frees; left to itself, the collector
    looks at all results so far again and again, a sixth of the whole time.
    """
    done = 0

    def one(item: Item) -> Result:
        nonlocal done
        done += 1
        if done % _ITEMS_PER_COLLECTION == 0:
            gc.collect(0)
        return do(item)

    return one


def _shares(sizes: Sequence[int], processes: int) -> list[list[int]]:
    """Deal the indices out, the largest first, always to who has least."""
    shares: list[list[int]] = [[] for _ in range(processes)]
    loads = [0] * processes
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        least = loads.index(min(loads))
        shares[least].append(index)
        loads[least] += sizes[index] + 1
    return [share for share in shares if share]


def _from_children(
    items: Sequence[Item], shares: list[list[int]], do: Callable[[Item], Result]
) -> Iterator[tuple[int, bytes]]:
    children: dict[int, bytearray] = {}
    pids = []
    sys.stdout.flush()  # or a child would print it again
    sys.stderr.flush()
    with DefaultSelector() as selector:
        for share in shares:
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                # Whoever holds the reading end of a pipe keeps its writer from seeing that
                # the parent is gone: a child that kept its own would wait for ever.
                for inherited in (*children, reading):
                    os.close(inherited)
                _serve(items, share, do, writing)
            os.close(writing)
            pids.append(pid)
            children[reading] = bytearray()
            selector.register(reading, EVENT_READ)
        try:
            while children:
                for key, _ in selector.select():
                    chunk = os.read(key.fd, _READ_BYTES)
                    if not chunk:
                        selector.unregister(key.fd)
                        os.close(key.fd)
                        del children[key.fd]
                        continue
                    children[key.fd] += chunk
                    yield from _whole(children[key.fd])
        finally:
            for reading in children:
                os.close(reading)  # who still writes gets EPIPE, and ends
            for pid in pids:
                os.waitpid(pid, 0)


def _whole(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the complete messages from the front of what was received."""
    start = 0
    while len(received) - start >= _HEADER_BYTES:
        index = int.from_bytes(received[start : start + 4], "little")
        length = int.from_bytes(received[start + 4 : start + 8], "little")
        end = start + _HEADER_BYTES + length
        if end > len(received):
            break
        yield index, bytes(received[start + _HEADER_BYTES : end])
        start = end
    del received[:start]


def _serve(
    items: Sequence[Item], share: list[int], do: Callable[[Item], Result], writing: int
) -> None:
    """In a child: do the share, then leave without the parent's exit handlers."""
    encode = Encoder().encode
    try:
        outbox = _Outbox(writing)
        for index in share:
            data = encode(do(items[index]))
            outbox.put(index.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data)
        outbox.send(0)
    except BaseException:  # noqa: BLE001 - whatever it was, the parent does it again and says so
        os._exit(1)
    os._exit(0)


class _Outbox:
    """What a child has done and the parent not taken yet.

    While the parent writes a batch it takes nothing, and a pipe holds a few results only:
    a child that waited for it would leave its processor idle.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._waiting = bytearray()
        os.set_blocking(pipe, False)

    def put(self, data: bytes) -> None:
        """Take a result; wait only where very many of them wait."""
        self._waiting += data
        if len(self._waiting) >= _WRITE_BYTES:
            self.send(_WAITING_BYTES_MAX)

    def send(self, may_wait: int) -> None:
        """Hand on what the pipe takes, until no more than so many bytes wait."""
        waiting = self._waiting
        while waiting:
            try:
                sent = os.write(self._pipe, waiting[:_WRITE_BYTES])
            except BlockingIOError:
                if len(waiting) <= may_wait:
                    return
                self._wait()
            else:
                del waiting[:sent]

    def _wait(self) -> None:
        with DefaultSelector() as selector:
            selector.register(self._pipe, EVENT_WRITE)
            selector.select()
