"""`/metrics`: its own door, what it answers with, and what it makes of an index in the making."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from m31a_metrics import config
from m31a_metrics.catalog.exporter import Exporter
from m31a_metrics.config import Config
from m31a_metrics.credentials import Credentials
from m31a_metrics.errors import ConfigError, StorageError
from m31a_metrics.history import MEMORY, History
from m31a_metrics.views.web.app import dashboard
from m31a_metrics.views.web.index_thread import IndexThread, Noted
from m31a_metrics.views.web.metrics import Metrics, alone, token_file
from m31a_metrics.views.web.safety import Doors
from tests.questions.test_series import session
from tests.views.web.asgi import Answer, ask, started
from tests.views.web.served import AGENTS, Invented

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = Credentials("", "sesame")
LOCAL = Doors(lambda: TOKEN)
BEARER = {"authorization": "Bearer sesame"}


class Machine(Invented):
    """A machine with an index in memory, which a test changes, and says what it is."""

    def __init__(self) -> None:
        super().__init__([])
        self.history = History(MEMORY)
        self.file = 1
        self.is_whole = True
        self.error: Exception | None = None

    @contextmanager
    def opened(self) -> Iterator[Noted]:
        if self.error is not None:
            raise self.error
        yield Noted(self.history, ("a note",), self.file, self.is_whole)

    def ask(self, *, in_memory: bool = False) -> AbstractContextManager[Noted]:
        """Open it, whichever is asked for."""
        del in_memory
        return self.opened()


@pytest.fixture
def settings(clean_home: Path, zone: Callable[[str], None]) -> Config:
    """The configuration of an empty home, where days are those of UTC."""
    zone("UTC")
    return config.defaults()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine with ten calls, looked at before each question."""
    monkeypatch.setattr("m31a_metrics.views.web.index_thread.FRESH_S", 0.0)
    monkeypatch.setattr("m31a_metrics.views.web.index_thread.RESTS", 0)
    one = Machine()
    one.history.put(session("a", 10))
    yield one
    one.history.close()


Scraped = dict[str, float]


def values(answer: Answer) -> Scraped:
    """What was answered, by the name and the labels of each series."""
    assert answer.status == 200, answer.body
    lines = answer.body.decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")
    }


def app_of(machine: Machine, settings: Config, doors: Doors = LOCAL) -> ASGIApp:
    """The server of metrics alone, at noon."""
    return alone(machine, Exporter(settings), clock=lambda: NOW, doors=doors, on_bug=fail)


def fail(error: Exception) -> None:
    raise error


CALLS = 'm31a_tool_calls_total{agent="codex",outcome="ok",tool="Bash"}'
DAY_COST = 'm31a_day_cost_usd{agent="codex",model="opus-5"}'


def test_each_scrape_counts_what_came_since(machine: Machine, settings: Config) -> None:
    """Counters begin at 0 with the server, gauges say what is; both follow the files."""
    with started(app_of(machine, settings)) as app:
        first = values(ask(app, "/metrics", **BEARER))
        assert (first[CALLS], first[DAY_COST]) == (0, 1)
        assert first['m31a_all_tool_calls{agent="codex"}'] == 10
        assert first["m31a_index_problems"] == 1
        assert first["m31a_index_read_timestamp_seconds"] == NOW.timestamp()
        machine.history.put(session("a", 14, cost_usd=3))
        second = values(ask(app, "/metrics", **BEARER))
        assert (second[CALLS], second[DAY_COST]) == (4, 3)
        assert second['m31a_llm_cost_usd_total{agent="codex",model="opus-5"}'] == 2
        bucket = 'm31a_tool_run_seconds_bucket{agent="codex",le="%s",tool="Bash"}'
        assert [second[bucket % le] for le in ("2.56", "5.12", "+Inf")] == [0, 4, 4]
        assert second['m31a_tool_run_seconds_sum{agent="codex",tool="Bash"}'] == 12


def test_an_index_that_is_being_made_is_not_believed(machine: Machine, settings: Config) -> None:
    """Nothing moves while sessions are missing, and nothing counts again when they are back."""
    with started(app_of(machine, settings)) as app:
        before = values(ask(app, "/metrics", **BEARER))
        machine.history.remove("codex", "a")
        machine.is_whole = False
        during = values(ask(app, "/metrics", **BEARER))
        machine.history.put(session("a", 11))
        machine.is_whole = True
        after = values(ask(app, "/metrics", **BEARER))
    assert (during[CALLS], during[DAY_COST]) == (0, 1)
    assert after[CALLS] - before[CALLS] == 1


def test_counters_wait_for_an_index_that_is_whole(machine: Machine, settings: Config) -> None:
    """A server that starts beside a rebuild shows what there is, and counts from the whole."""
    machine.is_whole = False
    with started(app_of(machine, settings)) as app:
        first = values(ask(app, "/metrics", **BEARER))
        assert CALLS not in first
        assert first[DAY_COST] == 1
        assert "m31a_index_read_timestamp_seconds" not in first
        machine.history.put(session("b", 100))
        machine.is_whole = True
        assert values(ask(app, "/metrics", **BEARER))[CALLS] == 0


def test_another_index_is_no_growth(machine: Machine, settings: Config) -> None:
    """One in memory that stands in, and the file that is there again, count from what they hold."""
    with started(app_of(machine, settings)) as app:
        ask(app, "/metrics", **BEARER)
        machine.file = 2
        machine.history.put(session("long ago", 500))
        assert values(ask(app, "/metrics", **BEARER))[CALLS] == 0
        machine.history.put(session("b", 2))
        assert values(ask(app, "/metrics", **BEARER))[CALLS] == 2


def test_openmetrics_is_given_to_whoever_accepts_it(machine: Machine, settings: Config) -> None:
    """Prometheus asks for it first; the classic text is for everybody else."""
    accept = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    with started(app_of(machine, settings)) as app:
        answer = ask(app, "/metrics", **BEARER, **accept)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.body.endswith(b"# EOF\n")
        assert b"# UNIT m31a_tool_run_seconds seconds\n" in answer.body
        plain = ask(app, "/metrics", **BEARER)
    assert plain.headers["content-type"].startswith("text/plain")
    assert plain.headers["cache-control"] == "no-store"


def test_nothing_names_a_session_or_a_path(machine: Machine, settings: Config) -> None:
    """A project is the last part of its path, and no label is an id."""
    with started(app_of(machine, settings)) as app:
        body = ask(app, "/metrics", **BEARER).body.decode()
    assert 'm31a_project_tokens_total{project="app"}' in body
    assert "/src" not in body
    assert set(re.findall(r"(\w+)=\"", body)) == {
        *("agent", "tool", "outcome", "le", "model", "kind", "phase", "project", "version")
    }


@pytest.mark.parametrize("doors", [LOCAL, Doors(lambda: TOKEN, "0.0.0.0")])  # noqa: S104 - what is tested
def test_without_its_token_there_is_nothing(
    machine: Machine, settings: Config, doors: Doors
) -> None:
    """No token, another one, or one in the address: 401, and not a word of what is here."""
    with started(app_of(machine, settings, doors)) as app:
        for address, more in (
            ("/metrics", {}),
            ("/metrics", {"authorization": "Bearer another"}),
            ("/metrics", {"authorization": "Basic sesame"}),
            ("/metrics?token=sesame", {}),
        ):
            answer = ask(app, address, **more)
            assert answer.status == 401
            assert b"codex" not in answer.body
        assert ask(app, "/metrics", method="POST", **BEARER).status == 405
        assert ask(app, "/", **BEARER).status == 404
        # A scraper calls the machine by whatever name its network has for it.
        assert ask(app, "/metrics", host="box.lan:8032", **BEARER).status == 200


def test_where_no_token_is_asked_for_only_this_machine_is_let_in(
    machine: Machine, settings: Config
) -> None:
    """A page that points its own name at loopback would read it in a browser."""
    with started(app_of(machine, settings, Doors(lambda: TOKEN, asks_token=False))) as app:
        assert ask(app, "/metrics").status == 200
        assert ask(app, "/metrics", host="evil.example").status == 421


def test_neither_token_opens_the_other_door(settings: Config, machine: Machine) -> None:
    """Beside the dashboard: the scraper's opens no page, the person's no metrics."""
    person = Doors(lambda: Credentials("a-place", "open"))

    def beside(app: ASGIApp, index: IndexThread) -> ASGIApp:
        exporter = Exporter(settings)
        return Metrics(app, index, exporter, clock=lambda: NOW, doors=LOCAL, on_bug=fail)

    served = dashboard(machine, lambda: NOW, AGENTS, person, fail, beside=beside)
    with started(served) as app:
        assert ask(app, "/metrics", authorization="Bearer open").status == 401
        assert ask(app, "/metrics", **BEARER).status == 200
        assert ask(app, "/a-place/tools", **BEARER).status == 401
        assert ask(app, "/a-place/tools", authorization="Bearer open").status == 200
        assert ask(app, "/a-place/metrics", authorization="Bearer open").status == 404


def test_trouble_with_the_index_is_told_and_passes(machine: Machine, settings: Config) -> None:
    """503 and a sentence while nothing can answer; then it goes on to count."""
    with started(app_of(machine, settings)) as app:
        ask(app, "/metrics", **BEARER)
        machine.error = StorageError("cannot read the sessions")
        answer = ask(app, "/metrics", **BEARER)
        assert (answer.status, answer.body) == (503, b"cannot read the sessions\n")
        machine.error = None
        machine.history.put(session("a", 12))
        assert values(ask(app, "/metrics", **BEARER))[CALLS] == 2


def test_a_bug_is_told_where_it_runs(machine: Machine, settings: Config) -> None:
    """A scrape that fails gets 500 and no traceback."""
    told: list[Exception] = []
    app = alone(machine, Exporter(settings), clock=lambda: NOW, doors=LOCAL, on_bug=told.append)
    with started(app):
        machine.history.close()
        machine.error = RuntimeError("surprise")
        assert ask(app, "/metrics", **BEARER).status == 500
        assert [str(one) for one in told] == ["surprise"]
        machine.history = History(MEMORY)
        machine.error = None


def test_budgets_are_told_with_their_used_part(machine: Machine, settings: Config) -> None:
    """Limits of the day and the month with their use; of sessions, the one nearest to its limit."""
    limited = replace(settings, budget={"day_usd": 4.0, "month_tokens": 2400, "session_usd": 0.5})
    record = session("a", 10)
    record.started_us = record.updated_us = int(NOW.timestamp() * 1e6) - 1
    machine.history.put(record)
    with started(app_of(machine, limited)) as app:
        found = values(ask(app, "/metrics", **BEARER))
    assert found['m31a_budget_limit_usd{scope="day"}'] == 4
    assert found['m31a_budget_limit_tokens{scope="month"}'] == 2400
    assert found['m31a_budget_used_ratio{scope="day",unit="usd"}'] == 0.25
    assert found['m31a_budget_used_ratio{scope="month",unit="tokens"}'] == 0.5
    assert found['m31a_budget_used_ratio{scope="session",unit="usd"}'] == 2
    assert found["m31a_running_sessions"] == 1


def test_a_limit_that_is_none_is_told_at_the_start(settings: Config) -> None:
    """Not at each scrape, which nobody reads."""
    with pytest.raises(ConfigError, match="day_usd"):
        Exporter(replace(settings, budget={"day_usd": -1}))


def test_the_token_is_a_file_that_a_scraper_can_name(tmp_path: Path) -> None:
    """The token, a newline and nothing else, for its owner alone; made once, renewed by name."""
    kept = token_file(str(tmp_path))
    path = tmp_path / "metrics.token"
    token = kept.current().token
    assert path.read_text() == f"{token}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert token_file(str(tmp_path)).current().token == token
    token_file(str(tmp_path)).renew()
    assert kept.current().token != token
    path.write_text("too short\n")
    assert token_file(str(tmp_path)).current().token != "too short"  # noqa: S105 - no secret


def test_other_addresses_are_not_looked_at(settings: Config, machine: Machine) -> None:
    """What lies below or beside /metrics is the other application's."""
    rest = PlainTextResponse("rest")
    index = IndexThread(machine)
    app = Metrics(rest, index, Exporter(settings), clock=lambda: NOW, doors=LOCAL, on_bug=fail)
    assert [ask(app, path).body for path in ("/metrics/", "/metricsx", "/")] == [b"rest"] * 3
    index.close()
