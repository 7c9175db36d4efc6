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

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from m31a_metrics.events import LLMInteraction, ToolCall
from m31a_metrics.live.attachments import Answer, Attachment, Call, Detach, harmless
from m31a_metrics.live.otlp.names import Tells
from m31a_metrics.live.otlp.telling import span_event, span_tells

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
        self._open: dict[int, Call] = {}

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - its signature
        """A model is about to be asked, or a tool to run. Raises BudgetExceeded."""
        attributes = span.attributes
        if not attributes or not self.is_attached:
            return
        tells = span_tells(attributes)
        if tells is None:
            return
        is_model = tells is Tells.MODEL_CALL
        call = self._attachment.model_call() if is_model else self._attachment.tool_call()
        if call is not None:
            self._open[span.context.span_id] = call
            if len(self._open) > _OPEN_MAX:
                self._open.pop(next(iter(self._open)), None)

    def on_end(self, span: Any) -> None:
        """A model has answered, or a tool has run."""
        call = self._open.pop(span.context.span_id, None)
        if call is None:
            return
        try:
            event = span_event(
                span.attributes,
                span.end_time // 1_000,
                (span.end_time - span.start_time) / 1e6,
                has_failed=span.status.status_code is _ERROR,
            )
            _tell(call, event, has_failed=span.status.status_code is _ERROR)
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a span could not be read", error)
            call.failed()


def _tell(call: Call, event: LLMInteraction | ToolCall | None, *, has_failed: bool) -> None:
    if isinstance(event, ToolCall):
        call.told(replace(event, id=event.id or None))
    elif event is None or (has_failed and event.has_unknown_usage):
        call.failed()
    else:
        call.answered(
            Answer(
                event.usage,
                event.model,
                event.id or "",
                event.tier,
                cost=event.cost,
                duration_ms=event.duration_ms,
            )
        )
