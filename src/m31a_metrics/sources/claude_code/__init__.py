"""Claude Code: `<config>/projects/**/<session>.jsonl`, with its subagents' transcripts.

`records` is what is read of a line; `responses`, `calls`, `turns` and `modes` count one
thing each, and `reading` hands them the lines. docs/counting.md tells the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Event, SessionStart
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import UNREADABLE, Decode, batches
from m31a_metrics.sources.claude_code.facts import NAME, Head, Span, is_own
from m31a_metrics.sources.claude_code.files import agent_id, agent_type, find, subagents
from m31a_metrics.sources.claude_code.reading import Reading
from m31a_metrics.sources.claude_code.records import COUNTED, Line, decoder, kind_decoder
from m31a_metrics.sources.claude_code.strict import mark_line, mark_spaced
from m31a_metrics.timestamps import LATEST_US
from m31a_metrics.transcript import Call, Damage, Facts, Transcript

__all__ = ["NAME", "find", "read"]

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
        events.append(
            SessionStart(
                t_us=facts.started_us,
                agent=NAME,
                version=facts.version or None,
                native_id=facts.native_id or None,
                project=facts.project or None,
                branch=facts.branch or None,
            )
        )
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
