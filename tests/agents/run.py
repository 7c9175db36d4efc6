"""Runs one real agent against the scripted model, in a network of its own: loopback, no more.

`python -m tests.agents.run AGENT AGENTS OUT [--hooks] [--otlp] [--mcp] [--again] [--budget USD]
[--long] [--typed]` makes OUT/home and OUT/project, installs what it is asked to, runs the agent
to its end and writes OUT/served.json. It is a program of its own because a process that leaves
its network cannot come back.
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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from m31a_metrics.live.otlp.install import FUNCTIONS
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
        steps.append(Step("write", str(project / "invented.txt")))
    if agent in ("claude-code", "copilot-cli", "opencode"):
        steps.append(Step("delegate", "look around"))
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


def _gemini(agents: Path, home: Path, _: Path, address: str) -> tuple[list[str], dict[str, str]]:
    (home / ".gemini").mkdir(exist_ok=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "tools": {"useRipgrep": False},
    }
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    command = [
        str(agents / "node_modules/.bin/gemini"),
        "-p",
        "Please do the invented work.",
        "--yolo",
    ]
    environment = {
        "GOOGLE_GEMINI_BASE_URL": address,
        "GEMINI_API_KEY": "invented",
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "NO_BROWSER": "1",
    }
    return command, environment


def _copilot(agents: Path, _: Path, __: Path, address: str) -> tuple[list[str], dict[str, str]]:
    command = [
        str(agents / "node_modules/.bin/copilot"),
        "-p",
        "Please do the invented work.",
        "--allow-all-tools",
        "--allow-all-paths",
    ]
    environment = {
        "COPILOT_PROVIDER_BASE_URL": f"{address}/v1",
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_PROVIDER_API_KEY": "invented",
        "COPILOT_MODEL": "gpt-4o",
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
    }
    return command, environment


def _opencode(agents: Path, home: Path, _: Path, address: str) -> tuple[list[str], dict[str, str]]:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "scripted",
        "options": {"baseURL": f"{address}/v1", "apiKey": "invented"},
        "models": {"gpt-4o": {"name": "gpt-4o", "limit": {"context": 128_000, "output": 4096}}},
    }
    settings = {
        "autoupdate": False,
        "share": "disabled",
        "model": "scripted/gpt-4o",
        "provider": {"scripted": provider},
        "permission": {"bash": "allow", "edit": "allow", "external_directory": "allow"},
    }
    (folder / "opencode.json").write_text(json.dumps(settings))
    command = [
        str(agents / "node_modules/.bin/opencode"),
        "run",
        "--format",
        "json",
        "Please do the invented work.",
    ]
    off = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
    return command, {f"OPENCODE_DISABLE_{what}": "1" for what in off}


PREPARE = {
    "claude-code": _claude_code,
    "codex": _codex,
    "copilot-cli": _copilot,
    "gemini-cli": _gemini,
    "opencode": _opencode,
    "qwen": _qwen,
}


def _going_on(agent: str, command: list[str]) -> list[str]:
    """The command that goes on with the session that the same command began."""
    *first, words = command
    if agent == "codex":
        at = command.index("exec") + 1
        return [*command[:at], "resume", "--last", *command[at:]]
    if agent == "opencode":
        return [*first, "--continue", words]
    return [*command, *(("--resume", "latest") if agent == "gemini-cli" else ("--continue",))]


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


_M31 = [sys.executable, "-m", "m31a_metrics"]


def _m31(home: Path, *arguments: str) -> None:
    environment = {**os.environ, "HOME": str(home)}
    command = [*_M31, *arguments]
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL)


@contextmanager
def _collecting(home: Path, log: Path) -> Iterator[None]:
    """Take what is sent, as `m31 collect` does for a person."""
    environment = {**os.environ, "HOME": str(home)}
    with log.open("w") as errors:
        server = subprocess.Popen(
            [*_M31, "collect"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert server.stdout is not None
        if not server.stdout.readline():  # the address, once it listens
            raise OSError(None, f"m31 collect ended: {log.read_text()}")
        yield
    finally:
        server.terminate()
        server.wait(_PATIENCE_S)


def _in_a_shell(command: list[str], functions: Path) -> list[str]:
    """Start an agent as a person's shell does once it reads what `m31 otlp install` wrote."""
    started = f'. {functions}; agent=$1; shift; "$agent" "$@"'
    return ["bash", "-c", started, "bash", Path(command[0]).name, *command[1:]]


def _run(command: list[str], environment: dict[str, str], project: Path, out: Path) -> int:
    """Wait for an agent that asks nobody anything. Raises TimeoutExpired."""
    with (out / "stdout").open("w") as told, (out / "stderr").open("w") as errors:
        return subprocess.run(
            command,
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=errors,
            timeout=_PATIENCE_S,
            check=False,
        ).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("agent", choices=PREPARE)
    parser.add_argument("agents", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mcp", action="store_true", help="with m31's tools, which it asks")
    parser.add_argument("--mcp-config", action="store_true", help="so, by a file (Claude Code)")
    parser.add_argument("--hooks", action="store_true")
    parser.add_argument("--otlp", action="store_true", help="send to m31 collect, too")
    parser.add_argument("--again", action="store_true", help="end, and go on with the session")
    parser.add_argument("--budget", type=float, help="set up, with so many dollars a session")
    parser.add_argument("--long", action="store_true", help="work that outlasts a settling")
    parser.add_argument("--typed", action="store_true", help="before a terminal (Claude Code)")
    return parser.parse_args()


def _steps_of(asked: argparse.Namespace, project: Path) -> list[Step]:
    steps = _steps(project, asked.agent)
    if asked.long:
        steps = [Step("run", f"echo {number}; sleep 2") for number in range(_LONG_STEPS)]
    if asked.mcp or asked.mcp_config:
        # Without a subagent, which works beside the questions about what was done.
        steps = [*steps[:2], Step("ask", "tools"), Step("ask", "session")]
    return steps


def _set_up(asked: argparse.Namespace, home: Path) -> None:
    """Install what the agent is to have of m31."""
    if asked.mcp:
        _m31(home, "mcp", "install", asked.agent, "--yes")
    if asked.budget is not None:
        _m31(home, "setup", asked.agent, "--session-usd", str(asked.budget), "--yes")
    if asked.hooks:
        _m31(home, "hooks", "install", asked.agent, "--yes")


def _work(
    asked: argparse.Namespace,
    command: list[str],
    environment: dict[str, str],
    project: Path,
    model: ScriptedModel,
) -> int:
    """Run an agent to its end, as often as it is asked to; its exit code."""
    home = asked.out / "home"
    if asked.mcp_config:
        command += ["--mcp-config", json.dumps(_BY_COMMAND)]
    with ExitStack() as meanwhile:
        commands = [command]
        if asked.again:
            commands.append(_going_on(asked.agent, command))
        if asked.otlp:
            meanwhile.enter_context(_collecting(home, asked.out / "collect"))
            _m31(home, "otlp", "install", asked.agent)
            functions = home / ".m31a" / "live" / FUNCTIONS
            if functions.exists():
                commands = [_in_a_shell(one, functions) for one in commands]
        if asked.typed:
            terminal = environment | {"TERM": "xterm-256color"}
            return _type([command[0], "--model", _MODEL], terminal, project, model)
        return max(_run(one, environment, project, asked.out) for one in commands)


def main() -> int:
    """Run an agent; its own exit code is written down and is not ours."""
    asked = _arguments()
    leave_the_network()
    home, project = asked.out / "home", asked.out / "project"
    home.mkdir(parents=True)
    project.mkdir()
    model = ScriptedModel(_steps_of(asked, project))
    with model.serving() as address:
        command, environment = PREPARE[asked.agent](asked.agents, home, project, address)
        _set_up(asked, home)
        path = f"{asked.agents}/node_modules/.bin:{os.environ['PATH']}"
        environment |= {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}
        exit_code = _work(asked, command, environment, project, model)
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
