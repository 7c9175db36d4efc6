"""Small Claude Code transcripts of our own, for tests of what is asked of all agents."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
MODEL = "claude-sonnet-4-5-20250929"
ONE, TWO = "0b7e2f14-1111-4111-8111-000000000001", "77cc0d52-2222-4222-8222-000000000002"

USAGE = {
    "input_tokens": 10,
    "output_tokens": 100,
    "cache_read_input_tokens": 1_000,
    "cache_creation_input_tokens": 700,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 500},
}
TOTAL = 10 + 100 + 1_000 + 700


def write(home: Path, session_id: str, *lines: dict[str, Any], project: str = "/src/app") -> Path:
    """Write a transcript where Claude Code would, last changed at its last line; its path."""
    folder = home / ".claude" / "projects" / project.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{session_id}.jsonl"
    envelope = {"sessionId": session_id, "cwd": project, "version": "2.1.0", "gitBranch": "main"}
    path.write_text("".join(f"{json.dumps(envelope | line)}\n" for line in lines))
    changed_s = max(datetime.fromisoformat(line["timestamp"]) for line in lines).timestamp()
    os.utime(path, (changed_s + 1, changed_s + 1))
    return path


def prompt(at: datetime = NOW) -> dict[str, Any]:
    """A person says something."""
    message = {"role": "user", "content": "hello"}
    return {"type": "user", "uuid": f"p{at:%d%H%M%S}", "timestamp": _time(at), "message": message}


def answer(
    key: str,
    at: datetime = NOW,
    *,
    model: str = MODEL,
    usage: dict[str, Any] | None = None,
    content: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A line of the response of this key; its usage by default is USAGE."""
    return {
        "type": "assistant",
        "uuid": f"u-{key}-{at:%d%H%M%S%f}",
        "timestamp": _time(at),
        "requestId": f"req_{key}",
        "message": {
            "id": f"msg_{key}",
            "role": "assistant",
            "model": model,
            "usage": USAGE if usage is None else usage,
            "content": content or [],
        },
    }


def call(key: str, at: datetime, *, ran_s: float = 1.0, tool: str = "Edit") -> list[dict[str, Any]]:
    """A response that calls a tool, and the result: two timestamps, between them ran_s."""
    use = {"type": "tool_use", "id": f"toolu_{key}_0123456789", "name": tool, "input": {}}
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "done"}
    end = at + timedelta(seconds=ran_s)
    return [
        answer(key, at, content=[use]),
        {
            "type": "user",
            "uuid": f"r-{key}",
            "timestamp": _time(end),
            "message": {"role": "user", "content": [result]},
        },
    ]


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
