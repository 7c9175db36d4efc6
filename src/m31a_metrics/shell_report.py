"""The report that Gemini CLI's shell tool, and those of its offspring, give the model.

    Command: pytest -q
    Directory: (root)
    Output: 1 failed
    Error: (none)
    Exit Code: 1
    Signal: (none)
    Background PIDs: (none)
    Process Group PGID: 7

Newer versions leave out what is none, and the first two lines. To the tool a command that
failed is a success.
"""

from __future__ import annotations

import re

TOOL = "run_shell_command"

_TAIL_CHARS = 400
_EXIT = re.compile(r"(?:^|\n|\\n)Exit Code: (-?\d{1,10})")
_BEGIN = re.compile(r"(?:^|\n|\\n)Output: ?")
_NO_ERROR = re.compile(r"(?:^|\n|\\n)Error: \(none\)\s*$")


def exit_code(report: str) -> int | None:
    """Return the command's exit code. A command may print anything, so only the end counts."""
    found = _EXIT.findall(report[-_TAIL_CHARS:])
    return int(found[-1]) if found else None


def printed(report: str) -> str:
    """Return what the command printed, without the report around it."""
    begin = _BEGIN.search(report)
    ends = [match.start() for match in _EXIT.finditer(report)]
    return _NO_ERROR.sub("", report[begin.end() if begin else 0 : ends[-1] if ends else None])
