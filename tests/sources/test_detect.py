"""Telling what a bare file is: each agent's own source reads it, or it is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.sources import SOURCES, detect, source
from tests.sources import samples
from tests.sources.golden import GOLDEN

# Agents of whom there are samples, but no source.
UNREAD = (
    "antigravity", "cursor", "droid", "gptme", "grok", "grok-build", "hermes", "iflow", "kimi",
    "kiro_sqlite", "openclaw", "vibe",
)  # fmt: skip

MINE = ("aider", "entire", "opencode", "pi")


def files_of(agent: str, shared: Path) -> list[Path]:
    """The sample files of an agent."""
    return sorted(path for path in (shared / "samples" / agent).rglob("*") if path.is_file())


@pytest.mark.parametrize("agent", UNREAD)
def test_an_agent_that_is_not_read_is_refused(agent: str, shared: Path) -> None:
    """No file of an agent without a source is taken for another agent's; the reason names it."""
    files = files_of(agent, shared)
    if not files:
        pytest.skip(f"needs samples of {agent} in {shared}, which has none")
    for path in files:
        with pytest.raises(NotThisFormat) as refused:
            detect(str(path))
        assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", MINE)
def test_a_source_refuses_all_other_agents(name: str, shared: Path) -> None:
    """Given any other agent's file, a source says that it is not its format, and names it."""
    for agent in samples.AGENTS:
        for path in files_of(agent, shared) if agent != name else []:
            with pytest.raises(NotThisFormat) as refused:
                source(name).read(str(path))
            assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", MINE)
def test_a_source_refuses_all_other_golden_files(name: str) -> None:
    """The same for the files that were written for these tests."""
    for agent in sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()):
        for path in sorted((GOLDEN / agent).rglob("*/*")) if agent not in (name, "entire") else []:
            if path.is_file():
                with pytest.raises(NotThisFormat, match="."):
                    source(name).read(str(path))


@pytest.mark.parametrize("name", ["aider", "opencode", "pi"])
def test_a_bare_file_is_its_own_agents(name: str) -> None:
    """A golden transcript is told from its first records, wherever it lies."""
    patterns = {"aider": "analytics.jsonl", "opencode": "session.json", "pi": "*/*/*.jsonl"}
    files = sorted((GOLDEN / name).rglob(patterns[name]))
    assert files
    for path in files:
        assert detect(str(path))[0] == name


def test_every_source_has_what_the_protocol_asks() -> None:
    """Each entry of the list imports, and offers its name, find and read."""
    for name in SOURCES:
        offered = source(name)
        assert name == offered.NAME
        assert not list(offered.find({"HOME": "/nowhere", "PWD": "/nowhere"}))
        assert callable(offered.read)
