"""`m31 run` stands between a command and its caller, and neither notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from m31a_metrics import load
from m31a_metrics.codec import decode
from m31a_metrics.events import NOT_STARTED, PhaseDuration, PhaseTransition, SessionStart, ToolCall
from m31a_metrics.session import Session
from tests.children import PATIENCE_S
from tests.commands import M31, environment, m31, recorded

ID = "s"
RUN = ("run", "--session", ID)


def sessions(home: Path) -> Path:
    """The default sessions directory."""
    return home / ".m31a" / "sessions"


def tool_calls(home: Path, session_id: str = ID) -> list[ToolCall]:
    """The tool calls of a session."""
    return [event for event in recorded(home, session_id) if isinstance(event, ToolCall)]


@pytest.mark.parametrize("code", [0, 1, 2, 126, 128, 130, 255])
def test_exit_code_is_the_commands(clean_home: Path, code: int) -> None:
    """Whatever the command exits with, m31 does too; only 0 counts as success."""
    done = m31(*RUN, "--", "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    (call,) = tool_calls(clean_home)
    assert (call.name, call.success, call.error) == ("sh", code == 0, None)
    assert 0 < call.duration_ms < 10_000


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGINT", "SIGABRT"])
def test_death_by_signal_is_the_commands(clean_home: Path, tmp_path: Path, name: str) -> None:
    """A command that dies of a signal is recorded; then m31 dies of it, without a core."""
    argv = [*M31, *RUN, "--", "sh", "-c", f"ulimit -c 0; kill -{name[3:]} $$"]
    script = 'ulimit -c unlimited 2>/dev/null; cd "$0"; exec "$@"'
    pid = os.posix_spawnp("sh", ["sh", "-c", script, str(tmp_path), *argv], environment())
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.Signals[name]
    assert not os.WCOREDUMP(status)
    assert not list(tmp_path.iterdir())
    (call,) = tool_calls(clean_home)
    assert not call.success


def test_streams_are_untouched() -> None:
    """Binary data goes through byte by byte, and stderr stays apart."""
    data = os.urandom(300_000)
    script = "cat; printf 'problem\\n' >&2"
    done = subprocess.run(
        [*M31, *RUN, "--", "sh", "-c", script],
        env=environment(),
        input=data,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == data
    assert done.stderr == b"problem\n"


def test_streams_are_the_very_same_descriptors(tmp_path: Path) -> None:
    """The command writes to our own files, not to pipes: it could even seek in them."""
    script = "import os; print(os.stat(0).st_ino, os.stat(1).st_ino, os.stat(7).st_ino)"
    paths = [tmp_path / name for name in ("in", "out", "more")]
    for path in paths:
        path.touch()
    opened = 'exec <"$0" >"$1" 7<"$2"; shift 2; exec "$@"'
    argv = [*M31, *RUN, "--", sys.executable, "-c", script]
    subprocess.run(["sh", "-c", opened, *paths, *argv], env=environment(), check=True)
    assert paths[1].read_text().split() == [str(path.stat().st_ino) for path in paths]


def test_output_may_be_large() -> None:
    """Fifty megabytes go through as they are."""
    size = 50_000_000
    argv = [*M31, *RUN, "--", "head", "-c", str(size), "/dev/zero"]
    with subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        read = 0
        while chunk := running.stdout.read(1 << 20):
            read += len(chunk)
    assert (read, running.returncode) == (size, 0)


def test_a_reader_that_leaves_ends_the_command(clean_home: Path) -> None:
    """`m31 run -- yes | head -1` ends: the command dies of SIGPIPE as it would without us."""
    with subprocess.Popen(
        [*M31, *RUN, "--", "yes"], env=environment(), stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"y\n"
        running.stdout.close()
        assert running.wait(PATIENCE_S) == -signal.SIGPIPE
    assert [call.success for call in tool_calls(clean_home)] == [False]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stay_closed(closed: str) -> None:
    """What the caller closed is closed for the command, and nothing of ours takes its place."""
    script = (
        "for n in 0 1 2; do [ -e /dev/fd/$n ] || code=$((${code:-64} + n + 1)); done; exit $code"
    )
    plain = subprocess.run(["sh", "-c", f'sh -c "$0" {closed}', script], check=False)
    argv = [*M31, *RUN, "--", "sh", "-c", script]
    through = subprocess.run(
        ["sh", "-c", f'"$0" "$@" {closed}', *argv], env=environment(), check=False
    )
    assert plain.returncode > 64
    assert through.returncode == plain.returncode


def test_signal_mask_and_dispositions_are_those_that_m31_was_given() -> None:
    """What the caller blocks or ignores stays so; what Python ignores does not come along."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to see a process's signals")

    def as_given() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    command = ["grep", "^Sig[BIC]", "/proc/self/status"]
    plain, through = (
        subprocess.run(
            argv, env=environment(), preexec_fn=as_given, stdout=subprocess.PIPE, check=True
        ).stdout.split()
        for argv in (command, [*M31, *RUN, "--", *command])
    )
    assert len(plain) == 6
    # The C library keeps signals 32 and 33 for itself, and lets a child start ignoring them.
    given, arrived = (
        [int(mask, 16) & ~(3 << 31) for mask in printed[1::2]] for printed in (plain, through)
    )
    assert arrived == given


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["--", "printf", "%s.", "--", "-x"], "--.-x."),
        (["printf", "%s.", "--session", "other", "--", "--phase"], "--session.other.--.--phase."),
        (["--tool", "T", "--", "printf", "%s.", "", " a  b ", "*", "--help"], ". a  b .*.--help."),
    ],
)
def test_the_commands_own_arguments_are_left_alone(
    clean_home: Path, arguments: list[str], printed: str
) -> None:
    """Options behind the command are the command's, and so is every `--` but the first."""
    done = m31(*RUN, *arguments)
    assert (done.returncode, done.stdout) == (0, printed)
    assert len(tool_calls(clean_home)) == 1


def test_arguments_that_are_no_text() -> None:
    """Bytes that are no UTF-8 reach the command as they are."""
    argv = [*(part.encode() for part in (*M31, *RUN)), b"--", b"printf", b"%s", b"\xff\xc3"]
    assert subprocess.run(argv, env=environment(), stdout=-1, check=True).stdout == b"\xff\xc3"


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("no-such-command", 127, "No such file or directory"),
        ("./no-such-file", 127, "No such file or directory"),
        ("./plain.txt", 126, "Permission denied"),
        ("/", 126, "Permission denied"),
        ("", 127, "No such file or directory"),
    ],
)
def test_a_command_that_cannot_be_started(
    *,
    clean_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int,
    reason: str,
) -> None:
    """127 for what is not found, 126 for what cannot be run, one sentence, a failed call."""
    monkeypatch.chdir(tmp_path)
    Path("plain.txt").write_text("words")
    done = m31(*RUN, "--", name)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"m31: cannot run {name or repr(name)}: {reason}\n"
    (call,) = tool_calls(clean_home)
    assert (call.name, call.success) == (os.path.basename(name) or name or "?", False)
    assert (call.error or "").startswith(NOT_STARTED)


def test_a_script_without_an_interpreter_is_one_for_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell would run it, and so would execvp; found on PATH or by its place."""
    script = tmp_path / "script"
    script.write_text('echo "$0 $1"; exit 3\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name in ("script", str(script)):
        done = m31(*RUN, "--", name, "word")
        assert (done.returncode, done.stdout) == (3, f"{script} word\n")


def test_what_is_recorded(clean_home: Path) -> None:
    """A new session starts when the command does, a phase is entered and ends with it."""
    done = m31(*RUN, "--phase", "plan", "--tool", "Bash", "--", "sh", "-c", "sleep 0.05; exit 4")
    assert done.returncode == 4
    start, entered, call, ended = recorded(clean_home, ID)
    assert isinstance(start, SessionStart)
    assert isinstance(entered, PhaseTransition)
    assert isinstance(call, ToolCall)
    assert isinstance(ended, PhaseDuration)
    assert start.t_us == entered.t_us <= call.t_us - 50_000
    assert call.t_us == ended.t_us
    assert (call.name, call.success) == ("Bash", False)
    assert (entered.phase, ended.phase, ended.success) == ("plan", "plan", False)
    assert 50 <= call.duration_ms == ended.duration_ms < 10_000
    assert Session(str(sessions(clean_home)), ID).is_current()
    metrics = load(sessions(clean_home), ID)
    assert metrics is not None
    assert (metrics.tools[0].fail_count, metrics.phases[0].transition_count) == (1, 1)


def test_what_is_said_of_the_session(clean_home: Path) -> None:
    """Labels and the rest are the session's first event, before the phase and the call."""
    said = ["--label", "prompt=b", "--agent", "my-bot", "--project", "/src/shop", "--branch", "x"]
    assert m31(*RUN, *said, "--phase", "plan", "--", "true").returncode == 0
    start, *others = recorded(clean_home, ID)
    assert start == SessionStart(
        start.t_us, agent="my-bot", project="/src/shop", branch="x", labels={"prompt": "b"}
    )
    assert [type(event) for event in others] == [PhaseTransition, ToolCall, PhaseDuration]


def test_the_session_may_come_from_the_environment_or_be_new(clean_home: Path) -> None:
    """--session goes before M31A_SESSION, and without either a new session is made."""
    script = 'printf %s "$M31A_SESSION"'
    assert m31("run", "--", "sh", "-c", script, M31A_SESSION="from-env").stdout == "from-env"
    assert m31(*RUN, "--", "sh", "-c", script, M31A_SESSION="from-env").stdout == ID
    new = m31("run", "--", "sh", "-c", script, M31A_SESSION="").stdout
    assert len(new) == 8
    assert {path.name for path in sessions(clean_home).iterdir()} == {"from-env", ID, new}
    for session_id in ("from-env", ID, new):
        assert len(tool_calls(clean_home, session_id)) == 1


def test_a_command_inside_joins_the_session(clean_home: Path) -> None:
    """`m31 record` within `m31 run` records to the same session."""
    inner = '"$0" -c "$1" record edit exact_match && "$0" -c "$1" run -- true'
    assert m31("run", "--session", "outer", "sh", "-c", inner, M31[0], M31[2]).returncode == 0
    metrics = decode((sessions(clean_home) / "outer" / "METRICS.json").read_bytes())
    assert [tool.name for tool in metrics.tools] == ["true", "sh"]
    assert [(row.strategy, row.count) for row in metrics.edit_strategies] == [("exact_match", 1)]


@pytest.mark.parametrize("session_id", ["../x", "", ".", "a/b", "x" * 129])
def test_an_id_that_could_leave_the_directory_is_refused(clean_home: Path, session_id: str) -> None:
    """A wrong --session is wrong usage: one sentence, exit code 2, and nothing is run."""
    done = m31("run", "--session", session_id, "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("m31: session id ")
    assert not (clean_home / ".m31a").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["--tool", "", "true"], ["--nonsense", "true"], ["--label", "prompt", "true"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    """No command, an empty name or an unknown option: exit code 2, and nothing is run."""
    done = m31(*RUN, *arguments)
    assert done.returncode == 2
    assert done.stderr


TROUBLE = {
    "a file in the way": (["--sessions-dir", "{tmp}/file"], {}),
    "a link in the way": (["--sessions-dir", "{tmp}", "--session", "link"], {}),
    "a bad configuration": ([], {"M31A_CONFIG": "{tmp}/bad.toml"}),
    "no configuration": ([], {"M31A_CONFIG": "{tmp}/none.toml"}),
    "a bad switch": ([], {"M31A_METRICS_ENABLED": "perhaps"}),
    "a bad id around us": ([], {"M31A_SESSION": "../x"}),
}


@pytest.mark.parametrize("kind", TROUBLE)
def test_trouble_with_recording_is_one_line(tmp_path: Path, kind: str) -> None:
    """The command runs and its exit code stands, whatever recording runs into."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "bad.toml").write_text("[metrics]\nnonsense = 1\n")
    arguments, environ = TROUBLE[kind]
    done = m31(
        "run",
        *(argument.format(tmp=tmp_path) for argument in arguments),
        *("--phase", "p", "--", "sh", "-c", "echo out; exit 9"),
        **{name: value.format(tmp=tmp_path) for name, value in environ.items()},
    )
    assert (done.returncode, done.stdout) == (9, "out\n")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("m31: this run is not recorded: ")


@pytest.mark.parametrize("session_id", ["old", "new"])
def test_a_full_disk_is_one_line(clean_home: Path, session_id: str) -> None:
    """A limit on the size of files stands for it; it strikes in old and new sessions."""
    m31("run", "--session", "old", "--", "true")
    argv = [*M31, "run", "--session", session_id, "--", "sh", "-c", "exit 9"]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *argv],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9
    assert done.stderr.count("\n") == 1
    assert "this run is not recorded: " in done.stderr
    assert "File too large" in done.stderr
    assert len(tool_calls(clean_home, session_id)) == (session_id == "old")


def test_a_summary_that_cannot_be_written_is_one_line(clean_home: Path) -> None:
    """What was appended counts; that METRICS.json lags behind is said."""
    m31(*RUN, "--", "true")
    summary = sessions(clean_home) / ID / "METRICS.json"
    summary.unlink()
    summary.mkdir()
    done = m31(*RUN, "--", "true")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "recorded, but METRICS.json is not up to date: " in done.stderr
    assert len(tool_calls(clean_home)) == 2


def test_disabled_only_runs_the_command(clean_home: Path) -> None:
    """With metrics disabled nothing is written, and the exit code is the command's."""
    script = 'printf %s "$M31A_SESSION"; exit 6'
    done = m31(*RUN, "--phase", "p", "--", "sh", "-c", script, M31A_METRICS_ENABLED="0")
    assert (done.returncode, done.stdout, done.stderr) == (6, "", "")
    assert not (clean_home / ".m31a").exists()


def test_large_journals_are_left_to_the_readers(clean_home: Path) -> None:
    """Where folding would take its time, METRICS.json is not refreshed, and a load is exact."""
    m31(*RUN, "--", "true")
    path = sessions(clean_home) / ID / "METRICS.json"
    before = path.read_bytes()
    session = Session(str(sessions(clean_home)), ID)
    for _ in range(11):
        session.append([ToolCall(1, "x" * 100, True, 1)] * 1000)
    m31(*RUN, "--", "true")
    assert path.read_bytes() == before
    metrics = load(sessions(clean_home), ID)
    assert metrics is not None
    assert {tool.call_count for tool in metrics.tools} == {2, 11_000}
