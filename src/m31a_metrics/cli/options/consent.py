"""Asking the person at the terminal, and nobody else: for what an agent must not do by itself.

A seat belt and no boundary: an agent that runs as its person can edit every file of that
person's. What this keeps out is the agent that takes the shortest way to go on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

TERMINAL = "/dev/tty"
"""The terminal of a process, whatever its streams are: an agent's commands have none."""

_AGENTS = frozenset(
    (
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SESSION_ID",
        "CURSOR_AGENT",
        "GEMINI_CLI",
        "OPENCODE",
        "QWEN_CODE",
    )
)
"""Variables that coding agents set for what they run."""

_CODEX = "CODEX_"
_CODEX_SETTINGS = frozenset(("CODEX_HOME", "CODEX_API_KEY", "CODEX_SQLITE_HOME"))
"""Of Codex's those that people set themselves."""


def agent_here(environ: Mapping[str, str]) -> str:
    """Name the variable that tells that a coding agent runs this; "" where none does."""
    for name in sorted(environ):
        if name in _AGENTS or (name.startswith(_CODEX) and name not in _CODEX_SETTINGS):
            return name
    return ""


def refuse_agents(what: str, environ: Mapping[str, str]) -> None:
    """Raise UsageError where a coding agent runs this; `what` says what only a person does."""
    name = agent_here(environ)
    if name:
        raise click.UsageError(
            f"Only a person {what}, in a terminal of their own: this runs in a coding agent "
            f"({name} is set)."
        )


def person_agrees(question: str, what: str, environ: Mapping[str, str]) -> bool:
    """Ask the person at the terminal; False for all but a yes.

    Raises UsageError where a coding agent runs this, and where there is no terminal; `what`
    says what only a person does ("allows more").
    """
    refuse_agents(what, environ)
    try:
        with open(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC), "r+b", 0) as terminal:
            terminal.write(f"{question} [y/N]: ".encode(errors="replace"))
            answer = terminal.readline()
    except OSError:
        raise click.UsageError(
            f"Only a person {what}, and nobody can be asked here: run this in a terminal."
        ) from None
    return answer.strip().lower() in (b"y", b"yes")
