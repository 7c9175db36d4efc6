"""One small session of every agent, where that agent keeps it, at a time that a test chooses.

Each has one response of 15 tokens, and where the format has calls a call that failed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

TOKENS = 15
AT = "2026-06-20T12:00:00Z"
AT_S = 1_781_956_800

_THREAD = "019ed50c-2fb3-7002-a384-360bea6e7f04"
_SESSION = "0b7e2f14-1111-4111-8111-000000000001"


class Sample(Struct):
    """A way in which an agent keeps a session: the file, below the home; its folder; who wrote it.

    `make` writes it at a path, with an ISO time and the same as seconds since 1970.
    `session_id` is what the session is found by.
    """

    agent: str
    path: str
    make: Callable[[Path, str, float], None]
    session_id: str

    def write(self, home: Path, at: str = AT, at_s: float = AT_S) -> Path:
        """Write the session into a home; return its file."""
        path = home / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.make(path, at, at_s)
        return path

    @property
    def folders(self) -> list[str]:
        """The folders on the way from the agent's own to the file, the outermost first."""
        parts = self.path.split("/")[:-1]
        return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _lines(path: Path, *records: dict[str, Any]) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def _claude_code(path: Path, at: str, _: float) -> None:
    envelope = {"sessionId": _SESSION, "cwd": "/src/app", "version": "2.1.0", "timestamp": at}
    call = {"type": "tool_use", "id": "toolu_0123456789abcdef", "name": "Bash", "input": {}}
    message = {"id": "m", "role": "assistant", "model": "claude-opus-4-5-20251101"}
    used = {"input_tokens": 10, "output_tokens": 5}
    result = {"type": "tool_result", "tool_use_id": call["id"], "is_error": True, "content": "no"}
    prompt = {"role": "user", "content": "x"}
    _lines(
        path,
        envelope | {"type": "user", "uuid": "u0", "message": prompt},
        envelope
        | {"type": "assistant", "uuid": "u1", "requestId": "r"}
        | {"message": message | {"usage": used, "content": [call]}},
        envelope | {"type": "user", "uuid": "u2", "message": {"role": "user", "content": [result]}},
    )


def _codex(path: Path, at: str, _: float) -> None:
    meta = {"id": _THREAD, "timestamp": at, "cwd": "/src/app", "cli_version": "0.150.0"}
    used = {"input_tokens": 10, "cached_input_tokens": 0, "output_tokens": 5, "total_tokens": 15}
    info = {"total_token_usage": used, "last_token_usage": used}
    called = {"type": "function_call", "name": "shell", "call_id": "call_1", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "no"}
    _lines(
        path,
        {"timestamp": at, "type": "session_meta", "payload": meta},
        {"timestamp": at, "type": "turn_context", "payload": {"model": "gpt-5.5"}},
        {"timestamp": at, "type": "response_item", "payload": called},
        {"timestamp": at, "type": "response_item", "payload": output},
        {"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": info}},
    )


def _gemini(at: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    tokens = {"input": 10, "output": 5, "cached": 0, "thoughts": 0, "tool": 0, "total": 15}
    header = {"sessionId": "gemini-1", "projectHash": "ab", "startTime": at, "lastUpdated": at}
    answered = {"id": "2", "timestamp": at, "type": "gemini", "content": "y", "tokens": tokens}
    asked = {"id": "1", "timestamp": at, "type": "user", "content": "x"}
    return header, [asked, answered | {"model": "gemini-2.5-pro"}]


def _gemini_document(path: Path, at: str, _: float) -> None:
    header, messages = _gemini(at)
    path.write_text(json.dumps(header | {"messages": messages}))


def _gemini_lines(path: Path, at: str, _: float) -> None:
    header, messages = _gemini(at)
    _lines(path, header, *messages)


def _copilot(path: Path, at: str, _: float) -> None:
    start = {"sessionId": "copilot-1", "version": 1, "copilotVersion": "1.0", "startTime": at}
    metrics = {"gpt-5": {"requests": {"count": 1}, "usage": {"inputTokens": 10, "outputTokens": 5}}}
    _lines(
        path,
        {"type": "session.start", "id": "1", "timestamp": at, "data": start},
        {"type": "user.message", "id": "2", "timestamp": at, "data": {"content": "x"}},
        {"type": "session.shutdown", "id": "3", "timestamp": at, "data": {"modelMetrics": metrics}},
    )


def _qwen(path: Path, at: str, _: float) -> None:
    envelope = {"sessionId": "qwen-1", "timestamp": at, "cwd": "/src/app", "version": "0.5"}
    used = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    asked = {"role": "user", "parts": [{"text": "x"}]}
    answered = {"role": "model", "parts": [{"text": "y"}]}
    _lines(
        path,
        envelope | {"uuid": "1", "type": "user", "message": asked},
        envelope
        | {"uuid": "2", "type": "assistant", "message": answered, "model": "qwen3-coder"}
        | {"usageMetadata": used},
    )


def _pi(path: Path, at: str, at_s: float) -> None:
    used = {"input": 10, "output": 5, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 15}
    named = {"role": "assistant", "api": "a", "provider": "anthropic", "model": "claude-opus-4-5"}
    message: dict[str, Any] = {**named, "usage": used | {"cost": {"total": 0.1}}, "content": []}
    message["timestamp"] = at_s * 1_000
    _lines(
        path,
        {"type": "session", "id": "pi-1", "timestamp": at, "cwd": "/src/app"},
        {"type": "message", "id": "1", "parentId": None, "timestamp": at, "message": message},
    )


def _opencode_session(at_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
    time = {"created": at_s * 1_000, "updated": at_s * 1_000, "completed": at_s * 1_000}
    session = {"id": "ses_1", "version": "1.0", "directory": "/src/app", "time": time}
    tokens = {"input": 10, "output": 5, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    message = {"id": "msg_1", "sessionID": "ses_1", "role": "assistant", "time": time}
    return session, message | {"modelID": "m", "providerID": "anthropic", "tokens": tokens}


def _opencode_files(path: Path, _: str, at_s: float) -> None:
    session, message = _opencode_session(at_s)
    path.write_text(json.dumps(session))
    beside = path.parents[2] / "message" / "ses_1" / "msg_1.json"
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(json.dumps(message))


def _opencode_database(path: Path, _: str, at_s: float) -> None:
    session, message = _opencode_session(at_s)
    created = session["time"]["created"]
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE session (id, parent_id, directory, version, time_created)")
        connection.execute("CREATE TABLE message (id, session_id, time_created, data)")
        connection.execute("CREATE TABLE part (id, message_id, data)")
        connection.execute(
            "INSERT INTO session VALUES ('ses_1', NULL, '/src/app', '1.0', ?)", (created,)
        )
        connection.execute(
            "INSERT INTO message VALUES ('msg_1', 'ses_1', ?, ?)", (created, json.dumps(message))
        )
    connection.close()


def _aider(path: Path, _: str, at_s: float) -> None:
    (path.parents[1] / ".aider.conf.yml").write_text(f"analytics-log: {path}\n")
    said = {"main_model": "gpt-4o", "prompt_tokens": 10, "completion_tokens": 5, "cost": 0.1}
    _lines(
        path,
        {"event": "launched", "properties": {}, "user_id": "u", "time": at_s},
        {"event": "message_send", "properties": said, "user_id": "u", "time": at_s},
    )


SAMPLES = [
    Sample("claude-code", f".claude/projects/-src-app/{_SESSION}.jsonl", _claude_code, _SESSION),
    Sample(
        "codex",
        f".codex/sessions/2026/06/20/rollout-2026-06-20T12-00-00-{_THREAD}.jsonl",
        _codex,
        _THREAD,
    ),
    Sample("gemini-cli", ".gemini/tmp/app/chats/session-1.json", _gemini_document, "gemini-1"),
    Sample("gemini-cli", ".gemini/tmp/app/chats/session-2.jsonl", _gemini_lines, "gemini-1"),
    Sample("copilot-cli", ".copilot/session-state/one/events.jsonl", _copilot, "copilot-1"),
    Sample("copilot-cli", ".copilot/session-state/one.jsonl", _copilot, "copilot-1"),
    Sample("qwen", ".qwen/projects/app/chats/one.jsonl", _qwen, "qwen-1"),
    Sample("pi", ".pi/agent/sessions/--src-app--/one.jsonl", _pi, "pi-1"),
    Sample(
        "opencode",
        ".local/share/opencode/storage/session/app/ses_1.json",
        _opencode_files,
        "ses_1",
    ),
    Sample("opencode", ".local/share/opencode/opencode.db", _opencode_database, "ses_1"),
    Sample("aider", "logs/aider.jsonl", _aider, f"u-{AT_S}"),
]
"""Every place in which a transcript or a database of an agent is looked for."""

IDS = [f"{sample.agent}-{sample.path.rpartition('.')[2]}{n}" for n, sample in enumerate(SAMPLES)]
