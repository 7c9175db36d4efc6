"""Record what OpenAI's Agents SDK asks models, and the tools that it runs.

    from m31a_metrics.live import openai_agents
    detach = openai_agents.attach(collector)

By a trace processor: spans of generations and responses count, whose figures those of turns,
tasks and agents repeat, and so do spans of function tools. Where tracing is switched off nothing
is heard. The SDK keeps from its host what processors raise, so that a budget that is used up
stops nothing here: `m31a_metrics.live.openai` beside it does, and counts nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import tracing

from m31a_metrics.errors import BudgetExceeded
from m31a_metrics.figures import text
from m31a_metrics.live.attachments import Answer, Attachment, Call, Detach, harmless
from m31a_metrics.live.openai import usage_of
from m31a_metrics.model import UNKNOWN_USAGE

if TYPE_CHECKING:
    from m31a_metrics import Collector

_MODELS = ("generation", "response")
_OPEN_MAX = 10_000
"""Spans that have begun and not ended; of more, the oldest is not waited for."""


def attach(collector: Collector | None, target: object | None = None) -> Detach:
    """Record each answer and tool in the session of the Collector in force, else of `collector`.

    `target` is a trace provider; None: the SDK's own. Other processors stay. Returns what ends
    it, in whatever order.

    Raises ImportError without the package openai-agents, TypeError for what is no trace provider
    or Collector.
    """
    provider: Any = tracing.get_trace_provider() if target is None else target
    if not hasattr(provider, "register_processor"):
        raise TypeError(f"target must be a trace provider, not {type(target).__name__}")
    processor = _Processor(Attachment(collector))
    provider.register_processor(processor)

    def detach() -> None:
        processor.is_attached = False
        several = getattr(provider, "_multi_processor", None)
        there = getattr(several, "_processors", ())
        if several is not None and processor in there:  # else it stays, and hears nothing
            several.set_processors([one for one in there if one is not processor])

    return detach


class _Processor(tracing.TracingProcessor):
    """Hears of spans. It raises nothing."""

    def __init__(self, attachment: Attachment) -> None:
        self.is_attached = True
        self._attachment = attachment
        self._open: dict[str, Call] = {}

    def on_trace_start(self, trace: Any) -> None:
        """Nothing: a trace is not a session."""

    def on_trace_end(self, trace: Any) -> None:
        """Nothing either."""

    def on_span_start(self, span: Any) -> None:
        """A model is about to be asked, or a tool to run."""
        if not self.is_attached:
            return
        kind = span.span_data.type
        call = None
        if kind in _MODELS:
            try:
                call = self._attachment.model_call()
            except BudgetExceeded:
                return  # nobody would hear of it; the answer is recorded by what is beneath
        elif kind == "function":
            call = self._attachment.tool_call()
        if call is not None:
            self._open[span.span_id] = call
            if len(self._open) > _OPEN_MAX:
                self._open.pop(next(iter(self._open)), None)

    def on_span_end(self, span: Any) -> None:
        """A model has answered, or a tool has run."""
        call = self._open.pop(span.span_id, None)
        if call is None:
            return
        told = span.span_data
        answer: Answer | None
        try:
            if told.type == "function":
                call.ran(text(told.name), success=span.error is None, error=_words(span.error))
                return
            answer = _answer(told)
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("an answer could not be read", error)
            answer = Answer()
        if answer is None:
            call.failed()
        else:
            call.answered(answer)

    def shutdown(self) -> None:
        """Nothing is held back."""

    def force_flush(self) -> None:
        """Nothing is held back."""


def _answer(told: Any) -> Answer | None:
    """What a span says of an answer; None where there was none, of which old releases say nothing.

    Tokens of which there are none at all were not reported.
    """
    response = getattr(told, "response", None)
    if response is not None:
        usage, response_id = usage_of(response.usage), text(response.id)
        return Answer(usage, text(response.model), response_id)
    used = getattr(told, "usage", None)
    if used is None and not getattr(told, "output", None):
        return None
    usage = usage_of(used)
    return Answer(usage if usage.total else UNKNOWN_USAGE, text(getattr(told, "model", None)))


def _words(error: Any) -> str | None:
    """What a span says of a failure: of it, what tools themselves say is kept."""
    if error is None:
        return None
    data = error.get("data") or {}
    return text(data.get("error")) or text(error.get("message"))
