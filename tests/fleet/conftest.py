"""Servers that the tests of the fleet share, and servers that a test may break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import m31
from tests.fleet.servers import Servers, a_database, running

__all__ = ["m31"]


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One server alone, which all tests share: none may stop it."""
    with running(tmp_path_factory.mktemp("one"), 1) as servers:
        yield servers


@pytest.fixture(scope="session")
def two_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Two servers as the shards of one cluster, which all tests share: none may stop one."""
    with running(tmp_path_factory.mktemp("two")) as servers:
        yield servers


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Two servers as the shards of one cluster, which this file's tests may stop and start."""
    with running(tmp_path_factory.mktemp("own")) as servers:
        yield servers


@pytest.fixture
def fleet(two_servers: Servers) -> Iterator[str]:
    """The name of an empty fleet's database on `two_servers`."""
    with a_database(two_servers) as database:
        yield database


@pytest.fixture
def own_fleet(own_servers: Servers) -> Iterator[str]:
    """The name of an empty fleet's database on `own_servers`, all of which run."""
    for one in own_servers.shards:
        if one.process is None:
            one.start()
    with a_database(own_servers) as database:
        yield database
