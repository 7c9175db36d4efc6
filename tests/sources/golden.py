"""What an agent's transcripts come to, as text that a golden file pins.

A shape is a folder as the agent keeps it, in tests/golden/<agent>/<shape>/, written for
these tests; <shape>.expected.jsonl beside it holds what its sessions read as.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from m31a_metrics import events
from m31a_metrics.sources import Source

NOT_DENIED = b',"denied":false'
"""What is said only of the calls of which it is true."""

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def shapes(agent: str) -> list[str]:
    """The names of an agent's shapes."""
    return sorted(path.name for path in (GOLDEN / agent).iterdir() if path.is_dir())


def check(source: Source, agent: str, shape: str, environ: Mapping[str, str]) -> None:
    """Compare the sessions that `environ` names with what they were when somebody looked."""
    folder = GOLDEN / agent / shape
    expected = folder.parent / f"{shape}.expected.jsonl"
    text = as_lines(source, environ).replace(str(folder), "")
    if os.environ.get("M31_GOLDEN") == "write":
        expected.write_text(text, encoding="utf-8")
    said = expected.read_text(encoding="utf-8")
    assert text == said, "if this is meant: M31_GOLDEN=write python -m pytest tests/sources"
    recorded = [line.encode() for line in said.splitlines() if line.startswith('{"event"')]
    # What can be read can be journalled.
    assert [events.encode(events.decoder().decode(line)) for line in recorded] == recorded


def as_lines(source: Source, environ: Mapping[str, str]) -> str:
    """Every session: a line of facts, its events, its calls."""
    lines: list[bytes] = []
    for path in source.find(environ):
        read = source.read(path)
        session = {"facts": read.facts, "effects": read.effects, "damage": read.damage}
        lines.append(msgspec.json.encode({"session": session}))
        lines += [events.encode(event) for event in read.events]
        lines += [
            msgspec.json.encode({"call": call}).replace(NOT_DENIED, b"") for call in read.calls
        ]
    return b"\n".join(lines).decode() + "\n"
