"""pi: one JSON Lines file for each session, at ~/.pi/agent/sessions/<folder>/<time>_<id>.jsonl.

pi does not write its version. It has no modes, and asks nobody before a tool runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import SessionStart
from m31a_metrics.jsonlines import batches
from m31a_metrics.sources.pi.fold import Fold
from m31a_metrics.sources.pi.recognition import recognise, refuse_openclaw
from m31a_metrics.sources.pi.records import DECODE
from m31a_metrics.transcript import Facts, Transcript

NAME = "pi"

SUFFIX = ".jsonl"


def find(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield every session's file, below the folders that `environ` names."""
    agent = environ.get("PI_CODING_AGENT_DIR") or f"{environ.get('HOME', '')}/.pi/agent"
    named = environ.get("PI_CODING_AGENT_SESSION_DIR")
    folders = [named] if named else []
    folders.append(f"{agent}/sessions")
    for folder in dict.fromkeys(os.path.expanduser(folder) for folder in folders):
        for directory, below, names in os.walk(folder):
            below.sort()
            yield from (f"{directory}/{name}" for name in sorted(names) if name.endswith(SUFFIX))


def read(path: str, skip: frozenset[str] = frozenset()) -> Transcript:
    """Read a session. Raises NotThisFormat, StorageError."""
    transcript = Transcript(Facts(NAME))
    fold = Fold(transcript, skip)
    known = False
    try:
        for batch in batches(path, DECODE, transcript.damage):
            refuse_openclaw(path, batch)
            if not known:
                recognise(path, batch)
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
