from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

from m31a_metrics import genai
from m31a_metrics.exports.otlp.encoding import request
from m31a_metrics.spans import LATEST_NS, Span

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
values = texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
names = st.sampled_from([genai.TOOL_CALL, genai.TOOL, "größer"]) | texts.filter(bool)
times_ns = st.integers(0, LATEST_NS)
spans = st.builds(
    Span,
    st.integers(1, 2**64 - 1),
    st.just(0) | st.integers(1, 2**64 - 1),
    texts,
    times_ns,
    times_ns,
    st.dictionaries(names, values, max_size=6),
    st.none() | texts,
    st.booleans(),
)

RESOURCE, SCOPE = Resource({"service.name": "pi"}), InstrumentationScope("m31a_metrics", "1.0")


def by_opentelemetry(trace_id: int, made: list[Span]) -> ExportTraceServiceRequest:
    """What OpenTelemetry's own encoder makes of the same spans."""
    return encode_spans(
        [
            ReadableSpan(
                span.name,
                context=SpanContext(trace_id, span.id, is_remote=False),
                parent=SpanContext(trace_id, span.parent, is_remote=False) if span.parent else None,
                resource=RESOURCE,
                attributes=span.attributes,
                kind=SpanKind.CLIENT if span.is_client else SpanKind.INTERNAL,
                status=Status(StatusCode.UNSET)
                if span.error is None
                else Status(StatusCode.ERROR, span.error or None),
                start_time=span.began_ns,
                end_time=span.ended_ns,
                instrumentation_scope=SCOPE,
            )
            for span in made
        ]
    )


@given(st.integers(1, 2**128 - 1), st.lists(spans, min_size=1, max_size=4))
def test_spans_are_the_bytes_that_opentelemetry_makes_of_them(
    trace_id: int, made: list[Span]
) -> None:
    """Every field and attribute of any span is read back as that of the other encoder."""
    expected = by_opentelemetry(trace_id, made)
    (resource,) = expected.resource_spans
    (scope,) = resource.scope_spans
    encoded = request(
        resource.resource.SerializeToString(), scope.scope.SerializeToString(), trace_id, made
    )
    found = ExportTraceServiceRequest()
    found.ParseFromString(encoded)
    assert found == expected
