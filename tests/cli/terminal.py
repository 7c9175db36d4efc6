"""`m31` on a terminal of its own: what it writes where a person looks on."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

from tests import children
from tests.commands import environment, fork


def on_terminal(
    *arguments: str, columns: int = 80, rows: int = 40, stderr_too: bool = False, **more: str
) -> str:
    """Run m31 with stdout (and stderr) on a terminal of that size; what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    # COLUMNS and LINES would win over the terminal's own size.
    child_environment = environment(TERM="xterm-256color", **more)
    for name in ("COLUMNS", "LINES"):
        child_environment.pop(name, None)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    child = fork(arguments, child_environment, theirs, theirs if stderr_too else nowhere)
    os.close(nowhere)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            written += chunk
    except OSError:
        pass  # Linux's way to say that nobody has the other end any more
    finally:
        os.close(ours)
        children.wait(child)
    return written.decode().replace("\r\n", "\n")
