"""The files in `~/.m31a/live` that agents start without this package, and their settings.

The programs are copies of files of this folder that need nothing but Python itself. They are
renewed where they differ: when they are installed or looked at, and by each settling, so that
an upgrade reaches them at the next tool call.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import decode, encode

from m31a_metrics import store
from m31a_metrics.config import COLORS, SEGMENTS, Config
from m31a_metrics.errors import ForeignFile
from m31a_metrics.live import statusline

PROGRAMS = ("hook.py", "statusline.py", "mcp_server.py", "mcp_tools.json")
"""What is copied, the last being what the one before it says."""
SETTINGS = "live.json"

UNVERIFIED = "unverified"
"""The folder with a file for each session of which something came by OTLP without the token."""
FOLDERS = ("settling", "totals", UNVERIFIED, "verdicts", "warned")
"""Where a file, or some, are kept of each session."""

SETTLE_EVERY_S = 3
"""A session is settled at most this often, but for one that is near a limit."""


class StatusLine(Struct, frozen=True):
    """Which segments a status line shows, in which order, and the colours by name (SGR)."""

    segments: list[str]
    colors: dict[str, str]


class LiveSettings(Struct, frozen=True):
    """What `live.json` tells the programs: they read no configuration.

    `python` is the interpreter that settles, which has this package; `budget` tells that a
    limit is configured, so that a hook asks the verdicts. `sessions_dir` is "" where nothing
    is to be recorded.
    """

    format: int
    sessions_dir: str
    python: str
    settle_every_s: int
    budget: bool
    statusline: StatusLine


def install_files(config: Config, *, python: str = "") -> list[str]:
    """Write the programs and their settings where they differ; give the paths written.

    `python` is the interpreter that is to settle; without it the one that is there stays,
    while it can be run, else this one. Raises ForeignFile, StorageError.
    """
    store.make_directory(config.live_dir)
    written = []
    for name in PROGRAMS:
        text = store.read(os.path.join(os.path.dirname(__file__), name))
        path = f"{config.live_dir}/{name}"
        if text is None:
            continue
        is_code = name.endswith(".py")
        if (_body(path) if is_code else _there(path)) != text:
            store.replace(path, _first_line(text) + text if is_code else text)
            written.append(path)
    path = f"{config.live_dir}/{SETTINGS}"
    settings = encode(settings_of(config, python or _interpreter(path))) + b"\n"
    if _there(path) != settings:
        store.replace(path, settings)
        written.append(path)
    return written


def settings_of(config: Config, python: str) -> LiveSettings:
    """What the programs are to be told by a configuration."""
    wanted = config.statusline
    colors: dict[str, str] = dict(statusline.COLORS)
    if wanted.get("colors") is False:
        colors = {}
    elif isinstance(wanted.get("colors"), dict):
        colors |= {name: COLORS[color] for name, color in wanted["colors"].items()}
    return LiveSettings(
        1,
        config.sessions_dir if config.metrics_enabled else "",
        python,
        SETTLE_EVERY_S,
        bool(config.budget),
        StatusLine(wanted.get("segments", list(SEGMENTS)), colors),
    )


def files_of(live_dir: str, name: str) -> list[str]:
    """What is kept of a session in `live_dir`, by the name of its directory."""
    found = []
    for folder in FOLDERS:
        try:
            with os.scandir(f"{live_dir}/{folder}") as entries:
                found += [one.path for one in entries if _is_of(one.name, name)]
        except OSError:
            continue  # it is not there
    return sorted(found)


def _is_of(file: str, name: str) -> bool:
    return file == name or (file.startswith(f"{name}.") and file[len(name) + 1 :] in _ENDINGS)


_ENDINGS = ("json", "allow.json", "used", "verified", "lock", "next")


def _first_line(text: bytes) -> bytes:
    """Which version's file it is. A comment, so that what follows stays a module's text."""
    from m31a_metrics import __version__

    return f"# m31a-metrics {__version__} {sha256(text).hexdigest()[:16]}\n".encode()


def _body(path: str) -> bytes | None:
    there = _there(path)
    return None if there is None else there.partition(b"\n")[2]


def _there(path: str) -> bytes | None:
    """What is there; None where there is nothing, or what is to be replaced: a link, a pipe."""
    try:
        return store.read(path)
    except ForeignFile:
        return None


def _read_settings(path: str) -> LiveSettings | None:
    try:
        return decode(_there(path) or b"", type=LiveSettings)
    except (DecodeError, ValidationError):
        return None


def _interpreter(path: str) -> str:
    told = _read_settings(path)
    if told is not None and os.access(told.python, os.X_OK):
        return told.python
    return sys.executable
