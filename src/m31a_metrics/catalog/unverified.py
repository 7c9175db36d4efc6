"""What the index counts of sessions that nobody vouches for, and no budget does.

What came by OTLP without the token may be anybody's invention, so it counts for no budget; it
is shown like the rest. The receiver leaves the names of such sessions in `~/.m31a/live`. Each
is read once more without it, and what the index has beyond that is taken out again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from msgspec import MsgspecError, Struct, structs
from msgspec.json import Decoder, encode

from m31a_metrics import journal, store
from m31a_metrics.answers import Answers, SessionRow
from m31a_metrics.budgets import DAY, MONTH
from m31a_metrics.catalog.growing import GrowingSession
from m31a_metrics.catalog.load import keeper_of
from m31a_metrics.catalog.records import session_name
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.live.files import UNVERIFIED
from m31a_metrics.questions.budget import parts
from m31a_metrics.spending import Spending, Spent
from m31a_metrics.timestamps import Today
from m31a_metrics.transcript import SessionRef

SUMMED = ("cost_nano", "total_tokens", "unpriced_tokens", "active_us")
_VERIFIED_BYTES_MAX = 1 << 16


class _Verified(Struct, frozen=True):
    """What others than strangers tell of a session, as of what the index read of it."""

    read_us: int
    today: str
    spending: Spending


_verified = Decoder(_Verified)


def unverified(
    config: Config, answers: Answers, today: Today, apart: Collection[SessionRef] = ()
) -> Iterator[tuple[str, Spent]]:
    """What answers count without anybody's word for it: of DAY and MONTH, session by session.

    `apart` are sessions that are counted by other means.
    """
    names = _names(config.live_dir)
    if not names:
        return
    slices = dict(parts(today))
    for row in answers.sessions(slices[MONTH]):
        name = _name(config, row)
        if name not in names or row.ref in apart or row.is_gone:
            continue
        spending = _spending(config, row, name, today)
        if spending is None:
            continue
        told = {DAY: spending.within(DAY), MONTH: spending.within(MONTH, DAY)}
        for scope, about in slices.items():
            own = structs.replace(about, agents=(row.agent,), session=row.native_id)
            for counted in [row] if scope == MONTH else answers.sessions(own):
                yield scope, _beyond(counted, told[scope])


def unverified_of(config: Config, row: SessionRow, today: Today) -> Spent:
    """What a row, of all its days, counts of its session without anybody's word for it."""
    name = _name(config, row)
    if row.is_gone or not os.path.lexists(f"{config.live_dir}/{UNVERIFIED}/{name}"):
        return Spent()
    spending = _spending(config, row, name, today)
    return Spent() if spending is None else _beyond(row, spending.in_all)


def _beyond(counted: SessionRow, told: Spent) -> Spent:
    """By how much a row exceeds what others told; what grew since it was read is nothing."""
    return Spent(*(max(getattr(counted, one) - getattr(told, one), 0) for one in SUMMED))


def _names(live_dir: str) -> set[str]:
    """The sessions of which something came without the token, lately or in this month."""
    try:
        return set(os.listdir(f"{live_dir}/{UNVERIFIED}"))
    except OSError:
        return set()  # nothing ever did


def _name(config: Config, row: SessionRow) -> str:
    """The directory of what was received of a session."""
    above, _, own = row.path.rpartition("/")
    if above == config.sessions_dir:
        return own
    return session_name(row.agent, row.native_id, row.path)


def _spending(config: Config, row: SessionRow, name: str, today: Today) -> Spending | None:
    """What others tell of a session; None where that cannot be told: then all of it counts.

    It is read once for what the index read of it.
    """
    events = f"{config.sessions_dir}/{name}/{store.EVENTS}"
    if row.path == f"{config.sessions_dir}/{name}" and _is_all_unverified(events):
        return Spending()
    path = f"{config.live_dir}/settling/{name}.verified"
    mark = row.updated_us, today.day
    try:
        kept = _verified.decode(store.read(path, at_most=_VERIFIED_BYTES_MAX) or b"")
        if (kept.read_us, kept.today) == mark:
            return kept.spending
    except (MsgspecError, UnicodeDecodeError, MetricsError):
        pass  # it is made anew
    try:
        grown = GrowingSession(config, keeper_of(row), row.path, today).look(name)
        store.make_directory(os.path.dirname(path))
        store.replace(path, encode(_Verified(*mark, grown.spending)), sync=False)
    except MetricsError:
        return None
    return grown.spending


def _is_all_unverified(events: str) -> bool:
    try:
        return journal.names(events) == [journal.OTLP_OPEN]
    except MetricsError:
        return False
