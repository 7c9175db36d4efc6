"""No title, prompt, answer, input, output or found line reaches a file that m31 writes.

A home of several agents whose texts hold a word of our own: every command and every page is
asked, then each file that is not the agents' is looked through for that word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.cli.app import COMMANDS
from m31a_metrics.tables.datasets import DATASETS
from tests.cli.conftest import M31
from tests.cli.test_serve import get, serving
from tests.fleet.scripted import serving as a_fleet
from tests.hostile.agents import AT
from tests.transcripts import NOW, ONE, answer, prompt, write

WORD = "quixotery"
"""What all texts of this home hold; nothing else does."""

CALL = "call_0123456789abcdefghij"
THREAD = "0190f2a4-0000-7000-8000-000000000001"

ASKED: dict[str, list[list[str]]] = {
    "glance": [[], ["--json", "--titles"]],
    "sessions": [[], ["--json", "--titles"], ["--csv", "--titles"], ["--text", WORD]],
    "show": [[ONE], [ONE, "--json", "--titles"]],
    "open": [[ONE, "--text"], [THREAD, "--text", "--at", "0"]],
    "grep": [[WORD], ["-i", WORD.upper()], [WORD, "--json"]],
    "tools": [[], ["--json"]],
    "cost": [[], ["--by", "day"]],
    "phases": [[]],
    "heals": [[]],
    "errors": [[]],
    "explain": [[ONE], [ONE, "--json"]],
    "budget": [[]],
    "blocks": [["--since", "2024-01-01"]],
    "compare": [["agent=claude-code", "agent=codex"]],
    "gate": [["--max", "cost=5"]],
    "baseline": [["-o", "baseline.json"]],
    "report": [["-o", "report.html"], [ONE, "-o", "one.html"]],
    "export": [
        *([form, name] for form in ("csv", "jsonl") for name in DATASETS),
        *(["parquet", name, "-o", f"{name}.parquet"] for name in DATASETS),
        ["prometheus", "--textfile", "m31.prom"],
        ["openmetrics", "--by", "day", "-o", "past.om"],
    ],
    "import": [[]],
    "audit": [[], ["--json"]],
    "index": [[], ["--rebuild"]],
    "doctor": [[]],
    "prune": [["--older-than", "1", "--yes"]],
    "forget": [["gemini-1", "--yes"]],
    "push": [["--dry-run", "--to", "clickhouse://localhost/team"]],
    "fleet": [["init", "clickhouse://localhost/team", "--print"]],
    "completion": [["bash"]],
}
"""How each command is asked. Those that are not here read no transcript, or never end."""

NOT_ASKED = {
    "watch",
    "serve",
    "run",
    "record",
    "setup",
    "hooks",
    "mcp",
    "statusline",
    "demo",
    "collect",
    "otlp",
}


def said(part: str) -> str:
    """A text with the word in it."""
    return f"{part} {WORD} {part}"


def _lines(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def claude_code(home: Path) -> None:
    """A session with all kinds of text, and two titles."""
    asked = {**prompt(), "message": {"role": "user", "content": said("prompt")}}
    use: dict[str, Any] = {"type": "tool_use", "id": "toolu_0123456789abcdefghij", "name": "Bash"}
    content = [
        {"type": "thinking", "thinking": said("thought")},
        {"type": "text", "text": said("answer")},
        use | {"input": {"command": f"echo {WORD}", "description": said("command")}},
    ]
    block = {"type": "tool_result", "tool_use_id": use["id"], "content": said("output")}
    done = {**prompt(), "message": {"role": "user", "content": [block]}}
    path = write(home, ONE, asked, *(answer("a", NOW, content=[one]) for one in content), done)
    with path.open("a") as file:
        for kind, key in (("ai-title", "aiTitle"), ("custom-title", "customTitle")):
            file.write(json.dumps({"type": kind, key: said("title")}) + "\n")


def codex(home: Path) -> None:
    """A thread with a name in the list beside it."""
    arguments = json.dumps({"cmd": f"echo {WORD}"})
    call = {"type": "function_call", "name": "exec_command", "call_id": CALL}
    _lines(
        home / f".codex/sessions/2024/07/27/rollout-2024-07-27T10-00-00-{THREAD}.jsonl",
        {"timestamp": AT, "type": "session_meta", "payload": {"id": THREAD, "cwd": "/src/app"}},
        *(
            {"timestamp": AT, "type": kind, "payload": payload}
            for kind, payload in (
                ("event_msg", {"type": "user_message", "message": said("prompt")}),
                ("response_item", call | {"arguments": arguments}),
                (
                    "response_item",
                    {"type": "function_call_output", "call_id": CALL, "output": said("output")},
                ),
            )
        ),
    )
    _lines(home / ".codex/session_index.jsonl", {"id": THREAD, "thread_name": said("title")})


def gemini_cli(home: Path) -> None:
    """A chat with a summary."""
    header = {"sessionId": "gemini-1", "projectHash": "ab", "startTime": AT}
    messages = [
        {"id": "1", "timestamp": AT, "type": "user", "content": said("prompt")},
        {"id": "2", "timestamp": AT, "type": "gemini", "content": said("answer"), "model": "g"},
    ]
    path = home / ".gemini/tmp/app/chats/session-1.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(header | {"summary": said("title"), "messages": messages}))


def qwen(home: Path) -> None:
    """A session with a title."""
    envelope = {"sessionId": "qwen-1", "timestamp": AT, "cwd": "/src/app", "uuid": "1"}
    message = {"role": "user", "parts": [{"text": said("prompt")}]}
    title = {"subtype": "custom_title", "systemPayload": {"customTitle": said("title")}}
    _lines(
        home / ".qwen/projects/app/chats/one.jsonl",
        envelope | {"type": "user", "message": message},
        envelope | {"type": "system", **title},
    )


def copilot_cli(home: Path) -> None:
    """A session with its title beside it."""
    path = home / ".copilot/session-state/copilot-1/events.jsonl"
    _lines(
        path,
        {"type": "session.start", "timestamp": AT, "data": {"sessionId": "copilot-1"}},
        {"type": "user.message", "timestamp": AT, "data": {"content": said("prompt")}},
    )
    path.with_name("workspace.yaml").write_text(f"summary: {said('title')}\n")


def pi(home: Path) -> None:
    """A session with a name."""
    message = {"role": "user", "content": said("prompt"), "timestamp": 1_781_956_800_000}
    _lines(
        home / ".pi/agent/sessions/--src-app--/one.jsonl",
        {"type": "session", "id": "pi-1", "cwd": "/src/app", "timestamp": AT},
        {"type": "message", "timestamp": AT, "message": message},
        {"type": "session_info", "timestamp": AT, "name": said("title")},
    )


@pytest.fixture
def home(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home; commands that write a file write it into a folder of its own."""
    for make in (claude_code, codex, gemini_cli, qwen, copilot_cli, pi):
        make(clean_home)
    (clean_home / "written").mkdir()
    monkeypatch.chdir(clean_home / "written")
    return clean_home


AGENTS = (".claude", ".codex", ".gemini", ".qwen", ".copilot", ".pi")


def written(home: Path) -> Iterator[Path]:
    """Every file below the home that is not an agent's."""
    for path in home.rglob("*"):
        if path.is_file() and path.relative_to(home).parts[0] not in AGENTS:
            yield path


def holding(home: Path) -> list[str]:
    """The files that hold the word: as it is, in UTF-16, or spelt with escapes."""
    words = [WORD.encode(), WORD.upper().encode(), WORD.encode("utf-16-le")]
    return [
        str(path.relative_to(home))
        for path in written(home)
        if any(word in path.read_bytes() for word in words)
    ]


def test_every_command_is_asked() -> None:
    """A new one is asked here, too, or it is said why it need not be."""
    assert set(COMMANDS) <= ASKED.keys() | NOT_ASKED


def test_no_command_writes_a_text_down(home: Path, m31: M31) -> None:
    """Whatever is asked, in whatever form; what people were shown proves that texts were read."""
    shown = []
    for name in ASKED.keys() & COMMANDS.keys():
        for arguments in ASKED[name]:
            answered = m31("--debug", name, *arguments)
            assert answered.code in (0, 1), (name, answered)
            shown += [name] if WORD in answered.out else []
            assert WORD not in answered.err, name
    assert {"sessions", "show", "open"} <= set(shown)
    assert "export" not in shown
    assert {"report.html", "one.html", "baseline.json"} <= {path.name for path in written(home)}
    assert (home / ".m31a" / "metrics.db").is_file()
    assert holding(home) == []


def test_no_text_goes_to_a_fleet(home: Path, m31: M31) -> None:
    """What is pushed holds none, of any agent; nor does it say where a home is."""
    (home / ".m31a").mkdir(exist_ok=True)
    (home / ".m31a" / "config.toml").write_text('[metrics.fleet]\nprojects = ["*"]\n')
    with a_fleet() as fleet:
        assert m31("push", "--yes", "--to", fleet.address).code == 0
        assert {row["agent"] for row in fleet.rows} > {"claude-code", "codex", "pi"}
        body = b"".join(fleet.bodies).lower()
    assert WORD.encode() not in body
    assert str(home).encode().lower() not in body
    assert holding(home) == []


PAGES = ("", "sessions", f"sessions/{ONE}", "tools", "phases", "blocks", "compare", "nowhere")
LIVE_PAGES = (f"sessions/{ONE}/transcript", f"search?q={WORD}")
"""Pages that show texts where they are; what they show is written nowhere either."""


def test_no_page_writes_a_text_down(home: Path) -> None:
    """Nor has any a text in its title, nor do programs get one from the API."""
    with serving(home) as server:
        for page in (*PAGES, *LIVE_PAGES):
            body = _fetched(f"{server.base}/{page}", server.token)
            for title in re.findall(r"<title>(.*?)</title>", body, re.DOTALL):
                assert WORD not in title.replace(f"q={WORD}", ""), page
        for page in ("overview", *filter(None, PAGES)):
            for form in ("json", "csv"):
                body = _fetched(f"{server.base}/api/{page}?format={form}", server.token)
                assert WORD not in body, page
        assert WORD not in _fetched(f"{server.base}/sessions/{ONE}/METRICS.json", server.token)
    assert holding(home) == []


def _fetched(address: str, token: str) -> str:
    return get(address, token)[1].decode()
