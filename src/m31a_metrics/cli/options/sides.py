"""What compare, gate and baseline are asked about: slices in a word, sessions, baselines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from m31a_metrics.answers import Slice
from m31a_metrics.cli.options.question import asking
from m31a_metrics.cli.options.slices import now, unknown_agent
from m31a_metrics.errors import SessionNotFound

if TYPE_CHECKING:
    from m31a_metrics.comparison.baseline import Baseline
    from m31a_metrics.comparison.sides import Side

_READ_MAX = 64 << 20
"""Bytes; a baseline of ten thousand tools has some 7 MB."""


def slice_named(text: str) -> Slice | None:
    """Read a slice in a word; None for what may be a session. Raises UsageError."""
    from m31a_metrics.slices import slice_of
    from m31a_metrics.sources import is_by_name_only

    try:
        which = slice_of(text, now())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for agent in (which.agents or ()) if which is not None else ():
        if is_by_name_only(agent):
            raise click.UsageError(
                f"agent={agent} is no side, but where all sides are: --agent {agent}."
            )
    return which


def ask_sides(ctx: click.Context, wanted: Sequence[tuple[str, Slice | None]]) -> list[Side]:
    """Ask about sides, each by what people call it; one without a slice is a session's name.

    The slice options narrow all of them. Raises UsageError, SessionNotFound where a side has
    no session, and what the catalog raises.
    """
    from m31a_metrics.questions.ask import recorded_agents
    from m31a_metrics.questions.compare import side
    from m31a_metrics.slices import both

    found: dict[int, Side] = {}
    if any(which is not None for _, which in wanted):
        with asking(ctx, None) as ask:
            for place, (label, which) in enumerate(wanted):
                if which is None:
                    continue
                unknown = unknown_agent(which.agents, lambda: recorded_agents(ask.answers))
                if unknown is not None:
                    known = ", ".join(unknown[1])
                    raise click.UsageError(f"There is no agent {unknown[0]!r}. Choose of {known}.")
                try:
                    narrowed = both(which, ask.which, label)
                except ValueError as error:
                    raise click.UsageError(str(error)) from None
                found[place] = side(ask.about(narrowed), label)
    for place, (label, which) in enumerate(wanted):
        if which is None:
            with asking(ctx, label) as ask:
                found[place] = side(ask, ask.session_id)
    for one in found.values():
        if not one.totals.session_count:
            raise SessionNotFound(
                f"no session is in {one.label!r}; see what is there: m31 sessions"
            )
    return [found[place] for place in range(len(wanted))]


def baseline_file(text: str) -> Baseline | None:
    """Read the baseline that a path names; None where it names none, and may be a slice.

    Raises NotThisFormat for one that is damaged, SessionNotFound for one that is not there,
    StorageError where the disk refuses.
    """
    from m31a_metrics.comparison import baseline
    from m31a_metrics.errors import StorageError
    from m31a_metrics.foreign_files import read_head

    path = os.path.expanduser(text)
    if not os.path.isfile(path):
        if path.endswith(".json"):
            raise SessionNotFound(f"{text} is not there; make it: m31 baseline > {text}")
        return None
    try:
        content = read_head(path, _READ_MAX)
    except OSError as error:
        raise StorageError(f"cannot read {text}: {error.strerror}") from error
    if content.strip() and not baseline.is_baseline(content):
        return None  # a transcript, or a METRICS.json
    return baseline.read(content, text)
