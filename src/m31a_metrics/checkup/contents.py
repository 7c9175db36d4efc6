"""What the files of a session hold: unreadable lines and sums, and sums that are behind."""

from __future__ import annotations

import os

from msgspec import MsgspecError
from msgspec.json import decode

from m31a_metrics import codec, journal, store
from m31a_metrics.checkup.findings import Examination, Repair
from m31a_metrics.errors import DamagedMetrics, MetricsError, StorageError
from m31a_metrics.journal import Trimmed
from m31a_metrics.journal.mend import mend
from m31a_metrics.session import BASE, COVERED, Session

_NAMED_AT_MOST = 5


def look_at_contents(examination: Examination) -> None:
    """Look at journals first, so that what is made anew is made from mended ones."""
    names = _journal_names(examination.session)
    writer_lives = False
    for name in names:
        writer_lives |= _journal(examination, name)
    if not _sums(examination) and names:
        _currency(examination, names, writer_lives)


def _journal_names(session: Session) -> list[str]:
    try:
        return journal.names(session.events) if os.path.isdir(session.events) else []
    except StorageError:
        return []  # told already: its mode


def _journal(examination: Examination, name: str) -> bool:
    """Look at one journal; tell whether its writer lives."""
    file, events = f"{store.EVENTS}/{name}", examination.session.events
    try:
        ends = journal.trim(events, name, dry=True)
        lines = mend(events, name, dry=True)
    except MetricsError as error:
        if not examination.was_told(file):
            examination.find(file, str(error), "see to it")
        return False
    if ends.alive or lines is None:
        examination.find(file, "is being written by a living process", "none", harmless=True)
        return True
    if lines.damaged:
        problem = f"{_lines(lines.damaged)} cannot be read"
        remedy = "blank it, keep a copy"
        examination.find(file, problem, remedy, _blanking(events, name))
    if lines.unknown:
        problem = f"{_lines(lines.unknown)} was written by a newer version"
        examination.find(file, problem, "update m31a-metrics to count it", harmless=True)
    if ends.cut_bytes:
        examination.find(file, _tail(ends), "cut it off", _cutting(events, name))
    return False


def _lines(numbers: list[int]) -> str:
    named = ", ".join(map(str, numbers[:_NAMED_AT_MOST]))
    more = len(numbers) - _NAMED_AT_MOST
    return f"line {named}" + (f" and {more} more" if more > 0 else "")


def _tail(ends: Trimmed) -> str:
    if ends.torn_bytes:
        return f"ends in {ends.torn_bytes:,} bytes of a torn line"
    return f"ends in {ends.cut_bytes:,} empty bytes: its writer was killed"


def _sums(examination: Examination) -> bool:
    """Look at METRICS.json and the base; tell whether one of them is damaged."""
    files = (store.METRICS, f"{store.EVENTS}/{BASE}")
    damages = [(file, _damage(examination, file)) for file in files]
    for file, damage in damages:
        if damage:
            remedy = "set it aside, make it anew"
            examination.find(file, damage, remedy, _making_anew(examination, file))
    return any(damage for _, damage in damages)


def _damage(examination: Examination, file: str) -> str:
    """What is wrong with the bytes of a METRICS.json or base; empty if nothing is."""
    path = examination.path(file)
    try:
        data = store.read(path)
        if data is not None:
            codec.decode(data, path)
    except DamagedMetrics as error:
        # Between the file's name and the remedy stands what is wrong.
        return str(error).removeprefix(f"{path} ").rpartition(";")[0]
    except MetricsError:
        pass  # told already: a link, a mode, another user's
    return ""


def _currency(examination: Examination, journals: list[str], writer_lives: bool) -> None:
    session = examination.session
    try:
        if session.is_current():
            return
        file, problem = _what_is_behind(session)
    except MetricsError:
        return  # told already
    torn = any(examination.was_told(f"{store.EVENTS}/{name}") for name in journals)
    if torn and file != store.METRICS:
        return  # what is torn is in no sum, and once it is cut off the note fits

    def repair() -> str:
        session.flush()
        return "written anew"

    remedy = "its recorder will write it anew" if writer_lives else "write it anew"
    examination.find(file, problem, remedy, repair, harmless=writer_lives)


def _what_is_behind(session: Session) -> tuple[str, str]:
    """The file that is not current, and why; raises what reading it raises."""
    note = f"{store.EVENTS}/{COVERED}"
    data = store.read(session.metrics_path)
    if data is None:
        return store.METRICS, "is missing, though there are journals"
    held, journalled = codec.decode(data, store.METRICS), session.fold()[0].metrics("")
    held.session_id = ""
    if held != journalled:
        return store.METRICS, "lacks events of the journals"
    try:
        decode(store.read(f"{session.directory}/{note}") or b"", type=dict)
    except (MsgspecError, UnicodeDecodeError):
        return note, "cannot be read"
    return note, "does not fit, so readers read every journal"


def _cutting(events: str, name: str) -> Repair:
    return lambda: f"cut {journal.trim(events, name).cut_bytes:,} bytes off"


def _blanking(events: str, name: str) -> Repair:
    def blank() -> str:
        mended = mend(events, name)
        if mended is None or not mended.kept_as:
            raise StorageError(f"{name} has changed meanwhile; run doctor again")
        return f"kept in {os.path.basename(mended.kept_as)} and blanked"

    return blank


def _making_anew(examination: Examination, file: str) -> Repair:
    path, session = examination.path(file), examination.session

    def make_anew() -> str:
        aside_before = _aside(session.metrics_path)
        if session.has_journals() or os.path.exists(f"{session.events}/{BASE}"):
            session.flush()  # sets aside whatever is damaged, and makes anew what it can
        if _damage(examination, file):
            store.set_aside(path)
        done = f"set aside as {_aside(path)}"
        if os.path.exists(path):
            return f"{done} and made anew"
        aside = _aside(session.metrics_path)
        if path != session.metrics_path and aside != aside_before:
            return f"{done}; {aside} still counts what it held"
        return f"{done}; there was nothing to make it anew from"

    return make_anew


def _aside(path: str) -> str:
    """The latest of the names under which a file was set aside; empty if it never was."""
    directory, name = os.path.split(path)
    names = [one for one in os.listdir(directory) if one.startswith(f"{name}.bad-")]
    return max(names, key=lambda one: (len(one), one), default="")
