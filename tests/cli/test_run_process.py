"""Signals, terminals and job control through `m31 run`.

Most of it twice: where the system tells who sent a signal, and where it does not.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from m31a_metrics.events import ToolCall
from tests.children import PATIENCE_S
from tests.commands import M31, M31_ELSEWHERE, environment, recorded

ID = "s"
RUN = ("run", "--session", ID, "--")

SENT = ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "WINCH", "CONT", "PIPE", "TERM"]

# Says which signals arrive, one a line, and ends at TERM with exit code 5.
TELL = """
import signal, sys
signals = {signal.Signals['SIG' + name] for name in sys.argv[1:]}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print('ready', flush=True)
while True:
    came = signal.sigwait(signals)
    print(came.name, flush=True)
    if came == signal.SIGTERM:
        sys.exit(5)
"""
TELLER = (sys.executable, "-c", TELL)

# What a shell does with a job: its own process group in the foreground of the terminal. It
# says how the job changed, and brings it back when it is told to, not by the terminal, where
# a job that has not quite stopped yet might read the word.
SHELL = """
import os, signal, sys
told = int(sys.argv[1])
os.set_inheritable(told, False)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, setpgroup=0,
                      setsigdef=[signal.SIGTTOU, signal.SIGPIPE, signal.SIGXFSZ])
os.tcsetpgrp(0, job)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        print('ended', os.waitstatus_to_exitcode(status), flush=True)
        break
    os.tcsetpgrp(0, os.getpgrp())
    print('stopped', signal.Signals(os.WSTOPSIG(status)).name, flush=True)
    os.read(told, 1)
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
"""


@pytest.fixture(params=[M31, M31_ELSEWHERE], ids=["here", "elsewhere"])
def m31_command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The command `m31`, also as on a system that does not tell who sent a signal."""
    command: tuple[str, ...] = request.param
    return command


class Terminal:
    """A terminal of its own, with one process that leads its session."""

    def __init__(self, *command: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(command[0], command, environment())  # noqa: S606 - the child of a fork
            finally:
                os._exit(98)
        self.seen = b""
        self.log = b""

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.master, text)

    def expect(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Read until `text` has been written, and forget what came before its end."""
        wanted = text.encode()
        deadline = time.monotonic() + timeout_s
        while wanted not in self.seen:
            left_s = max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select([self.master], [], [], left_s)
            assert ready, f"waited for {text!r}, saw {self.seen!r}"
            try:
                written = os.read(self.master, 4096)
            except OSError:  # the other side is closed
                raise AssertionError(f"waited for {text!r}, saw {self.seen!r}") from None
            self.seen += written
            self.log += written
        self.seen = self.seen.partition(wanted)[2]

    def close(self) -> None:
        """Hang up, and end what is left."""
        os.close(self.master)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


class Job(Terminal):
    """A command as a shell's foreground job in a new terminal."""

    def __init__(self, *command: str) -> None:
        told, self._tell = os.pipe()
        os.set_inheritable(told, True)
        super().__init__(sys.executable, "-c", SHELL, str(told), *command)
        os.close(told)

    def bring_back(self) -> None:
        """Let the shell continue the job in the foreground, as its `fg` does."""
        os.write(self._tell, b"!")

    def close(self) -> None:
        """Hang up, and end what is left."""
        os.close(self._tell)
        super().close()


OpenJob = Callable[..., Job]


@pytest.fixture
def open_job() -> Iterator[OpenJob]:
    """Open a terminal with a job that runs a command through m31; in the end it is closed."""
    opened: list[Job] = []

    def open_one(*command: str) -> Job:
        opened.append(Job(*command))
        return opened[-1]

    yield open_one
    for job in opened:
        job.close()


def test_signals_reach_the_command_once(clean_home: Path, m31_command: tuple[str, ...]) -> None:
    """What is sent to m31 alone is sent on, each signal once; the exit code comes back."""
    with subprocess.Popen(
        [*m31_command, *RUN, *TELLER, *SENT], env=environment(), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        for name in SENT:
            running.send_signal(signal.Signals["SIG" + name])
            assert running.stdout.readline() == f"SIG{name}\n"
        assert running.stdout.read() == ""
        assert running.wait(PATIENCE_S) == 5
    (call,) = [event for event in recorded(clean_home, ID) if isinstance(event, ToolCall)]
    assert not call.success


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
def test_a_signal_that_ends_the_command_ends_m31(clean_home: Path, name: str) -> None:
    """m31 outlives the command by what recording takes, and then dies of the same signal."""
    number = signal.Signals[name]
    script = "echo ready; exec sleep 1000"
    with subprocess.Popen(
        [*M31, *RUN, "sh", "-c", script], env=environment(), stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(number)
        assert running.wait(PATIENCE_S) == -number
    (call,) = [event for event in recorded(clean_home, ID) if isinstance(event, ToolCall)]
    assert not call.success


def test_a_signal_of_the_command_to_its_group_is_not_sent_back() -> None:
    """A command that signals its own process group has the signal already."""
    script = (
        "import os, signal; seen = []; signal.signal(signal.SIGUSR1, lambda *_: seen.append(1)); "
        "os.kill(0, signal.SIGUSR1); os.system('sleep 0.3'); print(len(seen))"
    )
    done = subprocess.run(
        [*M31, *RUN, sys.executable, "-c", script],
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout == b"1\n"


def test_ignored_children_are_waited_for_all_the_same() -> None:
    """A caller that ignores SIGCHLD makes children vanish; the exit code is there still."""
    done = subprocess.run(
        [*M31, *RUN, "sh", "-c", "exit 3"],
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 3


def test_the_command_has_the_terminal(open_job: OpenJob, m31_command: tuple[str, ...]) -> None:
    """All three streams are the terminal, and it can be read from."""
    script = "test -t 0 && test -t 1 && test -t 2 && read line && echo got $line"
    job = open_job(*m31_command, *RUN, "sh", "-c", script)
    job.type(b"words\n")
    job.expect("got words")
    job.expect("ended 0")


def test_keys_and_window_sizes_reach_the_command_once(
    open_job: OpenJob, m31_command: tuple[str, ...]
) -> None:
    """The kernel gives them to the whole foreground group, so m31 does not send them on."""
    job = open_job(*m31_command, *RUN, *TELLER, "INT", "QUIT", "WINCH", "TERM")
    job.expect("ready")
    for rows in (40, 41):
        job.type(b"\x03")
        job.expect("SIGINT")
        job.type(b"\x1c")
        job.expect("SIGQUIT")
        fcntl.ioctl(job.master, termios.TIOCSWINSZ, struct.pack("4H", rows, 100, 0, 0))
        job.expect("SIGWINCH")
    time.sleep(0.1)  # for any that came twice
    os.kill(os.tcgetpgrp(job.master), signal.SIGTERM)
    job.expect("ended 5")
    for name in (b"SIGINT", b"SIGQUIT", b"SIGWINCH"):
        assert job.log.count(name) == 2


def test_ctrl_c_ends_both(
    clean_home: Path, open_job: OpenJob, m31_command: tuple[str, ...]
) -> None:
    """A command that dies of Ctrl-C is recorded, and the shell sees that the job did."""
    job = open_job(*m31_command, *RUN, "sh", "-c", "echo ready; exec sleep 1000")
    job.expect("ready")
    job.type(b"\x03")
    job.expect("ended -2")
    (call,) = [event for event in recorded(clean_home, ID) if isinstance(event, ToolCall)]
    assert not call.success


def test_ctrl_z_stops_the_job_and_fg_goes_on(
    open_job: OpenJob, m31_command: tuple[str, ...]
) -> None:
    """The shell sees the job stopped, as often as it is, and brings it back."""
    script = "echo ready; while read line; do echo got $line; done; exit 7"
    job = open_job(*m31_command, *RUN, "sh", "-c", script)
    job.expect("ready")
    for word in (b"one", b"two", b"three"):
        job.type(b"\x1a")
        job.expect("stopped SIGTSTP")
        job.bring_back()
        job.type(word + b"\n")
        job.expect(f"got {word.decode()}")
    job.type(b"\x04")
    job.expect("ended 7")


def test_a_job_stopped_from_afar_goes_on_from_afar(open_job: OpenJob) -> None:
    """TSTP and CONT sent to m31 alone stop and continue the command as well.

    Only where the system tells that they were not typed at the terminal.
    """
    script = "echo ready; while read line; do echo got $line; done"
    job = open_job(*M31, *RUN, "sh", "-c", script)
    job.expect("ready")
    m31 = os.tcgetpgrp(job.master)
    os.kill(m31, signal.SIGTSTP)
    job.expect("stopped SIGTSTP")
    os.kill(m31, signal.SIGCONT)
    job.bring_back()
    job.type(b"words\n")
    job.expect("got words")
    job.type(b"\x04")
    job.expect("ended 0")


def test_a_command_that_ignores_ctrl_z_is_not_stopped(
    open_job: OpenJob, m31_command: tuple[str, ...]
) -> None:
    """m31 stops when the command does, and only then."""
    script = "trap '' TSTP; echo ready; read line; echo got $line"
    job = open_job(*m31_command, *RUN, "sh", "-c", script)
    job.expect("ready")
    job.type(b"\x1a")
    job.type(b"words\n")
    job.expect("got words")
    job.expect("ended 0")


def test_a_terminal_that_goes_away_ends_the_command(clean_home: Path) -> None:
    """The session's leader alone hears of it, so it must tell the command."""
    terminal = Terminal(*M31, *RUN, "sh", "-c", "echo ready; exec sleep 1000")
    terminal.expect("ready")
    os.close(terminal.master)
    _, status = os.waitpid(terminal.pid, 0)
    assert os.WTERMSIG(status) == signal.SIGHUP
    (call,) = [event for event in recorded(clean_home, ID) if isinstance(event, ToolCall)]
    assert not call.success
