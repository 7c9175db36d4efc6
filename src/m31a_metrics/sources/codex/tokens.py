"""Which `token_count` records are responses of a model, and how many tokens each took.

`total_token_usage` grows with the thread, `last_token_usage` is the latest response's. A
record whose total did not grow repeats an old one (a new rate limit was worth a record).
"""

from __future__ import annotations

from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.model import Usage
from m31a_metrics.sources.codex.records import Payload, TokenUsage
from m31a_metrics.transcript import Effects

_FAST = ("fast", "priority")
_SLOW = ("flex", "batch")


class Tokens:
    """The responses of one thread."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.events: list[Event] = []
        self.effects = Effects()
        self.models: list[str] = []
        self.model: str | None = None
        self.tier: str | None = None
        self.turn_id = ""
        self.subagent = ""
        self.context_tokens = 0
        self._skip = skip
        self._total: TokenUsage | None = None
        self._in_turn = 0

    def turn(self, turn_id: str | None) -> None:
        """Note that a turn began, or goes on."""
        if turn_id and turn_id != self.turn_id:
            self.turn_id = turn_id
            self._in_turn = 0

    def settle_tier(self, service_tier: str | None) -> None:
        """Note how responses are served from here on; records without a tier say nothing."""
        if service_tier in _FAST:
            self.tier = "fast"
        elif service_tier:
            self.tier = service_tier if service_tier in _SLOW else None

    def count(self, payload: Payload, t_us: int, *, replayed: bool) -> str:
        """Take a record; return the id of the response, "" if it is none to be counted."""
        info = payload.info
        if info is None:
            return ""
        self.effects.lines += 1
        total, last = info.total_token_usage, info.last_token_usage
        grown = total is None or total != self._total
        counts = last if grown and last is not None else _difference(total, self._total)
        self._total = total or self._total
        if last is not None and last.total_tokens:
            self.context_tokens = last.total_tokens
        if not grown:
            self.effects.repeated_lines += 1
            self.effects.repeated_tokens += _usage(last).total if last is not None else 0
        if counts is None or not _any(counts):
            return ""
        self.model = payload.model or info.model or self.model
        self._in_turn += 1
        usage = _usage(counts)
        # Without a turn to name it by, the moment and the sums are as good as unique.
        place = _place(total or counts) if total or not self.turn_id else f"#{self._in_turn}"
        response = f"{self.turn_id or t_us}:{place}"
        if replayed or response in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total
            return ""
        self.effects.responses += 1
        if self.model and self.model not in self.models:
            self.models.append(self.model)
        self.events.append(
            LLMInteraction(
                t_us=t_us,
                phase="",
                usage=usage,
                model=self.model,
                tier=self.tier,
                subagent=self.subagent or None,
                id=response,
            )
        )
        return response


def _place(total: TokenUsage) -> str:
    return f"{total.input_tokens or 0}+{total.output_tokens or 0}"


def _any(counts: TokenUsage) -> bool:
    return bool(
        counts.input_tokens
        or counts.cached_input_tokens
        or counts.output_tokens
        or counts.reasoning_output_tokens
    )


def _difference(total: TokenUsage | None, before: TokenUsage | None) -> TokenUsage | None:
    """Return what a thread's sums grew by. Sums that shrank (a new start) count as none."""
    if total is None or before is None:
        return total
    return TokenUsage(
        _grown(total.input_tokens, before.input_tokens),
        _grown(total.cached_input_tokens, before.cached_input_tokens),
        _grown(total.cache_write_input_tokens, before.cache_write_input_tokens),
        _grown(total.output_tokens, before.output_tokens),
        _grown(total.reasoning_output_tokens, before.reasoning_output_tokens),
        _grown(total.total_tokens, before.total_tokens),
    )


def _grown(now: int | None, before: int | None) -> int:
    return max(0, (now or 0) - (before or 0))


def _usage(counts: TokenUsage) -> Usage:
    prompt, completion = counts.input_tokens or 0, counts.output_tokens or 0
    cached = min(counts.cached_input_tokens or 0, prompt)
    total = counts.total_tokens or prompt + completion
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=cached,
        cache_write_5m_tokens=min(counts.cache_write_input_tokens or 0, prompt - cached),
        reasoning_tokens=min(counts.reasoning_output_tokens or 0, completion),
    )
