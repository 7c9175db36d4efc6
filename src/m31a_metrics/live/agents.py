"""The commands that stand in agents' settings: bare Python, running a file that may be gone.

`python -I -S missing.py` would end with 2, by which a hook denies. So a guard in `-c` runs the
file as a module (its bytecode is kept, which spares compiling it each time), and ends with 0
and without a word whatever is missing or broken. The text must stay what it is from version to
version: by it we know our own entries.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

_GUARD = (
    'import sys,posix;exec("try:\\n sys.path[:0]=sys.argv[1:2];'
    'import {0};{0}.main(*sys.argv[1:])\\nfinally:posix._exit(0)")'
)
HOOK, STATUSLINE = "hook", "statusline"


def interpreter() -> str:
    """The real interpreter: no shim, no link, and not that of an environment that may go."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    path = os.path.realpath(base)
    return path if os.access(path, os.X_OK) else sys.executable


def arguments(program: str, live_dir: str, *more: str) -> list[str]:
    """The command that runs a program of `live_dir`, for whoever starts it without a shell."""
    return [interpreter(), "-I", "-S", "-c", _GUARD.format(program), live_dir, *more]


def shell_command(program: str, live_dir: str, *more: str) -> str:
    """The same for a shell: it is silent and ends with 0 where the interpreter is gone, too."""
    return f"{shlex.join(arguments(program, live_dir, *more))} 2>/dev/null || true"


def is_ours(program: str, words: Sequence[object]) -> bool:
    """Tell whether a command, in whatever pieces, runs a program of ours of any version."""
    call = f"import {program};{program}.main("
    return any(isinstance(word, str) and call in word for word in words)
