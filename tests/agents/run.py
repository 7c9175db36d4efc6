"""Runs one real agent against the scripted model, in a network of its own: loopback, no more.

`python -m tests.agents.run AGENT AGENTS OUT [--mcp] [--hooks] [--budget USD] [--long] [--typed]`
makes OUT/home and OUT/project, installs what it is asked to, runs the agent to its end and writes
OUT/served.json. It is a program of its own because a process that leaves its network cannot
come back.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tests.agents.scripted_model import ScriptedModel, Step

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _IS_UP = 0x8913, 0x8914, 1
_PATIENCE_S = 120
_LONG_STEPS = 12
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\s")
"""What a screen is drawn with between its letters, blanks among it."""
_KEY = "sk-ant-invented-00000000000000000000"
_MODEL = "claude-sonnet-4-5"


_BY_COMMAND = {
    "mcpServers": {"m31": {"command": sys.executable, "args": ["-m", "m31a_metrics", "mcp"]}}
}
"""The server as a person may write it down: the command, not what it starts."""


def leave_the_network() -> None:
    """Go where nothing but this process's own loopback can be reached. Raises OSError."""
    if sys.platform != "linux":
        raise OSError(None, "only Linux gives a process a network of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _NEW_NETWORK if os.geteuid() == 0 else _NEW_NETWORK | _NEW_USER
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "cannot have a network of its own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh", b"lo", 0)
        (now,) = struct.unpack("16xh", fcntl.ioctl(any_socket, _GET_FLAGS, asked)[:18])
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", now | _IS_UP))


def _steps(project: Path, agent: str) -> list[Step]:
    steps = [
        Step("run", "echo invented; sleep 0.2"),
        Step("run", "cat /nowhere/invented"),
    ]
    if agent == "claude-code":
        steps += [Step("write", str(project / "invented.txt")), Step("delegate", "look around")]
    return steps


def _claude_code(
    agents: Path, home: Path, project: Path, address: str
) -> tuple[list[str], dict[str, str]]:
    trusted = {str(project): {"hasTrustDialogAccepted": True}}
    (home / ".claude").mkdir(exist_ok=True)
    (home / ".claude.json").write_text(
        json.dumps(
            {
                "hasCompletedOnboarding": True,
                "theme": "dark",
                "customApiKeyResponses": {"approved": [_KEY[-20:]], "rejected": []},
                "projects": trusted,
            }
        )
    )
    command = [
        str(agents / "node_modules/.bin/claude"),
        "-p",
        "Please do the invented work.",
        "--model",
        _MODEL,
        "--output-format",
        "stream-json",
        "--verbose",
        "--permission-mode",
        "bypassPermissions",
    ]
    environment = {
        "ANTHROPIC_BASE_URL": address,
        "ANTHROPIC_API_KEY": _KEY,
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",
    }
    return command, environment


def _codex(agents: Path, home: Path, _: Path, address: str) -> tuple[list[str], dict[str, str]]:
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "config.toml").write_text(
        'model = "gpt-5.1-codex"\nmodel_provider = "scripted"\n'
        "check_for_update_on_startup = false\n"
        f'[model_providers.scripted]\nname = "scripted"\nbase_url = "{address}/v1"\n'
        'wire_api = "responses"\nenv_key = "SCRIPTED_KEY"\n[analytics]\nenabled = false\n'
    )
    command = [
        str(agents / "node_modules/.bin/codex"),
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "--dangerously-bypass-hook-trust",
        "Please do the invented work.",
    ]
    return command, {"SCRIPTED_KEY": "invented", "CODEX_HOME": str(home / ".codex")}


def _qwen(agents: Path, home: Path, _: Path, address: str) -> tuple[list[str], dict[str, str]]:
    (home / ".qwen").mkdir(exist_ok=True)
    path = home / ".qwen" / "settings.json"
    path.write_text(json.dumps({"security": {"auth": {"selectedType": "openai"}}}))
    command = [
        str(agents / "node_modules/.bin/qwen"),
        "-p",
        "Please do the invented work.",
        "--yolo",
    ]
    environment = {
        "OPENAI_BASE_URL": f"{address}/v1",
        "OPENAI_API_KEY": "invented",
        "OPENAI_MODEL": "qwen3-coder-plus",
    }
    return command, environment


PREPARE = {"claude-code": _claude_code, "codex": _codex, "qwen": _qwen}


class _Terminal:
    """A terminal with an agent in it, and a person who allows what they are asked."""

    def __init__(self, command: list[str], environment: dict[str, str], project: Path) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(project)
            os.execve(command[0], command, environment)  # noqa: S606 - the agent itself
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 140, 0, 0))
        self._screen = b""

    def look(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Read what is drawn for a while, allow each call, and tell whether it happened."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            ready, _, _ = select.select([self._terminal], [], [], 0.3)
            if ready:
                try:
                    self._screen += os.read(self._terminal, 1 << 16)
                except OSError:  # it is leaving
                    time.sleep(0.1)
            elif b"Doyouwant" in _ESCAPES.sub(b"", self._screen):
                self._screen = b""
                os.write(self._terminal, b"\r")
        return until()

    def say(self, words: bytes, until: Callable[[], bool]) -> None:
        """Type a line, and once more where nothing came of it. Raises TimeoutError."""
        for _ in range(3):
            os.write(self._terminal, words)
            self.look(1)
            os.write(self._terminal, b"\r")  # apart, or it is taken for a part of a paste
            if self.look(10, until):
                return
        raise TimeoutError(f"nothing came of {words!r}: {self._screen[-2000:]!r}")


def _type(
    command: list[str], environment: dict[str, str], project: Path, model: ScriptedModel
) -> int:
    """Sit before Claude Code as a person would: ask, allow each call, compact, leave."""
    terminal = _Terminal(command, environment, project)

    def is_quiet() -> bool:
        count = len(model.answers)
        terminal.look(3)
        return len(model.answers) == count > len(model.steps)

    terminal.look(4)
    terminal.say(b"Please do the invented work.", lambda: bool(model.answers))
    if not terminal.look(_PATIENCE_S, is_quiet):
        raise TimeoutError(f"it went no further than {len(model.answers)} answers")
    terminal.say(b"/compact", lambda: any(one.kind == "compaction" for one in model.answers))
    terminal.look(4)
    terminal.say(b"/exit", lambda: _has_ended(terminal.pid))
    return 0


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def _m31(home: Path, *arguments: str) -> None:
    environment = {**os.environ, "HOME": str(home)}
    command = [sys.executable, "-m", "m31a_metrics", *arguments]
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL)


def main() -> int:
    """Run an agent; its own exit code is written down and is not ours."""
    parser = argparse.ArgumentParser()
    parser.add_argument("agent", choices=PREPARE)
    parser.add_argument("agents", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mcp", action="store_true", help="with m31's tools, which it asks")
    parser.add_argument("--mcp-config", action="store_true", help="so, by a file (Claude Code)")
    parser.add_argument("--hooks", action="store_true")
    parser.add_argument("--budget", type=float, help="set up, with so many dollars a session")
    parser.add_argument("--long", action="store_true", help="work that outlasts a settling")
    parser.add_argument("--typed", action="store_true", help="before a terminal (Claude Code)")
    asked = parser.parse_args()
    leave_the_network()
    home, project = asked.out / "home", asked.out / "project"
    home.mkdir(parents=True)
    project.mkdir()
    steps = _steps(project, asked.agent)
    if asked.long:
        steps = [Step("run", f"echo {number}; sleep 2") for number in range(_LONG_STEPS)]
    if asked.mcp or asked.mcp_config:
        # Without a subagent, which works beside the questions about what was done.
        steps = [*steps[:2], Step("ask", "tools"), Step("ask", "session")]
    model = ScriptedModel(steps)
    with model.serving() as address:
        command, environment = PREPARE[asked.agent](asked.agents, home, project, address)
        if asked.mcp:
            _m31(home, "mcp", "install", asked.agent, "--yes")
        if asked.mcp_config:
            command += ["--mcp-config", json.dumps(_BY_COMMAND)]
        if asked.budget is not None:
            _m31(home, "setup", asked.agent, "--session-usd", str(asked.budget), "--yes")
        if asked.hooks:
            _m31(home, "hooks", "install", asked.agent, "--yes")
        environment |= {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        if asked.typed:
            command = [command[0], "--model", _MODEL]
            exit_code = _type(command, {**environment, "TERM": "xterm-256color"}, project, model)
        else:
            with (asked.out / "stdout").open("w") as out, (asked.out / "stderr").open("w") as err:
                exit_code = subprocess.run(
                    command,
                    cwd=project,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    timeout=_PATIENCE_S,
                    check=False,
                ).returncode
    served = {
        "exit_code": exit_code,
        "answers": [asdict(one) for one in model.answers],
        "unknown": model.unknown,
        "told": model.told,
    }
    (asked.out / "served.json").write_text(json.dumps(served))
    return 0


if __name__ == "__main__":
    sys.exit(main())
