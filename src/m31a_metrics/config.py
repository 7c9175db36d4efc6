"""The configuration: a TOML file and the environment, read once at the door.

    ~/.m31a/config.toml (M31A_CONFIG names another)
    [features]  metrics_enabled              M31A's own switch
    [metrics]   sessions_dir, journal, retention_days, index, failure_lines, conversations
    [metrics.prices], [metrics.budget], [metrics.phases], [metrics.fleet]
    M31A_METRICS_ENABLED=0                   overrides the switch

Other tables are M31A's and are left alone. Unknown keys of `[metrics]` are an error: a
misspelt key would otherwise be a setting that silently does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from m31a_metrics.errors import ConfigError
from m31a_metrics.store import read as read_file

_HOME = "~/.m31a"
_SWITCH = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class Config(Struct, frozen=True):
    """What a user may set. Paths are absolute; `retention_days` None keeps for ever.

    `journal` "write": journals are appended to by `write` on every file system.
    `path` is the file that was read, to be named where a price in it is wrong. `forgotten`
    is the list of sessions that are not to be read again, and no setting: an index that
    moves must not bring them back. `live_dir` holds what coding agents start and what that
    needs, and is no setting either: its path stands in the agents' own settings.
    """

    sessions_dir: str
    index: str
    metrics_enabled: bool = True
    journal: bool | Literal["write"] = True
    retention_days: int | None = None
    failure_lines: bool = True
    conversations: bool = True
    prices: dict[str, Any] = {}
    budget: dict[str, Any] = {}
    phases: dict[str, str] = {}
    statusline: dict[str, Any] = {}
    fleet: dict[str, Any] = {}
    path: str = ""
    forgotten: str = field(default_factory=lambda: _path(f"{_HOME}/forgotten"))
    live_dir: str = field(default_factory=lambda: _path(f"{_HOME}/live"))


_TYPES: dict[str, tuple[type, str]] = {
    "sessions_dir": (str, "a string"),
    "journal": (bool, 'true, false or "write"'),
    "retention_days": (int, "a whole number of days"),
    "index": (str, "a string"),
    "failure_lines": (bool, "true or false"),
    "conversations": (bool, "true or false"),
    "prices": (dict, "a table"),
    "budget": (dict, "a table"),
    "phases": (dict, "a table"),
    "statusline": (dict, "a table"),
    "fleet": (dict, "a table"),
}

_FLEET: dict[str, tuple[type, str]] = {
    "to": (str, "a string"),
    "zone": (str, "a string"),
    "projects": (list, "a list of strings"),
    "machine": (str, "a string"),
    "user": (str, "a string"),
    "key_file": (str, "a string"),
    "credentials": (str, "a string"),
    "ca_file": (str, "a string"),
    "failures": (bool, "true or false"),
}
_FLEET_PATHS = ("key_file", "credentials", "ca_file")

SEGMENTS = ("session", "today", "left", "rate", "context", "window", "phase", "heals")
"""What a status line can show, in the order in which it does where nobody says otherwise."""

COLORS = {
    "none": "",
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "white": "37",
}
"""Colours of a status line by name, as a terminal is told them (SGR)."""

COLORED = (*SEGMENTS, "warning", "alert")
"""What has a colour in a status line: segments, what is nearly full, what is full."""


def read(environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration; every setting has a default, and the file may be absent.

    Raises ConfigError, naming the file, the key and the remedy, and StorageError.
    """
    environ = os.environ if environ is None else environ
    path = environ.get("M31A_CONFIG") or os.path.expanduser(f"{_HOME}/config.toml")
    # Whoever keeps all settings in one folder links to them.
    data = read_file(os.path.realpath(path))
    if data is None and environ.get("M31A_CONFIG"):
        raise ConfigError(f"M31A_CONFIG names {path}, which is not there")
    tables = {} if data is None else _parse(data, path)
    settings = _settings(_table(tables, "metrics", path), path)
    if settings.get("prices"):
        from m31a_metrics.pricing import overrides

        overrides(settings["prices"], path)  # refused here, at the door, if they are wrong
    if settings.get("budget"):
        from m31a_metrics.budgets import limits

        limits(settings["budget"], path)
    _check_phases(settings.get("phases"), path)
    _check_statusline(settings.get("statusline") or {}, path)
    settings["fleet"] = _fleet(settings.get("fleet") or {}, path)
    enabled = _table(tables, "features", path).get("metrics_enabled", True)
    if not isinstance(enabled, bool):
        raise ConfigError(f"{path}: features.metrics_enabled must be true or false")
    return Config(
        sessions_dir=_path(settings.pop("sessions_dir", f"{_HOME}/sessions")),
        index=_path(settings.pop("index", f"{_HOME}/metrics.db")),
        metrics_enabled=_switch(environ, enabled),
        path="" if data is None else path,
        **settings,
    )


def with_budget(text: str, limits: Mapping[str, float], path: str) -> str:
    """Add `[metrics.budget]` to the text of a configuration file, behind all that stands there.

    Raises ConfigError where there is one, or where a table cannot be added.
    """
    if "budget" in _table(_parse(text.encode(), path), "metrics", path):
        raise ConfigError(f"{path} has a [metrics.budget] already: change it there")
    lines = [f"{name} = {value}" for name, value in limits.items()]
    ending = "" if not text or text.endswith("\n") else "\n"
    added = (
        text + ending + "\n".join(["\n[metrics.budget]" if text else "[metrics.budget]", *lines])
    )
    _parse(added.encode(), path)
    return f"{added}\n"


def defaults() -> Config:
    """The configuration of a machine that has none."""
    return Config(_path(f"{_HOME}/sessions"), _path(f"{_HOME}/metrics.db"))


def environment() -> dict[str, str]:
    """The environment of this process; PWD is where it is, whatever a shell left there."""
    try:
        return os.environ | {"PWD": os.getcwd()}
    except OSError:
        return dict(os.environ)  # the directory was removed


def _parse(data: bytes, path: str) -> dict[str, Any]:
    import tomllib  # takes milliseconds, and most machines have no such file

    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def _table(tables: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name} must be a table, as in [{name}]")
    return table


def _settings(table: dict[str, Any], path: str) -> dict[str, Any]:
    for key, value in table.items():
        if key not in _TYPES:
            raise ConfigError(f"{path}: unknown key {key!r} in [metrics]{_nearest(key)}")
        if (key, value) == ("journal", "write"):
            continue
        kind, words = _TYPES[key]
        # bool is an int to Python, not to a reader of the file.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(f"{path}: metrics.{key} must be {words}, not {value!r}")
    if table.get("retention_days", 1) < 1:
        raise ConfigError(f"{path}: metrics.retention_days must be at least 1")
    return dict(table)


def _check_phases(table: dict[str, Any] | None, path: str) -> None:
    if not table:
        return
    from m31a_metrics.phases import PHASES

    for name, phase in table.items():
        if phase not in PHASES:
            raise ConfigError(
                f"{path}: metrics.phases.{name} must be one of {', '.join(PHASES)}, "
                f"not {phase!r}{_nearest(str(phase), PHASES)}"
            )


def _check_statusline(table: dict[str, Any], path: str) -> None:
    for key, value in table.items():
        if key not in ("segments", "colors"):
            near = _nearest(key, ("segments", "colors"))
            raise ConfigError(f"{path}: unknown key {key!r} in [metrics.statusline]{near}")
        if key == "segments" and not isinstance(value, list):
            raise ConfigError(f"{path}: metrics.statusline.segments must be a list, not {value!r}")
        if key == "colors" and not isinstance(value, dict | bool):
            raise ConfigError(
                f"{path}: metrics.statusline.colors must be true, false or a table, not {value!r}"
            )
    for name in table.get("segments", ()):
        _check_word(name, SEGMENTS, f"{path}: metrics.statusline.segments", "list")
    colors = table.get("colors")
    for name, color in colors.items() if isinstance(colors, dict) else ():
        _check_word(name, COLORED, f"{path}: metrics.statusline.colors", "have keys of")
        _check_word(color, COLORS, f"{path}: metrics.statusline.colors.{name}", "be one of")


def _fleet(table: dict[str, Any], path: str) -> dict[str, Any]:
    """Give `[metrics.fleet]`, its paths absolute; what its texts mean is for whoever uses them."""
    for key, value in table.items():
        if key not in _FLEET:
            near = _nearest(key, _FLEET)
            raise ConfigError(f"{path}: unknown key {key!r} in [metrics.fleet]{near}")
        kind, words = _FLEET[key]
        is_of_texts = not isinstance(value, list) or all(isinstance(one, str) for one in value)
        if not isinstance(value, kind) or not is_of_texts:
            raise ConfigError(f"{path}: metrics.fleet.{key} must be {words}, not {value!r}")
    return table | {key: _path(table[key]) for key in _FLEET_PATHS if table.get(key)}


def _check_word(word: object, known: Iterable[str], where: str, must: str) -> None:
    if word not in (known := tuple(known)):
        near = _nearest(str(word), known)
        raise ConfigError(f"{where} must {must} {', '.join(known)}, not {word!r}{near}")


def _nearest(key: str, known: Iterable[str] = _TYPES) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, list(known), n=1, cutoff=0.0)
    return f"; did you mean {near[0]!r}?" if near else ""


def _switch(environ: Mapping[str, str], enabled: bool) -> bool:
    text = environ.get("M31A_METRICS_ENABLED")
    if text is None or text == "":
        return enabled
    switch = _SWITCH.get(text.strip().lower())
    if switch is None:
        raise ConfigError(f"M31A_METRICS_ENABLED must be 0 or 1, not {text!r}")
    return switch


def _path(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
