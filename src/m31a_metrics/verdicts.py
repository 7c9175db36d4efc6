"""Verdicts on budgets as files: what hooks and status lines go by, and what people allowed.

`<live_dir>/verdicts/<session>.json` holds what a session's own limits say, `machine.json` what
those of the day and the month say; `<session>.allow.json` and `allow.json` what a person allowed
in addition. A hook answers an agent from these files in a millisecond, without this package.

A verdict is never older than its settling, and void when nobody can renew it: a stop ends
with its day or month (`until_us`, so that no reader needs a time zone), and all of it when
the package that wrote it (`writer`) is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from msgspec import MsgspecError, Struct, field
from msgspec.json import Decoder, encode

from m31a_metrics import budgets, store
from m31a_metrics.budgets import DAY, MONTH, SCOPES, SESSION, Limit
from m31a_metrics.errors import InvalidSessionId
from m31a_metrics.session.lock import locked
from m31a_metrics.timestamps import Today

FORMAT = 1
MACHINE = "machine"
"""The name of the verdict on the day and the month."""

_ALLOW = ".allow"
_LOCK_S = 5.0
_BYTES_MAX = 1 << 20


class Reached(Struct, frozen=True):
    """A limit that is reached, or near: it holds until then (Unix microseconds; None: always).

    Amounts are words for people: `USD 5.00`, `1,200 tokens`.
    """

    scope: str
    until_us: int | None
    limit: str
    used: str


class Figures(Struct, frozen=True):
    """What a status line shows, as of the verdict; None is not known.

    `today_usd` is of the day that ends at `today_until_us` (Unix microseconds). `left_usd` is
    what is left of the limit in USD of which the least is, which is that of `left_scope`: of
    the session in its own verdict, else of the day or the month. `unpriced_tokens` are in no cost.
    """

    session_usd: float | None = None
    today_usd: float | None = None
    today_until_us: int | None = None
    left_usd: float | None = None
    left_scope: str | None = None
    usd_per_active_hour: float | None = None
    phase: str | None = None
    heal_count: int = 0
    unpriced_tokens: int = 0


NO_FIGURES = Figures()


class Verdict(Struct, frozen=True):
    """What limits say of a session, or of this machine's day and month, at `at_us`.

    `is_near`: something is to be warned of or stopped, so that each event is settled.
    """

    format: int
    writer: str
    at_us: int
    name: str
    stops: list[Reached]
    warns: list[Reached]
    is_near: bool
    figures: Figures = NO_FIGURES


class _Grant(Struct, frozen=True):
    """What a person allowed in addition; `part` is the day or month that it was allowed in."""

    scope: str
    part: str
    unit: str
    amount: int
    at_us: int


class _Grants(Struct, frozen=True):
    format: int = FORMAT
    grants: list[_Grant] = field(default_factory=list)


_verdict = Decoder(Verdict)
_grants = Decoder(_Grants)


def path(live_dir: str, name: str) -> str:
    """Where the verdict on a session (its directory's name), or MACHINE, is kept."""
    return f"{live_dir}/verdicts/{name}.json"


def has_verdicts(name: str) -> bool:
    """Tell whether there can be a verdict on a session: its name must mean no other file."""
    try:
        store.check_session_id(name)
    except InvalidSessionId:
        return False
    return name != MACHINE and name != _ALLOW[1:] and not name.endswith(_ALLOW)


def of(
    name: str,
    verdict: budgets.Verdict,
    today: Today,
    at_us: int,
    figures: Figures = NO_FIGURES,
) -> Verdict:
    """Put a verdict into the words of its file. `today` is the machine's."""
    return Verdict(
        FORMAT,
        os.path.abspath(__file__),
        at_us,
        name,
        [_reached(one, today) for one in verdict.stops],
        [_reached(one, today) for one in verdict.warns],
        verdict.is_near,
        figures,
    )


def _reached(balance: budgets.Balance, today: Today) -> Reached:
    limit, used = (budgets.written(balance.unit, part) for part in (balance.limit, balance.used))
    return Reached(balance.scope, ends_us(balance.scope, today), limit, used)


def ends_us(scope: str, today: Today) -> int | None:
    """When what holds of a scope now holds no more (Unix microseconds); None: never."""
    return {DAY: today.day_until_us, MONTH: today.month_until_us}.get(scope)


def write(live_dir: str, verdict: Verdict) -> bool:
    """Write a verdict; False, writing nothing, where its session's name means another file.

    Raises ForeignFile, StorageError.
    """
    if verdict.name != MACHINE and not has_verdicts(verdict.name):
        return False
    place = path(live_dir, verdict.name)
    store.make_directory(os.path.dirname(place))
    # After a power failure the next settling makes it anew.
    store.replace(place, encode(verdict) + b"\n", sync=False)
    return True


def read(live_dir: str, name: str, now_us: int) -> Verdict | None:
    """Read what still holds of a verdict; None where there is none that does.

    One that is damaged, of a later format, or of a package that is gone is none. Raises
    StorageError, ForeignFile.
    """
    data = store.read(path(live_dir, name), at_most=_BYTES_MAX)
    try:
        verdict = _verdict.decode(data or b"")
    except (MsgspecError, UnicodeDecodeError):
        return None
    if (verdict.format, verdict.name) != (FORMAT, name) or not os.path.exists(verdict.writer):
        return None
    stops, warns = (
        [one for one in several if one.until_us is None or now_us < one.until_us]
        for several in (verdict.stops, verdict.warns)
    )
    return Verdict(
        FORMAT,
        verdict.writer,
        verdict.at_us,
        name,
        stops,
        warns,
        bool(stops or warns),
        verdict.figures,
    )


def granted(live_dir: str, name: str, today: Today) -> list[Limit]:
    """What a person allowed in addition in a session, on this day and in this month.

    `name` is the session's; MACHINE: of the day and the month alone. Raises StorageError,
    ForeignFile. A damaged file allows nothing.
    """
    names = [MACHINE] if name == MACHINE else [MACHINE, name]
    return [
        Limit(one.scope, one.unit, one.amount)
        for place in (_grants_path(live_dir, one) for one in names)
        for one in _read_grants(place).grants
        if one.part == _part(one.scope, today) and one.scope in SCOPES and one.amount > 0
    ]


def allow(live_dir: str, name: str, grant: Limit, today: Today, at_us: int) -> None:
    """Allow so much more, on top of what was allowed before.

    `name` is the session's, or MACHINE for the day or the month. What was allowed on days and in
    months that are over goes. Raises InvalidSessionId, StorageError, ForeignFile.
    """
    if (grant.scope == SESSION) != (name != MACHINE):
        raise ValueError(f"a limit of a {grant.scope} is not allowed to {name!r}")
    if name != MACHINE and not has_verdicts(name):
        raise InvalidSessionId(f"no budget is kept for a session called {name!r}")
    place = _grants_path(live_dir, name)
    store.make_directory(os.path.dirname(place))
    with locked(f"{live_dir}/verdicts/.lock", _LOCK_S):
        kept = [one for one in _read_grants(place).grants if one.part == _part(one.scope, today)]
        kept.append(_Grant(grant.scope, _part(grant.scope, today), grant.unit, grant.amount, at_us))
        store.replace(place, encode(_Grants(grants=kept)) + b"\n")


def forget(live_dir: str, names: Iterable[str] | None = None) -> list[str]:
    """Remove the verdicts on these sessions, and what was allowed them; None: everything.

    Gives the paths that were removed. Raises StorageError.
    """
    folder = f"{live_dir}/verdicts"
    removed = []
    for place in _all(folder) if names is None else _of(live_dir, names):
        if os.path.lexists(place):
            store.remove(place)
            removed.append(place)
    return removed


def _all(folder: str) -> Iterator[str]:
    try:
        found = sorted(os.listdir(folder))
    except OSError:
        return
    yield from (f"{folder}/{name}" for name in found if name.endswith(".json"))


def _of(live_dir: str, names: Iterable[str]) -> Iterator[str]:
    for name in filter(has_verdicts, names):
        yield path(live_dir, name)
        yield _grants_path(live_dir, name)


def _grants_path(live_dir: str, name: str) -> str:
    return path(live_dir, _ALLOW[1:] if name == MACHINE else name + _ALLOW)


def _read_grants(place: str) -> _Grants:
    data = store.read(place, at_most=_BYTES_MAX)
    try:
        read = _grants.decode(data or b"{}")
    except (MsgspecError, UnicodeDecodeError):
        return _Grants()
    return read if read.format == FORMAT else _Grants()


def _part(scope: str, today: Today) -> str:
    return {DAY: today.day, MONTH: today.month}.get(scope, "")
