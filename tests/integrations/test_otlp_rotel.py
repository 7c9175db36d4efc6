"""A real receiver of OTLP gets each field of each span, and the metrics."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from m31a_metrics import config, genai
from m31a_metrics.answers import Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.outgoing import Outgoing
from m31a_metrics.spans import Span, Trace
from tests import transcripts
from tests.cli import machine
from tests.commands import m31
from tests.integrations.servers import answers, free_port, running, wait_for
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt

pytestmark = pytest.mark.integrations

PATIENCE_S = 60.0
_MINUTE = timedelta(minutes=1)


class Rotel(NamedTuple):
    """A receiver: where it is, and the file in which it writes down what it gets."""

    url: str
    log: Path

    def blocks(self, beginning: str) -> list[str]:
        """What it wrote of each thing that begins so."""
        text = self.log.read_text()
        return re.split(rf"^{beginning} #\d+\n", text, flags=re.MULTILINE)[1:]


@pytest.fixture
def rotel(tmp_path: Path) -> Iterator[Rotel]:
    """Run rotel, or skip."""
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        pytest.skip(
            "optional: needs rotel (pip install --pre rotel), which is there for Linux alone"
        )
    http, grpc = free_port(), free_port()
    command = [
        str(Path(found.origin).parent / "rotel-agent"),
        *("start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"),
        *("--debug-log", "traces", "--debug-log", "metrics"),
        *("--otlp-http-endpoint", f"127.0.0.1:{http}"),
        *("--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"),
    ]
    url = f"http://127.0.0.1:{http}"
    with running(command, tmp_path / "rotel.log", {}):
        wait_for(lambda: answers(url), PATIENCE_S, "rotel")
        yield Rotel(url, tmp_path / "rotel.log")


def expected(home: Path) -> dict[str, tuple[str, Span]]:
    """All spans of this home's sessions by their ids, each with that of its trace."""
    settings, environ = config.defaults(), {"HOME": str(home)}
    found = {}
    with ask(settings, environ) as index:
        out = Outgoing(index, settings, environ)
        for row in out.rows(Slice()):
            trace = Trace(out.traced(row, has_ended=True))
            for span in (*trace.calls(), *trace.whole()):
                found[f"{span.id:016x}"] = (f"{trace.id:032x}", span)
    return found


_FIELD = re.compile(r"^\s*([A-Z][\w ]+?)\s*: (.*)$", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^\s+-> ([\w.]+): (Str|Int|Double|Bool)\((.*)\)$", re.MULTILINE)
_READ: dict[str, Any] = {"Str": str, "Int": int, "Double": float, "Bool": "true".__eq__}


def attributes(block: str) -> dict[str, Any]:
    """The attributes that a block holds."""
    return {name: _READ[kind](text) for name, kind, text in _ATTRIBUTE.findall(block)}


def write_sessions(home: Path) -> None:
    """Sessions of another agent, and recorded ones, with all that spans may have."""
    transcripts.write(
        home,
        ONE,
        prompt(NOW),
        answer("a", NOW),
        *call("b", NOW + _MINUTE, ran_s=2.5),
        *call("c", NOW + 2 * _MINUTE, tool="Write"),
    )
    transcripts.write(home, TWO, prompt(NOW), answer("d", NOW + 3 * _MINUTE))
    machine.record(home / ".m31a" / "sessions")


def test_each_field_arrives(clean_home: Path, rotel: Rotel) -> None:
    """Trace, span and parent, name, kind, status, times, every attribute; and nothing else."""
    write_sessions(clean_home)
    spans = expected(clean_home)
    done = m31("export", "otlp", "--endpoint", rotel.url)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(rotel.blocks("Span")) >= len(spans), PATIENCE_S, "spans")
    met = set()
    for text in rotel.blocks("Span"):
        block = text.partition("ResourceSpans #")[0].partition("ResourceMetrics #")[0]
        fields = dict(_FIELD.findall(block.partition("Attributes:")[0]))
        trace, span = spans[fields["ID"]]
        met.add(fields["ID"])
        assert fields["Trace ID"] == trace
        assert fields["Parent ID"] == (f"{span.parent:016x}" if span.parent else "")
        assert fields["Name"] == span.name
        assert fields["Kind"] == f"SPAN_KIND_{'CLIENT' if span.is_client else 'INTERNAL'}"
        assert fields["Status code"] == (
            "STATUS_CODE_UNSET" if span.error is None else "STATUS_CODE_ERROR"
        )
        assert fields["Status message"] == (span.error or "")
        assert (int(fields["Start time"]), int(fields["End time"])) == (
            span.began_ns,
            span.ended_ns,
        )
        assert attributes(block) == span.attributes
    assert met == set(spans)


def test_metrics_arrive(clean_home: Path, rotel: Rotel) -> None:
    """Names, units, kinds and sums are those of the spans; histograms have their buckets."""
    write_sessions(clean_home)
    spans = [span for _, span in expected(clean_home).values()]
    done = m31("export", "otlp", "--endpoint", rotel.url)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: bool(rotel.blocks("Metric")), PATIENCE_S, "metrics")
    met = {}
    for text in rotel.blocks("Metric"):
        (name,) = re.findall(r"-> Name: (\S+)", text)
        (unit,) = re.findall(r"-> Unit: (\S+)", text)
        metric = genai.METRICS[name]
        assert unit == metric.unit
        assert "AGGREGATION_TEMPORALITY_CUMULATIVE" in text
        assert f"DataType: {metric.kind.value.capitalize()}" in text
        sums = re.findall(r"^(?:Sum|Value): (\S+)$", text, re.MULTILINE)
        met[name] = sum(map(float, sums))
        counts = re.findall(r"^Buckets #\d+, Count: (\d+)$", text, re.MULTILINE)
        if metric.bounds:
            assert sum(map(int, counts)) == sum(
                map(int, re.findall(r"^Count: (\d+)$", text, re.MULTILINE))
            )
            bounds = re.findall(r"^ExplicitBounds #\d+: (\S+)$", text, re.MULTILINE)
            assert set(map(float, bounds)) == set(metric.bounds)
    answered = [span.attributes for span in spans if span.is_client]
    cost_usd = sum(float(one.get(genai.COST, 0)) for one in answered)
    assert met["m31a.cost"] == pytest.approx(cost_usd)
    kinds = (genai.INPUT_TOKENS, genai.OUTPUT_TOKENS)
    tokens = sum(int(one.get(kind, 0)) for one in answered for kind in kinds)
    assert met["gen_ai.client.token.usage"] == tokens
    assert "gen_ai.execute_tool.duration" in met
