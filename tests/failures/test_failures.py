"""failure_line: the same failure gives the same line, in the words of tools alone."""

from __future__ import annotations

import re
import sys
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m31a_metrics.failures import (
    BOUND,
    LINE_LENGTH,
    caseless,
    failure_line,
    normal_form,
    phrases,
)
from m31a_metrics.failures.phrases.wordlists import STATUSES


def mark(text: str) -> str:
    """Stand for the letters that the machine's key gives."""
    assert text
    return "abc"


EXAMPLES = {
    # Python
    'Traceback (most recent call last):\n  File "/a/b.py", line 3, in <module>\n    run()\n'
    "ValueError: invalid literal for int() with base 10: 'abc'\nmake: *** [t] Error 1": (
        "ValueError: invalid literal for int() with base <n>: <text>"
    ),
    "Traceback (most recent call last):\n  x\nKeyError: 'a'\n\nDuring handling of the above "
    "exception, another exception occurred:\n\nTraceback (most recent call last):\n  y\n"
    "app.errors.ItemGoneError: it went": "ItemGoneError: <text> #abc",
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
    "main.go:12:5: undefined: x": "<path>:<n>: undefined: <text>",
    # Rust
    "  Compiling x v0.1.0\nerror[E0425]: cannot find value `x` in this scope\n --> src/a.rs:2:5": (
        "error[E0425]: cannot find value <text> in this scope"
    ),
    "thread 'main' panicked at src/main.rs:12:5:\nindex out of bounds": (
        "thread <text> panicked at <path>:<n>:"
    ),
    # Node and TypeScript
    "/home/jo/x.js:10\n  foo()\n  ^\n\nReferenceError: foo is not defined\n    at x.js:10:3": (
        "ReferenceError: <text> is not defined"
    ),
    "src/app.ts(10,5): error TS2304: Cannot find name 'foo'.": (
        "<path>(<n>): error TS2304: Cannot find name <text>."
    ),
    "> build\n> tsc\n\nnpm ERR! code ELIFECYCLE\nnpm ERR! errno 2": "npm ERR! code ELIFECYCLE",
    # C, make, git
    "gcc -c a.c\nsrc/a.c:3:5: error: 'x' undeclared (first use in this function)": (
        "<path>:<n>: error: <text> undeclared (first use in this function)"
    ),
    "make: *** [Makefile:12: test] Error 1": "make: *** [Makefile:<n>: test] Error 1",
    "fatal: pathspec 'a.txt' did not match any files": (
        "fatal: pathspec <text> did not match any files"
    ),
    "git@github.com:o/r.git: Permission denied (publickey).": (
        "<id>:<path>: Permission denied (publickey)."
    ),
    # Shell
    "Exit code 127\nbash: foo: command not found": "bash: <text>: command not found",
    "bash: python3: command not found": "bash: python<n>: command not found",
    "/bin/sh: 1: foo: not found": "<path>: <n>: <text>: not found",
    "Exit code 2\nsome output\nsed: can't read src/a.go: No such file or directory": (
        "sed: can't read <path>: No such file or directory"
    ),
    "cat: /etc/shadow: Permission denied": "cat: <path>: Permission denied",
    "[Errno 5] Input/output error": "[Errno <n>] Input/output error",
    "Exit code 1": "Exit code 1",
    "Exit code 1\nwhatever it printed": "Exit code 1",
    "Error: Exit code 2\ngroup ok: 12 commits": "Error: Exit code 2",
    "Process exited with code 2": "Process exited with code 2",
    "Command timed out after 2m 0.0s": "Command timed out after <n>m <n>s",
    "curl: (7) Failed to connect to localhost port 8080: Connection refused": (
        "curl: (7) Failed to connect to <text> port <n>: Connection refused"
    ),
    "> node -e 'throw Error(1)'\nnpm ERR! code 1": "npm ERR! code <n>",
    "\x1b[31merror\x1b[0m: \x1b[1mboom\x1b[0m 12": "error: <text> #abc",
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
    'API Error: 529 {"type":"error","error":{"message":"Overloaded"}}': "API Error: 529 <text>",
    # What is folded
    "open /home/jo/plans.txt and C:\\Users\\Jo\\x or ~/x, ./y": ("<text> #abc"),
    "see https://example.com/a?b=1, then": "<text> #abc",
    "commit 3f2a9b1c of 550e8400-e29b-41d4-a716-446655440000 at 0xDEADBEEF": ("<text> #abc"),
    "request req_011CSHoEeqs5C35K2UUqR7Fy by jo@example.com": "<text> #abc",
    "test_login_v2_with_cookies failed": "<text> #abc",
    "2024-01-02T12:00:01.5Z took 1,234.5 ms": "<n> <text> #abc",
    "OPENAI_API_KEY=sk-abc is wrong": "<text> #abc",
    "Authorization: Bearer abcdef is wrong": "<text> #abc",
    "don't say \"my 'plan'\" or ‘my plan’ or `x` or 'it isn't": ("<text> #abc"),
    'never "closed': "<text> #abc",
    "x\u202ey٣² z\u200b": "<text> #abc",
    "\n\n  first line that says something  \nsecond": "<text> #abc",
    "": "",
    " \n\t\x00": "",
}

# What programs printed -> the line of a heal.
PRINTED = {
    "It is communal vs agentic.\nand more\n": "",
    "Exit code 1\nwhatever it printed": "",
    "dupes: 3\n": "",
    "(pass) keeps ERROR: apart [3ms]\n(fail) splits it [1ms]": "(fail) <text> [<n>ms] #abc",
    "> node -e \"throw Error('error: x')\"\nError: boom": "Error: <text> #abc",
    "$ eslint src\n  12:5  error  'x' is never used  no-unused-vars": (
        "<n> error <text> is never used no-unused-vars"
    ),
    "   3 │ let message = error: no;\n > 4 | error: no": "",
    "markdownlint-cli2 v0.18.1\nREADME.md:3 MD013/line-length Line length": (
        "<path>:<n> MD013/line-length Line length"
    ),
    "a.go:3:4: undefined: x": "<path>:<n>: undefined: <text>",
    "src/a.py:12: a line that was looked for": "",
    "src/a.py:1:1: F401 [*] `os` imported but unused": (
        "<path>:<n>: F401 [*] <text> imported but unused"
    ),
    "ran 3\n2 failed, 1 passed": "<n> failed, <n> passed",
    "0 failed, 3 passed": "",
    "src/a.ts(3,4): error TS2304: Cannot find name 'x'.": (
        "<path>(<n>): error TS2304: Cannot find name <text>."
    ),
    "✓ works\n✗ breaks": "✗ <text> #abc",
    "": "",
}

pieces = st.sampled_from(
    [
        *("error: ", "Error: ", "Traceback (most recent call last):\n", "panic: ", "FAILED ", "\n"),
        *("'", '"', "`", "’", "{", "/", "\\", "://", ".", ".py", "-", "@", "<text>", "<n>", "<"),
        *("<tool_use_error>", "the user said:", "Exit code 1\n", "\nString: ", "bearer ", "token="),
        *("E  ", "| ", "\x1b[31m", "\x1b]0;", "\r", "\t", "\x85", "\u2028", "\u202e", "²", "٣"),
        *("deadbeef1", "0x", "12", "a1", "word ", "é", "日本", "…", "=", ":", "a" * 79, " "),
        *(
            " #abc",
            "#",
            "x.py:1:2: ",
            "F401 ",
            "HTTP 404",
            "exit code 7",
            "TS2345",
            ": ",
            ". ",
            "- ",
        ),
        *(
            "[*] ",
            "::test_a[",
            "] ",
            "(",
            ") ",
            "KeyError",
            "--- FAIL: TestA/",
            "(a.B)",
            ", ",
            "; ",
        ),
    ]
)
# What tools say, in any order and torn anywhere.
said = st.sampled_from(list(phrases.lines())).map(lambda line: line.replace("~", "").rstrip())
texts = st.one_of(
    st.text(max_size=400),
    st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=60).map("".join),
    st.lists(st.one_of(pieces, said), max_size=8).map("".join),
    st.lists(st.one_of(pieces, said), max_size=8).map(" ".join),
)
_MARK = re.compile(r" #[a-p]{3}$")


@pytest.mark.parametrize(("text", "line"), EXAMPLES.items(), ids=range(len(EXAMPLES)))
def test_examples(text: str, line: str) -> None:
    """Errors as tools really print them give the line a person would count them by."""
    assert failure_line(text, mark=mark) == line
    assert failure_line(text) == _MARK.sub("", line)


@pytest.mark.parametrize(("text", "line"), PRINTED.items(), ids=range(len(PRINTED)))
def test_printed_text_without_a_sign_of_failure_stays_away(text: str, line: str) -> None:
    """Of what a program printed only a line that says that something failed is taken."""
    assert failure_line(text, printed=True, mark=mark) == line


@given(st.text(st.characters(categories=["L", "Zs"]), min_size=1), st.integers(0, 3))
def test_words_are_no_failure(text: str, lines: int) -> None:
    """Words that nothing marks as a failure give no line."""
    assert failure_line("\n".join([f"so {text}"] * lines), printed=True) == ""


@given(texts)
@example("x" * 150 + " bearer secret" + " y" * 100)
@example("v1.foo.py2 5'x /a/b's c")
def test_a_line_folds_to_itself(text: str) -> None:
    """A line that went through once comes back unchanged, with its letters or without."""
    for line in (failure_line(text), failure_line(text, mark=mark)):
        assert failure_line(line) == line
        assert failure_line(line, mark=lambda _: "ppp") in (line, f"{line} #ppp")
    assert failure_line(line, mark=lambda _: "ppp") == line


@given(texts)
def test_nothing_foreign_is_left(text: str) -> None:
    """A line is short and free of control characters and quotes; a digit is part of a code."""
    line = failure_line(text, mark=mark)
    assert len(line) <= LINE_LENGTH
    for number in re.findall(r"\d+", line):
        assert len(number) <= 5
        assert number in STATUSES or int(number) <= 255 or re.search(rf"[A-Z]{number}", line)
    assert not any(unicodedata.category(character)[0] == "C" for character in line)
    assert line == " ".join(line.split())
    assert '"' not in line
    assert "`" not in line


@given(st.text(st.characters(categories=["L", "Zs"]), min_size=1), st.sampled_from("\"'`"))
def test_quoted_text_never_shows(text: str, quote: str) -> None:
    """Whatever is quoted, closed or not, is replaced by a placeholder."""
    assert failure_line(f"Error: No module named {quote}{text}{quote}") == (
        "Error: No module named <text>"
    )
    assert failure_line(f"Error: No module named {quote}{text}") == "Error: No module named <text>"


def test_letters_stand_where_nothing_is_known_and_nowhere_else() -> None:
    """They are asked for once, with all that differs from one time to the next folded away."""
    asked: list[str] = []

    def letters(text: str) -> str:
        asked.append(text)
        return "mno"

    assert failure_line("Error: of 3 'x' went /tmp/a astray", mark=letters) == "Error: <text> #mno"
    assert asked == ["Error: of <n> <text> went <path> astray"]
    assert failure_line("KeyError: 'x'", mark=letters) == "KeyError: <text>"
    assert failure_line("Error: <text> #mno", mark=letters) == "Error: <text> #mno"
    assert failure_line("Error: it went astray", mark=lambda _: "") == "Error: <text>"
    assert len(asked) == 1


def test_the_normal_form_keeps_words_and_tells_more_failures_apart() -> None:
    """What failures are compared by in memory has what the written line leaves out."""
    assert normal_form("Error: Acme price 7 is wrong") == "Error: Acme price <n> is wrong"


def test_only_both_ends_are_read() -> None:
    """Of a long text the first and the last 8 KiB count; halves of lines are left out."""
    filling = "some words of output\n" * 2_000
    assert failure_line(filling + "\nerror: Killed") == "error: Killed"
    assert failure_line("error: Killed\n" + filling) == "error: Killed"
    assert failure_line("Aborted\n" + filling + "error: Killed\n" + filling) == "Aborted"
    assert failure_line("Aborted\n" + "x" * BOUND * 3 + 'it said "error: Killed') == "Aborted"


@pytest.mark.parametrize(
    "unit",
    [
        *('"', "'", "{ ", "a/", "a.", "E  ", " \n", "\x1b[E ", "://", "token-", "1.", "Error."),
        *("| ", "\\", "cannot ", "cannot: ", "error: ", "exit code 1 ", "x.py:1:1: ", "<text> "),
        *("is not ", "F401 ", "[a ", "::", "test_a::", "4 ", "http ", "a/b ", "#abc ", "…: "),
    ],
)
@pytest.mark.parametrize("end", ["", " …", "\nerror: x"])
def test_hostile_texts_take_no_time(unit: str, end: str) -> None:
    """Sixteen KiB of whatever makes patterns try again take well below half a second."""
    text = (unit * 2 * BOUND)[: 2 * BOUND - len(end)] + end
    began = time.thread_time()
    failure_line(text)
    failure_line(text[:900] + end)
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
    assert normal_form(f"{beside}error: a\nerror: b") == "error: a"
    assert normal_form(f"{beside}error: a\nTypeError: b\nFAILED c") == "TypeError: b"
    assert normal_form(f"{beside}a FAILED b\nnot found") == "a FAILED b"
    assert failure_line(beside * 3 + "it was not found: x\nkilled", printed=True) == "killed"
