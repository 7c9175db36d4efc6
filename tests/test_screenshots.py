"""The invented home of the pictures: the same at every run, whole, and with all that is shown."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from m31a_metrics import catalog, config
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog.conversations import Conversations
from m31a_metrics.catalog.load import Loader
from m31a_metrics.events import HealOutcome, ToolCall
from tools.screenshots.machine import DAYS, HOME, LONG_SESSION, RUNNING_SESSION, lay_out

NOW = datetime(2026, 6, 17, 16, 30, tzinfo=UTC)
AGENTS = {"claude-code", "codex", "gemini-cli", "opencode"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home, as it is at NOW."""
    folder = tmp_path_factory.mktemp("pictures")
    lay_out(folder, NOW)
    return folder


def contents(home: Path) -> dict[str, bytes]:
    """Every file of a home, by its place in it."""
    files = (path for path in home.rglob("*") if path.is_file())
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def sessions(home: Path) -> list[SessionRow]:
    """What an index in memory has of the home."""
    settings = config.Config(f"{home}/.m31a/sessions", f"{home}/.m31a/metrics.db")
    with catalog.ask(settings, {"HOME": str(home)}, in_memory=True) as opened:
        assert opened.problems == []
        return list(opened.answers.sessions(Slice()))


def test_it_is_the_same_at_every_run(home: Path, tmp_path: Path) -> None:
    """At one moment, to the byte."""
    lay_out(tmp_path, NOW)
    assert contents(tmp_path) == contents(home)


def test_its_sessions_are_read_without_damage(home: Path) -> None:
    """Of four agents and the last 60 days, priced, each with a title, none outside the home."""
    rows = sessions(home)
    now_us = NOW.timestamp() * 1e6
    assert {row.agent for row in rows} == AGENTS
    assert len(rows) > 80
    titles = Conversations(config.defaults()).titles(rows)
    for row in rows:
        assert row.project.startswith(f"{HOME}/"), row.path
        assert now_us - (DAYS + 1) * 86_400e6 < row.updated_us <= now_us, row.path
        assert row.cost_nano > 0, row.path
        assert row.unpriced_tokens == 0, row.path
        assert titles[row.ref].first_words, row.path
    assert any(row.session_id == RUNNING_SESSION for row in rows)


def test_the_long_session_has_all_that_a_page_shows(home: Path) -> None:
    """Failures, heals, phases, a subagent, and a picture in a prompt."""
    (path,) = home.rglob(f"{LONG_SESSION}.jsonl")
    loaded = Loader(config.defaults()).load("claude-code", str(path))
    calls = [event for event in loaded.events if isinstance(event, ToolCall)]
    assert {call.subagent for call in calls} > {None}
    assert sum(not call.success for call in calls) >= 3
    assert any(isinstance(event, HealOutcome) for event in loaded.events)
    assert {"explore", "execute", "verify"} <= {stretch.phase for stretch in loaded.active}
    first = json.loads(path.read_text().splitlines()[0])
    assert [part["type"] for part in first["message"]["content"]] == ["text", "image"]


def test_files_changed_when_their_sessions_did(home: Path) -> None:
    """So that those that run are found by their files."""
    (path,) = home.rglob(f"{RUNNING_SESSION}.jsonl")
    assert os.stat(path).st_mtime == NOW.timestamp()
