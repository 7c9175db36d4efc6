from __future__ import annotations

import os
import re
import stat
import webbrowser
from html import unescape
from pathlib import Path
from time import sleep

import pytest

from m31a_metrics.errors import StorageError
from m31a_metrics.views.web.opening import Entrance
from tests import children

LINK = "http://127.0.0.1:8031/a-place/?token=sesame"


def entrance(folder: Path, host: str = "127.0.0.1", port: int = 8031) -> Entrance:
    return Entrance(str(folder), host, port)


def test_the_browser_is_given_a_file_and_not_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands on its command line is a path; the file leads on, and is its owner's alone."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))  # type: ignore[func-returns-value]
    with children.umask(0):
        assert entrance(tmp_path).open(f"{LINK}&a=\"b'")
    (file,) = tmp_path.iterdir()
    assert opened == [file.as_uri()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    led = re.findall(r'url=([^"]*)"', file.read_text())
    assert [unescape(one) for one in led] == [f"{LINK}&a=\"b'"]
    entrance(tmp_path).close()
    entrance(tmp_path).close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [None, webbrowser.Error("none")])
def test_without_a_browser_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """Where none can be started the file is removed, and it is told."""

    def browse(_: str) -> bool:
        if error:
            raise error
        return False

    monkeypatch.setattr(webbrowser, "open", browse)
    assert not entrance(tmp_path).open(LINK)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nothing is opened where the file cannot be written."""
    with pytest.raises(StorageError, match="nowhere"):
        entrance(tmp_path / "nowhere").open(LINK)
    assert not entrance(tmp_path / "nowhere").is_served()


def test_a_running_server_is_known_by_its_lock(tmp_path: Path) -> None:
    """While the process lives, at this address and port alone; a killed one is gone at once."""
    assert not entrance(tmp_path).is_served()
    ready = tmp_path / "ready"

    def serve() -> None:
        with entrance(tmp_path).served(), entrance(tmp_path, port=9).served():
            ready.touch()
            sleep(60)

    child = children.start(serve)
    try:
        while not ready.exists():
            sleep(0.01)
        for _ in range(3):
            assert entrance(tmp_path).is_served()
            assert entrance(tmp_path, port=9).is_served()
        assert not entrance(tmp_path, port=8032).is_served()
        assert not entrance(tmp_path, "127.0.0.2").is_served()
    finally:
        children.kill(child)
    assert not entrance(tmp_path).is_served()
    assert stat.S_IMODE(os.stat(tmp_path / "dashboard.lock").st_mode) == 0o600


def test_a_lock_that_another_has_stops_nobody(tmp_path: Path) -> None:
    """A second server at the same place is served all the same."""
    with entrance(tmp_path).served():
        assert children.run(lambda: entrance(tmp_path).served().__enter__()) == 0
