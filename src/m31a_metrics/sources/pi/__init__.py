"""pi: one JSON Lines file for each session, at ~/.pi/agent/sessions/<folder>/<time>_<id>.jsonl.

pi does not write its version. It has no modes, and asks nobody before a tool runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from msgspec import UNSET

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import SessionStart
from m31a_metrics.figures import text
from m31a_metrics.foreign_files import Folders
from m31a_metrics.jsonlines import batches
from m31a_metrics.sources.pi.fold import Fold
from m31a_metrics.sources.pi.records import DECODE, Entry
from m31a_metrics.transcript import Facts, Transcript

NAME = "pi"

SUFFIX = ".jsonl"

_FIRST_ENTRIES = 50
_OPENCLAW = "openclaw"


def find(environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
    """Yield every session's file, below the folders that `environ` names."""
    folders = folders or Folders()
    agent = environ.get("PI_CODING_AGENT_DIR") or f"{environ.get('HOME', '')}/.pi/agent"
    named = environ.get("PI_CODING_AGENT_SESSION_DIR")
    roots = [named] if named else []
    roots.append(f"{agent}/sessions")
    for root in dict.fromkeys(os.path.expanduser(root) for root in roots):
        for directory, found in folders.walk(root):
            yield from (f"{directory}/{name}" for name in found.files if name.endswith(SUFFIX))


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    transcript = Transcript(Facts(NAME))
    fold = Fold(transcript, skip)
    known = False
    try:
        for batch in batches(path, DECODE, transcript.damage):
            _refuse_openclaw(path, batch)
            if not known:
                _recognise(path, batch)
                known = True
            for entry in batch:
                fold.add(entry)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if not known:
        raise NotThisFormat(f"{path} is no session of pi: it is empty")
    fold.finish()
    facts = transcript.facts
    start = SessionStart(
        t_us=facts.started_us,
        agent=NAME,
        native_id=facts.native_id or None,
        project=facts.project or None,
    )
    transcript.events.insert(0, start)
    return transcript


def _recognise(path: str, entries: Iterable[Entry]) -> None:
    """Raise NotThisFormat if a file with these first entries is not pi's.

    One that is damaged says nothing against the others.
    """
    header = answers = ours = 0
    for entry in islice(entries, _FIRST_ENTRIES):
        if entry.type == "session":
            header += bool(text(entry.id) and (entry.cwd or entry.timestamp))
        elif entry.message is not None and entry.message.role == "assistant":
            answers += 1
            ours += entry.message.api is not UNSET and entry.message.usage is not None
    if answers and not ours:
        raise NotThisFormat(f"{path} is no session of pi: its answers have no usage")
    if not header and not ours:
        raise NotThisFormat(f"{path} is no session of pi: it has neither a header nor an answer")


def _refuse_openclaw(path: str, entries: Iterable[Entry]) -> None:
    """Raise NotThisFormat if one of the entries is OpenClaw's, or the folder is.

    OpenClaw is built on pi and writes sessions of the same form. Its own entries, its folder,
    and answers without what pi always writes tell them apart.
    """
    if f"/.{_OPENCLAW}/" in path or any(
        text(entry.custom_type).startswith(_OPENCLAW) or text(entry.provider).startswith(_OPENCLAW)
        for entry in entries
    ):
        raise NotThisFormat(f"{path} is a session of OpenClaw, not of pi")
