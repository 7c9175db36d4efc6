"""A machine on which hooks are installed: its files, events as agents tell them, real starts."""

from __future__ import annotations

import json
import posix
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics import events
from m31a_metrics.journal import read
from m31a_metrics.live import agents, hook

SESSION = "5f0c2d7e-1b7a-4f0e-9d53-6a2d8b1f0c11"


Done = subprocess.CompletedProcess[bytes]


class Machine:
    """`~/.m31a` of an invented person; events are attended to in this process."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = home / ".m31a" / "live"
        self.sessions = home / ".m31a" / "sessions"
        self.live.mkdir(parents=True)
        self.answers: list[dict[str, Any]] = []
        self._patch = monkeypatch
        self.set()

    def set(self, **changed: object) -> None:
        """Write live.json; without `python` nothing is settled."""
        settings = {"format": 1, "sessions_dir": str(self.sessions), "settle_every_s": 3}
        (self.live / "live.json").write_text(json.dumps(settings | changed))

    def verdict(self, file: str, **said: object) -> None:
        """Write a verdict of a writer that is there."""
        (self.live / "verdicts").mkdir(exist_ok=True)
        whole = {"format": 1, "writer": __file__, "name": file, "stops": [], "warns": []} | said
        (self.live / "verdicts" / f"{file}.json").write_text(json.dumps(whole))

    def attend(self, payload: bytes, agent: str = "claude-code") -> str:
        """Attend to one event as `main` does, and return what was answered."""
        said: list[bytes] = []
        with self._patch.context() as patch:
            patch.setattr(hook, "read_input", lambda: payload)
            patch.setattr(posix, "write", _catching(said))
            patch.setattr(hook, "leave", lambda _: None)
            patch.setattr(posix, "umask", lambda _: 0o077)
            hook.main(str(self.live), agent)
        return b"".join(said).decode()

    def tell(self, kind: str, agent: str = "claude-code", **fields: object) -> str:
        """Attend to one event of the session."""
        return self.attend(payload(kind, **fields), agent)

    def lines(self, session: str = SESSION) -> list[events.Event]:
        """What the session's journal holds; none of it may be damaged."""
        found = read(str(self.sessions / session / "events"), "hooks.jsonl")
        assert not found.damaged
        return found.events

    def trouble(self) -> list[str]:
        """What was left for `m31 doctor`, without the times."""
        path = self.live / "trouble"
        return [line.partition(" ")[2] for line in _lines(path)] if path.exists() else []

    def start(
        self, payload: bytes, agent: str = "claude-code"
    ) -> subprocess.CompletedProcess[bytes]:
        """Start the hook as an agent does."""
        return begin(agents.arguments("hook", str(self.live), agent), payload)

    def install(self) -> None:
        """Put the program where real starts find it."""
        shutil.copy(hook.__file__, self.live / "hook.py")


def begin(arguments: Sequence[str], payload: bytes) -> Done:
    """Start a command with a payload on stdin, and wait for it."""
    return subprocess.run(arguments, input=payload, capture_output=True, timeout=60, check=False)


def payload(kind: str, **fields: object) -> bytes:
    """What an agent writes to a hook; fields of None are left out."""
    common = {
        "session_id": SESSION,
        "transcript_path": "/nowhere/transcript.jsonl",
        "cwd": "/srv/shop",
        "permission_mode": "default",
        "hook_event_name": kind,
    }
    whole = {name: value for name, value in (common | fields).items() if value is not None}
    return json.dumps(whole).encode()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _catching(said: list[bytes]) -> Callable[[int, bytes], int]:
    write = posix.write

    def caught(descriptor: int, data: bytes) -> int:
        if descriptor != 1:
            return write(descriptor, data)
        said.append(data)
        return len(data)

    return caught
