"""Opening a browser at a running server, and finding out whether one is running.

Every account of a machine sees the command lines of all others, so a browser is not started
with the link, which has the token in it, but with a file that leads on to the link and that
its owner alone can read. A server holds a lock as long as it lives: while it is held, the
port belongs to that server, and not to a stranger who would be told the token.
"""

from __future__ import annotations

import fcntl
import os
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import escape
from pathlib import Path

from m31a_metrics import store
from m31a_metrics.errors import MetricsError

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="referrer" content="no-referrer">
  <meta http-equiv="refresh" content="0; url={link}">
  <title>m31</title>
</head>
<body><p><a href="{link}" rel="noreferrer">To the dashboard</a></p></body>
</html>
"""


class Entrance:
    """How a browser of this account finds the server at `host` and `port`.

    Its files are in a folder of ours: `dashboard.lock`, in which each server has locked a
    byte of its own, and for a moment a page that leads to the link.
    """

    def __init__(self, folder: str, host: str, port: int) -> None:
        self._locks = f"{folder}/dashboard.lock"
        self._byte = int.from_bytes(sha256(f"{host} {port}".encode()).digest()[:7])
        self._page = f"{folder}/dashboard-{self._byte:014x}.html"

    def open(self, link: str) -> bool:
        """Start a browser and lead it to the link; False where there is no browser.

        The page stays until `close`: the browser reads it when it is ready. Raises
        StorageError.
        """
        store.replace(self._page, _PAGE.format(link=escape(link)).encode(), sync=False)
        try:
            is_open = webbrowser.open(Path(self._page).as_uri())
        except webbrowser.Error:
            is_open = False
        if not is_open:
            self.close()
        return is_open

    def close(self) -> None:
        """Remove the page that leads to the link, if it is there."""
        try:
            os.unlink(self._page)
        except OSError:
            pass  # it was removed before, or never made

    def is_served(self) -> bool:
        """Tell whether a server of this account, in another process, is running there."""
        try:
            descriptor = store.open_file(self._locks, os.O_RDWR)
        except MetricsError:
            return False
        try:
            return not self._is_locked_now(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Hold the lock that tells others of a server here. Raises StorageError."""
        descriptor = store.open_file(self._locks, os.O_RDWR | os.O_CREAT)
        try:
            self._is_locked_now(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _is_locked_now(self, descriptor: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
        except (BlockingIOError, PermissionError):
            return False  # systems differ in how they say that another holds it
        return True
