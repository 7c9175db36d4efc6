"""Which lines are one response of the model, and what it cost in tokens.

Claude Code writes a line for each block of a response, each with the usage as it stood
then, and copies responses into other files. docs/counting.md tells the rules and why.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, Struct

from m31a_metrics.events import LLMInteraction
from m31a_metrics.figures import text, tokens, usd
from m31a_metrics.model import Usage
from m31a_metrics.sources.claude_code.records import (
    Envelope,
    Iteration,
    Line,
    Message,
    Name,
    ServerTools,
    TokenCounts,
)
from m31a_metrics.sources.claude_code.strict import Strict, passed_over, unsplit_tokens
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
    """Tokens of all its samplings, those that the sums of its usage leave out among them."""

    first_total: int
    is_apart: bool = False
    """Whether some of its samplings are not in the sums of its usage."""

    uncounted: int = 0
    """Tokens of samplings that a stricter reader leaves out: all but advice."""

    strict: Strict | None = None
    """None: a stricter reader takes just the same."""

    @property
    def strict_total(self) -> int:
        """The total as a stricter reader counts it."""
        return self.total - self.uncounted - unsplit_tokens(self.counts)

    def become(self, better: _Response) -> None:
        """Be as a line gives it that is better than the best one so far."""
        self.event, self.request, self.counts = better.event, better.request, better.counts
        self.rank, self.passed_over, self.total = better.rank, better.passed_over, better.total
        self.is_apart, self.uncounted = better.is_apart, better.uncounted


class Turns(Struct, frozen=True, gc=False):
    """How often somebody else spoke: a person (or a program in its place), and tools."""

    said: int = 0
    results: int = 0


_SIDE_QUESTION = "aside_question"
"""How the ids of those subagents begin that answer beside the conversation (/btw)."""

_PAUSE_S, _PAUSE_LONGEST_S = 30.0, 600.0
_SLOWEST = 2.0
"""Tokens a second: no model takes longer for what it says within one response."""

_BEGINNING = 10
"""Tokens: a line that was written while its response went on has one or two (seen: 3 of 3)."""


class _Unnamed(Struct):
    """A response without a request id, and its latest line."""

    response: _Response
    origin: Origin
    counts: TokenCounts
    t_us: int
    is_final: bool = False
    turns: Turns = Turns()

    def goes_on(self, counts: TokenCounts, t_us: int, turns: Turns, rank: int) -> bool:
        """Tell whether a line with the same message id is of the same response.

        A gateway may give all responses one id. A response has one prompt, its output grows
        as fast as a model writes, and nothing is said in between but results of its tools.
        """
        pause_s = abs(t_us - self.t_us) / 1e6
        if rank != self.origin.rank:  # the same subagent, told of in another file
            return counts == self.counts or pause_s < _PAUSE_S
        if pause_s > _PAUSE_LONGEST_S or turns.said != self.turns.said:
            return False
        at_once = pause_s <= _PAUSE_S and turns == self.turns
        output, before = counts.output_tokens or 0, self.counts.output_tokens or 0
        if counts == self.counts:
            return not self.is_final or pause_s <= _PAUSE_S or output >= _SLOWEST * pause_s
        if self.is_final or (turns != self.turns and before > _BEGINNING):
            return False
        if output < before or 0 < _prompt(self.counts) != _prompt(counts):
            return at_once
        return pause_s <= _PAUSE_S or output - before >= _SLOWEST * pause_s


def _prompt(counts: TokenCounts) -> int:
    return (
        (counts.input_tokens or 0)
        + (counts.cache_read_input_tokens or 0)
        + (counts.cache_creation_input_tokens or 0)
    )


class Responses:
    """The responses of one session, each once."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._all: list[_Response] = []
        self._by_message: dict[str, _Response] = {}
        self._by_request: dict[tuple[str, str], _Response] = {}
        self._unnamed: dict[tuple[str, int], _Unnamed] = {}
        self._latest_unnamed: dict[tuple[str, str], _Unnamed] = {}
        self._turns = Turns()
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
        if not request and message_id and not (response is not None and response.request):
            return self._take_unnamed(message, message_id, line, t_us, origin)
        key = f"{message_id}:{request}" if request else f"{message_id}@{t_us}"
        if not message_id:
            key = line.uuid or ""
        seen = _seen(key, message, line, t_us, origin)
        if response is None:
            self._new(message_id, seen)
            if message_id:
                self._by_message[message_id] = seen
        elif response.request == request:
            self._again(response, message_id, seen)
        else:
            return self._other_request(response, message_id, seen).event.id or ""
        return key

    def turn(self, *, is_result: bool) -> None:
        """Say that somebody else spoke: a tool gave its result, or a person said something."""
        said, results = self._turns.said, self._turns.results
        self._turns = Turns(said, results + 1) if is_result else Turns(said + 1, results)

    def _take_unnamed(
        self, message: Message, message_id: str, line: Line | Envelope, t_us: int, origin: Origin
    ) -> str:
        """Take a line without a request id, whose message id may be another response's, too."""
        counts = message.usage or TokenCounts()
        known = self._same_unnamed(message_id, counts, t_us, origin)
        if known is None:
            key = f"{message_id}@{t_us}"
            if (message_id, t_us) in self._unnamed:
                key = f"{key}@{origin.subagent}"
            seen = _seen(key, message, line, t_us, origin)
            known = _Unnamed(seen, origin, counts, t_us)
            self._new(message_id, seen)
            self._by_message.setdefault(message_id, seen)
        else:
            key = known.response.event.id or ""
            seen = _seen(key, message, line, t_us, origin)
            self._again(known.response, message_id, seen)
        self._unnamed.setdefault((message_id, t_us), known)
        if known.origin.subagent == origin.subagent:
            known.origin, known.counts, known.t_us = origin, counts, t_us
            known.is_final = bool(message.stop_reason)
            known.turns = self._turns
            self._latest_unnamed[message_id, origin.subagent] = known
        return key

    def _same_unnamed(
        self, message_id: str, counts: TokenCounts, t_us: int, origin: Origin
    ) -> _Unnamed | None:
        """Return the response that a line without a request id belongs to; None for a new one."""
        same = self._unnamed.get((message_id, t_us))
        if same is not None and (same.origin.subagent == origin.subagent or same.counts == counts):
            return same  # a copy of a line keeps its time
        latest = self._latest_unnamed.get((message_id, origin.subagent))
        if latest is not None and latest.goes_on(counts, t_us, self._turns, origin.rank):
            return latest
        if origin.subagent.startswith(_SIDE_QUESTION):
            held = (one for (held_id, _), one in self._unnamed.items() if held_id == message_id)
            return next((one for one in held if one.counts == counts), None)
        return None

    def _new(self, message_id: str, seen: _Response) -> None:
        if (
            seen.passed_over
            or not seen.request
            or seen.rank == PROGRESS
            or seen.strict_total != seen.total
        ):
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
        models: dict[str | None, None] = {}
        for response in self._all:
            models[response.event.model] = None
            if response.is_apart:
                models |= {event.model: None for event in _apart(response)}
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
            if response.is_apart:
                events += _apart(response)
            if response.strict is not None:
                self._tell(response, response.strict)
            effects.responses += 1
        return events

    def _tell(self, response: _Response, strict: Strict) -> None:
        # Whatever has other lines, or stands in a progress record, was taken strictly too.
        effects = self._effects
        effects.first_snapshot_tokens += response.total - response.first_total
        if response.rank == PROGRESS:
            effects.progress_responses += 1
            effects.progress_tokens += response.total
        strict.tell(effects, response.total, unsplit_tokens(response.counts), response.uncounted)


def _take_strictly(response: _Response, message_id: str, seen: _Response) -> None:
    strict = response.strict
    if strict is None:
        strict = response.strict = Strict()
        if response is not seen:
            strict.own = response.total
    taken = seen.strict_total
    strict.take(seen.passed_over, taken, is_progress=seen.rank == PROGRESS)
    if message_id and not seen.request and not seen.passed_over:
        strict.take_at(seen.event.t_us, taken)


def _cache_writes(total: int, split_5m: int, split_1h: int) -> tuple[int, int]:
    """Return tokens written to the cache for 5 minutes and for an hour.

    Before the split was written, five minutes was all there was; so is what it leaves out.
    """
    return max(split_5m, total - split_1h), split_1h


def _standing(seen: _Response) -> tuple[int, int, int]:
    return seen.rank, seen.counts.output_tokens or 0, seen.total


def _seen(
    key: str, message: Message, line: Line | Envelope, t_us: int, origin: Origin
) -> _Response:
    """Return what a line tells of its response."""
    counts = message.usage or TokenCounts()
    cost = line.cost_usd if type(line) is Line else UNSET
    event = _event(key, t_us, message.model, counts, origin.subagent, cost=cost)
    total = event.usage.prompt_tokens + event.usage.completion_tokens
    reason = passed_over(line, message, counts)
    seen = _Response(event, line.request_id or "", counts, origin.rank, reason, total, total)
    if counts.iterations:
        for one, usage in _beside(counts, total):
            seen.total += usage.total
            seen.is_apart = True
            if one.type != _ADVICE:
                seen.uncounted += usage.total
        seen.first_total = seen.total
    return seen


def _event(
    response_id: str,
    t_us: int,
    model: Name,
    counts: TokenCounts,
    subagent: str,
    *,
    cost: object,
) -> LLMInteraction:
    split = counts.cache_creation
    written_5m, written_1h = _cache_writes(
        counts.cache_creation_input_tokens or 0,
        (split.ephemeral_5m_input_tokens or 0) if split else 0,
        (split.ephemeral_1h_input_tokens or 0) if split else 0,
    )
    read = counts.cache_read_input_tokens or 0
    usage = Usage(
        (counts.input_tokens or 0) + read + written_5m + written_1h,
        counts.output_tokens or 0,
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
    )
    tools = counts.server_tool_use
    return LLMInteraction(
        id=response_id or None,
        t_us=t_us,
        phase="",
        usage=usage,
        cost=None if cost is UNSET else usd(cost),
        model=model or None,
        tier=_tier(counts),
        subagent=subagent or None,
        web_search_count=tokens(tools.web_search_requests) if type(tools) is ServerTools else 0,
    )


def _tier(counts: TokenCounts) -> str | None:
    """Return what the price depends on: how it was served, and whether in the US only."""
    served = "fast" if counts.speed == "fast" else "batch" if counts.service_tier == "batch" else ""
    if counts.inference_geo == _US_ONLY:
        return f"{served}-{_US_ONLY}" if served else _US_ONLY
    return served or None


_ADVICE = "advisor_message"
_IN_SUMS = ("message", "fallback_message", "iteration")
_US_ONLY = "us"


def _beside(counts: TokenCounts, total: int) -> list[tuple[Iteration, Usage]]:
    """Return the samplings that are not in the sums of a usage, which are `total` tokens.

    `usage` sums up the samplings of type `message` (and the like); those of advisors and
    compactions are made beside them, an advisor's by a model of its own
    (platform.claude.com/docs/en: agents-and-tools/tool-use/advisor-tool,
    build-with-claude/compaction). What was refused before another model answered is a
    `message` that is not in the sums; it is not billed.
    """
    if type(counts.iterations) is not list or all(
        type(one) is not Iteration or one.type in _IN_SUMS for one in counts.iterations
    ):
        return []
    samplings = [(one, _sampled(one)) for one in counts.iterations if type(one) is Iteration]
    apart = [(one, usage) for one, usage in samplings if one.type not in _IN_SUMS and usage.total]
    if not apart or sum(usage.total for _, usage in samplings) <= total:
        return []
    return apart


def _apart(response: _Response) -> Iterator[LLMInteraction]:
    """Yield an event for each sampling that the sums of a response's usage leave out."""
    event = response.event
    tier = _US_ONLY if response.counts.inference_geo == _US_ONLY else None
    for number, (one, usage) in enumerate(_beside(response.counts, event.usage.total), 1):
        yield LLMInteraction(
            id=f"{event.id}#{number}" if event.id else None,
            t_us=event.t_us,
            phase="",
            usage=usage,
            model=text(one.model) or event.model,
            tier=tier,
            subagent=event.subagent,
        )


def _sampled(one: Iteration) -> Usage:
    read = tokens(one.cache_read_input_tokens)
    split = one.cache_creation if isinstance(one.cache_creation, dict) else {}
    written_5m, written_1h = _cache_writes(
        tokens(one.cache_creation_input_tokens),
        tokens(split.get("ephemeral_5m_input_tokens")),
        tokens(split.get("ephemeral_1h_input_tokens")),
    )
    return Usage(
        tokens(one.input_tokens) + read + written_5m + written_1h,
        tokens(one.output_tokens),
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
    )
