"""A stretch of a journal mapped into memory.

Python keeps a duplicate of the descriptor that a mapping is made of, and closes that
number with the mapping (before 3.13 it cannot do without). A host that becomes a daemon
has closed the number already, and may have a file of its own under it by then, which the
end of the mapping would close. So a window knows its number, and where that is another
file's by now it stays until the process ends.
"""

from __future__ import annotations

import mmap
import os
from errno import EBADF

from m31a_metrics.store import HeldFile

_TRIES = 3


class Window(mmap.mmap):
    """A mapping that ends without closing a file of somebody else's."""

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
