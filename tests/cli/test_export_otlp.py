"""`m31 export otlp`: what it says and returns, and what a receiver has then."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m31a_metrics.cli.export import otlp
from m31a_metrics.events import ToolCall
from m31a_metrics.exports.otlp.sending import BATCH
from m31a_metrics.session import Session
from tests import children, commands, transcripts
from tests.cli.conftest import M31, Uninstall
from tests.exports.receiver import PROTOBUF, Answer, Asked, Scripted, attributes, listening
from tests.transcripts import NOW, ONE, TWO, answer, call, prompt

SECOND = timedelta(seconds=1)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A receiver where the standard variable says."""
    with listening() as scripted:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", scripted.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.4")
        yield scripted


@pytest.fixture
def home(clean_home: Path) -> Path:
    """Two sessions of a day that is long past."""
    transcripts.write(clean_home, ONE, prompt(), answer("a"), *call("b", NOW + SECOND))
    transcripts.write(clean_home, TWO, answer("c", NOW + 3 * SECOND), project="/src/shop")
    return clean_home


def names(receiver: Scripted) -> list[str]:
    return [span.name for span in receiver.spans]


def test_sessions_are_sent_once(m31: M31, home: Path, receiver: Scripted) -> None:
    """All of them and their metrics; the next run has nothing new, and --again begins anew."""
    said = m31("export", "otlp")
    assert (said.code, said.out) == (0, "")
    count = len(names(receiver))
    place = f"{receiver.url}/v1/traces"
    assert said.err == f"m31: sent {count} spans of 2 sessions to {place}\n"
    assert len({span.trace_id for span in receiver.spans}) == 2
    assert "gen_ai.client.token.usage" in receiver.metrics
    assert m31("export", "otlp").err == f"m31: sent 0 spans of 0 sessions to {place}\n"
    ids = {span.span_id for span in receiver.spans}
    counts = _counts(receiver)
    assert m31("export", "otlp", "--again").code == 0
    assert _counts(receiver) == counts
    assert len(names(receiver)) == 2 * count
    assert {span.span_id for span in receiver.spans} == ids


def _counts(receiver: Scripted) -> list[int]:
    """How many values are in all histograms."""
    return [
        point.count
        for metric in receiver.metrics.values()
        for point in metric.histogram.data_points
    ]


def test_a_slice_and_an_endpoint_are_obeyed(m31: M31, home: Path, receiver: Scripted) -> None:
    """Only its sessions go, and each endpoint has them sent for itself."""
    assert m31("export", "otlp", "--project", "shop").code == 0
    assert len({span.trace_id for span in receiver.spans}) == 1
    with listening() as other:
        assert m31("export", "otlp", "--endpoint", other.url).code == 0
        assert len({span.trace_id for span in other.spans}) == 2
    (session,) = (span for span in receiver.spans if span.name.startswith("invoke_agent"))
    assert attributes(session)["m31a.session.project"] == "/src/shop"


def test_a_receiver_that_refuses_is_one_sentence(m31: M31, home: Path, receiver: Scripted) -> None:
    """Exit code 4, what was sent before, and where it goes on; the next run does."""
    receiver.answers = [Answer(), Answer(500)]
    said = m31("export", "otlp")
    assert said.code == 4
    first, last = said.err.splitlines()
    assert first.startswith("m31: sent ")
    assert last.endswith("500 Internal Server Error; nothing is lost, and the same command goes on "
                         "where it stopped")  # fmt: skip
    assert m31("export", "otlp").code == 0
    assert len(names(receiver)) == len({span.span_id for span in receiver.spans})
    assert len([name for name in names(receiver) if name.startswith("invoke_agent")]) == 2


def test_what_is_rejected_is_told(m31: M31, home: Path, receiver: Scripted) -> None:
    """Exit code 1: the receiver has all but those that it did not want."""
    body = b"\x0a\x0b\x08\x02\x12\x07too old"  # partial_success: 2 spans, and why
    receiver.answers = [Answer(200, PROTOBUF, body)]
    said = m31("export", "otlp")
    assert said.code == 1
    assert said.err.endswith("rejected 2 of them: too old\n")


def test_metrics_may_be_left_out(
    m31: M31, home: Path, receiver: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the standard variable; a receiver that takes none is told, and no failure."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert m31("export", "otlp").code == 0
    assert {one.path for one in receiver.asked} == {"/v1/traces"}
    monkeypatch.delenv("OTEL_METRICS_EXPORTER")
    receiver.answers = [Answer(405)]
    said = m31("export", "otlp")
    assert said.code == 0
    assert "no metrics were sent, for" in said.err


def test_a_session_that_is_gone_is_left_out(m31: M31, home: Path, receiver: Scripted) -> None:
    """The index still has its sums, and no events that could be sent."""
    assert m31("sessions").code == 0
    next(home.rglob(f"{ONE}.jsonl")).unlink()
    said = m31("export", "otlp")
    assert said.code == 0
    assert "1 session left out: the files are gone" in said.err
    assert "of 1 session to" in said.err


def test_wrong_usage_is_refused_before_anything_is_sent(
    m31: M31, home: Path, receiver: Scripted
) -> None:
    """An address that is none, an agent that nobody knows, one that keeps others' sessions."""
    assert m31("export", "otlp", "--endpoint", "collector:4318").code == 4
    for agent in ("clod-code", "entire"):
        assert m31("export", "otlp", "--agent", agent).code == 2
    assert receiver.asked == []


def test_without_the_extra_its_install_line_is_printed(
    m31: M31, uninstall: Uninstall, home: Path
) -> None:
    """Nothing of OpenTelemetry is there: one sentence, exit code 4."""
    uninstall("m31a_metrics.exports.otlp", "opentelemetry")
    said = m31("export", "otlp")
    assert said.code == 4
    assert "pip install 'm31a-metrics[otel]'" in said.err


def test_nobodys_text_is_sent(m31: M31, clean_home: Path, receiver: Scripted) -> None:
    """Not of a prompt, an answer, a command, a path, what a tool printed or how it failed."""
    use, result = call("a", NOW, tool="Bash")
    use["message"]["content"][0]["input"] = {
        "command": "cat /secret-path/secret-file --token=secret-argument",
        "description": "secret-purpose",
    }
    part = result["message"]["content"][0]
    part |= {"is_error": True, "content": "Exit code 1\nValueError: secret-output of secret-line"}
    asked, told = prompt(), answer("b", NOW + SECOND)
    asked["message"]["content"] = "secret-prompt"
    told["message"]["content"] = [{"type": "text", "text": "secret-answer"}]
    transcripts.write(clean_home, ONE, asked, use, result, told)
    assert m31("export", "otlp").code == 0
    (failed,) = (span for span in receiver.spans if span.name == "execute_tool Bash")
    assert "ValueError" in failed.status.message
    assert not [one.path for one in receiver.asked if b"secret" in one.body]


def test_a_run_that_is_killed_loses_nothing(clean_home: Path, receiver: Scripted) -> None:
    """What it had in its hand is sent once more, and nothing else."""
    session = Session(str(clean_home / ".m31a" / "sessions"), "long")
    session.append([ToolCall(at, "Bash", True, 1, id=str(at)) for at in range(1, 2 * BATCH + 10)])
    take, arrived = receiver.take, threading.Event()

    def stall(asked: Asked) -> Answer:
        answer = take(asked)
        if len(receiver.asked) == 2:
            arrived.set()
            ended.wait(children.PATIENCE_S)
        return answer

    ended = threading.Event()
    receiver.take = stall  # type: ignore[method-assign] # of this one alone
    environ = commands.environment(OTEL_EXPORTER_OTLP_TIMEOUT="30")
    with open(os.devnull, "w") as nowhere:
        pid = commands.fork(["export", "otlp"], environ, nowhere.fileno(), nowhere.fileno())
        assert arrived.wait(children.PATIENCE_S)
        os.kill(pid, signal.SIGKILL)
        children.wait(pid)
    ended.set()
    receiver.take = take  # type: ignore[method-assign] # as it was
    assert commands.m31("export", "otlp").returncode == 0
    sent = [span.span_id for span in receiver.spans]
    assert len(set(sent)) == 2 * BATCH + 10
    assert len(sent) == 3 * BATCH + 10


@pytest.fixture
def following(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Let things happen between the looks of --follow, then Ctrl-C."""

    def prepare(*happenings: Callable[[], object]) -> list[float]:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) > len(happenings):
                raise KeyboardInterrupt
            happenings[len(slept) - 1]()

        monkeypatch.setattr(otlp, "sleep", sleep)
        return slept

    return prepare


def test_what_happens_is_sent_as_it_does(
    m31: M31,
    clean_home: Path,
    receiver: Scripted,
    following: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Calls at once, the latest answer when it is complete, the session when it has ended."""
    began = datetime.now(UTC) - timedelta(minutes=5)
    lines = [prompt(began), *call("a", began + SECOND)]
    transcripts.write(clean_home, ONE, *lines)
    counts: list[int] = []

    def grow() -> None:
        counts.append(len(receiver.spans))
        transcripts.write(clean_home, ONE, *lines, *call("b", began + 60 * SECOND, tool="Write"))

    def an_hour_later() -> None:
        counts.append(len(receiver.spans))
        later_ns = int((began + timedelta(hours=2)).timestamp() * 1e9)
        monkeypatch.setattr(otlp, "time_ns", lambda: later_ns)

    following(grow, an_hour_later)
    said = m31("export", "otlp", "--follow")
    assert said.code == 0
    assert counts == [1, 3]
    sent = names(receiver)
    assert sent[0] == "execute_tool Edit"
    assert sorted(sent[1:3]) == ["chat claude-sonnet-4-5-20250929", "execute_tool Write"]
    assert sent[-1] == "invoke_agent claude-code"
    assert len(receiver.spans) == len({span.span_id for span in receiver.spans})
    parents = {span.parent_span_id for span in receiver.spans}
    assert parents - {span.span_id for span in receiver.spans} == {b""}


def test_a_receiver_that_comes_back_gets_what_it_missed(
    m31: M31, home: Path, receiver: Scripted, following: Callable[..., list[float]]
) -> None:
    """It is left alone for longer each time, one sentence says why, and nothing is lost."""
    receiver.answers = [Answer(500)] * 3
    slept = following(*[lambda: None] * 4)
    said = m31("export", "otlp", "--follow")
    assert said.code == 0
    assert slept == [20.0, 40.0, 80.0, 10.0, 10.0]
    assert said.err.count("500 Internal Server Error") == 1
    assert len([name for name in names(receiver) if name.startswith("invoke_agent")]) == 2
