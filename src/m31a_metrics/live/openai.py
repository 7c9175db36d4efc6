"""Record what is asked of models by OpenAI's SDK: OpenAI's, and all that speak its API.

    from m31a_metrics.live import openai
    detach = openai.attach(collector)

Chat completions, responses, completions and embeddings count, each with its retries as one
answer, streamed or not; images and sounds, batches and what goes over websockets do not. A chat
that is streamed without `stream_options={"include_usage": True}` is an answer of unknown usage,
for then nobody reports any, and so is a stream that is not read to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from m31a_metrics.figures import text
from m31a_metrics.live.attachments import Answer, Detach, is_count
from m31a_metrics.live.stainless import Dialect, count, reader
from m31a_metrics.live.stainless import attach as attach_client
from m31a_metrics.model import UNKNOWN_USAGE, Usage

if TYPE_CHECKING:
    from m31a_metrics import Collector

_INFERENCE = ("/completions", "/responses", "/responses/compact", "/embeddings")
_TIERS = ("flex", "priority")
"""How an answer was served, where that changes its price."""


def attach(collector: Collector | None, target: object | None = None) -> Detach:
    """Record each answer in the session of the Collector in force, else of `collector`.

    `target` is one client, which is recorded with its copies (`with_options`); None: all clients
    of this process, those for Azure and those yet to be made too. Returns what ends it, in
    whatever order; a stream that began before still counts.

    Raises ImportError without the package openai, TypeError for what is no client or Collector.
    """
    import openai

    return attach_client(collector, target, dialect(openai, ("OpenAI", "AsyncOpenAI")))


def dialect(module: Any, clients: tuple[str, str]) -> Dialect:
    """How this SDK speaks: a module with its streams, and clients of these names."""
    return Dialect(module, clients, _is_inference, _Reading)


def _is_inference(path: str) -> bool:
    return path.endswith(_INFERENCE)


class _Reading:
    """An answer of the chat completions or the responses API."""

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer = Answer()

    def see(self, part: Any) -> None:
        """Read an answer, a chunk of a chat, or an event of a response."""
        read, response, answer = reader(part), part, self._answer
        used = read(part, "usage", None)
        if used is None:  # or it is an event, and of what it tells
            found = read(part, "response", None)
            if found is not None and type(found) is not str:
                response, used = found, read(found, "usage", None)
        if used is not None:
            usage = usage_of(used)
            if usage is not UNKNOWN_USAGE:
                answer.usage = usage
        if not answer.response_id:
            answer.response_id = text(read(response, "id", None))
            answer.model = text(read(response, "model", None))
        tier = read(response, "service_tier", None)
        if tier in _TIERS:
            answer.tier = tier

    def answer(self) -> Answer:
        """What is known by now."""
        return self._answer


def usage_of(used: Any) -> Usage:
    """What OpenAI's API says that an answer used, in either of its APIs."""
    read = reader(used)
    prompt, names = read(used, "prompt_tokens", None), _CHAT
    if prompt is None:
        prompt, names = read(used, "input_tokens", None), _RESPONSES
    if type(prompt) is not int and not is_count(prompt):
        return UNKNOWN_USAGE
    completion, details, parts = names
    of_prompt, of_completion = read(used, details, None), read(used, parts, None)
    total = read(used, "total_tokens", None)
    cached = written = reasoning = None
    if of_prompt is not None:
        read_part = reader(of_prompt)
        cached = read_part(of_prompt, "cached_tokens", None)
        written = read_part(of_prompt, "cache_write_tokens", None)
    if of_completion is not None:
        reasoning = reader(of_completion)(of_completion, "reasoning_tokens", None)
    return Usage(
        count(prompt),
        count(read(used, completion, None)),
        count(total) if total is not None and is_count(total) else None,
        cache_read_tokens=count(cached) if cached else 0,
        cache_write_5m_tokens=count(written) if written else 0,
        reasoning_tokens=count(reasoning) if reasoning else 0,
    )


_CHAT = ("completion_tokens", "prompt_tokens_details", "completion_tokens_details")
_RESPONSES = ("output_tokens", "input_tokens_details", "output_tokens_details")
