"""Claude Code: `<config>/projects/**/<session>.jsonl`, with its subagents' transcripts.

`records` is what is read of a line; `responses`, `calls`, `turns` and `modes` count one
thing each, and `reading` hands them the lines. docs/counting.md tells the rules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Event
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import UNREADABLE, Decode, batches
from m31a_metrics.sources.claude_code.files import (
    SUFFIX,
    agent_id,
    agent_type,
    find,
    kept_days,
    roots,
    subagents,
)
from m31a_metrics.sources.claude_code.reading import Reading
from m31a_metrics.sources.claude_code.records import (
    COUNTED,
    Line,
    Message,
    Name,
    decoder,
    kind_decoder,
)
from m31a_metrics.sources.claude_code.strict import mark_line, mark_spaced
from m31a_metrics.timestamps import LATEST_US, micros
from m31a_metrics.transcript import Call, Damage, Facts, Transcript

# Who ran, where and when; and whether lines are Claude Code's at all.

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


__all__ = ["NAME", "find", "kept_days", "read", "roots"]

_time: Callable[[Event | Call], int] = attrgetter("t_us")


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session and its subagents, without the events whose ids are in `skip`.

    Raises NotThisFormat, and StorageError for a file that cannot be read.
    """
    transcript = Transcript(Facts(NAME))
    damage = transcript.damage
    reading, head = Reading(transcript.effects), Head()
    reading.begin_subagent(agent_id(path))  # nobody's, but for one that lost its session
    try:
        for lines in _own_lines(path, damage):
            head.take(lines)
            reading.take(lines)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    folders = Folders()
    for agent in subagents(path, head.session_ids(), folders):
        _read_subagent(agent, head, reading, damage)
    for place, reason in folders.troubles.items():
        damage.add(place, reason)
    reading.finish()
    facts = transcript.facts = head.facts(path)
    transcript.subagent_of = facts.parent_id if agent_id(path) else ""
    transcript.events = _events(path, reading, facts, skip, damage)
    calls = reading.calls.all
    transcript.calls = [call for call in calls if call.id not in skip] if skip else calls
    if any(not 0 <= call.t_us <= LATEST_US for call in transcript.calls):
        transcript.calls = [call for call in transcript.calls if 0 <= call.t_us <= LATEST_US]
    transcript.calls.sort(key=_time)
    facts.models = reading.responses.models()
    return transcript


def _own_lines(path: str, damage: Damage) -> Iterator[list[Line]]:
    known = False
    for lines in batches(path, _DECODE, damage):
        if lines and not known:
            known = is_own(lines)
            if not known:
                raise NotThisFormat(f"{path} is no transcript of Claude Code")
        yield lines
    if not known:
        raise NotThisFormat(f"{path} holds no record that can be read")


def _decode_many(data: memoryview) -> list[Line]:
    lines = decoder().decode_lines(data)
    mark_spaced(data, lines)
    return lines


def _decode_one(text: bytes) -> Line | None:
    try:
        line = decoder().decode(text)
    except UNREADABLE:
        # A record of a kind that we do not count may look as it likes.
        if kind_decoder().decode(text).type in COUNTED:
            raise
        return None
    mark_line(text, line)
    return line


_DECODE = Decode(_decode_many, _decode_one)


def _read_subagent(path: str, head: Head, reading: Reading, damage: Damage) -> None:
    span = Span()
    reading.begin_subagent(agent_id(path))
    try:
        for lines in batches(path, _DECODE, damage):
            span.take(lines)
            reading.take(lines)
    except OSError as error:
        # It may have been deleted this moment; the session itself was read.
        damage.add(path, error.strerror or error)
    if span.began is not None and span.ended is not None:
        head.span.widen(span.began, span.ended)
        reading.end_subagent(agent_type(path), span.began, span.ended)


def _events(
    path: str, reading: Reading, facts: Facts, skip: frozenset[str], damage: Damage
) -> list[Event]:
    events: list[Event] = []
    if facts.started_us > 0:
        events.append(facts.start())
    events += reading.modes.events(facts.started_us)
    told = reading.events
    events += [event for event in told if event.id not in skip] if skip else told
    events += reading.responses.events(skip)
    events.sort(key=_time)
    if events and (events[0].t_us < 0 or events[-1].t_us > LATEST_US):
        possible = [event for event in events if 0 <= event.t_us <= LATEST_US]
        damage.add(path, f"{len(events) - len(possible):,} records have impossible times")
        return possible
    return events
