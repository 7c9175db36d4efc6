"""`m31 doctor`: look for damage in sessions, and repair it with --fix."""

from __future__ import annotations

from collections.abc import Iterable

import click

from m31a_metrics import catalog
from m31a_metrics.checkup import Finding, examine, session_names
from m31a_metrics.cli import FOUND_PROBLEMS
from m31a_metrics.cli.options import (
    emit,
    examples,
    format_options,
    say,
    sessions_dir_option,
    settings,
)
from m31a_metrics.session import Session
from m31a_metrics.table import Cell, Column, Table

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
        ("m31 doctor --fix", "repair what can be, and tell what was done"),
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
    """Look for damage: wrong modes, links, torn files, a METRICS.json that is behind.

    With --fix, damaged files are set aside as FILE.bad-TIME and made anew from the
    journals, and what killed recorders left behind is cut off. A living recorder's files
    are never touched.
    """
    sessions_dir = settings(ctx).sessions_dir
    findings: list[Finding] = []
    sessions = [_session(sessions_dir, name) for name in names]
    if not names:
        sessions = [Session(sessions_dir, name) for name in session_names(sessions_dir)]
    for session in sessions:
        findings += examine(session, fix=fix)
    emit(ctx, [table(findings, len(sessions), sessions_dir)])
    left = sum(finding.is_left for finding in findings)
    if left and not fix:
        say(f"{left:,} to repair: `m31 doctor --fix` does what can be done")
    elif left:
        say(f"{left:,} left, which only you can put right")
    return FOUND_PROBLEMS if left else 0


def _session(sessions_dir: str, name: str) -> Session:
    if name in session_names(sessions_dir):
        return Session(sessions_dir, name)  # also where a link stands, which nobody reads
    session = catalog.resolve(sessions_dir, name)
    if isinstance(session, str):
        raise click.UsageError(f"{session} is a lone file; doctor looks at session directories.")
    return session


def table(findings: Iterable[Finding], sessions: int, sessions_dir: str) -> Table:
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
    looked = f"Looked at {sessions:,} session{'' if sessions == 1 else 's'} in {sessions_dir}"
    empty = f"{looked}: nothing is wrong. See them: `m31 sessions`"
    return Table("Doctor", COLUMNS, rows, empty)
