"""A machine with one recorded session, and what is answered and said of it."""

from __future__ import annotations

from pathlib import Path

from m31a_metrics import Collector, config
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.guard import Trouble
from tests.hostile.agents import SAMPLES, Sample

OWN = "own"
"""The recorded session."""


def record() -> None:
    """Record it, in the home of this process."""
    with Collector(OWN, config.defaults().sessions_dir) as collector:
        collector.record_tool_call("make", True, 5)


def look(home: Path) -> tuple[dict[str, SessionRow], list[Trouble]]:
    """All sessions by id, and what was said of places; nothing is wrong with the index."""
    with ask(config.defaults(), {"HOME": str(home)}) as asking:
        rows = asking.answers.sessions(Slice())
        assert len({row.session_id for row in rows}) == len(rows)
        assert asking.notes == []
        return {row.session_id: row for row in rows}, asking.troubles()


def other_of(sample: Sample) -> Sample:
    """A session of another agent."""
    return SAMPLES[sample.agent == "claude-code"]
