"""What was cut off in the middle, in every source: half a character, and a record by a kill."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import sources
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources import Source
from m31a_metrics.transcript import Transcript
from tests.sources.golden import GOLDEN

HALF = rb'"half":"cut \\ud83d, \\\\ud83d and \\uDCB2",'
IN_LINES = ("aider", "claude-code", "codex", "copilot-cli", "gemini-cli", "pi", "qwen")
TORN = {"claude-code/damaged"}


def read(source: Source, path: Path) -> Transcript | None:
    """What a file reads as; None if it is no transcript of the agent."""
    try:
        return source.read(str(path))
    except NotThisFormat:
        return None


def told(transcript: Transcript) -> list[object]:
    """All that a transcript says, but for what commands printed, which is kept as it is."""
    calls = [replace(call, printed="") for call in transcript.calls]
    return [transcript.facts, transcript.events, calls, transcript.damage.count]


def copied(agent: str, folder: Path, ending: str) -> list[tuple[Path, Path]]:
    """Copy an agent's golden transcripts; each with its copy."""
    pairs = []
    for whole in sorted((GOLDEN / agent).rglob(f"*/**/*{ending}")):
        shape = whole.relative_to(GOLDEN / agent)
        if f"{agent}/{shape.parts[0]}" not in TORN:
            copy = folder / shape
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(whole.read_bytes())
            pairs.append((whole, copy))
    return pairs


def with_halves(data: bytes) -> bytes:
    """Put half a surrogate pair into every object of a document."""
    return re.sub(rb'\{(\s*)"(?![,}\]])', rb"{\1" + HALF + b'"', data)


def lines_with_halves(data: bytes) -> bytes:
    """Put half a surrogate pair into every record, and into JSON that stands in a text."""
    data = data.replace(rb'"{\"', rb'"{\"half\":\"cut \\ud83d\",\"')
    return re.sub(rb'^\{"', rb"{" + HALF + b'"', data, flags=re.MULTILINE)


@pytest.mark.parametrize("agent", [*IN_LINES, "opencode"])
def test_half_a_surrogate_pair_is_read(agent: str, tmp_path: Path) -> None:
    """Transcripts with halves in them read as they do without; nothing is damaged."""
    source = sources.source(agent)
    pairs = copied(agent, tmp_path, ".json*")
    expected = [read(source, copy) for _, copy in pairs]
    assert any(expected)
    for _, copy in pairs:
        put = lines_with_halves if copy.suffix == ".jsonl" else with_halves
        copy.write_bytes(put(copy.read_bytes()))
    for (_, copy), before in zip(pairs, expected, strict=True):
        after = read(source, copy)
        assert (before and told(before)) == (after and told(after)), copy


@pytest.mark.parametrize("shape", ["database-1.14", "database-2.0"])
def test_half_a_surrogate_pair_is_read_in_a_database(shape: str, tmp_path: Path) -> None:
    """The same for the JSON in OpenCode's databases of both generations."""
    source = sources.source("opencode")
    path = tmp_path / "opencode.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / "opencode" / shape / "opencode.sql").read_text())
        roots = source.find({"XDG_DATA_HOME": "/nowhere", "OPENCODE_DB": str(path)})
        sessions = sorted(roots)
        expected = [told(source.read(one)) for one in sessions]
        assert sessions
        connection.create_function("with_halves", 1, _with_halves)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for table in tables.intersection(("message", "part", "session_message")):
            connection.execute(f"UPDATE {table} SET data = with_halves(data)")  # noqa: S608 - names of our own
        connection.commit()
    assert [told(source.read(one)) for one in sessions] == expected


def _with_halves(data: str) -> str:
    return with_halves(data.encode()).decode()


@pytest.mark.parametrize("agent", IN_LINES)
def test_a_record_behind_a_torn_one_is_read(agent: str, tmp_path: Path) -> None:
    """The beginning of a record, and a whole one glued to it: that one counts, one is damaged."""
    source = sources.source(agent)
    tried = 0
    for _, copy in copied(agent, tmp_path, ".jsonl"):
        before = read(source, copy)
        lines = copy.read_bytes().splitlines(keepends=True)
        if before is None or len(lines) < 3:
            continue
        for number, line in enumerate(lines[1:], 1):
            stub = line[: 7 + 13 * number % (len(line) - 8)]
            glued = [*lines[:number], stub + lines[number], *lines[number + 1 :]]
            copy.write_bytes(b"".join(glued))
            after = read(source, copy)
            assert after is not None
            assert after.events == before.events, stub
            assert after.damage.count == before.damage.count + 1
            tried += 1
        copy.write_bytes(b"".join(lines))
    assert tried >= 5
