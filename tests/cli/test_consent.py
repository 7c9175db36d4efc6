"""Asking a person: on the terminal alone, and never under an agent."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import click
import pytest

from m31a_metrics.cli.options import consent


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"PATH": "/bin", "HOME": "/srv"}, ""),
        ({"CLAUDECODE": "1", "PATH": "/bin"}, "CLAUDECODE"),
        ({"CLAUDE_CODE_SESSION_ID": "x"}, "CLAUDE_CODE_SESSION_ID"),
        ({"CLAUDE_CONFIG_DIR": "x", "CODEX_HOME": "x", "CODEX_API_KEY": "x"}, ""),
        ({"CODEX_SANDBOX": "seatbelt"}, "CODEX_SANDBOX"),
        ({"CODEX_THREAD_ID": "x"}, "CODEX_THREAD_ID"),
        ({"QWEN_CODE": "1"}, "QWEN_CODE"),
        ({"GEMINI_CLI": "1"}, "GEMINI_CLI"),
    ],
)
def test_who_runs_this(environ: dict[str, str], name: str) -> None:
    """An agent is told by what it sets for its commands, not by what people set for it."""
    assert consent.agent_here(environ) == name


@pytest.mark.parametrize(
    ("typed", "agrees"),
    [(b"y\n", True), (b"YES\n", True), (b"\n", False), (b"no\n", False), (b"yep\n", False)],
)
def test_only_a_yes_is_one(monkeypatch: pytest.MonkeyPatch, typed: bytes, *, agrees: bool) -> None:
    """The question and the answer go over the terminal, whatever the streams are."""
    person, terminal = pty.openpty()
    try:
        monkeypatch.setattr(consent, "TERMINAL", os.ttyname(terminal))
        os.write(person, typed)
        assert consent.person_agrees("Allow USD 5.00?", "allows more", {}) is agrees
        shown = b""
        while b"Allow USD 5.00? [y/N]: " not in shown:  # behind the echo of what was typed
            shown += os.read(person, 4096)
    finally:
        os.close(person)
        os.close(terminal)


def test_an_agent_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Under an agent nothing is asked, and the variable that told is named."""
    monkeypatch.setattr(consent, "TERMINAL", f"{tmp_path}/none")
    with pytest.raises(click.UsageError, match="Only a person allows more.*CLAUDECODE is set"):
        consent.person_agrees("Allow?", "allows more", {"CLAUDECODE": "1"})


def test_without_a_terminal_nobody_agrees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no terminal the answer is not guessed."""
    monkeypatch.setattr(consent, "TERMINAL", f"{tmp_path}/none")
    with pytest.raises(click.UsageError, match="nobody can be asked here"):
        consent.person_agrees("Allow?", "allows more", {})
