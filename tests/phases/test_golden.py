"""Small invented transcripts, and what each call of them was found to be for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from m31a_metrics import sources
from m31a_metrics.phases import Inference, infer

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "phases"


@pytest.mark.parametrize("agent", ["claude-code", "codex"])
def test_a_whole_session_is_inferred_as_somebody_read_it(agent: str) -> None:
    """Phases, rules, heals and bisects of a transcript are what they were when it was read."""
    name, transcript = sources.detect(str(GOLDEN / f"{agent}.jsonl"))
    assert name == agent
    text = as_text(infer(transcript))
    expected = GOLDEN / f"{agent}.expected.txt"
    if os.environ.get("M31_GOLDEN") == "write":
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8"), (
        "if this is meant: M31_GOLDEN=write python -m pytest tests/phases/test_golden.py"
    )


def as_text(inference: Inference) -> str:
    """A line for each call, heal, bisect and event that was added."""
    numbers = {call.id: number for number, call in enumerate(inference.calls, 1)}
    lines = [
        f"{number:>2} {call.phase:8} {call.tool}: {call.rule}{' (failed)' if call.failed else ''}"
        for number, call in enumerate(inference.calls, 1)
    ]
    for heal in inference.heals:
        edits = ", ".join(str(numbers[one]) for one in heal.edits)
        rerun = numbers.get(heal.rerun)
        lines.append(
            f"heal {heal.check}: {numbers[heal.failed]} -> {edits} -> {rerun} {heal.passed}"
        )
    lines += [f"bisect {len(one.calls)} calls, found {one.found}" for one in inference.bisects]
    kinds: dict[str, int] = {}
    for event in inference.events:
        kind = type(event).__name__
        kinds[kind] = kinds.get(kind, 0) + 1
    lines += [f"{kind} {count}" for kind, count in sorted(kinds.items())]
    return "\n".join(lines) + "\n"
