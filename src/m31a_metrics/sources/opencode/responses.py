"""The model's responses within a message: what each cost, and the key its copies share."""

from __future__ import annotations

from collections.abc import Iterator

from m31a_metrics.events import LLMInteraction
from m31a_metrics.figures import model_name, stated_cost, tokens
from m31a_metrics.model import Usage
from m31a_metrics.sources.opencode.records import Cache, Message, Model, Part, Time
from m31a_metrics.sources.opencode.store import Turn
from m31a_metrics.timestamps import span_ms, unix_us


def responses(turn: Turn, now_us: int, subagent: str) -> Iterator[LLMInteraction]:
    """Yield the responses of one message, which came to be at `now_us`.

    Mostly it is one. Versions of 2025 went on in the same message after a tool's result:
    then each step has its tokens, and the message only those of the last.
    """
    message = turn.message
    found = False
    for step, (began_us, part) in enumerate(_steps(turn.parts, now_us)):
        found = True
        if part.tokens is not None:
            yield from _response(message, step, began_us, part, subagent)
    if not found and message.tokens is not None:
        yield from _response(message, 0, now_us, message, subagent)


def _steps(parts: list[Part], now_us: int) -> Iterator[tuple[int, Part]]:
    """Yield the end of each step with the time when the step began."""
    began_us = latest_us = now_us
    for part in parts:
        if part.type == "step-finish":
            yield began_us, part
            began_us = latest_us
            continue
        state = part.state
        for time in (part.time, state.time if state else None):
            if time is not None:
                latest_us = max(latest_us, unix_us(time.start) or 0, unix_us(time.end) or 0)


def _response(
    message: Message, step: int, t_us: int, counted: Part | Message, subagent: str
) -> Iterator[LLMInteraction]:
    used = usage(counted)
    if used is None:
        return
    model = model_of(message)
    yield LLMInteraction(
        id=_key(message, step, used),
        t_us=t_us,
        phase="",
        usage=used,
        cost=stated_cost(counted.cost, model),
        model=model or None,
        duration_ms=_streamed_ms(message.time),
        subagent=subagent or None,
    )


def usage(counted: Part | Message) -> Usage | None:
    """Return OpenCode's counts as ours; None if nothing was counted.

    Its input excludes what the cache took part in. Its output excludes reasoning in most
    versions; in some, and for some providers, it includes it: there the total says so.
    """
    counts = counted.tokens
    if counts is None:
        return None
    cache = counts.cache or Cache()
    read, written = tokens(cache.read), tokens(cache.write)
    prompt = tokens(counts.input) + read + written
    output, reasoning = tokens(counts.output), tokens(counts.reasoning)
    includes = reasoning <= output and tokens(counts.total) == prompt + output
    completion = output if includes else output + reasoning
    if not prompt and not completion:
        return None
    return Usage(
        prompt,
        completion,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        reasoning_tokens=reasoning,
    )


def _key(message: Message, step: int, used: Usage) -> str:
    """Return what a response and its copies have in common.

    A fork copies the messages before it: ids change, times and counts stay.
    """
    created_us = unix_us(message.time.created) if message.time else None
    return (
        f"{created_us or message.id}:{step}:{used.prompt_tokens}:{used.cache_read_tokens}"
        f":{used.cache_write_5m_tokens}:{used.completion_tokens}"
    )


def model_of(message: Message) -> str:
    """Return the model that a message names, "" if it names none."""
    model = message.model
    if isinstance(model, Model):
        seller = message.provider_id or model.provider_id
        return model_name(seller, message.model_id or model.model_id or model.id)
    return model_name(message.provider_id, message.model_id or model)


def _streamed_ms(time: Time | None) -> float | None:
    """Return how long the model took, which the second generation says."""
    began_us, ended_us = (unix_us(time.created), unix_us(time.streamed)) if time else (None, None)
    return None if began_us is None or ended_us is None else span_ms(began_us, ended_us)
