"""A home with the sessions of several agents, invented and the same at every run.

Two projects of different places end alike; one session healed itself, one only failed; one
model has no price. What the tests of widths look at.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from m31a_metrics import Usage, events
from m31a_metrics.session import Session
from tests import transcripts
from tests.cli import machine
from tests.transcripts import answer, prompt

NOW = machine.NOW
HEALED, FAILED = "5c0ffee0-3333-4333-8333-000000000003", "6badf00d-4444-4444-8444-000000000004"
IN_TEAM, AT_PLAY = "/home/ada/team/shop-for-everybody", "/home/ada/play/shop-for-everybody"

_FAILED = "FAILED tests/test_cart.py::test_total - AssertionError: assert 3 == 4\n1 failed in 0.31s"


def record(home: Path) -> None:
    """Write transcripts of Claude Code, and what Collectors told of other agents."""
    began = NOW - timedelta(minutes=50)
    transcripts.write(home, HEALED, *_healed(began), project=IN_TEAM)
    began = NOW - timedelta(days=2, hours=3)
    transcripts.write(home, FAILED, prompt(began), *_check("f", began, ok=False), project=AT_PLAY)
    sessions_dir = home / ".m31a" / "sessions"
    machine.record(sessions_dir)
    for number in range(6):
        began_us = _us(NOW - timedelta(days=number, hours=5))
        shop = f"{AT_PLAY}-{number % 2}"
        _told(sessions_dir, f"codex-{number}", "codex", began_us, project=shop, cost=0.25)
        _told(sessions_dir, f"bot-{number}", "my-bot", began_us, cost=0.5 + number)


def _healed(began: Any) -> list[dict[str, Any]]:
    """A test that failed, an edit, and the test again, which passed."""
    edit = {"file_path": f"{IN_TEAM}/cart.py", "old_string": "3", "new_string": "4"}
    later = began + timedelta(seconds=30)
    again = began + timedelta(seconds=60)
    return [
        prompt(began - timedelta(seconds=5)),
        *_check("a", began, ok=False),
        *_call("b", later, "Edit", edit, "The file has been updated."),
        *_check("c", again, ok=True),
        answer("d", again + timedelta(seconds=30)),
    ]


def _check(key: str, at: Any, *, ok: bool) -> list[dict[str, Any]]:
    said = "1 passed in 0.30s" if ok else _FAILED
    return _call(key, at, "Bash", {"command": "pytest -q"}, said, ok=ok)


def _call(
    key: str, at: Any, tool: str, given: dict[str, Any], said: str, *, ok: bool = True
) -> list[dict[str, Any]]:
    asked, told = transcripts.call(key, at, ran_s=4.0, tool=tool)
    asked["message"]["content"][0]["input"] = given
    told["message"]["content"][0] |= {"content": said, "is_error": not ok}
    return [asked, told]


def _told(
    sessions_dir: Path, name: str, agent: str, began_us: int, *, project: str = "", cost: float
) -> None:
    """A session that a Collector recorded for an agent: a phase with calls and two answers."""

    def at(seconds: float) -> int:
        return began_us + int(seconds * 1e6)

    recorded: list[events.Event] = [
        events.SessionStart(at(0), agent=agent, project=project or None, branch="main"),
        events.PhaseTransition(at(0), "execute"),
    ]
    recorded += [
        events.ToolCall(
            at(5 + n), "mcp__browser_tools__navigate_page", n != 3, 900.0 + n * 10, wait_ms=20
        )
        for n in range(8)
    ]
    model = "large-1" if agent == "codex" else "a-model-of-nobody-with-a-long-name"
    use = Usage(30_000, 2_500, cache_read_tokens=20_000, cache_write_5m_tokens=4_000)
    for second in (20, 40):
        recorded.append(events.LLMInteraction(at(second), "execute", use, cost=cost, model=model))
    recorded.append(events.PhaseDuration(at(90), "execute", 90_000, True))
    session = Session(str(sessions_dir), name)
    session.append(recorded)
    session.flush()


def _us(at: Any) -> int:
    return int(at.timestamp()) * 1_000_000
