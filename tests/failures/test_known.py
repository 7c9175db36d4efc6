"""What is found in a line, part by part."""

from __future__ import annotations

import pytest

from m31a_metrics.failures import failure_line

LINES = {
    # A message counts where it stands whole.
    "cat: a.txt: No such file or directory": "cat: <path>: No such file or directory",
    "no such file or directory of mine": "<text>",
    "she said no such file or directory": "<text>",
    "my file: no such file or directory: it is gone": "<text>: no such file or directory: <text>",
    "File does not exist. Did you mean a.py?": "File does not exist. Did you mean <path>?",
    "rg: x: No such file or directory (os error 2)": (
        "rg: <text>: No such file or directory (os error <n>)"
    ),
    "Permission denied (for her)": "Permission denied (<text>)",
    "Permission denied for her": "<text>",
    # Slots take one word, or what is folded to one.
    "ModuleNotFoundError: No module named shop": "ModuleNotFoundError: No module named <text>",
    "ModuleNotFoundError: No module named my dear": "ModuleNotFoundError: <text>",
    "Error: cannot find module shop": "Error: cannot find module <text>",
    "KeyError: my dear: it is gone": "KeyError: <text>",
    # A message that begins with a slot needs something known before it.
    "ReferenceError: shop is not defined": "ReferenceError: <text> is not defined",
    "love is not defined": "<text>",
    "my love: love is not a function": "<text>: <text> is not a function",
    # The longest message counts, and of equal ones that which says more.
    "error: pathspec 'x' did not match any file(s) known to git": (
        "error: pathspec <text> did not match any file(s) known to git"
    ),
    "2 failed": "<n> failed",
    # A program that is not found is named if everybody knows it.
    "zsh: command not found: npm": "zsh: command not found: npm",
    "zsh: command not found: diary": "zsh: command not found: <text>",
    "diary: command not found": "<text>: command not found",
    # Cut lines
    "Found 2 matches of the string to replace, but …": (
        "Found <n> matches of the string to replace, but …"
    ),
    "Found it …": "<text> …",
    # Case
    "PERMISSION DENIED": "PERMISSION DENIED",
}


@pytest.mark.parametrize(("text", "line"), LINES.items())
def test_messages_count_as_a_whole(text: str, line: str) -> None:
    """What tools say is kept where it stands from one end of a part to the other."""
    assert failure_line(text) == line
