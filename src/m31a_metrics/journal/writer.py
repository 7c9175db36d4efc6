"""One Collector's journal: appends to a memory-mapped, preallocated file, or by `write`.

Why a mapping: an append costs a fraction of a `write` call, and the pages of a killed
process reach the disk all the same.

Why preallocated: a store into a hole of a full disk is a SIGBUS that kills the host;
the allocation fails with an error instead. The window is filled with newlines, not only
allocated: pages that are already there fault in half the time, and a file of a killed
writer ends in empty lines, which every reader of JSON Lines passes over. Where a store
may need a block all the same (copy-on-write), `Appender` appends by `write`.

Why no lock: `mmap.write` takes its place and copies the line in one call of C, during
which CPython keeps the GIL. A lock here would be fought over by every thread that
records (docs/decisions/lock-free-append.md).

A store behind the end of a file that somebody cut short is a SIGBUS too. So before a
store that follows a pause, and before every other use of the file, its length is looked
at, and the number of its descriptor is not trusted (docs/decisions/held-files.md).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from _thread import RLock
from collections.abc import Callable
from errno import EBADF, EINVAL, EOPNOTSUPP
from time import monotonic, sleep
from typing import NamedTuple

from m31a_metrics.errors import StorageError
from m31a_metrics.file_systems import keeps_blocks
from m31a_metrics.store import HeldFile


class ExitLock:
    """A reentrant lock that a thread which will never run again cannot keep.

    When the interpreter ends, daemon threads stop wherever they are, with all that they hold.
    Whoever comes then (a host's `__del__`) is alone, and would wait for ever: so it takes a
    new lock in the place of one that cannot be had at once.
    """

    __slots__ = ("_lock",)
    # Not looked up in the module: the end takes that apart, too.
    _new = RLock
    _is_ending = staticmethod(sys.is_finalizing)

    def __init__(self, lock: RLock | None = None) -> None:
        self._lock = self._new() if lock is None else lock

    def __enter__(self) -> None:
        if not self._lock.acquire(not self._is_ending()):
            self._lock = self._new()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_TRIES = 3


class Window(mmap.mmap):
    """A stretch of the journal in memory, which ends without closing a file of somebody else's.

    Python keeps a duplicate of the descriptor that a mapping is made of, and closes that
    number with the mapping (before 3.13 it cannot do without). A host that becomes a daemon
    has closed the number already, and may have a file of its own under it by then, which the
    end of the mapping would close. So a window knows its number, and where that is another
    file's by now it stays until the process ends.
    """

    identity = (-1, -1)
    """Device and inode of the file."""

    number = -1
    """The duplicate's; -1: not known."""

    def let_go(self) -> None:
        """Unmap it now, where that closes nobody's file. Raises nothing."""
        if self.may_close():
            self.close()
        else:
            self._keep()

    def __del__(self) -> None:
        try:
            if not (self.closed or self.may_close()):
                self._keep()
        except Exception:  # noqa: BLE001 - at the end of the interpreter anything may be gone
            return

    def may_close(self) -> bool:
        """Tell whether the number is still the duplicate's, or nobody's."""
        try:
            status = os.fstat(self.number)
        except OSError as error:
            return error.errno == EBADF and self.number >= 0
        return (status.st_dev, status.st_ino) == self.identity

    def _keep(self) -> None:
        # What the interpreter itself holds goes after the last object of the host.
        os.register_at_fork(after_in_child=self.tell)


def map_window(file: HeldFile, offset: int, size: int) -> Window:
    """Map a stretch of a file that is at least as long. Raises OSError."""
    tries = _TRIES
    while True:
        # A duplicate takes the lowest number that is free: this one, unless another
        # thread opens a file in between.
        probe = os.dup(file.number)
        os.close(probe)
        try:
            window = Window(file.number, size, offset=offset)
        except ValueError as error:  # somebody cut the file short
            raise OSError(None, str(error)) from error
        window.identity = (file.device, file.inode)
        tries -= 1
        if _is_open(file, probe):
            window.number = probe
            return window
        if not tries:
            return window
        window.close()  # the duplicate is new, and so still its own


def _is_open(file: HeldFile, number: int) -> bool:
    try:
        return file.is_of(os.fstat(number))
    except OSError:
        return False


WINDOW_BYTES = 256 * 1024
"""Growing is what costs: 1 MiB faults in more at once and was slower, 64 KiB maps more often."""

TRUST_US, MOST_TRUST_US = 20, 1000
"""So long the file is taken to be as it was when it was looked at: at first, and at most in
a loop that does nothing but record, which would take twice as long if each call looked."""

_BLOCK_BYTES = 512
"""What `st_blocks` counts in."""

_TAIL_BYTES = 1 << 16
"""So much is looked at for the end of the last line."""

_SEAL_PATIENCE_S = 0.05
"""So long a journal that is closed waits for lines that other threads are writing."""


class JournalLost(StorageError):
    """A journal that ends here: somebody cut or closed its file. Another can be begun."""


class Extent(NamedTuple):
    """How long a file must be, and how much of it must have room on the disk, in bytes."""

    length: int
    filled: int

    def is_in(self, status: os.stat_result) -> bool:
        """Tell whether nothing was cut off the file, nor out of its middle."""
        return status.st_size >= self.length and status.st_blocks * _BLOCK_BYTES >= self.filled


class Writer:
    """A journal file that is ours alone while we live; a lock on it says that we do.

    `write` appends a line that ends in a newline to the current window, and raises
    ValueError when it does not fit; `append` then grows the file. Callers on a hot path
    call `write` themselves, and before it `check`, if `trusted_until_us` is over.

    `mapped` None asks the file system; where it is False, this becomes an Appender.
    Raises StorageError where the disk refuses, JournalLost where trying elsewhere helps.
    """

    write: Callable[[bytes], object]

    def __init__(self, directory: str, *, mapped: bool | None = None) -> None:
        self.name = f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self.path = f"{directory}/{self.name}"
        # Reentrant: a signal handler may record or stop while its thread grows the file.
        self._lock = ExitLock()
        self._busy = 0  # uses of the descriptor that must end before it is closed
        self._closed_length: int | None = None
        self.trusted_until_us = 0
        self.recounts = 0  # the Collector's, to tell what was counted before and after
        self._trust_us = TRUST_US
        self._is_closed = False  # the descriptor, too
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = HeldFile(os.open(self.path, flags, 0o600))
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}") from error
        try:
            number = self._file.number
            os.fchmod(number, 0o600)
            fcntl.flock(number, fcntl.LOCK_EX)
            if mapped is None:
                mapped = keeps_blocks(number, self.path)
            if not mapped:
                self.__class__ = Appender
            self._begin()
        except (OSError, MemoryError) as error:
            self._file.close()
            os.unlink(self.path)
            raise StorageError(f"cannot write {self.path}: {_reason(error)}") from error

    def _begin(self) -> None:
        self._offset = 0  # of the window
        self._lines_end = 0  # where the lines of earlier windows end; newlines follow them
        self._reserved = WINDOW_BYTES  # how much of the file windows take
        self._window = self._map(0, WINDOW_BYTES)
        self.write = self._window.write
        self._end = WINDOW_BYTES  # of the window
        self._filled = WINDOW_BYTES  # how much of the file was filled

    def check(self, t_us: int) -> None:
        """Raise ValueError where a `write` could be behind the end of a file that was cut.

        Asks the mapping's own descriptor, which is quickest. Who closed that may have
        another file under its number; `append` finds out. `t_us` is the time. Each thread
        asks for its own line: another, which found a cut, may not be back from here yet.
        """
        end = self._end  # first: another thread may lengthen the file
        try:
            if self._window.size() >= end:
                self._trust(t_us)  # not before: other threads store at once what is trusted
                return
        except OSError:
            pass
        raise ValueError

    def _trust(self, t_us: int) -> None:
        """Put off the next look: twice as long while calls follow upon each other."""
        is_busy = t_us - self.trusted_until_us < self._trust_us
        self._trust_us = min(2 * self._trust_us, MOST_TRUST_US) if is_busy else TRUST_US
        self.trusted_until_us = t_us + self._trust_us

    def append(self, line: bytes) -> None:
        """Append one line, newline included, whatever its length."""
        while True:
            window = self._window
            self._look()
            try:
                window.write(line)
                return
            except ValueError:  # it does not fit
                self._grow(window, len(line))

    def _look(self) -> None:
        """Raise where the file is not as this writer left it."""
        least = self._least()
        lost = ""
        try:
            if not least.is_in(self._file.status()):
                lost = f"{self.path} was cut short by somebody else"
        except OSError as error:
            lost = f"cannot write {self.path}: {error.strerror}"
        if self._closed_length is not None:  # perhaps by another thread, and only just
            raise StorageError(f"cannot write {self.path}: it is closed")
        if lost:
            raise JournalLost(lost)

    def _least(self) -> Extent:
        """What the file must have; to be asked before the system is, for it only grows."""
        return Extent(self._end, self._filled)

    def is_whole(self) -> bool:
        """Tell whether the file at the path is the one that is written, and nobody cut it."""
        least = self._least()
        try:
            status = os.lstat(self.path)
        except OSError:
            return False
        if not self._file.is_of(status):
            return False
        if least.is_in(status):
            return True
        # It is cut to its lines when it is closed, which another thread may just have done.
        length = self._closed_length
        return length is not None and status.st_size >= length

    def _is_uncut(self) -> bool:
        least = self._least()
        try:
            return least.is_in(self._file.status())
        except OSError:
            return self.is_whole()

    def _grow(self, full: mmap.mmap, size: int) -> None:
        """Publish a window that holds at least `size` bytes, unless somebody else did.

        The old mapping is not closed: another thread may be about to write a line into it, and
        then finds it full. It goes when nobody holds it any more.
        """
        with self._lock:
            if self._window is not full:
                return
            size = max(WINDOW_BYTES, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
            self._busy += 1  # from here on nobody closes the file under us
            try:
                self._look()
                # One statement: a signal handler that grows the file gets another place.
                self._reserved = (offset := self._reserved) + size
                window = self._map(offset, size)
            except (OSError, MemoryError) as error:
                if self._window is full:
                    self._shorten(offset)  # a window nobody will use
                    self._reserved = offset
                kind = StorageError if self._file.is_open() else JournalLost
                raise kind(f"cannot lengthen {self.path}: {_reason(error)}") from error
            finally:
                self._busy -= 1
                if self._closed_length is not None:
                    self._let_go()  # a signal handler closed it meanwhile
            self._filled += size
            # A signal handler may have been quicker: then ours stays an empty stretch.
            if self._window is full and self._closed_length is None:
                # From here on no line fits into the full window. Who reads on in the journal
                # counts on this: nothing appears before what it has read.
                full.seek(0, os.SEEK_END)
                last = full.rfind(b"}\n", 0)  # not from the position on, which is the end
                if last >= 0:
                    self._lines_end = self._offset + last + 2
                self._offset = offset
                self._window = window
                self.write = window.write
                self._end = offset + size

    def _map(self, offset: int, size: int) -> Window:
        _allocate(self._file.number, offset, size)
        # Comes back short under a size limit or on a full tmpfs, then raises: a mapping
        # beyond the end of the file would be a SIGBUS later.
        self._file.fill(b"\n" * size, offset)
        return map_window(self._file, offset, size)

    def _shorten(self, length: int) -> None:
        try:
            os.ftruncate(self._file.number, length)
        except OSError:
            pass  # the tail is empty lines

    @property
    def length(self) -> int:
        """Bytes of the file that hold lines so far."""
        if self._closed_length is not None:
            return self._closed_length
        while True:
            window, offset, end = self._window, self._offset, self._lines_end
            length = window.tell()
            if length == len(window):  # it is sealed, and another one is about to follow
                last = window.rfind(b"}\n", 0)
                length = last + 2 if last >= 0 else 0
            if window is self._window:  # or it was replaced between two of these lines
                return offset + length if length else end

    def close(self) -> None:
        """Seal the journal, cut the file to its lines and give up the lock.

        From then on every `write` fails, and `append` raises StorageError. Raises OSError.
        """
        with self._lock:
            if self._closed_length is None:
                self._closed_length = self._seal()
                self._let_go()

    def _seal(self) -> int:
        """Let no line in any more; return the length.

        Sealing comes before cutting: a store beyond the cut would be a SIGBUS.
        """
        window = self._window
        length = self.length
        window.seek(0, os.SEEK_END)
        if not self._is_uncut():
            return length  # reading what is not there is fatal, too
        # The position is lost to the seal, so the end is where the last line ends.
        last = window.rfind(b"}\n", 0)
        return self._offset + last + 2 if last >= 0 else self._lines_end

    def _let_go(self) -> None:
        """Cut the file to its lines and close it, once nobody is in the middle of a use."""
        with self._lock:
            if self._busy or self._is_closed:
                return
            self._is_closed = True
        file = self._file if self._file.is_open() else self._file.again(self.path)
        if file is None:
            return
        try:
            if file.status().st_size > self.length:
                os.ftruncate(file.number, self.length)
            os.fsync(file.number)
        finally:
            file.unlock()
            file.close()

    def discard(self) -> None:
        """Close and remove a journal that never took a line. Raises OSError."""
        try:
            self.close()
        finally:
            os.unlink(self.path)

    def abandon(self) -> None:
        """Let go without touching the file: after a fork it is the parent's. Raises nothing."""
        self._is_closed = True
        self._file.close()  # not unlocked, which would unlock the parent's
        self._window.let_go()  # this process's mapping only


class Appender(Writer):
    """Appends each line by one `write`, which is in the kernel's hands when it returns.

    A copy-on-write file system puts a block that is written again somewhere else. When the
    disk is full there is no elsewhere: `write` says so, while a store into a mapping is a
    SIGBUS that kills the host (docs/decisions/write-on-copy-on-write.md).

    What a mapping spares is paid for here by each line: the descriptor is compared with
    the file that was opened, and the file's length with what was written.
    """

    def _begin(self) -> None:
        self._end = 0  # what was written; other threads may be further
        self._filled = 0
        self._sealed = ""  # why nothing may be written any more
        number = self._file.number
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_APPEND)

    def check(self, t_us: int) -> None:
        """Do nothing: `write` looks at the file itself."""
        self._trust(t_us)

    def write(self, line: bytes) -> None:
        """Append one line, newline included."""
        size = len(line)
        self._busy += 1  # from here on nobody closes the file under us
        try:
            self._look()
            written = os.write(self._file.last_number, line)
            if written != size:
                # Nothing may follow, which would be glued to it.
                self._sealed = f"the disk took {written} of {size} bytes"
                self._look()
            self._end += size
        except OSError as error:
            kind = StorageError if self._file.is_open() else JournalLost
            raise kind(f"cannot write {self.path}: {error.strerror}") from error
        finally:
            self._busy -= 1
            if self._closed_length is not None:
                self._let_go()

    append = write

    def _look(self) -> None:
        if self._sealed:
            raise StorageError(f"cannot write {self.path}: {self._sealed}")
        super()._look()

    @property
    def length(self) -> int:
        """Bytes of the file that hold whole lines so far."""
        return self._length_of_lines() if self._closed_length is None else self._closed_length

    def _length_of_lines(self) -> int:
        # By what is there: a sum of what was written would be in the middle of a line
        # where another thread is writing one before it.
        file = self._file if self._file.is_open() else self._file.again(self.path)
        if file is None:
            return self._end
        try:
            end = file.status().st_size
            while end:
                start = max(end - _TAIL_BYTES, 0)
                last = os.pread(file.number, end - start, start).rfind(b"\n")
                if last >= 0:
                    return start + last + 1
                end = start
            return 0
        except OSError:
            return self._end
        finally:
            if file is not self._file:
                file.close()

    def _seal(self) -> int:
        self._sealed = self._sealed or "it is closed"
        deadline_s = monotonic() + _SEAL_PATIENCE_S
        while self._busy and monotonic() < deadline_s:
            sleep(_SEAL_PATIENCE_S / 100)  # for lines of other threads that are being written
        return self._length_of_lines()

    def _let_go(self) -> None:
        if not (self._busy or self._is_closed):
            # A line came in after the seal, if its writing took long.
            self._closed_length = self._length_of_lines()
        super()._let_go()

    def abandon(self) -> None:
        """Let go without touching the file: after a fork it is the parent's. Raises nothing."""
        self._is_closed = True
        self._file.close()


def _allocate(descriptor: int, offset: int, size: int) -> None:
    """Reserve room on the disk, where the file system can; elsewhere writing it must do."""
    try:
        os.posix_fallocate(descriptor, offset, size)
    except OSError as error:
        # glibc writes zeros where a file system cannot allocate; musl does not.
        if error.errno not in (EOPNOTSUPP, EINVAL):
            raise


def _reason(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "there is no memory left"
    return error.strerror or str(error)
