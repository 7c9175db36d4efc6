"""Texts of other agents' records: cut where they may be, written as a person reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from m31a_metrics.conversation import TEXT_CHARS_MAX
from m31a_metrics.sources.shared_texts import (
    FIRST_WORDS_CHARS,
    diff_of,
    input_of,
    one_line,
    patch_of,
    text_of,
)


@pytest.mark.parametrize(
    ("written_as", "text", "left_out"),
    [
        (b'"a\\nb"', "a\nb", 0),
        (b"", "", 0),
        (b"null", "", 0),
        (b"12", "12", 0),
        (b"true", "true", 0),
        (b'{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}', 0),
        (b'"\\ud83d cut"', "� cut", 0),
    ],
)
def test_any_value_has_a_text(written_as: bytes, text: str, left_out: int) -> None:
    """Texts are as they are, other values as JSON; half of a pair is a mark."""
    assert text_of(written_as) == (text, left_out)


@pytest.mark.parametrize("unit", ["x", "é", "\\ud83d\\ude00", "\\\\", "\\u00e9", "漢"])
@pytest.mark.parametrize("shift", range(3))
def test_a_long_text_is_cut_wherever_an_escape_may_stand(unit: str, shift: int) -> None:
    """Only the beginning is decoded, and no character is cut in two."""
    raw = ('"' + "a" * shift + unit * 400_000 + '"').encode()
    text, left_out = text_of(raw)
    assert len(text) == TEXT_CHARS_MAX
    assert left_out > 0
    whole = json.loads(raw)
    assert whole.startswith(text)


def test_what_a_tool_was_called_with_reads_well() -> None:
    """A command stands by itself, a target before the rest, several lines below their name."""
    given_: dict[str, Any] = {"timeout": 5, "description": "List", "command": "ls"}
    assert input_of(json.dumps(given_).encode()) == ("ls\ntimeout: 5\ndescription: List", 0)
    given_ = {"new": "a\nb", "file_path": "/a"}
    assert input_of(json.dumps(given_).encode())[0] == "file_path: /a\nnew:\na\nb"
    assert input_of(b'"plain"')[0] == "plain"
    text, left_out = input_of(json.dumps({"a": "x" * 90_000, "b": "y" * 90_000}).encode())
    assert len(text) < TEXT_CHARS_MAX + 100
    assert left_out > 0


def test_changes_are_shown_as_diffs() -> None:
    """Of two texts and of hunks; what is too long to compare is taken out and put in whole."""
    assert diff_of("a.py", "x\ny", "x\nz").splitlines() == [
        "--- a.py", "+++ a.py", "@@ -1,2 +1,2 @@", " x", "-y", "+z",
    ]  # fmt: skip
    long = diff_of("a.py", "x\n" * 2_000, "y\n" * 2_000).splitlines()
    assert (long[2], long[-1], len(long)) == ("-x", "+y", 4_002)
    hunk = {"oldStart": 3, "oldLines": 1, "newStart": 3, "newLines": 1, "lines": ["-a", "+b", 1]}
    assert patch_of("a.py", [hunk, 5, {"lines": 7}]).splitlines() == [
        "--- a.py", "+++ a.py", "@@ -3,1 +3,1 @@", "-a", "+b",
    ]  # fmt: skip
    assert not patch_of("a.py", [])


def test_a_title_is_one_line() -> None:
    """Without control characters and turns of direction, cut behind a word where there is one."""
    assert one_line("  a\n\tb\x1b[31m\u202ec\0 ") == "a b [31m c"
    assert len(one_line("word " * 100)) <= FIRST_WORDS_CHARS
    assert one_line("word " * 100).endswith("word…")
    assert len(one_line("x" * 10_000)) == FIRST_WORDS_CHARS
