"""Aider: its analytics log, which a user has to ask for (`--analytics-log FILE`).

It tells when a message was sent to a model, and how many tokens it took and what it cost;
in whole seconds, cached tokens not apart, and no tools. A session's path is
`<log>::<second of its beginning>`; the path of the log itself stands for all of them.

The chat history (.aider.chat.history.md) is not read: of times it has only that of a
session's start, it names no model for a message, and it rounds tokens ("12k sent") and cost.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import LLMInteraction, Mode, UserTurn
from m31a_metrics.figures import model_name, stated_cost, text, tokens
from m31a_metrics.foreign_files import Folders, is_absent, read_head
from m31a_metrics.jsonlines import Decode, batches, first_line
from m31a_metrics.model import Usage
from m31a_metrics.timestamps import unix_us
from m31a_metrics.transcript import Damage, Facts, Transcript
from m31a_metrics.units import WITHIN

# The analytics log: one file for all sessions, which may run at the same time.

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


NAME = "aider"


# In Aider's configuration, and in a file of environment variables.
_SETTING = re.compile(
    r"""^(?:analytics-log\s*:|(?:export\s+)?AIDER_ANALYTICS_LOG\s*=)\s*["']?([^"'#\n]+)""",
    re.MULTILINE,
)
_SETTINGS = (".aider.conf.yml", ".env")
_SETTINGS_BYTES = 2**20


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session that sent a message, in the logs that the user's settings name.

    They stand in AIDER_ANALYTICS_LOG, or in the files that Aider reads: in the home, the
    current folder (PWD) and the root of its repository.
    """
    folders = folders or Folders()
    for path in dict.fromkeys(_logs(environ, folders)):
        try:
            log = _log(path)
        except NotThisFormat as error:
            if os.path.getsize(path):  # else nothing was written to it yet
                folders.note(path, str(error).removeprefix(f"{path}: ").removeprefix(f"{path} "))
            continue
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and not is_absent(cause):
                folders.note(path, cause)
            continue
        for session in log.sessions:
            if session.sent:
                yield f"{path}{WITHIN}{session.key}"


def roots(environ: Mapping[str, str]) -> list[str] | None:
    """Return the logs that are named here, if AIDER_ANALYTICS_LOG is; else they are all meant.

    Settings are those of the folder in which somebody is, which is no choice of logs.
    """
    return list(_logs(environ, Folders())) if environ.get("AIDER_ANALYTICS_LOG") else None


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session, or a whole log as one.

    Raises NotThisFormat, SessionNotFound, StorageError.
    """
    file, _, key = path.rpartition(WITHIN)
    if not file or os.path.exists(path):
        file, key = path, ""
    log = _log(file)
    sessions = [session for session in log.sessions if key in ("", session.key)]
    if not sessions:
        raise SessionNotFound(f"{file} holds no session {key}")
    damage = Damage(log.damage.count, list(log.damage.reasons))
    transcript = Transcript(Facts(NAME), damage=damage)
    for session in sessions:
        _fold(session, transcript, skip)
    transcript.events.sort(key=lambda event: event.t_us)
    facts = transcript.facts
    only = sessions[0] if len(sessions) == 1 else None
    facts.native_id = _id(only) if only else sessions[0].user_id
    transcript.events.insert(0, facts.start())
    return transcript


def _fold(session: Session, transcript: Transcript, skip: frozenset[str]) -> None:
    facts = transcript.facts
    mode = ""
    number = 0
    t_us = session.began_us
    for entry in session.entries:
        t_us = unix_us(entry.time) or t_us
        facts.started_us = min(facts.started_us or t_us, t_us)
        facts.ended_us = max(facts.ended_us, t_us)
        facts.version = facts.version or text(entry.properties.aider_version)
        if entry.event == SENDING:
            # Also when Aider itself asks again, about what a linter or a test said.
            transcript.events.append(UserTurn(t_us=t_us))
        elif entry.event == SENT:
            number += 1
            if mode != (mode := text(entry.properties.edit_format) or mode):
                transcript.events.append(Mode(t_us=t_us, mode=mode))
            _count(_response(entry, t_us, f"{_id(session)}:{number}"), transcript, skip)


def _response(entry: Entry, t_us: int, key: str) -> LLMInteraction | None:
    said = entry.properties
    provider, _, rest = text(said.main_model).partition("/")
    model = model_name(provider, rest) if rest else provider
    used = Usage(tokens(said.prompt_tokens), tokens(said.completion_tokens))
    if not used.total:
        return None
    return LLMInteraction(
        id=key,
        t_us=t_us,
        phase="",
        usage=used,
        cost=stated_cost(said.cost, model),
        model=model or None,
    )


def _count(event: LLMInteraction | None, transcript: Transcript, skip: frozenset[str]) -> None:
    if event is None:
        return
    effects, models = transcript.effects, transcript.facts.models
    effects.lines += 1
    if event.id in skip:
        effects.replayed_responses += 1
        effects.replayed_tokens += event.usage.total
        return
    effects.responses += 1
    transcript.events.append(event)
    if event.model and event.model not in models:
        models.append(event.model)


def _id(session: Session) -> str:
    return f"{session.user_id}-{session.key}" if session.user_id else session.key


def _log(path: str) -> Log:
    try:
        stat = os.stat(path)
        return read_log(path, (stat.st_mtime_ns, stat.st_size))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _logs(environ: Mapping[str, str], folders: Folders) -> Iterator[str]:
    home, here = environ.get("HOME", ""), environ.get("PWD", "")
    named = environ.get("AIDER_ANALYTICS_LOG")
    if named:
        yield _path(named, here, home)
    for folder in dict.fromkeys((home, _repository(here), here)):
        for name in _SETTINGS if folder else ():
            for value in _settings(f"{folder}/{name}", folders):
                yield _path(value.strip(), here, home)


def _path(named: str, here: str, home: str) -> str:
    if named.startswith("~/"):
        named = home + named[1:]
    return os.path.normpath(os.path.join(here, named))


def _repository(folder: str) -> str:
    while folder and folder != os.sep:
        if os.path.exists(f"{folder}/.git"):
            return folder
        folder = os.path.dirname(folder)
    return ""


def _settings(path: str, folders: Folders) -> list[str]:
    try:
        return _SETTING.findall(read_head(path, _SETTINGS_BYTES).decode("utf-8", "replace"))
    except OSError as error:
        if not is_absent(error):
            folders.note(path, error)
        return []
