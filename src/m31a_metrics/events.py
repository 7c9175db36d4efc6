"""The one currency: what can happen in a session, one frozen struct per record method.

An event's fields are its record method's arguments by name, with `t_us` (when, Unix time
in microseconds) and an optional `id` (an event with an id counts once in a session).
Encoded with `encode`, an event is one line of a journal (docs/journal.md); `encode_lines`
ends each with its newline.

No event has a field for people's text: `error` is a failure line.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

from msgspec import Meta, Struct, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import astuple

from m31a_metrics.model import UNKNOWN_USAGE, SessionMetrics, Tokens, Usage
from m31a_metrics.units import LARGEST, YEAR_10000_US

# The hook is for numbers of unknown keys in a Counts, which remember their text.
_encoder = Encoder(enc_hook=float)
encode, encode_lines = _encoder.encode, _encoder.encode_lines

Micros = Annotated[int, Meta(ge=0, lt=YEAR_10000_US)]
"""Unix time in microseconds, before the year 10000, which no datetime can hold."""

Millis = Annotated[int, Meta(ge=0, le=LARGEST)] | Annotated[float, Meta(ge=0, le=LARGEST)]
Usd = Annotated[float, Meta(ge=0, le=1e15)]
Percent = Annotated[float, Meta(ge=0, le=1e6)]


class _Event(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="event",
    gc=False,
):
    id: str | None = None


NOT_STARTED = ("command not found", "cannot execute")
"""With these begins the failure line of a command that `m31 run` could not start."""


class ToolCall(_Event, frozen=True, tag="tool_call", omit_defaults=True, gc=False):
    """A tool ran for `duration_ms`, after waiting `wait_ms` for a person's permission.

    `elapsed_only` marks a duration that may hold a wait which could not be told apart:
    it counts in sums and stays out of percentiles. `subagent` names who called, if it
    was not the session's own agent. `denied`: a hook, a rule or a person refused the call,
    so it never ran: it is no call, its `success` and `duration_ms` count nowhere, and only
    its wait is time that passed.
    """

    t_us: Micros
    name: str
    success: bool
    duration_ms: Millis
    wait_ms: Millis | None = None
    error: str | None = None
    elapsed_only: bool = False
    subagent: str | None = None
    denied: bool = False


LINE_START = b'{"event":"tool_call","t_us":'
LINE_END = b"}\n"


def line_middle(name: str, success: bool) -> bytes:
    """Encode the part of a plain tool call's line that its tool and outcome decide.

    `LINE_START + time + line_middle + duration + LINE_END` is the line that `encode`
    makes of the ToolCall. Joining the parts takes two thirds of the time.
    """
    flag = b"true" if success else b"false"
    return b',"name":%b,"success":%b,"duration_ms":' % (encode(name), flag)


class LLMInteraction(_Event, frozen=True, tag="llm_interaction", omit_defaults=True, gc=False):
    """A model answered. `cost` in USD; None means nobody said, so it is priced later.

    Where nobody reported the usage it is left out, and never priced.
    `tier` is how the provider served it where that changes the price (`fast`, `batch`, `us`
    for inference in the US only, `fast-us`); `subagent` names who asked, if it was not the
    session's own agent. `web_search_count`: searches of the provider's own tool, which it
    bills by the piece.
    """

    t_us: Micros
    phase: str
    usage: Usage = UNKNOWN_USAGE
    cost: Usd | None = None
    model: str | None = None
    duration_ms: Millis | None = None
    tier: str | None = None
    subagent: str | None = None
    web_search_count: Tokens = 0

    @property
    def has_unknown_usage(self) -> bool:
        """Tell whether nobody reported the usage; its counts are 0 then, and mean nothing."""
        return self.usage is UNKNOWN_USAGE


UNATTRIBUTED = "unattributed"
"""The phase of LLM use that an agent's own totals hold and that no witness told apart."""


class PhaseTransition(_Event, frozen=True, tag="phase_transition", omit_defaults=True, gc=False):
    """A phase was entered."""

    t_us: Micros
    phase: str


class PhaseDuration(_Event, frozen=True, tag="phase_duration", omit_defaults=True, gc=False):
    """A phase ended after `duration_ms`; a later one of the same phase replaces it."""

    t_us: Micros
    phase: str
    duration_ms: Millis
    success: bool


class HealTrigger(_Event, frozen=True, tag="heal_trigger", omit_defaults=True, gc=False):
    """The agent began to heal itself in a phase."""

    t_us: Micros
    phase: str


class HealOutcome(_Event, frozen=True, tag="heal_outcome", omit_defaults=True, gc=False):
    """A self-heal ended."""

    t_us: Micros
    phase: str
    success: bool
    duration_ms: Millis | None = None


class HealLoop(_Event, frozen=True, tag="heal_loop", omit_defaults=True, gc=False):
    """The same error came back again and again."""

    t_us: Micros
    phase: str


class BisectTrigger(_Event, frozen=True, tag="bisect_trigger", omit_defaults=True, gc=False):
    """A git bisect began in a phase."""

    t_us: Micros
    phase: str


class BisectOutcome(_Event, frozen=True, tag="bisect_outcome", omit_defaults=True, gc=False):
    """A git bisect ended; success means it named a commit."""

    t_us: Micros
    phase: str
    success: bool


class EditStrategy(_Event, frozen=True, tag="edit_strategy", omit_defaults=True, gc=False):
    """An edit was applied in a certain way (exact_match, cascading, ...)."""

    t_us: Micros
    strategy: str


class SessionStart(_Event, frozen=True, tag="session_start", omit_defaults=True, gc=False):
    """A recorder opened the session; who, which version, where, under which labels."""

    t_us: Micros
    agent: str | None = None
    version: str | None = None
    native_id: str | None = None
    project: str | None = None
    branch: str | None = None
    labels: dict[str, str] | None = None


class UserTurn(_Event, frozen=True, tag="user_turn", omit_defaults=True, gc=False):
    """A person said something."""

    t_us: Micros


class Compaction(_Event, frozen=True, tag="compaction", omit_defaults=True, gc=False):
    """The context was compacted."""

    t_us: Micros
    trigger: str | None = None
    pre_tokens: Tokens | None = None
    post_tokens: Tokens | None = None
    duration_ms: Millis | None = None


class Subagent(_Event, frozen=True, tag="subagent", omit_defaults=True, gc=False):
    """A subagent ended; its tokens belong to this session and are shown apart."""

    t_us: Micros
    name: str
    usage: Usage | None = None
    duration_ms: Millis | None = None
    success: bool | None = None


class Mode(_Event, frozen=True, tag="mode", omit_defaults=True, gc=False):
    """The agent's mode changed (plan, acceptEdits, default, ...)."""

    t_us: Micros
    mode: str


class PermissionWait(_Event, frozen=True, tag="permission_wait", omit_defaults=True, gc=False):
    """A person was asked for permission and took `duration_ms` to answer."""

    t_us: Micros
    duration_ms: Millis
    name: str | None = None
    success: bool | None = None


class ToolStart(
    Struct,
    frozen=True,
    omit_defaults=True,
    tag_field="event",
    tag="tool_start",
    gc=False,
):
    """A tool is about to run, or to be refused: a start alone is no call.

    On its line the call's id stands in `id`, as everywhere. It is not taken by that: what
    ended the call counts under it.
    """

    t_us: Micros
    name: str
    call_id: str = field(name="id")

    @property
    def id(self) -> str | None:
        """None: however often a start is told, nothing is counted twice."""
        return None


class ToolEnd(_Event, frozen=True, tag="tool_end", omit_defaults=True, gc=False):
    """A tool ran, says a witness that knows neither for how long nor how it went.

    With the start of the same call it tells how long. It is one call that nobody saw fail,
    unless a ToolCall of that id says more.
    """

    t_us: Micros
    name: str

    def call(self, start: ToolStart | None) -> ToolCall:
        """Return the call that ended: it took the time since its start, where that is known."""
        return ToolCall(
            self.t_us,
            self.name,
            success=True,
            duration_ms=0 if start is None else max(self.t_us - start.t_us, 0) / 1000,
            elapsed_only=start is None,
            id=self.id,
        )


class AgentTotals(_Event, frozen=True, tag="agent_totals", omit_defaults=True, gc=False):
    """What an agent says of itself so far, to its status line or in its transcript.

    `cost_usd` (USD), `duration_ms` since it began and `api_duration_ms` waiting for its model
    are of the session; the context is how full it is now; of its provider's limits of five
    hours and seven days, what is used (percent) and when they begin anew (Unix microseconds).
    `usage` is that of the session by model.
    No sums: the latest of a session holds all before it.
    """

    t_us: Micros
    cost_usd: Usd | None = None
    duration_ms: Millis | None = None
    api_duration_ms: Millis | None = None
    context_used_percent: Percent | None = None
    context_tokens: Tokens | None = None
    five_hour_used_percent: Percent | None = None
    five_hour_resets_us: Micros | None = None
    seven_day_used_percent: Percent | None = None
    seven_day_resets_us: Micros | None = None
    usage: dict[str, Usage] | None = None


class Counts(_Event, frozen=True, tag="counts", omit_defaults=True, gc=False):
    """Sums of events that could not be journalled one by one (a full disk, no journal).

    `metrics` holds what was counted since the journal last took a line. Raises
    ValueError for figures that METRICS.json cannot hold: a flipped bit in one line must
    not be the end of every flush.
    """

    t_us: Micros
    metrics: SessionMetrics

    def __post_init__(self) -> None:
        metrics = self.metrics
        if metrics.started_at.tzinfo is None or metrics.updated_at.tzinfo is None:
            raise ValueError("a time without a zone")
        for rows in (metrics.tools, metrics.llms, metrics.phases, metrics.edit_strategies):
            for row in rows:
                for value in astuple(row):
                    if isinstance(value, int | float) and not -(2**63) <= value < 2**63:
                        raise ValueError("a figure that 64 bits cannot hold")


Event = (
    ToolCall
    | LLMInteraction
    | PhaseTransition
    | PhaseDuration
    | HealTrigger
    | HealOutcome
    | HealLoop
    | BisectTrigger
    | BisectOutcome
    | EditStrategy
    | SessionStart
    | UserTurn
    | Compaction
    | Subagent
    | Mode
    | PermissionWait
    | ToolStart
    | ToolEnd
    | AgentTotals
    | Counts
)


@cache
def decoder() -> Decoder[Event]:
    """Return the one decoder of journal lines.

    Made on first use: resolving the types takes milliseconds, and a program that only
    records never decodes.
    """
    return Decoder(Event)
