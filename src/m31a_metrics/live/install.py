"""Putting hooks and a status line into agents' settings on this machine, and taking them out.

A change is planned first, from the file as it is, so that it can be shown; then carried out:
what was there is kept in `~/.m31a/live/backups`, what cannot be seen of it any more is noted in
`installed.json` beside that, and the file is replaced at once, its mode kept. A file that
changed in between is left alone.

MCP servers and settings for OTLP may stand in the same file, and are noted in the same place:
whether there was a file once, before the first of the three, and of each what it must undo.
"""

from __future__ import annotations

import os
import shutil
import stat
import tomllib
from collections.abc import Iterator, Mapping
from time import time_ns

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode
from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.config import Config
from m31a_metrics.errors import ForeignFile, MetricsError
from m31a_metrics.live import settings_files, settings_toml
from m31a_metrics.live.agents import AGENTS, Agent, Entry
from m31a_metrics.live.files import install_files
from m31a_metrics.live.settings_files import Before, Wanted
from m31a_metrics.live.settings_json import NotStrictJSON, is_blank
from m31a_metrics.units import YEAR_10000_US

NOTES = "installed.json"
HOOKS, MCP, OTLP = "hooks", "mcp", "otlp"
"""What is installed: hooks and status lines, MCP servers, settings for OTLP."""
TROUBLE = "trouble"
BACKUPS = "backups"
BACKUPS_MAX = 20

MANAGED = (
    "/etc/claude-code/managed-settings.json",
    "/Library/Application Support/ClaudeCode/managed-settings.json",
)
"""What a company sets for Claude Code, on Linux and on macOS; `managed-settings.d` beside it."""

_FORBIDDING = ("allowManagedHooksOnly", "disableAllHooks")


class SettingsRefused(MetricsError):
    """An agent's settings cannot take hooks as they are; the sentence says what to change."""


class Place(Struct, frozen=True):
    """A settings file of an agent."""

    agent: Agent
    path: str

    @property
    def is_toml(self) -> bool:
        """Tell whether this is Codex's configuration and no JSON."""
        return self.path.endswith(".toml")


class Change(Struct, frozen=True):
    """What is to be done to a settings file: its text before and after; None is no file.

    `kind` is what is installed, which `note` undoes.
    """

    place: Place
    before: str | None
    after: str | None
    note: Before
    kind: str = HOOKS

    def is_one(self) -> bool:
        """Tell whether there is anything to do."""
        return self.before != self.after


class Installed(Struct, frozen=True):
    """What is installed in a settings file.

    `events` are those that we are told, none where nothing is. `waits`: a call waits for our
    answer. `fired_s` is when a hook of the agent ran last (Unix seconds).
    """

    place: Place
    events: tuple[str, ...]
    waits: bool
    is_current: bool
    status_line: str
    fired_s: float | None


class Trouble(Struct):
    """What a hook left for `m31 doctor`: in whose hook, what, how often, and when last (us)."""

    agent: str
    words: str
    count: int
    last_us: int


class _File(Struct, frozen=True):
    """What is noted of a file: what it was before all, and what each kind must undo."""

    agent: str
    before: Before
    kinds: dict[str, Before]


class _Notes(Struct, frozen=True):
    format: int = 1
    files: dict[str, _File] = {}


def found(environ: Mapping[str, str]) -> list[Agent]:
    """The agents that are on this machine: their settings' folder is, or their command."""
    return [
        agent
        for agent in AGENTS.values()
        if os.path.isdir(agent.home(environ))
        or shutil.which(agent.command, path=environ.get("PATH"))
    ]


def place_of(agent: Agent, environ: Mapping[str, str], *, project: str = "") -> Place:
    """Where an agent's hooks belong: the person's settings, or theirs in a project.

    Raises SettingsRefused where an agent has no settings of one person in a project.
    """
    if project:
        if not agent.project_file:
            raise SettingsRefused(
                f"{agent.title} has no file in a project that is one person's alone: install for "
                "all projects, without --project"
            )
        return Place(agent, f"{project}/{agent.project_file}")
    home = os.path.abspath(agent.home(environ))
    path = f"{home}/{agent.file}"
    toml = f"{home}/config.toml"
    # Codex reads both files, and warns where both have hooks.
    is_free = agent.name == "codex" and not os.path.lexists(path)
    if is_free and settings_toml.has_hooks(tables_of(toml, read_settings(toml))):
        return Place(agent, toml)
    return Place(agent, path)


def plan(
    place: Place, config: Config, *, status_line: bool = False, replaces: bool = False
) -> Change:
    """Say what installing would change. Raises SettingsRefused, StorageError, ForeignFile."""
    text = read_settings(place.path)
    _check_allowed(place, text)
    entries = place.agent.entries(config.live_dir, budget=bool(config.budget))
    if place.is_toml:
        return _toml_plan(place, text or "", entries, note_of(place.path, config, HOOKS))
    wanted = Wanted(
        entries,
        config.live_dir,
        status_line and place.agent.has_statusline,
        replaces and place.agent.has_statusline,
    )
    try:
        after, note = settings_files.with_ours(text, note_of(place.path, config, HOOKS), wanted)
    except NotStrictJSON as error:
        raise refused_for(place, error) from error
    return Change(place, text, after, note)


def plan_removal(place: Place, config: Config) -> Change:
    """Say what removing would change. Raises SettingsRefused, StorageError, ForeignFile."""
    text = read_settings(place.path)
    note = note_of(place.path, config, HOOKS)
    try:
        if text is None:
            after: str | None = None
        elif place.is_toml:
            tables_of(place.path, text)
            after = _without_toml(text, note or Before())
        else:
            after = settings_files.without_ours(text, note)
    except NotStrictJSON as error:
        raise refused_for(place, error) from error
    return Change(place, text, after, note or Before())


def carry_out(change: Change, config: Config) -> str:
    """Write what was planned; give where what stood there is kept, "" where nothing did.

    Raises SettingsRefused where the file is another by now, StorageError, ForeignFile.
    """
    place = change.place
    backup = back_up(place.path, place.agent.name, change.before, config)
    note, kind = change.note, change.kind
    keep_note(place.path, change.before, note, config, agent=place.agent.name, kind=kind)
    write_settings(place.path, change.after)
    return backup


def keep_note(
    path: str, before: str | None, note: Before, config: Config, *, agent: str, kind: str
) -> None:
    """Note what one kind must undo in a file; the first one notes what that was.

    `before` is what stands there. Raises StorageError.
    """
    store.make_directory(config.live_dir)
    files = _notes(config).files
    first = Before(note.was, note.text)
    kinds: dict[str, Before] = {}
    # What nothing stands in by now begins anew, whatever was installed once.
    if path in files and before is not None and not is_blank(before):
        first, kinds = files[path].before, files[path].kinds
    own = replace(note, was=settings_files.THERE, text="")
    _write_notes(config, files | {path: _File(agent, first, kinds | {kind: own})})


def forget_note(path: str, config: Config, kind: str) -> None:
    """Drop what one kind noted of a file, for nothing of it is left there."""
    files = _notes(config).files
    if path not in files:
        return
    file = files.pop(path)
    kinds = {one: note for one, note in file.kinds.items() if one != kind}
    if kinds:
        files[path] = replace(file, kinds=kinds)
    _write_notes(config, files)


def note_of(path: str, config: Config, kind: str) -> Before | None:
    """What is noted of a file as it was before anything of ours stood in it."""
    file = _notes(config).files.get(path)
    note = None if file is None else file.kinds.get(kind)
    if file is None or note is None:
        return None
    return replace(note, was=file.before.was, text=file.before.text)


def noted_paths(config: Config, kind: str) -> dict[str, str]:
    """The files in which something was installed, each with its agent's name."""
    files = _notes(config).files
    return {path: file.agent for path, file in files.items() if kind in file.kinds}


def put_programs(config: Config, *, python: str) -> None:
    """Put the programs that agents start in place, before any is to start them.

    `python` is the interpreter that settles. Raises StorageError, ForeignFile.
    """
    install_files(config, python=python)
    store.make_directory(config.sessions_dir)


def look(place: Place, config: Config) -> Installed:
    """What is installed in a settings file. Raises SettingsRefused, StorageError, ForeignFile."""
    text = read_settings(place.path)
    entries: dict[str, list[Entry]] = {}
    line = ""
    try:
        if text is None or is_blank(text):
            pass
        elif place.is_toml:
            entries = settings_toml.our_hooks(tables_of(place.path, text))
        else:
            entries = settings_files.ours(text)
            if place.agent.has_statusline and settings_files.has_our_status_line(text):
                line = "ours"
            elif place.agent.has_statusline and settings_files.has_status_line(text):
                line = "another"
    except NotStrictJSON as error:
        raise refused_for(place, error) from error
    wanted = place.agent.entries(config.live_dir, budget=bool(config.budget))
    return Installed(
        place,
        tuple(entries),
        settings_files.waits(entries),
        entries == {event: one["hooks"] for event, one in wanted.items()},
        line,
        _fired_s(config, place.agent),
    )


def noted_places(config: Config) -> Iterator[Place]:
    """The files in which hooks were installed, projects' ones too."""
    for path, name in noted_paths(config, HOOKS).items():
        if name in AGENTS:
            yield Place(AGENTS[name], path)


def troubles(live_dir: str) -> list[Trouble]:
    """What hooks could not do, each kind once, in the order of its first time.

    Raises StorageError, ForeignFile.
    """
    found: dict[str, Trouble] = {}
    data = store.read(f"{live_dir}/{TROUBLE}") or b""
    for line in data.decode(errors="replace").splitlines():
        at, _, rest = line.partition(" ")
        agent, _, words = rest.partition(" ")
        if not at.isdecimal() or not words:
            continue  # a full disk took half of it
        one = found.setdefault(rest, Trouble(agent, words, 0, 0))
        one.count += 1
        one.last_us = min(int(at[:20]), YEAR_10000_US - 1)
    return list(found.values())


def forget_troubles(live_dir: str) -> None:
    """Clear what hooks left. Raises StorageError."""
    store.remove(f"{live_dir}/{TROUBLE}")


def read_settings(path: str) -> str | None:
    """Read settings, by way of a link too. Raises SettingsRefused for what is no text."""
    data = store.read(os.path.realpath(path))
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        place = NotStrictJSON("this is no UTF-8", before, len(before))
        raise SettingsRefused(f"{path}, {place}; nothing was changed") from error


def managed() -> Iterator[tuple[str, str | None]]:
    """What a company sets for Claude Code: each file's path and text, where we may read it."""
    for path in MANAGED:
        more = f"{path.removesuffix('.json')}.d"
        try:
            names = sorted(os.listdir(more))
        except OSError:
            names = []
        for one in (path, *(f"{more}/{name}" for name in names if name.endswith(".json"))):
            try:
                yield one, read_settings(one)
            except MetricsError:
                continue  # not for us to read


def back_up(path: str, agent: str, before: str | None, config: Config) -> str:
    """Keep what stands in settings; give where, "" where nothing does.

    Raises SettingsRefused where that is another by now, StorageError, ForeignFile.
    """
    if read_settings(path) != before:
        raise SettingsRefused(f"{path} was changed this moment, and is left alone; try again")
    if before is None:
        return ""
    folder = f"{config.live_dir}/{BACKUPS}"
    store.make_directory(folder)
    kept = f"{folder}/{time_ns() // 1_000_000}-{agent}-{os.path.basename(path)}"
    store.replace(kept, before.encode())
    for old in sorted(os.listdir(folder))[:-BACKUPS_MAX]:
        store.remove(f"{folder}/{old}")
    return kept


def write_settings(path: str, after: str | None) -> None:
    """Put settings in place at once, their mode kept; None removes them. Raises StorageError."""
    target = os.path.realpath(path)  # whoever keeps all settings in one folder links to them
    if after is None:
        store.remove(target)
        return
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        os.makedirs(folder, 0o700)
    mode = stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else 0o600
    store.replace(target, after.encode("utf-8", "surrogatepass"), mode=mode)


def tables_of(path: str, text: str | None) -> dict[str, object]:
    """Read TOML; no file has no tables. Raises SettingsRefused."""
    try:
        return tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsRefused(f"{path} is not valid TOML: {error}; nothing was changed") from error


def refused_for(place: Place, error: NotStrictJSON) -> SettingsRefused:
    """Make the error of settings that their agent reads otherwise than we do."""
    return SettingsRefused(
        f"{place.path}, {error}; {place.agent.title} reads no such file, and nothing was changed: "
        "put it right first"
    )


# ---- inside


def _fired_s(config: Config, agent: Agent) -> float | None:
    try:
        return os.stat(f"{config.live_dir}/fired/{agent.name}").st_mtime
    except OSError:
        return None


def _check_allowed(place: Place, text: str | None) -> None:
    """Refuse where hooks would never run. Raises SettingsRefused."""
    if place.agent.name == "codex":
        toml = f"{os.path.dirname(place.path)}/config.toml"
        if settings_toml.is_switched_off(tables_of(toml, read_settings(toml))):
            raise SettingsRefused(
                f"{toml} says `hooks = false` under [features], so Codex would run none: remove it"
            )
        return
    files = [(place.path, text)]
    if place.agent.name == "claude-code":
        files += managed()
    for path, one in files:
        for name in _FORBIDDING:
            try:
                is_said = one is not None and not is_blank(one) and settings_files.says(one, name)
            except NotStrictJSON:
                continue  # the own file is read again, and refused with the place
            if is_said:
                whose = "remove it" if path == place.path else "ask whoever manages this machine"
                raise SettingsRefused(
                    f"{path} says `{name}`, so {place.agent.title} would run no hook of ours: "
                    f"{whose}"
                )


def _toml_plan(
    place: Place, text: str, entries: Mapping[str, Entry], before: Before | None
) -> Change:
    there = settings_toml.our_hooks(tables_of(place.path, text))
    wanted = {event: one["hooks"] for event, one in entries.items()}
    if there == wanted:
        return Change(place, text, text, before or Before())
    plain = _without_toml(text, before or Before()) or ""
    after, note = settings_toml.put_in(plain, lambda one: settings_toml.add_hooks(one, entries))
    try:
        is_whole = settings_toml.our_hooks(tomllib.loads(after)) == wanted
    except tomllib.TOMLDecodeError:
        is_whole = False
    if not is_whole or _without_toml(after, note) != plain:
        raise SettingsRefused(
            f"{place.path} has its hooks in a way that nothing can be added to: write them as "
            "[[hooks.EVENT]]; nothing was changed"
        )
    return Change(place, text, after, note)


def _without_toml(text: str, note: Before) -> str | None:
    less = settings_toml.taken_out(text, note, settings_toml.take_hooks_out)
    return settings_files.given_back(text, less, note)


def _notes(config: Config) -> _Notes:
    """What is noted; nothing where that is gone or damaged: then less comes back by itself."""
    try:
        return decode(store.read(f"{config.live_dir}/{NOTES}") or b"", type=_Notes)
    except (MsgspecError, ForeignFile):
        return _Notes()


def _write_notes(config: Config, files: dict[str, _File]) -> None:
    store.replace(f"{config.live_dir}/{NOTES}", encode(_Notes(1, files)) + b"\n")
