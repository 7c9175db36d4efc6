"""`m31 record`: one event from any shell or language, and many at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import time_ns

import pytest

from m31a_metrics import Collector, SessionMetrics, Usage, events, load
from m31a_metrics.cli import main
from m31a_metrics.codec import decode
from m31a_metrics.session import Session
from tests.children import PATIENCE_S
from tests.commands import M31, environment, recorded

ID = "s"

Record = Callable[..., tuple[int, str]]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Record:
    """Call `m31 record` in this process; the exit code and what it said."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["m31", "record", *arguments])
        code = main()
        said = capsys.readouterr()
        assert said.out == ""
        return code, said.err

    return call


@pytest.fixture
def one(record: Record, clean_home: Path) -> Callable[..., events.Event]:
    """Record in a session that is there; the event that was written."""
    Session(str(clean_home / ".m31a" / "sessions"), ID).append([])

    def call(kind: str, *arguments: str) -> events.Event:
        assert record(kind, "--session", ID, "--at", "7", *arguments) == (0, "")
        assert Session(str(clean_home / ".m31a" / "sessions"), ID).is_current()
        return recorded(clean_home, ID)[-1]

    return call


T = 7_000_000
LLM = ("llm", "plan", "--prompt-tokens", "90", "--completion-tokens", "10")


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("tool Bash", events.ToolCall(T, "Bash", True, 0)),
        ("tool Bash --duration-ms 12", events.ToolCall(T, "Bash", True, 12)),
        ("tool Bash --duration-ms 1.5 --failed", events.ToolCall(T, "Bash", False, 1.5)),
        ("tool Bash --wait-ms 9", events.ToolCall(T, "Bash", True, 0, 9)),
        ("tool Bash --denied", events.ToolCall(T, "Bash", False, 0, denied=True)),
        ("tool -- -x", events.ToolCall(T, "-x", True, 0)),
        ("tool Bash --id a", events.ToolCall(T, "Bash", True, 0, id="a")),
        ("phase plan", events.PhaseTransition(T, "plan")),
        ("phase plan --duration-ms 5", events.PhaseDuration(T, "plan", 5, True)),
        ("phase plan --duration-ms 0 --failed", events.PhaseDuration(T, "plan", 0, False)),
        ("heal plan", events.HealTrigger(T, "plan")),
        ("heal plan --passed", events.HealOutcome(T, "plan", True)),
        ("heal plan --failed --duration-ms 3", events.HealOutcome(T, "plan", False, 3)),
        ("heal plan --loop", events.HealLoop(T, "plan")),
        ("bisect plan", events.BisectTrigger(T, "plan")),
        ("bisect plan --passed", events.BisectOutcome(T, "plan", True)),
        ("bisect plan --failed", events.BisectOutcome(T, "plan", False)),
        ("edit exact_match", events.EditStrategy(T, "exact_match")),
        ("start --branch main", events.SessionStart(T, branch="main")),
        (
            "start --project /src/shop --agent my-bot --label prompt=b --label team=x=y",
            events.SessionStart(
                T, agent="my-bot", project="/src/shop", labels={"prompt": "b", "team": "x=y"}
            ),
        ),
    ],
)
def test_every_kind_of_event(one: Callable[..., events.Event], line: str, event: object) -> None:
    """Each command line writes exactly one event, with its arguments under their names."""
    assert one(*line.split()) == event


def test_every_figure_of_a_models_answer(one: Callable[..., events.Event]) -> None:
    """All of a Usage can be said; a total that is not is the sum, a cost that is not unknown."""
    assert one(*LLM) == events.LLMInteraction(T, "plan", Usage(90, 10))
    given = "--total-tokens 0 --cache-read-tokens 1 --cache-write-5m-tokens 2 "
    given += "--cache-write-1h-tokens 3 --reasoning-tokens 4 --cost 0.25 --model m --duration-ms 8"
    usage = Usage(
        90,
        10,
        0,
        cache_read_tokens=1,
        cache_write_5m_tokens=2,
        cache_write_1h_tokens=3,
        reasoning_tokens=4,
    )
    assert one(*LLM, *given.split()) == events.LLMInteraction(T, "plan", usage, 0.25, "m", 8)


def test_an_error_is_a_failure_without_anyones_text(one: Callable[..., events.Event]) -> None:
    """--error makes the call a failed one, and only its normalised line is written."""
    text = "Traceback ...\nFileNotFoundError: no such file: '/home/alice/secret.txt'\n"
    call = one("tool", "Read", "--error", text)
    assert isinstance(call, events.ToolCall)
    assert not call.success
    assert call.error == "FileNotFoundError: no such file: <text>"
    assert one("tool", "Read", "--error", "") == events.ToolCall(T, "Read", True, 0)


@pytest.mark.parametrize(
    ("time", "t_us"),
    [
        ("1700000000", 1_700_000_000_000_000),
        ("1700000000.123456", 1_700_000_000_123_456),
        ("1700000000.1234567", 1_700_000_000_123_456),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000),
        ("2023-11-15T00:13:20.5+02:00", 1_700_000_000_500_000),
        ("253402300799.999999", 253_402_300_799_999_999),
    ],
)
def test_when_it_happened(record: Record, clean_home: Path, time: str, t_us: int) -> None:
    """Unix seconds and RFC 3339, to the microsecond; a new session starts then."""
    assert record("edit", "x", "--session", ID, "--at", time) == (0, "")
    start, edit = recorded(clean_home, ID)
    assert start == events.SessionStart(t_us)
    assert edit.t_us == t_us


def test_without_a_time_it_is_now(record: Record, clean_home: Path) -> None:
    """The time of an event is the time of the call."""
    before_us = time_ns() // 1000
    assert record("edit", "x", "--session", ID) == (0, "")
    assert before_us <= recorded(clean_home, ID)[-1].t_us <= time_ns() // 1000


def test_an_id_counts_once(record: Record, clean_home: Path) -> None:
    """A caller that is not sure may record again."""
    for _ in range(3):
        assert record("tool", "Bash", "--session", ID, "--id", "toolu_1") == (0, "")
    metrics = load(clean_home / ".m31a" / "sessions", ID)
    assert metrics is not None
    assert metrics.tools[0].call_count == 1


def test_a_negative_duration_counts_as_zero(record: Record, clean_home: Path) -> None:
    """A clock that jumped is no reason to lose the event; it is said."""
    code, said = record("tool", "Bash", "--session", ID, "--duration-ms", "-5")
    assert (code, said.count("\n")) == (0, 1)
    assert "a negative duration (-5) counts as 0" in said
    call = recorded(clean_home, ID)[-1]
    assert isinstance(call, events.ToolCall)
    assert call.duration_ms == 0


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("tool Bash --duration-ms nan", "--duration-ms"),
        ("tool Bash --duration-ms -inf", "--duration-ms"),
        ("tool Bash --duration-ms 1e300", "--duration-ms"),
        ("tool Bash --duration-ms soon", "--duration-ms"),
        ("tool Bash --wait-ms x", "--wait-ms"),
        ("tool ''", "NAME"),
        ("tool", "NAME"),
        ("tool Bash --id ''", "--id"),
        ("tool Bash --at yesterday", "--at"),
        ("tool Bash --at nan", "--at"),
        ("tool Bash --at -1", "--at"),
        ("tool Bash --at 1e30", "--at"),
        ("tool Bash --at 1e999999999", "--at"),
        ("tool Bash --at 2026-01-01T10:00:00", "--at"),
        ("tool Bash --at 9999-12-31T23:59:59-01:00", "--at"),
        ("llm plan --prompt-tokens 1", "--completion-tokens"),
        ("llm plan --prompt-tokens -1 --completion-tokens 1", "--prompt-tokens"),
        ("llm plan --prompt-tokens 1 --completion-tokens 1.5", "--completion-tokens"),
        (f"llm plan --prompt-tokens {2**53 + 1} --completion-tokens 1", "--prompt-tokens"),
        ("llm plan --prompt-tokens 1 --completion-tokens 1 --cost nan", "--cost"),
        ("llm plan --prompt-tokens 1 --completion-tokens 1 --cost -1", "--cost"),
        ("llm plan --prompt-tokens 1 --completion-tokens 1 --model ''", "--model"),
        ("phase plan --failed", "--duration-ms"),
        ("heal plan --duration-ms 5", "--passed or --failed"),
        ("heal plan --loop --passed", "--loop"),
        ("edit ''", "STRATEGY"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_cannot_be_is_refused(record: Record, clean_home: Path, line: str, named: str) -> None:
    """Wrong usage names the option, exits with 2 and records nothing."""
    code, said = record(*(word.strip("'") for word in line.split()), "--session", ID)
    assert code == 2
    assert named in said.splitlines()[-1]
    assert not (clean_home / ".m31a").exists()


def test_the_session_comes_from_the_option_or_the_environment(
    record: Record, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--session goes before M31A_SESSION; without either it is wrong usage."""
    code, said = record("edit", "x")
    assert code == 2
    assert said.splitlines()[-1].endswith("Give --session ID, or set M31A_SESSION.")
    monkeypatch.setenv("M31A_SESSION", "around")
    assert record("edit", "x") == (0, "")
    assert record("edit", "x", "--session", ID) == (0, "")
    assert len(recorded(clean_home, "around")) == len(recorded(clean_home, ID)) == 2


@pytest.mark.parametrize("session_id", ["../x", ".", "a/b"])
def test_an_id_that_could_leave_the_directory_is_refused(
    record: Record, clean_home: Path, monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    """As an option or from the environment: one sentence, exit code 2."""
    code, said = record("edit", "x", "--session", session_id)
    assert (code, said.count("\n")) == (2, 1)
    assert "session id" in said
    monkeypatch.setenv("M31A_SESSION", session_id)
    assert record("edit", "x") == (code, said)
    assert not (clean_home / ".m31a").exists()


def test_what_is_not_recorded_is_said(record: Record, tmp_path: Path) -> None:
    """Trouble with the disk is one sentence and exit code 4."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for session_id, directory in ((ID, tmp_path / "file"), ("link", tmp_path)):
        code, said = record("edit", "x", "--session", session_id, "--sessions-dir", str(directory))
        assert (code, said.count("\n")) == (4, 1)
        assert said.startswith("m31: not recorded: ")
        assert str(directory) in said


@pytest.mark.parametrize("session_id", ["old", "new"])
def test_a_full_disk_is_said(record: Record, clean_home: Path, session_id: str) -> None:
    """Exit code 0 is never given for an event that the disk did not take."""
    assert record("edit", "x", "--session", "old") == (0, "")
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *M31, "record", "edit", "y"],
        env=environment(M31A_SESSION=session_id),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "not recorded: " in done.stderr
    metrics = load(clean_home / ".m31a" / "sessions", "old")
    assert metrics is not None
    assert [row.strategy for row in metrics.edit_strategies] == ["x"]


def test_a_summary_that_cannot_be_written_is_said(record: Record, clean_home: Path) -> None:
    """The event is safe in the journal, so the exit code is 0."""
    assert record("edit", "x", "--session", ID) == (0, "")
    summary = clean_home / ".m31a" / "sessions" / ID / "METRICS.json"
    summary.unlink()
    summary.mkdir()
    code, said = record("edit", "x", "--session", ID)
    assert (code, said.count("\n")) == (0, 1)
    assert "recorded, but METRICS.json is not up to date: " in said
    assert len(recorded(clean_home, ID)) == 3


def test_disabled_records_nothing(
    record: Record, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With metrics disabled there is nothing to do, and that succeeds."""
    monkeypatch.setenv("M31A_METRICS_ENABLED", "0")
    assert record("edit", "x", "--session", ID) == (0, "")
    assert not (clean_home / ".m31a").exists()


def test_a_session_that_m31a_wrote_goes_on(record: Record, clean_home: Path) -> None:
    """Its METRICS.json becomes the base, and its start stays."""
    sessions = clean_home / ".m31a" / "sessions"
    with Collector(ID, sessions, journal=False) as collector:
        collector.record_edit_strategy("x")
    before = decode((sessions / ID / "METRICS.json").read_bytes())
    assert record("edit", "x", "--session", ID) == (0, "")
    after = decode((sessions / ID / "METRICS.json").read_bytes())
    assert [(row.strategy, row.count) for row in after.edit_strategies] == [("x", 2)]
    assert after.started_at == before.started_at
    assert len(recorded(clean_home, ID)) == 1


@pytest.mark.parametrize("processes", [12, pytest.param(40, marks=pytest.mark.soak)])
def test_many_at_once_beside_a_collector_lose_nothing(tmp_path: Path, processes: int) -> None:
    """Many processes and a living Collector on one session add up, whoever flushes."""
    calls = 50 * processes
    collector = Collector(ID, tmp_path)
    options = ["--sessions-dir", str(tmp_path), "--session", ID]
    kinds = [
        ["record", "tool", "Bash", "--duration-ms", "3"],
        ["record", *LLM],
        ["run", "--tool", "Bash", "--phase", "plan"],
        ["record", "heal", "plan", "--passed", "--duration-ms", "2"],
    ]
    running = []
    for number in range(processes):
        kind = kinds[number % len(kinds)]
        command = ["--", "true"] if kind[0] == "run" else []
        argv = [*M31, *kind, *options, *command]
        running.append(subprocess.Popen(argv, env=environment(), stderr=subprocess.PIPE))
    for number in range(calls):
        collector.record_tool_call("Bash", True, 1)
        if number % 100 == 0:
            collector.flush()
    for process in running:
        _, said = process.communicate(timeout=PATIENCE_S)
        # On a busy machine one may give up its turn to flush, and say so: others flush for it.
        assert process.returncode == 0, said
        assert not said or b"recorded, but METRICS.json is not up to date" in said
    collector.record_phase_transition("plan")

    def sums(metrics: SessionMetrics | None) -> tuple[int, ...]:
        assert metrics is not None
        (tool,), (llm,), (phase,) = metrics.tools, metrics.llms, metrics.phases
        return (
            tool.call_count,
            llm.interaction_count,
            llm.prompt_tokens,
            phase.transition_count,
            phase.heal_success_count,
            phase.heal_duration_ms,
        )

    each = processes // len(kinds)
    expected = (calls + 2 * each, each, 90 * each, each + 1, each, 2 * each)
    assert sums(load(tmp_path, ID)) == expected
    Session(str(tmp_path), ID).flush()
    assert sums(decode((tmp_path / ID / "METRICS.json").read_bytes())) == expected
    collector.stop()
    assert sums(collector.snapshot()) == expected
    assert sums(decode((tmp_path / ID / "METRICS.json").read_bytes())) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", "Say what? Give --project, --branch, --agent or --label."),
        ("--label prompt", "'prompt' is no label: write NAME=VALUE."),
        ("--label =b", "a label's name must not be empty."),
        ("--label prompt=", "label prompt must not be empty."),
        ("--label prompt=a --label prompt=b", "a label is given twice."),
        ("--label prompt=a,b", "label prompt must have no comma"),
        ("--agent my/bot", "agent must be at most 64 letters"),
        (" ".join(f"--label n{at}=x" for at in range(17)), "labels must be at most 16, not 17."),
    ],
)
def test_what_cannot_be_said_of_a_session(
    record: Record, clean_home: Path, options: str, words: str
) -> None:
    """One sentence that names the option, exit code 2, and no session is made."""
    code, said = record("start", "--session", ID, *options.split())
    assert code == 2
    assert words in said
    assert not (clean_home / ".m31a").exists()


def test_a_new_session_begins_with_what_is_said(record: Record, clean_home: Path) -> None:
    """No other start is written before it."""
    assert record("start", "--session", ID, "--label", "prompt=b") == (0, "")
    (start,) = recorded(clean_home, ID)
    assert isinstance(start, events.SessionStart)
    assert start.labels == {"prompt": "b"}
