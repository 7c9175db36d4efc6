"""The reference sequences of record calls: a Collector writes what M31A writes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import Collector, SessionMetrics, Usage, load, save


@pytest.fixture(scope="module")
def manifest(shared: Path) -> dict[str, Any]:
    path = shared / "golden" / "record" / "manifest.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def perform(collector: Collector, operation: dict[str, Any]) -> None:
    """Make the record call that an entry describes."""
    match operation:
        case {"op": "tool", "name": name, "success": success, "ms": ms}:
            collector.record_tool_call(name, success, ms)
        case {"op": "llm", "phase": phase, "cost": cost, "nil_usage": True}:
            collector.record_llm_interaction(phase, None, cost)
        case {
            "op": "llm",
            "phase": phase,
            "prompt": prompt,
            "completion": completion,
            "total": total,
            "cost": cost,
        }:
            usage = Usage(prompt, completion, total)
            collector.record_llm_interaction(phase, usage, cost)
        case {"op": "transition", "phase": phase}:
            collector.record_phase_transition(phase)
        case {"op": "duration", "phase": phase, "ms": ms, "success": success}:
            collector.record_phase_duration(phase, ms, success)
        case {"op": "heal", "phase": phase}:
            collector.record_heal_trigger(phase)
        case {"op": "bisect", "phase": phase}:
            collector.record_bisect_trigger(phase)
        case _:
            pytest.fail(f"an operation that this test does not know: {operation}")


@pytest.mark.parametrize("journal", [True, False])
def test_a_collector_writes_what_m31a_writes(
    manifest: dict[str, Any], shared: Path, tmp_path: Path, *, journal: bool
) -> None:
    """Every sequence, its times set to the given ones, gives M31A's file byte for byte."""
    session_id = manifest["session_id"]
    for case in manifest["cases"]:
        directory = tmp_path / case["name"]
        with Collector(session_id, directory / "recorded", journal=journal) as collector:
            for operation in case["ops"]:
                # A key that is left out is Go's zero value.
                perform(collector, {"name": "", "phase": "", "success": False} | operation)
        for metrics in (collector.snapshot(), load(directory / "recorded", session_id)):
            assert isinstance(metrics, SessionMetrics)
            metrics.started_at = datetime.fromisoformat(manifest["started_at"])
            metrics.updated_at = datetime.fromisoformat(manifest["updated_at"])
            save(directory, session_id, metrics)
            written = (directory / session_id / "METRICS.json").read_bytes()
            expected = (shared / "golden" / "record" / case["seed_file"]).read_bytes()
            assert written == expected, f"{case['name']}: {case['description']}"
    assert manifest["cases"]
