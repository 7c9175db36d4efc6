"""Where a fleet's database is, and as whom it is asked: out of one text, files and environment.

    clickhouse://HOST[:PORT]/DATABASE[?secure=0|1]

TLS on port 8443, but on loopback plain HTTP on port 8123; `secure` says otherwise. A user and
a password never stand in an address, which shells, process lists and logs keep: they come from
M31A_CLICKHOUSE_USER and M31A_CLICKHOUSE_PASSWORD, else from a file that only its owner may
read. They are sent over TLS or on loopback, and not at all otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from m31a_metrics import store
from m31a_metrics.errors import ConfigError
from m31a_metrics.fleet.client import DEFAULT_USER, Address

SCHEME = "clickhouse"
CREDENTIALS = "~/.m31a/clickhouse.toml"
PLAIN_PORT, TLS_PORT = 8123, 8443

_FORM = "clickhouse://HOST[:PORT]/DATABASE[?secure=0|1]"
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_FILE_BYTES_MAX = 4096


def address_of(text: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> Address:
    """Read an address of a fleet; `settings` is `[metrics.fleet]`, whose paths are absolute.

    Raises ConfigError, which repeats nothing of a text that may hold a password.
    """
    host, port, database, is_secure = _parts(text)
    user, password = _credentials(settings, environ)
    if (user, password) != (DEFAULT_USER, "") and not is_secure and not is_loopback(host):
        raise ConfigError(
            f"no user and no password are sent to {host} over plain HTTP, where everybody between "
            "reads them: use TLS (without ?secure=0)"
        )
    ca_file = settings.get("ca_file", "")
    if ca_file and not os.path.isfile(ca_file):
        raise ConfigError(f"ca_file of [metrics.fleet] names {ca_file}, which is not there")
    return Address(host, port, database, user, password, is_secure, ca_file)


def destination_of(text: str) -> str:
    """Write an address as `str` of it does, by which it is known what was pushed there."""
    host, port, database, _ = _parts(text)
    return str(Address(host, port, database))


def is_loopback(host: str) -> bool:
    """Tell whether what is sent to a host stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_private(path: str, what: str, *, at_most: int = _FILE_BYTES_MAX) -> bytes | None:
    """Read a file that holds a secret; None if it is not there.

    Raises ConfigError where others may read it, and what `store.read` raises.
    """
    path = os.path.realpath(path)  # whoever keeps all settings in one folder links to them
    try:
        status = os.stat(path)
    except OSError:
        return store.read(path, at_most=at_most)
    if status.st_mode & 0o077:
        raise ConfigError(f"{what} {path} can be read by others: chmod 600 {path}")
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{what} {path} belongs to user {status.st_uid}, not to you")
    return store.read(path, at_most=at_most)


def _parts(text: str) -> tuple[str, int, str, bool]:
    """Give host, port, database, and whether TLS is spoken."""
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError as error:
        raise ConfigError(f"this is no address of a fleet; it is {_FORM}") from error
    if "@" in text:
        raise ConfigError(
            "a user and a password do not belong into a fleet's address: set M31A_CLICKHOUSE_USER "
            f"and M31A_CLICKHOUSE_PASSWORD, or write them into {CREDENTIALS}"
        )
    host, database = found.hostname or "", found.path.strip("/")
    shown = text.partition("?")[0]  # what stands behind may be meant as a password
    if found.scheme != SCHEME or found.fragment or not _HOST.fullmatch(host):
        raise ConfigError(f"{shown!r} is no address of a fleet; it is {_FORM}")
    if not _DATABASE.fullmatch(database):
        raise ConfigError(
            f"{shown!r} names no database that can be used: letters, digits and _, as in {_FORM}"
        )
    is_secure = _is_secure(found, is_by_default=not is_loopback(host))
    return host, port or (TLS_PORT if is_secure else PLAIN_PORT), database, is_secure


def _is_secure(found: SplitResult, *, is_by_default: bool) -> bool:
    is_secure = is_by_default
    for name, value in parse_qsl(found.query, keep_blank_values=True):
        if name != "secure" or value not in ("0", "1"):
            raise ConfigError(
                "behind ? of a fleet's address stands secure=0 or secure=1, and nothing else"
            )
        is_secure = value == "1"
    return is_secure


def _credentials(settings: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, str]:
    user = environ.get("M31A_CLICKHOUSE_USER", "")
    password = environ.get("M31A_CLICKHOUSE_PASSWORD", "")
    where = "M31A_CLICKHOUSE_USER"
    if not user and not password:
        where = named = settings.get("credentials", "")
        where = where or os.path.expanduser(CREDENTIALS)
        data = read_private(where, "the credentials file")
        if data is None and named:
            raise ConfigError(f"credentials of [metrics.fleet] names {named}, which is not there")
        user, password = _parsed(data, where) if data else ("", "")
    if ":" in user:
        raise ConfigError(f"{where} names a user with a colon, which HTTP cannot send")
    return user or DEFAULT_USER, password


def _parsed(data: bytes, path: str) -> tuple[str, str]:
    import tomllib

    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        # What the parser says may quote the password, so its sentence is not passed on.
        raise ConfigError(f'{path} is not valid TOML: user = "...", password = "..."') from None
    unknown = [key for key in table if key not in ("user", "password")]
    if unknown:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}; there are user and password")
    for key, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {key} must be a string")
    return table.get("user", ""), table.get("password", "")
