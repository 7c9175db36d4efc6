"""A SessionRecord as rows of the index's tables, each session's by day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import add, attrgetter

from msgspec import Struct, field

from m31a_metrics.histogram import Histogram, summed
from m31a_metrics.measures import PhaseSums
from m31a_metrics.queries.tables import (
    LLMS,
    PHASES,
    PHASES_OF,
    SESSION_SUMS,
    SESSION_USES,
    SESSIONS_OF,
    SUMMED,
    TOOLS,
)
from m31a_metrics.record import HealEpisode, SessionRecord
from m31a_metrics.timestamps import local_day
from m31a_metrics.units import LARGEST

blob = bytearray
"""Bytes on their way into a row: for `bytes` sqlite3 looks for an adapter each time."""

Key = tuple[str, ...]
"""A day, and the dimensions of a table."""
Sums = list[int]


class Rows(Struct):
    """What one session adds to each summed table, by day and dimensions.

    `failures` are counts by day, tool and failure line.
    """

    tools: dict[Key, Sums] = field(default_factory=dict)
    ran: dict[Key, Histogram] = field(default_factory=dict)
    llms: dict[Key, Sums] = field(default_factory=dict)
    phases: dict[Key, Sums] = field(default_factory=dict)
    failures: dict[Key, int] = field(default_factory=dict)


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


def add_to(rows: dict[Key, Sums], key: Key, sums: Sums) -> None:
    """Add figures to those of a key, one to each."""
    known = rows.get(key)
    rows[key] = sums if known is None else list(map(add, known, sums))


def rows_of(record: SessionRecord) -> Rows:
    """Sum a record's days by the keys of the tables."""
    rows = Rows()
    for tool, sums in zip(record.tools, _bounded(map(_sums_of_tool, record.tools)), strict=True):
        day, phase = tool.day, tool.phase
        key = (day, tool.tool, phase)
        add_to(rows.tools, key, sums)
        if tool.ran.buckets:
            known = rows.ran.get(key)
            rows.ran[key] = tool.ran if known is None else summed((known, tool.ran))
        of_phase = rows.phases.get((day, phase)) or _new_phase(rows, day, phase)
        for target, source in _OF_TOOLS:
            of_phase[target] += sums[source]
    for llm, sums in zip(record.llms, _bounded(map(_sums_of_llm, record.llms)), strict=True):
        day, phase = llm.day, llm.phase
        add_to(rows.llms, (day, llm.model, phase), sums)
        of_phase = rows.phases.get((day, phase)) or _new_phase(rows, day, phase)
        for target, source in _OF_LLMS:
            of_phase[target] += sums[source]
    for one, sums in zip(record.phases, _bounded(map(_sums_of_phase, record.phases)), strict=True):
        day, phase = one.day, one.phase
        of_phase = rows.phases.get((day, phase)) or _new_phase(rows, day, phase)
        for target, source in _OF_PHASES:
            of_phase[target] += sums[source]
        of_phase[_ENDED] += one.success is not None
        of_phase[_SUCCESS] += one.success is True
    for failure in record.failures:
        key = (failure.day, failure.tool, failure.line)
        rows.failures[key] = rows.failures.get(key, 0) + failure.count
    return rows


_Places = list[tuple[int, int]]
"""Where figures stand in one list, and where in another."""


def _places(names: Sequence[str], among: Sequence[str], own: Iterable[str]) -> _Places:
    return [(names.index(name), among.index(name)) for name in own]


_sums_of_tool = attrgetter(*TOOLS.sums)
_sums_of_llm = attrgetter(*LLMS.sums)
_sums_of_phase = attrgetter(*PhaseSums.__struct_fields__)
_OF_TOOLS = _places(PHASES.sums, TOOLS.sums, PHASES_OF[TOOLS.name])
_OF_LLMS = _places(PHASES.sums, LLMS.sums, PHASES_OF[LLMS.name])
_OF_PHASES = _places(PHASES.sums, PhaseSums.__struct_fields__, PhaseSums.__struct_fields__)
_ENDED, _SUCCESS = PHASES.sums.index("ended_count"), PHASES.sums.index("success_count")

_OF_SESSIONS = [_places(SESSION_SUMS, one.sums, SESSIONS_OF[one.name]) for one in SUMMED]
"""Which sums of which table make up SESSION_SUMS."""


def session_days(rows: Rows, started_us: int) -> dict[str, Sums]:
    """What a session adds up to on each of its days: SESSION_SUMS, then SESSION_USES.

    A session in which nothing was counted has the day on which it began.
    """
    days: dict[str, Sums] = {}
    for use, (part, places) in enumerate(
        zip((rows.tools, rows.llms, rows.phases), _OF_SESSIONS, strict=True), len(SESSION_SUMS)
    ):
        for day, some in _by_day(part).items():
            sums = days.get(day)
            if sums is None:
                sums = days[day] = [0] * len(SESSION_SUMS + SESSION_USES)
            sums[use] = len(some)
            added = some[0] if len(some) == 1 else list(map(sum, zip(*some, strict=True)))
            for target, source in places:
                sums[target] += added[source]
    # Of one that began at 0, nobody knows when it was.
    first = local_day(started_us) if started_us > 0 else ""
    return days or {first: [0] * len(SESSION_SUMS + SESSION_USES)}


def _by_day(part: dict[Key, Sums]) -> dict[str, list[Sums]]:
    found = {key[0] for key in part}
    if len(found) == 1:  # nearly always
        return {found.pop(): list(part.values())}
    days: dict[str, list[Sums]] = {day: [] for day in found}
    for key, sums in part.items():
        days[key[0]].append(sums)
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


def _new_phase(rows: Rows, day: str, phase: str) -> Sums:
    sums = rows.phases[day, phase] = [0] * len(PHASES.sums)
    return sums


def _bounded(rows: Iterable[tuple[int, ...]]) -> list[Sums]:
    sums = list(map(list, rows))
    figures = list(chain.from_iterable(sums))
    if not figures or (min(figures) >= 0 and sum(figures) <= LARGEST):  # nearly always
        return sums
    return [list(map(_whole, row)) for row in sums]


def _whole(figure: int) -> int:
    return figure if -LARGEST <= figure <= LARGEST else max(-LARGEST, min(figure, LARGEST))
