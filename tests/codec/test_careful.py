"""What Go's encoding/json makes of a value, of a key and of a document; so must we."""

from __future__ import annotations

import json
from typing import Any

import pytest

from m31a_metrics.codec import decode, encode
from m31a_metrics.codec.values import MAX_DEPTH
from m31a_metrics.errors import DamagedMetrics
from tests.codec.gotables import ALONE, DOCUMENTS, TABLES
from tests.codec.strategies import example_session

VALUES = [
    pytest.param(key, text, wanted, id=f"{key} {text[:40]}".encode("unicode_escape").decode())
    for key, table in TABLES.items()
    for text, wanted in table.items()
]


def saved(text: str) -> str:
    """What load + save makes of a text."""
    return encode(decode(text.encode("utf-8", "surrogatepass"))).decode()


def whole(key: str, text: str) -> str:
    """A text for one key in a file that is as it should be in all else."""
    written = encode(example_session()).decode().splitlines()
    at = next(number for number, line in enumerate(written) if f'"{key}": ' in line)
    before, _, value = written[at].partition(": ")
    written[at] = f"{before}: {text}{',' if value.endswith(',') else ''}"
    return "\n".join(written)


def read_back(key: str, text: str) -> str | None:
    """The text of the first value of a key, None if it is not there."""
    lines = (line.strip() for line in text.splitlines())
    found = (line for line in lines if line.startswith(f'"{key}": '))
    return next((line.partition(": ")[2].removesuffix(",") for line in found), None)


@pytest.mark.parametrize(("key", "text", "wanted"), VALUES)
def test_values_are_read_as_go_reads_them(key: str, text: str, wanted: str | None) -> None:
    """A value alone and in a whole file gives what Go gives, or is refused as Go does."""
    for document in (ALONE[key] % text, whole(key, text)):
        if wanted is None:
            with pytest.raises(DamagedMetrics):
                saved(document)
        elif wanted == "false":
            assert read_back(key, saved(document)) is None, "left out while it is false"
        else:
            assert read_back(key, saved(document)) == wanted


@pytest.mark.parametrize(("text", "wanted"), DOCUMENTS.items())
def test_documents_are_read_as_go_reads_them(text: str, wanted: dict[str, Any] | None) -> None:
    """Keys, duplicates, nulls and damage are taken or refused as Go does."""
    if wanted is None:
        with pytest.raises(DamagedMetrics):
            saved(text)
    else:
        found = json.loads(saved(text))
        assert {key: value for key, value in without_zeros(found).items() if value} == wanted


def without_zeros(found: Any) -> Any:
    """A JSON value without members that say nothing."""
    if isinstance(found, dict):
        members = {key: without_zeros(value) for key, value in found.items()}
        return {key: v for key, v in members.items() if v and v != "0001-01-01T00:00:00Z"}
    return [without_zeros(item) for item in found] if isinstance(found, list) else found


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"\xff", "\ufffd"),
        (b"a\x80\x81b", "a\ufffd\ufffdb"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
        (b"\xe2\x82", "\ufffd\ufffd"),
        (b"\xe2\x82\xac", "\u20ac"),
        (b"\xed\xa0\xbd\xed\xb4\xa7", "\ufffd" * 6),
        (b"\xf4\x90\x80\x80", "\ufffd" * 4),
        (b"\xff\\ud83d", "\ufffd\ufffd"),
    ],
)
def test_each_byte_that_is_not_utf8_becomes_one_replacement(raw: bytes, wanted: str) -> None:
    """Go puts U+FFFD for every single bad byte, in names and in keys it does not know."""
    found = decode(b'{"session_id":"%s","x":{"%s":"%s"}}' % (raw, raw, raw))
    assert found.session_id == wanted
    assert found.unknown == {"x": {wanted: wanted}}
    with pytest.raises(DamagedMetrics):
        decode(b'{"session_id":"a"}' + raw)


@pytest.mark.parametrize("offset", ["+24:00", "-24:00", "+23:60"])
def test_an_offset_of_a_day_is_refused_with_the_reason(offset: str) -> None:
    """Go reads it and then cannot write it; Python cannot hold it."""
    with pytest.raises(DamagedMetrics, match=f"started_at has an offset of .{offset[1:]}"):
        saved(f'{{"started_at":"2026-06-20T10:00:00{offset}"}}')


def test_the_year_zero_is_refused_with_the_reason() -> None:
    """Go has a year 0, Python has none."""
    with pytest.raises(DamagedMetrics, match="updated_at is no time: year "):
        saved('{"updated_at":"0000-01-01T00:00:00Z"}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x/METRICS.json is damaged: it is empty; `m31 doctor --fix` sets it aside"),
        ('{\n  "a": 1,\n  b', "is damaged: at line 3, column 3: "),
        ("[]", "it holds a list, not an object"),
        ('{"session_id":NaN}', "it holds NaN"),
        ('{"session_id":5}', "session_id is the number 5, not a string"),
        ('{"tools":{}}', "tools is an object, not a list"),
        ('{"tools":[{},7]}', r"tools\[1\] is the number 7, not an object"),
        ('{"tools":[{"call_count":1.0}]}', r"tools\[0\].call_count is the number 1.0, not a whole"),
        ('{"phases":[{},{"success":"my words"}]}', r"phases\[1\].success is a string, not true or"),
        ('{"llms":[{"cost":1e999}]}', r"llms\[0\].cost is the number 1e999, beyond the range"),
        ('{"startup":[]}', "startup is a list, not an object"),
        ('{"started_at":"soon"}', "started_at is no RFC 3339 time"),
    ],
)
def test_errors_say_where_and_why(text: str, message: str) -> None:
    """The one sentence names file, place, reason and remedy, and quotes no one's text."""
    with pytest.raises(DamagedMetrics, match=message) as refused:
        decode(text.encode(), "x/METRICS.json")
    assert "my words" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_numbers_that_are_not_ours_keep_their_spelling() -> None:
    """Unknown keys, at the top and in rows, come back behind the known ones as they were."""
    numbers = ["1.0", "1e5", "1E+05", "-0", "-0.0", "1e999", "9" * 30, "7" * 5000, "0.10"]
    list_text = ", ".join(numbers)
    text = (
        f'{{"x":[{list_text}],"tools":[{{"y":[{list_text}],"name":"a"}}],'
        f'"startup":{{"z":[{list_text}]}},"Unknown":null,"session_id":"s"}}'
    )
    written = saved(text)
    found = decode(written.encode())
    assert list(found.unknown) == ["x", "Unknown"]
    assert written.index('"startup"') < written.index('"x"')
    assert written.index('"avg_duration_ms"') < written.index('"y"')
    assert "".join(written.split()).count(f"[{list_text.replace(' ', '')}]") == 3
    assert saved(written) == written
    assert found.unknown["x"][0] == 1.0


def test_a_key_called_unknown_is_an_unknown_key() -> None:
    """The model's own drawer for unknown keys cannot be filled from a file."""
    found = decode(b'{"unknown":{"a":1},"tools":[{"unknown":2}]}')
    assert found.unknown == {"unknown": {"a": 1}}
    assert found.tools[0].unknown == {"unknown": 2}


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("key", ["x", "startup", "plan_outcomes", "tools", "session_id"])
def test_deep_nesting_is_refused(opening: str, key: str) -> None:
    """However deep a text nests, closed or torn, it is refused in words."""
    closing = "]" if opening == "[" else "}"
    for depth in (MAX_DEPTH + 2, 2_000, 200_000):
        torn = f'{{"{key}":{opening * depth}'
        for text in (torn, f"{torn}1{closing * depth}}}"):
            with pytest.raises(DamagedMetrics):
                saved(text)


def test_nesting_within_the_limit_survives() -> None:
    """What is read can be written: the reader's limit is the writer's."""
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    written = saved(f'{{"x":{deep},"plan_outcomes":[{deep[1:-1]}],"tools":[{{"y":{deep}}}]}}')
    assert saved(written) == written


def test_a_full_stack_of_the_caller_is_not_blamed_on_the_file() -> None:
    """Deep in a recursion a sound file is not called damaged."""

    def descend() -> None:
        try:
            descend()
        except RecursionError:
            decode(b'{"X":{}}')
            raise

    with pytest.raises(RecursionError):
        descend()
