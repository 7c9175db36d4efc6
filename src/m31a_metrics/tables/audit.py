"""Where the totals come from: tokens by day, model and class, and what each rule did to them.

Other tools count the same files by other rules. Each rule has a line here that says how
far apart a tool is that does not follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from m31a_metrics.answers import LLMRow, ReadingRow
from m31a_metrics.measures import LLMSums, add
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.tables import answer, columns
from m31a_metrics.tables.arithmetic import class_cells, known_usd, knows_caches
from m31a_metrics.tables.names import day_name
from m31a_metrics.tables.phrases import Scope, unknown_usage, unpriced
from m31a_metrics.transcript import Effects
from m31a_metrics.units import usd

BY_DAY = [
    columns.DAY,
    columns.MODEL,
    *columns.TOKEN_CLASSES,
    columns.COST,
    columns.TOKENS,
    Column("given_tokens", "Cost given", Unit.TOKENS),
    Column("priced_tokens", "Priced", Unit.TOKENS),
    columns.UNPRICED,
    columns.UNSPLIT,
    columns.REASONING,
]
RULES = [
    Column("rule", "Rule"),
    Column("count", "Count", Unit.COUNT),
    columns.TOKENS,
    columns.COST,
]
WITHOUT = Column("without", "Without it")


_ELSEWHERE = {
    "codex-auto-review": ", as ccusage does under the model of that day",
    "": ", as ccusage does for Codex under gpt-5",
}
"""Where ccusage puts the tokens of a model that has no price by its name."""


class _Line(Struct):
    """What one counting rule did, and what a tool shows that has no such rule."""

    rule: str
    without: str
    count: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None


LIKE_CCUSAGE = ("claude-code", "codex")
"""The agents of whose transcripts it was tried what ccusage makes of every line."""

CCUSAGE_VERSION = "20.0.24"
"""With which it was tried; others may have other rules."""


def audit(
    rows: Sequence[LLMRow],
    reading: ReadingRow,
    scope: Scope,
    *,
    alike: ReadingRow | None = None,
    unattributed: LLMRow | None = None,
    whole: bool = False,
) -> list[Table]:
    """Show tokens and cost by day, model and class, and the effect of each counting rule.

    `rows` are LLM use by day and model; `alike` is what of `reading` is LIKE_CCUSAGE's, and
    `unattributed` is LLM use that only agents' own totals hold.
    `whole` puts what each rule means into a column; for people it stands below.
    """
    rules = _rules(rows, reading, alike or ReadingRow(), scope, unattributed, whole=whole)
    return [_by_day(rows, scope), rules]


def _by_day(rows: Sequence[LLMRow], scope: Scope) -> Table:
    rows = sorted(rows, key=lambda row: (row.key, row.model))
    table = Table(
        "Tokens by day",
        BY_DAY,
        [_row(row) for row in rows],
        scope.lacks("LLM calls", "Record one: `m31 record llm --help`."),
    )
    if rows:
        tokens = sum(row.total_tokens for row in rows)
        cost_usd = usd(sum(row.cost_nano for row in rows))
        table.answer = answer.sentence(f"{tokens:,} tokens of {scope}, ${cost_usd:,.4f}")
        table.notes = [
            "The five classes of tokens exclude each other.",
            *unpriced(sum(row.unpriced_tokens for row in rows), by_model(rows)),
            *unknown_usage(sum(row.unknown_usage_count for row in rows)),
        ]
        if any(not row.model for row in rows):
            table.notes.append(
                "A dash: no model is named there. METRICS.json without a journal names neither "
                "models nor caches, and counts on the day of its last event."
            )
    return table


def by_model(rows: Iterable[LLMRow]) -> list[LLMRow]:
    """Add up the rows of each model, in the order of appearance."""
    sums: dict[str, LLMRow] = {}
    for row in rows:
        one = sums.setdefault(row.model, LLMRow(row.model, row.model))
        add(one, row, LLMSums.__struct_fields__)
    return list(sums.values())


def _row(row: LLMRow) -> tuple[Cell, ...]:
    *classes, unsplit = class_cells(row)
    return (
        day_name(row.key),
        row.model or None,
        *classes,
        known_usd(row.cost_nano, row.unpriced_tokens),
        row.total_tokens,
        row.given_tokens,
        row.total_tokens - row.given_tokens - row.unpriced_tokens,
        row.unpriced_tokens,
        unsplit,
        row.reasoning_tokens if knows_caches(row) else None,
    )


def _rules(
    rows: Sequence[LLMRow],
    reading: ReadingRow,
    alike: ReadingRow,
    scope: Scope,
    unattributed: LLMRow | None,
    *,
    whole: bool,
) -> Table:
    lines: list[_Line] = []
    # Which no line of a transcript has.
    unseen_tokens = 0 if unattributed is None else unattributed.total_tokens
    if reading.transcript_count:
        lines = [
            *_count_lines(reading, unseen_tokens),
            *(_strict_lines(alike, unseen_tokens) if alike.transcript_count else ()),
            *_price_lines(rows),
            *_loss_lines(reading, scope),
        ]
    lines += _unseen_lines(rows, unattributed)
    table = Table("Counting rules", [*RULES, WITHOUT] if whole else RULES)
    for line in lines:
        row: tuple[Cell, ...] = (line.rule, line.count, line.tokens, line.cost_usd)
        table.rows.append((*row, line.without) if whole else row)
        if line.count or line.tokens:
            table.notes.append(f"{line.rule}: {line.without}")
    return table


def _count_lines(reading: ReadingRow, unseen_tokens: int) -> list[_Line]:
    effects = reading.effects
    more = effects.repeated_tokens + effects.replayed_tokens
    return [
        _Line(
            "lines with usage",
            "a tool that adds up every line shows so many tokens.",
            effects.lines,
            reading.transcript_tokens - unseen_tokens + more,
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


def _strict_lines(reading: ReadingRow, unseen_tokens: int) -> list[_Line]:
    """Make the lines that lead from our total of LIKE_CCUSAGE to ccusage's, and that total."""
    fewer, more = _fewer_lines(reading.effects), _more_lines(reading.effects)
    total = (
        reading.transcript_tokens
        - unseen_tokens
        - sum(line.tokens or 0 for line in fewer)
        + sum(line.tokens or 0 for line in more)
    )
    means = (
        "our total of Claude Code and Codex less the first six of the lines above, and with "
        f"the next three: what ccusage {CCUSAGE_VERSION} shows. For other agents nothing is said."
    )
    return [*fewer, *more, _Line("by ccusage's rules", means, None, total)]


def _fewer_lines(effects: Effects) -> list[_Line]:
    return [
        _Line(
            "blanks behind colons",
            'ccusage looks for "usage":{ and passes over lines that have a blank in it; it shows '
            "so many tokens fewer.",
            effects.spaced_responses,
            effects.spaced_tokens,
        ),
        _Line(
            "null or empty",
            "ccusage passes over lines with null or nothing in a name or count that it reads; it "
            "shows so many tokens fewer.",
            effects.null_responses,
            effects.null_tokens,
        ),
        _Line(
            "odd version",
            "ccusage passes over lines whose version has not three numbers; it shows so many "
            "tokens fewer.",
            effects.versionless_responses,
            effects.versionless_tokens,
        ),
        _Line(
            "cache writes not split",
            "taken for five minutes; ccusage believes the split and shows so many tokens fewer.",
            None,
            effects.unsplit_tokens,
        ),
        _Line(
            "beside token_count",
            "Codex tells of requests for compaction in usage records only, and of aborted turns in "
            "the thread's sums only; ccusage 20.0.24 takes what a token_count calls the latest, "
            "and shows so many tokens fewer.",
            effects.unlisted_responses,
            effects.unlisted_tokens,
        ),
        _Line(
            "samplings beside",
            "compactions and the like, which the sums of a response leave out; ccusage counts of "
            "these an advisor's alone, and shows so many tokens fewer.",
            None,
            effects.uncounted_tokens,
        ),
    ]


def _more_lines(effects: Effects) -> list[_Line]:
    return [
        _Line(
            "no request id",
            "ccusage counts such a response at each time at which a line of it was written, and "
            "shows so many tokens more.",
            None,
            effects.unnamed_tokens,
        ),
        _Line(
            "greatest output",
            "of a response's lines the one with the most output counts; ccusage takes the one "
            "with the most tokens, and shows so many more.",
            None,
            effects.greater_tokens,
        ),
        _Line(
            "own file first",
            "of a subagent's response its own file's word counts; ccusage takes the progress "
            "record's, and shows so many tokens more.",
            None,
            effects.progress_other_tokens,
        ),
    ]


def _price_lines(rows: Sequence[LLMRow]) -> list[_Line]:
    lines = [
        _Line(
            "cache writes 5m",
            "a tool that takes them for plain input shows a lower cost.",
            None,
            sum(row.cache_write_5m_tokens for row in rows),
        ),
        _Line(
            "cache writes 1h",
            "they cost more than those for five minutes; a tool that prices all alike shows so "
            "many US dollars less.",
            None,
            sum(row.cache_write_1h_tokens for row in rows),
            usd(sum(row.cost_1h_nano for row in rows)),
        ),
        _Line(
            "cost given",
            "the agent said what these cost; a tool that prices them itself may show another sum.",
            None,
            sum(row.given_tokens for row in rows),
        ),
    ]
    return lines + [
        _Line(
            f"unpriced: {model.model or 'no name'}",
            "no price is known; a tool that guesses one shows a higher cost"
            f"{_ELSEWHERE.get(model.model, '')}.",
            None,
            model.unpriced_tokens,
        )
        for model in by_model(rows)
        if model.unpriced_tokens
    ]


def _unseen_lines(rows: Sequence[LLMRow], unattributed: LLMRow | None) -> Iterator[_Line]:
    if unattributed is not None:
        yield _Line(
            "unattributed",
            "agents' own totals hold so many US dollars more than their answers cost: what made "
            "the summaries of compactions is in no transcript; a tool that reads transcripts "
            "alone shows so much less.",
            unattributed.interaction_count,
            unattributed.total_tokens or None,
            usd(unattributed.cost_nano),
        )
    unknown_count = sum(row.unknown_usage_count for row in rows)
    if unknown_count:
        yield _Line(
            "unknown usage",
            "of so many LLM calls nobody reported the tokens; a tool that guesses them shows more.",
            unknown_count,
        )


def _loss_lines(reading: ReadingRow, scope: Scope) -> list[_Line]:
    calls = scope.totals.call_count
    return [
        _Line(
            "calls without result",
            f"their results are not in the files, so they are not among the {calls:,} calls; a "
            "tool that counts requests shows so many calls more.",
            reading.unpaired_count,
        ),
        _Line(
            "damaged records",
            "they cannot be read and are not counted; a tool that stops there shows less.",
            reading.damage_count,
        ),
    ]
