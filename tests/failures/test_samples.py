"""What is left of the failures of real sessions still says what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics import sources
from m31a_metrics.errors import MetricsError
from m31a_metrics.failures import failure_line

AGENTS = ("claude-code", "codex", "copilot-cli", "gemini-cli", "pi", "qwen")


def test_eight_of_ten_failures_still_say_what_failed(shared: Path) -> None:
    """Of the different lines of real sessions few need letters, and those are projects' own."""
    texts = {text for agent in AGENTS for text in _errors(agent, shared / "samples" / agent)}
    if not texts:
        pytest.skip("needs transcripts in ../shared/samples, which are not there")
    lines = {failure_line(text, mark=lambda _: "abc") for text in texts}
    telling = {line for line in lines if not line.endswith(" #abc")}
    assert len(telling) / len(lines) >= 0.8


def _errors(agent: str, folder: Path) -> list[str]:
    """Return what failed calls printed in the files of a folder that the source can read."""
    found = []
    for path in sorted(folder.rglob("*.json*")):
        try:
            calls = sources.source(agent).read(str(path)).calls
        except (MetricsError, OSError, ValueError):
            continue  # a part of a session
        found += [call.error for call in calls if call.error and call.success is False]
    return found
