"""pi: both forms of its files, trees and forks, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import LLMInteraction, ToolCall, UserTurn
from m31a_metrics.sources import pi
from tests.sources.golden import GOLDEN, check, shapes

AGENT = "pi"
HEADER = '{"type":"session","version":3,"id":"s1","timestamp":"2026-05-04T09:00:00Z","cwd":"/x"}\n'


def transcript(shape: str) -> Path:
    """The one session of a shape."""
    return next((GOLDEN / AGENT / shape).rglob("*.jsonl"))


@pytest.mark.parametrize("shape", shapes(AGENT))
def test_each_shape_gives_the_same_events(shape: str) -> None:
    """A session of each form reads as it did when somebody last looked."""
    check(pi, AGENT, shape, {"PI_CODING_AGENT_DIR": str(GOLDEN / AGENT / shape)})


def test_all_branches_cost_and_one_is_the_conversation() -> None:
    """What was asked on a branch that was left is no turn; what it cost and ran counts."""
    read = pi.read(str(transcript("format-3")))
    kinds = [type(event) for event in read.events]
    assert kinds.count(UserTurn) == 3, "the first, the one after going back, and the last"
    answers = [event for event in read.events if isinstance(event, LLMInteraction)]
    assert {event.model for event in answers} >= {"openrouter/moonshotai/kimi-k2"}
    failed = [e for e in read.events if isinstance(e, ToolCall) and not e.success]
    assert [event.name for event in failed] == ["bash"]


def test_a_fork_counts_only_what_is_its_own() -> None:
    """Given the keys of the session it was forked from, a fork has one turn and one answer."""
    original = pi.read(str(transcript("format-3")))
    known = frozenset(e.id for e in original.events if isinstance(e, LLMInteraction) and e.id)
    fork = pi.read(str(transcript("format-3-fork")), known)
    assert [type(event).__name__ for event in fork.events] == [
        "SessionStart",
        "UserTurn",
        "LLMInteraction",
    ]
    assert fork.facts.parent_id == original.facts.native_id
    assert (fork.effects.replayed_responses, fork.effects.replayed_tokens) == (2, 8_354)
    assert not fork.calls


def test_a_lost_parent_does_not_end_the_conversation(tmp_path: Path) -> None:
    """Where an entry's parent cannot be read, the entry before it takes its place."""
    lines = transcript("format-3").read_text().splitlines(keepends=True)
    path = tmp_path / "s.jsonl"
    path.write_text("".join(line for line in lines if '"id":"a000000f"' not in line))
    turns = [event for event in pi.read(str(path)).events if isinstance(event, UserTurn)]
    assert len(turns) == 3


def test_what_an_extension_blocked_is_denied(tmp_path: Path) -> None:
    """Where it gives no reason of its own, pi's sentence tells that the call never ran."""
    path = tmp_path / "s.jsonl"
    made = '{"type":"toolCall","id":"t1","name":"bash","arguments":{"command":"make"}}'
    used = '"api":"x","stopReason":"toolUse","usage":{"input":1,"output":1}'
    said = f'{{"role":"assistant",{used},"content":[{made}]}}'
    text = '{"type":"text","text":"Tool execution was blocked"}'
    back = f'{{"role":"toolResult","toolCallId":"t1","isError":true,"content":[{text}]}}'
    entry = '{"type":"message","id":"%s","timestamp":"2026-05-04T09:00:0%sZ","message":%s}\n'
    path.write_text(HEADER + entry % ("a", 1, said) + entry % ("b", 9, back))
    (event,) = [one for one in pi.read(str(path)).events if isinstance(one, ToolCall)]
    assert (event.denied, event.success, event.duration_ms) == (True, False, 0)


def test_a_cycle_of_parents_ends(tmp_path: Path) -> None:
    """Entries that are each other's parents are read, once each."""
    path = tmp_path / "s.jsonl"
    entry = '{"type":"message","id":"%s","parentId":"%s","message":{"role":"user","content":"x"}}\n'
    path.write_text(HEADER + entry % ("a", "b") + entry % ("b", "a"))
    assert len([e for e in pi.read(str(path)).events if isinstance(e, UserTurn)]) == 2


@pytest.mark.parametrize(
    "lines",
    [
        HEADER + '{"type":"custom","customType":"openclaw.state","id":"c"}\n',
        HEADER + '{"type":"model_change","provider":"openclaw-model","modelId":"m"}\n',
        HEADER + '{"type":"message","id":"m","message":{"role":"assistant","content":[]}}\n',
        '{"type":"session_start","id":"d","cwd":"/x"}\n',
        '{"type":"message","id":"m","role":"user","text":"x"}\n',
        '{"role":"user","content":"x"}\n',
        "# notes\n",
        "",
    ],
)
def test_what_pi_did_not_write_is_refused(lines: str, tmp_path: Path) -> None:
    """OpenClaw's sessions, which have the same form, and other files are not pi's."""
    path = tmp_path / "s.jsonl"
    path.write_text(lines)
    with pytest.raises(NotThisFormat, match=str(path)):
        pi.read(str(path))


def test_openclaws_folder_is_not_pis(tmp_path: Path) -> None:
    """A session in OpenClaw's folder is OpenClaw's, whatever it says."""
    path = tmp_path / ".openclaw" / "s.jsonl"
    path.parent.mkdir()
    path.write_text(HEADER)
    with pytest.raises(NotThisFormat, match="OpenClaw"):
        pi.read(str(path))


def test_sessions_are_found_where_the_environment_says(tmp_path: Path) -> None:
    """The default folder, PI_CODING_AGENT_DIR and PI_CODING_AGENT_SESSION_DIR are looked in."""
    for name in ("home/.pi/agent/sessions/--x--", "agent/sessions/--x--", "named"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "s.jsonl").write_text(HEADER)
    (tmp_path / "named" / "notes.md").write_text("")
    home = {"HOME": str(tmp_path / "home")}
    agent = {"PI_CODING_AGENT_DIR": str(tmp_path / "agent")}
    named = {"PI_CODING_AGENT_SESSION_DIR": str(tmp_path / "named")}
    assert list(pi.find(home)) == [f"{tmp_path}/home/.pi/agent/sessions/--x--/s.jsonl"]
    assert list(pi.find(home | agent)) == [f"{tmp_path}/agent/sessions/--x--/s.jsonl"]
    assert next(iter(pi.find(home | named))) == f"{tmp_path}/named/s.jsonl"
    assert not list(pi.find({"HOME": str(tmp_path / "nowhere")}))


def test_a_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    """A session that went away is told in one sentence."""
    with pytest.raises(StorageError, match="cannot read .*gone.jsonl: No such file"):
        pi.read(str(tmp_path / "gone.jsonl"))


def test_the_real_sample_reconciles(shared: Path) -> None:
    """Every call of the real session is paired, and cost and tokens are its own sums."""
    read = pi.read(str(shared / "samples" / "pi" / "large-session.jsonl"))
    assert not read.damage.count
    assert len(read.calls) == 373
    assert all(call.success is not None for call in read.calls)
    answers = [event for event in read.events if isinstance(event, LLMInteraction)]
    assert len(answers) == 439
    assert round(sum(event.cost or 0 for event in answers), 6) == 30.330198
    assert sum(event.usage.total for event in answers) == 47_609_906
