"""What is exported as metrics: which families there are, and what their figures are.

A family is a name with a unit and labels, as Prometheus and OpenMetrics have it. `sums` and
`exact` ask whoever answers for its figures, in whole numbers. Sums of an index do fall: a file
that is read again is judged anew, `m31 prune` takes sessions out, prices change. A scraper takes
any fall of a counter for a restart, and adds all of it again. So what is exposed as counters is
what the sums grew by while one exporter ran: `growth`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.answers import Answers, LLMRow, PhaseRow, Slice, ToolRow, TotalsRow
from m31a_metrics.histogram import value_of
from m31a_metrics.measures import token_classes
from m31a_metrics.units import NANO_PER_USD, SECOND_US

COUNTER, GAUGE, HISTOGRAM, INFO = "counter", "gauge", "histogram", "info"

Labels = tuple[str, ...]
"""The values of a family's labels, in their order."""

BOUNDS_S = tuple(0.01 * 2**k for k in range(17))
"""Upper ends of the buckets, each included: those of `gen_ai.client.operation.duration`, which
are twice as far each time from 10 ms, and three more, for what runs longer than 82 s."""


class Family(Struct, frozen=True):
    """A metric: its name without `_total` or `_info`, and what its figures count.

    `unit` is the last part of the name, where that is one. Figures are kept in whole numbers,
    `scale` of them to one unit (nano-USD, microseconds).
    """

    name: str
    kind: str
    help: str
    labels: Labels = ()
    unit: str = ""
    scale: int = 1

    @property
    def scope(self) -> Labels:
        """Those of the labels that name an agent with its tool, model or phase, or a project."""
        for length in (2, 1):
            if self.labels[:length] in ROOM:
                return self.labels[:length]
        return ()


AGENT: Labels = ("agent",)
TOOL: Labels = ("agent", "tool")
MODEL: Labels = ("agent", "model")
PHASE: Labels = ("agent", "phase")
PROJECT: Labels = ("project",)

ROOM: Mapping[Labels, int] = {AGENT: 20, TOOL: 240, MODEL: 120, PHASE: 80, PROJECT: 50}
"""So many names of each kind have series of their own; together fewer than 10,000 series."""

SESSIONS = Family("m31a_sessions", COUNTER, "Sessions.", AGENT)
TOOL_CALLS = Family(
    "m31a_tool_calls", COUNTER, "Tool calls by outcome: ok or fail.", (*TOOL, "outcome")
)
TOOL_DENIED = Family(
    "m31a_tool_denied",
    COUNTER,
    "Calls that a hook, a rule or a person refused. They never ran and are no calls.",
    TOOL,
)
TOOL_RUN = Family(
    "m31a_tool_run_seconds",
    HISTOGRAM,
    "Time that tools ran themselves, of calls whose own time is known.",
    TOOL,
    "seconds",
    SECOND_US,
)
TOOL_WAIT = Family(
    "m31a_tool_wait_seconds",
    COUNTER,
    "Time that tool calls waited for a person's permission.",
    TOOL,
    "seconds",
    SECOND_US,
)
LLM_TOKENS = Family(
    "m31a_llm_tokens",
    COUNTER,
    "Tokens by kind. No token is of two kinds, so that all kinds add up to the total.",
    (*MODEL, "kind"),
    "tokens",
)
LLM_REASONING = Family(
    "m31a_llm_reasoning_tokens",
    COUNTER,
    "Tokens of reasoning. They are among those of kind output.",
    MODEL,
    "tokens",
)
LLM_UNPRICED = Family(
    "m31a_llm_unpriced_tokens",
    COUNTER,
    "Tokens of which nobody knows the cost. They are in no cost.",
    MODEL,
    "tokens",
)
LLM_COST = Family("m31a_llm_cost_usd", COUNTER, "Cost of LLM use.", MODEL, "usd", NANO_PER_USD)
LLM_INTERACTIONS = Family("m31a_llm_interactions", COUNTER, "Answers of models.", MODEL)
PHASE_TIME = Family(
    "m31a_phase_seconds", COUNTER, "Active time in phases.", PHASE, "seconds", SECOND_US
)
PHASES = Family(
    "m31a_phases",
    COUNTER,
    "Phases of sessions of which it is known how they ended: ok or fail.",
    (*PHASE, "outcome"),
)
HEAL_TRIGGERS = Family("m31a_heal_triggers", COUNTER, "Self-heals that agents set out on.", PHASE)
HEALS = Family(
    "m31a_heals",
    COUNTER,
    "Self-heals that ended, by outcome: passed or failed.",
    (*PHASE, "outcome"),
)
HEAL_LOOPS = Family(
    "m31a_heal_loops", COUNTER, "Failures that an agent tried to heal again and again.", PHASE
)
BISECTS = Family("m31a_bisects", COUNTER, "Bisects that agents set out on.", PHASE)
PROJECT_COST = Family(
    "m31a_project_cost_usd", COUNTER, "Cost of LLM use by project.", PROJECT, "usd", NANO_PER_USD
)
PROJECT_TOKENS = Family("m31a_project_tokens", COUNTER, "Tokens by project.", PROJECT, "tokens")

COUNTERS = (
    SESSIONS,
    TOOL_CALLS,
    TOOL_DENIED,
    TOOL_RUN,
    TOOL_WAIT,
    LLM_TOKENS,
    LLM_REASONING,
    LLM_UNPRICED,
    LLM_COST,
    LLM_INTERACTIONS,
    PHASE_TIME,
    PHASES,
    HEAL_TRIGGERS,
    HEALS,
    HEAL_LOOPS,
    BISECTS,
    PROJECT_COST,
    PROJECT_TOKENS,
)
"""What `sums` asks for."""


class Period(Struct, frozen=True):
    """What is exact of one stretch of time: its families."""

    cost: Family
    tokens: Family
    unpriced: Family
    calls: Family
    failures: Family


def _period(name: str, words: str) -> Period:
    """Name the families of a stretch of time: m31a_day_cost_usd and the like."""
    gauge, tokens = GAUGE, "tokens"
    return Period(
        Family(f"m31a_{name}_cost_usd", gauge, f"Cost {words}.", MODEL, "usd", NANO_PER_USD),
        Family(f"m31a_{name}_tokens", gauge, f"Tokens {words}.", MODEL, tokens),
        Family(
            f"m31a_{name}_unpriced_tokens",
            gauge,
            f"Tokens whose cost nobody knows, {words}.",
            AGENT,
            tokens,
        ),
        Family(f"m31a_{name}_tool_calls", gauge, f"Tool calls {words}.", AGENT),
        Family(f"m31a_{name}_tool_failures", gauge, f"Tool calls that failed, {words}.", AGENT),
    )


DAY = _period("day", "of this day (local time)")
MONTH = _period("month", "of this month (local time)")
ALL = _period("all", "of all time")

RUNNING = Family("m31a_running_sessions", GAUGE, "Sessions with an event a moment ago.")
BUDGET_LIMIT_USD = Family(
    "m31a_budget_limit_usd",
    GAUGE,
    "What may be used, with what a person allowed in addition.",
    ("scope",),
    "usd",
    NANO_PER_USD,
)
BUDGET_LIMIT_TOKENS = Family(
    "m31a_budget_limit_tokens",
    GAUGE,
    "What may be used, with what a person allowed in addition.",
    ("scope",),
    "tokens",
)
BUDGET_USED = Family(
    "m31a_budget_used_ratio",
    GAUGE,
    "The used part of a budget; of sessions, that of the running one nearest to its limit.",
    ("scope", "unit"),
    "ratio",
)
INDEX_READ = Family(
    "m31a_index_read_timestamp_seconds",
    GAUGE,
    "When the index was last brought up to date whole; the figures here are of that time.",
    (),
    "seconds",
    SECOND_US,
)
INDEX_PROBLEMS = Family(
    "m31a_index_problems", GAUGE, "Places that could not be read, or not whole; see m31 doctor."
)
COLLECT = Family(
    "m31a_collect_seconds",
    GAUGE,
    "How long it took to ask for all of this.",
    (),
    "seconds",
    SECOND_US,
)
BUILD = Family("m31a_build", INFO, "The version of m31a-metrics; always 1.", ("version",))

_BUDGETS = (BUDGET_LIMIT_USD, BUDGET_LIMIT_TOKENS, BUDGET_USED)
GAUGES = (
    *(getattr(one, name) for one in (DAY, MONTH, ALL) for name in Period.__struct_fields__),
    RUNNING,
    *_BUDGETS,
    INDEX_READ,
    INDEX_PROBLEMS,
    COLLECT,
    BUILD,
)
FAMILIES: tuple[Family, ...] = (*COUNTERS, *GAUGES)
"""Every family there is; docs/prometheus.md has a line for each."""


class Runs(Struct, frozen=True):
    """A histogram of run times: how many calls fell into each bucket, one more than BOUNDS_S.

    `ran_us` is what they took, with what `summed_count` further calls took, of which no more
    than the sum is known. `bucket_us` is what the calls in the buckets took by the middles of
    finer buckets: within 2 %.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    ran_us: int = 0
    summed_count: int = 0
    bucket_us: int = 0


Value = int | float | Runs


def runs_of(row: ToolRow) -> Runs:
    """Put the fine buckets of a row into those that are exposed.

    Calls within 2 % of a bound may be on its other side.
    """
    counts = [0] * (len(BOUNDS_S) + 1)
    bucket_us = 0
    for bucket, count in row.ran.buckets.items():
        place, middle_us = _place(bucket)
        counts[place] += count
        bucket_us += middle_us * count
    return Runs(tuple(counts), row.ran_us, row.summed_count, bucket_us)


@cache
def _place(bucket: int) -> tuple[int, int]:
    """Which of the exposed buckets a fine one lies in, and its middle in microseconds."""
    middle_ms = value_of(bucket)
    return bisect_left(BOUNDS_S, middle_ms / 1000), round(middle_ms * 1000)


def grown(now: Value, before: Value | None) -> Value:
    """How much a figure grew; what it fell by is not told. None before: from nothing."""
    if not isinstance(now, Runs):
        return max(now - (before if isinstance(before, int | float) else 0), 0)
    old = before if isinstance(before, Runs) else Runs()
    counts = tuple(max(one - was, 0) for one, was in zip(now.counts, old.counts, strict=True))
    if now.summed_count == old.summed_count:
        took_us = now.ran_us - old.ran_us
    else:  # part of what it grew by is of calls that are in no bucket
        took_us = now.bucket_us - old.bucket_us
    return Runs(counts, max(took_us, 0) if any(counts) else 0)


def added(one: Value, more: Value) -> Value:
    """Two figures of a family together."""
    if isinstance(one, Runs) and isinstance(more, Runs):
        counts = tuple(a + b for a, b in zip(one.counts, more.counts, strict=True))
        summed_count = one.summed_count + more.summed_count
        bucket_us = one.bucket_us + more.bucket_us
        return Runs(counts, one.ran_us + more.ran_us, summed_count, bucket_us)
    if isinstance(one, Runs) or isinstance(more, Runs):
        raise TypeError("a histogram and a number do not add up")
    return one + more


class Sums:
    """Figures by family and labels, and by how much each name is used."""

    def __init__(self) -> None:
        self.figures: dict[Family, dict[Labels, Value]] = {}
        self.use: dict[Labels, dict[Labels, int]] = {}

    def put(self, family: Family, labels: Labels, value: Value) -> None:
        """Add a figure to those of its family and labels."""
        figures = self.figures.setdefault(family, {})
        before = figures.get(labels)
        figures[labels] = value if before is None else added(before, value)

    def put_known(self, family: Family, labels: Labels, value: int) -> None:
        """The same of a figure that most names have none of: there is no series for zero."""
        if value:
            self.put(family, labels, value)

    def used(self, scope: Labels, names: Labels, count: int) -> None:
        """Note how much a name is used: where room is short, the most used have it."""
        known = self.use.setdefault(scope, {})
        known[names] = known.get(names, 0) + count

    def take(self, other: Sums) -> None:
        """Take over figures, and uses, of labels that this has none of."""
        for family, figures in other.figures.items():
            self.figures.setdefault(family, {}).update(figures)
        for scope, use in other.use.items():
            self.use.setdefault(scope, {}).update(use)

    def __iter__(self) -> Iterator[tuple[Family, Labels, Value]]:
        """Give each figure with its family and its labels."""
        for family, figures in self.figures.items():
            for labels, value in figures.items():
                yield family, labels, value


class Known(Struct):
    """What was asked of stretches of days, so that what adds up to the same is not asked again.

    A key is an agent ("": all of them, for their projects) and the bounds of the days.
    """

    parts: dict[tuple[str, str, str], tuple[list[TotalsRow], Sums]] = {}

    def asked(
        self,
        key: tuple[str, str, str],
        totals: list[TotalsRow],
        ask: Callable[[Answers, Slice], Sums],
        about: tuple[Answers, Slice],
    ) -> Sums:
        """Give what is known while the totals are the same; else ask."""
        before = self.parts.get(key)
        if before is not None and before[0] == totals:
            return before[1]
        found = ask(*about)
        self.parts[key] = totals, found
        return found


def sums(
    answers: Answers, first_day: str = "", last_day: str = "", known: Known | None = None
) -> Sums:
    """Ask for the figures of COUNTERS: of these days, both included; "" is no bound.

    A session counts on the day on which it began. Figures of stretches of days add up to those
    of all of them. With `known`, an agent whose totals did not change is not asked about again:
    what only moved between its series is seen with its next growth.
    """
    known = Known() if known is None else known
    about = Slice(first_day=first_day, last_day=last_day or (first_day and _LAST_DAY))
    found = Sums()
    totals = answers.totals(about, "agent")
    for agent, count in _began(answers, about, totals).items():
        found.put(SESSIONS, (agent,), count)
    for row in totals:
        found.used(AGENT, (row.key,), row.total_tokens + row.call_count + row.session_count)
        own = replace(about, agents=(row.key,))
        key = (row.key, first_day, last_day)
        found.take(known.asked(key, [row], _of_agent, (answers, own)))
    key = ("", first_day, last_day)
    found.take(known.asked(key, totals, _of_projects, (answers, about)))
    return found


def _of_agent(answers: Answers, own: Slice) -> Sums:
    found = Sums()
    (agent,) = own.agents or ("",)
    for llm in answers.llms(own, ("model",)):
        _put_llm(found, (agent, llm.key), llm)
    for tool in answers.tools(own):
        _put_tool(found, (agent, tool.key), tool)
    for phase in answers.phases(own):
        _put_phase(found, (agent, phase.key), phase)
    return found


def _of_projects(answers: Answers, about: Slice) -> Sums:
    found = Sums()
    for part in answers.llms(about, ("project",)):
        found.used(PROJECT, (part.key,), part.total_tokens)
        found.put(PROJECT_COST, (part.key,), part.cost_nano)
        found.put(PROJECT_TOKENS, (part.key,), part.total_tokens)
    return found


_LAST_DAY = "9999-12-31"
"""A bound that is none: without it, a question with a beginning ends now."""


def days_of(answers: Answers) -> list[str]:
    """Name the days that have something, in their order."""
    return sorted(row.key for row in answers.totals(Slice(), "day"))


def day_before(day: str) -> str:
    """Name the day before one, as YYYY-MM-DD; of the first day of the calendar, that."""
    at = date.fromisoformat(day)
    return day if at == date.min else (at - timedelta(days=1)).isoformat()


def _began(answers: Answers, about: Slice, totals: list[TotalsRow]) -> dict[str, int]:
    """How many sessions of each agent had their first day in a stretch of days."""
    if not about.first_day:
        return {row.key: row.session_count for row in totals}
    until = replace(
        about, first_day="", last_day="" if about.last_day == _LAST_DAY else about.last_day
    )
    counts = {row.key: row.session_count for row in answers.totals(until, "agent")}
    before = replace(until, last_day=day_before(about.first_day))
    for row in answers.totals(before, "agent"):
        counts[row.key] -= row.session_count
    return {agent: count for agent, count in counts.items() if count > 0}


def _put_llm(found: Sums, names: Labels, row: LLMRow) -> None:
    found.used(MODEL, names, row.total_tokens + row.interaction_count)
    classes = token_classes(row)
    for kind in ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output"):
        found.put(LLM_TOKENS, (*names, kind), getattr(classes, f"{kind}_tokens"))
    found.put_known(LLM_TOKENS, (*names, "unsplit"), classes.unsplit_tokens)
    found.put_known(LLM_REASONING, names, row.reasoning_tokens)
    found.put_known(LLM_UNPRICED, names, row.unpriced_tokens)
    found.put(LLM_COST, names, row.cost_nano)
    found.put(LLM_INTERACTIONS, names, row.interaction_count)


def _put_tool(found: Sums, names: Labels, row: ToolRow) -> None:
    found.used(TOOL, names, row.call_count + row.denied_count)
    found.put(TOOL_CALLS, (*names, "ok"), row.call_count - row.fail_count)
    found.put(TOOL_CALLS, (*names, "fail"), row.fail_count)
    found.put_known(TOOL_DENIED, names, row.denied_count)
    found.put_known(TOOL_WAIT, names, row.wait_us)
    found.put(TOOL_RUN, names, runs_of(row))


def _put_phase(found: Sums, names: Labels, row: PhaseRow) -> None:
    found.used(PHASE, names, row.active_us)
    found.put(PHASE_TIME, names, row.active_us)
    if row.ended_count:
        found.put(PHASES, (*names, "ok"), row.success_count)
        found.put(PHASES, (*names, "fail"), row.ended_count - row.success_count)
    if row.heal_trigger_count or row.heal_success_count or row.heal_fail_count:
        found.put(HEAL_TRIGGERS, names, row.heal_trigger_count)
        found.put(HEALS, (*names, "passed"), row.heal_success_count)
        found.put(HEALS, (*names, "failed"), row.heal_fail_count)
        found.put(HEAL_LOOPS, names, row.heal_loop_count)
    found.put_known(BISECTS, names, row.bisect_trigger_count)


def exact(answers: Answers, day: Slice, month: Slice) -> Sums:
    """Ask for the figures of DAY, MONTH and ALL; those of a day on which nothing was are 0."""
    found = Sums()
    models: set[Labels] = set()
    agents: set[Labels] = set()
    for period, about in ((ALL, Slice()), (MONTH, month), (DAY, day)):
        used: dict[Labels, LLMRow] = {
            (row.key, row.model): row for row in answers.llms(about, ("agent", "model"))
        }
        models.update(used)
        for names in models:
            llm = used.get(names)
            found.put(period.cost, names, llm.cost_nano if llm else 0)
            found.put(period.tokens, names, llm.total_tokens if llm else 0)
        totals: dict[Labels, TotalsRow] = {
            (row.key,): row for row in answers.totals(about, "agent")
        }
        agents.update(totals)
        for names in agents:
            row = totals.get(names)
            found.put(period.unpriced, names, row.unpriced_tokens if row else 0)
            found.put(period.calls, names, row.call_count if row else 0)
            found.put(period.failures, names, row.fail_count if row else 0)
    return found


def families_of(found: Iterable[Sums]) -> Iterator[tuple[Family, Mapping[Labels, Value]]]:
    """Give the figures of each family, in the order of FAMILIES, each with its labels sorted."""
    every = list(found)
    for family in FAMILIES:
        figures: dict[Labels, Value] = {}
        for one in every:
            figures |= one.figures.get(family, {})
        if figures:
            yield family, {labels: figures[labels] for labels in sorted(figures)}
