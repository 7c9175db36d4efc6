"""Qwen Code: ~/.qwen/projects/<project>/chats/<session id>.jsonl.

The rules of counting are told in docs/counting-gemini-qwen-copilot.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from msgspec import ValidationError

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import Decode
from m31a_metrics.sources.qwen.records import (
    COUNTED,
    COUNTED_SUBTYPES,
    Line,
    kind_decoder,
    line_decoder,
)
from m31a_metrics.sources.qwen.session import NAME, Session
from m31a_metrics.sources.shared.reading import named, take_records
from m31a_metrics.transcript import Damage, Transcript

__all__ = ["NAME", "find", "read"]

_TYPES = ("user", "assistant", "tool_result", "system")


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's path."""
    home = environ.get("HOME", "")
    given = environ.get("QWEN_RUNTIME_DIR") or environ.get("QWEN_HOME") or ""
    if given == "~" or given.startswith("~/"):
        given = home + given[1:]
    root = given or (os.path.join(home, ".qwen") if home else "")
    if not root:
        return
    folders = folders or Folders()
    projects = os.path.join(root, "projects")
    for project in folders.listing(projects).folders:
        chats = os.path.join(projects, project, "chats")
        for name in folders.listing(chats).files:
            if name.endswith(".jsonl"):
                yield os.path.join(chats, name)


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    damage = Damage()
    session = Session(skip)
    decode = Decode(line_decoder().decode_lines, _one)
    with named(path):
        told = take_records(path, decode, _is_ours, session.take, damage)
    if not told:
        raise NotThisFormat(f"{path} is no chat of Qwen Code: it does not begin with its records")
    transcript = session.transcript()
    transcript.damage = damage
    return transcript


def _is_ours(line: Line) -> bool:
    """Tell from Claude Code, whose records have the same keys: messages here have parts."""
    if line.type not in _TYPES or line.uuid is None or line.sessionId is None:
        return False
    if line.type == "system":
        return line.systemPayload is not None
    return line.message is not None and line.message.parts is not None


def _one(line: bytes) -> Line | None:
    """Decode a line among damaged ones; None for one of a kind that figures never come from."""
    try:
        return line_decoder().decode(line)
    except ValidationError:
        kind = kind_decoder().decode(line)
        if kind.type in COUNTED or kind.subtype in COUNTED_SUBTYPES:
            raise
        return None
