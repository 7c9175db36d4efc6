"""Damaged transcripts of Claude Code: nothing escapes, and the rest is still counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from m31a_metrics import events
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.events import LLMInteraction
from m31a_metrics.jsonlines import LINE_BYTES_MAX
from m31a_metrics.sources import claude_code
from tests.children import PEAK
from tests.sources.mutate import hostile

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "claude-code"
LINES = sorted(
    {
        line
        for path in GOLDEN.glob("*/projects/**/*.jsonl")
        for line in path.read_bytes().split(b"\n")
    }
)

PER_FILE = 50
SESSION = "abcdefab-0000-4000-8000-000000000000"

MEMORY_MIB_MAX = 150
"""A line's buffer and its text, and the interpreter itself."""


def whole(number: int) -> bytes:
    """A response that must be counted, whatever stands around it."""
    usage = {"input_tokens": 1, "output_tokens": number}
    record = {
        "type": "assistant",
        "timestamp": "2026-05-05T05:05:05.000Z",
        "sessionId": SESSION,
        "version": "2.1.0",
        "requestId": f"req_{number}",
        "uuid": f"u{number}",
        "message": {"id": f"whole_{number}", "model": "m", "content": [], "usage": usage},
    }
    return json.dumps(record).encode()


def check(path: Path, seed: int) -> int:
    """Read a file of damaged records among whole ones; return how much damage was counted."""
    damaged = list(hostile(LINES, PER_FILE, seed))
    path.write_bytes(
        b"".join(b"%b\n%b\n" % (line, whole(n)) for n, line in enumerate(damaged))
        + damaged[0][: len(damaged[0]) // 2]
    )
    read = claude_code.read(str(path))
    counted = {
        event.id: event.usage.completion_tokens
        for event in read.events
        if isinstance(event, LLMInteraction) and (event.id or "").startswith("whole_")
    }
    assert counted == {f"whole_{n}:req_{n}": n for n in range(PER_FILE)}, f"seed {seed}"
    for event in read.events:
        assert events.decoder().decode(events.encode(event)) == event, f"seed {seed}"
    assert read.damage.count <= PER_FILE + 1
    assert len(read.damage.reasons) == min(read.damage.count, 5)
    assert all(reason.startswith(f"{path}") for reason in read.damage.reasons)
    return read.damage.count


def test_damage_costs_only_itself(tmp_path: Path) -> None:
    """2,000 damaged records: the whole ones beside them count, the damage is counted and named."""
    path = tmp_path / f"{SESSION}.jsonl"
    assert sum(check(path, seed) for seed in range(2_000 // PER_FILE)) > 500


@pytest.mark.soak
def test_much_damage_costs_only_itself(tmp_path: Path) -> None:
    """50,000 damaged records: the same."""
    path = tmp_path / f"{SESSION}.jsonl"
    assert sum(check(path, seed) for seed in range(10_000, 10_000 + 50_000 // PER_FILE)) > 10_000


def test_a_file_cut_anywhere_reads(tmp_path: Path) -> None:
    """A transcript that ends at any byte is read up to its last whole record, without damage."""
    whole_file = next(GOLDEN.glob("2.1-modes/projects/*/*.jsonl")).read_bytes()
    path = tmp_path / f"{SESSION}.jsonl"
    seen = 0
    for size in range(len(whole_file), 0, -97):
        path.write_bytes(whole_file[:size])
        try:
            read = claude_code.read(str(path))
        except NotThisFormat:
            assert whole_file.count(b"\n", 0, size) < 4, "only its first records tell little"
            continue
        assert not read.damage.count
        seen += 1
    assert seen > 100


HUGE = f"""{PEAK}
import sys
from m31a_metrics.sources import claude_code
read = claude_code.read(sys.argv[1])
print(peak_bytes(), len(read.events), read.damage.count, *read.damage.reasons, sep="|")
"""


@pytest.mark.parametrize("size_mib", [16, 100])
def test_a_huge_line_takes_bounded_memory(tmp_path: Path, size_mib: int) -> None:
    """A line of 16 MiB is read, one of 100 MiB is named and left out, both in bounded memory."""
    path = tmp_path / f"{SESSION}.jsonl"
    with path.open("wb") as file:
        file.write(whole(1) + b'\n{"type":"user","timestamp":"2026-05-05T05:05:06Z","message":')
        file.write(b'{"role":"user","content":"')
        for _ in range(size_mib):
            file.write(b"x" * 2**20)
        file.write(b'"}}\n' + whole(2) + b"\n")
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(path)], capture_output=True, text=True, check=True
    )
    peak, counted, damaged, *reasons = done.stdout.strip().split("|")
    if size_mib * 2**20 < LINE_BYTES_MAX:
        assert (counted, damaged, reasons) == ("4", "0", [])
    else:
        assert (counted, damaged) == ("3", "1")
        assert reasons == [f"{path}, line 2: longer than 32 MiB"]
    assert int(peak) < MEMORY_MIB_MAX * 2**20
