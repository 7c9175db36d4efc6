"""Whether a file of JSON Lines is pi's, told from its first entries.

OpenClaw is built on pi and writes sessions of the same form. Its own entries, its folder,
and answers without what pi always writes tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from msgspec import UNSET

from m31a_metrics.errors import NotThisFormat
from m31a_metrics.figures import text
from m31a_metrics.sources.pi.records import Entry

_FIRST_ENTRIES = 50
_OPENCLAW = "openclaw"


def recognise(path: str, entries: Iterable[Entry]) -> None:
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


def refuse_openclaw(path: str, entries: Iterable[Entry]) -> None:
    """Raise NotThisFormat if one of the entries is OpenClaw's, or the folder is."""
    if f"/.{_OPENCLAW}/" in path or any(
        text(entry.custom_type).startswith(_OPENCLAW) or text(entry.provider).startswith(_OPENCLAW)
        for entry in entries
    ):
        raise NotThisFormat(f"{path} is a session of OpenClaw, not of pi")
