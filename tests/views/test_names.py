"""Names from strangers: harmless, measured, cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.views.names import clean, clean_lines, cut, cut_middle, pad, width_of, wrap


@pytest.mark.parametrize(
    ("text", "cells"),
    [("plain", 5), ("日本語", 6), ("🚀", 2), ("e\u0301", 1), ("한글", 4), ("\uff27", 2), ("", 0)],
)
def test_widths(text: str, cells: int) -> None:
    """Wide characters take two cells, combining ones none."""
    assert width_of(text) == cells


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("Bash", 4, "Bash"),
        ("Bash", 3, "Ba…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("a bcd", 3, "a…"),
        ("日本", 1, "…"),
    ],
)
def test_cuts(text: str, width: int, short: str) -> None:
    """A cut never halves a wide character and leaves no space before the ellipsis."""
    assert cut(text, width) == short


def test_pads_and_wraps() -> None:
    """Padding and breaking count cells, not characters."""
    assert pad("日本", 6, right=False) == "日本  "
    assert pad("日本", 6, right=True) == "  日本"
    assert wrap("日本 語 a", 7) == ["日本 語", "a"]
    assert wrap("Share of time", 0) == ["Share", "of", "time"]
    assert wrap("", 5) == [""]


@given(st.text())
def test_clean_is_one_harmless_line(text: str) -> None:
    """Cleaned text holds no control, direction or surrogate characters and stays so."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert "\n" not in cleaned
    assert "\x1b" not in cleaned
    assert cleaned.encode().decode() == cleaned


@given(st.text().map(clean), st.integers(1, 30))
def test_cut_keeps_the_width(text: str, width: int) -> None:
    """A name is cut to the width at most, and left alone where it fits."""
    short = cut(text, width)
    assert width_of(short) <= width
    if width_of(text) <= width:
        assert short == text


def test_a_cut_in_the_middle_keeps_both_ends() -> None:
    """What tells two names apart may stand at their end."""
    assert cut_middle("mcp__browser__navigate", 11) == "mcp__…igate"
    assert cut_middle("日本語日本語", 6) == "日…語"
    assert cut_middle("Bash", 4) == "Bash"
    assert cut_middle("Bash", 2) == "B…"


@given(st.text().map(clean), st.integers(1, 30))
def test_a_cut_in_the_middle_keeps_the_width(text: str, width: int) -> None:
    """It is never wider than it may be."""
    assert width_of(cut_middle(text, width)) <= width


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\n\tb  c", "a\n\tb  c"),
        ("a\r\nb\x0cc\u2028d", "a\nbcd"),
        ("\x1b[31mred\x1b[0m\n\x1b]0;title\nkept", "red\n\nkept"),
        ("a\u202eb\u2066c\u200bd\0e\x9bf\ud800", "abcdef"),
        ("\u00e9\u4e2d\U0001f600", "\u00e9\u4e2d\U0001f600"),
    ],
)
def test_text_of_many_lines_keeps_its_lines(text: str, cleaned: str) -> None:
    """Lines, tabs and spaces stay; what is invisible, turns the writing or ends lines goes."""
    assert clean_lines(text) == cleaned
