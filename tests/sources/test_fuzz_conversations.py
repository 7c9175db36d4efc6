"""Damaged transcripts, shown: whatever stands in a file, only what callers expect is raised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from m31a_metrics import sources
from m31a_metrics.conversation import Part
from m31a_metrics.errors import MetricsError
from tests.sources.golden import GOLDEN
from tests.sources.mutate import hostile

LINES = ("claude-code", "codex", "copilot-cli", "gemini-cli", "pi", "qwen")
DOCUMENTS = {
    "gemini-cli": sorted((GOLDEN / "gemini-cli").rglob("*.json")),
    "opencode": sorted((GOLDEN / "opencode" / "export-1.2").rglob("session.json")),
}
_PER_FILE = 60


def own_lines(agent: str) -> list[bytes]:
    """The records of this agent that we have made."""
    found: list[bytes] = []
    for path in sorted((GOLDEN / agent).rglob("*.jsonl")):
        if not path.name.endswith(".expected.jsonl"):
            found += path.read_bytes().splitlines()
    return found


def shown(agent: str, path: Path, random: Random) -> int:
    """Look at everything of a file, as pages do, from places near and far; count the parts."""
    reader = sources.conversational(agent)
    assert reader is not None
    name = str(path)
    parts: list[Part] = []
    places = ["", "end", "agent-x:0", "99999999999", "-1", "\x00", "1.1.1"]
    places += [str(random.randrange(path.stat().st_size + 2)) for _ in range(4)]
    for place in places:
        for _ in range(8):
            window = reader.window(name, at=place, limit=random.choice((1, 7, 500)))
            assert not window.after or window.after != place
            parts += window.parts
            place = window.after
            if not place:
                break
    for image in (image for part in parts for image in part.images):
        try:
            reader.image(name, image.place)
        except KeyError:
            continue
    for part in random.sample(parts, min(3, len(parts))):
        assert part.place
        reader.place_of(name, part.id)
    return len(parts)


def refused_or_shown(agent: str, path: Path, random: Random) -> int:
    """The same of a file that may be no longer the agent's."""
    reader = sources.conversational(agent)
    assert reader is not None
    count = 0
    try:
        title = reader.title(str(path))
        assert "\n" not in title.line
        count = shown(agent, path, random)
        reader.texts(str(path))
    except MetricsError:
        pass
    return count


def files(agent: str, seed: int) -> Iterator[bytes]:
    """Files of damaged records between whole ones."""
    lines = own_lines(agent)
    assert lines
    damaged = list(hostile(lines, _PER_FILE, seed))
    mixed = [line for pair in zip(damaged, lines * _PER_FILE, strict=False) for line in pair]
    yield b"\n".join([*lines[:2], *mixed]) + b"\n"
    yield b"\n".join(damaged)


@pytest.mark.parametrize("agent", LINES)
def test_damaged_lines_raise_nothing(agent: str, tmp_path: Path) -> None:
    """What is whole between them is shown."""
    path = tmp_path / "session.jsonl"
    counts = []
    for data in files(agent, 1):
        path.write_bytes(data)
        counts.append(refused_or_shown(agent, path, Random(1)))
    assert counts[0] > 20


@pytest.mark.parametrize("agent", DOCUMENTS)
def test_damaged_documents_raise_nothing(agent: str, tmp_path: Path) -> None:
    """They are shown as far as they are whole, or refused."""
    path = tmp_path / "session.json"
    lines = [source.read_bytes() for source in DOCUMENTS[agent]]
    assert lines
    for number, data in enumerate(hostile(lines, 30, 1)):
        path.write_bytes(data)
        refused_or_shown(agent, path, Random(number))
