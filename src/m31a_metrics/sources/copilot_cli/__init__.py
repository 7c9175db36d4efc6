"""Copilot CLI: ~/.copilot/session-state/<session id>/events.jsonl, and session-store.db.

The rules of counting are told in docs/counting-gemini-qwen-copilot.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from msgspec import ValidationError

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import Decode
from m31a_metrics.sources.copilot_cli.records import COUNTED, Line, line_decoder, type_decoder
from m31a_metrics.sources.copilot_cli.responses import Row
from m31a_metrics.sources.copilot_cli.session import NAME, Session
from m31a_metrics.sources.shared.reading import named, take_records
from m31a_metrics.transcript import Damage, Transcript

__all__ = ["NAME", "find", "read"]

_STATE = "session-state"
_STORE = "session-store.db"
_EVENTS = "events.jsonl"
_TYPES = ("session.", "user.", "assistant.", "tool.", "hook.", "system.", "permission.")


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path; in older versions sessions had no folders."""
    home = environ.get("COPILOT_HOME", "").strip()
    if not home:
        if not environ.get("HOME"):
            return
        home = os.path.join(environ["HOME"], ".copilot")
    folders = folders or Folders()
    root = os.path.join(home, _STATE)
    found = folders.listing(root)
    for name in found.files:
        if name.endswith(".jsonl") and name.removesuffix(".jsonl") not in found.folders:
            yield os.path.join(root, name)
    for name in found.folders:
        path = os.path.join(root, name, _EVENTS)
        if folders.holds(path):
            yield path


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    damage = Damage()
    session = Session(skip)
    decode = Decode(line_decoder().decode_lines, _one)
    with named(path):
        told = take_records(path, decode, _is_ours, session.take, damage)
    if not told:
        raise NotThisFormat(f"{path} is no session of Copilot CLI: its first records are not")
    transcript = session.transcript(_rows(path, session.facts.native_id, damage))
    transcript.damage = damage
    return transcript


def _rows(path: str, session_id: str, damage: Damage) -> list[Row]:
    state = os.path.dirname(os.path.abspath(path))
    if os.path.basename(path) == _EVENTS:
        state = os.path.dirname(state)
    store = os.path.join(os.path.dirname(state), _STORE)
    if os.path.basename(state) != _STATE or not os.path.lexists(store):
        return []
    from m31a_metrics.sources.copilot_cli.store import rows

    return rows(store, session_id, damage)


def _is_ours(line: Line) -> bool:
    return line.data is not None and line.timestamp is not None and line.type.startswith(_TYPES)


def _one(line: bytes) -> Line | None:
    """Decode a line among damaged ones; None for one of a kind that figures never come from."""
    try:
        return line_decoder().decode(line)
    except ValidationError:
        if type_decoder().decode(line).type in COUNTED:
            raise
        return None
