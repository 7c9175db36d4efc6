"""Which lines are one response of the model, and what it cost in tokens.

Claude Code writes a line for each block of a response, each with the usage as it stood
then, and copies responses into other files. docs/counting.md tells the rules and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import UNSET, Struct

from m31a_metrics.events import LLMInteraction
from m31a_metrics.figures import usd
from m31a_metrics.model import Usage
from m31a_metrics.sources.claude_code.records import (
    Envelope,
    Line,
    Message,
    TokenCounts,
    micros,
)
from m31a_metrics.sources.claude_code.strict import (
    Strict,
    is_unsplit,
    passed_over,
    strict_total,
)
from m31a_metrics.transcript import Effects

SYNTHETIC = "<synthetic>"
"""The model of messages that Claude Code wrote itself: an API error, an interruption."""

MAIN, FILE, PROGRESS = 2, 1, 0
"""Whose word counts: the session's own line, a subagent's line, a progress record's."""


class Origin(Struct, frozen=True, gc=False):
    """Where a line comes from: its rank, and the subagent's id if one wrote it."""

    rank: int
    subagent: str = ""


class Seen(Struct, gc=False):
    """A response as one of its lines gives it."""

    at: datetime
    request: str
    counts: TokenCounts
    model: str
    origin: Origin
    cost: object = UNSET
    passed_over: str = ""


class _Response(Struct, gc=False):
    id: str
    best: Seen
    total: int
    first_total: int
    strict: Strict | None = None
    """None: a stricter reader takes just the same."""


class Responses:
    """The responses of one session, each once."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._all: list[_Response] = []
        self._by_message: dict[str, _Response] = {}
        self._by_request: dict[tuple[str, str], _Response] = {}
        self._same_lines = self._same_tokens = 0

    def take(
        self, message: Message, line: Line | Envelope, at: datetime, origin: Origin, cost: object
    ) -> str:
        """Take a line of a response; return the response's id, "" where it is none."""
        counts = message.usage
        if counts is None:
            return ""
        if message.model == SYNTHETIC:
            self._effects.synthetic_lines += 1
            return ""
        message_id, request = message.id or "", line.request_id or ""
        response = self._by_message.get(message_id)
        if response is not None and request:
            best = response.best
            if (
                best.counts == counts
                and best.request == request
                and best.origin.rank == origin.rank
                and not best.passed_over
            ):
                # The same again: half of all lines are such, so they have a way of their own.
                self._same_lines += 1
                self._same_tokens += response.total
                return response.id
        reason = passed_over(line, message, counts)
        seen = Seen(at, request, counts, message.model or "", origin, cost, reason)
        self._effects.lines += 1
        if response is None:
            response = self._new(message_id, line.uuid or "", seen)
            if message_id:
                self._by_message[message_id] = response
        elif response.best.request == request:
            self._again(response, message_id, seen)
        else:
            response = self._other_request(response, message_id, seen)
        return response.id

    def _new(self, message_id: str, uuid: str, seen: Seen) -> _Response:
        total = total_tokens(seen.counts)
        response = _Response(_key(message_id, seen.request) or uuid, seen, total, total)
        if (
            seen.passed_over
            or not seen.request
            or seen.origin.rank == PROGRESS
            or is_unsplit(seen.counts)
        ):
            _take_strictly(response, message_id, seen, total)
        self._all.append(response)
        return response

    def _again(self, response: _Response, message_id: str, seen: Seen) -> None:
        effects = self._effects
        effects.repeated_lines += 1
        total = total_tokens(seen.counts)
        _take_strictly(response, message_id, seen, total)
        if _standing(seen, total) > _standing(response.best, response.total):
            effects.repeated_tokens += response.total
            response.best, response.total = seen, total
        else:
            effects.repeated_tokens += total

    def _other_request(self, response: _Response, message_id: str, seen: Seen) -> _Response:
        key = (message_id, seen.request)
        known = self._by_request.get(key)
        if known is not None and known is not response:
            self._again(known, message_id, seen)
            return known
        if FILE not in (seen.origin.rank, response.best.origin.rank):
            self._by_request[key] = self._new(message_id, "", seen)
            return self._by_request[key]
        if known is None:
            self._effects.replayed_responses += 1
            self._by_request[key] = response
        self._replay(response, message_id, seen)
        return response

    def _replay(self, response: _Response, message_id: str, seen: Seen) -> None:
        # A side question (/btw) sends the conversation again: its copies of the responses
        # have a request of their own, but nobody paid for them twice.
        total = total_tokens(seen.counts)
        if seen.origin.rank > response.best.origin.rank:
            self._by_request[message_id, response.best.request] = response
            self._effects.replayed_tokens += response.total
            response.id = _key(message_id, seen.request)
            response.best, response.total, response.first_total = seen, total, total
        else:
            self._effects.replayed_tokens += total

    def models(self) -> list[str]:
        """Return the models that answered, in the order of the files."""
        models = dict.fromkeys([response.best.model for response in self._all])
        return [model for model in models if model]

    def events(self, skip: frozenset[str]) -> Iterator[LLMInteraction]:
        """Yield an event for each response that is not in `skip`, and say what rules did."""
        effects = self._effects
        effects.lines += self._same_lines
        effects.repeated_lines += self._same_lines
        effects.repeated_tokens += self._same_tokens
        for response in self._all:
            if response.id in skip:
                effects.replayed_responses += 1
                effects.replayed_tokens += response.total
                continue
            effects.responses += 1
            effects.first_snapshot_tokens += response.total - response.first_total
            if response.best.origin.rank == PROGRESS:
                effects.progress_responses += 1
                effects.progress_tokens += response.total
            if response.strict is not None:
                is_odd = is_unsplit(response.best.counts)
                response.strict.tell(effects, response.total, is_unsplit=is_odd)
            yield _event(response.id, response.best)


def _take_strictly(response: _Response, message_id: str, seen: Seen, total: int) -> None:
    strict = response.strict
    if strict is None:
        strict = response.strict = Strict()
        if response.best is not seen:
            strict.own = response.total
    taken = strict_total(seen.counts, total)
    strict.take(seen.passed_over, taken, is_progress=seen.origin.rank == PROGRESS)
    if message_id and not seen.request and not seen.passed_over:
        strict.take_at(seen.at, taken)


def total_tokens(counts: TokenCounts) -> int:
    """Add up all classes of a usage."""
    written_5m, written_1h = _cache_writes(counts)
    return (
        (counts.input_tokens or 0)
        + (counts.output_tokens or 0)
        + (counts.cache_read_input_tokens or 0)
        + written_5m
        + written_1h
    )


def _cache_writes(counts: TokenCounts) -> tuple[int, int]:
    """Return tokens written to the cache for 5 minutes and for an hour."""
    split = counts.cache_creation
    if split is not None:
        written_5m = split.ephemeral_5m_input_tokens or 0
        written_1h = split.ephemeral_1h_input_tokens or 0
        if written_5m or written_1h:
            return written_5m, written_1h
    # Before the split was written, five minutes was all there was.
    return counts.cache_creation_input_tokens or 0, 0


def _standing(seen: Seen, total: int) -> tuple[int, int, int]:
    return seen.origin.rank, seen.counts.output_tokens or 0, total


def _key(message_id: str, request: str) -> str:
    return f"{message_id}:{request}" if message_id and request else message_id


def _event(response_id: str, seen: Seen) -> LLMInteraction:
    counts = seen.counts
    written_5m, written_1h = _cache_writes(counts)
    read = counts.cache_read_input_tokens or 0
    usage = Usage(
        (counts.input_tokens or 0) + read + written_5m + written_1h,
        counts.output_tokens or 0,
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
    )
    return LLMInteraction(
        id=response_id or None,
        t_us=micros(seen.at),
        phase="",
        usage=usage,
        cost=None if seen.cost is UNSET else usd(seen.cost),
        model=seen.model or None,
        tier="fast"
        if counts.speed == "fast"
        else "batch"
        if counts.service_tier == "batch"
        else None,
        subagent=seen.origin.subagent or None,
    )
