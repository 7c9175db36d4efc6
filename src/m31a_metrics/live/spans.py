"""Record what any library tells in OpenTelemetry's spans of generative AI, in this process.

    from m31a_metrics.live import spans
    detach = spans.attach(collector)

By a span processor, so nothing is sent and no collector of OpenTelemetry is needed: for
pydantic-ai, and whatever else follows the conventions, old names and new, or OpenInference's or
OpenLLMetry's. The table is that of what comes in from outside (`live.otlp.names`): requests to
models and runs of tools count; spans of agents, chains and workflows, which repeat what is in
them, do not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from m31a_metrics.figures import stated_cost
from m31a_metrics.live.attachments import Answer, Attachment, Call, Detach, harmless, is_count
from m31a_metrics.live.otlp.names import CONVENTIONS, Tells
from m31a_metrics.live.stainless import count
from m31a_metrics.model import UNKNOWN_USAGE, Usage

if TYPE_CHECKING:
    from m31a_metrics import Collector

_OPEN_MAX = 10_000
"""Spans that have begun and not ended; of more, the oldest is not waited for."""
_ERROR = trace.StatusCode.ERROR


def attach(collector: Collector | None, target: object | None = None) -> Detach:
    """Record each answer and tool in the session of the Collector in force, else of `collector`.

    `target` is a TracerProvider of OpenTelemetry's SDK; None: the one of this process, which has
    to be set before. Other processors stay. Returns what ends it, in whatever order. A budget
    that is used up refuses a model before it is asked.

    Raises ImportError without opentelemetry-sdk, TypeError for what is no TracerProvider or
    Collector, ValueError where none was set.
    """
    provider: Any = trace.get_tracer_provider() if target is None else target
    if not hasattr(provider, "add_span_processor"):
        if target is None:
            raise ValueError(
                "there is no TracerProvider yet: set one with opentelemetry.trace."
                "set_tracer_provider(), or name one as target"
            )
        raise TypeError(f"target must be a TracerProvider, not {type(target).__name__}")
    processor = _Processor(Attachment(collector))
    provider.add_span_processor(processor)

    def detach() -> None:
        processor.is_attached = False
        several = getattr(provider, "_active_span_processor", None)
        there = getattr(several, "_span_processors", ())
        if several is not None and processor in there:  # else it stays, and hears nothing
            with several._lock:  # noqa: SLF001 - there is no public way to take one away
                several._span_processors = tuple(  # noqa: SLF001 - as above
                    one
                    for one in several._span_processors  # noqa: SLF001 - as above
                    if one is not processor
                )

    return detach


class _Processor(SpanProcessor):
    """Hears of spans. Of what it raises, BudgetExceeded alone is ever raised."""

    def __init__(self, attachment: Attachment) -> None:
        self.is_attached = True
        self._attachment = attachment
        self._open: dict[int, tuple[Call, bool]] = {}  # the latter: of a model

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - its signature
        """A model is about to be asked, or a tool to run. Raises BudgetExceeded."""
        if not self.is_attached:
            return
        tells = _tells(span.attributes.copy())  # a plain dictionary is read five times as fast
        if tells is None:
            return
        is_model = tells is Tells.MODEL_CALL
        call = self._attachment.model_call() if is_model else self._attachment.tool_call()
        if call is not None:
            self._open[span.context.span_id] = call, is_model
            if len(self._open) > _OPEN_MAX:
                self._open.pop(next(iter(self._open)), None)

    def on_end(self, span: Any) -> None:
        """A model has answered, or a tool has run."""
        found = self._open.pop(span.context.span_id, None)
        if found is None:
            return
        call, is_model = found
        try:
            (_answered if is_model else _ran)(call, span)
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a span could not be read", error)
            call.failed()


# ---- by the table


def _marks() -> dict[str, dict[object, Tells]]:
    """What a span is about, by the attributes that say so and their values."""
    marks: dict[str, dict[object, Tells]] = {}
    for rule in _RULES:
        for name, values in rule.where.items():
            marks.setdefault(name, {}).update(dict.fromkeys(values, rule.tells))
    return marks


def _places(tells: Tells) -> dict[str, tuple[str, int]]:
    """What an attribute says, and how many go before it that say the same."""
    places: dict[str, tuple[str, int]] = {}
    for rule in _RULES:
        if rule.tells is tells:
            for field, names in rule.fields.items():
                for rank, name in enumerate(names):
                    places.setdefault(name, (field, rank))
    return places


_RULES = tuple(rule for rules in CONVENTIONS.values() for rule in rules)
_MARKS = _marks()
_OF_MODELS, _OF_TOOLS = _places(Tells.MODEL_CALL), _places(Tells.TOOL_CALL)
_NAME = re.compile(r"[\w@][\w.:/@+\-\[\]]{0,127}", re.ASCII)


def _tells(attributes: dict[str, Any]) -> Tells | None:
    for name, values in _MARKS.items():
        value = attributes.get(name)
        if value is not None and (found := values.get(value)) is not None:
            return found
    return None


def _said(attributes: dict[str, Any], places: dict[str, tuple[str, int]]) -> dict[str, Any]:
    """What the attributes say, by the table's words for it; of several the first of the table."""
    said: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    for name in places.keys() & attributes.keys():
        field, rank = places[name]
        if rank <= ranks.get(field, rank):
            said[field], ranks[field] = attributes[name], rank
    return said


@lru_cache(256)
def _name(value: object) -> str:
    """A value in the shape that names and ids have; "" for all else, which may be people's text."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def _ran(call: Call, span: Any) -> None:
    said = _said(span.attributes.copy(), _OF_TOOLS)
    has_failed = span.status.status_code is _ERROR or said.get("error") or said.get("exit_code")
    ran_ms = max(span.end_time - span.start_time, 0) / 1e6
    call.ran(_name(said.get("tool", "")), success=not has_failed, ran_ms=ran_ms)


def _answered(call: Call, span: Any) -> None:
    said = _said(span.attributes.copy(), _OF_MODELS)
    answer = _answer(said)
    answer.duration_ms = max(span.end_time - span.start_time, 0) / 1e6
    has_failed = span.status.status_code is _ERROR or said.get("error")
    if has_failed and answer.usage is UNKNOWN_USAGE:
        call.failed()
    else:
        call.answered(answer)


def _answer(said: dict[str, Any]) -> Answer:
    response_id = said.get("id", "")  # each is another: nothing to remember
    is_id = isinstance(response_id, str) and _NAME.fullmatch(response_id)
    answer = Answer(model=_name(said.get("model", "")), response_id=response_id if is_id else "")
    prompt, completion = said.get("prompt"), said.get("completion")
    if is_count(prompt) or is_count(completion):
        cached = count(said.get("cache_read", 0))
        written_1h = count(said.get("cache_write_1h", 0))
        written = max(count(said.get("cache_write", 0)), written_1h)
        reasoning = count(said.get("reasoning", 0))
        answer.usage = Usage(
            max(count(prompt), cached + written),
            max(count(completion), reasoning),
            cache_read_tokens=cached,
            cache_write_5m_tokens=written - written_1h,
            cache_write_1h_tokens=written_1h,
            reasoning_tokens=reasoning,
        )
    if "cost_usd" in said and said.get("currency", "USD") == "USD":
        answer.cost = stated_cost(said.get("cost_usd"), answer.model or "")
    return answer
