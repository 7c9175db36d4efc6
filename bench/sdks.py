"""What it costs a program that its SDKs are heard: beyond the record call, in microseconds.

A request is answered at once, by a client that sends nothing. What the attachment adds is timed
with its record call taken out, for in turns with other work that call takes longer than alone;
both together are told beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.measure import Rounds, Row, per_call_ns
from m31a_metrics import Collector, Usage
from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.live import anthropic, openai, stainless

_LIMIT_US = 5
_CALLS = 100
_ROUNDS = 300
_numbers = count()


def rows(directory: Path) -> Iterator[Row]:
    """Measure each attachment, those whose package is here."""
    yield _row(directory, "openai", _openai)
    yield _row(directory, "anthropic", _anthropic)
    try:
        yield _row(directory, "spans", _spans)
    except ImportError:
        return


Asking = tuple[Callable[[], object], Callable[[Collector], Callable[[], None]]]
"""A request, and what attaches to it."""


class _Deaf(Collector):
    """Takes the record call out of what is timed."""

    def record(self, event: Event) -> None:
        pass


def _row(directory: Path, name: str, asking: Callable[[], Asking]) -> Row:
    ask, attach = asking()
    times = Rounds()
    collector = Collector(name, directory, enabled=True)
    deaf = _Deaf(f"{name}-deaf", directory, enabled=True)
    for _ in range(_ROUNDS):
        times.add("alone", per_call_ns(partial(_times, ask), _CALLS))
        times.add("record", per_call_ns(partial(_times, partial(_record, collector)), _CALLS))
        for what, heard_by in (("ours", deaf), ("both", collector)):
            detach = attach(heard_by)
            times.add(what, per_call_ns(partial(_times, ask), _CALLS))
            detach()
    collector.stop()
    deaf.stop()
    held = sum(row.interaction_count for row in collector.snapshot().llms)
    assert held == 2 * _CALLS * _ROUNDS, f"{name} recorded {held - _CALLS * _ROUNDS}"
    alone, record, ours, both = (
        times.best_ns(one) / 1000 for one in ("alone", "record", "ours", "both")
    )
    note = f"request {alone:.1f}, the record call alone {record:.1f}, all of it {both:.1f} µs"
    what = f"an answer heard by live.{name}, beyond the record call"
    return Row(what, ours - alone, _LIMIT_US, "µs", note=note)


def _times(call: Callable[[], object]) -> None:
    for _ in range(_CALLS):
        call()


def _id() -> str:
    return f"resp_0123456789abcdef{next(_numbers):08}"


def _record(collector: Collector) -> None:
    """The record call that an attachment makes."""
    collector.record(
        LLMInteraction(
            time.time_ns() // 1000,
            "execute",
            usage=Usage(1_200, 60, cache_read_tokens=200),
            model="a-model",
            duration_ms=1.5,
            id=_id(),
        )
    )


def _client(dialect: Callable[[Any], stainless.Dialect], path: str, answer: Any) -> Asking:
    """A client as Stainless makes them, whose requests are answered at once."""

    class Client:
        def request(self, cast_to: object, options: Any, *, stream: bool = False) -> Any:  # noqa: ARG002 - the SDK's signature
            answer.id = _id()
            return answer

    class AsyncClient:
        async def request(self, cast_to: object, options: Any, *, stream: bool = False) -> Any:  # noqa: ARG002 - the SDK's signature
            return answer

    module = SimpleNamespace(
        Client=Client, AsyncClient=AsyncClient, Stream=_Stream, AsyncStream=_Stream
    )
    options = SimpleNamespace(method="post", url=path)
    client, made = Client(), dialect(module)
    return (
        lambda: client.request(object, options, stream=False),
        lambda collector: stainless.attach(collector, None, made),
    )


class _Stream:
    pass


_NAMES = ("Client", "AsyncClient")


def _openai() -> Asking:
    usage = SimpleNamespace(
        prompt_tokens=1_200,
        completion_tokens=60,
        total_tokens=1_260,
        prompt_tokens_details=SimpleNamespace(cached_tokens=200, cache_write_tokens=None),
        completion_tokens_details=SimpleNamespace(reasoning_tokens=0),
    )
    answer = SimpleNamespace(usage=usage, model="a-model", service_tier=None, response=None)
    return _client(lambda module: openai.dialect(module, _NAMES), "/chat/completions", answer)


def _anthropic() -> Asking:
    usage = SimpleNamespace(
        input_tokens=1_000,
        output_tokens=60,
        cache_read_input_tokens=200,
        cache_creation_input_tokens=0,
        cache_creation=None,
        output_tokens_details=None,
        server_tool_use=None,
        service_tier="standard",
        speed=None,
        inference_geo=None,
    )
    answer = SimpleNamespace(type="message", usage=usage, model="a-model")
    return _client(lambda module: anthropic.dialect(module, _NAMES), "/v1/messages", answer)


def _spans() -> Asking:
    from opentelemetry.sdk.trace import TracerProvider

    from m31a_metrics.live import spans

    provider = TracerProvider()
    tracer = provider.get_tracer("bench")

    def ask() -> None:
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.id": _id(),
            "gen_ai.response.model": "a-model",
            "gen_ai.usage.input_tokens": 1_200,
            "gen_ai.usage.output_tokens": 60,
            "gen_ai.usage.cache_read.input_tokens": 200,
        }
        tracer.start_span("chat a-model", attributes=attributes).end()

    return ask, lambda collector: spans.attach(collector, provider)
