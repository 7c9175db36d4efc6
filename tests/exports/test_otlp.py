from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from m31a_metrics import genai
from m31a_metrics.deliveries import Deliveries
from m31a_metrics.errors import ConfigError, NotDelivered
from m31a_metrics.events import Event, LLMInteraction, PhaseDuration, PhaseTransition, ToolCall
from m31a_metrics.exports import otlp
from m31a_metrics.exports.otlp import Receiver, places
from m31a_metrics.exports.otlp.sending import BATCH, Sender
from m31a_metrics.model import Usage
from m31a_metrics.spans import ENDED_AFTER_US, Trace
from tests.exports.receiver import PROTOBUF, Answer, Scripted, attributes, listening
from tests.traced import of_events

_S = 1_000_000
_AT = 1_750_000_000 * _S
ENDED_US = _AT + 100_000 * _S + ENDED_AFTER_US


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A receiver, of which nobody waits longer than a test may take."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.4")
    with listening() as scripted:
        yield scripted


class Exporting:
    """Sends sessions to a receiver, and remembers across runs."""

    def __init__(self, path: Path, to: Scripted) -> None:
        self.path = str(path / "exports" / "one.jsonl")
        self.to = to
        self.waited: list[float] = []

    def send(
        self, events: list[Event], now_us: int = ENDED_US, *, mark: str = "", metrics: bool = False
    ) -> Sender:
        """One run; what it raises is raised."""
        sent = Deliveries(self.path, self.to.url, _AT)
        receiver = Receiver(places(self.to.url, {}), "1.0", sent.head.instance)
        try:
            sender = Sender(receiver, sent, self.waited.append)
            sender.send(Trace(of_events(events)), mark, now_us)
            if metrics:
                sender.send_metrics(now_us)
        finally:
            receiver.close()
            sent.close()
        return sender


@pytest.fixture
def exporting(tmp_path: Path, receiver: Scripted) -> Exporting:
    return Exporting(tmp_path, receiver)


def calls(count: int, since_s: int = 1) -> list[Event]:
    """So many calls, a second after another."""
    return [
        ToolCall(_AT + at * _S, "Bash", at % 7 > 0, 500, id=f"c{at}")
        for at in range(since_s, since_s + count)
    ]


def ids(receiver: Scripted) -> list[bytes]:
    return [span.span_id for span in receiver.spans]


def test_each_field_of_a_span_arrives(exporting: Exporting) -> None:
    """Ids, times, kind, status and attributes are what the session is; none stands twice."""
    events: list[Event] = [
        PhaseTransition(t_us=_AT, phase="verify"),
        LLMInteraction(
            _AT + 2 * _S, "verify", Usage(1_000, 50), model="claude-x", duration_ms=1_500, id="m"
        ),
        ToolCall(_AT + 9 * _S, "größer", False, 2_000, error="exit code <n>", id="c"),
        PhaseDuration(t_us=_AT + 10 * _S, phase="verify", duration_ms=10_000, success=False),
    ]
    exporting.send(events)
    answer, call, phase, session = exporting.to.spans
    assert {span.trace_id for span in exporting.to.spans} == {
        Trace(of_events(events)).id.to_bytes(16, "big")
    }
    assert (session.name, session.parent_span_id) == ("invoke_agent m31a", b"")
    assert phase.parent_span_id == session.span_id
    assert (answer.parent_span_id, call.parent_span_id) == (phase.span_id, phase.span_id)
    assert (answer.kind, call.kind) == (3, 1)  # client, internal
    assert answer.end_time_unix_nano - answer.start_time_unix_nano == 1_500_000_000
    assert (call.start_time_unix_nano, call.end_time_unix_nano) == (
        (_AT + 7 * _S) * 1000,
        (_AT + 9 * _S) * 1000,
    )
    assert (call.name, call.status.code, call.status.message) == (
        "execute_tool größer",
        2,
        "exit code <n>",
    )
    assert attributes(answer)[genai.INPUT_TOKENS] == 1_000
    assert attributes(answer)[genai.COST] == 0.25
    resource = exporting.to.resources[0]
    assert (resource["service.name"], "m31a.project" in resource) == ("m31a", False)


def test_the_next_run_goes_on_where_the_last_one_stopped(exporting: Exporting) -> None:
    """What was sent is not sent again; of a session that ended once more only what is new."""
    exporting.send(calls(10))
    exporting.send(calls(10))
    first = ids(exporting.to)
    assert len(set(first)) == 11
    assert len(first) == 12  # the session itself once more, for nobody asked whether it changed
    more = [*calls(10), *calls(5, 90_000)]
    exporting.send(more)
    assert len(set(ids(exporting.to))) == 16


def test_a_session_that_goes_on_is_sent_call_by_call(exporting: Exporting) -> None:
    """Calls at once, each once, and the session itself when nothing happened for an hour."""
    for count in (3, 3, 7, 8):
        exporting.send(calls(count), _AT + 20 * _S)
    assert len(ids(exporting.to)) == 8
    assert {span.name for span in exporting.to.spans} == {"execute_tool Bash"}
    exporting.send(calls(8))
    assert [span.name for span in exporting.to.spans[8:]] == ["invoke_agent m31a"]


def test_a_call_that_comes_late_is_sent_too(exporting: Exporting) -> None:
    """Where the beginning of a session is no longer what was sent, all of it is sent again."""
    exporting.send(calls(10))
    late: list[Event] = [ToolCall(_AT + 5 * _S + 1, "Edit", True, 1, id="late"), *calls(10)]
    exporting.send(sorted(late, key=lambda event: event.t_us))
    exporting.send(sorted(late, key=lambda event: event.t_us))
    sent = ids(exporting.to)
    assert len(set(sent)) == 12
    assert len(sent) == 11 + 12 + 1
    (edit,) = (span for span in exporting.to.spans if span.name == "execute_tool Edit")
    assert edit.trace_id == exporting.to.spans[0].trace_id


def test_spans_go_out_some_hundreds_at_a_time(exporting: Exporting) -> None:
    """No request has more than BATCH of them, and a long session is sent whole."""
    sender = exporting.send(calls(2 * BATCH + 3))
    assert [len(one) for one in _batches(exporting.to)] == [BATCH, BATCH, 3, 1]
    assert sender.tally.spans == 2 * BATCH + 4


def _batches(receiver: Scripted) -> list[list[bytes]]:
    found = []
    for one in receiver.taken:
        alone = Scripted("")
        alone.taken = [one]
        found.append(ids(alone))
    return found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(0), "no connection"),
        (Answer(400), "answered 400"),
        (Answer(401), "answered 401"),
        (Answer(404), "answered 404"),
        (Answer(302, {"Location": "/login"}), "answered 302"),
        (Answer(503), "answered 503"),
        (Answer(429, {"Retry-After": "3600"}), "answered 429"),
        (Answer(200, {"Content-Type": "text/html"}, b"<html>"), "answered with a page"),
    ],
)
def test_nothing_is_lost_where_a_receiver_does_not_take_it(
    exporting: Exporting, answer: Answer, words: str
) -> None:
    """The batch that was not taken, and all after it, are sent by the next run; one says why."""
    events = calls(BATCH + 10)
    exporting.to.answers = [Answer(), *[answer] * 9]
    with pytest.raises(NotDelivered, match=words) as raised:
        exporting.send(events)
    assert "\n" not in str(raised.value)
    exporting.to.answers, exporting.to.taken = [], exporting.to.taken[:1]
    exporting.send(events)
    sent = ids(exporting.to)
    assert len(sent) == len(set(sent)) == BATCH + 11


def test_a_receiver_that_is_away_loses_nothing(tmp_path: Path, receiver: Scripted) -> None:
    """Where nobody listens, the reason is the system's, and the next run sends it."""
    gone = Exporting(tmp_path, Scripted("http://127.0.0.1:1"))
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1:1/v1/traces: connection refused"):
        gone.send(calls(3))
    gone.to = receiver
    gone.send(calls(3))
    assert len(ids(receiver)) == 4


def test_a_slow_receiver_is_not_waited_for_for_ever(
    exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request takes no longer than OTEL_EXPORTER_OTLP_TIMEOUT, and is sent again later."""
    take = exporting.to.take

    def slowly(asked: object) -> Answer:
        monkeypatch.undo()
        waiting.wait(2)
        return take(asked)  # type: ignore[arg-type]  # what it is called with

    from threading import Event as Waiting

    waiting = Waiting()
    monkeypatch.setattr(exporting.to, "take", slowly)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    with pytest.raises(NotDelivered, match="no answer in time"):
        exporting.send(calls(1))
    waiting.set()


def test_when_to_try_again_is_obeyed(exporting: Exporting) -> None:
    """Of a receiver that says when, the same batch is sent then, and not by the next run."""
    busy = Answer(429, {"Retry-After": "7"})
    exporting.to.answers = [busy, Answer(503, {"Retry-After": "2"})]
    exporting.send(calls(3))
    assert exporting.waited == [7.0, 2.0]
    assert len(ids(exporting.to)) == 4


def test_what_is_too_large_is_sent_in_parts(exporting: Exporting) -> None:
    """A receiver that takes no large requests gets small ones."""
    exporting.to.answers = [Answer(413), Answer(), Answer(413)]
    exporting.send(calls(8))
    assert len(ids(exporting.to)) == 9
    assert [len(one) for one in _batches(exporting.to)] == [4, 2, 2, 1]


@pytest.mark.parametrize("is_json", [False, True])
def test_what_a_receiver_rejects_is_told_and_not_sent_again(
    exporting: Exporting, is_json: bool
) -> None:
    """By its protocol it would reject them each time: how many and why is said."""
    told = ExportTraceServiceResponse()
    told.partial_success.rejected_spans = 2
    told.partial_success.error_message = "too old"
    answer = Answer(200, PROTOBUF, told.SerializeToString())
    if is_json:
        body = b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}'
        answer = Answer(200, {"Content-Type": "application/json"}, body)
    exporting.to.answers = [answer]
    sender = exporting.send(calls(3))
    assert (sender.tally.rejected, sender.tally.words) == (2, "too old")
    count = len(ids(exporting.to))
    exporting.send(calls(3))
    assert [span.name for span in exporting.to.spans[count:]] == ["invoke_agent m31a"]


def test_metrics_are_sums_of_all_that_was_sent(exporting: Exporting) -> None:
    """They add up over runs, from the first one on; what is sent once more counts once."""
    exporting.send(calls(3), metrics=True)
    exporting.send(calls(5), ENDED_US + _S, metrics=True)
    durations = exporting.to.metrics["gen_ai.execute_tool.duration"]
    assert (durations.unit, durations.histogram.aggregation_temporality) == ("s", 2)
    (point,) = durations.histogram.data_points
    assert (point.count, point.sum, sum(point.bucket_counts)) == (5, 2.5, 5)
    assert list(point.explicit_bounds) == list(genai.TOOL_DURATION.bounds)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (
        _AT * 1000,
        (ENDED_US + _S) * 1000,
    )
    assert attributes(point)["gen_ai.tool.name"] == "Bash"
    (sessions,) = exporting.to.metrics["gen_ai.invoke_agent.duration"].histogram.data_points
    assert sessions.count == 1


def test_a_receiver_without_metrics_gets_spans(exporting: Exporting) -> None:
    """Who has no place for metrics is no failure, and any other refusal is."""
    exporting.send(calls(3))
    exporting.to.answers = [Answer(), Answer(404)]
    exporting.send(calls(3), metrics=True)
    exporting.to.answers = [Answer(), Answer(400)]
    with pytest.raises(NotDelivered, match="v1/metrics answered 400"):
        exporting.send(calls(3), metrics=True)


def test_names_and_figures_that_protobuf_cannot_hold_are_sent_all_the_same(
    exporting: Exporting,
) -> None:
    """A lone surrogate or a sum beyond 64 bits would have the whole batch refused."""
    traced = of_events([ToolCall(_AT, "a\udc80b", False, 1, error="c\udc80")])
    traced.row.total_tokens, traced.row.labels = 2**70, {"k": "\udc80"}
    sent = Deliveries(exporting.path, "", _AT)
    receiver = Receiver(places(exporting.to.url, {}), "1.0", "one")
    Sender(receiver, sent, exporting.waited.append).send(Trace(traced), "", ENDED_US)
    sent.close()
    receiver.close()
    call, session = exporting.to.spans
    assert (call.name, call.status.message) == ("execute_tool a?b", "c?")
    assert attributes(session)[genai.SESSION_TOKENS] == 2**63 - 1


def test_the_standard_variables_hold(exporting: Exporting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers, compression, the service's name and attributes of the resource."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20me")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "agents")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=i,team=web")
    otlp._envelope.cache_clear()
    exporting.send(calls(3))
    otlp._envelope.cache_clear()
    headers = exporting.to.asked[0].headers
    assert (headers["authorization"], headers["content-encoding"]) == ("Bearer me", "gzip")
    resource = exporting.to.resources[0]
    assert (resource["service.name"], resource["team"]) == ("agents", "web")
    assert resource["service.instance.id"] == "i"


@pytest.mark.parametrize(
    ("endpoint", "environ", "traces", "metrics"),
    [
        (None, {}, "http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"),
        ("https://a:1/x/", {}, "https://a:1/x/v1/traces", "https://a:1/x/v1/metrics"),
        ("http://a/v1/traces", {}, "http://a/v1/traces", "http://a/v1/metrics"),
        (
            None,
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t",
            },
            "http://c/t",
            "http://b/v1/metrics",
        ),
    ],
)
def test_where_to_send_is_as_the_variables_have_it(
    endpoint: str | None, environ: dict[str, str], traces: str, metrics: str
) -> None:
    """A base gets the paths of both signals; an address of one signal is taken as it is."""
    assert places(endpoint, environ) == (traces, metrics)


@pytest.mark.parametrize(
    ("endpoint", "environ", "words"),
    [
        ("localhost:4318", {}, "no address"),
        ("ftp://a", {}, "no address"),
        ("http://a:port", {}, "no address"),
        (None, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "TRACES_PROTOCOL"),
    ],
)
def test_what_cannot_be_sent_to_is_refused(
    endpoint: str | None, environ: dict[str, str], words: str
) -> None:
    """Before anything is read: an address that is none, a protocol that is not spoken here."""
    with pytest.raises(ConfigError, match=words):
        places(endpoint, environ)


def test_a_password_in_an_address_is_not_shown() -> None:
    """Sentences and files name the place, not what lets in."""
    assert otlp.shown("https://me:secret@a:1/v1/traces") == "https://a:1/v1/traces"
