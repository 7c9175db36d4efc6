"""Which numbers of a line are codes, and outlive folding."""

from __future__ import annotations

import pytest

from m31a_metrics.failures import failure_line
from m31a_metrics.failures.codes import hidden, only_codes, shown
from m31a_metrics.failures.folding import folded

CODES = {
    "Exit code 127": "Exit code 127",
    "exit code 4711": "exit code <n>",
    "exit status -1": "exit status -1",
    "exit code 007": "exit code <n>",
    "Process exited with code 2.": "Process exited with code 2.",
    "make: *** [all] Error 2": "make: *** [all] Error 2",
    "curl: (28) Operation timed out": "curl: (28) Operation timed out",
    "gh: Not Found (HTTP 404)": "gh: Not Found (HTTP 404)",
    "HTTP 999": "HTTP <n>",
    "API Error: 529 x": "API Error: 529 x",
    "npm error code E404": "npm error code E404",
    "404 Not Found": "404 Not Found",
    "404 ways to say it": "<n> ways to say it",
    "room 404": "room <n>",
    "a.ts(3,4): error TS2304: x": "<path>(<n>): error TS2304: x",
    "a.ts(3,4): error AB2304: x": "<path>(<n>): error AB<n>: x",
    "error[E0308]: mismatched types": "error[E0308]: mismatched types",
    "a.py:3:5: F401 x": "<path>:<n>: F401 x",
    "a.py:3:5: X401 x": "<path>:<n>: X<n> x",
    "F401 [*] `os` imported": "F401 [*] <text> imported",
    "F401 is a room": "F<n> is a room",
    "a.md:3:1 error MD013/line-length Line length": (
        "<path>:<n> error MD013/line-length Line length"
    ),
    "--- FAIL: TestLogin/with_a_password (0.01s)": "--- FAIL: TestLogin/with_a_password (<n>s)",
    "  3:5  error  x  react/jsx-key": "<n> error x react/jsx-key",
    "a.rb:1:2: C: Style/StringLiterals: x": "<path>:<n>: C: Style/StringLiterals: x",
    "Command '['git', 'push']' returned 1": "Command <text> returned <n>",
}


@pytest.mark.parametrize(("line", "told"), CODES.items())
def test_codes_are_kept_where_tools_put_them(line: str, told: str) -> None:
    """Behind what announces them, in the range that they have; all other numbers are folded."""
    assert shown(folded(hidden(line))) == told


@pytest.mark.parametrize("told", CODES.values())
def test_a_folded_line_keeps_its_codes(told: str) -> None:
    """What was kept once is kept again, though the places in files have no numbers any more."""
    assert shown(folded(hidden(told))) == told


def test_nobody_can_write_a_code_as_it_is_hidden() -> None:
    """The characters that stand for digits meanwhile are taken out of any text."""
    assert failure_line("error: \x01\x02\x03\x04\x05\x06\x07\x08 killed") == "error: killed"
    assert failure_line("Exit code \x02\x03\x04") == "<text>"


def test_numbers_that_lost_what_announced_them_go() -> None:
    """A number is a code only together with the words before it."""
    assert only_codes("exit code 7 and 8") == "exit code 7 and <n>"
    assert only_codes("no number") == "no number"
