"""The labelled sessions, where they are: no change of a rule may cost much agreement."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.labels import Score, Session, sessions

_scored: list[Session] = []


@pytest.fixture
def scored(shared: Path) -> list[Session]:
    assert (shared / "labels").is_dir()
    if not _scored:
        _scored.extend(sessions())
    return _scored


@pytest.mark.parametrize(("agent", "least"), [("claude-code", 0.93), ("codex", 0.85)])
def test_calls_agree_with_careful_readers(scored: list[Session], agent: str, least: float) -> None:
    """Per agent, over all its labelled sessions."""
    total = sum((one.score for one in scored if one.agent == agent), Score())
    assert total.agreement >= least
    assert total.sure_agreement >= 0.95


def test_no_session_is_misread(scored: list[Session]) -> None:
    """Each labelled session on its own."""
    low = {one.name: one.score.agreement for one in scored if one.score.agreement < 0.75}
    assert not low


def test_heals_are_those_that_readers_saw(scored: list[Session]) -> None:
    """Episodes and their outcomes, over all labelled sessions."""
    total = sum((one.score for one in scored), Score())
    assert total.kappa >= 0.85
    assert total.heals_f1 >= 0.75
    assert total.outcomes >= 0.9
