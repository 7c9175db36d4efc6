"""`m31 gate`: fail a build whose sessions cost, fail or last more than they may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from m31a_metrics.cli import FOUND_PROBLEMS
from m31a_metrics.cli.options import (
    ask_sides,
    baseline_file,
    emit,
    examples,
    fleet_options,
    format_options,
    sessions_dir_option,
    slice_named,
    slice_options,
    wants_text,
)
from m31a_metrics.comparison.gate import Judgement, metric_list
from m31a_metrics.comparison.metrics import names_of
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.questions.compare import gate

if TYPE_CHECKING:
    from m31a_metrics.comparison.baseline import Baseline
    from m31a_metrics.comparison.sides import Side


@click.command(
    epilog=examples(
        ("m31 gate --max cost=0.50 --current last", "an absolute limit on one session"),
        ("m31 gate --baseline baseline.json --max cost=+10%", "at most 10 % above the baseline"),
        (
            "m31 gate --baseline branch=main --current branch=new --max fail_rate=+0.02",
            "branch against branch",
        ),
        ("m31 gate --list --current 7d", "which metrics there are"),
    )
    + "\n\nExit codes: 0 all limits hold, 1 some broke, 2 wrong usage or an unknown metric, "
    "3 there is nothing to check a limit against."
)
@click.option("--max", "most", metavar="METRIC=VALUE", multiple=True, help="At most this.")
@click.option("--min", "least", metavar="METRIC=VALUE", multiple=True, help="At least this.")
@click.option(
    "--baseline", "base", metavar="FILE|SLICE", help="What signed values (+10%) are relative to."
)
@click.option(
    "--current", metavar="SLICE|SESSION", default="all", help="What is checked.  [default: all]"
)
@click.option("--allow-missing", is_flag=True, help="Let limits pass for which nothing is known.")
@click.option("--list", "listed", is_flag=True, help="List the metrics and their units.")
@slice_options
@fleet_options
@sessions_dir_option
@format_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    most: Sequence[str],
    least: Sequence[str],
    base: str | None,
    current: str,
    allow_missing: bool,
    listed: bool,
) -> int:
    """Check sessions against limits, and exit with 1 if one is broken: for CI.

    A value with a sign is relative to the baseline: +10% of it, or +0.02. One without is
    absolute: 0.50 (US dollars), 30s, 500ms, 2m, 5% or 0.05 (a share). Signs, percent and
    metrics are explained in docs/compare.md.
    """
    if listed:
        is_asked = ctx.get_parameter_source("current") is not click.core.ParameterSource.DEFAULT
        names = names_of(ask_sides(ctx, [(current, slice_named(ctx, current))])) if is_asked else ()
        emit(ctx, [metric_list(names)])
        return 0
    if not most and not least:
        raise click.UsageError("Check what? Give --max or --min; see metrics: --list.")
    current_side, against = _sides(ctx, current, base)
    try:
        panels, judgements = gate(
            current_side,
            against,
            most,
            least,
            missing=allow_missing,
            named=base or "",
            whole=not wants_text(ctx),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    emit(ctx, [panel.table for panel in panels])
    return _code(judgements, allow_missing)


def _sides(
    ctx: click.Context, current: str, base: str | None
) -> tuple[Side, Side | Baseline | None]:
    """Ask about what is held to limits, and about the baseline where it is no file."""
    kept = baseline_file(base) if base is not None else None
    wanted = [(current, slice_named(ctx, current))]
    if base is not None and kept is None:
        wanted.append((base, slice_named(ctx, base)))
    found, *others = ask_sides(ctx, wanted)
    return found, others[0] if others else kept


def _code(judgements: Sequence[Judgement], allow_missing: bool) -> int:
    if any(one.holds is False for one in judgements):
        return FOUND_PROBLEMS
    missing = [one.limit.metric.name for one in judgements if one.holds is None]
    if missing and not allow_missing:
        raise SessionNotFound(
            f"nothing is known of {', '.join(missing)}, so nothing can be said; "
            "--allow-missing lets that pass"
        )
    return 0
