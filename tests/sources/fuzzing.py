"""Damaged transcripts in the shape of any source: nothing escapes, the rest is counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from m31a_metrics import events
from m31a_metrics.errors import NotThisFormat
from m31a_metrics.events import LLMInteraction
from m31a_metrics.jsonlines import LINE_BYTES_MAX
from m31a_metrics.sources import Source
from m31a_metrics.transcript import Transcript
from tests.children import PEAK
from tests.sources.golden import GOLDEN
from tests.sources.mutate import hostile

PER_FILE = 50
MEMORY_MIB_MAX = 150
FIRST = 10_000_000

HUGE = f"""{PEAK}
import sys
from m31a_metrics.sources import source
read = source(sys.argv[1]).read(sys.argv[2])
found = [event for event in read.events if type(event).__name__ == "LLMInteraction"]
print(len(found), read.damage.count, peak_bytes(), *read.damage.reasons, sep="|")
"""


class Subject(Struct):
    """A source to be tried. `whole(n)` is a response with FIRST + n tokens, as a record."""

    source: Source
    agent: str
    head: bytes
    whole: Callable[[int], bytes]

    def records(self) -> list[bytes]:
        """Every record of the agent's golden transcripts."""
        files = (GOLDEN / self.agent).glob("*/**/*.jsonl")
        return sorted({line for path in files for line in path.read_bytes().split(b"\n")})


def counted(read: Transcript) -> list[int]:
    """Which of the whole responses are among the events."""
    tokens = [
        max(event.usage.prompt_tokens, event.usage.completion_tokens)
        for event in read.events
        if isinstance(event, LLMInteraction)
    ]
    return sorted(size - FIRST for size in tokens if 0 <= size - FIRST < PER_FILE)


def check(subject: Subject, path: Path, seed: int) -> int:
    """Read a file of damaged records among whole ones; return how much damage was counted."""
    damaged = list(hostile(subject.records(), PER_FILE, seed))
    path.write_bytes(
        subject.head
        + b"\n"
        + b"".join(b"%b\n%b\n" % (line, subject.whole(n)) for n, line in enumerate(damaged))
        + damaged[0][: len(damaged[0]) // 2]
    )
    read = subject.source.read(str(path))
    assert counted(read) == list(range(PER_FILE)), f"seed {seed}"
    for event in read.events:
        assert events.decoder().decode(events.encode(event)) == event, f"seed {seed}"
    assert read.damage.count <= PER_FILE + 1
    assert len(read.damage.reasons) == min(read.damage.count, 5)
    assert all(reason.startswith(str(path)) for reason in read.damage.reasons)
    return read.damage.count


def check_many(subject: Subject, folder: Path, records: int, first_seed: int) -> None:
    """Read so many damaged records; a good part of them must have been told as damage."""
    path = folder / "transcript.jsonl"
    files = records // PER_FILE
    told = sum(check(subject, path, seed) for seed in range(first_seed, first_seed + files))
    assert told > records // 8


def check_cut(subject: Subject, whole: bytes, path: Path) -> None:
    """A transcript that ends at any byte is read to its last whole record, without damage."""
    seen = 0
    for size in range(len(whole), 0, -97):
        path.write_bytes(whole[:size])
        try:
            read = subject.source.read(str(path))
        except NotThisFormat:
            assert whole.count(b"\n", 0, size) == 0, "only the first record tells little"
            continue
        assert not read.damage.count
        seen += 1
    assert seen > 20


def check_huge(subject: Subject, path: Path) -> None:
    """A line of 100 MB is named and left out, in bounded memory."""
    with path.open("wb") as file:
        file.write(subject.head + b"\n" + subject.whole(1) + b'\n{"type":"x","payload":"')
        for _ in range(100):
            file.write(b"x" * 2**20)
        file.write(b'"}\n' + subject.whole(2) + b"\n")
    child = subprocess.Popen(
        [sys.executable, "-c", HUGE, subject.agent, str(path)], stdout=subprocess.PIPE, text=True
    )
    output, _ = child.communicate()
    assert child.returncode == 0
    found, damaged, peak, *reasons = output.strip().split("|")
    assert (found, damaged) == ("2", "1")
    assert reasons == [f"{path}, line 3: longer than {LINE_BYTES_MAX // 2**20} MiB"]
    assert int(peak) < MEMORY_MIB_MAX * 2**20
