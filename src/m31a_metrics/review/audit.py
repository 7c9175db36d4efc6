"""Where the totals come from: tokens by day, model and class, and what each rule did to them.

Other tools count the same files by other rules. Each rule has a line here that says how
far apart a tool is that does not follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from m31a_metrics.model import ModelMetric, SessionMetrics
from m31a_metrics.review import columns
from m31a_metrics.review.sums import known_cost_usd, llm_sums, model_sums, totals
from m31a_metrics.review.words import empty, scope, unpriced
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.transcript import Damage, Effects

BY_DAY = [
    Column("day", "Day"),
    columns.MODEL,
    Column("input_tokens", "Input", Unit.TOKENS),
    Column("output_tokens", "Output", Unit.TOKENS),
    Column("cache_read_tokens", "Cache read", Unit.TOKENS),
    Column("cache_write_5m_tokens", "Cache write 5m", Unit.TOKENS),
    Column("cache_write_1h_tokens", "Cache write 1h", Unit.TOKENS),
    columns.COST,
    columns.TOKENS,
    Column("given_tokens", "Cost given", Unit.TOKENS),
    Column("priced_tokens", "Priced", Unit.TOKENS),
    columns.UNPRICED,
]
RULES = [
    Column("rule", "Rule"),
    Column("count", "Count", Unit.COUNT),
    columns.TOKENS,
    columns.COST,
]
WITHOUT = Column("without", "Without it")


class Day(Protocol):
    """LLM use of one model on one local day, and where its cost is from.

    `given_tokens` are those whose cost the agent itself said; `cost_1h` is what cache
    writes for an hour cost above those for five minutes, in USD.
    """

    @property
    def day(self) -> str:
        """As YYYY-MM-DD."""
        ...

    @property
    def use(self) -> ModelMetric:
        """The sums."""
        ...

    @property
    def given_tokens(self) -> int:
        """Tokens whose cost the agent said."""
        ...

    @property
    def cost_1h(self) -> float:
        """USD."""
        ...


class Account(Protocol):
    """What a transcript yields that the sums of a session do not tell."""

    @property
    def days(self) -> Sequence[Day]:
        """All its LLM use."""
        ...

    @property
    def effects(self) -> Effects:
        """What counting rules did."""
        ...

    @property
    def damage(self) -> Damage:
        """What could not be read."""
        ...

    @property
    def unpaired_count(self) -> int:
        """Tool calls whose result was never seen."""
        ...


class _Line(Struct):
    """What one counting rule did, and what a tool shows that has no such rule."""

    rule: str
    without: str
    count: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None


class _DaySum(Struct):
    use: ModelMetric
    given_tokens: int = 0


def audit(
    sessions: Sequence[SessionMetrics],
    models: Sequence[ModelMetric],
    told: Sequence[Account],
    *,
    whole: bool = False,
) -> list[Table]:
    """Show tokens and cost by day, model and class, and the effect of each counting rule.

    `models` are of all sessions, `told` is by those of them that are transcripts.
    `whole` puts what each rule means into a column; for people it stands below.
    """
    return [_by_day(sessions, models, told), _rules(sessions, models, told, whole)]


def _by_day(
    sessions: Sequence[SessionMetrics], models: Sequence[ModelMetric], told: Sequence[Account]
) -> Table:
    sums: dict[tuple[str, str], _DaySum] = {}
    for account in told:
        for day in account.days:
            one = sums.get((day.day, day.use.model))
            if one is None:
                one = sums[day.day, day.use.model] = _DaySum(ModelMetric(day.use.model))
            _add(one.use, day.use, 1)
            one.given_tokens += day.given_tokens
    rows = [_row(day, one.use, one.given_tokens) for (day, _), one in sorted(sums.items())]
    rest, unnamed = _without_days(sessions, models, [one.use for one in sums.values()])
    rows += [_row(None, use, None) for use in rest]
    if unnamed is not None:
        rows.append(_bare_row(unnamed))
    table = Table("Tokens by day", BY_DAY, rows)
    table.empty = empty("LLM calls", "Record one: `m31 record llm --help`.", sessions)
    if rows:
        whole = totals(sessions)
        table.notes = [
            f"In all {whole.total_tokens:,} tokens of {scope(sessions)}, ${whole.cost:,.4f}.",
            "The five classes of tokens exclude each other.",
            *unpriced(whole.unpriced_tokens, model_sums(models)),
        ]
        if rest or unnamed is not None:
            table.notes.append(
                "A day that is a dash: recorded sessions, whose journals name the models; "
                "METRICS.json alone names neither models nor caches."
            )
    return table


def _without_days(
    sessions: Sequence[SessionMetrics], models: Sequence[ModelMetric], known: Iterable[ModelMetric]
) -> tuple[list[ModelMetric], ModelMetric | None]:
    """Give the use that no transcript tells of: by model from journals, and what then is left."""
    by_model = {model.model: model for model in model_sums(models)}
    left = ModelMetric()
    for llm in llm_sums(sessions):
        left.interaction_count += llm.interaction_count
        left.prompt_tokens += llm.prompt_tokens
        left.completion_tokens += llm.completion_tokens
        left.total_tokens += llm.total_tokens
        left.cost += llm.cost
        left.unpriced_tokens += llm.unpriced_tokens
    for model in by_model.values():
        _add(left, model, -1)
    for use in known:
        if use.model in by_model:
            _add(by_model[use.model], use, -1)
    rest = [model for model in by_model.values() if model.interaction_count > 0]
    # What is left of a sum of floats is no money.
    for model in (*rest, left):
        model.cost = model.cost if model.cost > 1e-9 else 0.0
    return rest, left if left.interaction_count > 0 or left.total_tokens > 0 else None


def _add(sums: ModelMetric, more: ModelMetric, sign: int) -> None:
    for field in ModelMetric.__struct_fields__[1:]:
        setattr(sums, field, getattr(sums, field) + sign * getattr(more, field))


def _row(day: str | None, use: ModelMetric, given_tokens: int | None) -> tuple[Cell, ...]:
    cached = use.cache_read_tokens + use.cache_write_5m_tokens + use.cache_write_1h_tokens
    return (
        day,
        use.model or None,
        use.prompt_tokens - cached,
        use.completion_tokens,
        use.cache_read_tokens,
        use.cache_write_5m_tokens,
        use.cache_write_1h_tokens,
        known_cost_usd(use.cost, use.unpriced_tokens),
        use.total_tokens,
        given_tokens,
        None if given_tokens is None else use.total_tokens - given_tokens - use.unpriced_tokens,
        use.unpriced_tokens,
    )


def _bare_row(use: ModelMetric) -> tuple[Cell, ...]:
    """Make the row of sums without a journal: how much of the prompt was cached nobody knows."""
    row = list(_row(None, use, None))
    row[2] = row[4] = row[5] = row[6] = None
    return tuple(row)


def _rules(
    sessions: Sequence[SessionMetrics],
    models: Sequence[ModelMetric],
    told: Sequence[Account],
    whole: bool,
) -> Table:
    lines: list[_Line] = []
    if told:
        lines = [
            *_count_lines(told),
            *_price_lines(models, told),
            *_loss_lines(sessions, told),
        ]
    table = Table("Counting rules", [*RULES, WITHOUT] if whole else RULES)
    for line in lines:
        row: tuple[Cell, ...] = (line.rule, line.count, line.tokens, line.cost_usd)
        table.rows.append((*row, line.without) if whole else row)
        if line.count or line.tokens:
            table.notes.append(f"{line.rule}: {line.without}")
    return table


def _count_lines(told: Sequence[Account]) -> list[_Line]:
    effects = _sum(account.effects for account in told)
    counted = sum(day.use.total_tokens for account in told for day in account.days)
    more = effects.repeated_tokens + effects.replayed_tokens
    return [
        _Line(
            "lines with usage",
            "a tool that adds up every line shows so many tokens.",
            effects.lines,
            counted + more,
        ),
        _Line(
            "repeated lines",
            "a response is written once per block; a tool that counts each line shows so many "
            "tokens more.",
            effects.repeated_lines,
            effects.repeated_tokens,
        ),
        _Line(
            "last snapshot",
            "of a response's lines the last one has the final usage; a tool that takes the first "
            "shows so many tokens fewer.",
            None,
            effects.first_snapshot_tokens,
        ),
        _Line(
            "agent_progress",
            "subagents' responses that stand in progress records alone; a tool that skips these "
            "shows so many tokens fewer.",
            effects.progress_responses,
            effects.progress_tokens,
        ),
        _Line(
            "replays",
            "forks and resumed sessions copy responses; a tool that counts each file by itself "
            "shows so many tokens more.",
            effects.replayed_responses,
            effects.replayed_tokens,
        ),
        _Line(
            "synthetic lines",
            "messages that the agent wrote itself, no model did; a tool that counts them shows "
            "a model called <synthetic>.",
            effects.synthetic_lines,
        ),
    ]


def _price_lines(models: Sequence[ModelMetric], told: Sequence[Account]) -> list[_Line]:
    days = [day for account in told for day in account.days]
    lines = [
        _Line(
            "cache writes 5m",
            "a tool that takes them for plain input shows a lower cost.",
            None,
            sum(day.use.cache_write_5m_tokens for day in days),
        ),
        _Line(
            "cache writes 1h",
            "they cost more than those for five minutes; a tool that prices all alike shows so "
            "many US dollars less.",
            None,
            sum(day.use.cache_write_1h_tokens for day in days),
            sum(day.cost_1h for day in days),
        ),
        _Line(
            "cost given",
            "the agent said what these cost; a tool that prices them itself may show another sum.",
            None,
            sum(day.given_tokens for day in days),
        ),
    ]
    return lines + [
        _Line(
            f"unpriced: {model.model or 'no name'}",
            "no price is known; a tool that guesses one shows a higher cost.",
            None,
            model.unpriced_tokens,
        )
        for model in model_sums(models)
        if model.unpriced_tokens
    ]


def _loss_lines(sessions: Sequence[SessionMetrics], told: Sequence[Account]) -> list[_Line]:
    calls = totals(sessions).call_count
    return [
        _Line(
            "calls without result",
            f"their results are not in the files, so they are not among the {calls:,} calls; a "
            "tool that counts requests shows so many calls more.",
            sum(account.unpaired_count for account in told),
        ),
        _Line(
            "damaged records",
            "they cannot be read and are not counted; a tool that stops there shows less.",
            sum(account.damage.count for account in told),
        ),
    ]


def _sum(parts: Iterable[Effects]) -> Effects:
    sums = Effects()
    for part in parts:
        for field in Effects.__struct_fields__:
            setattr(sums, field, getattr(sums, field) + getattr(part, field))
    return sums
