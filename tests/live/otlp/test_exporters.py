"""The official exporters of Python as senders: what they send arrives, and is answered rightly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from m31a_metrics import config, store
from m31a_metrics.catalog.received import Received
from m31a_metrics.config import Config
from m31a_metrics.errors import StorageError
from m31a_metrics.events import LLMInteraction, decoder
from m31a_metrics.journal import OTLP
from m31a_metrics.live.otlp import receiver
from m31a_metrics.live.otlp.receiver import Kept
from tests.live.otlp.serving import TOKEN, receiving
from tests.live.otlp.test_receiver import Keeping

trace_exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: E402 - behind the skip
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: E402 - as above
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: E402 - as above
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402 - as above
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: E402 - as above
from opentelemetry.sdk.resources import Resource  # noqa: E402 - as above
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402 - as above
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: E402 - as above

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SESSION = "one"
CHAT: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.conversation.id": SESSION,
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
}


@contextmanager
def tracing(exporter: SpanExporter, queue: int = 2048) -> Iterator[TracerProvider]:
    """A provider whose spans go to an exporter in batches; all are sent at the end."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=queue))
    yield provider
    provider.shutdown()


@pytest.fixture
def settings(clean_home: object) -> Config:
    """The configuration of an empty home."""
    return config.defaults()


@pytest.mark.parametrize(
    ("count", "compression"),
    [
        (2_000, Compression.NoCompression),
        (4_000, Compression.Gzip),
        pytest.param(20_000, Compression.Gzip, marks=pytest.mark.soak),
    ],
)
def test_a_burst_arrives_whole(settings: Config, count: int, compression: Compression) -> None:
    """Spans as fast as a program makes them: each is on the disk, once."""
    told: list[Exception] = []
    with receiving(Received(settings).keep, told) as address:
        exporter = trace_exporter.OTLPSpanExporter(
            f"{address}/v1/traces", headers=HEADERS, compression=compression
        )
        with tracing(exporter, 1 << 16) as provider:
            tracer = provider.get_tracer("shop")
            for number in range(count):
                with tracer.start_as_current_span(
                    "chat", attributes=CHAT | {"gen_ai.response.id": f"r{number}"}
                ):
                    pass
    assert told == []
    path = f"{settings.sessions_dir}/{SESSION}/{store.EVENTS}/{OTLP}"
    decode = decoder().decode
    with open(path, "rb") as file:
        events = [decode(line) for line in file if line.strip()]
    uses = [event for event in events if type(event) is LLMInteraction]
    assert len({use.id for use in uses}) == len(uses) == count
    assert {use.usage.prompt_tokens + use.usage.completion_tokens for use in uses} == {15}


def test_each_signal_is_acknowledged(settings: Config) -> None:
    """Logs and metrics, too, of which the latter tell nothing that the others do not."""
    keeping = Keeping()
    with receiving(keeping, keeping.told) as address:
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(f"{address}/v1/metrics", headers=HEADERS)
        )
        meters = MeterProvider([reader])
        meters.get_meter("shop").create_counter("gen_ai.client.token.usage").add(7)
        assert meters.force_flush()
        meters.shutdown()
        logs = OTLPLogExporter(f"{address}/v1/logs", headers=HEADERS)
        assert logs.export([]).name == "SUCCESS"
    assert (keeping.kept, keeping.told) == ([], [])


class Counted(Keeping):
    """Counts requests; the first one meets what is set."""

    count = 0

    def __call__(self, *arguments: object) -> Kept:
        self.count += 1
        try:
            return super().__call__(*arguments)  # type: ignore[arg-type] # passed on as they come
        finally:
            self.error = None


@pytest.mark.parametrize(
    ("error", "says", "result", "count"),
    [
        (None, Kept(3, "not these"), "SUCCESS", 1),
        (StorageError("full"), Kept(), "SUCCESS", 2),
        (KeyError("a bug"), Kept(), "FAILURE", 1),
    ],
)
def test_what_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, says: Kept, result: str, count: int
) -> None:
    """Not what was taken in part, and not what met a bug; what the disk refused, it is."""
    monkeypatch.setattr(receiver, "RETRY_AFTER_S", 1)
    keeping = Counted()
    keeping.error, keeping.says = error, says
    with receiving(keeping, keeping.told) as address:
        exporter = trace_exporter.OTLPSpanExporter(f"{address}/v1/traces", headers=HEADERS)
        with tracing(exporter) as provider:
            span = provider.get_tracer("shop").start_span("chat", attributes=CHAT)
            assert exporter.export([span]) is SpanExportResult[result]
            assert keeping.count == count


def test_a_wrong_token_is_not_tried_again() -> None:
    """The exporter says that it failed, and nothing was kept."""
    keeping = Counted()
    with receiving(keeping, keeping.told) as address:
        wrong = {"Authorization": "Bearer other"}
        exporter = trace_exporter.OTLPSpanExporter(f"{address}/v1/traces", headers=wrong)
        with tracing(exporter) as provider:
            span = provider.get_tracer("shop").start_span("chat", attributes=CHAT)
            assert exporter.export([span]) is SpanExportResult.FAILURE
    assert keeping.count == 0
