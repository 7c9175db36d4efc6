"""The bytes of a journal, chunk by chunk: nothing is lost, doubled, or looked at in vain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from m31a_metrics.events import ToolCall, encode
from m31a_metrics.journal import chunks, read
from m31a_metrics.journal.chunks import EMPTY, Chunk

CHUNK = 16
LINE_MAX = 64

PIECES = st.one_of(
    st.binary(max_size=2 * CHUNK),
    st.sampled_from([b"\n", b"}\n", b"\n\n\n", b"{}\n", b"\0", bytes(CHUNK), bytes(3 * CHUNK + 1)]),
    st.integers(1, 3 * LINE_MAX).map(lambda length: b"x" * length),
)
CONTENTS = st.lists(PIECES, max_size=12).map(b"".join)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Chunks of 16 bytes and lines of 64 at most, so that few bytes come to every end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", CHUNK)
        patch.setattr(chunks, "_ZEROS", bytes(CHUNK))
        patch.setattr(chunks, "LINE_BYTES_MAX", LINE_MAX)
        patch.setattr(chunks, "_TAIL_BYTES", 8)
        yield


@contextmanager
def holding(data: bytes) -> Iterator[int]:
    """The descriptor of a file of these bytes."""
    descriptor = os.memfd_create("journal") if hasattr(os, "memfd_create") else -1
    if descriptor < 0:
        pytest.skip("needs files in memory, for the number of examples")
    try:
        os.write(descriptor, data)
        yield descriptor
    finally:
        os.close(descriptor)


def check_chunk(data: bytes, chunk: Chunk) -> None:
    """A chunk is what stands at its place, and begins where a line or a hole ends.

    One NUL stands for a stretch in which nothing is, whichever nothing it begins with.
    """
    if chunk.data == b"\0":
        assert data[chunk.at] in EMPTY
    else:
        assert data[chunk.at : chunk.at + len(chunk.data)] == chunk.data
    before = data[max(chunk.at - CHUNK, 0) : chunk.at]
    assert not before or before.endswith((b"\n", b"\0"))


@given(CONTENTS)
@example(b"\t\0")
def test_every_byte_is_given_once(data: bytes) -> None:
    """Chunks follow each other; between them nothing stands but what is empty, or too long."""
    with holding(data) as descriptor:
        found = list(chunks.chunks(descriptor))
    end = 0
    for number, chunk in enumerate(found):
        assert chunk.at >= end
        assert not data[end : chunk.at].strip(EMPTY) or found[number - 1].is_too_long
        check_chunk(data, chunk)
        end = chunk.at + len(chunk.data)
        if chunk.is_too_long:
            line = data[chunk.at :].partition(b"\n")[0]
            assert len(line) > LINE_MAX
    if not (found and found[-1].is_too_long):
        assert not data[end:].strip(EMPTY)


@given(CONTENTS, st.integers(0, 400), st.integers(0, 400))
def test_where_lines_are(data: bytes, one: int, other: int) -> None:
    """Ends, beginnings, numbers and counts of lines are those of the bytes as a whole."""
    start, end = sorted((min(one, len(data)), min(other, len(data))))
    with holding(data) as descriptor:
        assert chunks.content_end(descriptor) == len(data.rstrip(EMPTY))
        assert chunks.is_empty(descriptor, start) == (not data[start:].strip(EMPTY))
        assert chunks.is_empty(descriptor, start, end) == (not data[start:end].strip(EMPTY))
        assert chunks.read_between(descriptor, start, end + 1) == data[start : end + 1]
        assert chunks.line_number(descriptor, end) == data[:end].count(b"\n") + 1
        assert chunks.count_lines(descriptor, start, end) == data[start:end].count(b"}\n")


@given(st.integers(0, LINE_MAX - CHUNK), st.integers(0, 5))
def test_where_the_last_line_begins(length: int, lines: int) -> None:
    """Behind the newline before it; a line that is too long has no beginning."""
    data = b"{}\n" * lines + b"x" * length
    with holding(data) as descriptor:
        assert chunks.line_start(descriptor, len(data)) == 3 * lines
    with holding(b"{}\n" + b"x" * (LINE_MAX + 2 * CHUNK)) as descriptor:
        assert chunks.line_start(descriptor, LINE_MAX + 2 * CHUNK) is None


def test_a_hole_of_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal with a hole between its lines gives both, and says where one is lost."""
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1 << 18)
    monkeypatch.setattr(chunks, "_ZEROS", bytes(1 << 18))
    looks = 0
    pread = os.pread

    def counted(descriptor: int, size: int, at: int) -> bytes:
        nonlocal looks
        looks += 1
        return pread(descriptor, size, at)

    lines = [encode(ToolCall(t_us, "Bash", True, 1)) + b"\n" for t_us in (1, 2)]
    path = tmp_path / "1-a.jsonl"
    path.write_bytes(lines[0])
    os.truncate(path, 4 << 30)
    if path.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("needs a file system with sparse files")
    with path.open("ab") as file:
        file.write(lines[1])
    os.truncate(path, 8 << 30)
    monkeypatch.setattr(os, "pread", counted)
    journal = read(str(tmp_path), path.name)
    assert [event.t_us for event in journal.events] == [1, 2]
    assert journal.gaps_at is not None
    assert journal.length == (4 << 30) + len(lines[1]) - 1
    assert looks < 20
