"""OpenTelemetry's own exporters of JavaScript as senders: `make agents` installs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from m31a_metrics.live.otlp import receiver
from m31a_metrics.live.otlp.receiver import Kept
from tests.live.otlp.serving import TOKEN, receiving
from tests.live.otlp.test_receiver import Keeping

pytestmark = pytest.mark.agents

PACKAGES = (
    "@opentelemetry/sdk-trace-base@2.12.1",
    "@opentelemetry/exporter-trace-otlp-proto@0.223.1",
    "@opentelemetry/exporter-trace-otlp-http@0.223.1",
)
COUNT = 20_000
PROGRAM = """
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const [kind, url, token, count, compression] = process.argv.slice(2);
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-' + kind);
const headers = { Authorization: 'Bearer ' + token };
const exporter = new OTLPTraceExporter({ url, headers, compression, concurrencyLimit: 99 });
const processor = new BatchSpanProcessor(exporter, { maxQueueSize: 65536 });
const provider = new BasicTracerProvider({ spanProcessors: [processor] });
const tracer = provider.getTracer('shop');
for (let number = 0; number < Number(count); number++) {
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.conversation.id': 'one',
    'gen_ai.response.id': 'r' + number,
    'gen_ai.usage.input_tokens': 10,
    'gen_ai.usage.output_tokens': 5,
  };
  tracer.startSpan('chat', { attributes }).end();
}
provider.shutdown();
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that sends spans with them, where they are installed."""
    modules = Path(os.environ.get("M31_AGENTS", ".agents")).resolve() / "node_modules"
    if not (modules / "@opentelemetry/exporter-trace-otlp-proto").is_dir():
        pytest.skip(f"optional: npm install --prefix .agents {' '.join(PACKAGES)}")
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "send.js").write_text(PROGRAM)
    return tmp_path / "send.js"


def send(program: Path, address: str, kind: str, count: int, token: str = TOKEN) -> str:
    """Send so many spans; what the program said."""
    compression = "gzip" if kind == "proto" else "none"
    url = f"{address}/v1/traces"
    done = subprocess.run(
        ["node", program, kind, url, token, str(count), compression],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["proto", "http"])
def test_a_burst_arrives_whole(program: Path, kind: str) -> None:
    """20,000 spans as protobuf with gzip, and as JSON: each arrives once."""
    keeping = Keeping()
    with receiving(keeping, keeping.told) as address:
        said = send(program, address, kind, COUNT)
    ids = [one.id for _, one, _ in keeping.kept if getattr(one, "usage", None) is not None]
    assert (len(set(ids)), len(ids)) == (COUNT, COUNT), said
    assert keeping.told == []
    assert {is_verified for _, _, is_verified in keeping.kept} == {True}


def test_what_is_refused_is_said_to_it(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token, and a request of which a part was not kept: neither is sent again."""
    monkeypatch.setattr(receiver, "RETRY_AFTER_S", 1)
    keeping = Keeping()
    with receiving(keeping, keeping.told) as address:
        send(program, address, "http", 1, "other")
        assert keeping.kept == []
        keeping.says = Kept(1, "not this")
        send(program, address, "http", 1)
    assert sum(getattr(one, "usage", None) is not None for _, one, _ in keeping.kept) == 1
