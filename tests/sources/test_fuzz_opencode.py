"""Damaged sessions of OpenCode: nothing escapes, and the rest is still counted."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from m31a_metrics import events
from m31a_metrics.errors import MetricsError
from m31a_metrics.jsonlines import LINE_BYTES_MAX
from m31a_metrics.sources import opencode
from m31a_metrics.transcript import Transcript
from tests.children import PEAK
from tests.sources.fuzzing import FIRST as MARK
from tests.sources.fuzzing import PER_FILE, counted
from tests.sources.golden import GOLDEN
from tests.sources.mutate import flip, hostile
from tests.sources.test_opencode import database

FIRST, SECOND = "database-1.14", "database-2.0"
SESSIONS = {FIRST: "ses_0001root", SECOND: "ses_0011root"}

_ALL = "SELECT data FROM records"
_CLEAR = "DELETE FROM records WHERE id LIKE 'z%'"


def rows(shape: str, *tables: str) -> list[bytes]:
    """Every record of a golden database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((GOLDEN / "opencode" / shape / "opencode.sql").read_text())
        found = [connection.execute(_ALL.replace("records", table)) for table in tables]
        return [data.encode() for table in found for (data,) in table]


MESSAGES, PARTS = rows(FIRST, "message"), rows(FIRST, "part")
RECORDS = rows(SECOND, "session_message")


def sound(read: Transcript, seed: int) -> list[int]:
    """Check what must hold of any transcript; return which of the whole messages it has."""
    for event in read.events:
        # What can be read can be journalled.
        assert events.decoder().decode(events.encode(event)) == event, f"seed {seed}"
    times = [event.t_us for event in read.events]
    assert times == sorted(times), f"seed {seed}"
    assert len(read.damage.reasons) == min(read.damage.count, 5), f"seed {seed}"
    return counted(read)


def message(number: int) -> str:
    """A message of either generation that must be counted, whatever stands around it."""
    said = {
        "role": "assistant",
        "time": {"created": 1_790_000_000_000 + number},
        "modelID": "m",
        "model": {"id": "m"},
        "tokens": {"input": 1, "output": MARK + number},
    }
    return json.dumps(said)


def stored(data: bytes, number: int) -> str | bytes:
    """A record as text, or as what SQLite also takes for it."""
    return data if number % 4 == 0 else data.decode("utf-8", "replace")


@pytest.fixture
def databases(tmp_path: Path) -> dict[str, Path]:
    """A database of each generation."""
    for shape in SESSIONS:
        (tmp_path / shape).mkdir()
    return {shape: database(tmp_path / shape, shape) for shape in SESSIONS}


def first_generation(seed: int) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Whole messages, and between them damaged ones with damaged parts."""
    session = SESSIONS[FIRST]
    add_message = "INSERT INTO message VALUES (?, ?, ?, 0, ?)"
    add_part = "INSERT INTO part VALUES (?, ?, ?, 0, 0, ?)"
    messages, parts = hostile(MESSAGES, PER_FILE // 2, seed), hostile(PARTS, PER_FILE // 2, -seed)
    for number, (one, part) in enumerate(zip(messages, parts, strict=True)):
        yield add_message, (f"za{number}", session, 1, message(number))
        yield add_message, (f"zb{number}", session, 1, stored(one, number))
        yield add_part, (f"zc{number}", f"zb{number}", session, stored(part, number))


def second_generation(seed: int) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Whole messages, and between them damaged ones."""
    session = SESSIONS[SECOND]
    add = "INSERT INTO session_message VALUES (?, ?, ?, ?, 1, 0, ?)"
    kinds = ("assistant", "user", "compaction", "idle")
    for number, one in enumerate(hostile(RECORDS, PER_FILE, seed)):
        yield add, (f"za{number}", session, "assistant", 100 + number, message(number))
        kind = kinds[number % len(kinds)]
        yield add, (f"zb{number}", session, kind, 100 + number, stored(one, number))


Rows = Callable[[int], Iterator[tuple[str, tuple[object, ...]]]]
GENERATIONS: dict[str, tuple[Rows, tuple[str, ...], int]] = {
    FIRST: (first_generation, ("message", "part"), PER_FILE // 2),
    SECOND: (second_generation, ("session_message",), PER_FILE),
}


def check_rows(path: Path, shape: str, seed: int) -> int:
    """Read a session with damaged rows; return how much damage was counted."""
    invented, tables, whole = GENERATIONS[shape]
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in tables:
            connection.execute(_CLEAR.replace("records", table))
        for sql, values in invented(seed):
            connection.execute(sql, values)
    read = opencode.read(f"{path}::{SESSIONS[shape]}")
    assert sound(read, seed) == list(range(whole)), f"seed {seed}"
    assert all(reason.startswith(str(path)) for reason in read.damage.reasons)
    return read.damage.count


def check_files(folder: Path, seed: int) -> int:
    """Read sessions of files, ten of them damaged; return how much damage was counted."""
    target = folder / "files"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(GOLDEN / "opencode" / "files-1.0", target)
    pieces = sorted((target / "opencode" / "storage").rglob("*.json"))
    for number, path in enumerate(Random(seed).sample(pieces, 10)):
        (damaged,) = hostile([path.read_bytes()], 1, seed * 10 + number)
        path.write_bytes(damaged)
    count = 0
    for session in opencode.find({"XDG_DATA_HOME": str(target)}):
        try:
            read = opencode.read(session)
        except MetricsError as error:
            assert session in str(error), f"seed {seed}"
            count += 1
        else:
            sound(read, seed)
            count += read.damage.count
    return count


@pytest.mark.parametrize("shape", [FIRST, SECOND])
def test_damage_costs_only_itself(shape: str, databases: dict[str, Path]) -> None:
    """2,000 damaged rows: the whole ones beside them count, the damage is counted and named."""
    path = databases[shape]
    assert sum(check_rows(path, shape, seed) for seed in range(2_000 // PER_FILE)) > 300


def test_damaged_files_cost_only_themselves(tmp_path: Path) -> None:
    """1,000 damaged files: the others count, the damage is counted and named."""
    assert sum(check_files(tmp_path, seed) for seed in range(100)) > 300


@pytest.mark.soak
@pytest.mark.parametrize("shape", [FIRST, SECOND])
def test_much_damage_costs_only_itself(shape: str, databases: dict[str, Path]) -> None:
    """50,000 damaged rows: the same."""
    path = databases[shape]
    seeds = range(10_000, 10_000 + 50_000 // PER_FILE)
    assert sum(check_rows(path, shape, seed) for seed in seeds) > 7_500


def test_a_damaged_database_is_read_or_refused(databases: dict[str, Path]) -> None:
    """300 databases with flipped bits or without their end: read, or refused in one sentence."""
    path = databases[FIRST]
    whole = path.read_bytes()
    for seed in range(300):
        random = Random(seed)
        data = flip(whole, random) if seed % 3 else whole[: random.randrange(len(whole))]
        path.write_bytes(data)
        for session in ("", f"::{SESSIONS[FIRST]}", "::ses_0003fork"):
            try:
                read = opencode.read(f"{path}{session}")
            except MetricsError as error:
                assert str(path) in str(error), f"seed {seed}"
            else:
                sound(read, seed)


def test_a_damaged_export_is_read_or_refused(tmp_path: Path) -> None:
    """500 exported sessions that somebody damaged: read, or refused in one sentence."""
    whole = (GOLDEN / "opencode" / "export-1.2" / "session.json").read_bytes()
    path = tmp_path / "session.json"
    for seed, data in enumerate(hostile([whole], 500, 1)):
        path.write_bytes(data)
        try:
            read = opencode.read(str(path))
        except MetricsError as error:
            assert str(path) in str(error), f"seed {seed}"
        else:
            sound(read, seed)


MAKE = """
import sqlite3, sys
path, session, *sizes = sys.argv[1:]
writer = sqlite3.connect(path)
row = "INSERT INTO part VALUES (?, 'msg_2', ?, 0, 0, ? || printf('%.*c', ?, 'x') || ?)"
for number, size in enumerate(sizes):
    begin, end = '{"type":"text","text":"', '"}'
    writer.execute(row, (f"prt_huge{number}", session, begin, int(size), end))
writer.commit()
"""
READ = f"""{PEAK}
import sys
from m31a_metrics.sources import opencode
read = opencode.read(sys.argv[1])
print(read.effects.responses, read.damage.count, peak_bytes(), *read.damage.reasons, sep="|")
"""


def test_a_huge_row_takes_bounded_memory(databases: dict[str, Path]) -> None:
    """A row of 16 MiB is read, one of 100 MB is named and left out, both in bounded memory."""
    path, session = databases[FIRST], SESSIONS[FIRST]
    sizes = [str(LINE_BYTES_MAX // 2), str(100 * 2**20)]
    # Not made in this process, which would keep the memory.
    subprocess.run([sys.executable, "-c", MAKE, str(path), session, *sizes], check=True)
    command = [sys.executable, "-c", READ, f"{path}::{session}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    counted, damaged, peak, *reasons = done.stdout.strip().split("|")
    assert (counted, damaged) == ("3", "2"), "one message of it is damaged"
    assert reasons[0] == f"{path}, part prt_huge1: string or blob too big"
    assert int(peak) < 150 * 2**20
