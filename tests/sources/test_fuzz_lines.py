"""Damaged lines of pi, Aider and Entire: nothing escapes, and the rest is still counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m31a_metrics.sources import aider, entire, pi
from tests.repositories import commit, git
from tests.sources import fuzzing
from tests.sources.fuzzing import FIRST, PER_FILE, Subject, counted
from tests.sources.golden import GOLDEN
from tests.sources.mutate import hostile

METADATA = [path.read_bytes() for path in sorted((GOLDEN / "entire").rglob("metadata.json"))]


def pi_answer(number: int) -> bytes:
    """An answer that must be counted, whatever stands around it."""
    message = {
        "role": "assistant",
        "api": "x",
        "model": "m",
        "content": [],
        "usage": {"input": 1, "output": FIRST + number},
        "timestamp": 1_778_000_000_000 + number,
    }
    at = "2026-05-05T05:05:05Z"
    entry = {"type": "message", "id": f"w{number}", "timestamp": at, "message": message}
    return json.dumps(entry).encode()


def aider_message(number: int) -> bytes:
    """A message that must be counted, whatever stands around it."""
    said = {"main_model": "m", "prompt_tokens": 1, "completion_tokens": FIRST + number}
    entry = {"event": "message_send", "properties": said, "user_id": "u", "time": 1_770_000_001}
    return json.dumps(entry).encode()


SUBJECTS = {
    "pi": Subject(
        pi,
        "pi",
        b'{"type":"session","version":3,"id":"s","timestamp":"2026-05-05T05:00:00Z"}',
        pi_answer,
    ),
    "aider": Subject(
        aider,
        "aider",
        b'{"event":"launched","properties":{},"user_id":"u","time":1770000000}',
        aider_message,
    ),
}


@pytest.mark.parametrize("agent", SUBJECTS)
def test_damage_costs_only_itself(agent: str, tmp_path: Path) -> None:
    """2,000 damaged records: the whole ones beside them count, the damage is counted and named."""
    fuzzing.check_many(SUBJECTS[agent], tmp_path, 2_000, 0)


@pytest.mark.soak
@pytest.mark.parametrize("agent", SUBJECTS)
def test_much_damage_costs_only_itself(agent: str, tmp_path: Path) -> None:
    """50,000 damaged records: the same."""
    fuzzing.check_many(SUBJECTS[agent], tmp_path, 50_000, 10_000)


@pytest.mark.parametrize("agent", SUBJECTS)
def test_a_file_cut_anywhere_reads(agent: str, tmp_path: Path) -> None:
    """A file that ends at any byte is read up to its last whole line, without damage."""
    whole = max((GOLDEN / agent).rglob("*/*.jsonl"), key=lambda path: path.stat().st_size)
    fuzzing.check_cut(SUBJECTS[agent], whole.read_bytes(), tmp_path / "cut.jsonl")


@pytest.mark.parametrize("agent", SUBJECTS)
def test_a_huge_line_takes_bounded_memory(agent: str, tmp_path: Path) -> None:
    """A line of 100 MB is named and left out, in bounded memory."""
    fuzzing.check_huge(SUBJECTS[agent], tmp_path / "huge.jsonl")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository."""
    made = tmp_path / "repository"
    made.mkdir()
    git(made, "init", "--quiet")
    return made


def check_checkpoint(repository: Path, seed: int) -> int:
    """Read a session with damaged entries, and one with damaged metadata, from a repository."""
    subject = SUBJECTS["pi"]
    lines = [
        one
        for number, damaged in enumerate(hostile(subject.records(), PER_FILE, seed))
        for one in (damaged, subject.whole(number))
    ]
    (metadata,) = hostile(METADATA, 1, seed)
    tree = {
        "0/metadata.json": b'{"session_id":"whole","agent":"Pi"}',
        "0/full.jsonl": b"\n".join((subject.head, *lines)),
        "1/metadata.json": metadata,
        "1/full.jsonl": subject.whole(0) + b"\n",
    }
    ref = f"refs/entire/checkpoints/aa/{seed}"
    commit(repository, ref, tree)
    read = entire.read(f"{repository}::whole")
    assert counted(read) == list(range(PER_FILE)), f"seed {seed}"
    assert all(reason.startswith(f"{repository}::whole") for reason in read.damage.reasons)
    (other,) = (path for path in entire.find({"PWD": str(repository)}) if "::whole" not in path)
    assert counted(entire.read(other)) == [0]
    git(repository, "update-ref", "-d", ref)
    return read.damage.count


def test_damage_in_a_repository_costs_only_itself(repository: Path) -> None:
    """2,000 damaged records, and damaged metadata: the same for what Entire hands over."""
    seeds = range(2_000 // PER_FILE)
    assert sum(check_checkpoint(repository, seed) for seed in seeds) > 2_000 // 8


@pytest.mark.soak
def test_much_damage_in_a_repository_costs_only_itself(repository: Path) -> None:
    """50,000 damaged records: the same."""
    seeds = range(10_000, 10_000 + 50_000 // PER_FILE)
    assert sum(check_checkpoint(repository, seed) for seed in seeds) > 50_000 // 8
