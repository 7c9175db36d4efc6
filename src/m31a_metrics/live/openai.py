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

from m31a_metrics.figures import text, tokens
from m31a_metrics.live.attachments import Answer, Detach, is_count
from m31a_metrics.live.stainless import Dialect, get
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

    dialect = Dialect(openai, ("OpenAI", "AsyncOpenAI"), _is_inference, _Reading)
    return attach_client(collector, target, dialect)


def _is_inference(path: str) -> bool:
    return path.endswith(_INFERENCE)


class _Reading:
    """An answer of the chat completions or the responses API."""

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer = Answer()

    def see(self, part: Any) -> None:
        """Read an answer, a chunk of a chat, or an event of a response."""
        response = get(part, "response")
        if response is None or isinstance(response, str):
            response = part
        answer = self._answer
        used = get(response, "usage")
        if used is not None:
            usage = usage_of(used)
            if usage is not UNKNOWN_USAGE:
                answer.usage = usage
        if not answer.response_id:
            answer.response_id = text(get(response, "id"))
        if not answer.model:
            answer.model = text(get(response, "model"))
        tier = get(response, "service_tier")
        if tier in _TIERS:
            answer.tier = tier

    def answer(self) -> Answer:
        """What is known by now."""
        return self._answer


def usage_of(used: Any) -> Usage:
    """What OpenAI's API says that an answer used, in either of its APIs."""
    prompt, details = get(used, "prompt_tokens"), get(used, "prompt_tokens_details")
    completion, parts = get(used, "completion_tokens"), get(used, "completion_tokens_details")
    if prompt is None:
        prompt, details = get(used, "input_tokens"), get(used, "input_tokens_details")
        completion, parts = get(used, "output_tokens"), get(used, "output_tokens_details")
    if not is_count(prompt):
        return UNKNOWN_USAGE
    total = get(used, "total_tokens")
    return Usage(
        tokens(prompt),
        tokens(completion),
        tokens(total) if is_count(total) else None,
        cache_read_tokens=tokens(get(details, "cached_tokens")),
        cache_write_5m_tokens=tokens(get(details, "cache_write_tokens")),
        reasoning_tokens=tokens(get(parts, "reasoning_tokens")),
    )
