"""Who ran, where and when; and whether lines are Claude Code's at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter

from m31a_metrics.figures import text
from m31a_metrics.sources.claude_code.files import SUFFIX, agent_id
from m31a_metrics.sources.claude_code.records import Line, Message, Name, micros
from m31a_metrics.timestamps import LATEST_US
from m31a_metrics.transcript import Facts

NAME = "claude-code"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Besides messages with content, these records are nobody else's.
_OWN = frozenset(
    ("ai-title", "custom-title", "file-history-snapshot", "last-prompt", "permission-mode",
     "queue-operation")
)  # fmt: skip

# iFlow writes the same records. Its sessions are named otherwise.
_IFLOW = re.compile(rf"session-{_UUID.pattern}")

_FORK_LINES = 50
"""A fork begins with what it was forked from."""

_project: Callable[[Line], Name] = attrgetter("cwd")
_session: Callable[[Line], Name] = attrgetter("session_id")
_branch: Callable[[Line], Name] = attrgetter("git_branch")
_version: Callable[[Line], Name] = attrgetter("version")


class Span:
    """The time from the first to the last of some lines."""

    def __init__(self) -> None:
        self.began: datetime | None = None
        self.ended: datetime | None = None

    def take(self, lines: Sequence[Line]) -> None:
        """Take the times of lines."""
        times = [line.timestamp for line in lines if line.timestamp is not None]
        if times:
            times.sort()  # which they are as a rule: cheaper than to look for both ends
            self.widen(times[0], times[-1])

    def widen(self, began: datetime, ended: datetime) -> None:
        """Take another span's times."""
        self.began = began if self.began is None else min(self.began, began)
        self.ended = ended if self.ended is None else max(self.ended, ended)


class Head:
    """What the lines of a session say about the session as a whole."""

    def __init__(self) -> None:
        self.span = Span()
        self._copied = Span()
        self._project = ""
        self._branch = ""
        self._version = ""
        self._first_session = ""
        self._last_session = ""
        self._forked_from = ""

    def take(self, lines: Sequence[Line]) -> None:
        """Take the next lines of the main file."""
        if not self._first_session:
            self._forked_from = _fork(lines[:_FORK_LINES])
        if self._forked_from:
            # A fork began when it went its own way, not when what it copied did.
            self._copied.take(lines)
            self.span.take([line for line in lines if line.forked_from is None])
        else:
            self.span.take(lines)
        # The project is where it began, branch and version are the last ones.
        self._project = self._project or _first(_project, lines)
        self._first_session = self._first_session or _first(_session, lines)
        self._last_session = _first(_session, reversed(lines)) or self._last_session
        self._branch = _first(_branch, reversed(lines)) or self._branch
        self._version = _first(_version, reversed(lines)) or self._version

    def session_ids(self) -> set[str]:
        """Return the ids that the session goes by in its lines."""
        return {self._first_session, self._last_session} - {""}

    def facts(self, path: str) -> Facts:
        """Put together what is known. The session's id is the file's name, if that is one."""
        name = os.path.basename(path).removesuffix(SUFFIX)
        native_id = self._last_session or name
        if _UUID.fullmatch(name) or agent_id(path):
            native_id = name
        span = self.span if self.span.began else self._copied
        return Facts(
            NAME,
            native_id,
            self._version,
            self._project,
            self._branch,
            started_us=_possible(span.began),
            ended_us=_possible(span.ended),
            parent_id=self._parent_id(native_id),
        )

    def _parent_id(self, native_id: str) -> str:
        if self._forked_from:
            return self._forked_from
        # Older versions copy the lines as they are, with the session they were written in.
        first = self._first_session
        return first if first != native_id and _UUID.fullmatch(first) else ""


def _possible(at: datetime | None) -> int:
    """A time as facts have it: 0 if there is none, or none that can be."""
    return 0 if at is None else max(0, min(micros(at), LATEST_US))


def is_own(lines: Iterable[Line]) -> bool:
    """Whether any of these lines was written by Claude Code."""
    return any(_is_own(line) for line in lines)


def _is_own(line: Line) -> bool:
    if line.type in ("user", "assistant"):
        if type(line.message) is not Message or line.message.content is None:
            return False
        return not (line.session_id and _IFLOW.fullmatch(line.session_id))
    if line.type == "summary":
        return line.leaf_uuid is not None
    if line.type == "attachment":
        return line.attachment is not None
    if line.type == "progress":
        return line.parent_tool_use_id is not None
    return line.type in _OWN


def _first(name: Callable[[Line], Name], lines: Iterable[Line]) -> str:
    return text(next(filter(None, map(name, lines)), ""))


def _fork(lines: Iterable[Line]) -> str:
    for line in lines:
        if isinstance(line.forked_from, dict):
            return text(line.forked_from.get("sessionId"))
    return ""
