"""The analytics log: one file for all sessions, which may run at the same time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.jsonlines import Decode, batches, first_line
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Damage

_LAUNCHED, _EXIT = "launched", "exit"
SENDING, SENT = "message_send_starting", "message_send"

_HISTORY = b"# aider chat started at"


class Properties(Struct, gc=False):
    """What an entry says; which of these depends on the event."""

    main_model: Any = None
    edit_format: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    cost: Any = None
    aider_version: Any = None


class Entry(Struct, gc=False):
    """A line. `user_id` stands for an installation, not for a person's name."""

    event: str
    properties: Properties
    time: int | float
    user_id: str | None = None


class Session(Struct):
    """One run of Aider. `key` names it within the log: the second it began in."""

    key: str
    began_us: int
    user_id: str
    entries: list[Entry] = []

    @property
    def sent(self) -> bool:
        """Whether anything was said to a model."""
        return any(entry.event == SENT for entry in self.entries)


class Log(Struct):
    """All sessions of a log, in the order of their beginnings."""

    sessions: list[Session] = []
    damage: Damage = field(default_factory=Damage)


_decoder = Decoder(Entry)
_DECODE = Decode(_decoder.decode_lines, _decoder.decode)


@lru_cache(maxsize=2)
def read_log(path: str, _stamp: tuple[int, int]) -> Log:
    """Read a log, once for all its sessions while it stays as it is.

    Raises NotThisFormat, OSError.
    """
    if path.endswith(".md") or first_line(path, 64).startswith(_HISTORY):
        raise NotThisFormat(
            f"{path}: Aider's chat history is not read, for it rounds tokens and cost and has "
            "no times; have it write a log: `aider --analytics-log FILE`"
        )
    log = Log()
    running: list[Session] = []
    told = False
    for batch in batches(path, _DECODE, log.damage):
        if not told and not batch:
            break
        told = True
        for entry in batch:
            _take(log, running, entry)
    if not told:
        raise NotThisFormat(f"{path} is no analytics log of Aider")
    return log


def _take(log: Log, running: list[Session], entry: Entry) -> None:
    if entry.event == _LAUNCHED or not running:
        began_us = unix_us(entry.time) or 0
        session = Session(_key(log, began_us), began_us, entry.user_id or "")
        log.sessions.append(session)
        running.append(session)
    # Nothing tells which of several that run at once wrote an entry. The latest is the
    # likeliest: the others wait for a person, or ended without a word.
    running[-1].entries.append(entry)
    if entry.event == _EXIT:
        running.pop()


def _key(log: Log, began_us: int) -> str:
    second = str(began_us // 1_000_000)
    same = sum(session.key.partition("-")[0] == second for session in log.sessions[-100:])
    return f"{second}-{same + 1}" if same else second
