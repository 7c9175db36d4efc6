"""Running a command as if nobody stood between it and whoever called us.

The command inherits our descriptors, and starts with the signal mask and dispositions
that we were given. While it runs, every signal is blocked here and waited for: one sent
to us is sent on, one typed at the terminal is not, for the kernel gave it to the whole
foreground process group. When the command is stopped (Ctrl-Z), so are we, and the shell
sees the job stopped.

What cannot be told apart: a signal that another process sends to our whole process
group, which a command that handles it gets twice. And only Linux says where a signal
comes from: elsewhere INT, QUIT and TSTP sent to us alone while we are in the foreground
are taken for keys.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from typing import NoReturn

_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ignored by every Python at its start; a command that inherited that would not end."""

_DROPPED_UNLESS_HANDLED = (signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT, signal.SIGURG)
"""Their default is to do nothing: some systems then drop them although they are blocked."""

_TYPED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH)
_OF_JOB_CONTROL = (*_TYPED, signal.SIGTTIN, signal.SIGTTOU)


def run(command: list[str], environ: Mapping[str, str]) -> int:
    """Run a command to its end; return its exit code, or minus the signal that ended it.

    All signals stay blocked afterwards, so that what remains to be done is done. Raises
    OSError, with no signal blocked, where the command cannot be started.
    """
    given_mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _keep_what_would_be_dropped()
    try:
        pid = _start(command, environ, given_mask)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, given_mask)
        raise
    while True:
        signum, reached_the_command = _next_signal(pid)
        if signum == signal.SIGCHLD:
            code = _look_at(pid)
            if code is not None:
                return code
        elif not reached_the_command:
            _send_on(pid, signum)


def die_of(signum: int) -> NoReturn:
    """End this process by a signal, as the command ended, without a second core dump."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte is too small for any core; 0 would still start a core-dump program.
    soft = hard if 0 <= hard < 1 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    _take_by_default(signum)
    os._exit(128 + signum)  # only if it did not kill us, as a system's odd signals may not


def _start(command: list[str], environ: Mapping[str, str], mask: Iterable[int]) -> int:
    if not command[0]:  # which Python refuses, and every system fails to find
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        return os.posix_spawnp(
            command[0], command, environ, setsigmask=mask, setsigdef=_PYTHON_IGNORES
        )
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # A script without `#!` is one for the shell, as execvp has it.
    script = ["/bin/sh", _found(command[0]), *command[1:]]
    return os.posix_spawn(script[0], script, environ, setsigmask=mask, setsigdef=_PYTHON_IGNORES)


def _found(name: str) -> str:
    if "/" in name:
        return name
    paths = (f"{directory or '.'}/{name}" for directory in os.get_exec_path())
    return next((path for path in paths if os.access(path, os.X_OK)), name)


def _keep_what_would_be_dropped() -> None:
    for signum in _DROPPED_UNLESS_HANDLED:
        # A command starts with the default where we have a handler. SIGCHLD must not
        # stay ignored: the command's exit code would be thrown away.
        if signum == signal.SIGCHLD or signal.getsignal(signum) is signal.SIG_DFL:
            signal.signal(signum, _never_called)


def _never_called(*_: object) -> None:
    """Stand as a handler of a signal that is blocked and waited for."""


if sys.platform == "linux":

    def _next_signal(pid: int) -> tuple[int, bool]:
        """Wait for a signal; also whether the command got it without us."""
        info = signal.sigwaitinfo(signal.valid_signals())
        if info.si_code > 0:
            # The kernel's own. What comes from the terminal is for the whole group, but
            # a session's leader hears alone that the terminal is gone.
            to_group = info.si_signo in _OF_JOB_CONTROL or (
                info.si_signo == signal.SIGHUP and os.getsid(0) != os.getpid()
            )
            return info.si_signo, to_group
        return info.si_signo, info.si_pid == pid  # it signalled its group, us among it

else:

    def _next_signal(pid: int) -> tuple[int, bool]:  # noqa: ARG001 - the same everywhere
        """Wait for a signal; also whether the command probably got it without us."""
        signum = signal.sigwait(signal.valid_signals())
        return signum, signum in _OF_JOB_CONTROL and _in_foreground()


def _send_on(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except OSError:
        pass  # it is another user's by now (sudo), who could not be signalled without us either


def _look_at(pid: int) -> int | None:
    """Follow the command's changes of state; its exit code if it has ended."""
    while True:
        changed, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if not changed:
            return None
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        if _has_terminal():
            # Without a terminal there is no shell that would wake us again.
            _take_by_default(os.WSTOPSIG(status))


def _take_by_default(signum: int) -> None:
    """Stop, or end, by a signal as a process does that knows nothing of signals."""
    if signum not in (signal.SIGSTOP, signal.SIGKILL):
        signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _has_terminal() -> bool:
    return _terminal_group() is not None


def _in_foreground() -> bool:
    return _terminal_group() == os.getpgrp()


def _terminal_group() -> int | None:
    """The foreground process group of our terminal; None without a terminal."""
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.tcgetpgrp(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
