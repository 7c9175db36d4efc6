"""A SessionRecord as rows of the index's tables, each session's by day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct, field

from m31a_metrics.histogram import Histogram
from m31a_metrics.questions.tables import LLMS, PHASES, SESSION_SUMS, SESSION_USES, TOOLS
from m31a_metrics.record import HealEpisode, LLMDay, PhaseSum, SessionRecord, ToolDay

LARGEST = 2**53
"""A larger figure is damage, and a thousand of them would be more than SQL can add up."""

Key = tuple[str, ...]
"""A day, and the dimensions of a table."""
Sums = list[int]
_Day = TypeVar("_Day", LLMDay, PhaseSum, ToolDay)


class Rows(Struct):
    """What one session adds to each summed table, by day and dimensions."""

    tools: dict[Key, Sums] = field(default_factory=dict)
    ran: dict[Key, Histogram] = field(default_factory=dict)
    llms: dict[Key, Sums] = field(default_factory=dict)
    phases: dict[Key, Sums] = field(default_factory=dict)


class HealChain(Struct):
    """All attempts at one failure, on the day of the first; as the table `heals` has it."""

    day: str
    phase: str
    tool: str
    check: str
    line: str
    attempt_count: int
    passed: bool | None
    loop: bool
    began_us: int
    duration_us: int
    total_tokens: int
    cost_nano: int | None


def rows_of(record: SessionRecord) -> Rows:
    """Sum a record's days by the keys of the tables."""
    rows = Rows()
    for tool in record.tools:
        key = (tool.day, tool.tool, tool.phase)
        _add(rows.tools, key, _bounded(_sums_of_tool(tool)))
        if tool.ran.buckets:
            known = rows.ran.get(key)
            rows.ran[key] = tool.ran if known is None else _merged(known, tool.ran)
        _add_to_phase(rows, tool, _OF_TOOLS)
    for llm in record.llms:
        _add(rows.llms, (llm.day, llm.model, llm.phase), _bounded(_sums_of_llm(llm)))
        _add_to_phase(rows, llm, _OF_LLMS)
    for phase in record.phases:
        _add_to_phase(rows, phase, _OF_PHASES)
        ended = rows.phases[phase.day, phase.phase]
        ended[_ENDED] += phase.duration_us > 0 or phase.success is not None
        ended[_SUCCESS] += phase.success is True
    return rows


def _merged(one: Histogram, other: Histogram) -> Histogram:
    merged = Histogram()
    merged.merge(one)
    merged.merge(other)
    return merged


_Figures = tuple[list[int], Callable[[object], tuple[int, ...]]]
"""Places among a phase's sums, and what takes the figures that belong there from a row."""


def _figures(kind: type[Struct], names: Iterable[str] = PHASES.sums) -> _Figures:
    fields = kind.__struct_fields__
    places = [place for place, name in enumerate(PHASES.sums) if name in names and name in fields]
    return places, attrgetter(*(PHASES.sums[place] for place in places))


_sums_of_tool = attrgetter(*TOOLS.sums)
_sums_of_llm = attrgetter(*LLMS.sums)
_OF_TOOLS = _figures(ToolDay, ("call_count", "fail_count"))
_OF_LLMS = _figures(LLMDay)
_OF_PHASES = _figures(PhaseSum)
_ENDED, _SUCCESS = PHASES.sums.index("ended_count"), PHASES.sums.index("success_count")


def session_days(rows: Rows, started_us: int) -> dict[str, Sums]:
    """What a session adds up to on each of its days: SESSION_SUMS, then SESSION_USES.

    A session in which nothing was counted has the day on which it began.
    """
    days: dict[str, Sums] = {}
    nothing = [0] * len(SESSION_SUMS + SESSION_USES)
    heals = [name for name in PHASES.sums if name.startswith(("heal_", "bisect_"))]
    parts = (
        (rows.tools, TOOLS.sums, ("call_count", "fail_count", "duration_us")),
        (rows.llms, LLMS.sums, LLMS.sums),
        (rows.phases, PHASES.sums, heals),
    )
    for use, (part, table, names) in enumerate(parts, len(SESSION_SUMS)):
        places = [
            (table.index(name), SESSION_SUMS.index(name)) for name in names if name in SESSION_SUMS
        ]
        for key, sums in part.items():
            day = days.setdefault(key[0], list(nothing))
            day[use] += 1
            for source, target in places:
                day[target] += sums[source]
    if not days:
        days[_local_day(started_us)] = nothing
    return days


def heal_chains(episodes: Iterable[HealEpisode]) -> list[HealChain]:
    """Put attempts at the same failure together; what one of them cost nobody knows, all do."""
    chains: dict[int, HealChain] = {}
    for one in sorted(episodes, key=lambda episode: episode.began_us):
        chain = chains.get(one.chain)
        if chain is None:
            chains[one.chain] = HealChain(
                one.day,
                one.phase,
                one.tool,
                one.check,
                one.line,
                1,
                one.passed,
                one.loop,
                one.began_us,
                _whole(one.duration_us),
                _whole(one.total_tokens),
                None if one.cost_nano is None else _whole(one.cost_nano),
            )
            continue
        chain.attempt_count += 1
        chain.passed = one.passed
        chain.loop = chain.loop or one.loop
        chain.duration_us += _whole(one.duration_us)
        chain.total_tokens += _whole(one.total_tokens)
        if chain.cost_nano is not None:
            cost = one.cost_nano
            chain.cost_nano = None if cost is None else chain.cost_nano + _whole(cost)
    return list(chains.values())


def _add(rows: dict[Key, Sums], key: Key, sums: Sums) -> None:
    known = rows.get(key)
    rows[key] = sums if known is None else [a + b for a, b in zip(known, sums, strict=True)]


def _add_to_phase(rows: Rows, one: _Day, figures: _Figures) -> None:
    key = (one.day, one.phase)
    sums = rows.phases.get(key)
    if sums is None:
        sums = rows.phases[key] = [0] * len(PHASES.sums)
    places, taken = figures
    for place, figure in zip(places, _bounded(taken(one)), strict=True):
        if figure:
            sums[place] += figure


def _bounded(figures: tuple[int, ...]) -> Sums:
    if min(figures) >= -LARGEST and max(figures) <= LARGEST:  # nearly always
        return list(figures)
    return [_whole(figure) for figure in figures]


def _whole(figure: int) -> int:
    return figure if -LARGEST <= figure <= LARGEST else max(-LARGEST, min(figure, LARGEST))


def _local_day(t_us: int) -> str:
    if t_us <= 0:
        return ""  # nobody knows when it was
    return date.isoformat(datetime.fromtimestamp(t_us / 1e6).astimezone().date())
