"""`m31` on a terminal of its own: what it writes where a person looks on."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios

from tests.children import PATIENCE_S
from tests.commands import M31, environment


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
    child = subprocess.Popen(
        [*M31, *arguments],
        env=child_environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs if stderr_too else subprocess.DEVNULL,
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            written += chunk
    except OSError:
        pass  # Linux's way to say that nobody has the other end any more
    finally:
        os.close(ours)
        child.wait(PATIENCE_S)
    return written.decode().replace("\r\n", "\n")
