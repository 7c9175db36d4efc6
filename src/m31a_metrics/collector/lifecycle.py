"""What happens to Collectors that nobody stops: interpreter exit, fork, garbage.

Weak references only: a host that drops a Collector gets its memory back, and the
session is still flushed, from its journal, at exit.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import TYPE_CHECKING, Protocol

from m31a_metrics.collector.log import warn
from m31a_metrics.session import Session

if TYPE_CHECKING:
    from m31a_metrics.journal import Writer


class Watched(Protocol):
    """What is told of the interpreter's exit and of forks, in the child."""

    session_id: str

    def expect_the_end(self) -> None:
        """Wait for no thread any more that may have stopped for ever."""

    def finish(self, *, priced: bool) -> None:
        """Flush and close; `priced=False` asks for no price."""

    def after_fork(self) -> None:
        """Leave the journal to the parent, and begin anew."""


_alive: weakref.WeakSet[Watched] = weakref.WeakSet()
_dropped: dict[str, Session] = {}


def watch(one: Watched) -> None:
    """Flush it at interpreter exit, and give it its own journal after a fork."""
    _alive.add(one)
    _load_what_a_flush_needs()


def _load_what_a_flush_needs() -> None:
    """When the interpreter ends nothing can be imported any more."""
    import binascii  # noqa: F401 - for the checksum of `.covered`

    import m31a_metrics.codec.write
    import m31a_metrics.session.flushing
    import m31a_metrics.session.idfile  # noqa: F401 - all three are found again by name


def is_ending() -> bool:
    """Tell whether the main thread has ended: a library that is imported now may not load.

    A host's own exit functions, which may stop its Collectors, run then too.
    """
    if sys.is_finalizing():
        return True
    threading = sys.modules.get("threading")
    return threading is not None and not threading.main_thread().is_alive()


def close_when_dropped(
    owner: Watched, journal: Writer, session: Session
) -> weakref.finalize[[Writer, Session], Watched]:
    """Close the journal once its owner is garbage; `detach()` the result to prevent it."""
    final = weakref.finalize(owner, _close_dropped, journal, session)
    final.atexit = False  # at exit the living are flushed, which needs them whole
    return final


def _close_dropped(journal: Writer, session: Session) -> None:
    # The garbage collector may run this anywhere, also inside a flush of the same
    # session: so no lock is waited for here, and the flush is left for the exit.
    try:
        journal.close()
    except OSError as error:
        warn(f"cannot close {journal.path}: {error.strerror}")
    _dropped[session.directory] = session


def _at_exit() -> None:
    """Flush what nobody stopped, without asking for prices: that would import their library.

    Where concurrent.futures or asyncio were used, importing ends in tracebacks by now. What
    has no price is priced by the next who reads the session. Nothing may raise here, and
    journals hold all that METRICS.json then lacks.
    """
    for one in list(_alive):
        one.expect_the_end()
        try:
            one.finish(priced=False)
        except Exception as error:  # noqa: BLE001 - nobody can do anything about it any more
            warn(f"metrics of session {one.session_id} not written: {error}")
    for session in _dropped.values():
        try:
            session.flush(priced=False)
        except Exception as error:  # noqa: BLE001 - nobody can do anything about it any more
            warn(f"metrics of session {session.session_id} not written: {error}")


def _in_child() -> None:
    _dropped.clear()  # the parent's business
    for one in list(_alive):
        one.after_fork()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
