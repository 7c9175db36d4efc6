"""The agents that hooks are installed in: where their settings are, and what stands there.

A command is bare Python, running a file of ours that may be gone. `python -I -S missing.py`
would end with 2, by which a hook denies. So a guard in `-c` runs the file as a module (its
bytecode is kept, which spares compiling it each time), and ends with 0 and without a word
whatever is missing or broken (docs/decisions/hook-in-bare-python.md). The call in it must stay
what it is from version to version: by it we know our own entries.

Events that only tell are asynchronous. Where a budget may deny, a tool call and a prompt wait
for the answer; Claude Code starts that one without a shell, which spares a third of the time.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

_GUARD = (
    'import sys,posix;exec("try:\\n sys.path[:0]=sys.argv[1:2];'
    'import {0};{0}.main(*sys.argv[1:])\\nfinally:posix._exit(0)")'
)
HOOK, STATUSLINE = "hook", "statusline"


def interpreter() -> str:
    """The real interpreter: no shim, no link, and not that of an environment that may go."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    path = os.path.realpath(base)
    return path if os.access(path, os.X_OK) else sys.executable


def arguments(program: str, live_dir: str, *more: str) -> list[str]:
    """The command that runs a program of `live_dir`, for whoever starts it without a shell."""
    return [interpreter(), "-I", "-S", "-c", _GUARD.format(program), live_dir, *more]


def shell_command(program: str, live_dir: str, *more: str) -> str:
    """The same for a shell: it is silent and ends with 0 where the interpreter is gone, too."""
    return f"{shlex.join(arguments(program, live_dir, *more))} 2>/dev/null || true"


def is_ours(program: str, entry: object) -> bool:
    """Tell whether an entry of settings runs a program of ours, of any version."""
    if not isinstance(entry, dict):
        return False
    more = entry.get("args")
    words: Sequence[object] = more if isinstance(more, list) else ()
    call = f"import {program};{program}.main("
    return any(isinstance(word, str) and call in word for word in (entry.get("command"), *words))


Entry = dict[str, object]


def _claude_code(live_dir: str, _: str, waits: bool) -> Entry:
    if waits:
        python, *more = arguments(HOOK, live_dir, "claude-code")
        return {"hooks": [{"type": "command", "command": python, "args": more, "timeout": 10}]}
    command = shell_command(HOOK, live_dir, "claude-code")
    return {"hooks": [{"type": "command", "command": command, "async": True}]}


def _codex(live_dir: str, event: str, waits: bool) -> Entry:
    one: Entry = {"type": "command", "command": shell_command(HOOK, live_dir, "codex")}
    if event == "SessionEnd":  # runs while Codex waits, for 3 s at most: it warns of anything else
        return {"hooks": [one | {"timeout": 3}]}
    return {"hooks": [one | _asynchronous(waits) | {"timeout": 10}]}


def _qwen(live_dir: str, _: str, waits: bool) -> Entry:
    one: Entry = {"type": "command", "command": shell_command(HOOK, live_dir, "qwen")}
    one |= {"name": "m31a-metrics"} | _asynchronous(waits)
    return {"matcher": "*", "hooks": [one | {"timeout": 10_000}]}  # in milliseconds, here alone


def _asynchronous(waits: bool) -> Entry:
    return {} if waits else {"async": True}


class Agent(Struct, frozen=True):
    """An agent with hooks. `tells` are events that are only told; `asks` wait with a budget.

    `command` starts it; `folder` is where its settings are, below the home or where `variable`
    says; `needs` is what only a person can do. `entry` gives what stands under an event.
    """

    name: str
    title: str
    command: str
    variable: str
    folder: str
    file: str
    tells: tuple[str, ...]
    asks: tuple[str, ...]
    entry: Callable[[str, str, bool], Entry]
    needs: str = ""
    project_file: str = ""
    has_statusline: bool = False

    def home(self, environ: Mapping[str, str]) -> str:
        """The folder of its settings. Of several that are named the first."""
        given = environ.get(self.variable, "").partition(",")[0].strip()
        return given or f"{environ.get('HOME') or os.path.expanduser('~')}/{self.folder}"

    def entries(self, live_dir: str, *, budget: bool) -> dict[str, Entry]:
        """What is to stand under each event."""
        waiting = self.asks if budget else ()
        events = [*self.tells, *(event for event in waiting if event not in self.tells)]
        return {event: self.entry(live_dir, event, event in waiting) for event in events}


_TOLD = (
    *("SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "SubagentStop"),
    *("PostCompact", "Stop", "SessionEnd"),
)

AGENTS = {
    agent.name: agent
    for agent in (
        Agent(
            "claude-code",
            "Claude Code",
            "claude",
            "CLAUDE_CONFIG_DIR",
            ".claude",
            "settings.json",
            _TOLD,
            ("PreToolUse", "UserPromptSubmit"),
            _claude_code,
            project_file=".claude/settings.local.json",
            has_statusline=True,
        ),
        Agent(
            "codex",
            "Codex",
            "codex",
            "CODEX_HOME",
            ".codex",
            "hooks.json",
            # It has no event for a failure, and tells the length of no call: hence both ends.
            ("PreToolUse", *(event for event in _TOLD if event != "PostToolUseFailure")),
            ("PreToolUse",),
            _codex,
            needs="it runs no hook that nobody trusts: type /hooks in Codex and trust them",
        ),
        Agent(
            "qwen",
            "Qwen Code",
            "qwen",
            "QWEN_HOME",
            ".qwen",
            "settings.json",
            _TOLD,
            ("PreToolUse", "UserPromptSubmit"),
            _qwen,
        ),
    )
}
"""By the names that `--agent` has for them."""
