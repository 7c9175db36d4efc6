"""What several agents' sources do alike: the reading loop, tool calls, subagents' transcripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from m31a_metrics.errors import StorageError
from m31a_metrics.events import LLMInteraction, Subagent, ToolCall
from m31a_metrics.figures import TOKENS_MAX
from m31a_metrics.jsonlines import Decode, batches
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.measures import add
from m31a_metrics.model import Usage
from m31a_metrics.timestamps import span_ms
from m31a_metrics.transcript import Call, Damage, Effects, Transcript

_FIRST_RECORDS = 5

Record = TypeVar("Record")


@contextmanager
def named(path: str) -> Iterator[None]:
    """Read a file within: an OSError comes out as a StorageError that names it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def take_records(
    path: str,
    decode: Decode[Record],
    is_ours: Callable[[Record], bool],
    take: Callable[[Record], object],
    damage: Damage,
) -> bool:
    """Take all records of a file; none, and False, if none of the first ones is the agent's.

    Raises OSError.
    """
    told = False
    for batch in batches(path, decode, damage):
        if not told and not any(map(is_ours, batch[:_FIRST_RECORDS])):
            return False
        told = True
        for record in batch:
            take(record)
    return told


class CallIds:
    """The ids of a session's calls: some providers number theirs from 0 in each response."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._taken

    def unique(self, wanted: str) -> str:
        """Take an id: the wanted one, with a number behind it where another call has that."""
        found, again = wanted, 1
        while found in self._taken:
            again += 1
            found = f"{wanted}#{again}"
        self._taken.add(found)
        return found


def tool_call(
    call: Call, duration_ms: float, *, wait_ms: float | None = None, elapsed_only: bool
) -> ToolCall:
    """Return the event of a call that has ended, with the line that is kept of its error.

    Its `duration_ms` is without `wait_ms`, where that is known: what a person took to give
    permission. `elapsed_only`: such a wait may be in the duration.
    """
    return ToolCall(
        id=call.id,
        t_us=call.end_us,
        name=call.tool or "unknown",
        success=bool(call.success),
        duration_ms=duration_ms,
        wait_ms=wait_ms,
        error=(kept_line(call.error) or None) if call.error else None,
        elapsed_only=elapsed_only,
        subagent=call.subagent or None,
        denied=call.denied,
    )


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
            usage=summed(usages),
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


def summed(usages: Sequence[Usage]) -> Usage:
    """Add up tokens; more than any machine ever used is damage."""
    prompt = _capped(usage.prompt_tokens for usage in usages)
    completion = _capped(usage.completion_tokens for usage in usages)
    total = _capped(usage.total for usage in usages)
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=_capped(usage.cache_read_tokens for usage in usages),
        cache_write_5m_tokens=_capped(usage.cache_write_5m_tokens for usage in usages),
        reasoning_tokens=_capped(usage.reasoning_tokens for usage in usages),
    )


def _capped(figures: Iterable[int]) -> int:
    return min(sum(figures), TOKENS_MAX)
