"""The values everything else speaks of: one session, its tools, its LLM use, its phases.

Attribute names are the JSON names of METRICS.json (docs/metrics-json.md), so that the
file, the code and the screen use one word. Rows are plain mutable structs: a snapshot
is the caller's own copy and may be changed freely.

Field order is constructor order. The order of keys in the file is the codec's business.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from m31a_metrics.measures import TokenSums
from m31a_metrics.units import LARGEST

Tokens = Annotated[int, Meta(ge=0, le=LARGEST)]
"""A token count of one interaction."""

ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time.Time, which M31A writes where it has no time."""


class WorkflowPhase(StrEnum):
    """M31A's phases, and `explore`, which reading transcripts needs.

    Any other string is a phase too; these are only the names that everyone shares.
    """

    IDLE = "idle"
    INITIALIZE = "initialize"
    DISCUSS = "discuss"
    EXPLORE = "explore"
    PLAN = "plan"
    EXECUTE = "execute"
    VERIFY = "verify"
    RUNTIME = "runtime"
    SHIP = "ship"


class _Tokens(Struct, frozen=True, gc=False):
    prompt_tokens: Tokens
    completion_tokens: Tokens
    total_tokens: Tokens | None = None


class Usage(_Tokens, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Tokens of one LLM interaction.

    `prompt_tokens` includes cache reads and writes, `completion_tokens` includes
    reasoning. `total_tokens=None` means prompt + completion; a given number is kept
    as given, 0 too.
    """

    cache_read_tokens: Tokens = 0
    cache_write_5m_tokens: Tokens = 0
    cache_write_1h_tokens: Tokens = 0
    reasoning_tokens: Tokens = 0

    @property
    def total(self) -> int:
        """The given total, or prompt + completion where none was given."""
        if self.total_tokens is not None:
            return self.total_tokens
        return self.prompt_tokens + self.completion_tokens


UNKNOWN_USAGE = Usage(0, 0)
"""This very object stands for usage that nobody reported: one interaction, no tokens, no price."""


class ToolMetric(Struct):
    """One tool: how often it ran, how often it failed, how long it took (whole ms).

    `denied_count` calls were refused by a hook, a rule or a person. They never ran, so they
    are not among `call_count`.
    """

    name: str = ""
    call_count: int = 0
    success_count: int = 0
    fail_count: int = 0
    total_duration_ms: int = 0
    avg_duration_ms: float = 0.0
    denied_count: int = 0
    unknown: dict[str, Any] = {}


class LLMMetric(Struct):
    """LLM use of one phase. `cost` is in USD.

    `unpriced_tokens` counts the tokens of interactions whose cost nobody knew; they
    add nothing to `cost`. `unknown_usage_count` of the interactions had a usage that nobody
    reported, so they add no tokens.
    """

    phase: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0.0
    interaction_count: int = 0
    prompt_hash: str = ""
    truncated_input: bool = False
    unpriced_tokens: int = 0
    unknown_usage_count: int = 0
    unknown: dict[str, Any] = {}


class PhaseMetric(Struct):
    """One workflow phase. `duration_ms` and `success` are those last recorded, not sums."""

    phase: str = ""
    duration_ms: int = 0
    transition_count: int = 0
    heal_trigger_count: int = 0
    bisect_trigger_count: int = 0
    success: bool = False
    heal_success_count: int = 0
    heal_fail_count: int = 0
    heal_duration_ms: int = 0
    heal_loop_count: int = 0
    bisect_success_count: int = 0
    bisect_fail_count: int = 0
    unknown: dict[str, Any] = {}


class EditStrategyMetric(Struct):
    """How often one way of applying an edit was used."""

    strategy: str = ""
    count: int = 0
    unknown: dict[str, Any] = {}


class SessionMetrics(Struct):
    """One session as a whole: what METRICS.json holds.

    `plan_outcomes`, `startup`, `completions` and `cancellations` are M31A's own and are
    carried as the JSON values they are. `unknown` holds keys of the file that this
    version does not know; they are written back behind the known ones.
    """

    session_id: str = ""
    started_at: datetime = ZERO_TIME
    updated_at: datetime = ZERO_TIME
    tools: list[ToolMetric] = []
    llms: list[LLMMetric] = []
    phases: list[PhaseMetric] = []
    edit_strategies: list[EditStrategyMetric] = []
    plan_outcomes: list[Any] = []
    startup: dict[str, Any] = {}
    completions: list[Any] = []
    cancellations: list[Any] = []
    unknown: dict[str, Any] = {}


def without_negative(metrics: SessionMetrics) -> tuple[SessionMetrics, list[str]]:
    """Return a session with 0 for each figure below it, and a sentence for each such row.

    Go reads, and M31A would write, negative figures; no sum of ours is made of them.
    """
    said: list[str] = []
    tools = [_not_negative(row, row.name, said) for row in metrics.tools]
    llms = [_not_negative(row, row.phase, said) for row in metrics.llms]
    phases = [_not_negative(row, row.phase, said) for row in metrics.phases]
    strategies = [_not_negative(row, row.strategy, said) for row in metrics.edit_strategies]
    if not said:
        return metrics, said
    return (
        replace(metrics, tools=tools, llms=llms, phases=phases, edit_strategies=strategies),
        said,
    )


_Row = TypeVar("_Row", ToolMetric, LLMMetric, PhaseMetric, EditStrategyMetric)


def _not_negative(row: _Row, name: str, said: list[str]) -> _Row:
    below = [
        field
        for field in row.__struct_fields__
        if isinstance(figure := getattr(row, field), int | float) and figure < 0
    ]
    if not below:
        return row
    said.append(f"{name or 'a row without a name'}: {', '.join(below)} below 0")
    return replace(row, **dict.fromkeys(below, 0))


class ToolDurations(Struct, frozen=True):
    """How long one tool's calls ran, from the journals (ms; percentiles within 2 %).

    `ran_ms` is the sum of these `count` durations, each rounded as METRICS.json has it.
    """

    name: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    wait_ms: float
    ran_ms: int = 0


class ModelMetric(TokenSums):
    """LLM use of one model, which is empty where the recorder did not name it; cost in USD."""

    model: str = ""
    cost: float = 0.0


class LatestEvent(Struct, frozen=True):
    """One event as a person reads it in a list of the latest. `error` is a failure line.

    `denied`: a tool call that was refused, so `success` and `duration_ms` are None.
    """

    at: datetime
    event: str
    name: str
    success: bool | None = None
    duration_ms: float | None = None
    total_tokens: int | None = None
    cost: float | None = None
    error: str = ""
    denied: bool = False


class RecentCalls(Struct, frozen=True):
    """How long the latest calls of one tool took (ms), oldest first."""

    name: str
    durations_ms: list[float]


class PhaseSpan(Struct, frozen=True):
    """Active time without a gap in one phase ("": of no name). `ended_at` None: it goes on."""

    phase: str
    began_at: datetime
    ended_at: datetime | None = None


class PhaseTime(Struct, frozen=True):
    """How long a session was active in a phase (microseconds); "" stands for none.

    Of that `last_stay_us` is what METRICS.json alone says: how long the last stay was.
    """

    phase: str
    active_us: int = 0
    last_stay_us: int = 0


class Spend(Struct, frozen=True):
    """What LLM use in one interval of time came to; intervals without any are left out."""

    began_at: datetime
    interval_ms: int
    total_tokens: int
    cost: float


class SessionDetail(Struct):
    """What only events know: percentiles, models, the latest events (oldest first), the course.

    `recent`, `spans` (the latest ones) and `spend` tell how the session went over time;
    `times` add up to the time in which it was active.
    """

    durations: list[ToolDurations] = []
    models: list[ModelMetric] = []
    latest: list[LatestEvent] = []
    recent: list[RecentCalls] = []
    spans: list[PhaseSpan] = []
    spend: list[Spend] = []
    times: list[PhaseTime] = []

    def __repr__(self) -> str:
        """Say how many of each there are; the rows themselves fill screens."""
        counts = (f"{name}={len(getattr(self, name))}" for name in self.__struct_fields__)
        return f"<SessionDetail: {', '.join(counts)}>"
