"""A home in which the sample transcripts lie as their agents put them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from m31a_metrics.config import Config

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples"

# Those named by an id are real; the others were made for somebody's tests.
_REAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.jsonl")
_FOLDER = re.compile(rb'"cwd":\s*"[^"]*?([^"/\\]+)"')


def lay_out(home: Path) -> dict[str, str]:
    """Copy the transcripts of Claude Code and Codex there; gives the environment that finds them.

    The folders in which people worked become those of an invented person.
    """
    claude = home / ".claude" / "projects" / "samples"
    codex = home / ".codex" / "sessions" / "2026" / "06" / "17"
    for agent, folder, prefix in (
        ("claude-code", claude, ""),
        ("codex", codex, "rollout-2026-06-17T10-00-00-"),
    ):
        folder.mkdir(parents=True)
        for path in sorted((SAMPLES / agent).glob("*.jsonl")):
            if _REAL.fullmatch(path.name):
                text = _FOLDER.sub(rb'"cwd":"/home/ada/\1"', path.read_bytes())
                (folder / f"{prefix}{path.name}").write_bytes(text)
    return {"HOME": str(home)}


def config_of(environ: Mapping[str, str]) -> Config:
    """The configuration of that home, which has none."""
    home = environ["HOME"]
    return Config(f"{home}/.m31a/sessions", f"{home}/.m31a/metrics.db")
