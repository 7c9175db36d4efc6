"""`m31 collect` killed with SIGKILL at random moments: what it acknowledged is on the disk."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from m31a_metrics import config, store
from m31a_metrics.catalog.load import Loader
from m31a_metrics.catalog.records import RECORDED
from m31a_metrics.journal import OTLP_OPEN
from tests.commands import M31, environment
from tests.live.otlp.telemetry import JSON, logs

EACH = 20
"""So many model calls are in a request, of two sessions half of them each."""
SENDERS = 2


class Sending(threading.Thread):
    """Sends one request after the other until nobody answers; counts those acknowledged."""

    def __init__(self, port: int, first: int) -> None:
        super().__init__()
        self.port = port
        self.next = first
        self.acknowledged: list[int] = []

    def run(self) -> None:
        """Send until it fails."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while True:
                first = self.next
                self.next += EACH
                body = logs("one", "two", count=EACH // 2, first=first)
                connection.request("POST", "/v1/logs", body, JSON)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.acknowledged.append(first)
        except (OSError, HTTPException):
            return  # killed
        finally:
            connection.close()


def kill_and_count(home: Path, kills: int) -> tuple[int, int]:
    """Kill a receiver again and again; how many calls were acknowledged, and how many are there."""
    chance = random.Random(kills)
    acknowledged: set[int] = set()
    for number in range(kills):
        process = subprocess.Popen(
            [*M31, "collect", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        senders = [Sending(port, (number * SENDERS + one) * 10**6) for one in range(SENDERS)]
        for sender in senders:
            sender.start()
        while not all(sender.acknowledged for sender in senders):
            time.sleep(0.001)
        time.sleep(chance.random() / 5)
        process.kill()
        process.communicate()
        for sender in senders:
            sender.join()
            acknowledged.update(sender.acknowledged)
    there = {name: _calls(home, name) for name in ("one", "two")}
    for name, ids in there.items():
        wanted = {f"req_{name}_{first + one}" for first in acknowledged for one in range(EACH // 2)}
        assert wanted <= ids.keys()
    loader = Loader(config.defaults())
    for name, ids in there.items():
        record = loader.load(RECORDED, f"{home}/.m31a/sessions/{name}").record
        assert sum(row.interaction_count for row in record.llms) == len(ids)
    return len(acknowledged) * EACH, sum(map(len, there.values()))


def _calls(home: Path, name: str) -> dict[str, int]:
    """The ids of the calls of a session, and how often each was written."""
    text = (home / ".m31a/sessions" / name / store.EVENTS / OTLP_OPEN).read_text()
    found: dict[str, int] = {}
    for line in text.splitlines():
        if '"llm_interaction"' in line and line.endswith("}"):
            own = line.partition('"id":"')[2].partition('"')[0]
            found[own] = found.get(own, 0) + 1
    return found


def test_a_killed_receiver_loses_nothing_it_acknowledged(clean_home: Path) -> None:
    """Three kills: every acknowledged call counts, once, in both sessions of its request."""
    acknowledged, there = kill_and_count(clean_home, 3)
    assert 0 < acknowledged <= there


@pytest.mark.soak
def test_fifty_kills_lose_nothing(clean_home: Path) -> None:
    """The same, fifty times."""
    acknowledged, there = kill_and_count(clean_home, 50)
    assert 0 < acknowledged <= there
