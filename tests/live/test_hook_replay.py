"""What six real agents sent, and starts as agents make them."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from m31a_metrics import events
from m31a_metrics.live import agents
from tests.live.hooked import SESSION, Machine, begin, payload

CAPTURES = {
    # A subagent in the background, whose report is no turn; one call failed.
    "claude-code/cc332": {"session_start": 1, "tool_call": 5, "user_turn": 1, "subagent": 1},
    # A person at a terminal, who compacts at the end.
    "claude-code/ccint2": {
        "session_start": 1,
        "tool_call": 5,
        "user_turn": 1,
        "subagent": 3,
        "compaction": 1,
    },
    "claude-code/ccdeny": {"session_start": 1, "tool_call": 1, "user_turn": 1},
    "codex/cx1": {"session_start": 1, "tool_start": 2, "tool_end": 2, "user_turn": 1},
    "codex/cxasync": {"session_start": 1, "tool_start": 2, "tool_end": 2, "user_turn": 1},
    "codex/cxdeny": {"session_start": 1, "tool_start": 2, "tool_end": 1, "user_turn": 1},
    "qwen-code/qw1": {"session_start": 1, "tool_call": 2, "user_turn": 1},
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which nothing is settled and no budget is set."""
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize("capture", CAPTURES)
def test_what_agents_sent_is_kept(machine: Machine, shared: Path, capture: str) -> None:
    """Each event that a real agent told its hooks comes to the lines that it is worth."""
    file = shared / "captures" / capture / "hooks.tsv"
    if not file.is_file():
        pytest.skip("needs the captures in ../shared, which are not here")
    agent = capture.partition("/")[0].replace("qwen-code", "qwen")
    sent = file.read_text().splitlines()
    for one in sent:
        _, kind, said = one.split("\t", 2)
        if agent == "codex" or kind != "PreToolUse":
            assert machine.attend(said.encode(), agent) == ""
    (session,) = os.listdir(machine.sessions)
    found = machine.lines(session)
    assert Counter(type(one).__struct_config__.tag for one in found) == CAPTURES[capture]
    calls = [one for one in found if isinstance(one, events.ToolCall)]
    # Each id is one that the agent sent, and no run time is invented.
    assert all(f'"{one.id}"' in "".join(sent) for one in calls)
    assert all(
        one.elapsed_only or f'"duration_ms":{one.duration_ms}' in "".join(sent) for one in calls
    )
    assert not machine.trouble()


def test_a_started_hook_says_nothing_and_keeps_the_line(machine: Machine) -> None:
    """By the command without a shell and by the one for a shell alike."""
    machine.install()
    said = payload("PostToolUse", tool_name="Bash", tool_use_id="t1", duration_ms=7)
    shell = agents.shell_command("hook", str(machine.live), "claude-code")
    for command in (
        agents.arguments("hook", str(machine.live), "claude-code"),
        ["sh", "-c", shell],
    ):
        done = begin(command, said)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [type(one) for one in machine.lines()] == [
        *(events.SessionStart, events.ToolCall, events.ToolCall)
    ]
    assert not machine.trouble()


def test_a_started_hook_answers_from_the_verdict(machine: Machine) -> None:
    """The answer is all of stdout, and the process ends with 0."""
    machine.install()
    machine.set(budget=True)
    stop = {"scope": "session", "until_us": None, "limit": "USD 1.00", "used": "USD 1.10"}
    machine.verdict(SESSION, stops=[stop])
    done = machine.start(payload("PreToolUse", tool_name="Bash", tool_use_id="t1"))
    assert done.returncode == 0
    assert done.stdout.startswith(b'{"hookSpecificOutput":')
    assert done.stderr == b""


def test_a_tool_input_of_a_megabyte_is_read(machine: Machine) -> None:
    """However much a tool was given, its id stands behind it and is found."""
    machine.install()
    said = payload(
        "PostToolUse",
        tool_name="Write",
        tool_input={"content": 'x"\\tool_use_id\u2028' * 70_000, "tool_use_id": "a trap"},
        tool_use_id="t1",
        duration_ms=3,
    )
    assert len(said) > 1 << 20
    done = machine.start(said)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert machine.lines()[-1].id == "t1"


DAMAGE = {
    "half a program": b'"""Half a\n',
    "another program": b"raise SystemExit(2)\n",
    "one that leaves": b"def main(*_):\n    raise KeyboardInterrupt\n",
    "an older one": b"def start():\n    pass\n",
    "no text": b"\x00\xff",
    "nothing": b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_whatever_is_damaged_a_hook_ends_with_0(machine: Machine, damage: str) -> None:
    """A program that is gone, cut, older or empty denies nothing and says nothing."""
    (machine.live / "hook.py").write_bytes(DAMAGE[damage])
    done = machine.start(payload("PreToolUse", tool_name="Bash", tool_use_id="t1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_damaged_bytecode_denies_nothing(machine: Machine) -> None:
    """What Python keeps of the program may be cut short as well."""
    machine.install()
    said = payload("Stop")
    machine.start(said)
    (kept,) = (machine.live / "__pycache__").iterdir()
    kept.write_bytes(kept.read_bytes()[:40])
    done = machine.start(said)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_an_interpreter_that_is_gone_denies_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell is silent about it; without one the agent is told that there is no such program."""
    monkeypatch.setattr(agents, "interpreter", lambda: "/nowhere/python3")
    shell = agents.shell_command("hook", str(machine.live), "claude-code")
    done = begin(["sh", "-c", shell], payload("Stop"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with pytest.raises(FileNotFoundError):
        begin(agents.arguments("hook", str(machine.live), "claude-code"), b"")


def test_closed_streams_fail_nobody(machine: Machine) -> None:
    """An agent that gives no input, or is gone when the answer comes."""
    machine.install()
    command = agents.shell_command("hook", str(machine.live), "claude-code")
    for redirected in ("<&-", ">&- 2>&- </dev/null", "</", ">/dev/full </dev/null"):
        done = begin(["sh", "-c", f"({command}) {redirected}"], b"")
        assert (done.returncode, done.stdout) == (0, b"")


def test_a_repository_cannot_plant_code(machine: Machine, tmp_path: Path) -> None:
    """The working directory and the environment bring no module and no site."""
    machine.install()
    for name in ("hook", "_json", "posix", "time", "sitecustomize", "encodings"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(2)\n")
    done = subprocess.run(
        agents.arguments("hook", str(machine.live), "claude-code"),
        input=payload("Stop"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "hook.py")},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(machine.lines()) == 1


def test_many_agents_at_once_lose_nothing(machine: Machine) -> None:
    """Eight processes that attend to a thousand events each: every line is there and whole."""
    attend_in_processes(machine, 8, 1_000)


@pytest.mark.soak
def test_very_many_events_lose_nothing(machine: Machine) -> None:
    """Eight processes with 10,000 events each, and 500 starts, 16 at a time."""
    attend_in_processes(machine, 8, 10_000)
    machine.install()
    command = agents.arguments("hook", str(machine.live), "claude-code")
    for first in range(0, 500, 16):
        started = []
        for number in range(first, min(first + 16, 500)):
            one = subprocess.Popen(command, stdin=subprocess.PIPE)
            said = payload(
                "PostToolUse", tool_name="Bash", tool_use_id=f"start-{number}", duration_ms=1
            )
            assert one.stdin is not None
            one.stdin.write(said)
            one.stdin.close()
            started.append(one)
        assert [one.wait(60) for one in started] == [0] * len(started)
    found = {one.id for one in machine.lines()}
    assert {f"start-{number}" for number in range(500)} <= found


def attend_in_processes(machine: Machine, processes: int, count: int) -> None:
    """Let processes attend to events of one session at the same time."""
    children = []
    for process in range(processes):
        child = os.fork()
        if not child:
            code = 1
            try:
                for number in range(count):
                    machine.attend(
                        payload(
                            "PostToolUse",
                            tool_name="Bash",
                            tool_use_id=f"{process}-{number}",
                            duration_ms=number,
                        )
                    )
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * processes
    calls = [one for one in machine.lines() if isinstance(one, events.ToolCall)]
    assert len(calls) == processes * count
    assert len({one.id for one in calls}) == processes * count
