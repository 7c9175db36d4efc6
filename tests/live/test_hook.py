from __future__ import annotations

import json
import os
import posix
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import codec, events, journal
from m31a_metrics.live import hook
from m31a_metrics.session import Session
from tests.cli.machine import _by_m31a
from tests.live.hooked import SESSION, Machine, payload

FAR_US = 4_000_000_000_000_000


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which nothing is settled and no budget is set."""
    return Machine(tmp_path, monkeypatch)


def kinds(machine: Machine) -> list[str]:
    """The events of the journal by their tags."""
    return [event.__struct_config__.tag for event in machine.lines()]  # type: ignore[misc]


def call(kind: str = "PostToolUse", **fields: object) -> dict[str, Any]:
    """The fields of a tool's event."""
    return {"kind": kind, "tool_name": "Bash", "tool_use_id": "toolu_1", **fields}


# ---- what is kept


def test_a_session_begins_with_who_and_where(machine: Machine) -> None:
    """The first event makes the session, private to its owner; the second adds only itself."""
    machine.tell("SessionStart", source="startup")
    machine.tell("Stop")
    (start,) = machine.lines()
    assert isinstance(start, events.SessionStart)
    assert (start.agent, start.native_id, start.project) == ("claude-code", SESSION, "/srv/shop")
    folder = machine.sessions / SESSION
    modes = [path.stat().st_mode & 0o777 for path in (folder, folder / "events")]
    assert modes == [0o700, 0o700]
    assert (folder / "events" / "hooks.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_call_is_kept_by_its_id_with_outcome_and_time(machine: Machine) -> None:
    """A call that worked and one that failed: id, tool, outcome, run time, who called."""
    machine.tell(**call(duration_ms=241, tool_response={"stdout": "SECRET"}))
    failed = call("PostToolUseFailure", tool_use_id="toolu_2", duration_ms=8.5, agent_id="a1")
    machine.tell(**failed, error="SECRET failed")
    _, first, second = machine.lines()
    assert isinstance(first, events.ToolCall)
    assert isinstance(second, events.ToolCall)
    assert (first.id, first.name, first.success, first.duration_ms) == (
        *("toolu_1", "Bash", True, 241),
    )
    assert (second.id, second.success, second.duration_ms) == ("toolu_2", False, 8.5)
    assert (first.subagent, second.subagent) == (None, "a1")
    assert b"SECRET" not in (machine.sessions / SESSION / "events" / "hooks.jsonl").read_bytes()


def test_launching_a_subagent_in_the_background_is_no_run_time(machine: Machine) -> None:
    """The Agent tool returns at once: what was measured is the launch and says nothing."""
    machine.tell(**call(tool_name="Agent", tool_response={"isAsync": True}, duration_ms=47))
    (_, launched) = machine.lines()
    assert isinstance(launched, events.ToolCall)
    assert (launched.duration_ms, launched.elapsed_only) == (0, True)


def test_codex_tells_only_that_a_call_began_and_ended(machine: Machine) -> None:
    """Without a duration there is no outcome either: two lines whose times tell how long."""
    machine.tell(**call("PreToolUse"), agent="codex")
    machine.tell(**call(tool_response="no such file"), agent="codex")
    start, began, ended = machine.lines()
    assert isinstance(start, events.SessionStart)
    assert start.agent == "codex"
    assert isinstance(began, events.ToolStart)
    assert isinstance(ended, events.ToolEnd)
    assert (began.call_id, ended.id) == ("toolu_1", "toolu_1")


@pytest.mark.parametrize("duration_ms", ["12", True, -1, 2**53 + 1, float("nan"), None, [1]])
def test_an_impossible_run_time_is_none(machine: Machine, duration_ms: object) -> None:
    """A duration that a journal cannot hold is not known: the call has ended, and no more."""
    machine.tell(**call(duration_ms=duration_ms))
    assert kinds(machine) == ["session_start", "tool_end"]


def test_qwen_codes_calls_have_the_transcripts_ids(machine: Machine) -> None:
    """Qwen Code gives hooks an id of their own beside the one that its transcript has."""
    machine.tell(**call(duration_ms=1, tool_call_id="call_9"), agent="qwen")
    assert machine.lines()[-1].id == "call_9"


def test_only_a_persons_prompt_is_a_turn(machine: Machine) -> None:
    """A subagent that ended prompts the agent, and so does each batch of tools of Qwen Code."""
    for prompt in ("Mend it.", "<task-notification>\n<task-id>a</task-id>", "  ", "", None):
        machine.tell("UserPromptSubmit", prompt=prompt)
    assert kinds(machine) == ["session_start", "user_turn"]


def test_a_compaction_and_a_subagent_are_told_when_they_end(machine: Machine) -> None:
    """What only begins is not kept; a subagent without a kind is one of the agent's requests."""
    machine.tell("PreCompact", trigger="auto")
    machine.tell("SubagentStop", agent_id="a2", agent_type="")
    machine.tell("PostCompact", trigger="auto", compact_summary="SECRET")
    machine.tell("SubagentStart", agent_id="a1", agent_type="Explore")
    machine.tell("SubagentStop", agent_id="a1", agent_type="Explore")
    _, request, compaction, subagent = machine.lines()
    assert isinstance(request, events.Subagent)
    assert request.name == ""
    assert isinstance(compaction, events.Compaction)
    assert isinstance(subagent, events.Subagent)
    assert (compaction.trigger, subagent.name) == ("auto", "Explore")


def test_what_another_recorder_counted_becomes_the_base(machine: Machine) -> None:
    """A METRICS.json without journals is kept as the base of the journal that begins."""
    folder = machine.sessions / SESSION
    folder.mkdir(parents=True, mode=0o700)
    before = codec.encode(_by_m31a())
    (folder / "METRICS.json").write_bytes(before)
    machine.tell(**call(duration_ms=5))
    assert (folder / "events" / "base.json").read_bytes() == before
    session = Session(str(machine.sessions), SESSION)
    session.flush()
    metrics = session.load()
    assert metrics is not None
    bash = next(row for row in metrics.tools if row.name == "Bash")
    assert bash.call_count == 13


@given(
    name=st.text(min_size=1, max_size=300),
    number=st.text(min_size=1),
    cwd=st.text(),
    duration_ms=st.one_of(st.integers(0, 2**53), st.floats(0, 1e15)),
)
def test_whatever_text_an_agent_sends_a_line_holds_it(
    name: str, number: str, cwd: str, duration_ms: float
) -> None:
    """Quotes, controls, lone surrogates: each line decodes, and to the name that was sent."""
    said = hook.parse(
        json.dumps(
            {
                "session_id": "s",
                "cwd": cwd,
                "tool_name": name,
                "tool_use_id": number,
                "duration_ms": duration_ms,
                "hook_event_name": "PostToolUse",
            }
        ).encode()
    )
    event = hook.Event("", "claude-code", {}, said)
    lines = [hook.begin(event), *hook.lines_of(event, denied=False)]
    started, ended = [events.decoder().decode(line) for line in lines]
    assert isinstance(started, events.SessionStart)
    assert isinstance(ended, events.ToolCall)
    assert ended.name == name[:256].encode("utf-8", "replace").decode()
    assert ended.duration_ms == duration_ms


# ---- what is refused


@pytest.mark.parametrize(
    "given",
    [
        *(b"", b"{", b"[]", b"null", b'{"session_id":"s"} {}', b"\xff\xfe", b"{" * 100_000),
        *(b'{"a":' * 50_000, b'"s"', b'{"session_id":1}', b'{"session_id":"../../etc"}'),
        *(b'{"session_id":""}', b'{"session_id":"%b"}' % (b"a" * 129), b"{'a':1}"),
    ],
)
def test_what_is_no_event_of_a_session_leaves_a_word_for_doctor(
    machine: Machine, given: bytes
) -> None:
    """Damaged input and ids that name no directory: nothing is recorded, nothing is said."""
    assert machine.attend(given) == ""
    assert not machine.sessions.exists()
    (words,) = machine.trouble()
    assert words.startswith("claude-code was given ")


@pytest.mark.parametrize("settings", [None, b"", b"{", b"{}", b'{"format":2}', b'{"format":1}'])
def test_without_settings_nothing_is_recorded(machine: Machine, settings: bytes | None) -> None:
    """A missing, damaged or later live.json ends it, with a word for doctor."""
    (machine.live / "live.json").unlink()
    if settings is not None:
        (machine.live / "live.json").write_bytes(settings)
    assert machine.tell("Stop") == ""
    assert machine.trouble() == ["claude-code cannot record: live.json is missing or damaged"]


def test_trouble_has_an_end(machine: Machine) -> None:
    """What is left for doctor does not grow for ever."""
    (machine.live / "trouble").write_bytes(b"x" * hook.TROUBLE_BYTES_MAX)
    machine.attend(b"")
    assert (machine.live / "trouble").stat().st_size == hook.TROUBLE_BYTES_MAX


def test_links_and_pipes_in_the_place_of_a_session_are_left_alone(
    machine: Machine, tmp_path: Path
) -> None:
    """Nothing is written through a link, and nobody waits at a pipe."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "events").mkdir(parents=True)
    machine.sessions.mkdir()
    (machine.sessions / SESSION).symlink_to(elsewhere)
    machine.tell(**call(duration_ms=1))
    assert not (elsewhere / "events" / "hooks.jsonl").read_bytes()
    (machine.sessions / SESSION).unlink()
    events_dir = machine.sessions / SESSION / "events"
    events_dir.mkdir(parents=True)
    os.mkfifo(events_dir / "hooks.jsonl")
    machine.tell(**call(duration_ms=1))
    (events_dir / "hooks.jsonl").unlink()
    (events_dir / "hooks.jsonl").symlink_to(tmp_path / "passwords")
    machine.tell(**call(duration_ms=1))
    assert not (tmp_path / "passwords").exists()
    assert len(machine.trouble()) == 3


def test_a_session_that_is_removed_begins_anew(machine: Machine) -> None:
    """Whose directory goes while the agent works has a new one with the next event."""
    machine.tell(**call(duration_ms=1))
    for path in sorted((machine.sessions / SESSION).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (machine.sessions / SESSION).rmdir()
    machine.tell(**call(duration_ms=2, tool_use_id="toolu_2"))
    assert kinds(machine) == ["session_start", "tool_call"]


def test_a_directory_that_takes_nothing_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read-only or full, as the system says it: exit as ever, and a word for doctor."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hook, "keep", refuse)
    machine.tell(**call(duration_ms=1))
    assert machine.trouble() == ["claude-code cannot record: No space left on device"]


def test_a_disk_that_takes_half_a_line_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torn line is passed over by readers, and the next one stands whole behind it."""
    machine.tell("SessionStart")
    path = machine.sessions / SESSION / "events" / "hooks.jsonl"
    with path.open("ab") as file:
        file.write(b'\n{"event":"tool_call","t_us":17')
    machine.tell(**call(duration_ms=1))
    read = journal.read(str(path.parent), path.name)
    assert isinstance(read.events[-1], events.ToolCall)
    write = os.write
    monkeypatch.setattr(posix, "write", lambda fd, data: write(fd, data[:9]))
    event = hook.Event("", "", {}, {"session_id": SESSION, "hook_event_name": "Stop"})
    with pytest.raises(hook.Trouble, match="whole line"):
        hook.keep(str(machine.sessions), event, [hook.begin(event)])


def test_the_switch_of_the_configuration_holds_here_too(machine: Machine) -> None:
    """No place for sessions: nothing is recorded, asked or settled, and that is no trouble."""
    machine.set(sessions_dir="", budget=True, python="/nowhere/python")
    machine.verdict(SESSION, stops=[stop()])
    assert machine.tell("PreToolUse", **TOOL) == ""
    assert machine.trouble() == []


def test_the_switch_of_the_environment_holds_here_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M31A_METRICS_ENABLED=0 records nothing."""
    monkeypatch.setitem(posix.environ, b"M31A_METRICS_ENABLED", b"0")
    machine.tell("SessionStart")
    assert not machine.sessions.exists()


# ---- what a budget says


def stop(scope: str = "session", until_us: int | None = None) -> dict[str, object]:
    """A limit that is reached."""
    return {"scope": scope, "until_us": until_us, "limit": "USD 5.00", "used": "USD 5.02"}


def answer(machine: Machine, kind: str, agent: str = "claude-code", **fields: object) -> Any:
    """What is answered, as the agent reads it; None for nothing."""
    said = machine.tell(kind, agent=agent, **fields)
    return json.loads(said) if said else None


TOOL = {"tool_name": "Bash", "tool_use_id": "toolu_1"}


@pytest.mark.parametrize("agent", ["claude-code", "qwen"])
def test_a_spent_budget_stops_the_call_and_the_turn(machine: Machine, agent: str) -> None:
    """Denied for the model, ended for the agent, told to the person; and kept as denied."""
    machine.set(budget=True)
    machine.verdict(SESSION, stops=[stop()])
    said = answer(machine, "PreToolUse", agent, **TOOL)
    assert said["continue"] is False
    assert "USD 5.00" in said["stopReason"]
    assert f"m31 budget allow --session {SESSION}" in said["stopReason"]
    deny = said["hookSpecificOutput"]
    assert (deny["hookEventName"], deny["permissionDecision"]) == ("PreToolUse", "deny")
    assert deny["permissionDecisionReason"] == hook.STOPPED
    denied = machine.lines()[-1]
    assert isinstance(denied, events.ToolCall)
    assert (denied.id, denied.denied) == ("toolu_1", True)


def test_a_limit_in_tokens_is_raised_in_tokens() -> None:
    """The command that a person is told is one that does it."""
    limit: dict[str, object] = {"scope": "day", "limit": "1,200 tokens"}
    assert "m31 budget allow --day --tokens +AMOUNT" in hook.told(limit, "is spent", SESSION)


def test_the_model_is_not_told_how_to_allow_more() -> None:
    """It reads that a person must decide; commands are for the person."""
    assert "person" in hook.STOPPED
    assert "m31" not in hook.STOPPED
    assert "allow" not in hook.STOPPED


def test_codex_is_only_denied(machine: Machine) -> None:
    """Codex passes over everything but the deny, and its prompts cannot be blocked."""
    machine.set(budget=True)
    machine.verdict("machine", stops=[stop("day", FAR_US)])
    said = answer(machine, "PreToolUse", "codex", **TOOL)
    assert list(said) == ["hookSpecificOutput"]
    assert answer(machine, "UserPromptSubmit", "codex", prompt="Go on") is None


def test_a_prompt_is_blocked_but_not_a_subagents_report(machine: Machine) -> None:
    """A person's prompt asks no model; a background subagent that ended may still be heard."""
    machine.set(budget=True)
    machine.verdict("machine", stops=[stop("month", FAR_US)])
    said = answer(machine, "UserPromptSubmit", prompt="Go on")
    assert said["decision"] == "block"
    assert "the month budget" in said["reason"]
    assert answer(machine, "UserPromptSubmit", prompt="<task-notification>x") is None
    assert answer(machine, "PostToolUse", **TOOL, duration_ms=1) is None
    assert kinds(machine) == ["session_start", "tool_call"]


@pytest.mark.parametrize(
    "said",
    [
        {"stops": [stop("day", 1)]},
        {"stops": [stop("day", None)]},
        {"stops": [stop()], "name": "another"},
        {"stops": [stop()], "writer": "/nowhere/verdicts.py"},
        {"stops": [stop()], "writer": None},
        {"stops": [stop()], "format": 2},
        {"stops": "no list"},
        {"stops": [None, 3, {}]},
    ],
)
def test_a_void_verdict_stops_nobody(machine: Machine, said: dict[str, object]) -> None:
    """A day that passed, another session, a writer that is gone, damage: the agent goes on."""
    machine.set(budget=True)
    machine.verdict(SESSION, **said)
    assert answer(machine, "PreToolUse", **TOOL) is None
    assert kinds(machine) == ["session_start", "tool_start"]


def test_without_a_budget_no_verdict_is_read(machine: Machine) -> None:
    """A verdict that was left behind stops nobody once the budget is gone."""
    machine.verdict(SESSION, stops=[stop()])
    assert answer(machine, "PreToolUse", **TOOL) is None


def test_a_limit_that_is_near_is_told_once(machine: Machine) -> None:
    """Once a session, once a day: as a message to the person, which stops nothing."""
    machine.set(budget=True)
    machine.verdict(SESSION, warns=[stop()], is_near=True)
    machine.verdict("machine", warns=[stop("day", FAR_US)])
    first = answer(machine, "UserPromptSubmit", prompt="Go on")
    assert list(first) == ["systemMessage"]
    assert "the session budget of USD 5.00 is nearly spent" in first["systemMessage"]
    second = answer(machine, "PreToolUse", **TOOL)
    assert "the day budget" in second["systemMessage"]
    assert answer(machine, "PreToolUse", **TOOL) is None


# ---- settling


@pytest.fixture
def settled(machine: Machine, tmp_path: Path) -> Path:
    """A settling that tells how it was started, in place of the real one."""
    told = tmp_path / "told"
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$(pwd)|$*|$(ls /proc/$$/fd 2>/dev/null | tr "\\n" " ")" >> {told}\n'
    )
    python.chmod(0o755)
    machine.set(python=str(python), budget=True)
    machine.install()
    return told


def wait_for(path: Path, lines: int) -> list[str]:
    """Wait until a file has so many lines."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if path.exists() and len(found := path.read_text().splitlines()) >= lines:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{path} has no {lines} lines")


def test_a_settling_is_started_apart_from_the_agent(machine: Machine, settled: Path) -> None:
    """In `/`, with nothing that the agent opened, while the hook itself is over."""
    done = machine.start(payload("Stop"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (told,) = wait_for(settled, 1)
    where, arguments, descriptors = told.split("|")
    assert where == "/"
    assert arguments == (
        f"-P -E -m m31a_metrics.settle claude-code {SESSION} /nowhere/transcript.jsonl"
    )
    assert len(descriptors.split()) <= 5  # its own three, and the shell's of this moment


def test_a_settling_begins_every_few_seconds_at_most(tmp_path: Path) -> None:
    """The first begins at once, the next waits for its time, and others need not begin."""
    settling = str(tmp_path / "settling")
    assert hook.due_in_s(settling, "s", 3) == 0
    wait_s = hook.due_in_s(settling, "s", 3)
    assert wait_s is not None
    assert 2 < wait_s <= 3
    assert hook.due_in_s(settling, "s", 3) is None
    assert hook.due_in_s(settling, "another", 3) == 0
    long_ago = time.time() - 60
    os.utime(f"{settling}/s", (long_ago, long_ago))
    assert hook.due_in_s(settling, "s", 3) == 0
    set_back = time.time() + 3600
    os.utime(f"{settling}/s", (set_back, set_back))
    assert hook.due_in_s(settling, "s", 3) == 0


def test_the_first_call_waits_for_no_settling(machine: Machine, settled: Path) -> None:
    """The beginning is settled, a prompt is not, and neither has the first call come too early."""
    machine.start(payload("SessionStart"))
    machine.start(payload("UserPromptSubmit", prompt="Go on"))
    machine.start(payload("PreToolUse", **TOOL))
    assert len(wait_for(settled, 2)) == 2


def test_near_a_limit_every_event_is_settled(
    machine: Machine, settled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where a warning is due the verdict follows each event."""
    machine.verdict(SESSION, is_near=True)
    begun: list[bool] = []
    monkeypatch.setattr(hook, "settle", lambda _, is_near: begun.append(is_near))
    machine.tell(**call(duration_ms=1))
    machine.verdict(SESSION, is_near=False)
    machine.tell(**call(duration_ms=1))
    assert begun == [True, False]
    assert not settled.exists()


def test_a_python_that_is_gone_settles_nothing(machine: Machine, tmp_path: Path) -> None:
    """The event is recorded, and doctor is told."""
    machine.set(python=str(tmp_path / "gone"))
    machine.tell(**call(duration_ms=1))
    assert kinds(machine) == ["session_start", "tool_call"]
    assert machine.trouble() == ["claude-code cannot settle: its Python is gone"]
