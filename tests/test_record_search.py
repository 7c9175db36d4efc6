"""Finding records by bytes: each once, whatever lies where a buffer ends, and in bounded memory."""

from __future__ import annotations

import ctypes
import os
import re
import tracemalloc
from pathlib import Path
from random import Random

import pytest

from m31a_metrics import record_search
from m31a_metrics.patterns import Pattern
from m31a_metrics.record_search import File, Records, find_records, key_before


def all_of(pattern: Pattern, paths: list[Path], threads: int = 1) -> dict[str, list[int]]:
    """Everything that is found, through as many stretches as it takes."""
    waiting: list[File] = [(str(path), -1) for path in paths]
    found: dict[str, list[int]] = {}
    while waiting:
        records, waiting = find_records(pattern, waiting, threads=threads)
        for one in records:
            found.setdefault(one.path, []).extend(one.offsets)
    return found


def lines_with(needle: bytes, data: bytes, *, fold: bool = False) -> list[int]:
    """The numbers of the lines that have it, found in the simplest way."""
    lines = data.split(b"\n")
    return [at for at, line in enumerate(lines) if needle in (line.lower() if fold else line)]


def number_of(offset: int, data: bytes) -> int:
    """The number of the line that an offset is in."""
    return data.count(b"\n", 0, offset)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("block", [7, 64, 1000])
@pytest.mark.parametrize("libc", [True, False])
def test_it_finds_what_going_through_the_lines_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, block: int, libc: bool
) -> None:
    """For any needle, any size of the buffer, with the C library and without."""
    monkeypatch.setattr(record_search, "_BLOCK_BYTES", block)
    monkeypatch.setattr(record_search, "RECORDS_MAX", 5)
    if not libc:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    random = Random(seed)
    data = bytes(random.choices(b'abAB"\\ \n', k=3000))
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    for needle in ("a", "ab", "abA", "ba b", "AAAA"):
        for fold in (False, True):
            pattern = Pattern(needle, ignores_case=fold)
            found = all_of(pattern, [path], threads=2)[str(path)]
            wanted = lines_with(pattern.needle, data, fold=fold)
            assert [number_of(offset, data) for offset in found] == wanted, needle


def test_what_is_more_than_a_needle_is_looked_at_in_its_record(tmp_path: Path) -> None:
    """Each occurrence in a record is tried before the next record is."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a":"err err7"}\n{"a":"err"}\n{"a":"x","b":"errno12"}\n')
    pattern = Pattern("err(no)?[0-9]+", is_regex=True)
    anything = Pattern("x|7", is_regex=True)  # which has no needle
    for one in (pattern, anything):
        found = all_of(one, [path])[str(path)]
        assert [number_of(offset, path.read_bytes()) for offset in found] == [0, 2]


def test_texts_of_some_keys_do_not_count(tmp_path: Path) -> None:
    """But another place in the same record does."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"cwd":"/src/app"}\n{"cwd":"/src/app","text":"see app"}\n')
    (found,), left = find_records(Pattern("app"), [(str(path), -1)], {b"cwd"})
    assert [number_of(offset, path.read_bytes()) for offset in found.offsets] == [1]
    assert not left


def test_the_first_files_are_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough is enough: what comes later is left, and can be gone on with."""
    monkeypatch.setattr(record_search, "RECORDS_MAX", 10)
    paths = []
    for name in "abcd":
        paths.append(tmp_path / name)
        paths[-1].write_text("x\n" * 8)
    files = [(str(path), -1) for path in paths]
    found, left = find_records(Pattern("x"), files)
    assert [(one.path[-1], len(one.offsets)) for one in found] == [("a", 8), ("b", 8)]
    assert left == files[2:]
    assert sum(map(len, all_of(Pattern("x"), paths).values())) == 32


def test_what_cannot_be_read_is_told_and_hides_nothing(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a folder, a file that is gone."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "good").write_text("needle\n")
    paths = [tmp_path / "pipe", tmp_path, tmp_path / "gone", tmp_path / "good"]
    found, left = find_records(Pattern("needle"), [(str(path), -1) for path in paths], threads=2)
    assert [bool(one.reason) for one in found] == [True, True, True, False]
    assert found[-1] == Records(str(paths[-1]), -1, [0])
    assert not left


def test_huge_lines_and_holes_take_no_memory(tmp_path: Path) -> None:
    """A terabyte of nothing is passed, and a line of 40 MB is not held."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a":"' + b"x" * 20_000_000 + b"needle" + b"x" * 20_000_000 + b'"}\nneedle\n')
        file.seek(2**40)
        file.write(b"\nneedle\n")
    tracemalloc.start()
    found = all_of(Pattern("needle"), [path])[str(path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 3
    assert found[-1] == 2**40 + 1
    assert peak < 2_000_000


def test_a_key_is_read_from_what_stands_before_its_text() -> None:
    """Where it does not show, there is none: then the text counts."""
    assert key_before(b'{"a":1,"cwd":"/src/') == b"cwd"
    assert key_before(b'{"a" : "') == b"a"
    assert key_before(b'{"a":"x","b":') == b""
    assert key_before(b"plain") == b""
    assert re.fullmatch(b"", key_before(b'"a":"say \\"hi'))
