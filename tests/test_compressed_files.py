"""Files that are compressed with Zstandard: read as what they hold, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import compressed_files, jsonlines
from m31a_metrics.compressed_files import Torn, open_bytes, read_start
from m31a_metrics.foreign_files import TooLong
from m31a_metrics.transcript import Damage

LINES = [b'{"n":%d}' % number for number in range(30_000)]
WHOLE = b"\n".join(LINES) + b"\n"


def library() -> Any:
    """The decompressor, which can compress as well."""
    found = compressed_files._library()
    assert found is not None
    return found


def packed(path: Path, data: bytes) -> str:
    """Write a file as it is, under a name that ends in .zst."""
    target = path / "a.jsonl.zst"
    target.write_bytes(data)
    return str(target)


def read(path: str, damage: Damage) -> list[bytes]:
    """Read all lines."""
    decode = jsonlines.Decode[bytes](lambda data: bytes(data).split(), lambda line: line)
    return [line for batch in jsonlines.batches(path, decode, damage) for line in batch]


def test_a_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    """One frame or several, one of them empty: all lines come out, in order."""
    half = len(WHOLE) // 2
    frames = [WHOLE[:half], b"", WHOLE[half:]]
    for data in ([WHOLE], frames):
        path = packed(tmp_path, b"".join(map(library().compress, data)))
        damage = Damage()
        assert read(path, damage) == LINES
        assert not damage.count
        assert read_start(path, 20) == WHOLE[:20]
        assert read_start(path, 2 * len(WHOLE)) == WHOLE


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    """The name says whether a file is compressed."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(WHOLE)
    assert read(str(path), Damage()) == LINES


@pytest.mark.parametrize("end", [b"", b"\xff" * 64])
def test_a_torn_file_is_read_up_to_there(tmp_path: Path, end: bytes) -> None:
    """What comes before the damage counts, and the damage is named once."""
    compressor = library().ZstdCompressor()
    first = compressor.compress(WHOLE, compressor.FLUSH_BLOCK)
    path = packed(tmp_path, first + compressor.compress(WHOLE, compressor.FLUSH_BLOCK)[:-9] + end)
    damage = Damage()
    found = read(path, damage)
    assert found[: len(LINES)] == LINES
    assert len(found) < 2 * len(LINES)
    assert damage.count == 1
    assert damage.reasons[0].startswith(f"{path}: ")


def test_a_file_of_something_else_cannot_be_read(tmp_path: Path) -> None:
    """Nothing came out of it, so that it is no torn transcript, but none at all."""
    path = packed(tmp_path, WHOLE)
    with pytest.raises(OSError, match="cannot be unpacked") as caught:
        read(path, Damage())
    assert not isinstance(caught.value, Torn)


def test_a_bomb_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that holds far more than its size is given up, and only a buffer of it is held."""
    monkeypatch.setattr(compressed_files, "_ALWAYS_BYTES", 1 << 20)
    path = packed(tmp_path, library().compress(bytes(8 << 20)))
    given: list[int] = []
    with open_bytes(path) as file, pytest.raises(TooLong, match="longer than 1 MiB"):
        given.extend(map(len, iter(lambda: file.read(1 << 16), b"")))
    assert max(given) <= 1 << 16
    assert sum(given) <= 1 << 20


def test_a_window_that_takes_much_memory_is_refused(tmp_path: Path) -> None:
    """A frame may ask for 2 GiB to look back upon; ours never do."""
    parameter = library().CompressionParameter.window_log
    compressor = library().ZstdCompressor(options={parameter: 27})
    data = compressor.compress(WHOLE) + compressor.flush()
    with pytest.raises(OSError, match="cannot be unpacked"):
        read_start(packed(tmp_path, data), 10)


def test_without_a_decompressor_the_install_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens such a file is told what reading it needs."""
    path = packed(tmp_path, library().compress(WHOLE))
    monkeypatch.setattr(compressed_files, "_library", lambda: None)
    with pytest.raises(OSError, match=r"pip install 'm31a-metrics\[zstd\]'"):
        open_bytes(path)
