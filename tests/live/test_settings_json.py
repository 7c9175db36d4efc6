from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.live.settings_json import (
    DEPTH_MAX,
    NotStrictJSON,
    add_item,
    add_member,
    decoded,
    replace_value,
    scan,
    take_out,
)

VALUE = {"hooks": [{"type": "command", "command": "x"}]}

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LAYOUTS = st.sampled_from([None, 0, 1, 2, 4, "\t"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """An object as JSON, laid out in one of many ways."""
    value = draw(st.dictionaries(st.text(), VALUES, max_size=5))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,  ", " : ")]))
    text = json.dumps(value, indent=draw(LAYOUTS), separators=separators)
    ending = draw(st.sampled_from(["", "\n", "\r\n", " \n\n"]))
    text = draw(st.sampled_from(["", "\ufeff", "\n "])) + text + ending
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(texts(), VALUES)
def test_what_is_added_is_there_and_taken_out_leaves_every_byte(text: str, value: object) -> None:
    """A member that is added changes nothing else; taken out again, no byte differs."""
    before = decoded(text, scan(text))
    added = add_member(text, scan(text), "ours", value)
    root = scan(added)
    assert isinstance(before, dict)
    assert decoded(added, root) == before | {"ours": value}
    assert take_out(added, root, len(root.members) - 1) == text


@given(st.lists(VALUES, max_size=4), LAYOUTS, VALUES)
def test_an_item_of_an_array_likewise(
    items: list[object], indent: int | str | None, value: object
) -> None:
    """So does an item of an array, empty or not."""
    text = json.dumps(items, indent=indent)
    added = add_item(text, scan(text), value)
    assert json.loads(added) == [*items, value]
    assert take_out(added, scan(added), len(items)) == text


@given(st.lists(VALUES, min_size=1, max_size=4), LAYOUTS, st.data())
def test_others_that_came_behind_stay(
    items: list[object], indent: int | str | None, data: st.DataObject
) -> None:
    """Whatever place a value has by now, taking it out leaves the others, and valid JSON."""
    text = json.dumps(items, indent=indent)
    index = data.draw(st.integers(0, len(items) - 1))
    left = take_out(text, scan(text), index)
    assert decoded(left, scan(left)) == items[:index] + items[index + 1 :]


def test_the_layout_of_the_file_is_followed() -> None:
    """Lines and indentation are those of what stands there."""
    text = '{\n\t"model": "x"\n}\n'
    assert add_member(text, scan(text), "a", [1]) == (
        '{\n\t"model": "x",\n\t"a": [\n\t\t1\n\t]\n}\n'
    )
    text = '{"model":"x"}'
    assert add_member(text, scan(text), "a", [1]) == '{"model":"x","a": [1]}'
    text = '{\r\n  "hooks": {}\r\n}'
    hooks = scan(text).get("hooks")
    assert hooks is not None
    assert add_member(text, hooks, "Stop", 1) == '{\r\n  "hooks": {\r\n    "Stop": 1}\r\n}'


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{\n  // mine\n  "a": 1\n}', 2, 3, "a comment"),
        ('{"a": 1,}', 1, 9, "a comma too many"),
        ('{"a": [1,\n ]}', 2, 2, "a comma too many"),
        ('{"a" 1}', 1, 6, "a colon"),
        ('{"a": 1 "b": 2}', 1, 9, "a comma or }"),
        ("{'a': 1}", 1, 2, "a name in quotes"),
        ('{"a": 01}', 1, 8, "a comma or }"),
        ('{"a": NaN}', 1, 7, "a value"),
        ('{"a": "x\ny"}', 1, 7, "a string"),
        ('{"a": "\\x"}', 1, 7, "a string"),
        ('{"a": 1', 1, 8, "a comma or }"),
        ('{"a":', 1, 6, "the end of the file"),
        ('{"a": 1} x', 1, 10, "something stands behind"),
        ("[" * 200, 1, DEPTH_MAX + 2, "nested too deep"),
        ("", 1, 1, "the end of the file"),
    ],
)
def test_what_an_agent_cannot_read_is_refused_with_its_place(
    text: str, line: int, column: int, words: str
) -> None:
    """Comments, commas, quotes, cut files: the line, the column and what is wrong there."""
    with pytest.raises(NotStrictJSON) as caught:
        scan(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.words


@given(texts())
def test_what_json_reads_is_read_alike(text: str) -> None:
    """Our reader takes what Python's takes, to the same value."""
    assert decoded(text, scan(text)) == json.loads(text.removeprefix("\ufeff"))


@given(st.text(alphabet='{}[]",:\\/ \n\t0123456789eE+-.truefalsn', max_size=12))
def test_what_json_refuses_is_refused(text: str) -> None:
    """And refuses what Python's refuses."""
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(NotStrictJSON):
            scan(text)
    else:
        assert scan(text).end <= len(text)


def test_of_two_members_of_a_name_the_last_is_read() -> None:
    """As agents' own readers take it; a value is replaced in its place."""
    text = '{"a": 1, "a": {"b": 2}}'
    node = scan(text).get("a")
    assert node is not None
    assert node.is_object()
    assert replace_value(text, node, "3") == '{"a": 1, "a": 3}'
