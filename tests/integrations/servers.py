"""Other people's programs, started for a test on free ports of loopback, and ended with it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        port: int = asking.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], log: Path, environ: dict[str, str]) -> Iterator[None]:
    """Run a program until the test ends; what it says goes to `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ},
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(is_so: Callable[[], bool], patience_s: float, what: str) -> None:
    """Wait until something is so. Raises AssertionError after `patience_s`."""
    until_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < until_s, f"{what}: not within {patience_s:.0f} s"
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Tell whether anybody answers at an address."""
    try:
        with urlopen(url, timeout=2):  # noqa: S310 - on loopback
            return True
    except URLError as error:
        return hasattr(error, "code")
    except OSError:
        return False
