"""One session as the index keeps it: who ran it, and sums at the finest grain any question asks.

Every figure is a whole number (money in nano-USD, time in microseconds), so that the sums
over any partition (days, models, phases, sessions) are exactly the sum of the whole.
`day` is the local day of an event, as YYYY-MM-DD. No row holds anybody's text: of a
failure only what tools themselves say is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from m31a_metrics.histogram import Histogram
from m31a_metrics.measures import LLMSums, PhaseSums, ToolSums, add
from m31a_metrics.transcript import Damage, Effects, RateLimit, SessionRef


class ToolDay(ToolSums):
    """Calls of one tool in one phase on one day; `phase` is empty where nobody knows it.

    `ran` holds the durations that are known to be the tool's own, one by one, so without
    the `summed_count` calls.
    """

    day: str
    tool: str
    phase: str = ""
    ran: Histogram = field(default_factory=Histogram)


class LLMDay(LLMSums):
    """LLM use of one model in one phase on one day."""

    day: str
    model: str = ""
    phase: str = ""


class PhaseDay(PhaseSums):
    """One phase of the session on one day; `phase` is empty for active time of none.

    `success` tells how it ended, on the day on which it ended last; None on the others.
    """

    day: str
    phase: str
    success: bool | None = None


class HealEpisode(Struct):
    """One attempt to make a failed check pass.

    `failed_id` and `rerun_id` are calls (empty: not known, or none yet). `chain` numbers the
    failures of a session: attempts at one failure share it. `line` is the check's failure
    line, `check` the name of what was run (`pytest`). `passed` None: never rerun.
    `cost_nano` None: nobody knows what it cost.
    """

    day: str
    chain: int
    phase: str
    tool: str = ""
    check: str = ""
    line: str = ""
    failed_id: str = ""
    rerun_id: str = ""
    passed: bool | None = None
    loop: bool = False
    began_us: int = 0
    duration_us: int = 0
    total_tokens: int = 0
    cost_nano: int | None = None


class FailureDay(Struct):
    """How often one tool failed in one way on one day; `line` empty: nobody said how."""

    day: str
    tool: str
    line: str
    count: int = 0


class SessionRecord(Struct):
    """A session. `session_id` is the name it is found by.

    `agent` is `m31a` for a session that a Collector or M31A recorded itself, unless the
    Collector was told another. Times are Unix microseconds, 0 where unknown. `ids` are those
    of its events, for finding replays. `labels` are what its developer set it apart by.
    `is_recorded` tells a recorder's own words from what was read of an agent's transcript, or
    of an imported copy of one.
    `rate_limits` are the last that its provider told.
    `worktree` names the worktree of the project's repository that it ran in, if it was one.
    `is_to_be_priced`: models were named and the price library was not there to be asked.
    `ahead_us` is the first event that was later than the clock when it was read; 0: none was.
    Such events have the day that they say, and a day after that on which they were read.
    """

    agent: str
    native_id: str
    session_id: str
    path: str
    version: str = ""
    project: str = ""
    branch: str = ""
    parent_id: str = ""
    models: list[str] = []
    started_us: int = 0
    updated_us: int = 0
    user_turn_count: int = 0
    compaction_count: int = 0
    unpaired_count: int = 0
    tools: list[ToolDay] = []
    llms: list[LLMDay] = []
    phases: list[PhaseDay] = []
    heals: list[HealEpisode] = []
    failures: list[FailureDay] = []
    ids: list[str] = []
    is_to_be_priced: bool = False
    damage: Damage = field(default_factory=Damage)
    effects: Effects = field(default_factory=Effects)
    labels: dict[str, str] = {}
    rate_limits: list[RateLimit] = []
    is_recorded: bool = False
    ahead_us: int = 0
    worktree: str = ""

    @property
    def ref(self) -> SessionRef:
        """What it is known by."""
        return SessionRef(self.agent, self.native_id)


def joined(records: Sequence[SessionRecord]) -> SessionRecord:
    """One session out of its parts, which hold no event twice; the first says who ran where."""
    if len(records) == 1:
        return records[0]
    whole = replace(records[0], damage=Damage(), effects=Effects())
    for name in ("tools", "llms", "phases", "heals", "failures", "ids"):
        setattr(whole, name, [row for record in records for row in getattr(record, name)])
    whole.labels = {}
    for record in records:
        whole.labels = record.labels | whole.labels
    whole.rate_limits = max((record.rate_limits for record in records), key=_seen_us)
    whole.models = list(dict.fromkeys(model for record in records for model in record.models))
    whole.started_us = min((one.started_us for one in records if one.started_us), default=0)
    whole.updated_us = max(record.updated_us for record in records)
    whole.ahead_us = min((one.ahead_us for one in records if one.ahead_us), default=0)
    whole.is_to_be_priced = any(record.is_to_be_priced for record in records)
    for record in records[1:]:
        add(whole, record, _COUNTS)
    for record in records:
        whole.damage.merge(record.damage)
        add(whole.effects, record.effects, Effects.__struct_fields__)
    return whole


def _seen_us(limits: list[RateLimit]) -> int:
    return max((limit.seen_us for limit in limits), default=0)


_COUNTS = ("user_turn_count", "compaction_count", "unpaired_count")
