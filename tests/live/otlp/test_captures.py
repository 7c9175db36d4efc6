"""What six real agents sent comes to what the model served, alone and beside what else tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from m31a_metrics import config, journal
from m31a_metrics.catalog.load import Loader
from m31a_metrics.live import hook
from m31a_metrics.record import SessionRecord
from tests.live.hooked import Machine
from tests.live.otlp.sent import arrive

pytest.importorskip("opentelemetry.proto", reason="needs the extra `otel`")


class Sums(NamedTuple):
    """What a session comes to: calls that ran, failed, were refused; answers; their tokens."""

    calls: int
    failed: int
    denied: int
    answers: int
    prompt: int
    completion: int

    @classmethod
    def of(cls, record: SessionRecord) -> Sums:
        """Of a session as the index has it."""
        return cls(
            sum(row.call_count for row in record.tools),
            sum(row.fail_count for row in record.tools),
            sum(row.denied_count for row in record.tools),
            sum(row.interaction_count for row in record.llms),
            sum(row.prompt_tokens for row in record.llms),
            sum(row.completion_tokens for row in record.llms),
        )


class Capture(NamedTuple):
    """What a run comes to by OTLP alone; the transcript, what that adds; the cost in USD."""

    alone: Sums
    transcript: str
    whole: Sums
    cost_usd: float
    turns: int = 1
    missing: int = 0


_CLAUDE = "home/.claude/projects/*/*.jsonl"
_CODEX = "home/.codex/sessions/*/*/*/*.jsonl"
_GEMINI = "home/.gemini/tmp/project/chats/*.jsonl"
_CC332, _CCINT2 = Sums(5, 1, 0, 8, 9_215, 335), Sums(5, 1, 0, 10, 11_523, 423)
_CCDENY, _THREE = Sums(1, 0, 3, 5, 5_760, 210), Sums(2, 1, 0, 3, 3_603, 180)
_GMDENY = Sums(2, 1, 2, 5, 6_010, 300)

CAPTURES = {
    # The report of a subagent in the background is a prompt that no person wrote.
    "claude-code/cc332": Capture(_CC332, _CLAUDE, _CC332, 0.01191, turns=2),
    "claude-code/cc332pb": Capture(_CC332, _CLAUDE, _CC332, 0.01191, turns=2),
    # Two of the answers made a summary, and stand in no transcript.
    "claude-code/ccint2": Capture(_CCINT2, _CLAUDE, _CCINT2, 0.014964, turns=2),
    "claude-code/ccdeny": Capture(_CCDENY, _CLAUDE, _CCDENY, 0.007455),
    "codex/cx1": Capture(_THREE, _CODEX, _THREE, 0.00292875),
    # What a hook refuses, Codex' logs do not tell.
    "codex/cxdeny": Capture(
        Sums(1, 0, 0, 3, 3_603, 180), _CODEX, Sums(1, 0, 1, 3, 3_603, 180), 0.00292875
    ),
    # A command that exits with 1 is a success by Gemini CLI's logs.
    "gemini-cli/gm1": Capture(
        Sums(4, 1, 0, 5, 6_010, 300), _GEMINI, Sums(4, 2, 0, 5, 6_010, 300), 0.0048875
    ),
    "gemini-cli/gmdeny": Capture(_GMDENY, _GEMINI, _GMDENY, 0.0048875),
    "qwen-code/qw1": Capture(_THREE, "home/.qwen/projects/*/chats/*.jsonl", _THREE, 0.0),
    "copilot-cli/cp2": Capture(
        _THREE, "home/.copilot/session-state/*/events.jsonl", _THREE, 0.0070575
    ),
    # Its last span was never sent; its database is not among the captures. What a provider that
    # nobody knows asks for a model is not known, either.
    "opencode/oc1": Capture(Sums(2, 1, 0, 2, 2_400, 120), "", _THREE, 0.0, turns=0, missing=1),
}


@pytest.fixture
def capture(shared: Path, request: pytest.FixtureRequest) -> Path:
    """The folder of a run, or a skip."""
    folder = shared / "captures" / str(request.param)
    if not folder.is_dir():
        pytest.skip("needs the captures in ../shared, which are not here")
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which nothing is settled and no budget is set."""
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def sessions_dir(tmp_path: Path) -> str:
    """Where sessions are recorded."""
    return str(tmp_path)


def served(capture: Path) -> tuple[int, int, int]:
    """How often the model answered, its prompt tokens and its completion tokens."""
    answers = [json.loads(line)["usage"] for line in _lines(capture / "answers.jsonl")]
    return len(answers), sum(map(_prompt, answers)), sum(map(_completion, answers))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _prompt(usage: dict[str, int]) -> int:
    if "cache_read_input_tokens" in usage:
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        return sum(usage[name] for name in names)
    return _of(usage, ("input_tokens", "prompt_tokens", "promptTokenCount"))


def _completion(usage: dict[str, int]) -> int:
    thoughts = usage.get("thoughtsTokenCount", 0)
    names = ("output_tokens", "completion_tokens", "candidatesTokenCount")
    return _of(usage, names) + thoughts


def _of(usage: dict[str, int], names: Sequence[str]) -> int:
    return next(usage[name] for name in names if name in usage)


@pytest.mark.parametrize("capture", CAPTURES, indirect=True)
def test_otlp_alone_comes_to_what_was_served(
    capture: Path, sessions_dir: str, request: pytest.FixtureRequest
) -> None:
    """Tokens, calls, failures, refusals and cost of each run; sent twice, it is the same."""
    expected = CAPTURES[request.node.callspec.params["capture"]]
    chosen = replace(config.defaults(), sessions_dir=sessions_dir)
    directory = arrive(capture, sessions_dir)
    record = Loader(chosen).load("m31a", directory).record
    assert Sums.of(record) == expected.alone
    answers, prompt, completion = served(capture)
    assert record.user_turn_count == expected.turns
    if not expected.missing:
        assert (answers, prompt, completion) == expected.alone[3:]
    assert sum(row.cost_nano for row in record.llms) / 1e9 == pytest.approx(expected.cost_usd)
    assert not record.damage.count
    arrive(capture, sessions_dir, times=2)
    again = Loader(chosen).load("m31a", directory).record
    assert (Sums.of(again), again.user_turn_count) == (expected.alone, expected.turns)


@pytest.mark.parametrize(
    "capture", [one for one in CAPTURES if CAPTURES[one].transcript], indirect=True
)
@pytest.mark.parametrize("name", [journal.OTLP, journal.OTLP_OPEN])
def test_beside_transcript_and_hooks_all_counts_once(
    capture: Path,
    name: str,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """One session, each id once, with the transcript's turns and nobody's call doubled."""
    which = request.node.callspec.params["capture"]
    expected, sessions_dir = CAPTURES[which], str(machine.sessions)
    agent = which.partition("/")[0].replace("qwen-code", "qwen")
    if agent in ("claude-code", "codex", "qwen"):
        for line in _lines(capture / "hooks.tsv"):
            at_s, _, said = line.split("\t", 2)
            at_ns = int(float(at_s) * 1e9)
            monkeypatch.setattr(hook, "time", SimpleNamespace(time_ns=partial(int, at_ns)))
            machine.attend(said.encode(), agent)
    arrive(capture, sessions_dir, name)
    (transcript,) = capture.glob(expected.transcript)
    chosen = replace(config.defaults(), sessions_dir=sessions_dir)
    loaded = Loader(chosen).load("", str(transcript))
    assert Sums.of(loaded.record) == expected.whole
    cost_usd = sum(row.cost_nano for row in loaded.record.llms) / 1e9
    assert cost_usd == pytest.approx(expected.cost_usd)
    ids = [event.id for event in loaded.events if event.id is not None]
    assert len(ids) == len(set(ids))
    alone = Loader(replace(chosen, sessions_dir="/nowhere")).load("", str(transcript))
    assert loaded.record.user_turn_count == alone.record.user_turn_count
