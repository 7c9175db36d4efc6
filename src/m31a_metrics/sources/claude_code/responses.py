"""Which lines are one response of the model, and what it cost in tokens.

Claude Code writes a line for each block of a response, each with the usage as it stood
then, and copies responses into other files. docs/counting.md tells the rules and why.
"""

from __future__ import annotations

from msgspec import UNSET, Struct

from m31a_metrics.events import LLMInteraction
from m31a_metrics.figures import usd
from m31a_metrics.model import Usage
from m31a_metrics.sources.claude_code.records import Envelope, Line, Message, Name, TokenCounts
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


class _Response(Struct, gc=False):
    """A response as the best of its lines gives it; before it is known, as any of them does."""

    event: LLMInteraction
    request: str
    counts: TokenCounts
    rank: int
    passed_over: str
    total: int
    first_total: int
    strict: Strict | None = None
    """None: a stricter reader takes just the same."""

    def become(self, better: _Response) -> None:
        """Be as a line gives it that is better than the best one so far."""
        self.event, self.request, self.counts = better.event, better.request, better.counts
        self.rank, self.passed_over, self.total = better.rank, better.passed_over, better.total


class Responses:
    """The responses of one session, each once."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._all: list[_Response] = []
        self._by_message: dict[str, _Response] = {}
        self._by_request: dict[tuple[str, str], _Response] = {}
        self._lines = self._same_lines = self._same_tokens = 0

    def take(self, message: Message, line: Line | Envelope, t_us: int, origin: Origin) -> str:
        """Take a line of a response; return the response's id, "" where it is none."""
        counts = message.usage
        if counts is None:
            return ""
        if message.model == SYNTHETIC:
            self._effects.synthetic_lines += 1
            return ""
        self._lines += 1
        message_id, request = message.id or "", line.request_id or ""
        response = self._by_message.get(message_id)
        if (
            response is not None
            and request
            and response.request == request
            and response.counts == counts
            and response.rank == origin.rank
            and not response.passed_over
        ):
            # The same again: half of all lines are such, so they have a way of their own.
            self._same_lines += 1
            self._same_tokens += response.total
            return response.event.id or ""
        key = f"{message_id}:{request}" if message_id and request else message_id
        if response is None:
            key = key or line.uuid or ""
        cost = line.cost_usd if type(line) is Line else UNSET
        event = _event(key, t_us, message.model, counts, origin.subagent, cost=cost)
        total = event.usage.prompt_tokens + event.usage.completion_tokens
        reason = passed_over(line, message, counts)
        seen = _Response(event, request, counts, origin.rank, reason, total, total)
        if response is None:
            self._new(message_id, seen)
            if message_id:
                self._by_message[message_id] = seen
        elif response.request == request:
            self._again(response, message_id, seen)
        else:
            return self._other_request(response, message_id, seen).event.id or ""
        return key

    def _new(self, message_id: str, seen: _Response) -> None:
        if seen.passed_over or not seen.request or seen.rank == PROGRESS or is_unsplit(seen.counts):
            _take_strictly(seen, message_id, seen)
        self._all.append(seen)

    def _again(self, response: _Response, message_id: str, seen: _Response) -> None:
        effects = self._effects
        effects.repeated_lines += 1
        _take_strictly(response, message_id, seen)
        if _standing(seen) > _standing(response):
            effects.repeated_tokens += response.total
            response.become(seen)
        else:
            effects.repeated_tokens += seen.total

    def _other_request(self, response: _Response, message_id: str, seen: _Response) -> _Response:
        key = (message_id, seen.request)
        known = self._by_request.get(key)
        if known is not None and known is not response:
            self._again(known, message_id, seen)
            return known
        if FILE not in (seen.rank, response.rank):
            self._new(message_id, seen)
            self._by_request[key] = seen
            return seen
        if known is None:
            self._effects.replayed_responses += 1
            self._by_request[key] = response
        self._replay(response, message_id, seen)
        return response

    def _replay(self, response: _Response, message_id: str, seen: _Response) -> None:
        # A side question (/btw) sends the conversation again: its copies of the responses
        # have a request of their own, but nobody paid for them twice.
        if seen.rank > response.rank:
            self._by_request[message_id, response.request] = response
            self._effects.replayed_tokens += response.total
            response.become(seen)
            response.first_total = seen.total
        else:
            self._effects.replayed_tokens += seen.total

    def models(self) -> list[str]:
        """Return the models that answered, in the order of the files."""
        models = dict.fromkeys([response.event.model for response in self._all])
        return [model for model in models if model]

    def events(self, skip: frozenset[str]) -> list[LLMInteraction]:
        """Return an event for each response that is not in `skip`, and say what rules did."""
        effects = self._effects
        effects.lines += self._lines
        effects.repeated_lines += self._same_lines
        effects.repeated_tokens += self._same_tokens
        events: list[LLMInteraction] = []
        for response in self._all:
            if response.event.id in skip:
                effects.replayed_responses += 1
                effects.replayed_tokens += response.total
                continue
            events.append(response.event)
            if response.strict is not None:
                self._tell(response, response.strict)
        effects.responses += len(events)
        return events

    def _tell(self, response: _Response, strict: Strict) -> None:
        # Whatever has other lines, or stands in a progress record, was taken strictly too.
        effects = self._effects
        effects.first_snapshot_tokens += response.total - response.first_total
        if response.rank == PROGRESS:
            effects.progress_responses += 1
            effects.progress_tokens += response.total
        strict.tell(effects, response.total, is_unsplit=is_unsplit(response.counts))


def _take_strictly(response: _Response, message_id: str, seen: _Response) -> None:
    strict = response.strict
    if strict is None:
        strict = response.strict = Strict()
        if response is not seen:
            strict.own = response.total
    taken = strict_total(seen.counts, seen.total)
    strict.take(seen.passed_over, taken, is_progress=seen.rank == PROGRESS)
    if message_id and not seen.request and not seen.passed_over:
        strict.take_at(seen.event.t_us, taken)


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


def _standing(seen: _Response) -> tuple[int, int, int]:
    return seen.rank, seen.counts.output_tokens or 0, seen.total


def _event(
    response_id: str,
    t_us: int,
    model: Name,
    counts: TokenCounts,
    subagent: str,
    *,
    cost: object,
) -> LLMInteraction:
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
        t_us=t_us,
        phase="",
        usage=usage,
        cost=None if cost is UNSET else usd(cost),
        model=model or None,
        tier="fast"
        if counts.speed == "fast"
        else "batch"
        if counts.service_tier == "batch"
        else None,
        subagent=subagent or None,
    )
