"""What it cost: by phase, by model and, of many, by session; or by any part of a slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from m31a_metrics.answers import LLMRow, SessionRow, time_order
from m31a_metrics.measures import LLMSums, add
from m31a_metrics.table import Cell, Column, Kind, Panel, Plot, Table
from m31a_metrics.tables import answer, columns, written
from m31a_metrics.tables.arithmetic import class_cells, known_usd, knows_caches, ratio
from m31a_metrics.tables.names import named, shortened, tails
from m31a_metrics.tables.order import counted_only, known_only, without
from m31a_metrics.tables.phrases import Scope, unknown_usage, unpriced
from m31a_metrics.tables.sessions import known_time
from m31a_metrics.units import usd

PARTS = ("phase", "model", *columns.TIMES, *columns.OWNERS, "session")
"""What LLM use can be grouped by."""

TOP_SESSIONS = 5

FOR_PROGRAMS = [
    columns.LLM_CALLS,
    columns.TOKENS,
    columns.COST,
    *columns.TOKEN_CLASSES,
    columns.UNSPLIT,
    columns.REASONING,
    columns.COST_SHARE,
    columns.PROMPT,
    columns.COMPLETION,
    columns.UNPRICED,
    columns.UNKNOWN_USAGE,
    columns.SUBAGENTS,
    columns.SESSIONS,
]
"""With the prompt and the completion, which are sums of classes, as METRICS.json has them."""

FOR_PEOPLE = [
    columns.COST,
    columns.TOKENS,
    *columns.TOKEN_CLASSES,
    columns.COST_SHARE,
    columns.LLM_CALLS,
    columns.UNSPLIT,
    columns.REASONING,
    columns.UNPRICED,
    columns.UNKNOWN_USAGE,
    columns.SUBAGENTS,
    columns.SESSIONS,
]
"""What 80 cells have room for comes first: what it cost, and the five classes of tokens."""

CACHES = [*columns.TOKEN_CLASSES[:-1], columns.REASONING]
"""What METRICS.json alone does not tell."""

_WHERE_ANY = (columns.UNSPLIT, columns.REASONING, columns.UNKNOWN_USAGE)
"""What people see where there is any."""

NOT_SPLIT = "Not split: tokens of which only a sum is known, such as those of a METRICS.json alone."
BY_SESSION = [
    columns.SESSION,
    columns.AGENT,
    columns.PROJECT,
    columns.UPDATED,
    columns.COST,
    columns.TOKENS,
    columns.COST_SHARE,
]

_HOW = "Record one: `m31 record llm --help`."
_NO_NAME = {
    "model": "A dash: recorded without a model's name, or summed without a journal.",
    "phase": "A dash: LLM use outside any named phase.",
    "project": "A dash: sessions whose project is not known.",
}


def cost(
    phases: Sequence[LLMRow],
    models: Sequence[LLMRow],
    most_expensive: Sequence[SessionRow],
    scope: Scope,
    *,
    at_list: bool = True,
    whole: bool = False,
) -> list[Table]:
    """Show what a slice cost. `most_expensive` are sessions of it, the greatest cost first.

    `at_list` False says that nobody knows which of the costs an agent was charged.
    """
    by_phase = cost_by(phases, scope, "phase", models, at_list=at_list, whole=whole)
    by_model = cost_by(models, scope, "model", whole=whole)
    by_model.notes = [note for note in by_model.notes if note in _NO_NAME.values()]
    by_model.empty = ""
    by_model.answer = (
        answer.sentence(_most(models, {row.key: row.key for row in models})) if models else ""
    )
    return [by_phase, by_model, _most_expensive(most_expensive, phases, scope, whole)]


def cost_by(
    rows: Sequence[LLMRow],
    scope: Scope,
    by: str,
    models: Sequence[LLMRow] = (),
    *,
    at_list: bool = True,
    whole: bool = False,
) -> Table:
    """Show LLM use by one part: days in their order, others by cost.

    `models` are the rows by model of the same slice, for saying whose price is unknown.
    `whole` keeps columns of which no row knows anything.
    """
    if by in columns.TIMES:
        rows = sorted(rows, key=lambda row: time_order(row.key))
    else:
        rows = sorted(rows, key=_by_cost)
    cost_nano = sum(row.cost_nano for row in rows)
    names = named(by, rows, whole=whole)
    wanted = FOR_PROGRAMS if whole else FOR_PEOPLE
    table = Table(
        f"Cost by {by}",
        [columns.part(by), *wanted],
        empty=scope.lacks("LLM calls", _HOW),
    )
    for row in rows:
        cells = _cells(row, cost_nano)
        table.rows.append((names[row.key], *(cells[column] for column in wanted)))
    if rows:
        table.answer = _answer(rows, scope, names)
        tokens = _unpriced_tokens(rows)
        table.notes = [_in_all(rows, scope), *unpriced(tokens, models)]
        table.notes += unknown_usage(sum(row.unknown_usage_count for row in rows))
        table.notes += _at_list(rows) if at_list else ()
        if by in _NO_NAME and any(not row.key for row in rows):
            table.notes.append(_NO_NAME[by])
    if whole:
        return table
    shown = without(table, [columns.SESSIONS] if scope.session_id else [])
    shown = counted_only(known_only(shown, CACHES), _WHERE_ANY)
    if columns.UNSPLIT in shown.columns:
        shown.notes = [*shown.notes, NOT_SPLIT]
    return shown


def _answer(rows: Sequence[LLMRow], scope: Scope, names: Mapping[str, str | None]) -> str:
    """Say what all of it cost, and which part the most."""
    whole = sum_of(rows)
    tokens = f" for {written.tokens(whole.total_tokens)} tokens" if answer.is_priced(whole) else ""
    of = "" if scope.session_id else f" of {scope}"
    return answer.sentence(f"{answer.spent(whole)}{tokens}{of}", _most(rows, names))


def _most(rows: Sequence[LLMRow], names: Mapping[str, str | None]) -> str:
    """Say which part of several cost most: `the most in plan, $0.2500 (74 %)`."""
    most = max(rows, key=lambda row: row.cost_nano)
    if len(rows) < 2 or not most.cost_nano:
        return ""
    share = answer.share(most.cost_nano, sum(row.cost_nano for row in rows))
    return f"the most in {answer.name_of(names[most.key])}, {answer.spent(most)} ({share})"


def _unpriced_tokens(rows: Sequence[LLMRow]) -> int:
    return sum(row.unpriced_tokens for row in rows)


def _at_list(rows: Sequence[LLMRow]) -> list[str]:
    """Say what the cost is, where not all of it was said by those who were paid."""
    if all(row.total_tokens <= row.given_tokens + row.unpriced_tokens for row in rows):
        return []
    return ["Cost is what the tokens cost at list prices, even if you pay by subscription."]


def _in_all(rows: Sequence[LLMRow], scope: Scope) -> str:
    tokens = f"{sum(row.total_tokens for row in rows):,} tokens of {scope}"
    cost_usd = known_usd(sum(row.cost_nano for row in rows), _unpriced_tokens(rows))
    if cost_usd is None or not isfinite(cost_usd):
        return f"In all {tokens}; what they cost is not known."
    return f"In all ${cost_usd:,.4f} for {tokens}."


def _cells(row: LLMRow, cost_nano: int) -> dict[Column, Cell]:
    known, classes = knows_caches(row), class_cells(row)
    cells: dict[Column, Cell] = {
        columns.LLM_CALLS: row.interaction_count,
        columns.TOKENS: row.total_tokens,
        columns.COST: known_usd(row.cost_nano, row.unpriced_tokens),
        columns.REASONING: row.reasoning_tokens if known else None,
        columns.COST_SHARE: ratio(row.cost_nano, cost_nano),
        columns.PROMPT: row.prompt_tokens,
        columns.COMPLETION: row.completion_tokens,
        columns.UNPRICED: row.unpriced_tokens,
        columns.UNKNOWN_USAGE: row.unknown_usage_count,
        columns.SUBAGENTS: row.subagent_tokens,
        columns.SESSIONS: row.session_count,
    }
    cells.update(zip((*columns.TOKEN_CLASSES, columns.UNSPLIT), classes, strict=True))
    return cells


def sum_of(rows: Sequence[LLMRow]) -> LLMRow:
    """Add up rows."""
    whole = LLMRow("")
    for row in rows:
        add(whole, row, LLMSums.__struct_fields__)
    return whole


def _most_expensive(
    sessions: Sequence[SessionRow], rows: Sequence[LLMRow], scope: Scope, whole: bool
) -> Table:
    table = Table("Most expensive sessions", BY_SESSION)
    if scope.totals.session_count < 2:
        return table  # it would be the whole cost again
    cost_nano = sum(row.cost_nano for row in rows)
    shown = [row for row in sessions[:TOP_SESSIONS] if row.cost_nano]
    shorter = shortened((row.agent, row.session_id) for row in shown)
    projects = tails(row.project for row in shown)
    for row in shown:
        table.rows.append(
            (
                row.session_id if whole else shorter[row.session_id],
                row.agent,
                (row.project if whole else projects[row.project]) or None,
                known_time(row.updated_us),
                usd(row.cost_nano),
                row.total_tokens,
                ratio(row.cost_nano, cost_nano),
            )
        )
    return table


def _by_cost(row: LLMRow) -> tuple[int, int, str]:
    return -row.cost_nano, -row.total_tokens, row.key


BY_CLASS = [
    columns.MODEL,
    *columns.TOKEN_CLASSES,
    columns.UNSPLIT,
    columns.TOKENS,
    columns.REASONING,
    columns.COST,
]


def token_classes(rows: Sequence[LLMRow]) -> Panel:
    """Show the tokens of each model by their five classes, which exclude each other."""
    table = Table(
        "Tokens by class",
        BY_CLASS,
        [
            (
                row.key or None,
                *class_cells(row),
                row.total_tokens,
                row.reasoning_tokens,
                known_usd(row.cost_nano, row.unpriced_tokens),
            )
            for row in sorted(rows, key=lambda row: (-row.total_tokens, row.key))
        ],
        "No LLM use.",
    )
    table = counted_only(table, (columns.UNSPLIT, columns.REASONING))
    drawn = [one.name for one in (*columns.TOKEN_CLASSES, columns.UNSPLIT) if one in table.columns]
    plot = Plot("Tokens by class", Kind.BARS, "model", tuple(drawn))
    return Panel("tokens", table, (plot,))
