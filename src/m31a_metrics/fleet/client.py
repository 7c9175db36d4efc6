"""ClickHouse over HTTP: a query and its rows, rows in JSON and nothing back.

Whatever people type goes into a query in one place, `literal`: 18.16 knows no parameters of
its own. A connection is kept for what follows, and made anew once where the server closed it.
"""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct, json

from m31a_metrics.errors import FleetRefused, FleetUnreachable
from m31a_metrics.queries import Query

_PARAMETER = re.compile(r":([a-z_][a-z_0-9]*)")
_CODE = re.compile(r"Code: (\d+)")
TIMEOUT_S = 60.0
DEFAULT_USER = "default"
"""Whom a server takes who says no name."""


class Address(Struct, frozen=True):
    """Where a fleet's database is, and as whom to ask: nothing of it is ever printed whole."""

    host: str
    port: int
    database: str
    user: str = DEFAULT_USER
    password: str = ""
    is_secure: bool = False
    ca_file: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"clickhouse://{host}:{self.port}/{self.database}"


def literal(value: str | int) -> str:
    """Write a value as it stands in a query."""
    if isinstance(value, int):
        return str(value)
    text = value.encode("utf-8", "replace").decode()
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def written(query: Query) -> str:
    """Write a query with its parameters' values in it."""
    return _PARAMETER.sub(lambda found: literal(query.parameters[found[1]]), query.text)


class Client:
    """One connection to one server. Raises FleetUnreachable, FleetRefused."""

    def __init__(self, address: Address, timeout_s: float = TIMEOUT_S) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._connection: HTTPConnection | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rows(self, text: str, settings: Mapping[str, str | int] = {}) -> list[list[Any]]:
        """Give all rows of a query."""
        answered = self._post(
            f"{text} FORMAT JSONCompact".encode(),
            {**settings, "output_format_json_quote_64bit_integers": 0},
        )
        found: _Answer = json.decode(answered, type=_Answer)
        return found.data

    def run(self, text: str, settings: Mapping[str, str | int] = {}) -> None:
        """Run a statement that gives no rows."""
        self._post(text.encode(), settings)

    def insert(self, table: str, lines: bytes, settings: Mapping[str, str | int] = {}) -> None:
        """Insert rows: JSON objects, one a line. Where it fails, some may be there, each whole."""
        query = f"INSERT INTO {table} FORMAT JSONEachRow"
        self._post(lines, {**settings, "query": query})

    def _post(self, body: bytes, settings: Mapping[str, str | int]) -> bytes:
        named = urlencode({"database": self.address.database, **settings}, quote_via=quote)
        headers = self._headers()
        for is_again in (False, True):
            is_kept = self._connection is not None
            try:
                connection = self._connection = self._connection or self._connected()
                connection.request("POST", f"/?{named}", body, headers)
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, HTTPException) as error:
                self.close()
                # A kept connection may have been closed meanwhile: the server's patience is 3 s.
                if is_kept and not is_again and not isinstance(error, TimeoutError):
                    continue
                raise FleetUnreachable(
                    f"{self.address} does not answer: {getattr(error, 'strerror', None) or error}"
                ) from error
            if answer.status != 200:
                raise _refused(self.address, data)
            return data
        raise AssertionError("not reached")

    def _headers(self) -> dict[str, str]:
        """Say who asks; nobody does where there is neither a user nor a password."""
        address = self.address
        if (address.user, address.password) == (DEFAULT_USER, ""):
            return {}
        user = f"{address.user}:{address.password}".encode()
        return {"Authorization": f"Basic {b64encode(user).decode()}"}

    def _connected(self) -> HTTPConnection:
        address = self.address
        if not address.is_secure:
            return HTTPConnection(address.host, address.port, timeout=self._timeout_s)
        context = ssl.create_default_context(cafile=address.ca_file or None)
        return HTTPSConnection(address.host, address.port, timeout=self._timeout_s, context=context)


class _Answer(Struct):
    data: list[list[Any]]


_READ_ONLY = "164"
_REASONS = {
    "60": "a table is missing; make it: m31 fleet init",
    "75": "its disk is full",
    "81": "there is no such database; make it: m31 fleet init",
    _READ_ONLY: "this user may only read",
    "192": "it knows no such user",
    "193": "the password is wrong",
    "194": "a password is needed",
    "241": "the question takes more memory than this user may have: ask for less, by --since or "
    "--project, or raise max_memory_usage in its profile; where many pushes came at once, wait "
    "until their parts are merged",
    "279": "a shard of it does not answer",
    "396": "its answer has more than 100,000 rows: ask for less, by --since, --project or --limit",
    "497": "this user lacks a right for that",
    "516": "user or password is wrong",
}


def _refused(address: Address, data: bytes) -> FleetRefused:
    text = data.decode("utf-8", "replace")
    found = _CODE.search(text)
    code = found[1] if found else ""
    reason = _REASONS.get(code) or f"code {code or 'unknown'}"
    if code == _READ_ONLY and " setting" in text:
        reason = "this user may set nothing: give it readonly 2, not 1"
    return FleetRefused(f"{address} refused: {reason}", code)


def lines_of(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Write rows as `insert` takes them, a line each."""
    encode = json.Encoder().encode
    for row in rows:
        try:
            yield encode(row) + b"\n"
        except UnicodeEncodeError:
            yield encode(_encodable(row)) + b"\n"


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {name: _encodable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(one) for one in value]
    return value
