"""Reading JSON Lines: whole lines, in order, whatever stands between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.json import Decoder, encode

from m31a_metrics import jsonlines
from m31a_metrics.jsonlines import (
    CHUNK_BYTES,
    LINE_BYTES_MAX,
    Decode,
    batches,
    decode_json,
    first_line,
    without_half_pairs,
)
from m31a_metrics.transcript import Damage


class Record(Struct):
    """What is read of a line here."""

    n: int
    rest: str = ""


DECODER = Decoder(Record)
DECODE = Decode(DECODER.decode_lines, DECODER.decode)


def read(path: Path, data: bytes) -> tuple[list[int], Damage]:
    """Write a file and read it: the numbers in it, and the damage."""
    path.write_bytes(data)
    damage = Damage()
    found = [record.n for batch in batches(str(path), DECODE, damage) for record in batch]
    return found, damage


def test_lines_come_in_order_over_chunks(tmp_path: Path) -> None:
    """Lines of every size, many chunks long together, come once each and in order."""
    sizes = [0, 1, CHUNK_BYTES - 30, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 5] * 3
    lines = [encode(Record(n, "x" * size)) for n, size in enumerate(sizes)]
    found, damage = read(tmp_path / "a", b"\n".join(lines) + b"\n")
    assert found == list(range(len(sizes)))
    assert not damage.count


@given(
    parts=st.lists(
        st.sampled_from((b'{"n":1}', b'{"n":"x"}', b"", b"\0\0", b"  ", b"{", b"[1]", b"\xff"))
    ),
    ending=st.sampled_from((b"\n", b"\r\n")),
)
def test_damaged_lines_cost_only_themselves(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], ending: bytes
) -> None:
    """Every whole record is found, every damaged line counted; blank ones and NULs are neither."""
    path = tmp_path_factory.mktemp("lines") / "a"
    found, damage = read(path, b"".join(part + ending for part in parts))
    assert len(found) == parts.count(b'{"n":1}')
    blank = sum(part in (b"", b"\0\0", b"  ") for part in parts)
    assert damage.count == len(parts) - len(found) - blank


def test_damage_is_named_by_its_line(tmp_path: Path) -> None:
    """The place is the path and the number of the line, over chunks too."""
    path = tmp_path / "a"
    long = encode(Record(1, "x" * CHUNK_BYTES))
    _, damage = read(path, b'{"n":0}\n' + long + b"\n" + long + b'\n\nx\n{"n":2}\ny\n')
    assert damage.count == 2
    assert [reason.split(": ")[0] for reason in damage.reasons] == [
        f"{path}, line 5",
        f"{path}, line 7",
    ]


def test_only_the_first_few_are_named(tmp_path: Path) -> None:
    """All damage is counted; a file full of it does not fill the memory."""
    _, damage = read(tmp_path / "a", b"x\n" * 100)
    assert (damage.count, len(damage.reasons)) == (100, 5)


@pytest.mark.parametrize(("tail", "found"), [(b'{"n":2}', [1, 2]), (b'{"n":', [1]), (b"", [1])])
def test_a_last_line_may_be_being_written(tmp_path: Path, tail: bytes, found: list[int]) -> None:
    """Without its newline it is taken if it is whole, and no damage if it is torn."""
    numbers, damage = read(tmp_path / "a", b'{"n":1}\n' + tail)
    assert (numbers, damage.count) == (found, 0)


@pytest.mark.parametrize(
    ("line", "found", "damaged"),
    [
        (b'{"n":1}{"n":2}', [1, 2], 0),
        (b'{"n":1,"rest":"}{"}{"n":2}{"n":3}', [1, 2, 3], 0),
        (b'{"n":1}{"n":2}x', [1, 2], 1),
        (b'{"n":1}{"n":', [1], 1),
        (b'{"n":1}{"n":"}{"}', [1], 1),
        (b'x{"n":1}{"n":2}', [1, 2], 1),
        (b'{"n":1,"rest":x,"more":{"n":2}}', [], 1),
    ],
)
def test_records_that_lost_their_newline_are_told_apart(
    tmp_path: Path, line: bytes, found: list[int], damaged: int
) -> None:
    """Whole records glued together are all taken; what is damaged behind them is counted."""
    numbers, damage = read(tmp_path / "a", line + b"\n")
    assert (numbers, damage.count) == (found, damaged)


WHOLE = (
    rb'{"n":1,"rest":"\ud83d\ude00 {\"n\":5}, \n","more":'
    rb'{"a":[{"b":-1.5e3},true],"n":{"c":9}}}'
)
GLUED = (b'{"n":2}', b'{"n":2}{"n":3}', WHOLE, WHOLE + b'{"n":4,"rest":"' + WHOLE)


@pytest.mark.parametrize("glued", GLUED)
@pytest.mark.parametrize("newline", [b"\n", b""])
def test_records_behind_a_torn_one_are_told_apart(
    tmp_path: Path, glued: bytes, newline: bytes
) -> None:
    """A record cut off at any byte costs none of those behind it, and is one damage."""
    expected = [0, *([1] if glued.startswith(WHOLE) else [2, 3][: glued.count(b"}")])]
    expected += [1] if glued.startswith(WHOLE + b"{") else []
    for cut in range(1, len(WHOLE)):
        numbers, damage = read(tmp_path / "a", b'{"n":0}\n' + WHOLE[:cut] + glued + newline)
        assert (numbers, damage.count) == (expected, 1), WHOLE[:cut]


def test_a_torn_record_alone_gives_nothing(tmp_path: Path) -> None:
    """Objects within a record that was cut off at any byte are not taken for records."""
    for cut in range(1, len(WHOLE)):
        numbers, damage = read(tmp_path / "a", WHOLE[:cut] + b'\n{"n":2}\n')
        assert (numbers, damage.count) == ([2], 1), WHOLE[:cut]


def test_much_of_a_damaged_line_is_given_up(tmp_path: Path) -> None:
    """Of objects without end, none of them whole, only the first hundred are looked at."""
    parses = 0

    class Counting(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> tuple[object, int]:
            nonlocal parses
            parses += 1
            return super().raw_decode(s, idx)

    line = b'{"n":' + b'{"n":x,' * 2_000 + rb"\"" * 20_000 + b"}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json, "JSONDecoder", Counting)
        assert read(tmp_path / "a", line + b"\n")[1].count == 1
    assert parses == 100
    deep = b'{"n":1}{"n":' + b'{"n":' * 100_000 + b'\n{"n":2}\n'
    assert read(tmp_path / "a", deep)[0] == [1, 2]


HALVES = [
    (rb"\ud83d", "\ufffd"),
    (rb"\uDCB2 x", "\ufffd x"),
    (rb"\ud83d\u0041", "\ufffdA"),
    (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    (rb"\ude00\ud83d", "\ufffd\ufffd"),
    (rb"\\ud83d \\\ud83d", "\\ud83d \\\ufffd"),
    (b"\xed\xa0\xbd", "\ufffd"),
]


@pytest.mark.parametrize(("written", "text"), HALVES)
def test_half_a_surrogate_pair_is_text(tmp_path: Path, written: bytes, text: str) -> None:
    """JSON may hold a half: it is read as U+FFFD, alone, among damaged lines and in a value."""
    line = b'{"n":1,"rest":"%b"}\n' % written
    path = tmp_path / "a"
    for data in (line, line + b"x\n", b'{"n":1,"\\ud83d":{"\\udc00":2}}\n'):
        numbers, damage = read(path, data)
        assert (numbers, damage.count) == ([1], data.count(b"x\n"))
    assert decode_json(DECODER, line).rest == text
    assert decode_json(Decoder(str), b'"%b"' % written) == text


@given(data=st.binary() | st.text(st.sampled_from(r"\\uudD8cC00e1 ")).map(str.encode))
def test_replacing_halves_keeps_lengths(data: bytes) -> None:
    """Offsets stay true, and what was replaced once holds no half any more."""
    mended = without_half_pairs(data)
    assert len(mended) == len(data)
    assert without_half_pairs(mended) == mended


@pytest.mark.parametrize("newline", [True, False])
def test_a_line_too_long_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newline: bool
) -> None:
    """It is named, and the lines behind it are read."""
    monkeypatch.setattr(jsonlines, "LINE_BYTES_MAX", 4 * CHUNK_BYTES)
    long = encode(Record(2, "x" * 9 * CHUNK_BYTES))
    behind = b'\n{"n":3}\n' if newline else b""
    path = tmp_path / "a"
    numbers, damage = read(path, b'{"n":1}\n' + long + behind)
    assert numbers == ([1, 3] if newline else [1])
    assert damage.reasons == [f"{path}, line 2: longer than 32 MiB"]
    assert LINE_BYTES_MAX == 32 * 2**20


def test_a_record_to_be_passed_over_is_neither(tmp_path: Path) -> None:
    """A source may say of a line that it does not count."""
    path = tmp_path / "a"
    path.write_bytes(b'{"n":1}\nother\n')
    damage = Damage()
    decode = Decode(
        DECODER.decode_lines, lambda line: None if line == b"other" else DECODER.decode(line)
    )
    assert [record.n for batch in batches(str(path), decode, damage) for record in batch] == [1]
    assert not damage.count


def test_the_first_line_is_found(tmp_path: Path) -> None:
    """Blank lines before it do not count, and of a long one the beginning is enough."""
    path = tmp_path / "a"
    path.write_bytes(b'\xef\xbb\xbf\n\0\0\n  {"n":1}\n{"n":2}\n')
    assert first_line(str(path)) == b'{"n":1}'
    path.write_bytes(b"x" * 100)
    assert first_line(str(path), 10) == b"x" * 10
    path.write_bytes(b"")
    assert first_line(str(path)) == b""


def test_a_file_that_is_not_there_raises(tmp_path: Path) -> None:
    """The caller knows what the file was for, so it says what to do."""
    with pytest.raises(FileNotFoundError):
        list(batches(str(tmp_path / "a"), DECODE, Damage()))


def test_an_excerpt_is_read_as_a_file_without_its_middle(tmp_path: Path) -> None:
    """Of a known file the bytes named are read, of another what it holds; both are noted."""
    lines = [encode(Record(n, "x" * (n % 7) * 40_000)) + b"\n" for n in range(40)]
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"".join(lines) + b'{"n":99')
    other.write_bytes(lines[0])
    head, since = len(b"".join(lines[:3])), len(b"".join(lines[:30]))
    until = path.stat().st_size
    excerpts = jsonlines.Excerpts({str(path): jsonlines.Excerpt(head, since, until)})
    damage = Damage()

    def numbers(one: Path) -> list[int]:
        return [record.n for batch in batches(str(one), DECODE, damage) for record in batch]

    with excerpts.in_force():
        assert numbers(path) == [0, 1, 2, *range(30, 40)]
        assert numbers(other) == [0]
    assert excerpts.opened == {str(path): until, str(other): len(lines[0])}
    assert numbers(path) == list(range(40))
    assert not damage.count
