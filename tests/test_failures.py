"""failure_line: the same failure gives the same line, and nobody's text goes along."""

from __future__ import annotations

import re
import sys
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m31a_metrics.failures import BOUND, LINE_LENGTH, caseless, failure_line

EXAMPLES = {
    # Python
    'Traceback (most recent call last):\n  File "/a/b.py", line 3, in <module>\n    run()\n'
    "ValueError: invalid literal for int() with base 10: 'abc'\nmake: *** [t] Error 1": (
        "ValueError: invalid literal for int() with base <n>: <text>"
    ),
    "Traceback (most recent call last):\n  x\nKeyError: 'a'\n\nDuring handling of the above "
    "exception, another exception occurred:\n\nTraceback (most recent call last):\n  y\n"
    "app.errors.Gone: it went": "app.errors.Gone: it went",
    "  + Exception Group Traceback (most recent call last):\n  |   File 'x'\n"
    "  | ExceptionGroup: many (2 sub-exceptions)": "ExceptionGroup: many (<n> sub-exceptions)",
    "tests/test_a.py:3: in f\nE       AssertionError: assert 1 == 2\n1 failed in 0.2s": (
        "AssertionError: assert <n> == <n>"
    ),
    "FAILED tests/test_a.py::test_b": "FAILED <path>::test_b",
    # Go
    "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:": (
        "panic: runtime error: index out of range [<n>] with length <n>"
    ),
    "=== RUN   TestFoo\n--- FAIL: TestFoo (0.01s)\n    foo_test.go:12: got 3\nFAIL": (
        "--- FAIL: TestFoo (<n>s)"
    ),
    "main.go:12:5: undefined: x": "<path>:<n>: undefined: x",
    # Rust
    "  Compiling x v0.1.0\nerror[E0425]: cannot find value `x` in this scope\n --> src/a.rs:2:5": (
        "error[E<n>]: cannot find value <text> in this scope"
    ),
    "thread 'main' panicked at src/main.rs:12:5:\nindex out of bounds": (
        "thread <text> panicked at <path>:<n>:"
    ),
    # Node and TypeScript
    "/home/jo/x.js:10\n  foo()\n  ^\n\nReferenceError: foo is not defined\n    at x.js:10:3": (
        "ReferenceError: foo is not defined"
    ),
    "src/app.ts(10,5): error TS2304: Cannot find name 'foo'.": (
        "<path>(<n>): error TS<n>: Cannot find name <text>."
    ),
    "> build\n> tsc\n\nnpm ERR! code ELIFECYCLE\nnpm ERR! errno 2": "npm ERR! code ELIFECYCLE",
    # C, make, git
    "gcc -c a.c\nsrc/a.c:3:5: error: 'x' undeclared (first use in this function)": (
        "<path>:<n>: error: <text> undeclared (first use in this function)"
    ),
    "make: *** [Makefile:12: test] Error 1": "make: *** [Makefile:<n>: test] Error <n>",
    "fatal: pathspec 'a.txt' did not match any files": (
        "fatal: pathspec <text> did not match any files"
    ),
    "git@github.com:o/r.git: Permission denied (publickey).": (
        "<id>:<path>: Permission denied (publickey)."
    ),
    # Shell
    "Exit code 127\nbash: foo: command not found": "bash: foo: command not found",
    "/bin/sh: 1: foo: not found": "<path>: <n>: foo: not found",
    "Exit code 2\nsome output\nsed: can't read src/a.go: No such file or directory": (
        "sed: can't read <path>: No such file or directory"
    ),
    "cat: /etc/shadow: Permission denied": "cat: <path>: Permission denied",
    "[Errno 5] Input/output error": "[Errno <n>] Input/output error",
    "Exit code 1": "Exit code <n>",
    "Exit code 1\nwhatever it printed": "Exit code <n>",
    "Error: Exit code 2\ngroup ok: 12 commits": "Error: Exit code <n>",
    "Process exited with code 2": "Process exited with code <n>",
    "Command timed out after 2m 0.0s": "Command timed out after <n>m <n>s",
    "curl: (7) Failed to connect to localhost port 8080: Connection refused": (
        "curl: (<n>) Failed to connect to localhost port <n>: Connection refused"
    ),
    "> node -e 'throw Error(1)'\nnpm ERR! code 1": "npm ERR! code <n>",
    "\x1b[31merror\x1b[0m: \x1b[1mboom\x1b[0m 12": "error: boom <n>",
    # Agents' tools
    "<tool_use_error>String to replace not found in file.\nString: Error: x</tool_use_error>": (
        "String to replace not found in file."
    ),
    "String to replace not found in file.\nString: \nError: secret": (
        "String to replace not found in file."
    ),
    "File has not been read yet. Read it first before writing to it.": (
        "File has not been read yet. Read it first before writing to it."
    ),
    "The tool use was rejected. The user said:\nError: I loathe this": (
        "The tool use was rejected. The user said:"
    ),
    'API Error: 529 {"type":"error","error":{"message":"Overloaded"}}': "API Error: <n> <text>",
    # What is folded
    "open /home/jo/plans.txt and C:\\Users\\Jo\\x or ~/x, ./y": (
        "open <path> and <path> or <path>, <path>"
    ),
    "see https://example.com/a?b=1, then": "see <url>, then",
    "commit 3f2a9b1c of 550e8400-e29b-41d4-a716-446655440000 at 0xDEADBEEF": (
        "commit <id> of <id> at <id>"
    ),
    "request req_011CSHoEeqs5C35K2UUqR7Fy by jo@example.com": "request <id> by <id>",
    "test_login_v2_with_cookies failed": "test_login_v<n>_with_cookies failed",
    "2024-01-02T12:00:01.5Z took 1,234.5 ms": "<n> took <n> ms",
    "OPENAI_API_KEY=sk-abc is wrong": "OPENAI_API_KEY=<text> is wrong",
    "Authorization: Bearer abcdef is wrong": "Authorization: Bearer <text> is wrong",
    "don't say \"my 'plan'\" or ‘my plan’ or `x` or 'it isn't": (
        "don't say <text> or <text> or <text> or <text>"
    ),
    'never "closed': "never <text>",
    "x\u202ey٣² z\u200b": "x y<n> z",
    "\n\n  first line that says something  \nsecond": "first line that says something",
    "": "",
    " \n\t\x00": "",
}

# What programs printed -> the line of a heal.
PRINTED = {
    "It is communal vs agentic.\nand more\n": "",
    "Exit code 1\nwhatever it printed": "",
    "dupes: 3\n": "",
    "(pass) keeps ERROR: apart [3ms]\n(fail) splits it [1ms]": "(fail) splits it [<n>ms]",
    "> node -e \"throw Error('error: x')\"\nError: boom": "Error: boom",
    "$ eslint src\n  12:5  error  'x' is never used  no-unused-vars": (
        "<n> error <text> is never used no-unused-vars"
    ),
    "   3 │ let message = error: no;\n > 4 | error: no": "",
    "markdownlint-cli2 v0.18.1\nREADME.md:3 MD013/line-length Line length": (
        "<path>:<n> <path> Line length"
    ),
    "a.go:3:4: undefined: x": "<path>:<n>: undefined: x",
    "src/a.py:12: a line that was looked for": "",
    "src/a.py:1:1: F401 [*] `os` imported but unused": (
        "<path>:<n>: F<n> [*] <text> imported but unused"
    ),
    "ran 3\n2 failed, 1 passed": "<n> failed, <n> passed",
    "0 failed, 3 passed": "",
    "src/a.ts(3,4): error TS2304: Cannot find name 'x'.": (
        "<path>(<n>): error TS<n>: Cannot find name <text>."
    ),
    "✓ works\n✗ breaks": "✗ breaks",
    "": "",
}

pieces = st.sampled_from(
    [
        *("error: ", "Error: ", "Traceback (most recent call last):\n", "panic: ", "FAILED ", "\n"),
        *("'", '"', "`", "’", "{", "/", "\\", "://", ".", ".py", "-", "@", "<text>", "<n>", "<"),
        *("<tool_use_error>", "the user said:", "Exit code 1\n", "\nString: ", "bearer ", "token="),
        *("E  ", "| ", "\x1b[31m", "\x1b]0;", "\r", "\t", "\x85", "\u2028", "\u202e", "²", "٣"),
        *("deadbeef1", "0x", "12", "a1", "word ", "é", "日本", "…", "=", ":", "a" * 79, " "),
    ]
)
texts = st.one_of(
    st.text(max_size=400),
    st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=60).map("".join),
)


@pytest.mark.parametrize(("text", "line"), EXAMPLES.items(), ids=range(len(EXAMPLES)))
def test_examples(text: str, line: str) -> None:
    """Errors as tools really print them give the line a person would count them by."""
    assert failure_line(text) == line


@pytest.mark.parametrize(("text", "line"), PRINTED.items(), ids=range(len(PRINTED)))
def test_printed_text_without_a_sign_of_failure_stays_away(text: str, line: str) -> None:
    """Of what a program printed only a line that says that something failed is taken."""
    assert failure_line(text, printed=True) == line


@given(st.text(st.characters(categories=["L", "Zs"]), min_size=1), st.integers(0, 3))
def test_words_are_no_failure(text: str, lines: int) -> None:
    """Words that nothing marks as a failure give no line."""
    assert failure_line("\n".join([f"so {text}"] * lines), printed=True) == ""


@given(texts)
@example("x" * 150 + " bearer secret" + " y" * 100)
@example("v1.foo.py2 5'x /a/b's c")
def test_a_line_folds_to_itself(text: str) -> None:
    """A line that went through once comes back unchanged."""
    line = failure_line(text)
    assert failure_line(line) == line


@given(texts)
def test_nothing_foreign_is_left(text: str) -> None:
    """A line is short and free of digits, control characters, escapes and quotes' text."""
    line = failure_line(text)
    assert len(line) <= LINE_LENGTH
    assert not any(character.isdigit() for character in line)
    assert not any(unicodedata.category(character)[0] == "C" for character in line)
    assert line == " ".join(line.split())
    assert '"' not in line
    assert "`" not in line


@given(st.text(st.characters(categories=["L", "Zs"]), min_size=1), st.sampled_from("\"'`"))
def test_quoted_text_never_shows(text: str, quote: str) -> None:
    """Whatever is quoted, closed or not, is replaced by a placeholder."""
    assert failure_line(f"refused {quote}{text}{quote}") == "refused <text>"
    assert failure_line(f"refused {quote}{text}") == "refused <text>"


def test_only_both_ends_are_read() -> None:
    """Of a long text the first and the last 8 KiB count; halves of lines are left out."""
    filling = "some words of output\n" * 2_000
    assert failure_line(filling + "\nerror: at the end") == "error: at the end"
    assert failure_line("error: at the start\n" + filling) == "error: at the start"
    assert failure_line("begin\n" + filling + "error: amid\n" + filling) == "begin"
    assert failure_line("begin\n" + "x" * BOUND * 3 + 'it said "error: no') == "begin"


@pytest.mark.parametrize(
    "unit",
    [
        '"',
        "'",
        "{ ",
        "a/",
        "a.",
        "E  ",
        " \n",
        "\x1b[E ",
        "://",
        "token-",
        "1.",
        "Error.",
        "| ",
        "\\",
    ],
)
def test_hostile_texts_take_no_time(unit: str) -> None:
    """Sixteen KiB of whatever makes patterns try again take well below half a second of work."""
    text = (unit * 2 * BOUND)[: 2 * BOUND]
    began = time.thread_time()  # what else the machine does is no matter
    failure_line(text)
    assert time.thread_time() - began < 0.5


def test_caseless_holds_what_a_pattern_finds() -> None:
    """Each character that a pattern takes for a letter, whatever its case, becomes that letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    alike = re.findall("[a-z]", "".join(map(chr, range(sys.maxunicode + 1))), re.IGNORECASE)
    assert len(alike) > 2 * len(letters)
    for char in alike:
        assert caseless(char) in letters
        assert re.match(caseless(char), char, re.IGNORECASE)


def test_signs_are_read_line_by_line() -> None:
    """The first line with the surest sign is taken, but for those beside it, however many."""
    beside = "ok an error: x\n  12 | raise Error: x\nExit code 1\nPASS error: y\n"
    assert failure_line(f"{beside}error: a\nerror: b") == "error: a"
    assert failure_line(f"{beside}error: a\nTypeError: b\nFAILED c") == "TypeError: b"
    assert failure_line(f"{beside}a FAILED b\nnot found") == "a FAILED b"
    assert failure_line(beside * 3 + "it was not found: x\nkilled", printed=True) == "killed"
