"""Windows of JSON Lines files, whatever the agent: where they begin, end, and what joins what."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Decoder

from m31a_metrics.conversation import Part, PartKind, Window
from m31a_metrics.jsonlines import LINE_BYTES_MAX
from m31a_metrics.sources import shared_conversation
from m31a_metrics.sources.shared_conversation import (
    LIMIT_MAX,
    LineRecords,
    Lines,
    Result,
    Told,
    parsed,
    window_of,
)

_lists = Decoder(list[dict[str, str]])


def tell(_place: str, data: bytes) -> Told:
    """A format of our own: a record is a list of `say`, `call` and `result`."""
    told = Told()
    for item in _lists.decode(data):
        if "say" in item:
            told.parts.append(Part(PartKind.ANSWER, "", text=item["say"]))
        elif "call" in item:
            part = Part(PartKind.CALL, "", id=item["call"], tool="Bash")
            told.parts.append(part)
            told.calls[item["call"]] = part
        elif "result" in item:
            judge = lambda part: (part.tool == "Bash", False)  # noqa: E731 - as readers give it
            told.results.append(Result(item["result"], item["of"], judge=judge))
    return told


def written(path: Path, *records: list[dict[str, str]]) -> list[int]:
    """Write records, a line each; where they begin."""
    begins, data = [], b""
    for record in records:
        begins.append(len(data))
        data += json.dumps(record).encode() + b"\n"
    path.write_bytes(data)
    return begins


def window(path: Path, at: str = "", limit: int = 3) -> Window:
    """Read one window."""
    with Lines(str(path)) as lines:
        return window_of(LineRecords(lines, "", tell), at, limit)


def said(found: Window) -> list[str]:
    """What the parts of a window say, and the ids of its calls."""
    return [part.text or part.id for part in found.parts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file lies."""
    return tmp_path / "session.jsonl"


def test_windows_follow_one_another_without_a_gap(path: Path) -> None:
    """Going on at `after` gives what follows, at `before` what stood before; both end."""
    records = [[{"say": f"{number}.{part}"} for part in range(number % 3)] for number in range(9)]
    written(path, *records)
    expected = [item["say"] for record in records for item in record]
    forwards, found = said(window(path)), window(path)
    while found.after:
        found = window(path, found.after)
        forwards += said(found)
    assert forwards == expected
    backwards, found = said(window(path, "end")), window(path, "end")
    while found.before:
        found = window(path, found.before)
        backwards = said(found) + backwards
    assert backwards == expected
    assert said(window(path, "end", 2)) == expected[-2:]


@given(
    st.lists(st.integers(0, 4), max_size=12),
    st.integers(1, 5),
    st.booleans(),
)
def test_any_sizes_of_records_and_windows_fit(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int, ends: bool
) -> None:
    """Each part is in exactly one window, forwards as backwards, also without a last newline."""
    path = tmp_path_factory.getbasetemp() / "fits.jsonl"
    written(path, *([{"say": f"{i}.{j}"} for j in range(size)] for i, size in enumerate(sizes)))
    if not ends:
        path.write_bytes(path.read_bytes()[:-1])
    expected = [f"{i}.{j}" for i, size in enumerate(sizes) for j in range(size)]
    found = window(path, "", limit)
    assert not found.before
    forwards = said(found)
    while found.after:
        found = window(path, found.after, limit)
        forwards += said(found)
    assert forwards == expected
    found = window(path, "end", limit)
    assert not found.after
    backwards = said(found)
    while found.before:
        first, found = found.parts[0].place, window(path, found.before, limit)
        places = [part.place for part in found.parts]
        backwards = said(found)[: places.index(first) if first in places else None] + backwards
    assert backwards == expected


def test_any_byte_of_a_record_is_its_place(path: Path) -> None:
    """Who found something in the middle of a line gets a window that begins with its record."""
    begins = written(path, [{"say": "a"}], [{"say": "b"}, {"say": "c"}], [{"say": "d"}])
    for at in range(begins[1], begins[2]):
        assert said(window(path, str(at))) == ["b", "c", "d"]
    assert said(window(path, f"{begins[1]}.1")) == ["c", "d"]
    assert said(window(path, str(10**9))) == []
    assert window(path, str(10**9)).before == str(begins[1])
    for nonsense in ("x", "-1", "1e3", "9" * 40, "٣"):
        assert said(window(path, nonsense)) == ["a", "b", "c"]


def test_a_call_gets_its_result_from_behind_the_window(path: Path) -> None:
    """What came of a call is in its part, and its result is no part of the next window."""
    written(
        path,
        [{"call": "one"}],
        [{"say": "a"}],
        [{"say": "b"}],
        [{"result": "one", "of": "done"}],
        [{"say": "c"}],
    )
    found = window(path, "", 2)
    assert (found.parts[0].output, found.parts[0].success) == ("done", True)
    assert said(window(path, found.after, 2)) == ["b", "c"]


def test_a_window_at_a_result_begins_with_its_call(path: Path) -> None:
    """A hit in what a tool gave back is shown with the tool's name, at the result's place."""
    begins = written(
        path, [{"call": "one"}], [{"say": "a"}], [{"result": "one", "of": "done"}], [{"say": "b"}]
    )
    found = window(path, str(begins[2] + 5))
    assert said(found) == ["one", "b"]
    assert (found.parts[0].tool, found.parts[0].output) == ("Bash", "done")
    assert found.parts[0].place == str(begins[2])


def test_a_result_is_looked_for_only_so_far(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose result never came costs no look at a whole file, nor does such a result."""
    filler = [[{"say": "x" * 100}] for _ in range(20)]
    begins = written(path, [{"call": "one"}], *filler, [{"result": "one", "of": "done"}])
    assert window(path, "", 1).parts[0].output == "done"
    assert said(window(path, str(begins[-1]))) == ["one"]
    monkeypatch.setattr(shared_conversation, "_LOOK_BYTES", 1_000)
    assert window(path, "", 1).parts[0].output == ""
    assert window(path, str(begins[-1]), 1).parts[0].tool == ""


def test_a_result_without_a_call_is_none_of_the_session(path: Path) -> None:
    """At the beginning it is passed over; where somebody asks for it, its tool is not known."""
    begins = written(path, [{"result": "x", "of": "a"}], [{"result": "", "of": "b"}])
    assert said(window(path)) == []
    found = window(path, str(begins[1]))
    assert [(part.tool, part.output) for part in found.parts] == [("", "b")]


def test_damage_costs_nothing_else(path: Path) -> None:
    """Lines that are no record are counted, and those around them are shown."""
    good = json.dumps([{"say": "a"}]).encode()
    nested = b"[" * 100_000
    path.write_bytes(b"\n".join([good, b'[{"say', nested, b"\0\0\0", b"", b"\xff\xfe", good]))
    found = window(path)
    assert said(found) == ["a", "a"]
    assert found.damage == 3


def test_a_last_line_may_be_being_written(path: Path) -> None:
    """Without its newline it is no damage; a whole one is shown."""
    path.write_bytes(b'[{"say": "a"}]\n[{"say": "b')
    assert (said(window(path)), window(path).damage) == (["a"], 0)
    path.write_bytes(b'[{"say": "a"}]\n[{"say": "b"}]')
    assert said(window(path)) == ["a", "b"]


def test_a_line_of_fifty_megabytes_takes_no_more_than_the_bound(path: Path) -> None:
    """It is damage; no more of it is in memory than of the longest record that there may be."""
    with path.open("wb") as file:
        file.write(b'[{"say": "a"}]\n[{"say": "')
        for _ in range(50):
            file.write(b"x" * 2**20)
        file.write(b'"}]\n[{"say": "b"}]\n')
    tracemalloc.start()
    found = window(path)
    last = window(path, "end", 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (said(found), found.damage, said(last)) == (["a", "b"], 1, ["b"])
    assert peak < 2 * LINE_BYTES_MAX + 2**20


def test_a_record_of_a_million_objects_is_damage(path: Path) -> None:
    """Decoded it would take many times the memory of its length; a long text is none of that."""
    path.write_bytes(b'[{"say": "a"}]\n[' + b"{}," * 1_000_000 + b"{}]\n" + b'[{"say": "b"}]\n')
    tracemalloc.start()
    found = window(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (said(found), found.damage) == (["a", "b"], 1)
    assert peak < 5 * path.stat().st_size
    written(path, [{"say": "}\n,{" * 200_000}])
    assert window(path).damage == 0


def test_a_hole_takes_no_time(path: Path) -> None:
    """A sparse file of a terabyte is read as fast as what stands in it."""
    with path.open("wb") as file:
        file.write(b'[{"say": "a"}]\n')
        file.truncate(2**40)
    assert said(window(path)) == ["a"]
    assert said(window(path, "end")) == ["a"]


def test_a_window_has_a_size_that_somebody_can_look_at(path: Path) -> None:
    """However many parts are asked for, there is a bound; none is one."""
    written(path, *([{"say": "a"}] for _ in range(LIMIT_MAX + 10)))
    assert len(window(path, "", 10**9).parts) == LIMIT_MAX
    assert len(window(path, "", 0).parts) == 1


def test_the_part_with_an_id_is_found(path: Path) -> None:
    """By a text of its record; the id itself must be that of a part."""
    begins = written(path, [{"say": "one"}], [{"say": "a"}, {"call": "one"}])
    with Lines(str(path)) as lines:
        records = LineRecords(lines, "x:", tell)
        assert records.find("one", "one") == f"x:{begins[1]}.1"
        assert not records.find("two", "one")


def test_places_are_read_as_they_are_written() -> None:
    """The file's prefix, the byte, the number of the part; anything else is the beginning."""
    assert parsed("agent-a:12.3") == ("agent-a:", 12, 3)
    assert parsed("7") == ("", 7, 0)
    assert parsed("") == ("", 0, 0)
    assert parsed("a:b:x.y") == ("a:b:", 0, 0)
