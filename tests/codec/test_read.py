"""The quick reader, and that it and the careful one agree; damage of every kind."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m31a_metrics.codec import careful, decode, encode
from m31a_metrics.codec.read import decode_canonical
from m31a_metrics.errors import DamagedMetrics
from m31a_metrics.model import LLMMetric, SessionMetrics, ToolMetric
from tests.codec.strategies import example_session, sessions

PIECES = [
    *(b"null", b"true", b"0", b"-0", b"1.0", b"1e999", b'"a"', b"[]", b"{}", b"[null]", b"NaN"),
    *(b'"tools":[{"name":"b"}],', b'"TOOLS":[{}],', b'"started_at":"soon",', b'"x":{"y":[1.50]},'),
    *(b"\xff", b"\xed\xa0\x80", b"\x00", b"\n", b"\\", b"\\ud83d", b'"', b",", b":", b"}", b"]"),
    *(b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"9" * 5000, b"[" * 3000, b'{"a":' * 3000),
]


def both(data: bytes) -> tuple[SessionMetrics | None, SessionMetrics | None]:
    """What the quick and the careful reader make of a file; None where they give up."""
    try:
        found = careful.read(data, "METRICS.json")
    except DamagedMetrics:
        found = None
    return decode_canonical(data), found


def check(data: bytes) -> None:
    """Any bytes are a session that can be written and read again, or are refused."""
    quick, found = both(data)
    if quick is not None:
        assert found is not None
        assert encode(quick) == encode(found)
    if found is None:
        with pytest.raises(DamagedMetrics, match="^x is damaged: ."):
            decode(data, "x")
    else:
        assert encode(decode(encode(found))) == encode(decode(data))


@given(sessions)
def test_both_readers_agree(metrics: SessionMetrics) -> None:
    """A file as we write it means the same to the quick and to the careful reader."""
    quick, found = both(encode(metrics))
    assert found == metrics
    assert quick in (found, None)


def test_negative_costs_are_read() -> None:
    """A METRICS.json in which M31A wrote a negative cost loads, by either reader, and stays."""
    for cost in (-0.25, -12.5):
        metrics = SessionMetrics("a", llms=[LLMMetric("plan", 1, 1, 2, cost, 1)])
        assert decode(encode(metrics)) == metrics


def test_ordinary_files_take_the_quick_way() -> None:
    """Newer fields, escapes, carried values and ids with `-0` do not need the slow reader."""
    assert decode_canonical(encode(SessionMetrics())) == SessionMetrics()
    metrics = example_session()
    assert decode_canonical(encode(metrics)) == metrics
    metrics = SessionMetrics("0a1b-0c2d-0", tools=[ToolMetric("mcp__a-b__c", 1, 1, 0, 5, 5.0)])
    assert decode_canonical(encode(metrics)) == metrics


@pytest.mark.parametrize("zero", ["-0", "-0.0", "-0e0"])
def test_the_sign_of_zero_survives(zero: str) -> None:
    """Also where a time, an id or an escape holds `-0` as well."""
    for name in ("a", "-0", r"\u002d0"):
        document = encode(SessionMetrics("-ID-", llms=[LLMMetric()])).decode()
        document = document.replace("-ID-", name).replace('"cost": 0', f'"cost": {zero}')
        assert b'"cost": -0,' in encode(decode(document.encode()))


@pytest.mark.parametrize("tools", ["tools", "TOOLS", r"too\u006cs", r"t\u006Fols"])
def test_a_second_list_is_merged_however_its_key_is_spelled(tools: str) -> None:
    """The quick reader sees the duplicate and leaves it to the careful one."""
    text = encode(SessionMetrics(tools=[ToolMetric("a", 1, 2, 3, 4, 5.0)])).decode()
    row = '{"name":"b","call_count":9,"success_count":0,"fail_count":0,"total_duration_ms":0}'
    found = decode(text.replace('"phases"', f'"{tools}": [{row}], "phases"').encode())
    assert found.tools == [ToolMetric("b", 9, 0, 0, 0, 5.0)]


@pytest.mark.parametrize("key", ["started_at", "plan_outcomes", "startup", "completions"])
def test_a_wrong_value_is_refused_though_a_right_one_follows(key: str) -> None:
    """Go checks each of duplicate keys, so the quick reader may not take only the last."""
    text = encode(example_session()).decode()
    with pytest.raises(DamagedMetrics, match=f"{key} is "):
        decode(text.replace(f'"{key}"', f'"{key}": 5, "{key}"').encode())


@given(st.binary() | st.text().map(str.encode))
@example(b"\xff")
@example(b"-")
@example(b'{"":')
def test_any_bytes_are_a_session_or_refused(data: bytes) -> None:
    """No other exception, whatever the bytes."""
    check(data)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One wound: a bit, a cut, a piece too much or too few, a copy of another place."""
    at, to = sorted(chance.choices(range(len(data) + 1), k=2))
    match chance.randrange(6):
        case 0 if at < len(data):
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:at] + data[at:to] + data[at:]
        case 4:
            lines = data.split(b"\n")
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            return b"\n".join(lines)
    return data[:at] + chance.choice(PIECES) + data[at:]


def damage(rounds: int, seed: int) -> None:
    """Wound a file again and again; whole again every few wounds."""
    chance = random.Random(seed)
    whole = [encode(example_session()), encode(SessionMetrics()), b'{"tools":[{"NAME":"a"}]}']
    for _ in range(rounds):
        data = chance.choice(whole)
        for _ in range(chance.randrange(1, 4)):
            data = mutate(data, chance)
        check(data)


def test_damaged_files_are_read_or_refused() -> None:
    """A few thousand files with bits flipped, cut, doubled and mixed."""
    damage(3_000, seed=1)


@pytest.mark.soak
def test_many_damaged_files_are_read_or_refused() -> None:
    """The same with more patience."""
    damage(100_000, seed=2)


def test_ordinary_files_need_no_json_module() -> None:
    """Reading and writing a plain session loads neither the careful reader nor json."""
    script = (
        "import sys; from m31a_metrics.codec import decode, encode\n"
        "from m31a_metrics.model import SessionMetrics, ToolMetric\n"
        "decode(encode(SessionMetrics('a', tools=[ToolMetric('Bash', 1, 1, 0, 5, 5.0)])))\n"
        "print([name for name in ('json', 'm31a_metrics.codec.careful') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert found.stdout == "[]\n"
