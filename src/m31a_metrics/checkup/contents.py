"""What the files of a session hold: unreadable lines and sums, and sums that are behind."""

from __future__ import annotations

import os

from msgspec import MsgspecError
from msgspec.json import decode

from m31a_metrics import codec, journal, store
from m31a_metrics.checkup.findings import Examination, Repair
from m31a_metrics.errors import DamagedMetrics, MetricsError, StorageError
from m31a_metrics.events import SessionStart
from m31a_metrics.journal import Journal, Trimmed
from m31a_metrics.journal.mend import mend
from m31a_metrics.model import SessionMetrics
from m31a_metrics.session import BASE, COVERED, Session
from m31a_metrics.session.counting import events_of
from m31a_metrics.tally import OTHER
from m31a_metrics.tally.difference import exceeds


def look_at_contents(examination: Examination) -> None:
    """Look at journals first, so that what is made anew is made from mended ones."""
    names = _journal_names(examination.session)
    _losses(examination)
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


def _losses(examination: Examination) -> None:
    """Look for events that were counted and are gone.

    Before damaged lines are blanked: their sums must be in the base by then.
    """
    session = examination.session
    try:
        lost = _lost(session)
    except MetricsError:
        return  # whoever looks at the file in question says what it is

    def keep() -> str:
        session.flush(forget_losses=True)
        return "their sums are kept in base.json"

    for file, size in sorted(lost.items()):
        problem = f"has lost {events_of(size)} that METRICS.json counts"
        named = f"{store.EVENTS}/{file}" if file else store.EVENTS
        examination.find(named, problem, "keep their sums in base.json", keep)


def _lost(session: Session) -> dict[str, int]:
    """Files that have lost what METRICS.json counts, and how many bytes; 0: nobody knows."""
    one, note = session.count(), session.note()
    lost = dict(one.lost)
    if session.has_base() and session.readable_base() is None:
        # What is missing is what that held, and it is told as damaged.
        lost = {file: size for file, size in lost.items() if file not in ("", BASE)}
    if lost or note is None:
        return lost
    gaps = []
    for name in session.journal_names():
        read = Journal(name)
        for _ in journal.batches(session.events, read):
            pass
        if read.has_gap_before(note.journals.get(name, 0)):
            gaps.append(name)
    if gaps and exceeds(one.tally.metrics(""), session.fold().metrics("")):
        return dict.fromkeys(gaps, 0)
    return {}


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
        problem = f"{_lines(lines.damaged, lines.damaged_count)} cannot be read"
        remedy = "blank it, keep a copy"
        examination.find(file, problem, remedy, _blanking(events, name))
    if lines.unknown:
        problem = f"{_lines(lines.unknown, lines.unknown_count)} was written by a newer version"
        examination.find(file, problem, "update m31a-metrics to count it", harmless=True)
    if ends.cut_bytes:
        examination.find(file, _tail(ends), "cut it off", _cutting(events, name))
    return False


def _lines(numbers: list[int], count: int) -> str:
    named = ", ".join(map(str, numbers))
    more = count - len(numbers)
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
    if not damages[0][1]:
        _names(examination)
    return any(damage for _, damage in damages)


def _names(examination: Examination) -> None:
    """Say where a session has more names than are told apart."""
    data = examination.session.readable_metrics()
    metrics = SessionMetrics() if data is None else codec.decode(data)
    for what, rows in (
        ("tools", [row.name for row in metrics.tools]),
        ("phases", [row.phase for row in metrics.phases]),
        ("strategies", [row.strategy for row in metrics.edit_strategies]),
    ):
        if OTHER in rows:
            problem = f"has more {what} than are told apart: the rest is counted as {OTHER}"
            remedy = "leave numbers and ids out of their names"
            examination.find(store.METRICS, problem, remedy, harmless=True)


def _damage(examination: Examination, file: str) -> str:
    """What is wrong with the bytes of a METRICS.json or base; empty if nothing is."""
    path = examination.path(file)
    try:
        if file != store.METRICS:
            examination.session.base()
        elif (data := examination.session.read_metrics()) is not None:
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
        if session.is_current() or _is_told_by_hooks(session, journals):
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
    # Agents' hooks write down events and no sums, which everybody who asks makes of them.
    of_hooks = file == store.METRICS and all(map(journal.is_shared, journals))
    if of_hooks and not os.path.lexists(session.metrics_path):
        return
    examination.find(file, problem, remedy, repair, harmless=writer_lives or of_hooks)


def _is_told_by_hooks(session: Session, journals: list[str]) -> bool:
    """Tell whether an agent's hooks or OTLP record here, which never write METRICS.json.

    Readers add up.
    """
    return any(
        type(event) is SessionStart and event.native_id is not None
        for name in filter(journal.is_shared, journals)
        for _, events in journal.batches(session.events, Journal(name))
        for event in events
    )


def _what_is_behind(session: Session) -> tuple[str, str]:
    """The file that is not current, and why; raises what reading it raises."""
    note = f"{store.EVENTS}/{COVERED}"
    data = store.read(session.metrics_path)
    if data is None:
        return store.METRICS, "is missing, though there are journals"
    held, journalled = codec.decode(data, store.METRICS), session.count().tally.metrics("")
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
