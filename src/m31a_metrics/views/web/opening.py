"""Opening a browser at a running server, and finding out whether one is running.

Every account of a machine sees the command lines of all others, so a browser is not started
with the link, which has the token in it, but with a file that leads on to the link and that
its owner alone can read.
"""

from __future__ import annotations

import os
import webbrowser
from contextlib import AbstractContextManager
from html import escape
from pathlib import Path

from m31a_metrics import store
from m31a_metrics.credentials import ServerLock

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
        self._lock = ServerLock(f"{folder}/dashboard.lock", host, port)
        self._page = f"{folder}/dashboard-{self._lock.byte:014x}.html"

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
        return self._lock.is_held()

    def served(self) -> AbstractContextManager[None]:
        """Hold the lock that tells others of a server here. Raises StorageError."""
        return self._lock.held()
