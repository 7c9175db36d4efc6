"""Writing METRICS.json, and what must be on the disk before it is.

A power failure takes whatever was not synced, in any order. So METRICS.json is replaced last,
after all that it counts: the journals, their directory, the base. `.covered` and `.ids` need
no sync: without them everything is read from the beginning, which is right, only slower.
"""

from __future__ import annotations

import os

from m31a_metrics import codec, journal, store
from m31a_metrics.errors import DamagedMetrics, MetricsError, StorageError
from m31a_metrics.events import Event
from m31a_metrics.session.counting import Counted, Counting, read_ids, what_is_beside
from m31a_metrics.session.covered import BASE, COVERED, About, covered_note
from m31a_metrics.session.directory import SessionDirectory
from m31a_metrics.session.idfile import CountedIds
from m31a_metrics.session.own import Reached
from m31a_metrics.tally import Price
from m31a_metrics.tally.rows import UNPRICED_MAX
from m31a_metrics.tally.state import orders_of


def prepare(session: SessionDirectory) -> None:
    """Make the directories, and keep a METRICS.json that was there before any journal.

    Nobody may have to wait for a lock before its first event is safe, so the order matters:
    METRICS.json is read before the journals are listed. If anybody has written it from
    journals, they are there by then, and it is no base. Raises ForeignFile, StorageError.
    """
    store.make_directory(session.directory)
    store.make_directory(session.events)
    if not os.path.lexists(session.metrics_path):
        return
    data = session.readable_metrics()
    if session.has_journals():
        return
    try:
        if data is not None:
            codec.decode(data, session.metrics_path)
    except DamagedMetrics:
        data = None
    if data is None:
        _set_aside(session.metrics_path)
        return
    base = f"{session.events}/{BASE}"
    if not store.create(base, data) and not session.is_base(data):
        # Its journals were removed since: METRICS.json is all there is of them.
        store.replace(base, data)
    note = session.note()
    if note is not None and not note.fits(data):
        store.remove(f"{session.events}/{COVERED}")


def flush(
    session: SessionDirectory,
    own: Reached | None = None,
    *,
    price: Price | None,
    forget_losses: bool = False,
) -> Counted:
    """Rewrite METRICS.json; `Session.flush` says more. Its lock must be held.

    `price` None: what came without a cost waits for the next who looks.
    """
    prepare(session)
    is_base_damaged = _set_damaged_aside(session)
    note = session.note()
    before = {} if note is None or note.about is None else note.journals
    _trim_dead(session, before)
    one = Counting(session, price, own).count()
    data = codec.encode(one.tally.metrics(session.name()))
    _sync(session, one, before)
    if one.is_more or forget_losses:
        # From here on base and journals account for all of it again.
        store.replace(f"{session.events}/{BASE}", codec.encode(what_is_beside(session, one)))
    if is_base_damaged:
        one.lost.pop("", None)  # which is what the base had held
    one.lost.pop(BASE, None)  # made again by now
    if forget_losses:
        one.lost = {}
    runs = one.ids.add(one.tally.ids)
    # METRICS.json first: killed in between, the old `.covered` is about another one, and still
    # says how to go on.
    store.replace(session.metrics_path, data)
    is_to_be_priced = price is None and bool(one.tally.unpriced)
    about = About(
        has_base=session.has_base(),
        shared_us=one.shared_us,
        ids=runs,
        lost=one.lost,
        is_to_be_priced=is_to_be_priced,
        has_unread=one.has_unread,
    )
    _note(session, data, one, about)
    lengths = dict(one.journals)
    one.ids = CountedIds(session.events, runs, lambda: read_ids(session, lengths))
    return one


def _note(session: SessionDirectory, data: bytes, one: Counted, about: About) -> None:
    path = f"{session.events}/{COVERED}"
    if about.is_to_be_priced and len(one.tally.unpriced) > UNPRICED_MAX:
        store.remove(path)  # too many to remember: the next who looks reads all events again
        return
    waiting: tuple[Event, ...] = (*one.tally.unpriced[:UNPRICED_MAX], *one.tally.starts.values())
    note = covered_note(data, one.journals, about, orders_of(one.tally), waiting)
    store.replace(path, note, sync=False)


def _sync(session: SessionDirectory, one: Counted, before: dict[str, int]) -> None:
    """Make the journals last through a power failure, as far as they are counted."""
    for name, length in one.journals.items():
        if length > before.get(name, 0):
            store.sync(f"{session.events}/{name}")
    if not before.keys() >= one.journals.keys():
        store.sync_directory_of(f"{session.events}/{BASE}")
    if not os.path.lexists(session.metrics_path):
        store.sync_directory_of(session.directory)


def _trim_dead(session: SessionDirectory, covered: dict[str, int]) -> None:
    """Cut the tails of dead writers, but for journals that end where they were read to."""
    for name in session.journal_names():
        ends_at = covered.get(name, -2)
        try:
            if not ends_at <= os.lstat(f"{session.events}/{name}").st_size <= ends_at + 1:
                journal.trim(session.events, name)
        except (MetricsError, OSError):
            pass  # whoever reads it says what is wrong


def _set_damaged_aside(session: SessionDirectory) -> bool:
    """Set aside METRICS.json and base where they cannot be read; tell whether the base was."""
    data = session.readable_metrics()
    try:
        if data is not None:
            codec.decode(data, session.metrics_path)
        elif os.path.lexists(session.metrics_path):
            _set_aside(session.metrics_path)
    except DamagedMetrics:
        _set_aside(session.metrics_path)
    if session.has_base() and session.readable_base() is None:
        _set_aside(f"{session.events}/{BASE}")
        return True
    return False


def _set_aside(path: str) -> None:
    try:
        store.set_aside(path)
    except StorageError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise  # or else another process was quicker
