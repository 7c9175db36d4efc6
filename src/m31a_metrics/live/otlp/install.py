"""Having agents send to this machine, seeing whether they do, and ending it.

What is changed in an agent's settings is noted as that of hooks is (`live/install.py`), so that
every byte comes back; in which file of which agent, in `~/.m31a/live/otlp.json`. What an agent
must be started with stands in `~/.m31a/live/otlp.sh`, which a person's shell reads: no variable
of OpenTelemetry's is set for all programs.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode
from msgspec.structs import replace

from m31a_metrics import store
from m31a_metrics.config import Config
from m31a_metrics.credentials import ServerLock, TokenFile
from m31a_metrics.errors import ForeignFile
from m31a_metrics.live import settings_files, settings_toml
from m31a_metrics.live.install import (
    OTLP,
    SettingsRefused,
    back_up,
    forget_note,
    keep_note,
    managed,
    note_of,
    read_settings,
    tables_of,
    write_settings,
)
from m31a_metrics.live.otlp.senders import PORT, SENDERS, Members, Sender, Target
from m31a_metrics.live.settings_files import Before, given_back
from m31a_metrics.live.settings_json import (
    Node,
    NotStrictJSON,
    add_member,
    begun,
    decoded,
    is_blank,
    replace_value,
    scan,
    take_member_out,
)

TOKEN_FILE = "otlp.token"  # noqa: S105 - the name of the file, not a secret
SENDING = "otlp.json"
FUNCTIONS = "otlp.sh"
SEEN, OPEN_ENDING = "received", ".open"
"""The folder of `live_dir` whose files tell by their times when agents sent last, those that
end so without the token."""
URL = f"http://127.0.0.1:{PORT}"

_REACHED = ("127.0.0.1", "localhost", "0.0.0.0", "::")  # noqa: S104 - only compared with
"""Who listens on one of these is reached at URL."""

FORWARDING = (
    "an agent sends to one place: have that one forward to m31 "
    f"(an `otlphttp` exporter of a Collector's, endpoint {URL}, with the header "
    "`Authorization: Bearer TOKEN`), or remove it there first"
)

_HEAD = """\
# Made by `m31 otlp install`: what these agents are started with, so that they send to
# `m31 collect`. Have your shell read it: . {path}
"""


class Change(Struct, frozen=True):
    """What is to be done for an agent: its settings' text before and after; None is no file.

    `path` is "" where there is no file of settings. `note` undoes it; `starts`: the shell is
    to start it anew.
    """

    sender: Sender
    path: str
    before: str | None
    after: str | None
    note: Before = Before()
    starts: bool = False

    def is_one(self) -> bool:
        """Tell whether there is anything to do."""
        return self.before != self.after or self.starts


class _Installed(Struct, frozen=True):
    """What was done: in which file, and whether the shell starts the agent."""

    path: str
    starts: bool = False


class Status(Struct, frozen=True):
    """How an agent is set up to send, and when it last did (Unix seconds).

    `state` is "installed", "outdated", "not installed" or "elsewhere".
    """

    sender: Sender
    path: str
    state: str
    sent_s: float | None
    sent_open_s: float | None


def token_file(config: Config) -> TokenFile:
    """The token that senders bring, made if there is none."""
    return TokenFile(f"{config.live_dir}/{TOKEN_FILE}")


def server_lock(config: Config, host: str, port: int) -> ServerLock:
    """The lock of whoever takes OTLP at an address."""
    return ServerLock(f"{config.live_dir}/otlp.lock", host, port)


def is_ours(config: Config, port: int) -> bool:
    """Tell whether it is m31 of this account that takes what agents send to a port."""
    return any(server_lock(config, host, port).is_held() for host in _REACHED)


def found(environ: Mapping[str, str], home: str) -> list[Sender]:
    """The agents that are on this machine: their settings' folder is, or their command."""
    from shutil import which

    return [
        sender
        for sender in SENDERS.values()
        if (sender.folder and os.path.isdir(sender.home(environ, home)))
        or which(sender.command, path=environ.get("PATH"))
    ]


def target(config: Config, *, make: bool = False) -> Target:
    """Where agents are to send, by the token that there is; `make` one if there is none."""
    path = f"{config.live_dir}/{TOKEN_FILE}"
    is_there = make or os.path.lexists(path)
    return Target(URL, token_file(config).current().token if is_there else "TOKEN", path)


def path_of(sender: Sender, environ: Mapping[str, str], home: str) -> str:
    """Where an agent's settings are; "" where it has none that matter here."""
    if not sender.file:
        return ""
    folder = os.path.abspath(sender.home(environ, home))
    names = (sender.file, *sender.others)
    there = [name for name in names if os.path.lexists(f"{folder}/{name}")]
    return f"{folder}/{(there or names)[0]}"


def plan(
    sender: Sender, config: Config, environ: Mapping[str, str], home: str, at: Target
) -> Change:
    """Say what installing would change. Raises SettingsRefused, StorageError, ForeignFile."""
    path = path_of(sender, environ, home)
    done = _all_installed(config).get(sender.name)
    _check_environment(sender, environ)
    starts = sender.starts and not (done and done.starts and _has_function(sender, config, at))
    if not path:
        return Change(sender, path, None, None, starts=starts)
    text = read_settings(path)
    own = note_of(path, config, OTLP)
    plain = text if own is None else _without(sender, path, text, own)
    _check_elsewhere(sender, path, plain)
    wanted = sender.members(at)
    if text is not None and _values(sender, path, text, wanted) == wanted:
        return Change(sender, path, text, text, own or Before(), starts=starts)
    after, note = _with(sender, path, plain, wanted)
    first = settings_files.found(plain)
    note = replace(note, was=first.was, text=first.text)
    return Change(sender, path, text, after, note, starts=starts)


def plan_removal(sender: Sender, config: Config) -> Change | None:
    """Say what removing would change; None where nothing was installed.

    Raises SettingsRefused, StorageError, ForeignFile.
    """
    done = _all_installed(config).get(sender.name)
    if done is None:
        return None
    text = read_settings(done.path) if done.path else None
    note = note_of(done.path, config, OTLP) or Before()
    after = _without(sender, done.path, text, note)
    return Change(sender, done.path, text, after, note, starts=done.starts)


def install(change: Change, config: Config, at: Target) -> str:
    """Do what was planned; give where what stood there is kept, "" where nothing did.

    Raises SettingsRefused where the file is another by now, StorageError, ForeignFile.
    """
    sender, kept = change.sender, ""
    if change.before != change.after:
        kept = back_up(change.path, sender.name, change.before, config)
        before, note = change.before, change.note
        keep_note(change.path, before, note, config, agent=sender.name, kind=OTLP)
    done = _Installed(change.path, sender.starts)
    _write_installed(config, _all_installed(config) | {sender.name: done})
    if change.before != change.after:
        write_settings(change.path, change.after)
    _write_functions(config, at)
    return kept


def remove(change: Change, config: Config) -> str:
    """Take out what was installed. Returns and raises as `install`."""
    kept = ""
    if change.before != change.after:
        kept = back_up(change.path, change.sender.name, change.before, config)
        write_settings(change.path, change.after)
    forget_note(change.path, config, OTLP)
    installed = _all_installed(config)
    installed.pop(change.sender.name, None)
    _write_installed(config, installed)
    _write_functions(config, target(config))
    return kept


def status(sender: Sender, config: Config, environ: Mapping[str, str], home: str) -> Status:
    """Look how an agent is set up. Raises SettingsRefused, StorageError, ForeignFile."""
    path = path_of(sender, environ, home)
    done = _all_installed(config).get(sender.name)
    at = target(config)
    state = "not installed"
    text = read_settings(path) if path else None
    wanted = sender.members(at)
    is_current = not wanted or (text is not None and _values(sender, path, text, wanted) == wanted)
    if done is not None:
        starts = not sender.starts or _has_function(sender, config, at)
        state = "installed" if is_current and starts else "outdated"
    elif _elsewhere(sender, path, text):
        state = "elsewhere"
    seen = f"{config.live_dir}/{SEEN}/{sender.name}"
    return Status(sender, path, state, _changed_s(seen), _changed_s(seen + OPEN_ENDING))


def functions_path(config: Config) -> str:
    """The file that a person's shell reads."""
    return f"{config.live_dir}/{FUNCTIONS}"


# ---- what refuses


def _check_environment(sender: Sender, environ: Mapping[str, str]) -> None:
    for signal in sender.signals:
        name = f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT"
        given = environ.get(name, "").strip()
        if given and given.rstrip("/") != URL:
            raise SettingsRefused(
                f"{name} is set to {given}, where {sender.title} sends already; {FORWARDING}"
            )


def _check_elsewhere(sender: Sender, path: str, text: str | None) -> None:
    files = [(path, text)]
    if sender.name == "claude-code":
        files += managed()
    for one, its_text in files:
        place = _elsewhere(sender, one, its_text)
        if place:
            raise SettingsRefused(
                f"{one} has {place} already, so {sender.title} sends elsewhere; {FORWARDING}"
            )


def _elsewhere(sender: Sender, path: str, text: str | None) -> str:
    """Name the setting that has an agent send elsewhere; "" where none does."""
    if text is None or is_blank(text):
        return ""
    for place in sender.elsewhere:
        value = _value(sender, path, text, place)
        is_ours = isinstance(value, str) and value.rstrip("/") == URL
        if value is not None and value != "none" and not is_ours and not _is_exporter(value):
            return ".".join(place)
    return ""


def _is_exporter(value: object) -> bool:
    """Tell whether Codex's exporter is one that sends to us."""
    sent = value.get("otlp-http") if isinstance(value, dict) else None
    return isinstance(sent, dict) and str(sent.get("endpoint", "")).startswith(f"{URL}/")


# ---- texts of settings


def _values(sender: Sender, path: str, text: str, wanted: Members) -> Members:
    """What stands where something is wanted."""
    found = {place: _value(sender, path, text, place) for place in wanted}
    return {place: value for place, value in found.items() if value is not None}


def _value(sender: Sender, path: str, text: str, place: tuple[str, ...]) -> object:
    """What stands at a place, None where nothing does. Raises SettingsRefused."""
    if sender.is_toml:
        value: object = tables_of(path, text)
        for name in place:
            value = value.get(name) if isinstance(value, dict) else None
        return value
    if is_blank(text):
        return None
    node: Node | None = _root(sender, path, text)
    for name in place:
        node = node.get(name) if node is not None else None
    if node is None:
        return None
    try:
        return decoded(text, node)
    except ValueError:
        return text[node.start : node.end]  # a number of thousands of digits


def _with(sender: Sender, path: str, text: str | None, wanted: Members) -> tuple[str, Before]:
    """Put in what is wanted; give the text, and the note that undoes it."""
    if sender.is_toml:
        return _with_exporter(path, text or "", wanted)
    made = begun(text)
    was: dict[str, str | None] = {}
    empty: set[str] = set()
    for place, value in wanted.items():
        root = _root(sender, path, made)
        parent = root.get(place[0])
        if parent is None:
            was["/".join(place)] = None
            made = add_member(made, root, place[0], {place[1]: value})
            continue
        if not parent.is_object():
            raise SettingsRefused(f"{path}: {place[0]} is no object in {{ }}; nothing was changed")
        if not parent.members:
            empty.add(place[0])
        node = parent.get(place[1])
        was["/".join(place)] = None if node is None else made[node.start : node.end]
        if node is None:
            made = add_member(made, parent, place[1], value)
        else:
            made = replace_value(made, node, encode(value).decode())
    return made, Before(replaced=was, empty=tuple(sorted(empty)))


def _without(sender: Sender, path: str, text: str | None, note: Before) -> str | None:
    """Give back what was there, and let stay what somebody changed since."""
    if text is None or is_blank(text):
        return text
    if sender.is_toml:
        otel = tables_of(path, text).get("otel")
        if not isinstance(otel, dict) or not _is_exporter(otel.get("exporter")):
            return text
        less = settings_toml.taken_out(text, note, settings_toml.take_exporter_out)
        return given_back(text, less, note)
    made = text
    for name, raw in reversed(note.replaced.items()):
        outer, _, inner = name.partition("/")
        root = _root(sender, path, made)
        parent = root.get(outer)
        node = parent.get(inner) if parent is not None else None
        if raw is None:
            made = take_member_out(made, root, (outer, inner), note.empty)
        elif node is not None:
            made = replace_value(made, node, raw)
    return given_back(text, made, note)


def _root(sender: Sender, path: str, text: str) -> Node:
    try:
        root = scan(text, comments=sender.comments)
    except NotStrictJSON as error:
        raise SettingsRefused(
            f"{path}, {error}; nothing was changed: put it right first"
        ) from error
    if not root.is_object():
        raise SettingsRefused(f"{path}: settings are an object in {{ }}, which this is not")
    return root


def _with_exporter(path: str, text: str, wanted: Members) -> tuple[str, Before]:
    """Put Codex's exporter in. Raises ExtraNotInstalled."""
    (exporter,) = wanted.values()
    if not isinstance(tables_of(path, text).get("otel", {}), dict):
        raise SettingsRefused(f"{path}: otel is no table; nothing was changed")
    made, note = settings_toml.put_in(text, lambda one: settings_toml.add_exporter(one, exporter))
    try:
        otel = tomllib.loads(made)["otel"]
    except tomllib.TOMLDecodeError:
        otel = {}
    if otel.get("exporter") != exporter:
        raise SettingsRefused(f"{path}: [otel] cannot be added to; nothing was changed")
    return made, note


# ---- our own files


def _all_installed(config: Config) -> dict[str, _Installed]:
    """What is installed by agents; nothing where that is gone or damaged."""
    try:
        return decode(store.read(f"{config.live_dir}/{SENDING}") or b"", type=dict[str, _Installed])
    except (MsgspecError, ForeignFile):
        return {}


def _write_installed(config: Config, installed: Mapping[str, _Installed]) -> None:
    store.make_directory(config.live_dir)
    store.replace(f"{config.live_dir}/{SENDING}", encode(installed) + b"\n")


def _write_functions(config: Config, at: Target) -> None:
    """Write the functions of those that are installed; remove the file where none has one."""
    path = functions_path(config)
    senders = [SENDERS[name] for name in _all_installed(config) if name in SENDERS]
    functions = [sender.function(at) for sender in senders if sender.starts]
    if functions:
        store.replace(path, "\n".join([_HEAD.format(path=path), *functions]).encode())
    elif os.path.lexists(path):
        # A shell that reads it at its start is not to complain that it is gone.
        store.replace(path, _HEAD.format(path=path).encode())


def _has_function(sender: Sender, config: Config, at: Target) -> bool:
    try:
        text = (store.read(functions_path(config)) or b"").decode("utf-8", "replace")
    except ForeignFile:
        return False
    return sender.function(at) in text


def _changed_s(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None
