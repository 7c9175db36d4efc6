"""What a response cost, and the key by which its copies in other files are known."""

from __future__ import annotations

from m31a_metrics.events import LLMInteraction
from m31a_metrics.figures import model_name, stated_cost, text, tokens
from m31a_metrics.model import Usage
from m31a_metrics.sources.pi import records
from m31a_metrics.timestamps import span_ms, unix_us


def answer(message: records.Message, t_us: int, *, restamped: bool) -> LLMInteraction | None:
    """Return the event of an answer that was complete at `t_us`; None if it cost nothing.

    An answer's own time is that when it began. `restamped`: the entry is a copy, whose
    time is that of the copying.
    """
    if message.usage is None:
        return None
    used = _usage(message.usage)
    if used is None:
        return None
    model = model_of(message)
    began_us = unix_us(message.timestamp)
    timed = began_us is not None and not restamped
    return LLMInteraction(
        id=_key(message, began_us, used),
        t_us=t_us,
        phase="",
        usage=used,
        cost=_cost(message.usage, model),
        model=model or None,
        duration_ms=span_ms(began_us or 0, t_us) if timed else None,
    )


def other(
    counts: records.Usage, t_us: int, model: str, key: str, subagent: str | None = None
) -> LLMInteraction | None:
    """Return the event of a response that is no answer: a summary's, a tool's own."""
    used = _usage(counts)
    if used is None:
        return None
    return LLMInteraction(
        id=f"{key}:{t_us}" if key else None,
        t_us=t_us,
        phase="",
        usage=used,
        cost=_cost(counts, model),
        model=model or None,
        subagent=subagent,
    )


def model_of(message: records.Message) -> str:
    """Return the model that answered, "" if none is named."""
    return model_name(message.provider, message.response_model or message.model)


def _usage(counts: records.Usage) -> Usage | None:
    """Return pi's counts as ours; None if nothing was counted."""
    read, written = tokens(counts.cache_read), tokens(counts.cache_write)
    written_1h = min(tokens(counts.cache_write_1h), written)
    prompt, completion = tokens(counts.input) + read + written, tokens(counts.output)
    if not prompt and not completion:
        return None
    return Usage(
        prompt,
        completion,
        cache_read_tokens=read,
        cache_write_5m_tokens=written - written_1h,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=min(tokens(counts.reasoning), completion),
    )


def _cost(counts: records.Usage, model: str) -> float | None:
    said = counts.cost
    return stated_cost(said.total if isinstance(said, records.Cost) else None, model)


def _key(message: records.Message, began_us: int | None, used: Usage) -> str | None:
    """Return what a response and its copies have in common; None if nothing is sure.

    A fork copies the entries before it, in old versions under other ids. A provider's own
    id comes second, for local servers give every response the same.
    """
    if began_us is None:
        return text(message.response_id) or None
    return (
        f"{began_us}:{used.prompt_tokens}:{used.cache_read_tokens}"
        f":{used.cache_write_5m_tokens}:{used.cache_write_1h_tokens}:{used.completion_tokens}"
    )
