"""An invented home: what four agents wrote there in the last 60 days. Nobody's text is in it.

Everything but the time is the same at every run: the same sessions, figures and words, so
many days before the moment for which the home is made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tools.screenshots import stories
from tools.screenshots.stories import Act, Project, Turn

HOME = "/home/ada"
"""Where the person of the pictures lives; the home itself lies in some temporary folder."""
DAYS = 60
"""So that a month has one before it."""
BUDGET = "[metrics.budget]\nday_usd = 12\nmonth_usd = 100\n"

CLAUDE, CODEX, GEMINI, OPENCODE = "claude-code", "codex", "gemini-cli", "opencode"
LONG_SESSION = "7c1e0f52-3b7a-4c11-9d0e-5a1f60c2b7d4"
"""The session that pages about one session show: with failures, heals, a picture, a subagent."""
RUNNING_SESSION = "a4d2c6e8-91b3-4f57-8c2d-0e6f7a8b9c1d"

_SUNDAY = 6
_AGENTS = (CLAUDE, CLAUDE, CLAUDE, CODEX, CODEX, GEMINI, OPENCODE)
_MODELS = {
    CLAUDE: (*(4 * ["claude-sonnet-4-5-20250929"]), "claude-opus-4-1"),
    CODEX: ("gpt-5-codex",),
    GEMINI: ("gemini-2.5-pro", "gemini-2.5-flash"),
    OPENCODE: ("claude-haiku-4-5",),
}


def lay_out(home: Path, now: datetime) -> None:
    """Write the home as it is at a time."""
    chance = Random(31)  # noqa: S311 - the same every time, and no secret
    told = [(project, story) for project in stories.PROJECTS for story in project.stories]
    told += [(project, stories.again(story)) for project, story in told]
    before = list(told)
    chance.shuffle(before)
    chance.shuffle(told)
    told = before + told
    for number, (project, story) in enumerate(told):
        agent = _AGENTS[number % len(_AGENTS)]
        # None on Sundays, more on some days than on others.
        ended_at = now - timedelta(
            days=DAYS - 1 - (number + chance.randint(-2, 2)) * (DAYS - 1) // len(told),
            minutes=chance.randint(70, 500),
        )
        if ended_at.weekday() == _SUNDAY or ended_at > now - timedelta(minutes=60):
            continue
        Session(chance, agent, project, story, size=chance.randint(1, 4)).write(home, ended_at)
    for ended_at, session in _lately(chance, now):
        session.write(home, ended_at)
    (home / ".m31a").mkdir(mode=0o700)
    (home / ".m31a" / "config.toml").write_text(BUDGET)


def _lately(chance: Random, now: datetime) -> Iterator[tuple[datetime, Session]]:
    """Give the sessions of this day: four that are over, and three that run."""
    shop, atlas, notes, greenhouse = stories.PROJECTS
    whole = Session(
        chance, CLAUDE, shop, stories.LONG, size=6, session_id=LONG_SESSION, has_picture=True
    )
    whole.model = _MODELS[CLAUDE][0]
    whole.turns[1].acts.insert(2, stories.DELEGATED)
    for hours, agent, project, at in (
        (7, CODEX, shop, 6),
        (6, CLAUDE, atlas, 4),
        (4, GEMINI, notes, 3),
    ):
        session = Session(chance, agent, project, project.stories[at], size=2)
        session.model = _MODELS[agent][0]
        yield now - timedelta(hours=hours), session
    yield now - timedelta(minutes=48), whole
    story = ("Find notes by their pictures", "Searching should find what is on a photograph.")
    yield (
        now,
        Session(chance, CLAUDE, notes, story, size=3, session_id=RUNNING_SESSION, is_open=True),
    )
    story = ("Plot a month of tides", "One picture for each month, for the wall of the harbour.")
    yield now - timedelta(seconds=40), Session(chance, CODEX, atlas, story, size=2, is_open=True)
    story = ("Water less after rain", "It rained all night and the valves opened all the same.")
    yield now - timedelta(minutes=4), Session(chance, OPENCODE, greenhouse, story, size=1)


class Session:
    """One session, made before it is written: its length says when it began."""

    def __init__(
        self,
        chance: Random,
        agent: str,
        project: Project,
        story: tuple[str, str],
        *,
        size: int,
        session_id: str = "",
        has_picture: bool = False,
        is_open: bool = False,
    ) -> None:
        self.agent = agent
        self.project = project
        self.title = story[0]
        self.session_id = session_id or _uuid(chance)
        self.model = chance.choice(_MODELS[agent])
        self.cwd = f"{HOME}/{project.name}"
        self.branch = chance.choice(("main", "main", story[0].lower().replace(" ", "-")[:24]))
        self.turns = list(stories.turns(chance, project, story, size))
        self.has_picture = has_picture
        self.subagents: dict[str, list[dict[str, Any]]] = {}
        if is_open:  # in the middle of its last turn, with a result that the model has not seen
            last = self.turns[-1]
            last.acts, last.answer = last.acts[: len(last.acts) * 2 // 3], ""
        self._chance = chance
        self._context = 14_000
        self.now = datetime(2000, 1, 1, tzinfo=UTC)
        self.count = 0

    def write(self, home: Path, ended_at: datetime) -> None:
        """Write it where its agent would, as one that had its last event at a time."""
        state = self._chance.getstate()
        self.now = began = datetime(2000, 1, 1, tzinfo=UTC)
        self._write(None)
        self._chance.setstate(state)  # the same again, now that it is known how long it takes
        self.now, self._context, self.count = ended_at - (self.now - began), 14_000, 0
        self.subagents.clear()
        path = self._write(home)
        for one in (path, *path.parent.glob(f"{path.stem}/**/*")):
            os.utime(one, (ended_at.timestamp(), ended_at.timestamp()))

    def _write(self, home: Path | None) -> Path:
        write = {CLAUDE: _claude, CODEX: _codex, GEMINI: _gemini, OPENCODE: _opencode}
        return write[self.agent](self, home)

    def pass_time(self, seconds: float) -> datetime:
        """Let time pass; gives what it is then."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def person(self) -> datetime:
        """Wait for the person to write; some come back after lunch."""
        gap_s = self._chance.choice((20, 45, 90, 240, 240, 2_700)) if self.count else 0
        return self.pass_time(gap_s)

    def answer_s(self) -> float:
        """So long the model takes."""
        return self._chance.uniform(3, 16)

    def usage(self, output: int) -> dict[str, int]:
        """Tokens of the next response: most of the prompt is read from the cache."""
        fresh = self._chance.randint(400, 3_800)
        cached, self._context = self._context, self._context + fresh + output
        return {"cached": cached, "written": fresh, "input": self._chance.randint(4, 40)}

    def output_tokens(self) -> int:
        """So much the model writes."""
        return self._chance.randint(120, 1_400)

    def key(self) -> str:
        """The next id."""
        self.count += 1
        return f"{self.session_id[:8]}{self.count:04d}"


def _uuid(chance: Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _save(path: Path, records: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(records, Mapping):
        path.write_text(json.dumps(records))
    else:
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


# Claude Code: a line for each block; a result is a line of the person's.

_CLAUDE_TOOLS = {
    "read": "Read",
    "search": "Grep",
    "edit": "Edit",
    "shell": "Bash",
    "task": "Task",
}


def _claude(session: Session, home: Path | None) -> Path:
    folder = session.cwd.replace("/", "-")
    path = Path(".claude") / "projects" / folder / f"{session.session_id}.jsonl"
    lines: list[dict[str, Any]] = []
    for turn in session.turns:
        lines += _claude_turn(session, turn)
    lines.append({"type": "ai-title", "aiTitle": session.title, "sessionId": session.session_id})
    if home is not None:
        path = home / path
        _save(path, lines)
        for name, told in session.subagents.items():
            _save(path.with_suffix("") / "subagents" / f"agent-{name}.jsonl", told)
    return path


def _claude_turn(session: Session, turn: Turn) -> Iterator[dict[str, Any]]:
    content: Any = turn.prompt
    if session.has_picture and not session.count:
        picture = {"type": "base64", "media_type": "image/png", "data": stories.PICTURE}
        content = [{"type": "text", "text": turn.prompt}, {"type": "image", "source": picture}]
    said = {"role": "user", "content": content}
    # In this mode nobody is asked, so that the time of a call is the tool's own.
    yield _claude_line(session, "user", session.person(), said) | {"permissionMode": "auto"}
    yield _claude_answer(session, {"type": "thinking", "thinking": turn.thinking, "signature": ""})
    for act in turn.acts:
        call = f"toolu_{session.key()}"
        use = {"type": "tool_use", "id": call, "name": _CLAUDE_TOOLS[act.kind]}
        yield _claude_answer(session, use | {"input": _claude_input(session, act)})
        if act.kind == "task":
            session.subagents[call[-6:]] = list(_claude_subagent(session, act, call[-6:]))
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call}
        result["content"] = act.output or f"The file {act.target} has been updated."
        if not act.passed:
            result["is_error"] = True
        line = _claude_line(
            session,
            "user",
            session.pass_time(act.seconds),
            {"role": "user", "content": [result]},
        )
        yield line | {"toolUseResult": _claude_result(session, act, call[-6:])}
    if turn.answer:
        yield _claude_answer(session, {"type": "text", "text": turn.answer})


def _claude_line(
    session: Session, kind: str, at: datetime, message: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"u-{session.key()}",
        "isSidechain": False,
        "userType": "external",
        "cwd": session.cwd,
        "sessionId": session.session_id,
        "version": "2.1.0",
        "gitBranch": session.branch,
        "timestamp": _iso(at),
        "message": message,
    }


def _claude_answer(session: Session, block: Mapping[str, Any]) -> dict[str, Any]:
    output = session.output_tokens()
    used = session.usage(output)
    key = session.key()
    message = {
        "id": f"msg_{key}",
        "role": "assistant",
        "model": session.model,
        "content": [block],
        "usage": {
            "input_tokens": used["input"],
            "output_tokens": output,
            "cache_read_input_tokens": used["cached"],
            "cache_creation_input_tokens": used["written"],
            "cache_creation": {
                "ephemeral_5m_input_tokens": used["written"],
                "ephemeral_1h_input_tokens": 0,
            },
        },
    }
    line = _claude_line(session, "assistant", session.pass_time(session.answer_s()), message)
    return line | {"requestId": f"req_{key}"}


def _claude_input(session: Session, act: Act) -> dict[str, Any]:
    path = f"{session.cwd}/{act.target}"
    if act.kind == "edit":
        return {"file_path": path, "old_string": act.before, "new_string": act.after}
    if act.kind == "read":
        return {"file_path": path}
    if act.kind == "search":
        return {"pattern": act.target, "output_mode": "content"}
    if act.kind == "task":
        who = {"description": act.target, "subagent_type": "Explore"}
        return who | {"prompt": _SUBAGENT_PROMPT}
    return {"command": act.target, "description": "Run it"}


def _claude_subagent(session: Session, act: Act, name: str) -> Iterator[dict[str, Any]]:
    """What a subagent did, in the time that its call takes."""
    own = {"isSidechain": True, "agentId": name}
    asked = {"role": "user", "content": _SUBAGENT_PROMPT}
    yield _claude_line(session, "user", session.now, asked) | own
    for file in session.project.files[:3]:
        call = f"toolu_{session.key()}"
        read = Act("read", file, stories.listing(file), seconds=0.05)
        use = {
            "type": "tool_use",
            "id": call,
            "name": "Read",
            "input": _claude_input(session, read),
        }
        yield _claude_answer(session, use) | own
        result = {"type": "tool_result", "tool_use_id": call, "content": read.output}
        said = {"role": "user", "content": [result]}
        yield _claude_line(session, "user", session.pass_time(read.seconds), said) | own
    yield _claude_answer(session, {"type": "text", "text": act.output}) | own


_SUBAGENT_PROMPT = "Find every caller, and say which of them are tests."


def _claude_result(session: Session, act: Act, call: str) -> Any:
    if not act.passed:
        return f"Error: {act.output}"
    if act.kind == "task":
        content = [{"type": "text", "text": act.output}]
        return {"status": "completed", "agentId": call, "content": content}
    if act.kind == "edit":
        removed = [f"-{line}" for line in act.before.splitlines()]
        added = [f"+{line}" for line in act.after.splitlines()]
        patch = {"oldStart": 12, "oldLines": len(removed), "newStart": 12, "newLines": len(added)}
        return {
            "filePath": f"{session.cwd}/{act.target}",
            "oldString": act.before,
            "newString": act.after,
            "structuredPatch": [patch | {"lines": removed + added}],
        }
    if act.kind == "shell":
        return {"stdout": act.output, "stderr": "", "interrupted": False}
    return {"type": "text", "file": {"filePath": act.target, "numLines": 4}}


# Codex: what was called, what came of it, and the thread's sum of tokens after each response.


def _codex(session: Session, home: Path | None) -> Path:
    began = session.now
    name = f"rollout-{began:%Y-%m-%dT%H-%M-%S}-{session.session_id}.jsonl"
    path = Path(".codex") / "sessions" / f"{began:%Y/%m/%d}" / name
    lines = [_codex_line(began, "session_meta", _codex_meta(session))]
    total = dict.fromkeys(_CODEX_TOKENS, 0)
    for turn in session.turns:
        at = session.person()
        lines += [
            _codex_line(at, "turn_context", {"cwd": session.cwd, "model": session.model}),
            _codex_line(at, "event_msg", {"type": "user_message", "message": turn.prompt}),
            _codex_item(at, _codex_said("user", turn.prompt)),
        ]
        for act in turn.acts:
            lines += _codex_call(session, act, total)
        if turn.answer:
            at = session.pass_time(session.answer_s())
            lines.append(_codex_item(at, _codex_said("assistant", turn.answer)))
            lines.append(_codex_tokens(session, total))
    if home is not None:
        path = home / path
        _save(path, lines)
        named = {"id": session.session_id, "thread_name": session.title}
        with (home / ".codex" / "session_index.jsonl").open("a") as index:
            index.write(json.dumps(named | {"updated_at": _iso(session.now)}) + "\n")
    return path


_CODEX_TOKENS = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "total_tokens",
)


def _codex_meta(session: Session) -> dict[str, Any]:
    return {
        "id": session.session_id,
        "timestamp": _iso(session.now),
        "cwd": session.cwd,
        "originator": "codex-tui",
        "cli_version": "0.142.0",
        "source": "cli",
        "model_provider": "openai",
        "git": {"branch": session.branch},
    }


def _codex_line(at: datetime, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"timestamp": _iso(at), "type": kind, "payload": payload}


def _codex_item(at: datetime, payload: Mapping[str, Any]) -> dict[str, Any]:
    return _codex_line(at, "response_item", payload)


def _codex_said(role: str, text: str) -> dict[str, Any]:
    kind = "input_text" if role == "user" else "output_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _codex_call(session: Session, act: Act, total: dict[str, int]) -> Iterator[dict[str, Any]]:
    call = f"call_{session.key()}"
    at = session.pass_time(session.answer_s())
    if act.kind == "edit":
        patch = "\n".join(
            [
                "*** Begin Patch",
                f"*** Update File: {act.target}",
                "@@",
                *(f"-{line}" for line in act.before.splitlines()),
                *(f"+{line}" for line in act.after.splitlines()),
                "*** End Patch",
            ]
        )
        asked = {"type": "custom_tool_call", "name": "apply_patch", "input": patch}
        output = {"type": "custom_tool_call_output"}
    else:
        command = {"read": f"sed -n 1,80p {act.target}", "search": f"rg -n {act.target}"}
        arguments = {"cmd": command.get(act.kind, act.target), "workdir": session.cwd}
        asked = {
            "type": "function_call",
            "name": "exec_command",
            "arguments": json.dumps(arguments),
        }
        output = {"type": "function_call_output"}
    yield _codex_item(at, asked | {"call_id": call})
    yield _codex_tokens(session, total)
    code = 0 if act.passed else 1
    text = f"Wall time: {act.seconds:.1f} seconds\nProcess exited with code {code}\nOutput:\n"
    if act.kind == "edit" and not act.passed:
        text = "apply_patch verification failed: "
    at = session.pass_time(act.seconds)
    yield _codex_item(at, output | {"call_id": call, "output": text + act.output})


def _codex_tokens(session: Session, total: dict[str, int]) -> dict[str, Any]:
    written = session.output_tokens()
    used = session.usage(written)
    prompt = used["cached"] + used["written"] + used["input"]
    last = dict(
        zip(
            _CODEX_TOKENS,
            (prompt, used["cached"], written, written // 3, prompt + written),
            strict=True,
        )
    )
    for name, count in last.items():
        total[name] += count
    share = min(8.0 + session.count / 4, 90.0)
    resets_at = int((session.now + timedelta(hours=2, minutes=10)).timestamp())
    info = {"total_token_usage": dict(total), "last_token_usage": last}
    told = {
        "primary": {"used_percent": share, "window_minutes": 300, "resets_at": resets_at},
        "secondary": {
            "used_percent": share / 3,
            "window_minutes": 10_080,
            "resets_at": resets_at + 4 * 86_400,
        },
    }
    payload = {"type": "token_count", "info": info, "rate_limits": told}
    return _codex_line(session.now, "event_msg", payload)


# Gemini CLI: one file of messages, a call among its message's.

_GEMINI_TOOLS = {
    "read": "read_file",
    "search": "search_file_content",
    "edit": "replace",
    "shell": "run_shell_command",
    "task": "run_shell_command",
}


def _gemini(session: Session, home: Path | None) -> Path:
    began = session.now
    name = f"session-{began:%Y-%m-%dT%H-%M}-{session.session_id[:8]}.json"
    path = Path(".gemini") / "tmp" / session.project.name / "chats" / name
    messages: list[dict[str, Any]] = []
    for turn in session.turns:
        at = session.person()
        messages.append(
            {"id": session.key(), "type": "user", "timestamp": _iso(at), "content": turn.prompt}
        )
        messages += [_gemini_message(session, turn, act) for act in turn.acts]
        messages.append(_gemini_message(session, turn, None))
    chat = {
        "sessionId": session.session_id,
        "projectHash": session.project.name,
        "startTime": _iso(began),
        "lastUpdated": _iso(session.now),
        "kind": "main",
        "summary": session.title,
        "messages": messages,
    }
    if home is not None:
        path = home / path
        _save(path, chat)
        (path.parent.parent / ".project_root").write_text(session.cwd)
    return path


def _gemini_message(session: Session, turn: Turn, act: Act | None) -> dict[str, Any]:
    written = session.output_tokens()
    used = session.usage(written)
    prompt = used["cached"] + used["written"] + used["input"]
    message: dict[str, Any] = {
        "id": session.key(),
        "type": "gemini",
        "timestamp": _iso(session.pass_time(session.answer_s())),
        "model": session.model,
        "content": turn.answer if act is None else "",
        "tokens": {
            "input": prompt,
            "cached": used["cached"],
            "output": written,
            "thoughts": written // 4,
            "tool": 0,
            "total": prompt + written + written // 4,
        },
    }
    if act is None:
        return message
    path = f"{session.cwd}/{act.target}"
    args = {
        "edit": {"file_path": path, "old_string": act.before, "new_string": act.after},
        "read": {"file_path": path},
        "search": {"pattern": act.target},
    }.get(act.kind, {"command": act.target})
    told = {"output": act.output} if act.passed else {"error": act.output}
    message["toolCalls"] = [
        {
            "id": f"call-{session.key()}",
            "name": _GEMINI_TOOLS[act.kind],
            "args": args,
            "status": "success" if act.passed else "error",
            "timestamp": _iso(session.pass_time(act.seconds)),
            "result": [{"functionResponse": {"response": told}}],
        }
    ]
    return message


# OpenCode: a file for each session, message and part; it says itself what was paid.


def _opencode(session: Session, home: Path | None) -> Path:
    storage = Path(".local") / "share" / "opencode" / "storage"
    session_id = f"ses_{session.session_id.replace('-', '')[:24]}"
    path = storage / "session" / session.project.name / f"{session_id}.json"
    began = session.now
    records: dict[Path, dict[str, Any]] = {}
    for turn in session.turns:
        at = session.person()
        asked = f"msg_{session.key()}"
        said: dict[str, Any] = {"id": asked, "sessionID": session_id, "role": "user"}
        records[storage / "message" / session_id / f"{asked}.json"] = said | {
            "time": {"created": _millis(at)}
        }
        _opencode_part(records, storage, session, asked, {"type": "text", "text": turn.prompt})
        for act in (*turn.acts, None):
            message = _opencode_message(session, session_id, asked)
            name = str(message["id"])
            if act is not None:
                _opencode_part(records, storage, session, name, _opencode_call(session, act))
            else:
                text = {"type": "text", "text": turn.answer}
                _opencode_part(records, storage, session, name, text)
            records[storage / "message" / session_id / f"{name}.json"] = message
    records[path] = {
        "id": session_id,
        "projectID": session.project.name,
        "directory": session.cwd,
        "title": session.title,
        "version": "1.0.120",
        "time": {"created": _millis(began), "updated": _millis(session.now)},
    }
    if home is None:
        return path
    for place, record in records.items():
        _save(home / place, record)
        os.utime(home / place, (session.now.timestamp(), session.now.timestamp()))
    return home / path


def _opencode_message(session: Session, session_id: str, asked: str) -> dict[str, Any]:
    written = session.output_tokens()
    used = session.usage(written)
    began = _millis(session.now)
    ended = _millis(session.pass_time(session.answer_s()))
    cost = used["cached"] * 0.1e-6 + used["written"] * 1.25e-6 + written * 5e-6
    return {
        "id": f"msg_{session.key()}",
        "sessionID": session_id,
        "role": "assistant",
        "parentID": asked,
        "modelID": session.model,
        "providerID": "anthropic",
        "mode": "build",
        "path": {"cwd": session.cwd, "root": session.cwd},
        "cost": round(cost, 6),
        "tokens": {
            "input": used["input"],
            "output": written,
            "reasoning": 0,
            "cache": {"read": used["cached"], "write": used["written"]},
        },
        "time": {"created": began, "completed": ended},
        "finish": "stop",
    }


def _opencode_call(session: Session, act: Act) -> dict[str, Any]:
    tool = {"read": "read", "search": "grep", "edit": "edit"}.get(act.kind, "bash")
    path = f"{session.cwd}/{act.target}"
    given = {
        "edit": {"filePath": path, "oldString": act.before, "newString": act.after},
        "read": {"filePath": path},
        "search": {"pattern": act.target},
    }.get(act.kind, {"command": act.target})
    began = _millis(session.now)
    span = {"start": began, "end": _millis(session.pass_time(act.seconds))}
    state: dict[str, Any] = {"status": "completed", "input": given, "time": span}
    if tool == "bash":
        state |= {"output": act.output, "metadata": {"exit": 0 if act.passed else 1}}
    elif act.passed:
        state |= {"output": act.output}
    else:
        state |= {"status": "error", "error": act.output}
    return {"type": "tool", "callID": f"call_{session.key()}", "tool": tool, "state": state}


def _opencode_part(
    records: dict[Path, dict[str, Any]],
    storage: Path,
    session: Session,
    message: str,
    part: Mapping[str, Any],
) -> None:
    name = f"prt_{session.key()}"
    records[storage / "part" / message / f"{name}.json"] = {
        "id": name,
        "messageID": message,
        **part,
    }


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
