"""A real Prometheus that scrapes a real exporter, for the time of a test."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec import Struct

ROOT = Path(__file__).parents[2]
UNPACKED = Path(os.environ.get("M31_INTEGRATIONS", ROOT / ".integrations"))
"""Where `make integrations` unpacked Debian's packages."""

M31 = (sys.executable, "-m", "m31a_metrics")

SCRAPES = """\
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [{rules}]
scrape_configs:
  - job_name: m31
    authorization:
      credentials_file: {token}
    static_configs:
      - targets: ["{target}"]
"""

Series = dict[str, Any]


def program(name: str) -> str:
    """The path of prometheus or promtool, or a skip."""
    path = UNPACKED / "usr" / "bin" / name
    if not path.is_file():
        pytest.skip(f"needs {name}: make integrations")
    return str(path)


def promtool(*arguments: str, given: bytes = b"", cwd: Path = ROOT) -> str:
    """Run promtool, which finds nothing wrong; what it said."""
    done = subprocess.run(
        [program("promtool"), *arguments], input=given, capture_output=True, cwd=cwd, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


class Prometheus(Struct):
    """One that runs: its port."""

    port: int

    def ask(self, expr: str, at_s: float | None = None) -> list[Series]:
        """Give the series that an expression has now, or at a time."""
        query = {"query": expr} | ({} if at_s is None else {"time": str(at_s)})
        return list(self._get(f"query?{urlencode(query)}")["result"])

    def value(self, expr: str, at_s: float | None = None) -> float:
        """Give the value of an expression that has one series."""
        (found,) = self.ask(expr, at_s)
        return float(found["value"][1])

    def wait(self, expr: str, at_least: float = 1) -> None:
        """Wait until an expression has a series of at least this value."""
        until_s = monotonic() + 60
        while not any(float(one["value"][1]) >= at_least for one in self.ask(expr)):
            assert monotonic() < until_s, f"{expr} is not {at_least}: {self.ask(expr)}"
            sleep(0.1)

    def metadata(self) -> dict[str, str]:
        """Give the type of each family that was scraped."""
        return {name: one[0]["type"] for name, one in self._get("metadata").items()}

    def _get(self, path: str) -> Any:
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]


class Exported(Struct):
    """An exporter that runs: its home, address and token."""

    home: Path
    address: str

    @property
    def target(self) -> str:
        return re.sub(r"^http://|/metrics$", "", self.address)

    @property
    def token_file(self) -> Path:
        return self.home / ".m31a" / "metrics.token"

    def scrape(self) -> bytes:
        """What a scraper gets."""
        headers = {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}
        request = urllib.request.Request(self.address, headers=headers)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            return bytes(answer.read())


def environ(home: Path) -> dict[str, str]:
    """The environment of a home, where days are those of UTC."""
    return {**os.environ, "HOME": str(home), "TZ": "UTC"}


def m31(home: Path, *arguments: str) -> str:
    """Run a command in a home; what it wrote."""
    done = subprocess.run(
        [*M31, *arguments], env=environ(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def exporting(home: Path, port: int = 0) -> Iterator[Exported]:
    """Run `m31 export prometheus` in a home."""
    process = subprocess.Popen(
        [*M31, "export", "prometheus", "--port", str(port)],
        env=environ(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Exported(home, process.stdout.readline().strip())
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
        assert "Traceback" not in said, said


@contextmanager
def scraping(exported: Exported, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes an exporter each second; its data are in the folder."""
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text(
        SCRAPES.format(
            rules=ROOT / "integrations" / "prometheus" / "rules.yml",
            token=exported.token_file,
            target=exported.target,
        )
    )
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=1y",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=written,
            stderr=written,
        )
    try:
        until_s = monotonic() + 60
        while not is_ready(port):
            assert process.poll() is None, log.read_text()
            assert monotonic() < until_s, log.read_text()
            sleep(0.1)
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def pushed_to(folder: Path) -> Iterator[str]:
    """Run a Pushgateway; its address."""
    port = free_port()
    with (folder / "log").open("w") as written:
        process = subprocess.Popen(
            [program("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}"],
            stdout=written,
            stderr=written,
        )
    try:
        until_s = monotonic() + 60
        while not is_ready(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert monotonic() < until_s
            sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def is_ready(port: int) -> bool:
    """Tell whether a Prometheus, or a Pushgateway, answers."""
    try:
        address = f"http://127.0.0.1:{port}/-/ready"
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
