"""What a session that goes on used by now: the same as if it were read whole each time."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import sources
from m31a_metrics.catalog import growing
from m31a_metrics.catalog.growing import GrowingSession, Grown, standing_path
from m31a_metrics.catalog.load import Loader
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import AgentTotals, LLMInteraction, encode
from m31a_metrics.spending import Spent
from m31a_metrics.timestamps import Today, micros
from tests import transcripts
from tests.sources import golden

START = datetime(2026, 6, 20, 12, tzinfo=UTC)
PRICES = {transcripts.MODEL: {"input": 3.0, "output": 15.0}}
NAME = "the-session"


def at(moment: datetime) -> int:
    """Unix time in microseconds."""
    return micros(moment)


TODAY = Today(
    "2026-06-20",
    "2026-06",
    at(datetime(2026, 6, 20, tzinfo=UTC)),
    at(datetime(2026, 6, 21, tzinfo=UTC)),
    at(datetime(2026, 6, 1, tzinfo=UTC)),
    at(datetime(2026, 7, 1, tzinfo=UTC)),
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A machine with prices of its own, so that nobody asks the library."""
    return Config(
        str(tmp_path / "sessions"),
        str(tmp_path / "metrics.db"),
        prices=PRICES,
        live_dir=str(tmp_path / "live"),
    )


@pytest.fixture
def wholes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were read whole; every transcript is long enough to be read in part."""
    monkeypatch.setattr(growing, "_WORTH_BYTES", 1)
    monkeypatch.setattr(growing, "_HEAD_BYTES", 300)
    monkeypatch.setattr(growing, "_OVERLAPS_BYTES", (1_500, 6_000))
    found: list[str] = []
    whole = GrowingSession._whole

    def counted(self: GrowingSession, name: str) -> object:
        found.append(self._path)
        return whole(self, name)

    monkeypatch.setattr(GrowingSession, "_whole", counted)
    return found


def look(config: Config, path: Path, today: Today = TODAY, agent: str = "claude-code") -> Grown:
    """What the session used by now."""
    return GrowingSession(config, agent, str(path), today).look(NAME)


def anew(config: Config, path: Path, agent: str = "claude-code") -> Grown:
    """The same by somebody who never looked before."""
    kept = standing_path(config.live_dir, NAME)
    aside = f"{kept}.aside"
    if os.path.exists(kept):
        os.rename(kept, aside)
    found = GrowingSession(config, agent, str(path), TODAY).look(NAME)
    if os.path.exists(aside):
        os.replace(aside, kept)
    return found


def append(path: Path, *keys: str, begins: datetime = START) -> None:
    """Append calls of a tool, each in a response of its own."""
    lines = [
        line
        for number, key in enumerate(keys)
        for line in transcripts.call(key, begins + timedelta(seconds=10 * number))
    ]
    other = path.with_name("other")
    written = transcripts.write(other, transcripts.ONE, *lines)
    with path.open("ab") as file:
        file.write(written.read_bytes())
    shutil.rmtree(other)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A transcript of forty calls."""
    found = tmp_path / "projects" / "-src-app" / f"{transcripts.ONE}.jsonl"
    found.parent.mkdir(parents=True)
    append(found, *(f"a{number}" for number in range(40)))
    return found


def test_what_grew_is_added_to_what_is_known(config: Config, path: Path, wholes: list[str]) -> None:
    """Read whole once, then its end alone; tokens, cost and active time are those of the whole."""
    first = look(config, path).spending
    assert first.day.total_tokens == 40 * transcripts.TOTAL
    assert first.before == first.month == Spent()
    for number in range(1, 6):
        append(path, f"b{number}", begins=START + timedelta(minutes=10 + number))
        grown = look(config, path)
        assert grown.spending.in_all.total_tokens == (40 + number) * transcripts.TOTAL
    assert len(wholes) == 1
    assert grown == anew(config, path)
    assert grown.phase == "execute"


def test_a_response_that_goes_on_counts_once(config: Config, path: Path, wholes: list[str]) -> None:
    """Its first line was read, its last one says more: the last one counts."""
    begun = dict(transcripts.USAGE, output_tokens=1)
    when = START + timedelta(minutes=30)
    line = transcripts.answer("c", when, usage=begun)
    before = look(config, path).spending.in_all.total_tokens
    for told in (line, transcripts.answer("c", when)):
        written = transcripts.write(path.with_name("other"), transcripts.ONE, told)
        with path.open("ab") as file:
            file.write(written.read_bytes())
        now = look(config, path).spending.in_all.total_tokens
    assert now - before == transcripts.TOTAL
    assert len(wholes) == 1


@pytest.mark.parametrize("agent", ["claude-code", "codex", "qwen"])
def test_every_shape_grows_as_it_is_read(
    agent: str, config: Config, tmp_path: Path, wholes: list[str]
) -> None:
    """Line by line, each session of an agent comes to what it comes to when it is read whole."""
    again = 0
    variables = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "QWEN_HOME")
    for shape in golden.shapes(agent):
        home = tmp_path / shape
        shutil.copytree(golden.GOLDEN / agent / shape, home)
        environ = dict.fromkeys(variables, str(home))
        found = [Path(path) for path in sources.source(agent).find(environ)]
        lines = list(as_written(home))
        for path in found:
            shutil.rmtree(config.live_dir, ignore_errors=True)
            for file in home.rglob("*.jsonl"):
                file.unlink()
            for file, line in lines:
                with file.open("ab") as growing_file:
                    growing_file.write(line)
                try:
                    grown = look(config, path, agent=agent)
                except MetricsError:
                    continue  # no record in it can be read yet
                again += 1
                whole = anew(config, path, agent)
                assert used(grown) == used(whole), f"{shape}, {file.name}, {line[:80]!r}"
    assert again < len(wholes) < 2 * again, "each was read whole once more to compare"


def as_written(home: Path) -> Iterator[tuple[Path, bytes]]:
    """The lines of all files below a folder, in the order in which their agent wrote them."""
    timed = []
    for file in sorted(home.rglob("*.jsonl"), key=lambda path: len(path.parts)):
        when = ""
        for line in file.read_bytes().splitlines(keepends=True):
            told = re.search(rb'"timestamp": ?"([^"]+)"', line)
            when = told[1].decode() if told else when
            timed.append((when, file, line))
    timed.sort(key=lambda one: one[0])
    yield from ((file, line) for _, file, line in timed)


def used(grown: Grown) -> list[tuple[int, int, int]]:
    """Money and tokens by parts of time."""
    parts = grown.spending.before, grown.spending.month, grown.spending.day
    return [(one.cost_nano, one.total_tokens, one.unpriced_tokens) for one in parts]


def told(config: Config, cost_usd: float, when: datetime) -> None:
    """The agent's status line says what its session cost so far."""
    events = Path(config.sessions_dir, transcripts.ONE, "events")
    events.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = AgentTotals(t_us=at(when), cost_usd=cost_usd)
    with (events / "hooks.jsonl").open("ab") as file:
        file.write(b"\n" + encode(line) + b"\n")


def paid(path: Path, key: str, when: datetime) -> None:
    """Append a response that cost a dollar, as the transcript says."""
    line = transcripts.answer(key, when) | {"costUSD": 1.0}
    written = transcripts.write(path.with_name("other"), transcripts.ONE, line)
    with path.open("ab") as file:
        file.write(written.read_bytes())


def test_what_an_agents_total_holds_beyond_its_calls_is_used_too(
    config: Config, tmp_path: Path, wholes: list[str]
) -> None:
    """Compactions are in no transcript: as they come, and over runs of the agent."""
    config = replace(config, prices={})
    path = tmp_path / "projects" / "-src-app" / f"{transcripts.ONE}.jsonl"
    path.parent.mkdir(parents=True)

    def cost_usd() -> float:
        grown = GrowingSession(config, "claude-code", str(path), TODAY).look(transcripts.ONE)
        fresh = replace(config, live_dir=f"{config.live_dir}-fresh")
        shutil.rmtree(fresh.live_dir, ignore_errors=True)
        whole = GrowingSession(fresh, "claude-code", str(path), TODAY).look(transcripts.ONE)
        assert grown.spending.in_all == whole.spending.in_all
        shown = Loader(config).load("claude-code", str(path)).record.llms
        assert sum(llm.cost_nano for llm in shown) == grown.spending.in_all.cost_nano
        return grown.spending.in_all.cost_nano / 1e9

    for number in range(20):
        paid(path, f"a{number}", START + timedelta(seconds=number))
    assert cost_usd() == 20
    told(config, 20.0, START + timedelta(minutes=1))
    assert cost_usd() == 20
    told(config, 20.5, START + timedelta(minutes=2))  # a compaction
    assert cost_usd() == 20.5
    paid(path, "b", START + timedelta(minutes=3))  # the total does not hold it yet
    assert cost_usd() == 21.5
    told(config, 21.5, START + timedelta(minutes=4))
    assert cost_usd() == 21.5
    told(config, 0.25, START + timedelta(minutes=5))  # another run, which counts anew
    paid(path, "c", START + timedelta(minutes=6))
    told(config, 1.75, START + timedelta(minutes=7))
    assert cost_usd() == 23.0
    assert wholes.count(str(path)) == 1 + 6


def _cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-4]))


def _replaced(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes() * 2)
    other.replace(path)


def _rewritten(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"msg_a1", b"msg_x1") + data.replace(b"_a", b"_d"))


def _joined_by_a_subagent(path: Path) -> None:
    agents = path.with_suffix("") / "subagents"
    agents.mkdir(parents=True)
    append(agents / "agent-0badcafe.jsonl", "e1", "e2")


@pytest.mark.parametrize("change", [_cut, _replaced, _rewritten, _joined_by_a_subagent])
def test_in_doubt_all_is_read_again(
    change: object, config: Config, path: Path, wholes: list[str]
) -> None:
    """A file that was cut, replaced or rewritten, or that is new: nothing of before is trusted."""
    look(config, path)
    assert callable(change)
    change(path)
    grown = look(config, path)
    assert len(wholes) == 2
    assert grown == anew(config, path)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format":1}'])
def test_what_is_kept_may_be_lost(
    damage: bytes, config: Config, path: Path, wholes: list[str]
) -> None:
    """A damaged state, a price that changed, another day: all is read again."""
    look(config, path)
    Path(standing_path(config.live_dir, NAME)).write_bytes(damage)
    look(config, path)
    assert len(wholes) == 2
    dear = {transcripts.MODEL: {"input": 30.0, "output": 150.0}}
    other = replace(config, prices=dear)
    assert look(other, path).spending.in_all.cost_nano > 0
    assert len(wholes) == 3
    tomorrow = replace(TODAY, day="2026-06-21", day_from_us=TODAY.day_until_us)
    parts = look(other, path, tomorrow).spending
    assert len(wholes) == 4
    assert parts.day == Spent()
    assert parts.month.total_tokens == 40 * transcripts.TOTAL


def test_a_fork_begins_when_it_went_its_own_way(config: Config, tmp_path: Path) -> None:
    """What it copied is the other session's use, of this day too."""
    home = tmp_path / "fork"
    shutil.copytree(golden.GOLDEN / "claude-code" / "fork", home)
    tokens = {}
    for found in sources.source("claude-code").find({"CLAUDE_CONFIG_DIR": str(home)}):
        shutil.rmtree(config.live_dir, ignore_errors=True)
        whole = sources.source("claude-code").read(found)
        used_in_all = look(config, Path(found)).spending.in_all.total_tokens
        tokens[bool(whole.facts.parent_id)] = used_in_all
        told = sum(e.usage.total for e in whole.events if isinstance(e, LLMInteraction))
        assert (used_in_all < told) is bool(whole.facts.parent_id)
    assert len(tokens) == 2


def test_nothing_of_a_transcript_is_kept(config: Config, path: Path, wholes: list[str]) -> None:
    """What lies beside the verdicts holds figures, hashes and places, and is the user's alone."""
    look(config, path)
    place = Path(standing_path(config.live_dir, NAME))
    text = place.read_text()
    assert wholes
    assert "hello" not in text
    assert "toolu_" not in text
    assert place.stat().st_mode & 0o777 == 0o600
