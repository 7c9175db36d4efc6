"""Where agents heal themselves: what failed, what it took, and how often it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from m31a_metrics.answers import HealRow, PhaseRow, label_of, part_of, time_order
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.arithmetic import heal_rate, known_usd, ratio
from m31a_metrics.tables.names import day_name, named, shortened, tails
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.tables.sessions import known_time
from m31a_metrics.timestamps import local_hour
from m31a_metrics.units import ms

PARTS = ("phase", *columns.OWNERS, *columns.TIMES, "session")
"""What heals can be grouped by."""

CHECK = Column("check", "Check")
LIST = [
    CHECK,
    columns.FAILURE,
    Column("passed", "Outcome", Unit.OUTCOME),
    columns.COST,
    columns.SESSION,
    Column("attempt_count", "Tries", Unit.COUNT),
    Column("duration_ms", "Took", Unit.MS),
    columns.PHASE,
    columns.PROJECT,
    columns.AGENT,
    columns.TOKENS,
    Column("loop", "Loop"),
    columns.TOOL,
    columns.STARTED,
    columns.DAY,
]
BY_PART = [
    columns.HEALS,
    columns.HEALS_PASSED,
    columns.HEALS_FAILED,
    columns.HEAL_RATE,
    columns.HEAL_LOOPS,
    columns.HEAL_MS,
    columns.COST,
    columns.TOKENS,
    columns.SESSIONS,
]

_HOW = (
    "A failed check, a change and the check again make one; or record it: `m31 record heal --help`."
)


class _Price(Struct):
    cost_nano: int | None = None
    total_tokens: int = 0


def heals(
    rows: Sequence[HealRow],
    healing: Sequence[PhaseRow],
    scope: Scope,
    *,
    whole: bool = False,
) -> list[Table]:
    """List failures that agents set out to heal, the most expensive first, and rates by phase.

    `healing` are the phases of the same slice. `whole` leaves ids and paths as they are.
    """
    listed = Table("Self-heals", LIST, [], scope.lacks("self-heals", _HOW))
    shorter = shortened((row.agent, row.session_id) for row in rows)
    projects = tails(row.project for row in rows)
    for row in rows:
        session_id, project = row.session_id, row.project
        if not whole:
            session_id, project = shorter[row.session_id], projects[row.project]
        listed.rows.append(_row(row, session_id, project))
    by_phase = heals_by(healing, rows, scope, "phase", whole=whole)
    by_phase.empty = ""
    listed.answer, by_phase.answer = by_phase.answer if rows else "", ""
    by_phase.notes += _untold(rows, healing)
    return [listed, by_phase]


def heals_by(
    rows: Sequence[PhaseRow],
    episodes: Sequence[HealRow],
    scope: Scope,
    by: str,
    *,
    whole: bool = False,
) -> Table:
    """Show heals by part, and how many of those that ended passed.

    `rows` count them; what they cost is added up from all `episodes` of the same slice.
    """
    rows = [row for row in rows if row.heal_trigger_count or row.heal_success_count]
    prices = _prices(episodes, by)
    # A heal is triggered in one hour, and what it set out to heal may have failed in another.
    rows += [PhaseRow(key) for key in prices.keys() - {row.key for row in rows}]
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: time_order(row.key))
    else:
        rows = sorted(rows, key=lambda row: (-row.heal_trigger_count, row.key))
    names = named(by, rows, whole=whole)
    table = Table(
        f"Self-heals by {by}",
        [columns.part(by), *BY_PART],
        [_part_row(row, names[row.key], prices.get(row.key, _Price())) for row in rows],
        scope.lacks("self-heals", _HOW),
    )
    if rows:
        passed = sum(row.heal_success_count for row in rows)
        ended = passed + sum(row.heal_fail_count for row in rows)
        table.answer = _answer(rows, prices, names)
        table.notes = [_rate(passed, ended, scope)]
        still_open = sum(row.heal_trigger_count for row in rows) - ended
        if still_open > 0:
            table.notes.append(f"How {still_open:,} of the heals ended is not known.")
    return table


def _rate(passed: int, ended: int, scope: Scope) -> str:
    rate = ratio(passed, ended)
    if rate is None:
        return f"Of {scope}; how the heals ended is not known."
    return f"{passed:,} of {ended:,} heals passed ({rate:.1%}), of {scope}."


def _answer(
    rows: Sequence[PhaseRow], prices: Mapping[str, _Price], names: Mapping[str, str | None]
) -> str:
    """Say how many heals were begun, passed, how long they took, what they cost and where."""
    costs = {key: price.cost_nano for key, price in prices.items() if price.cost_nano}
    whole = known_usd(sum(costs.values())) if costs else None
    most = max(costs, key=lambda key: costs[key], default=None)
    took_us = sum(row.heal_duration_us for row in rows)
    they = "it" if sum(row.heal_trigger_count for row in rows) == 1 else "they"
    return answer.sentence(
        answer.healed(rows),
        f"{they} took {written.ms(ms(took_us))}" if took_us else "",
        f"{they} cost {written.usd(whole)}" if whole is not None else "",
        f"the most in {answer.name_of(names[most])}" if most is not None and len(rows) > 1 else "",
    )


def _untold(episodes: Sequence[HealRow], healing: Sequence[PhaseRow]) -> list[str]:
    told = sum(row.attempt_count for row in episodes)
    untold = sum(row.heal_trigger_count for row in healing) - told
    if untold <= 0 or not told:
        return []
    return [f"What {untold:,} of them were about was not recorded, so they are not listed."]


def _prices(episodes: Sequence[HealRow], by: str) -> dict[str, _Price]:
    prices: dict[str, _Price] = {}
    for row in episodes:
        price = prices.setdefault(_key(row, by), _Price())
        price.total_tokens += row.total_tokens
        if row.cost_nano is not None:
            price.cost_nano = (price.cost_nano or 0) + row.cost_nano
    return prices


def _key(row: HealRow, by: str) -> str:
    if by == "hour":
        return local_hour(row.began_us)
    if by in columns.TIMES:
        return part_of(by, row.day)
    keys = {
        "phase": row.phase,
        "project": row.project,
        "agent": row.agent,
        "branch": row.branch,
        "session": row.session_id,
        "machine": row.machine,
        "user": row.user,
    }
    return row.labels.get(label_of(by), "") if label_of(by) else keys[by]


def _row(row: HealRow, session_id: str, project: str) -> tuple[Cell, ...]:
    return (
        row.check or row.tool or None,
        row.line or None,
        row.passed,
        known_usd(row.cost_nano),
        session_id,
        row.attempt_count,
        ms(row.duration_us),
        row.phase or None,
        project or None,
        row.agent,
        row.total_tokens,
        row.loop,
        row.tool or None,
        known_time(row.began_us),
        day_name(row.day),
    )


def _part_row(row: PhaseRow, name: str | None, price: _Price) -> tuple[Cell, ...]:
    told = bool(row.heal_success_count or row.heal_fail_count or row.heal_loop_count)
    return (
        name,
        row.heal_trigger_count,
        row.heal_success_count if told else None,
        row.heal_fail_count if told else None,
        heal_rate(row.heal_success_count, row.heal_fail_count),
        row.heal_loop_count if told else None,
        ms(row.heal_duration_us) if told else None,
        known_usd(price.cost_nano),
        price.total_tokens or None,
        row.session_count,
    )
