"""SDKs against a server on loopback: those that are installed here, each by its real code path.

`make sdks` runs all of it with the oldest releases that are supported and with the newest, in
environments of their own. What an SDK or a release of it warns of is not what is tested.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from m31a_metrics import Collector, LLMMetric
from tests.sdks.server import Server, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: `pytest -m sdks`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("sdks")
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One server for all tests."""
    with serving() as server:
        yield server
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clients that SDKs keep, which nobody closes
        gc.collect()


@pytest.fixture
def server(shared_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with nothing served, and nobody who asks it by way of a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    shared_server.served.clear()
    shared_server.requests.clear()
    shared_server._refused.clear()
    return shared_server


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A session that nothing has been recorded of."""
    one = Collector("attached", tmp_path, enabled=True)
    yield one
    one.stop()


class Recorded(NamedTuple):
    """What a session holds of answers: of how many the usage is unknown, and the tokens."""

    answers: int
    prompt: int
    completion: int
    unknown: int = 0


def recorded(collector: Collector) -> Recorded:
    """Sum up what a session holds of answers."""
    rows: list[LLMMetric] = collector.snapshot().llms
    return Recorded(
        sum(row.interaction_count for row in rows),
        sum(row.prompt_tokens for row in rows),
        sum(row.completion_tokens for row in rows),
        sum(row.unknown_usage_count for row in rows),
    )
