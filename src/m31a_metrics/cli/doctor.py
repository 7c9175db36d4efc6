"""`m31 doctor`: look for damage in sessions, and repair it with --fix.

What other agents keep is only looked at: it is theirs, and nothing of it is ever changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import click

from m31a_metrics import catalog
from m31a_metrics.checkup import Finding, examine, session_names
from m31a_metrics.cli import FOUND_PROBLEMS
from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    is_bounded,
    reading_progress,
    say,
    sessions_dir_option,
    settings,
)
from m31a_metrics.config import environment
from m31a_metrics.errors import MetricsError, StorageError
from m31a_metrics.session import Session
from m31a_metrics.table import Cell, Column, Table
from m31a_metrics.timestamps import moment

COLUMNS = [
    Column("session", "Session"),
    Column("file", "File"),
    Column("problem", "Problem"),
    Column("remedy", "Remedy"),
    Column("state", "State"),
]


@click.command(
    epilog=examples(
        ("m31 doctor", "look at every session; nothing is changed"),
        ("m31 doctor 3f2a last", "look at two of them"),
        ("m31 doctor --fix", "repair what can be, and say what was done"),
        ("m31 doctor --json", "the findings, for a program"),
    )
    + "\n\nExit codes: 0 no problem is left, 1 there are problems.",
)
@click.argument("names", nargs=-1, metavar="[SESSION]...")
@click.option("--fix", is_flag=True, help="Repair what can be; nothing recorded is lost.")
@sessions_dir_option
@format_options
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], fix: bool) -> int:
    """Look for damage: wrong modes, links, torn files, an outdated METRICS.json.

    Without SESSION it also looks for what other agents keep and cannot be read, or not
    whole, and for what hooks could not do. With --fix, damaged files are set aside as
    FILE.bad-TIME and made anew from the journals, and what killed recorders left behind is cut
    off. A living recorder's files are never touched, nor are other agents' files.
    """
    sessions_dir = settings(ctx).sessions_dir
    here: list[Finding] = []
    elsewhere: list[Finding] = []
    if names:
        sessions = [_session(sessions_dir, name) for name in names]
    else:
        sessions = _all_sessions(sessions_dir, only=is_bounded(ctx))
    for session in sessions:
        here += examine(session, fix=fix)
    is_everywhere = not names and not is_bounded(ctx)
    if is_everywhere:
        here += _of_hooks(settings(ctx).live_dir, fix=fix)
        elsewhere = _elsewhere(ctx, {finding.session_id for finding in here})
    looked = f"{len(sessions):,} session{'' if len(sessions) == 1 else 's'} in {sessions_dir}"
    emit(
        ctx,
        [table(here + elsewhere, looked + ", and at other agents'" * is_everywhere)],
        whole=True,
    )
    left = sum(finding.is_left for finding in here)
    if left and not fix:
        say(f"{left:,} to repair: `m31 doctor --fix` does what can be done")
        left = 0
    if left + len(elsewhere):
        say(f"{left + len(elsewhere):,} left, which only you can put right")
    is_wrong = any(finding.is_left for finding in here + elsewhere)
    return FOUND_PROBLEMS if is_wrong else 0


def _all_sessions(sessions_dir: str, *, only: bool) -> list[Session]:
    """All sessions; none if they cannot be listed, of which `_elsewhere` tells too.

    Raises StorageError if `only` they were asked for.
    """
    try:
        return [Session(sessions_dir, name) for name in session_names(sessions_dir)]
    except StorageError:
        if only:
            raise
        return []


def _of_hooks(live_dir: str, *, fix: bool) -> list[Finding]:
    """What hooks could not do, of which they say nothing to their agents."""
    from m31a_metrics.live import install

    path = f"{live_dir}/{install.TROUBLE}"
    try:
        troubles = install.troubles(live_dir)
        if troubles and fix:
            install.forget_troubles(live_dir)
    except MetricsError as error:
        return [Finding("hooks", path, _problem(path, str(error)), "remove it")]
    return [
        Finding(
            one.agent,
            path,
            f"a hook {one.words} ({one.count:,} times, last {moment(one.last_us):%F %T} UTC)",
            "see to it; `m31 hooks status` tells what is installed",
            done="told, and cleared: see to it" if fix else "",
        )
        for one in troubles
    ]


def _elsewhere(ctx: click.Context, told: Collection[str]) -> list[Finding]:
    """What of other agents' sessions, and of the places of all, cannot be read.

    Sessions of which something was `told` already are left out.
    """
    config = settings(ctx)
    try:
        with catalog.ask(config, environment(), progress=reading_progress()) as asking:
            for note in asking.notes:
                say(note)
            troubles = asking.troubles()
            unread = [path for path, zone in asking.zones().items() if zone is None]
    except MetricsError as error:  # the index is of a later version, or nothing can be read
        return [Finding("", config.index, str(error), "see to it, then run doctor again")]
    looked_at = {f"{config.sessions_dir}/{name}" for name in told}
    found = [
        Finding(one.kind, one.path, _problem(one.path, one.sentence), _remedy(one.sentence))
        for one in troubles
        if one.path not in looked_at
    ]
    remedy = "remove it: the next question in its zone makes it anew"
    return found + [
        Finding("", path, "the index of another time zone cannot be read", remedy)
        for path in unread
    ]


def _problem(path: str, sentence: str) -> str:
    """Say what is wrong with a place that stands beside the words."""
    for before in (f"cannot read {path}: ", f"cannot list {path}: ", f"{path}: ", f"{path} "):
        sentence = sentence.removeprefix(before)
    return sentence


_REMEDIES = (
    ("Permission denied", "get permission to read it"),
    ("damaged record", "none: the rest of it is counted"),
    ("this is a bug", "report it; the other sessions are counted"),
    ("and no file", "move it away"),
    ("symbolic links", "remove the link, or let it lead to a file or folder"),
    (" is no ", "move it away, if it is not that agent's"),
    ("nested more", "move the folders away"),
)


def _remedy(sentence: str) -> str:
    return next((remedy for words, remedy in _REMEDIES if words in sentence), "see to it")


def _session(sessions_dir: str, name: str) -> Session:
    if name in session_names(sessions_dir):
        return Session(sessions_dir, name)  # also where a link stands, which nobody reads
    session = catalog.resolve(sessions_dir, name)
    if isinstance(session, str):
        raise click.UsageError(f"{session} is a lone file; doctor looks at session directories.")
    return session


def table(findings: Iterable[Finding], looked: str) -> Table:
    """The findings as they are shown: what to do about each, or what was done."""
    rows: list[tuple[Cell, ...]] = [
        (
            finding.session_id,
            finding.file or ".",
            finding.problem,
            finding.done or finding.remedy,
            "repaired" if finding.done else "fine" if finding.harmless else "problem",
        )
        for finding in findings
    ]
    empty = f"Looked at {looked}: nothing is wrong. See them: `m31 sessions`"
    return Table("Doctor", COLUMNS, rows, empty)
