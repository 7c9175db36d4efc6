"""Windows of five hours: what was used in each, and what agents were told of their limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from m31a_metrics.answers import RateLimitRow
from m31a_metrics.blocks import Block
from m31a_metrics.table import Cell, Column, Kind, Plot, Table, Unit
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.arithmetic import known_usd, ratio
from m31a_metrics.tables.order import counted_only
from m31a_metrics.tables.phrases import counted, unpriced
from m31a_metrics.tables.sessions import known_time
from m31a_metrics.tables.show import RATE_LIMITS, rate_limit_row
from m31a_metrics.units import MINUTE_US, ms, usd

BEGAN = Column("began_at", "Began", Unit.TIME)
ENDS = Column("ends_at", "Ends", Unit.TIME)
LAST = Column("last_at", "Last answer", Unit.TIME)
STATE = Column("state", "State")
OF_LARGEST = Column("largest_share", "Of the largest", Unit.BAR)
BURN_TOKENS = Column("burn_tokens_per_hour", "Tokens/h by clock", Unit.TOKENS)
BURN_COST = Column("burn_cost_per_hour_usd", "Cost/h by clock", Unit.USD)
LEFT = Column("left_ms", "Left", Unit.MS)
PROJECTED_TOKENS = Column("projected_tokens", "Tokens at its end", Unit.TOKENS)
PROJECTED_COST = Column("projected_cost_usd", "Cost at its end", Unit.USD)

BLOCKS = [
    columns.AGENT,
    BEGAN,
    ENDS,
    LAST,
    STATE,
    columns.LLM_CALLS,
    columns.TOKENS,
    OF_LARGEST,
    columns.COST,
    columns.UNPRICED,
    BURN_TOKENS,
    BURN_COST,
    LEFT,
    PROJECTED_TOKENS,
    PROJECTED_COST,
]
FOR_PEOPLE = (
    columns.AGENT,
    BEGAN,
    ENDS,
    STATE,
    columns.TOKENS,
    columns.COST,
    OF_LARGEST,
    BURN_COST,
    columns.UNPRICED,
)
ACTIVE = [
    columns.AGENT,
    LEFT,
    columns.TOKENS,
    columns.COST,
    BURN_TOKENS,
    BURN_COST,
    PROJECTED_TOKENS,
    PROJECTED_COST,
]
LIMITS = [columns.AGENT, *RATE_LIMITS]

GOES_ON, ENDED, GAP = "active", "ended", "gap"

PLOTS = (Plot("Cost by block", Kind.BARS, BEGAN.name, (columns.COST.name,), columns.AGENT.name),)


def blocks(
    by_agent: Mapping[str, Sequence[Block]], now_us: int, *, whole: bool = False
) -> list[Table]:
    """Show the blocks that go on, with what they come to at their ends, and all blocks."""
    table = Table("Blocks", BLOCKS, empty="No agent had an answer in this time.")
    rows = [
        (block.began_us, agent, _row(agent, block, _largest(found), now_us))
        for agent, found in by_agent.items()
        for block in found
    ]
    table.rows = [row for _, _, row in sorted(rows, key=lambda one: one[:2])]
    tokens = sum(one.unpriced_tokens for found in by_agent.values() for one in found)
    active = _only(table, ACTIVE, [row for row in table.rows if _is_active(row)])
    active.title, active.empty = "Active blocks", "No block is active."
    active.notes = []
    active.answer = answer.sentence(
        *(
            _goes_on(agent, block, now_us)
            for agent, found in by_agent.items()
            for block in found
            if not block.is_gap and block.is_active(now_us)
        )
    )
    table.notes = unpriced(tokens)
    table.answer = _answer(by_agent)
    if whole:
        return [active, table]
    shown = _only(table, FOR_PEOPLE, table.rows)
    return [active, counted_only(shown, (columns.UNPRICED,))]


def _goes_on(agent: str, block: Block, now_us: int) -> str:
    """Say what a block came to, how long it goes on, and what it will come to, if it tells."""
    said = f"{answer.name_of(agent)} has used {_worth(block)}"
    said += f", {written.ms(ms(block.left_us(now_us)))} left"
    at_end_nano = block.projected(block.cost_nano, now_us)
    if at_end_nano and block.last_us - block.first_us >= MINUTE_US:
        said += f", {written.usd(usd(at_end_nano))} at its end if it goes on so"
    return said


def _worth(block: Block) -> str:
    cost_usd = known_usd(block.cost_nano, block.unpriced_tokens)
    if cost_usd is None:
        return f"{written.tokens(block.total_tokens)} tokens"
    return written.usd(cost_usd)


def _answer(by_agent: Mapping[str, Sequence[Block]]) -> str:
    """Say how many blocks there are, what they cost, and which the most."""
    found = [(block, agent) for agent, own in by_agent.items() for block in own]
    found = [one for one in found if not one[0].is_gap]
    if not found:
        return ""
    most, agent = max(found, key=lambda one: one[0].cost_nano)
    unknown = sum(block.unpriced_tokens for block, _ in found)
    cost_usd = known_usd(sum(block.cost_nano for block, _ in found), unknown)
    return answer.sentence(
        counted(len(found), "block") + (f", {written.usd(cost_usd)}" if cost_usd else ""),
        f"the most in one of {answer.name_of(agent)}, {written.usd(usd(most.cost_nano))}"
        if len(found) > 1 and most.cost_nano
        else "",
    )


def limits(rows: Iterable[RateLimitRow], now_us: int) -> Table:
    """Show what agents were told of their providers' limits, where that still holds."""
    table = Table("Limits told", LIMITS)
    table.rows = [
        (row.agent, *rate_limit_row(row.limit))
        for row in rows
        if not 0 < row.limit.resets_us <= now_us
    ]
    return table


def _largest(found: Sequence[Block]) -> int:
    return max((block.total_tokens for block in found), default=0)


def _row(agent: str, block: Block, largest_tokens: int, now_us: int) -> tuple[Cell, ...]:
    began, ends = known_time(block.began_us), known_time(block.ends_us)
    if block.is_gap:
        return (agent, began, ends, None, GAP, *(None,) * (len(BLOCKS) - 5))
    is_active = block.is_active(now_us)
    burn_tokens = block.per_hour(block.total_tokens)
    burn_nano = block.per_hour(block.cost_nano)
    projected_nano = block.projected(block.cost_nano, now_us)
    is_priced = block.cost_nano > 0 or not block.unpriced_tokens
    return (
        agent,
        began,
        ends,
        known_time(block.last_us),
        GOES_ON if is_active else ENDED,
        block.interaction_count,
        block.total_tokens,
        ratio(block.total_tokens, largest_tokens),
        known_usd(block.cost_nano, block.unpriced_tokens),
        block.unpriced_tokens,
        None if burn_tokens is None else round(burn_tokens),
        None if burn_nano is None or not is_priced else usd(round(burn_nano)),
        ms(block.left_us(now_us)) if is_active else None,
        block.projected(block.total_tokens, now_us),
        None if projected_nano is None or not is_priced else usd(projected_nano),
    )


def _is_active(row: tuple[Cell, ...]) -> bool:
    return row[BLOCKS.index(STATE)] == GOES_ON


def _only(table: Table, kept: Sequence[Column], rows: Sequence[tuple[Cell, ...]]) -> Table:
    """The same rows with some of the columns."""
    at = [table.columns.index(column) for column in kept]
    return Table(
        table.title,
        list(kept),
        [tuple(row[place] for place in at) for row in rows],
        table.empty,
        table.notes,
        table.answer,
    )
