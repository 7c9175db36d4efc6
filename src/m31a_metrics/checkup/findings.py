"""What was found about a session, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from m31a_metrics.errors import MetricsError
from m31a_metrics.session import Session

Repair = Callable[[], str]
"""Puts one thing right and says what it did, as in "deleted"."""


class Finding(Struct):
    """One thing about a session that a person should know.

    `file` is relative to the session's directory, empty for that itself. `done` says what
    was done about it, empty if nothing was. A `harmless` finding is no problem: a writer
    that lives.
    """

    session_id: str
    file: str
    problem: str
    remedy: str
    done: str = ""
    harmless: bool = False

    @property
    def is_left(self) -> bool:
        """Tell whether this is a problem that is still there."""
        return not self.harmless and not self.done


class Examination:
    """One look at one session: what was found so far, and whether to repair it."""

    def __init__(self, session: Session, fix: bool) -> None:
        self.session = session
        self.findings: list[Finding] = []
        self._fix = fix

    def find(
        self,
        file: str,
        problem: str,
        remedy: str,
        repair: Repair | None = None,
        *,
        harmless: bool = False,
    ) -> None:
        """Note a problem, and repair it at once if that is wanted and possible."""
        finding = Finding(self.session.session_id, file, problem, remedy, harmless=harmless)
        self.findings.append(finding)
        if self._fix and repair is not None:
            try:
                finding.done = repair()
            except (MetricsError, OSError, ValueError) as error:
                finding.remedy = f"could not be repaired: {error}"

    def path(self, file: str) -> str:
        """Where a file of the session is."""
        return f"{self.session.directory}/{file}" if file else self.session.directory

    def was_told(self, file: str) -> bool:
        """Tell whether a problem with this file is known."""
        return any(finding.file == file and not finding.done for finding in self.findings)
