"""A journal that is appended to by `write`: where a store into a mapping may need a block.

A copy-on-write file system puts a block that is written again somewhere else. When the
disk is full there is no elsewhere: `write` says so, while a store into a mapping is a
SIGBUS that kills the host (docs/decisions/write-on-copy-on-write.md).
"""

from __future__ import annotations

import fcntl
import os
from time import monotonic, sleep

from m31a_metrics.errors import StorageError
from m31a_metrics.journal.writer import JournalLost, Writer

_CHUNK = 1 << 16
_PATIENCE_S = 0.05


class Appender(Writer):
    """Appends each line by one `write`, which is in the kernel's hands when it returns.

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
                start = max(end - _CHUNK, 0)
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
        deadline_s = monotonic() + _PATIENCE_S
        while self._busy and monotonic() < deadline_s:
            sleep(_PATIENCE_S / 100)  # for lines of other threads that are being written
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
