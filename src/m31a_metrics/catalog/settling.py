"""Settling: a session that goes on, judged by the budgets, and the verdicts left for hooks.

A hook starts one in the background. It reads what is new of the transcript, writes the
verdict on the session and that on the machine's day and month. The other sessions' part of
those comes from the index, which is brought up to date behind the verdicts where that was
long ago; what was settled since then is added from what each settling leaves (`<name>.used`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, sleep, time_ns

from msgspec import MsgspecError, Struct, structs
from msgspec.json import Decoder, encode

from m31a_metrics import budgets, store, verdicts
from m31a_metrics.answers import Slice
from m31a_metrics.budgets import DAY, MONTH, SESSION, USD, Limits, Use
from m31a_metrics.catalog.growing import GrowingSession, Grown
from m31a_metrics.catalog.open_index import PATIENCE_S, ask
from m31a_metrics.catalog.records import RECORDED, session_name
from m31a_metrics.catalog.unverified import SUMMED, unverified
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, SessionForgotten
from m31a_metrics.history import History, zones
from m31a_metrics.history.connection import looked_ago_s
from m31a_metrics.live.files import FOLDERS, install_files
from m31a_metrics.measures import add, subtract
from m31a_metrics.session.lock import locked
from m31a_metrics.spending import Spent, use
from m31a_metrics.timestamps import Today, machine_today, zone
from m31a_metrics.transcript import SessionRef
from m31a_metrics.units import DAY_US, MINUTE_US, SECOND_US, usd
from m31a_metrics.verdicts import MACHINE, Figures

REFRESH_EVERY_S = 300.0
"""So often a settling brings the index up to date: other sessions of today settle themselves."""

_RATED_US = MINUTE_US
"""Of less active time a rate says nothing: the first response would make it thousands."""

_WAIT_S = 10.0
_KEPT_DAYS = 35
"""How long what is left of a session lies in `live_dir`, from its last change."""
_USED_BYTES_MAX = 1 << 16


class _Used(Struct, frozen=True):
    """What a session used on a day, and in its month, as of `at_us` (Unix microseconds)."""

    agent: str
    native_id: str
    at_us: int
    today: str
    day: Spent
    month: Spent


_used = Decoder(_Used)


def settle(
    config: Config, agent: str, native_id: str, path: str, environ: Mapping[str, str]
) -> None:
    """Settle a session by its transcript at a path, and write what hooks and status lines read.

    One at a time a session: who comes while another is at it waits for it, and a third one
    leaves that to the second. Raises MetricsError.
    """
    name = session_name(agent, native_id, path)
    folder = f"{config.live_dir}/settling"
    store.make_directory(folder)
    with _only_one(f"{folder}/{name}") as is_mine:
        if not is_mine:
            return
        install_files(config)
        limits = budgets.limits(config.budget, config.path)
        today = machine_today(time_ns() // 1000)
        reader, place = agent, path
        if not os.path.exists(path):  # not written yet, or never: hooks know some of it
            reader, place = RECORDED, f"{config.sessions_dir}/{name}"
        try:
            grown = GrowingSession(config, reader, place, today).look(name)
        except SessionForgotten:
            return
        _judge_session(config, name, limits, today, grown)
        if grown.is_part:
            store.remove(_used_path(config, name))  # of before its file was there to say so
        else:
            _keep_used(config, SessionRef(agent, native_id), name, today, grown)
        _judge_machine(config, limits, environ)


@contextmanager
def _only_one(path: str) -> Iterator[bool]:
    """Hold the lock of a session's settling; False for who is not needed."""
    with _open(f"{path}.lock") as lock:
        os.utime(lock)  # else it would lie there unchanged, and be taken for an old session's
        if _take(lock):
            yield True
            return
        with _open(f"{path}.next") as waiting:
            # What happened until now is seen by the one that waits already.
            yield _take(waiting) and _wait_for(lock)


@contextmanager
def _open(path: str) -> Iterator[int]:
    descriptor = store.open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _wait_for(descriptor: int) -> bool:
    until_s = monotonic() + _WAIT_S
    while not _take(descriptor):
        if monotonic() > until_s:
            return False
        sleep(0.01)
    return True


def _judge_session(config: Config, name: str, limits: Limits, today: Today, grown: Grown) -> None:
    spent = grown.spending.in_all
    used = use(spent)
    verdict = budgets.judge(
        limits.of(SESSION), {SESSION: used}, verdicts.granted(config.live_dir, name, today)
    )
    tightest = verdict.tightest()
    per_hour_nano = used.per_hour(USD) if used.active_us >= _RATED_US else None
    figures = Figures(
        session_usd=usd(spent.cost_nano),
        left_usd=None if tightest is None else usd(tightest.left),
        left_scope=None if tightest is None else tightest.scope,
        usd_per_active_hour=None if per_hour_nano is None else usd(round(per_hour_nano)),
        phase=grown.phase or None,
        heal_count=spent.heal_count,
        unpriced_tokens=spent.unpriced_tokens,
    )
    verdicts.write(config.live_dir, verdicts.of(name, verdict, today, time_ns() // 1000, figures))


# The machine's day and month.


def _judge_machine(config: Config, limits: Limits, environ: Mapping[str, str]) -> None:
    # One after the other: the last one has seen what all before it left.
    with locked(f"{config.live_dir}/settling/.machine", _WAIT_S):
        _write_machine(config, limits, environ)


def _write_machine(config: Config, limits: Limits, environ: Mapping[str, str]) -> None:
    now_us = time_ns() // 1000
    today = machine_today(now_us)
    day, month = _machine_used(config, today, environ)
    verdict = budgets.judge(
        limits.of(DAY, MONTH),
        {DAY: day, MONTH: month},
        verdicts.granted(config.live_dir, MACHINE, today),
    )
    tightest = verdict.tightest()
    figures = Figures(
        today_usd=usd(day.cost_nano),
        today_until_us=today.day_until_us,
        left_usd=None if tightest is None else usd(tightest.left),
        left_scope=None if tightest is None else tightest.scope,
        unpriced_tokens=day.unpriced_tokens,
    )
    verdicts.write(config.live_dir, verdicts.of(MACHINE, verdict, today, now_us, figures))


def _machine_used(config: Config, today: Today, environ: Mapping[str, str]) -> tuple[Use, Use]:
    """What all sessions used today and in this month: by the index, and what settled since."""
    day, month = Spent(), Spent()
    with _index(config, environ) as history:
        looked_us = 0
        if history is not None:
            looked_us = time_ns() // 1000 - round(looked_ago_s(history.path) * SECOND_US)
        settled = list(_used_since(config.live_dir, max(looked_us, today.month_from_us)))
        if history is not None:
            for spent, first_day in ((day, today.day), (month, f"{today.month}-01")):
                when = Slice(first_day=first_day, last_day=today.day)
                for row in history.totals(when):
                    add(spent, row, SUMMED)
                for one in settled:
                    own = structs.replace(when, agents=(one.agent,), session=one.native_id)
                    for known in history.sessions(own):
                        subtract(spent, known, SUMMED)
            apart = {SessionRef(one.agent, one.native_id) for one in settled}
            for scope, spent in unverified(config, history, today, apart):
                subtract(day if scope == DAY else month, spent, SUMMED)
    for one in settled:
        add(month, one.month, SUMMED)
        if one.today == today.day:
            add(day, one.day, SUMMED)
    return use(day), use(month)


@contextmanager
def _index(config: Config, environ: Mapping[str, str]) -> Iterator[History | None]:
    """The index of this machine's zone as it is; None where it is not there or not to be used."""
    mine = zone(environ)
    for path in (config.index, zones.beside_of(config.index, mine)):
        if not os.path.isfile(path):
            continue
        try:
            history = History(path, patience_s=PATIENCE_S)
        except MetricsError:
            continue
        with history:
            if history.is_of(mine):
                yield history
                return
    yield None


def _keep_used(config: Config, ref: SessionRef, name: str, today: Today, grown: Grown) -> None:
    spending = grown.spending
    day, month = spending.within(DAY), spending.within(MONTH, DAY)
    used = _Used(ref.agent, ref.native_id, time_ns() // 1000, today.day, day, month)
    store.replace(_used_path(config, name), encode(used), sync=False)


def _used_path(config: Config, name: str) -> str:
    return f"{config.live_dir}/settling/{name}.used"


def _used_since(live_dir: str, since_us: int) -> Iterator[_Used]:
    """What was left of the sessions that were settled since then."""
    folder = f"{live_dir}/settling"
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(".used"):
                continue
            if entry.stat(follow_symlinks=False).st_mtime * SECOND_US < since_us:
                continue
            try:
                used = _used.decode(store.read(entry.path, at_most=_USED_BYTES_MAX) or b"")
            except (MsgspecError, UnicodeDecodeError, MetricsError):
                continue  # it is written anew by the session's next settling
            if used.at_us >= since_us:
                yield used


# What takes longer, and is done behind the verdicts.


def is_refresh_due(config: Config, environ: Mapping[str, str]) -> bool:
    """Tell whether the index was brought up to date long ago, or never."""
    with _index(config, environ) as history:
        return history is None or looked_ago_s(history.path) >= REFRESH_EVERY_S


def refresh(config: Config, environ: Mapping[str, str]) -> None:
    """Bring the index up to date, if nobody is at it, and judge the day and the month by it.

    What lies in `live_dir` of sessions that ended long ago goes then, too. Raises MetricsError.
    """
    with _open(f"{config.live_dir}/settling/.index") as lock:
        if _take(lock):
            with ask(config, environ):
                pass
            _clean(config.live_dir)
            _judge_machine(config, budgets.limits(config.budget, config.path), environ)


def _clean(live_dir: str) -> None:
    before_s = time_ns() / 1e9 - _KEPT_DAYS * DAY_US / SECOND_US
    for folder in FOLDERS:
        try:
            with os.scandir(f"{live_dir}/{folder}") as entries:
                for entry in entries:
                    is_old = entry.stat(follow_symlinks=False).st_mtime < before_s
                    # What a person allowed stays until a person takes it back.
                    stays = entry.name.endswith("allow.json") or entry.name.startswith(".")
                    if is_old and not stays:
                        store.remove(entry.path)
        except (OSError, MetricsError):
            continue  # it is not there, or goes the next time
