"""What was not sent of a session yet, to a receiver, and the metrics that it adds up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from m31a_metrics import deliveries
from m31a_metrics.deliveries import Deliveries, Line
from m31a_metrics.errors import NotDelivered
from m31a_metrics.exports.otlp import Outcome, Receiver
from m31a_metrics.genai import Measured
from m31a_metrics.spans import Span, Trace, has_ended, measure, prefix

BATCH = 512
"""So many spans go out in one request, and are in memory at once."""

PATIENCE_S = 60.0
"""So long a receiver that says when to try again is waited for."""

_NO_SUCH_PLACE = frozenset((404, 405, 501))


class Tally(Struct):
    """What a sender did: how many spans of how many sessions, and what a receiver refused."""

    spans: int = 0
    sessions: int = 0
    rejected: int = 0
    words: str = ""


class Sender:
    """Sends sessions to a receiver, each from where it stopped.

    `wait` is called with seconds, where a receiver says when to try again, until `patience_s`.
    """

    def __init__(
        self,
        receiver: Receiver,
        sent: Deliveries,
        wait: Callable[[float], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.tally = Tally()
        self._receiver = receiver
        self._sent = sent
        self._wait = wait
        self._patience_s = patience_s

    def send(self, trace: Trace, mark: str, now_us: int, *, again: bool = False) -> None:
        """Send what was not sent of a session, or `again` all. Raises NotDelivered, StorageError.

        What is sent once more adds nothing to the metrics.
        """
        key, row = f"{trace.id:032x}", trace.traced.row
        before, is_over = self._sent.of(key), has_ended(row.updated_us, now_us)
        ids, begun = trace.call_ids(), before.prefix.number
        known, since_us, counted = set(before.ids), before.ended_us or 0, 0
        if again:
            known, since_us, counted = set(), 0, begun + len(before.ids)
        elif prefix(ids[:begun]) == before.prefix:
            known.update(ids[:begun])
        else:  # its beginning is not what it was
            since_us, counted = 0, max(begun - len(before.ids), 0)
        first, noted = self.tally.spans, frozenset(before.ids)
        spans = trace.calls(None if is_over else now_us)
        for batch in _batches(span for span in spans if span.id not in known):
            self._take(trace, batch)
            line = Line(key, ids=deliveries.packed(_ids(batch) - noted))
            line.phases = sorted({span.of_phase for span in batch if span.of_phase})
            line.points = measure(batch[counted:]).points()
            counted = max(counted - len(batch), 0)
            self._sent.note(line)
        self._sent.note(
            self._end(trace, mark, now_us, since_us) if is_over else Line(key, mark, now_us)
        )
        self.tally.sessions += self.tally.spans > first

    def _end(self, trace: Trace, mark: str, now_us: int, since_us: int) -> Line:
        """Send a session that has ended, its phases and heals; what is to be noted of it."""
        key, measured = f"{trace.id:032x}", Measured()
        before = self._sent.of(key)
        for batch in _batches(trace.whole(since_us, before.phases)):
            self._take(trace, batch)
            measured.merge(measure(_news(batch, before.ended_us)).points())
        line = Line(key, mark, now_us, ended_us=trace.traced.row.updated_us)
        line.prefix, line.points = prefix(trace.call_ids()), measured.points()
        return line

    def send_metrics(self, now_us: int) -> str:
        """Send what all that was sent adds up to; say why, where the receiver takes no metrics.

        Raises NotDelivered.
        """
        points = self._sent.measured.points()
        if not points:
            return ""
        outcome = self._tried(
            lambda: self._receiver.send_metrics(points, self._sent.head.start_us, now_us)
        )
        if outcome.status in _NO_SUCH_PLACE:
            return outcome.why
        if outcome.why:
            raise NotDelivered(outcome.why)
        self._reject(outcome)
        return ""

    def _take(self, trace: Trace, batch: Sequence[Span]) -> None:
        outcome = self._tried(lambda: self._receiver.send(trace, batch))
        if outcome.why:
            raise NotDelivered(outcome.why)
        self.tally.spans += len(batch)
        self._reject(outcome)

    def _tried(self, send: Callable[[], Outcome]) -> Outcome:
        left_s = self._patience_s
        while True:
            outcome = send()
            wait_s = outcome.retry_after_s
            if not outcome.is_passing or wait_s is None or wait_s > left_s:
                return outcome
            wait_s = max(wait_s, 0.1)
            left_s -= wait_s
            self._wait(wait_s)

    def _reject(self, outcome: Outcome) -> None:
        self.tally.rejected += outcome.rejected
        self.tally.words = outcome.words or self.tally.words


def _ids(batch: Iterable[Span]) -> set[int]:
    return {span.id for span in batch}


def _news(batch: Iterable[Span], ended_us: int | None) -> Iterator[Span]:
    """Leave out what was counted when the session had ended before."""
    for span in batch:
        is_new = span.parent and not span.is_client and span.ended_ns > (ended_us or 0) * 1000
        if ended_us is None or is_new:
            yield span


def _batches(spans: Iterable[Span]) -> Iterator[list[Span]]:
    rest = iter(spans)
    while batch := list(islice(rest, BATCH)):
        yield batch
