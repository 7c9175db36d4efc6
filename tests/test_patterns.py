"""What is searched for: what every record that holds it has in its bytes, and where it stands."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from m31a_metrics.patterns import TEXT_MAX, Pattern

TEXTS = st.text(
    st.sampled_from(list("abkK .\"'\\/<>&\n\t\r\b\0éü\U0001f600{}:,0")), min_size=1, max_size=12
)


def written(text: str) -> list[bytes]:
    """A record that holds a text as agents write it: raw, escaped, and within other JSON."""
    inner = json.dumps({"q": text})
    records = [json.dumps({"k": text}), json.dumps({"k": text}, ensure_ascii=False)]
    records += [json.dumps({"k": inner}), json.dumps({"k": inner}, ensure_ascii=False)]
    records.append(json.dumps({"k": json.dumps({"q": text}, ensure_ascii=False)}))
    go = records[0].replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026")
    return [one.encode() for one in (*records, go)]


@given(TEXTS, TEXTS, TEXTS, st.booleans())
@example("", '"', "", False)
def test_no_record_that_holds_it_is_missed(
    before: str, sought: str, after: str, ignores_case: bool
) -> None:
    """However JSON writes it, the needle is in the bytes, and the record may hold it."""
    assume("\0" not in sought)  # which stands around lines that were torn, and in no text
    pattern = Pattern(sought, ignores_case=ignores_case)
    for record in written(before + sought + after):
        assert pattern.needle in (record.lower() if ignores_case else record)
        assert pattern.may_be_in(record), record


@given(
    TEXTS, st.sampled_from(["a", "[ab]+k", "(a|b)c?", r"\bab\b", "^a", "b$", "x{2,}", "é+", "."])
)
@example("a", "^a")  # a quote within JSON is an end of a line, too, where nothing is escaped
def test_a_regular_expression_misses_nothing_either(text: str, written_as: str) -> None:
    """Where it matches a text it may be in each record that holds that."""
    assume("\0" not in text)
    pattern = Pattern(written_as, is_regex=True)
    if not list(pattern.spans(text)):
        return
    for record in written(text):
        assert pattern.needle in record
        assert pattern.may_be_in(record), record


@pytest.mark.parametrize(
    ("pattern", "needle"),
    [
        ("err(or|no)[0-9]+", b"err"),
        (r"\bfoo(bar)+baz$", b"foo"),
        ("abc?def", b"def"),
        ("(?i)Hello", b"hello"),
        ("x(?i:hello)world", b"world"),
        ("ab(?=cd)ef", b"abef"),
        ("a|b", b""),
        ("[xyz]", b""),
        ('say "hi there"', b"hi there"),
        ("Größe", b"Gr"),
    ],
)
def test_a_regular_expression_names_the_longest_text_it_needs(pattern: str, needle: bytes) -> None:
    """Quickly found is only what has certain bytes; what may be otherwise is not among them."""
    assert Pattern(pattern, is_regex=True).needle == needle


def test_a_record_without_it_is_told_from_one_with_it() -> None:
    """The bytes of the needle alone do not count where there is more to it."""
    quoted = Pattern('"hi"\nthere')
    assert quoted.needle == b"there"
    assert quoted.may_be_in(rb'{"a":"x \"hi\"\nthere"}')
    assert not quoted.may_be_in(rb'{"a":"hi","b":"there"}')
    line = Pattern("^foo$", is_regex=True)
    assert line.may_be_in(rb'{"a":"foo"}')
    assert line.may_be_in(rb'{"a":"bar\nfoo\nbaz"}')
    assert not line.may_be_in(rb'{"a":"xfoo"}')


def test_places_are_all_that_are_not_empty() -> None:
    """`x*` is found where there is an x, and not between all letters."""
    assert list(Pattern("x*", is_regex=True).spans("axxbx")) == [(1, 3), (4, 5)]
    assert list(Pattern("a.c").spans("abc a.c")) == [(4, 7)]
    assert list(Pattern("TODO", ignores_case=True).spans("todo Todo")) == [(0, 4), (5, 9)]


@pytest.mark.parametrize(
    ("pattern", "runs_away"),
    [
        ("(a+)+$", True),
        ("(a|aa)*b", True),
        ("(?:x{0,100}y?)*z", True),
        ("((ab)*c)+", True),
        ("(?=(a+)+b)", True),
        ("err(or|no)[0-9]+", False),
        ("(ab?){1,3}", False),
        (r"\bdef \w+\(.*\):", False),
        ("a*b*c*", False),
    ],
)
def test_what_may_run_away_is_known(pattern: str, runs_away: bool) -> None:
    """A server that searched for it could not be stopped."""
    assert Pattern(pattern, is_regex=True).may_run_away is runs_away
    assert not Pattern(pattern).may_run_away


@pytest.mark.parametrize(
    ("text", "is_regex", "sentence"),
    [
        ("", False, "nothing to search for"),
        ("x" * (TEXT_MAX + 1), False, "longer than 500"),
        ("\ud800", False, "no text in UTF-8"),
        ("(", True, "no regular expression"),
        ("(?P<a>x)(?P<a>y)", True, "no regular expression"),
        ("x{99999999999}", True, "no regular expression"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(text: str, is_regex: bool, sentence: str) -> None:
    """With one sentence that says why."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Pattern(text, is_regex=is_regex)
