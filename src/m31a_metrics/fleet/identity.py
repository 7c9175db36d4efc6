"""Who tells a fleet of sessions: machine and user, by hashes unless they are named on purpose.

The hashes are made with a key, so that nobody without it can try out names. With the key of a
team, in a file that its machines share, a person is the same one on all of them; without, each
machine has a key of its own, and nobody can tell that two of them are one person's.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from msgspec import Struct, json

from m31a_metrics import store
from m31a_metrics.errors import ConfigError, StorageError
from m31a_metrics.fleet.address import read_private

OWN_KEY = "~/.m31a/fleet.key"
"""The key of a machine without one of a team; made when it is first needed."""

NAME_LENGTH_MAX = 100
_KEY_BYTES_MIN = 16
_HASH_BYTES = 6
_MACHINE_ID = "/etc/machine-id"

# /home/ada/x and /Users/ada/x as they stand in JSON, and C:\Users\ann\x, whose strokes are two.
# A part of a longer name, as gitlab.example/users/ada, is no place of anybody.
_HOMES = re.compile(
    rb'(?<![\w.~-])(?:(?:/usr|/var|/export)?/home|/Users|[a-z]:[\\/]+Users)[\\/]+[^/\\\s"]+',
    re.IGNORECASE,
)


class Who(Struct, frozen=True):
    """Which machine, and whose sessions."""

    machine: str
    user: str


def who(settings: Mapping[str, Any]) -> Who:
    """Tell who this is; `settings` is `[metrics.fleet]`. Raises ConfigError, StorageError."""
    named = {name: settings.get(name, "") for name in ("machine", "user")}
    for name, value in named.items():
        if len(value) > NAME_LENGTH_MAX or not (value.isprintable()):
            raise ConfigError(
                f"{name} of [metrics.fleet] must be up to {NAME_LENGTH_MAX} letters that can be "
                "printed"
            )
    if all(named.values()):
        return Who(**named)
    key = _key(settings.get("key_file", ""))
    machine = named["machine"] or _hashed(key, "machine", _machine())
    return Who(machine, named["user"] or _hashed(key, "user", _login()))


def without_homes(line: bytes, home: str) -> bytes:
    """Write `~` in place of every path of a person's folder in a line of JSON."""
    own = json.encode(home)[1:-1]
    if len(own) > 1 and own in line:
        line = re.sub(rb"(?<![\w.~-])" + re.escape(own) + rb'(?=[/\\"\s])', b"~", line)
    # Looking for the words first, which few lines hold, takes a hundredth of the time.
    lower = line.lower()
    return _HOMES.sub(b"~", line) if b"home" in lower or b"users" in lower else line


def _key(path: str) -> bytes:
    if path:
        key = (read_private(path, "the key file") or b"").strip()
        if len(key) < _KEY_BYTES_MIN:
            raise ConfigError(
                f"key_file of [metrics.fleet] names {path}, which has no key of at least "
                f"{_KEY_BYTES_MIN} bytes; make one: (umask 077; head -c 32 /dev/urandom | base64 "
                f"> {path})"
            )
    else:
        path = os.path.expanduser(OWN_KEY)
        key = store.own_key(path)
        if not key:
            raise StorageError(f"cannot keep this machine's key in {path}")
    return blake2b(key).digest()


def _hashed(key: bytes, kind: str, name: str) -> str:
    data = f"{kind}\0{name}".encode("utf-8", "surrogateescape")
    return blake2b(data, key=key, digest_size=_HASH_BYTES).hexdigest()


def _machine() -> str:
    try:
        found = (store.read(_MACHINE_ID, at_most=1024) or b"").decode("ascii", "replace").strip()
    except (StorageError, OSError):
        found = ""
    return found or os.uname().nodename


def _login() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
