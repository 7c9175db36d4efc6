"""Conversations of all agents' samples: what figures know of can be found, and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics import sources
from m31a_metrics.conversation import Part, PartKind
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import ToolCall, UserTurn
from m31a_metrics.sources import SOURCES
from m31a_metrics.transcript import Transcript
from tests.sources.samples import AGENTS

SHOWN = [name for name in AGENTS if name in SOURCES and SOURCES[name].keeps_text]
"""The agents that have samples, and whose files hold what was said."""


_LOOKED_AT = 8
"""So many calls and turns of a session are sought by their id: each search reads the file."""


def pages(agent: str, path: str, at: str, limit: int) -> Iterator[Part]:
    """All parts of a conversation, by windows."""
    reader = sources.conversational(agent)
    assert reader is not None
    while True:
        found = reader.window(path, at=at, limit=limit)
        yield from found.parts
        at = found.after
        if not at:
            return


def conversations(agent: str, path: str) -> list[Part]:
    """All parts of a session, those of its subagents behind its own."""
    parts = list(pages(agent, path, "", 500))
    begun: set[str] = set()
    for part in parts:
        if part.subagent and part.subagent not in begun:
            begun.add(part.subagent)
            parts += pages(agent, path, part.subagent, 500)
    return parts


def sessions(shared: Path, agent: str) -> Iterator[tuple[str, Transcript]]:
    """The sessions of a folder that its own agent's source reads.

    Not those whose ids were made alike for a test: only who reads all of one tells them apart.
    """
    found = sources.source(agent)
    for file in sorted((shared / "samples" / agent).glob("*")):
        try:
            transcript = found.read(str(file))
        except MetricsError:
            continue
        if not any("#" in call.id for call in transcript.calls):
            yield str(file), transcript


@pytest.mark.parametrize("agent", SHOWN)
def test_every_call_and_turn_of_the_samples_can_be_looked_at(shared: Path, agent: str) -> None:
    """A call has its part, with the outcome that is counted; a window begins where it stands."""
    reader = sources.conversational(agent)
    assert reader is not None
    for path, transcript in sessions(shared, agent):
        parts = conversations(agent, path)
        shown = {
            part.id: (part.tool, part.success, part.denied)
            for part in reversed(parts)
            if part.kind is PartKind.CALL
        }
        calls = [event for event in transcript.events if type(event) is ToolCall]
        for call in calls:
            tool, success, denied = shown[call.id or ""]
            assert (tool, denied) == (call.name, call.denied), path
            # A command that went on in the background ends in another call's result.
            assert success in (call.success, None), path
        turns = [event for event in transcript.events if type(event) is UserTurn]
        prompts = {part.t_us for part in parts if part.kind is PartKind.PROMPT and not part.author}
        assert {turn.t_us for turn in turns} <= prompts, path
        named = [event.id for event in (*calls, *turns) if event.id]
        for event_id in named[:: max(1, len(named) // _LOOKED_AT)]:
            place = reader.place_of(path, event_id)
            first = reader.window(path, at=place, limit=1).parts[0]
            assert (first.id, first.place) == (event_id, place), path


@pytest.mark.parametrize("agent", SHOWN)
def test_windows_of_any_size_show_the_same(shared: Path, agent: str) -> None:
    """Small windows, one behind the other, hold what a large one does."""
    for path, _ in sessions(shared, agent):
        assert list(pages(agent, path, "", 29)) == list(pages(agent, path, "", 2_000)), path
