"""The forms that a request may have: by the specification, and as senders write it."""

from __future__ import annotations

import json
import sys

import pytest

from m31a_metrics.errors import ExtraNotInstalled
from m31a_metrics.events import LLMInteraction
from m31a_metrics.live.otlp import decoding
from m31a_metrics.live.otlp.decoding import JSON, PROTOBUF, Undecodable
from m31a_metrics.live.otlp.telling import told
from tests.live.otlp.sent import request, span

SAID = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 60,
}


def test_whole_numbers_come_as_numbers_or_as_strings() -> None:
    """Senders differ, in times too, and write enums by their names now and then."""
    text = json.dumps(request([span("chat", SAID)])[1])
    assert '"intValue": "1200"' in text
    as_numbers = text.replace('"1200"', "1200").replace('"60"', "60")
    expected = told("traces", text.encode(), JSON)
    assert told("traces", as_numbers.encode(), JSON) == expected
    (some,) = expected.sessions.values()
    assert isinstance(some[1], LLMInteraction)
    assert (some[1].usage.prompt_tokens, some[1].usage.completion_tokens) == (1200, 60)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9007199254740993", -(2**53) - 1),
        ("1e3", 1000.0),
        ("-0.5", -0.5),
        ("--5", None),
        ("-", None),
    ],
)
def test_a_figure_keeps_all_its_digits(written: str, meant: float | None) -> None:
    """A float would round what a 64-bit integer holds, a negative one too."""
    assert decoding.number(written) == meant


def test_fields_may_be_absent_null_or_unknown() -> None:
    """JSON's null is no value; what a later version adds is passed over."""
    sent = request([span("chat", SAID) | {"links": None, "status": None, "flags": 257}])[1]
    sent["resourceSpans"][0]["schemaUrl"] = {"a": [1, {"b": 2}]}
    sent["resourceSpans"].append({"resource": None, "scopeSpans": None})
    sent["resourceSpans"].append({"scopeSpans": [{"scope": None, "spans": None}]})
    found = told("traces", json.dumps(sent).encode(), JSON)
    assert (len(found.sessions), found.rejected) == (1, 0)


def test_half_a_pair_of_surrogates_loses_no_request() -> None:
    """Who cuts a text at so many units leaves one behind: the request counts all the same."""
    text = json.dumps(request([span("chat", SAID | {"prompt": "cut here: \ud83d"})])[1])
    assert "\\ud83d" in text
    assert len(told("traces", text.encode(), JSON).sessions) == 1


@pytest.mark.parametrize("signal", ["logs", "traces", "metrics"])
def test_an_empty_request_is_one(signal: str) -> None:
    """It tells of nothing, and is a success."""
    pytest.importorskip("opentelemetry.proto", reason="needs the extra `otel`")
    assert told(signal, b"", PROTOBUF) == told(signal, b"{}", JSON) == ({}, 0, "")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"resourceSpans":1}', b"[" * 100_000])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """In one sentence, without a word of the body."""
    with pytest.raises(Undecodable, match="^the body is no traces request of OTLP in JSON$"):
        told("traces", body, JSON)


def test_text_that_is_no_utf_8_is_refused() -> None:
    """Protobuf's strings are UTF-8, and so is JSON."""
    pytest.importorskip("opentelemetry.proto", reason="needs the extra `otel`")
    for body, kind in (
        (b'{"resourceSpans":[{"a":"\xff"}]', JSON),
        (b"\x0a\x04\x12\x02\x0a\xff", PROTOBUF),
    ):
        with pytest.raises(Undecodable):
            told("traces", body, kind)


def test_protobuf_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not installed it is told how, and JSON is read all the same."""
    decoding._messages.cache_clear()
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.logs.v1", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.logs.v1.logs_service_pb2", None)
    with pytest.raises(ExtraNotInstalled, match="needs the extra `otel`"):
        told("logs", b"", PROTOBUF)
    assert told("logs", b"{}", JSON).sessions == {}


def test_another_type_of_content_is_refused() -> None:
    """So is a signal that there is not."""
    with pytest.raises(Undecodable, match="text/plain is neither"):
        told("logs", b"{}", "text/plain")
    with pytest.raises(Undecodable, match="profiles is no signal"):
        told("profiles", b"{}", JSON)


def test_metrics_say_nothing_that_counts() -> None:
    """They repeat what logs and spans say: they are accepted and dropped."""
    point = {"asDouble": 9_215, "timeUnixNano": "1", "attributes": []}
    metric = {"name": "claude_code.token.usage", "sum": {"dataPoints": [point]}}
    sent = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    assert told("metrics", json.dumps(sent).encode(), JSON) == ({}, 0, "")
