"""Subagents that have transcripts of their own: joined to the session that began them."""

from __future__ import annotations

from collections.abc import Iterable

from m31a_metrics.events import LLMInteraction, Subagent, ToolCall
from m31a_metrics.figures import TOKENS_MAX
from m31a_metrics.measures import add
from m31a_metrics.model import Usage
from m31a_metrics.timestamps import span_ms
from m31a_metrics.transcript import Effects, Transcript


def merge(
    parent: Transcript,
    child: Transcript,
    name: str,
    *,
    success: bool | None = None,
    ended_id: str | None = None,
) -> None:
    """Add a subagent's transcript: its calls and tokens are the parent's, marked as its own."""
    facts = child.facts
    usages = [event.usage for event in child.events if isinstance(event, LLMInteraction)]
    parent.events += [
        event for event in child.events if isinstance(event, LLMInteraction | ToolCall | Subagent)
    ]
    parent.events.append(
        Subagent(
            t_us=facts.ended_us,
            name=name,
            usage=_sum(usages),
            duration_ms=span_ms(facts.started_us, facts.ended_us),
            success=success,
            id=ended_id,
        )
    )
    parent.calls += child.calls
    parent.facts.ended_us = max(parent.facts.ended_us, facts.ended_us)
    parent.facts.models += [model for model in facts.models if model not in parent.facts.models]
    add(parent.effects, child.effects, Effects.__struct_fields__)
    parent.damage.merge(child.damage)


def _sum(usages: list[Usage]) -> Usage:
    return Usage(
        _capped(usage.prompt_tokens for usage in usages),
        _capped(usage.completion_tokens for usage in usages),
        _capped(usage.total for usage in usages),
        cache_read_tokens=_capped(usage.cache_read_tokens for usage in usages),
        cache_write_5m_tokens=_capped(usage.cache_write_5m_tokens for usage in usages),
        reasoning_tokens=_capped(usage.reasoning_tokens for usage in usages),
    )


def _capped(figures: Iterable[int]) -> int:
    """Add up; more than any machine ever used is damage."""
    return min(sum(figures), TOKENS_MAX)
