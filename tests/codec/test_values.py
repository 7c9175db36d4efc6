"""Values that are carried through."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given

from m31a_metrics.codec.values import (
    MAX_DEPTH,
    NumberText,
    carry,
    describe,
    parse,
    read_carried,
    write_value,
)
from tests.codec.strategies import json_values


def test_a_number_remembers_its_text() -> None:
    """It counts as a float, and copies and pickles keep the text."""
    number = NumberText("1.50")
    assert number == 1.5
    assert number + 1 == 2.5
    for same in (copy.copy(number), copy.deepcopy([number])[0], pickle.loads(pickle.dumps(number))):  # noqa: S301 - our own bytes
        assert (same, same.text) == (1.5, "1.50")
    assert NumberText("1e999") == math.inf


@given(json_values)
def test_values_come_back(value: Any) -> None:
    """What is written is the same JSON, laid out as the standard library lays it out."""
    text = write_value(value, "\n")
    assert carry(parse(text)) == value
    assert json.loads(text) == value
    assert write_value(carry(parse(text)), "\n") == text


def test_layout() -> None:
    """Two spaces a level from where it stands; what is empty stays on its line."""
    value = {"a": [1, {"b": []}], "c": {}, "d": (None, True)}
    assert write_value(value, "\n  ").splitlines() == [
        "{",
        '    "a": [',
        "      1,",
        "      {",
        '        "b": []',
        "      }",
        "    ],",
        '    "c": {},',
        '    "d": [',
        "      null,",
        "      true",
        "    ]",
        "  }",
    ]


@pytest.mark.parametrize(
    "value", [{1: 2}, {"a": {None: 1}}, [b"x"], [object()], [math.nan], {"a": {1, 2}}]
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """Keys that are no strings, NaN and foreign objects raise ValueError."""
    with pytest.raises(ValueError, match=r"cannot hold|not a string"):
        write_value(value, "\n")


def test_a_value_within_itself_is_refused() -> None:
    """A loop ends at the limit of nesting."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match=f"deeper than {MAX_DEPTH} levels"):
        write_value(loop, "\n")


def test_carried_fields_have_a_kind() -> None:
    """Null is empty; an object is no list and a list is no object."""
    assert read_carried(None, "list") == []
    assert read_carried(None, "object") == {}
    assert read_carried(parse('[{"a":1,"a":2}]'), "list") == [{"a": 2}]
    with pytest.raises(ValueError, match="is an object, not a list"):
        read_carried(parse("{}"), "list")
    with pytest.raises(ValueError, match="is a list, not an object"):
        read_carried(parse("[]"), "object")


def test_descriptions_hold_no_text_of_a_person() -> None:
    """A string's words and a list's contents stay out, a long number is cut."""
    values = parse('[null, true, {"secret": 1}, ["secret"], "secret", 1.50, -7]')
    words = ["null", "true", "an object", "a list", "a string", "the number 1.50", "the number -7"]
    assert [describe(value) for value in values] == words
    assert len(describe(int("9" * 200))) < 60
