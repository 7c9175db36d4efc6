"""`m31 budget`: what may still be used; a person allows more, or forgets what was allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from m31a_metrics import budgets
from m31a_metrics.budgets import DAY, MONTH, SESSION, TOKENS, USD, Balance, Limit
from m31a_metrics.cli.options import (
    all_folders_option,
    asking,
    emit,
    examples,
    format_options,
    person_agrees,
    refuse_agents,
    say,
    sessions_dir_option,
    settings,
    wants_text,
)
from m31a_metrics.config import environment
from m31a_metrics.questions import budget as of_budget

if TYPE_CHECKING:
    from m31a_metrics.answers import SessionRow
    from m31a_metrics.catalog.limits import MachineLimits
    from m31a_metrics.questions.ask import Ask
    from m31a_metrics.tables.budget import Budgeted

_ONLY_A_PERSON = "allows more"
_AMOUNT = re.compile(r"\+?(\d[\d_]*(?:\.\d+)?)")


@click.group(
    "budget",
    invoke_without_command=True,
    epilog=examples(
        ("m31 budget", "what is left, and when it will be spent"),
        ("m31 budget --json", "for a program"),
        ("m31 budget allow --session 3f2a91c0 +5", "USD 5 more for one session"),
        ("m31 budget allow --day +500000 --tokens", "more tokens, today only"),
    ),
)
@all_folders_option
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """What running sessions, this day and this month may still use.

    Limits stand in the configuration, under [metrics.budget]. Rates are per active hour;
    `Spent at` is when a limit is reached if what runs goes on so. Days and months are those
    of the machine's time zone, whatever TZ says.
    """
    if ctx.invoked_subcommand is not None:
        return
    with asking(ctx, None) as ask:
        limits = _limits(ctx, ask)
        asked = limits.limits, limits.today, limits.granted, limits.unverified
        panels = of_budget.budget(ask, *asked, whole=not wants_text(ctx))
    emit(ctx, [panel.table for panel in panels])


def _limits(ctx: click.Context, ask: Ask) -> MachineLimits:
    from m31a_metrics.catalog.limits import MachineLimits

    return MachineLimits(settings(ctx), ask.now)


@command.command(
    epilog=examples(
        ("m31 budget allow --session last +5", "USD 5 more for the latest session"),
        ("m31 budget allow --month +50", "until the end of this month"),
    )
)
@click.argument("amount", metavar="+AMOUNT")
@click.option("--session", "name", metavar="ID", help="More for this session.")
@click.option("--day", is_flag=True, help="More on this day.")
@click.option("--month", is_flag=True, help="More in this month.")
@click.option("--tokens", is_flag=True, help="AMOUNT is in tokens, and not in US dollars.")
@sessions_dir_option
@click.pass_context
def allow(
    ctx: click.Context, amount: str, name: str | None, *, day: bool, month: bool, tokens: bool
) -> int:
    """Allow so much more, on top of a limit and of what was allowed before.

    Only a person does, at a terminal: this refuses to run in a coding agent. A seat belt and
    no boundary: an agent that may edit your files may edit the limits.
    """
    refuse_agents(_ONLY_A_PERSON, environment())
    if (name is not None) + day + month != 1:
        raise click.UsageError("Allow what? Give one of --session ID, --day, --month.")
    scope = DAY if day else MONTH if month else SESSION
    grant = _grant(scope, amount, TOKENS if tokens else USD)
    with asking(ctx, None) as ask:
        limits = _limits(ctx, ask)
        row = None if name is None else _named(ctx, ask, name)
        part, balance = _balance(_judged(ask, row, limits), grant)
        of, more = f"{scope} {part.which}", budgets.written(grant.unit, grant.amount)
        used, limit = (budgets.written(grant.unit, one) for one in (balance.used, balance.limit))
        question = f"The {of} has used {used} of {limit}. Allow {more} more?"
        if not person_agrees(question, _ONLY_A_PERSON, environment()):
            say("nothing was allowed")
            return 0
        limits.allow(row, grant)
        judged = _judged(ask, row, limits)
        limits.renew(row, [one.verdict for one in judged])
    left = budgets.written(grant.unit, _balance(judged, grant)[1].left)
    say(f"allowed {more} more: of the {of} {left} is left")
    return 0


@command.command(
    epilog=examples(
        ("m31 budget forget", "of all sessions, and of the day and the month"),
        ("m31 budget forget --session last", "of the latest session"),
    )
)
@click.option("--session", "name", metavar="ID", help="Only of this session.")
@sessions_dir_option
@click.pass_context
def forget(ctx: click.Context, name: str | None) -> int:
    """Take back what was allowed, and remove the verdicts that agents are stopped by.

    Verdicts are made anew by the next tool call of an agent whose hooks are installed. Only
    a person does this, at a terminal, as for `allow`.
    """
    only = "forgets budgets"
    refuse_agents(only, environment())
    with asking(ctx, None) as ask:
        row = None if name is None else _named(ctx, ask, name)
        limits = _limits(ctx, ask)
    of = "all budgets" if row is None else f"the budget of session {row.session_id}"
    if not person_agrees(f"Forget what was allowed and said of {of}?", only, environment()):
        say("nothing was forgotten")
        return 0
    removed = limits.forget(row)
    say(f"{len(removed):,} file{'' if len(removed) == 1 else 's'} removed")
    return 0


def _named(ctx: click.Context, ask: Ask, name: str) -> SessionRow:
    """Find the session that a person named. Raises SessionNotFound."""
    from m31a_metrics.catalog.find_session import named, no_such

    row = named(ask.answers, name, settings(ctx))
    if isinstance(row, str):
        raise no_such(name)
    return row


def _judged(ask: Ask, row: SessionRow | None, limits: MachineLimits) -> list[Budgeted]:
    """Judge a session; None: the day and the month."""
    grants = limits.granted(row)
    if row is not None:
        asked = row, limits.limits, grants, limits.unverified
        return [of_budget.budgeted_session(ask.answers, *asked)]
    return of_budget.budgeted_machine(
        ask.answers, limits.limits, limits.today, grants, limits.unverified, running_count=0
    )


def _balance(judged: list[Budgeted], grant: Limit) -> tuple[Budgeted, Balance]:
    """Find the limit that is allowed more of. Raises UsageError where there is none."""
    for part in judged:
        for one in part.verdict.balances:
            if (one.scope, one.unit) == (grant.scope, grant.unit):
                return part, one
    raise click.UsageError(
        f"There is no such limit to allow more of: set it in the configuration, "
        f"[metrics.budget] {grant.scope}_{grant.unit}."
    )


def _grant(scope: str, amount: str, unit: str) -> Limit:
    found = _AMOUNT.fullmatch(amount)
    number = found[1].replace("_", "") if found else ""
    value = (int if unit == TOKENS else float)(number) if _is_number(number, unit) else None
    read = budgets.amount_of(value, unit)
    if read is None:
        how = "+500000 (whole tokens)" if unit == TOKENS else "+5 or +2.50 (US dollars)"
        raise click.BadParameter(f"{amount!r} is no amount: write {how}.", param_hint="AMOUNT")
    return Limit(scope, unit, read)


def _is_number(number: str, unit: str) -> bool:
    return number.isdecimal() or (unit == USD and bool(number))
