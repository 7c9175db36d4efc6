"""Durations of a transcript's calls, from hooks that were there when they ran."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from m31a_metrics.errors import MetricsError
from m31a_metrics.events import ToolCall
from m31a_metrics.journal import Journal
from m31a_metrics.session import Session
from m31a_metrics.transcript import Transcript


def take_durations(transcript: Transcript, recordings: Iterable[Session]) -> None:
    """Take the durations of the calls that recordings of the same session know by id.

    A transcript has the times at which a call and its result were written, or no more than
    one of them; hooks know how long the tool ran, and how long it waited for leave. A
    recording that cannot be read is told of where it is read itself.
    """
    timed = {
        _call_id(event.id): event
        for session in recordings
        for journal in _journals(session)
        for event in journal.events
        if isinstance(event, ToolCall) and event.id
    }
    for place, event in enumerate(transcript.events):
        if isinstance(event, ToolCall) and event.id and _call_id(event.id) in timed:
            told = timed[_call_id(event.id)]
            transcript.events[place] = replace(
                event,
                duration_ms=told.duration_ms,
                wait_ms=told.wait_ms if told.wait_ms is not None else event.wait_ms,
                elapsed_only=told.elapsed_only,
            )


def _journals(session: Session) -> Sequence[Journal]:
    try:
        return session.parts().journals
    except MetricsError:
        return ()


def _call_id(event_id: str) -> str:
    """The id that the agent gave a call; a source may have put its time behind it."""
    return event_id.partition("@")[0]
