"""Asking a fleet in place of this machine: --history and --partial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from m31a_metrics.cli.options.output import SESSIONS_DIR, Decorated

if TYPE_CHECKING:
    from m31a_metrics.catalog.fleet import Fleet

_HISTORY = "m31.history"
_PARTIAL = "m31.partial"


def fleet_options(function: Decorated) -> Decorated:
    """Add `--history ADDRESS` and `--partial`; `fleet_of` tells what they say."""
    function = click.option(
        "--partial",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="With --history: answer without the shards that do not, and say which these are.",
    )(function)
    return click.option(
        "--history",
        metavar="ADDRESS",
        expose_value=False,
        callback=_keep,
        help="Ask a fleet, not this machine: clickhouse://HOST[:PORT]/DATABASE, or `fleet`, which "
        "is `to` in [metrics.fleet].",
    )(function)


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None or value is False:
        return
    ctx.meta[_HISTORY if parameter.name == "history" else _PARTIAL] = value


def fleet_of(ctx: click.Context) -> Fleet | None:
    """Tell which fleet is asked; None: this machine is. Raises UsageError."""
    address: str | None = ctx.meta.get(_HISTORY)
    if address is None:
        if _PARTIAL in ctx.meta:
            raise click.UsageError("--partial goes with --history: give that, too.")
        return None
    if SESSIONS_DIR in ctx.meta:
        raise click.UsageError("--sessions-dir is of this machine, and goes without --history.")
    from m31a_metrics.catalog.fleet import Fleet

    return Fleet(address, is_partial=_PARTIAL in ctx.meta)
