"""`m31 record`: record one event from any shell or language.

Exit code 0 means that the event is in the kernel's hands: no kill loses it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import update_wrapper
from time import time_ns
from typing import Any

import click
from msgspec.structs import replace

from m31a_metrics import events, validation
from m31a_metrics.cli.options import (
    checked,
    examples,
    said,
    said_options,
    say,
    sessions_dir_option,
    settings,
)
from m31a_metrics.codec.goformat import read_time
from m31a_metrics.errors import ForeignFile, MetricsError, StorageError
from m31a_metrics.events import Event
from m31a_metrics.kept_lines import kept_line, with_lines
from m31a_metrics.model import Usage
from m31a_metrics.session import Session
from m31a_metrics.tally import micros
from m31a_metrics.units import LARGEST, SECOND_US, YEAR_10000_US

_TOKENS = click.IntRange(0, LARGEST)


def _number(text: str) -> int | float:
    # Whole milliseconds stay whole.
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _duration_ms(text: str) -> int | float:
    duration_ms = validation.duration_ms(_number(text), "a duration")
    if duration_ms < 0:
        say(f"a negative duration ({text}) counts as 0: did a clock jump?")
        return 0
    return duration_ms


def _cost_usd(text: str) -> float | None:
    return validation.cost(_number(text))


def _t_us(text: str) -> int:
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        try:
            at_us = micros(read_time(text))
        except ValueError as error:
            raise ValueError(f"{text!r} {error}, nor is it unix seconds") from error
    else:
        # Compared first: 1e999999999 is no integer that anyone wants to make.
        in_range = seconds.is_finite() and 0 <= seconds < YEAR_10000_US
        at_us = int(seconds * SECOND_US) if in_range else -1
    if not 0 <= at_us < YEAR_10000_US:
        raise ValueError(f"{text!r} is not between the years 1970 and 9999")
    return at_us


_NAME = checked(lambda text: validation.name(text, "it"))
_PHASE = checked(lambda text: validation.text(text, "it"))
_DURATION = checked(_duration_ms)
_COST = checked(_cost_usd)
_TIME = checked(_t_us)


@click.group(
    "record",
    epilog=examples(
        ("m31 record tool Bash --duration-ms 120", "a tool call that succeeded"),
        ("m31 record llm plan --prompt-tokens 900 --completion-tokens 80", "a model answered"),
        ("m31 record phase execute --duration-ms 4000", "a phase ended"),
        ("m31 record start --label prompt=b --branch main", "whose session it is, and its labels"),
    ),
)
def command() -> None:
    """Record one event of the session that --session or M31A_SESSION names.

    The session is made if it is not there. Exit code 0 means that the event is safe,
    4 that it could not be recorded.
    """


_COMMON = ("session", "event_id", "t_us", "sessions_dir")


def _records(name: str) -> Callable[[Callable[..., Event]], click.Command]:
    """Make a subcommand of a function that makes an event of its options, a time and an id."""

    def decorate(make: Callable[..., Event]) -> click.Command:
        def record(
            session: str | None, event_id: str | None, t_us: int | None, **arguments: Any
        ) -> None:
            t_us = time_ns() // 1000 if t_us is None else t_us
            event = make(t_us=t_us, event_id=event_id, **arguments)
            _record(click.get_current_context(), session, event)

        update_wrapper(record, make)
        for option in (
            click.option("--session", metavar="ID", help="The session.  [default: M31A_SESSION]"),
            click.option("--id", "event_id", metavar="ID", type=_NAME, help="It counts once."),
            click.option(
                "--at",
                "t_us",
                metavar="TIME",
                type=_TIME,
                help="When it was: RFC 3339 or unix seconds.  [default: now]",
            ),
            sessions_dir_option,
        ):
            option(record)
        made = command.command(name)(record)
        # What is everyone's stands below what is this one's.
        made.params.sort(key=lambda parameter: parameter.name in _COMMON)
        return made

    return decorate


def _record(ctx: click.Context, session_id: str | None, event: Event) -> None:
    session_id = os.environ.get("M31A_SESSION") if session_id is None else session_id
    if not session_id:
        raise click.UsageError("Which session? Give --session ID, or set M31A_SESSION.")
    config = settings(ctx)
    session = Session(config.sessions_dir, session_id)
    if not config.metrics_enabled:
        return
    (event,) = with_lines([event], keep=config.failure_lines)
    try:
        session.append([event])
    except (StorageError, ForeignFile) as error:
        raise type(error)(f"not recorded: {error}") from error
    try:
        session.refresh()
    except (MetricsError, OSError, ValueError) as error:
        say(f"recorded, but METRICS.json is not up to date: {error}")


_duration_option = click.option(
    "--duration-ms", metavar="N", type=_DURATION, help="How long it took, in milliseconds."
)
_outcome_option = click.option("--passed/--failed", "passed", default=None, help="How it ended.")


@_records("start")
@said_options
def _start(
    *,
    t_us: int,
    event_id: str | None,
    **told: Any,
) -> Event:
    """Record who runs where, and under which labels, so that questions find the session.

    What was said of a session first stays; this adds what is missing.
    """
    start = said(**told)
    if start is None:
        raise click.UsageError("Say what? Give --project, --branch, --agent or --label.")
    return replace(start, t_us=t_us, id=event_id)


@_records("tool")
@click.argument("name", type=_NAME)
@_duration_option
@click.option("--failed", is_flag=True, help="The call failed.")
@click.option(
    "--denied", is_flag=True, help="A hook, a rule or a person refused it, so it never ran."
)
@click.option(
    "--wait-ms", metavar="N", type=_DURATION, help="How long it waited for a person's permission."
)
@click.option(
    "--error", metavar="TEXT", default="", help="Why it failed; what tools say of it is kept."
)
def _tool(
    *,
    t_us: int,
    event_id: str | None,
    name: str,
    duration_ms: float | None,
    failed: bool,
    denied: bool,
    wait_ms: float | None,
    error: str,
) -> Event:
    """Record a call of the tool NAME; it succeeded, unless --failed or --error is given."""
    line = kept_line(validation.text(error, "--error")) or None
    success = not (failed or denied) and line is None
    return events.ToolCall(
        t_us, name, success, duration_ms or 0, wait_ms, line, denied=denied, id=event_id
    )


@_records("llm")
@click.argument("phase", type=_PHASE)
@click.option("--prompt-tokens", metavar="N", type=_TOKENS, required=True, help="With cached ones.")
@click.option(
    "--completion-tokens", metavar="N", type=_TOKENS, required=True, help="With reasoning."
)
@click.option("--total-tokens", metavar="N", type=_TOKENS, help="[default: prompt + completion]")
@click.option("--cache-read-tokens", metavar="N", type=_TOKENS, default=0)
@click.option("--cache-write-5m-tokens", metavar="N", type=_TOKENS, default=0)
@click.option("--cache-write-1h-tokens", metavar="N", type=_TOKENS, default=0)
@click.option("--reasoning-tokens", metavar="N", type=_TOKENS, default=0)
@click.option("--cost", metavar="USD", type=_COST, help="What it cost.  [default: not known]")
@click.option("--model", metavar="M", type=_NAME, help="The model that answered.")
@_duration_option
def _llm(
    *,
    t_us: int,
    event_id: str | None,
    phase: str,
    cost: float | None,
    model: str | None,
    duration_ms: float | None,
    **tokens: int,
) -> Event:
    """Record a model's answer in the phase PHASE."""
    usage = Usage(**tokens)
    return events.LLMInteraction(t_us, phase, usage, cost, model, duration_ms, id=event_id)


@_records("phase")
@click.argument("phase", type=_PHASE)
@_duration_option
@click.option("--failed", is_flag=True, help="The phase ended in failure.")
def _phase(
    *, t_us: int, event_id: str | None, phase: str, duration_ms: float | None, failed: bool
) -> Event:
    """Record that PHASE was entered, or with --duration-ms that it ended."""
    if duration_ms is not None:
        return events.PhaseDuration(t_us, phase, duration_ms, not failed, id=event_id)
    if failed:
        raise click.UsageError("--failed goes with a phase that ended: give --duration-ms, too.")
    return events.PhaseTransition(t_us, phase, id=event_id)


@_records("heal")
@click.argument("phase", type=_PHASE)
@_outcome_option
@_duration_option
@click.option("--loop", is_flag=True, help="The same error came back again and again.")
def _heal(
    *,
    t_us: int,
    event_id: str | None,
    phase: str,
    passed: bool | None,
    duration_ms: float | None,
    loop: bool,
) -> Event:
    """Record that the agent began to heal itself in PHASE, or how that ended."""
    if loop and (passed is not None or duration_ms is not None):
        raise click.UsageError("--loop is an event of its own: leave the other options out.")
    if loop:
        return events.HealLoop(t_us, phase, id=event_id)
    if passed is not None:
        return events.HealOutcome(t_us, phase, passed, duration_ms, id=event_id)
    if duration_ms is not None:
        raise click.UsageError(
            "--duration-ms goes with a self-heal that ended: --passed or --failed?"
        )
    return events.HealTrigger(t_us, phase, id=event_id)


@_records("bisect")
@click.argument("phase", type=_PHASE)
@_outcome_option
def _bisect(*, t_us: int, event_id: str | None, phase: str, passed: bool | None) -> Event:
    """Record that a git bisect began in PHASE, or how it ended (--passed: it named a commit)."""
    if passed is None:
        return events.BisectTrigger(t_us, phase, id=event_id)
    return events.BisectOutcome(t_us, phase, passed, id=event_id)


@_records("edit")
@click.argument("strategy", type=_NAME)
def _edit(*, t_us: int, event_id: str | None, strategy: str) -> Event:
    """Record how an edit was applied: exact_match, cascading, ..."""
    return events.EditStrategy(t_us, strategy, id=event_id)
