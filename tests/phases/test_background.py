from __future__ import annotations

from m31a_metrics.phases.agent import ClassifiedCall
from m31a_metrics.phases.commands import Purposes
from m31a_metrics.phases.context import Background
from tests.phases.sessions import bash, tool


def ran(
    done: list[ClassifiedCall], background: Background, command: str, printed: str = ""
) -> ClassifiedCall:
    """Add a shell command to what was done."""
    call = bash(command, printed=printed)
    call.id = f"c{len(done)}"
    judged = ClassifiedCall(call, "verify", "", Purposes().of(command))
    done.append(judged)
    assert judged.purpose is not None
    background.ran(judged, judged.purpose)
    return judged


def test_calls_are_known_however_late_they_are_asked_about() -> None:
    """Calls before the first question, between two and after the last are found by id."""
    done: list[ClassifiedCall] = []
    background = Background(done)
    first = ran(done, background, "make")
    assert background.of_id("c0") is first
    assert background.of_id("c1") is None
    second = ran(done, background, "make")
    assert background.of_id("c1") is second
    assert background.of_id("") is None


def test_a_command_is_known_by_its_last_run() -> None:
    """The last call that ran a command is found, and none that only polled it."""
    done: list[ClassifiedCall] = []
    background = Background(done)
    ran(done, background, "make")
    again = ran(done, background, "make")
    poll = tool("BashOutput", "make", polls="c1")
    done.append(ClassifiedCall(poll, "verify", "", again.purpose))
    assert background.of_command("make") is again
    assert background.of_command("make test") is None


def test_what_runs_is_known_by_its_task_its_log_and_its_terminal() -> None:
    """Outputs of tasks, logs and terminals lead to what writes to them."""
    done: list[ClassifiedCall] = []
    background = Background(done)
    assert background.latest() is None
    task = ran(done, background, "npm test", "Command running in background with ID: b3f2a1")
    assert background.of_output("/var/x/tasks/b3f2a1.output") is task
    assert background.of_output("/var/x/tasks/other.output") is None
    logged = ran(done, background, "npm run dev > dev.log 2>&1 &")
    assert background.latest() is logged
    asked = {"tail dev.log": logged, "tail other.log": None, "cat /x/tasks/b3f2a1.output": task}
    typed = ran(done, background, "tmux send-keys -t a 'pytest -q' Enter")
    asked["tmux capture-pane -p"] = typed
    for command, expected in asked.items():
        assert background.asked(command, Purposes().of(command)) is expected
