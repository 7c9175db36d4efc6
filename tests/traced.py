"""Sessions as they are traced, made of invented events or transcripts."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.active_time import stretches_of
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.records import record_of
from m31a_metrics.events import Event
from m31a_metrics.phases import infer
from m31a_metrics.record import SessionRecord
from m31a_metrics.spans import Span, Trace, Traced
from m31a_metrics.transcript import Transcript

PRICE_USD = 0.25


def of_transcript(transcript: Transcript) -> tuple[Traced, SessionRecord]:
    """Trace another agent's session; its record, too."""
    inference = infer(transcript)
    record = record_of("/one.jsonl", transcript, inference, lambda _: PRICE_USD)
    row = SessionRow(
        record.agent, record.session_id, record.native_id, "/one.jsonl", record.version
    )
    row.started_us, row.updated_us = record.started_us, record.updated_us
    phases = {call.id: call.phase for call in inference.calls}
    return (
        Traced(row, inference.events, inference.active, record.heals, lambda _: PRICE_USD, phases),
        record,
    )


def of_events(events: Sequence[Event]) -> Traced:
    """Trace a session that recorded itself."""
    row = SessionRow("m31a", "nightly", "nightly", "/nightly")
    row.started_us = min((event.t_us for event in events), default=0)
    row.updated_us = max((event.t_us for event in events), default=0)
    return Traced(row, events, stretches_of(events, inferred=False), [], lambda _: PRICE_USD)


def spans_of(traced: Traced) -> list[Span]:
    """All spans of a session that has ended."""
    trace = Trace(traced)
    return [*trace.calls(), *trace.whole()]
