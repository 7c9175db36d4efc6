"""Sessions labelled call by call by careful readers, and how inference agrees with them.

The labels lie outside of this repository, in ../shared/labels. Those of HELD_OUT were held
out at first: nobody read them, or their transcripts, while the first rules were written
(docs/phases.md tells the scores at first sight). All have been seen since, those that are named
in neither list too, so that no score says how well the rules do on a session to come. No test
holds the rules to sessions that are named in neither list: they are rows of the benchmark.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from m31a_metrics import sources
from m31a_metrics.phases import Episode, infer

_SHARED = Path(__file__).parents[2] / "shared"
LABELS = _SHARED / "labels"
_SAMPLES = _SHARED / "samples"

HELD_OUT = frozenset(
    (
        "464878eb-4c98-430c-a91b-32b051328dfb",
        "5d961c1e-4371-4a75-a5b1-e8bc7c56d71e",
        "019f05f8-7f53-7492-a941-83098e16765c",
        "019f0675-387a-79c2-9e8d-ceb8a30657c9",
    )
)
SEEN = frozenset(
    (
        "0a93878f-dc30-4a5d-882f-3cd81cd3d499",
        "0fccf939-a272-4ef8-a9d0-01c7df276089",
        "223b2708-5340-4532-879b-05e5d9aa16f1",
        "b82405ba-a054-4152-bc86-e9b0d4832b68",
        "019ed50c-2fb3-7002-a384-360bea6e7f04",
        "019ed917-1cf7-72a3-92f5-c0aa98fb134e",
        "019ed9f4-6510-7fc0-8643-6d434f193bd0",
        "019f1d64-a048-7e10-8a4d-fd6b9e9d7b34",
    )
)


class _Call(msgspec.Struct):
    id: str
    phase: str
    sure: bool = True


class _Heal(msgspec.Struct):
    failed: str
    rerun: str | None = None
    passed: bool | None = None


class _Labels(msgspec.Struct):
    agent: str
    calls: list[_Call] = []
    heals: list[_Heal] = []
    progress_calls: list[_Call] = []
    progress_heals: list[_Heal] = []


@dataclass
class Score:
    """Agreement over some sessions; scores of sessions add up."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    sure: Counter[bool] = field(default_factory=Counter)
    labelled_heals: int = 0
    inferred_heals: int = 0
    matched_heals: int = 0
    right_outcomes: int = 0
    rules: Counter[bool] = field(default_factory=Counter)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.pairs + other.pairs,
            self.sure + other.sure,
            self.labelled_heals + other.labelled_heals,
            self.inferred_heals + other.inferred_heals,
            self.matched_heals + other.matched_heals,
            self.right_outcomes + other.right_outcomes,
            self.rules + other.rules,
        )

    @property
    def calls(self) -> int:
        """How many labelled calls there are."""
        return self.pairs.total()

    @property
    def agreement(self) -> float:
        """The share of calls with the phase that the reader gave."""
        return sum(n for (a, b), n in self.pairs.items() if a == b) / max(self.calls, 1)

    @property
    def sure_agreement(self) -> float:
        """The same over the calls that the reader was sure of."""
        return self.sure[True] / max(self.sure.total(), 1)

    @property
    def rules_sure(self) -> float:
        """The share of calls whose phase the rules are sure of."""
        return self.rules.total() / max(self.calls, 1)

    @property
    def rules_sure_agreement(self) -> float:
        """The share of those with the phase that the reader gave."""
        return self.rules[True] / max(self.rules.total(), 1)

    @property
    def kappa(self) -> float:
        """Cohen's kappa: agreement beyond what chance would give."""
        labelled: Counter[str] = Counter()
        inferred: Counter[str] = Counter()
        for (one, other), count in self.pairs.items():
            labelled[one] += count
            inferred[other] += count
        chance = sum(labelled[phase] * inferred[phase] for phase in labelled)
        expected = chance / max(self.calls, 1) ** 2
        return (self.agreement - expected) / (1 - expected) if expected < 1 else 1.0

    @property
    def heals_f1(self) -> float:
        """F1 of the episodes: one matches if its failed check or its rerun is the same call."""
        both = self.labelled_heals + self.inferred_heals
        return 2 * self.matched_heals / both if both else 1.0

    @property
    def outcomes(self) -> float:
        """The share of matched episodes whose outcome is right."""
        return self.right_outcomes / max(self.matched_heals, 1)


@dataclass(frozen=True)
class Session:
    """One labelled session."""

    name: str
    agent: str
    score: Score

    @property
    def group(self) -> str:
        """What it was to those who wrote the rules: held out, seen, or labelled later."""
        if self.name in HELD_OUT:
            return "held out"
        return "seen" if self.name in SEEN else "later"


def sessions(names: frozenset[str] | None = None) -> list[Session]:
    """Score the labelled sessions of these names, or all; those that are there."""
    found = {path.stem: path for path in sorted(LABELS.glob("*.json"))}
    scored = [_session(path) for name, path in found.items() if names is None or name in names]
    return [one for one in scored if one]


def _session(path: Path) -> Session | None:
    labels = msgspec.json.decode(path.read_bytes(), type=_Labels)
    sample = next(_SAMPLES.glob(f"*/{path.stem}.jsonl"), None)
    if sample is None:
        return None
    _, transcript = sources.detect(str(sample))
    inference = infer(transcript)
    phases = {call.id: call.phase for call in inference.calls}
    sure = {call.id for call in inference.calls if call.sure}
    score = Score()
    for call in labels.calls + labels.progress_calls:
        phase = phases.get(call.id, "")
        score.pairs[call.phase, phase] += 1
        if call.sure:
            score.sure[call.phase == phase] += 1
        if call.id in sure:
            score.rules[call.phase == phase] += 1
    heals = labels.heals + labels.progress_heals
    score.labelled_heals, score.inferred_heals = len(heals), len(inference.heals)
    _match(heals, list(inference.heals), score)
    return Session(path.stem, labels.agent, score)


def _match(labelled: list[_Heal], inferred: list[Episode], score: Score) -> None:
    for heal in labelled:
        for episode in inferred:
            if episode.failed == heal.failed or (heal.rerun and episode.rerun == heal.rerun):
                inferred.remove(episode)
                score.matched_heals += 1
                score.right_outcomes += episode.passed == heal.passed
                break
