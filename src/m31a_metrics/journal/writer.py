"""One Collector's journal: appends to a memory-mapped, preallocated file.

Why a mapping: an append costs a fraction of a `write` call, and the pages of a killed
process reach the disk all the same.

Why preallocated: a store into a hole of a full disk is a SIGBUS that kills the host;
the allocation fails with an error instead. The window is filled with newlines, not only
allocated: pages that are already there fault in half the time, and a file of a killed
writer ends in empty lines, which every reader of JSON Lines passes over.

Why no lock: `mmap.write` takes its place and copies the line in one call of C, during
which CPython keeps the GIL. A lock here would be fought over by every thread that
records (docs/decisions/lock-free-append.md).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from _thread import RLock
from errno import EINVAL, EOPNOTSUPP

from m31a_metrics.errors import StorageError
from m31a_metrics.store import fill

WINDOW_BYTES = 256 * 1024
"""Growing is what costs: 1 MiB faults in more at once and was slower, 64 KiB maps more often."""


class Writer:
    """A journal file that is ours alone while we live; a lock on it says that we do.

    `write` appends a line that ends in a newline to the current window, and raises
    ValueError when it does not fit; `append` then grows the file. Callers on a hot path
    call `write` themselves. Raises StorageError where the disk refuses.
    """

    def __init__(self, directory: str) -> None:
        self.name = f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self.path = f"{directory}/{self.name}"
        # Reentrant: a signal handler may record or stop while its thread grows the file.
        self._grow_lock = RLock()
        self._growing = 0
        self._offset = 0  # of the window
        self._reserved = WINDOW_BYTES  # how much of the file windows take
        self._closed_length: int | None = None
        try:
            self._descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}") from error
        try:
            os.fchmod(self._descriptor, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._window = self._map(0, WINDOW_BYTES)
        except OSError as error:
            os.close(self._descriptor)
            os.unlink(self.path)
            raise StorageError(f"cannot write {self.path}: {error.strerror or error}") from error
        self.write = self._window.write

    def append(self, line: bytes) -> None:
        """Append one line, newline included, whatever its length. Raises StorageError."""
        while True:
            window = self._window
            try:
                window.write(line)
                return
            except ValueError:  # it does not fit
                self._grow(window, len(line))

    def _grow(self, full: mmap.mmap, size: int) -> None:
        """Publish a window that holds at least `size` bytes, unless somebody else did.

        The old mapping is not closed: another thread may be about to write a line into it, and
        then finds it full. It goes when nobody holds it any more.
        """
        with self._grow_lock:
            if self._window is not full:
                return
            size = max(WINDOW_BYTES, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
            self._growing += 1  # from here on nobody closes the file under us
            try:
                if self._closed_length is not None:
                    raise StorageError(f"cannot write {self.path}: it is closed")
                # One statement: a signal handler that grows the file gets another place.
                self._reserved = (offset := self._reserved) + size
                window = self._map(offset, size)
            except OSError as error:
                if self._window is full:
                    os.ftruncate(self._descriptor, offset)  # a window nobody will use
                    self._reserved = offset
                raise StorageError(
                    f"cannot lengthen {self.path}: {error.strerror or error}"
                ) from error
            finally:
                self._growing -= 1
                if self._closed_length is not None:
                    self._let_go()  # a signal handler closed it meanwhile
            # A signal handler may have been quicker: then ours stays an empty stretch.
            if self._window is full and self._closed_length is None:
                # From here on no line fits into the full window. Who reads on in the journal
                # counts on this: nothing appears before what it has read.
                full.seek(0, os.SEEK_END)
                self._offset = offset
                self._window = window
                self.write = window.write

    def _map(self, offset: int, size: int) -> mmap.mmap:
        descriptor = self._descriptor
        _allocate(descriptor, offset, size)
        # Comes back short under a size limit or on a full tmpfs, then raises: a mapping
        # beyond the end of the file would be a SIGBUS later.
        fill(descriptor, b"\n" * size, offset)
        try:
            return mmap.mmap(descriptor, size, offset=offset)
        except ValueError as error:
            raise OSError(None, str(error)) from error

    @property
    def length(self) -> int:
        """Bytes of the file that hold lines so far."""
        if self._closed_length is not None:
            return self._closed_length
        while True:
            window, offset = self._window, self._offset
            length = window.tell()
            if length == len(window):  # it is sealed, and another one is about to follow
                length = window.rfind(b"}\n") + 2 if length else 0
            if window is self._window:  # or it was replaced between two of these lines
                return offset + length

    def close(self) -> None:
        """Seal the window, cut the file to its lines and give up the lock.

        Sealing comes first: a store beyond the cut would be a SIGBUS. From then on every
        `write` fails, and `append` raises StorageError. Raises OSError.
        """
        with self._grow_lock:
            if self._closed_length is not None:
                return
            window = self._window
            window.seek(0, os.SEEK_END)
            # The position is lost to the seal, so the end is where the last line ends.
            last = window.rfind(b"}\n", 0)
            self._closed_length = self._offset + (last + 2 if last >= 0 else 0)
            if not self._growing:  # or else we are in a signal handler, and `_grow` goes on
                self._let_go()

    def _let_go(self) -> None:
        if self._growing or self._descriptor < 0:
            return
        try:
            os.ftruncate(self._descriptor, self.length)
            os.fsync(self._descriptor)
        finally:
            # Unlocked, not only closed: a child forked this moment shares the lock.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Close and remove a journal that never took a line. Raises OSError."""
        try:
            self.close()
        finally:
            os.unlink(self.path)

    def abandon(self) -> None:
        """Let go without touching the file: after a fork it is the parent's."""
        if self._descriptor >= 0:
            os.close(self._descriptor)  # not LOCK_UN, which would unlock the parent's
            self._descriptor = -1
        self._window.close()  # this process's mapping only


def _allocate(descriptor: int, offset: int, size: int) -> None:
    """Reserve room on the disk, where the system can; elsewhere writing it must do."""
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    try:
        os.posix_fallocate(descriptor, offset, size)
    except OSError as error:
        # glibc writes zeros where a file system cannot allocate; musl does not.
        if error.errno not in (EOPNOTSUPP, EINVAL):
            raise
