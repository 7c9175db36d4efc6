"""The report of Gemini CLI's shell tool."""

from __future__ import annotations

import pytest

from m31a_metrics.shell_report import exit_code, printed

LONG = "Command: x\nDirectory: (root)\nOutput: {}\nError: {}\nExit Code: {}\nSignal: (none)\nX: 1"


@pytest.mark.parametrize(
    ("report", "code", "text"),
    [
        (LONG.format("one\ntwo", "(none)", 0), 0, "one\ntwo"),
        (LONG.format("(empty)", "spawn failed", -1), -1, "(empty)\nError: spawn failed"),
        ("Output: no\nExit Code: 2\nProcess Group PGID: 7", 2, "no"),
        ("Output: fine", None, "fine"),
        ("plain", None, "plain"),
        (LONG.format("Exit Code: 3\nmore", "(none)", 1), 1, "Exit Code: 3\nmore"),
        ("Output: Exit Code: 3" + "." * 500, None, "Exit Code: 3" + "." * 500),
        ("", None, ""),
    ],
)
def test_the_exit_code_stands_at_the_end(report: str, code: int | None, text: str) -> None:
    """A command may print what looks like a report: only the end of the report counts."""
    assert (exit_code(report), printed(report)) == (code, text)
