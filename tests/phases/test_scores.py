"""The labelled sessions, where they are: no change of a rule may cost much agreement.

The sessions are named: one that is labelled later is a row of `make bench`, until somebody
has looked at it and names it in bench/labels.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.labels import HELD_OUT, SEEN, Score, Session, sessions

_scored: list[Session] = []


@pytest.fixture
def scored(shared: Path) -> list[Session]:
    """The twelve sessions that rules are held to, each scored once."""
    if not _scored:
        _scored.extend(sessions(HELD_OUT | SEEN))
    missing = (HELD_OUT | SEEN) - {one.name for one in _scored}
    if missing:
        pytest.skip(f"needs labels and samples of {', '.join(sorted(missing))} in {shared}")
    return _scored


@pytest.mark.parametrize(("agent", "least"), [("claude-code", 0.93), ("codex", 0.85)])
def test_calls_agree_with_careful_readers(scored: list[Session], agent: str, least: float) -> None:
    """Per agent, calls have the phases that readers gave them."""
    total = sum((one.score for one in scored if one.agent == agent), Score())
    assert total.agreement >= least
    assert total.sure_agreement >= 0.95


def test_no_session_is_misread(scored: list[Session]) -> None:
    """Three of four calls agree in each session on its own."""
    low = {one.name: one.score.agreement for one in scored if one.score.agreement < 0.75}
    assert not low


def test_heals_are_those_that_readers_saw(scored: list[Session]) -> None:
    """Episodes and their outcomes agree, over all these sessions."""
    total = sum((one.score for one in scored), Score())
    assert total.kappa >= 0.85
    assert total.heals_f1 >= 0.75
    assert total.outcomes >= 0.9
