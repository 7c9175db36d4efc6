"""What agents sent over OTLP, appended to the journals of its sessions.

One write per session that a request names, before the request is answered: what was
acknowledged survives a kill. What came with the token and what came without are two journals,
for the latter counts for no budget. A name that another agent's session has already is not
written into: a made-up id is not to get into somebody else's figures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from threading import Lock
from time import monotonic, time_ns

from msgspec import MsgspecError, Struct

from m31a_metrics import store
from m31a_metrics.catalog.records import derived_name, session_name
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import Event, SessionStart, decoder, encode
from m31a_metrics.journal import OTLP, OTLP_OPEN, append_shared
from m31a_metrics.journal import names as journal_names
from m31a_metrics.live.files import UNVERIFIED
from m31a_metrics.live.otlp.install import OPEN_ENDING, SEEN
from m31a_metrics.live.otlp.receiver import Kept
from m31a_metrics.live.otlp.telling import Key
from m31a_metrics.session import Session
from m31a_metrics.units import HOUR_US

PERIOD_S = 3600.0
NEW_MAX = {True: 20_000, False: 500}
"""So many sessions begin within PERIOD_S, with the token and without."""
OPEN_BYTES_MAX = 64 << 20
"""So much is kept within PERIOD_S of what came without it."""

_TOUCH_EVERY_S = 1.0
_AGENTS_MAX = 64
_NAMES_MAX = 10_000
_AHEAD_US = HOUR_US
_HEAD_BYTES = 1 << 12


class _Allowance(Struct):
    """What is left of a period's."""

    until_s: float = 0.0
    sessions: int = 0
    bytes: int = 0


class Received:
    """Keeps what is told of sessions. Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()
        self._left = {True: _Allowance(), False: _Allowance()}
        self._names: dict[Key, str] = {}
        self._agents: set[str] = set()
        self._touched_s: dict[str, float] = {}
        self._decode = decoder().decode

    def keep(self, sessions: Mapping[Key, list[Event]], is_verified: bool) -> Kept:
        """Append events to their sessions' journals. Raises ForeignFile, StorageError."""
        rejected, reason = 0, ""
        with self._lock:
            for key, events in sessions.items():
                why = self._append(key, events, is_verified=is_verified)
                if why:
                    rejected += len(events)
                    reason = why
                else:
                    self._see(key.agent, is_verified=is_verified)
        return Kept(rejected, reason)

    def _append(self, key: Key, events: Sequence[Event], *, is_verified: bool) -> str:
        """Append to one session; say why, where that is refused."""
        left = self._allowance(is_verified=is_verified)
        name = self._name(key)
        directory = f"{self._config.sessions_dir}/{name}"
        journal = OTLP if is_verified else OTLP_OPEN
        told = [one for one in events if type(one) is not SessionStart]
        if not told:
            return ""
        if not is_verified and max(one.t_us for one in told) > time_ns() // 1000 + _AHEAD_US:
            # The mark that keeps it out of budgets does not last until that time has come.
            return "what is dated later than now is not taken without the token"
        lines = list(map(encode, told))
        size = sum(map(len, lines))
        if not is_verified and size > left.bytes:
            return "too much was sent without the token; send it with it"
        is_new = not os.path.isdir(directory)
        if is_new and not left.sessions:
            return f"more than {NEW_MAX[is_verified]:,} new sessions within an hour"
        if not is_verified:  # before it is there: whoever counts for a budget is to know
            self._touch(UNVERIFIED, name)
        if _is_begun(f"{directory}/{store.EVENTS}/{journal}"):
            append_shared(f"{directory}/{store.EVENTS}", lines, journal)
        else:
            left.sessions -= is_new
            Session(self._config.sessions_dir, name).append(events, journal)
        left.bytes -= size
        return ""

    def _allowance(self, *, is_verified: bool) -> _Allowance:
        left, now_s = self._left[is_verified], monotonic()
        if now_s >= left.until_s:
            left = _Allowance(now_s + PERIOD_S, NEW_MAX[is_verified], OPEN_BYTES_MAX)
            self._left[is_verified] = left
        return left

    def _name(self, key: Key) -> str:
        """The session's directory: one of its own where another agent's has that name."""
        name = self._names.get(key)
        if name is None:
            name = session_name(key.agent, key.native_id, "")
            if not self._is_free_for(name, key.agent):
                name = derived_name(key.agent, key.native_id)
            if len(self._names) >= _NAMES_MAX:
                self._names.clear()
            self._names[key] = name
        return name

    def _is_free_for(self, name: str, agent: str) -> bool:
        """Tell whether nobody but this agent records under a name."""
        directory = f"{self._config.sessions_dir}/{name}"
        if not os.path.lexists(directory):
            return True
        events = f"{directory}/{store.EVENTS}"
        found = [self._agent_of(f"{events}/{one}") for one in journal_names(events)]
        return bool(found) and all(one == agent for one in found)

    def _agent_of(self, path: str) -> str | None:
        """The agent that a journal says it is of; None where it does not say."""
        try:
            with open(store.open_file(path, os.O_RDONLY), "rb") as file:
                first = file.read(_HEAD_BYTES).lstrip(b"\n").partition(b"\n")[0]
            start = self._decode(first)
        except (OSError, MsgspecError, UnicodeDecodeError, MetricsError):
            return None
        return start.agent if type(start) is SessionStart else None

    def _see(self, agent: str, *, is_verified: bool) -> None:
        """Leave the time for `m31 otlp status`."""
        if len(self._agents) < _AGENTS_MAX:
            self._agents.add(agent)
        if agent not in self._agents:
            return
        try:
            self._touch(SEEN, agent if is_verified else agent + OPEN_ENDING)
        except MetricsError:
            pass  # what was sent is kept all the same

    def _touch(self, folder: str, name: str) -> None:
        """Leave a file whose time says when. Raises ForeignFile, StorageError."""
        path = f"{self._config.live_dir}/{folder}/{name}"
        now_s = monotonic()
        if now_s - self._touched_s.get(path, -_TOUCH_EVERY_S) < _TOUCH_EVERY_S:
            return
        store.make_directory(os.path.dirname(path))
        descriptor = store.open_file(path, os.O_WRONLY | os.O_CREAT)
        try:
            os.utime(descriptor)
        finally:
            os.close(descriptor)
        if len(self._touched_s) >= _NAMES_MAX:
            self._touched_s.clear()
        self._touched_s[path] = now_s


def _is_begun(path: str) -> bool:
    try:
        return os.lstat(path).st_size > 0
    except OSError:
        return False
