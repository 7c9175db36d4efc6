"""The way from a command line to an answer: one session or a slice, asked of the index."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from m31a_metrics import config
from m31a_metrics.answers import Answers, Slice
from m31a_metrics.cli.options.empty import where_looked
from m31a_metrics.cli.options.fleet import fleet_of
from m31a_metrics.cli.options.output import LOOKED, NONE, SESSIONS_DIR, say, settings
from m31a_metrics.cli.options.rows import OF_FLEET
from m31a_metrics.cli.options.slices import agents_meant, all_folders, asked_for, now, which
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.questions.ask import Ask, recorded_agents, totals_of, why_none

if TYPE_CHECKING:
    from m31a_metrics.catalog import LoadedSession
    from m31a_metrics.catalog.fleet import Fleet
    from m31a_metrics.comparison.baseline import Baseline
    from m31a_metrics.comparison.sides import Side


_PATIENCE_S = 1.0
"""How long a person waits before being told what takes so long."""


@contextmanager
def asking(ctx: click.Context, name: str | None) -> Iterator[Ask]:
    """Open the answers about one session, or about the slice asked for where no name is given.

    Says what is damaged. `--sessions-dir` speaks of that directory alone, and `--agent entire`
    of the repository here, whose sessions are those of the agents that wrote them. Raises
    what the catalog raises, and SessionNotFound where `--sessions-dir` names nothing.
    """
    from m31a_metrics import catalog

    fleet = fleet_of(ctx)
    if fleet is not None:
        with _asking_fleet(ctx, fleet, name) as ask:
            yield ask
        return
    if OF_FLEET in ctx.meta:
        raise click.UsageError(
            f"--by {ctx.meta[OF_FLEET]} is of a fleet: give --history fleet, or an address."
        )
    configured, environ = settings(ctx), config.environment()
    bounded = only_dir(ctx)
    if name is not None:
        _only_one(ctx)
        with catalog.ask_named(
            configured, name, environ, only_dir=bounded, progress=reading_progress()
        ) as asked_one:
            problems = catalog.news_of(configured, name, asked_one.problems)
            warn(ctx, problems, asked_one.notes)
            yield Ask(asked_one.answers, asked_one.which, now(), asked_one.session_id)
        return
    about = which(ctx)
    keeper = _keeper(ctx, about)
    with catalog.ask(
        configured,
        environ,
        only_dir=bounded,
        only_agent=keeper,
        all_folders=all_folders(ctx),
        progress=reading_progress(),
    ) as asking:
        if not keeper:
            about = meant(about, asking.answers)
        asked_about = None if keeper else about.agents
        problems = [one.sentence for one in asking.troubles(asked_about)]
        remedy = f"m31 import {keeper} --dry-run --json" if keeper else ""
        news = [one.sentence for one in asking.news(asked_about)]
        warn(ctx, news, asking.notes, remedy)
        known_count = len(asking.notes)
        which_ones = replace(about, agents=None) if keeper else about
        found = Ask(asking.answers, which_ones, now())
        if not (bounded or keeper or problems) and _is_empty(found):
            ctx.meta[LOOKED] = where_looked(configured.sessions_dir, environ)
        else:
            ctx.meta[NONE] = why_none(found, asked_for(ctx), problems)
        yield found
        for note in asking.notes[known_count:]:
            say(note)  # what came up while files were read for the answer
        if sys.stderr.isatty() and not (bounded or keeper or asking.is_in_memory):
            for sentence in catalog.reminders(configured, environ):
                say(sentence)


@contextmanager
def _asking_fleet(ctx: click.Context, fleet: Fleet, name: str | None) -> Iterator[Ask]:
    """Open the answers of a fleet, about one session or the slice asked for."""
    from m31a_metrics.catalog.fleet import ask_fleet, session_named

    if all_folders(ctx):
        raise click.UsageError("--all-folders is of this machine, and goes without --history.")
    configured = settings(ctx)
    with ask_fleet(configured, config.environment(), fleet) as opened:
        for note in opened.notes:
            say(note)
        if name is not None:
            _only_one(ctx)
            row = session_named(opened.answers, name, configured)
            which_one = Slice(agents=(row.agent,), session=row.session_id)
            yield Ask(opened.answers, which_one, now(ctx), row.session_id)
        else:
            found = Ask(opened.answers, meant(which(ctx), opened.answers), now(ctx))
            ctx.meta[NONE] = why_none(found, asked_for(ctx), ())
            if _is_empty(found):
                ctx.meta[NONE] = f"No session was pushed to {opened.file} yet."
            yield found
        for note in opened.look_again():
            say(note)


def _is_empty(ask: Ask) -> bool:
    """Tell whether there is no session at all, of whatever slice."""
    return not (ask.totals.session_count or totals_of(ask.answers, Slice()).session_count)


def meant(about: Slice, answers: Answers) -> Slice:
    """Give a slice its agents' whole names. Raises BadParameter for what names none."""
    try:
        return agents_meant(about, lambda: recorded_agents(answers))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--agent'") from None


def _keeper(ctx: click.Context, about: Slice) -> str:
    """Name whoever keeps other agents' sessions, if --agent names one: it is asked alone."""
    from m31a_metrics.sources import is_by_name_only

    agents = about.agents or ()
    keeper = next((one for one in agents if is_by_name_only(one)), "")
    if keeper and (len(agents) > 1 or SESSIONS_DIR in ctx.meta):
        other = "another --agent" if len(agents) > 1 else "--sessions-dir"
        raise click.UsageError(
            f"--agent {keeper} stands for all agents' sessions in the repository here, "
            f"and goes without {other}."
        )
    return keeper


def read_session(ctx: click.Context, name: str) -> LoadedSession:
    """Read one session whole; say what is damaged. Raises what the catalog raises."""
    from m31a_metrics import catalog

    _only_one(ctx)
    if fleet_of(ctx) is not None:
        with asking(ctx, name) as ask:
            from m31a_metrics.catalog.fleet import elsewhere
            from m31a_metrics.questions.sessions import asked_for as one_asked_for

            raise elsewhere(one_asked_for(ask))
    one = catalog.load_named(
        settings(ctx),
        name,
        config.environment(),
        only_dir=only_dir(ctx),
        progress=reading_progress(),
    )
    warn(ctx, catalog.news_of(settings(ctx), one.path, one.problems), one.notes)
    return one


def is_bounded(ctx: click.Context) -> bool:
    """Tell whether --sessions-dir was given, which speaks of that directory alone."""
    return SESSIONS_DIR in ctx.meta


def only_dir(ctx: click.Context) -> bool:
    """The same for a question, to which the directory must be there. Raises SessionNotFound."""
    if not is_bounded(ctx):
        return False
    directory = settings(ctx).sessions_dir
    if not os.path.exists(directory):
        raise SessionNotFound(f"{directory} (--sessions-dir) is not there")
    return True


def _only_one(ctx: click.Context) -> None:
    narrowed = asked_for(ctx)
    if narrowed:
        raise click.UsageError(f"{narrowed[0]} is for many sessions, not for one.")


def warn(
    ctx: click.Context, problems: Sequence[str], notes: Sequence[str] = (), remedy: str = ""
) -> None:
    """Say what is wrong with the index (`notes`), and of all other problems the first.

    Old transcripts stay damaged for ever: more than a line would be in the way of every
    answer. It names the command that tells all; `remedy`, if it is a certain one.
    """
    for note in notes:
        say(note)
    if not problems:
        return
    bounded = f" --sessions-dir {settings(ctx).sessions_dir}" if is_bounded(ctx) else ""
    more = f"{len(problems) - 1:,} more like this, " if len(problems) > 1 else ""
    say(f"{problems[0]}; {more}see `{remedy or f'm31 doctor{bounded}'}`")


def reading_progress(doing: str = "reading") -> Callable[[int, int], None]:
    """Make the function that is told how many sessions are read, and of how many.

    It talks to a terminal only, and only to a person who has waited a second.
    """
    started_s = monotonic()
    drawn = False
    fifties = 0

    def show(done: int, total: int) -> None:
        nonlocal drawn, fifties
        if done < total:
            if done // 50 != fifties and monotonic() - started_s > _PATIENCE_S:
                drawn, fifties = True, done // 50
                sys.stderr.write(f"\r{doing} {done:,} of {total:,} sessions ")
                sys.stderr.flush()
        elif drawn:
            sys.stderr.write("\r\x1b[K")

    return show if sys.stderr.isatty() else _quiet


def _quiet(_done: int, _total: int) -> None:
    pass


_READ_MAX = 64 << 20
"""Bytes; a baseline of ten thousand tools has some 7 MB."""


def slice_named(ctx: click.Context, text: str) -> Slice | None:
    """Read a slice in a word; None for what may be a session. Raises UsageError."""
    from m31a_metrics.slices import slice_of
    from m31a_metrics.sources import is_by_name_only

    try:
        which = slice_of(text, now(ctx))
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
                try:
                    which = agents_meant(which, lambda: recorded_agents(ask.answers))
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
