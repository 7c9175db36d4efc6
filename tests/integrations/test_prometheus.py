"""A real Prometheus scrapes the exporter, and answers what the dashboard and the rules ask."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from msgspec import Struct

from m31a_metrics import Collector, Usage, events
from m31a_metrics.questions import series
from m31a_metrics.units import SECOND_US
from tests import transcripts
from tests.integrations.prometheus_server import (
    ROOT,
    Exported,
    Prometheus,
    exporting,
    m31,
    program,
    promtool,
    pushed_to,
    scraping,
)
from tests.transcripts import ONE, TWO, call, prompt

pytestmark = pytest.mark.integrations

INTEGRATIONS = ROOT / "integrations"
RULES = yaml.safe_load((INTEGRATIONS / "prometheus" / "rules.yml").read_text())

LONG_AGO = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=3)
"""A morning whose calls are in the past that Prometheus is given."""

CONFIG = """\
[metrics.budget]
session_usd = 100
day_usd = 10
month_tokens = 1_000_000
"""

RUN_S = 3.0


class Recorded(Struct):
    """A recorded session that goes on, and how many calls it has."""

    collector: Collector
    count: int = 0

    def work(self, calls: int, tool: str = "Bash") -> None:
        """So many calls of 3 s, every other one failed, and one of everything else."""
        one = self.collector
        for number in range(calls):
            one.record_tool_call(tool, number % 2 == 0, RUN_S * 1000, wait_ms=50)
        self.count += calls
        t_us = int(datetime.now(UTC).timestamp() * SECOND_US)
        one.record(events.ToolCall(t_us, tool, False, 0, denied=True))
        usage = Usage(100, 20, cache_read_tokens=60, reasoning_tokens=5)
        one.record_llm_interaction("execute", usage, 0.25, model="opus-5")
        one.record_llm_interaction("execute", usage, model="a-model-of-nobody")
        one.record_phase_transition("verify")
        one.record_phase_duration("verify", 2000, success=False)
        one.record_heal_trigger("verify")
        one.record_heal_outcome("verify", success=True)
        one.record_heal_loop("verify")
        one.record_bisect_trigger("verify")
        one.flush()


class Scraped(NamedTuple):
    """Who scrapes whom, and what was recorded since."""

    prometheus: Prometheus
    exported: Exported
    recorded: Recorded
    before: int


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a transcript of three days ago, and one that is recorded now."""
    found = tmp_path_factory.mktemp("home")
    (found / ".m31a").mkdir(mode=0o700)
    (found / ".m31a" / "config.toml").write_text(CONFIG)
    lines = [prompt(LONG_AGO)]
    for number in range(40):
        lines += call(f"old{number}", LONG_AGO + timedelta(minutes=number))
    transcripts.write(found, ONE, *lines)
    return found


@pytest.fixture(scope="module")
def recorded(home: Path) -> Iterator[Recorded]:
    """A session with ten calls, which goes on."""
    with Collector("11112222", home / ".m31a" / "sessions", project="/src/shop") as collector:
        one = Recorded(collector)
        one.work(10)
        yield one


@pytest.fixture(scope="module")
def scraped(
    home: Path, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scraped]:
    """What is scraped while the session grows twice, and a new tool and agent come."""
    program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    past = folder / "past.om"
    m31(home, "export", "openmetrics", "--by", "day", "-o", str(past))
    promtool("tsdb", "create-blocks-from", "openmetrics", str(past), str(folder / "data"))
    with exporting(home) as exported, scraping(exported, folder) as prometheus:
        before = recorded.count
        prometheus.wait("count_over_time(m31a_collect_seconds[1m])", 3)
        recorded.work(20)
        prometheus.wait('sum(m31a_tool_calls_total{tool="Bash"})', 20)
        recorded.work(4, "Grep")
        today = datetime.now(UTC).replace(microsecond=0)
        transcripts.write(home, TWO, prompt(today), *call("new", today, ran_s=0.0))
        prometheus.wait('sum(m31a_tool_calls_total{tool="Grep"})', 4)
        prometheus.wait('sum(m31a_tool_calls_total{tool="Edit"})', 1)
        recorded.work(6)
        prometheus.wait('sum(m31a_tool_calls_total{tool="Bash"})', 26)
        prometheus.wait("count_over_time(m31a_collect_seconds[1m])", 8)
        yield Scraped(prometheus, exported, recorded, before)


def test_sums_are_right(scraped: Scraped) -> None:
    """Gauges are all there is, and counters what came since: last minus first of each series."""
    ask = scraped.prometheus.value
    assert ask('m31a_all_tool_calls{agent="m31a"}') == scraped.recorded.count == 40
    assert ask('m31a_all_tool_calls{agent="claude-code"}') == 41
    assert ask('m31a_day_tool_calls{agent="claude-code"}') == 1
    assert ask('m31a_all_tool_failures{agent="m31a"}') == 20
    grew = "sum(last_over_time({0}[10m]) - min_over_time({0}[10m]))"
    assert ask(grew.format('m31a_tool_calls_total{instance!=""}')) == 30 + 1
    # That of the transcript may have waited for a person, who is not to be told from the tool.
    assert ask(grew.format('m31a_tool_run_seconds_count{instance!=""}')) == 30
    assert ask(grew.format('m31a_tool_run_seconds_sum{instance!="",agent="m31a"}')) == 30 * RUN_S
    assert ask(grew.format('m31a_tool_denied_total{instance!=""}')) == 3
    kinds = 'm31a_llm_tokens_total{instance!="",agent="m31a"}'
    assert ask(grew.format(kinds)) == 3 * 2 * 120
    cost = 'm31a_llm_cost_usd_total{instance!="",agent="m31a"}'
    assert ask(grew.format(cost)) == pytest.approx(0.75)
    assert ask('m31a_day_cost_usd{agent="m31a",model="opus-5"}') == pytest.approx(1)


def test_no_series_ever_falls(scraped: Scraped) -> None:
    """Prometheus saw no reset of any counter, which it would add again."""
    names = [f"{one.name}_total" for one in series.COUNTERS if one.kind == series.COUNTER]
    names += [f"m31a_tool_run_seconds_{part}" for part in ("bucket", "sum", "count")]
    for name in names:
        found = scraped.prometheus.ask(f'resets({name}{{instance!=""}}[10m])')
        assert found, name
        assert {one["value"][1] for one in found} == {"0"}, name


def test_rates_are_of_what_came(scraped: Scraped) -> None:
    """`increase` finds what was counted, a new series from its first call on."""
    ask = scraped.prometheus.value
    for tool, count in (("Bash", 26), ("Grep", 4), ("Edit", 1)):
        of_tool = f'm31a_tool_calls_total{{tool="{tool}",instance!=""}}'
        assert ask(f"sum(increase({of_tool}[10m]))") == pytest.approx(count, rel=0.25)
        assert ask(f"sum(rate({of_tool}[10m])) * 600") == pytest.approx(count, rel=0.25)


def test_quantiles_are_in_the_bucket_of_the_calls(scraped: Scraped) -> None:
    """Calls of 3 s are between 2.56 and 5.12, and their mean is exact."""
    for q in (0.5, 0.95, 0.99):
        buckets = 'increase(m31a_tool_run_seconds_bucket{tool="Bash",instance!=""}[10m])'
        found = scraped.prometheus.value(f"histogram_quantile({q}, sum by (le) ({buckets}))")
        assert 2.56 < found <= 5.12
    mean = 'rate(m31a_tool_run_seconds_{}{{tool="Bash",instance!=""}}[10m])'
    assert scraped.prometheus.value(
        f"sum({mean.format('sum')}) / sum({mean.format('count')})"
    ) == pytest.approx(RUN_S)


def test_the_past_is_there(scraped: Scraped) -> None:
    """Three days ago 40 calls were made: a window of a day that holds that day has them."""
    midnight = LONG_AGO.replace(hour=0) + timedelta(days=1)
    for hours in (0, 3, 9):
        at_s = (midnight + timedelta(hours=hours)).timestamp()
        found = scraped.prometheus.value("sum(increase(m31a_tool_calls_total[1d]))", at_s)
        share = 1 - hours / 24
        assert found == pytest.approx(40 * share, abs=6)
    cost = 'sum(increase(m31a_llm_cost_usd_total{agent="claude-code"}[1d]))'
    spent = scraped.prometheus.value(cost, midnight.timestamp())
    assert spent == pytest.approx(
        scraped.prometheus.value('sum(m31a_all_cost_usd{agent="claude-code"})') * 40 / 41, rel=0.05
    )


def test_every_family_is_scraped(scraped: Scraped) -> None:
    """With the type that it is declared with; there is no other."""
    kinds = {series.INFO: "gauge"}
    expected = {
        {series.COUNTER: f"{one.name}_total", series.INFO: f"{one.name}_info"}.get(
            one.kind, one.name
        ): kinds.get(one.kind, one.kind)
        for one in series.FAMILIES
    }
    found = {
        name: kind
        for name, kind in scraped.prometheus.metadata().items()
        if name.startswith("m31a_")
    }
    # In OpenMetrics, which Prometheus asks for, a family has the name without what samples add.
    plain = {re.sub(r"_total$|_info$", "", name): kind for name, kind in found.items()}
    assert set(plain) == {re.sub(r"_total$|_info$", "", name) for name in expected}
    assert set(found.values()) <= {"counter", "gauge", "histogram", "info"}


def panels() -> Iterator[tuple[str, str]]:
    """The title and an expression of each panel of the dashboard."""
    dashboard = json.loads((INTEGRATIONS / "grafana" / "m31.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def test_every_panel_of_the_dashboard_shows_something(scraped: Scraped) -> None:
    """With its variables filled in, each expression has a series, and no value is NaN."""
    count = 0
    for title, expr in panels():
        asked = expr.replace("$__range", "1h").replace("$__rate_interval", "1m")
        asked = re.sub(r"\$(agent|model|tool|project)\b", ".*", asked)
        assert "$" not in asked
        found = scraped.prometheus.ask(asked)
        assert found, f"{title}: {asked}"
        assert all(one["value"][1] != "NaN" for one in found), f"{title}: {asked}"
        count += 1
    assert count > 30


@pytest.mark.parametrize("rule", RULES["groups"][0]["rules"], ids=lambda rule: rule["alert"])
def test_every_rule_has_something_to_compare(scraped: Scraped, rule: dict[str, str]) -> None:
    """What a rule looks at is there, above its limit or not."""
    compared = re.sub(r"([<>]=?) (\d)", r"\1 bool \2", rule["expr"])
    assert compared != rule["expr"]
    assert scraped.prometheus.ask(compared)


def test_what_is_exported_is_clean(scraped: Scraped) -> None:
    """Promtool has nothing to say of names, types, help and units."""
    assert promtool("check", "metrics", given=scraped.exported.scrape()) == ""
    assert promtool("check", "metrics", given=m31(scraped.exported.home, *TEXTFILE).encode()) == ""


TEXTFILE = ("export", "prometheus", "--textfile", "-")


def test_a_gateway_takes_the_gauges(scraped: Scraped, tmp_path: Path) -> None:
    """What is piped to it is what it tells, with the time at which the index was read."""
    written = m31(scraped.exported.home, *TEXTFILE)
    with pushed_to(tmp_path) as gateway:
        address = f"{gateway}/metrics/job/m31a"
        pushed = urllib.request.Request(address, written.encode(), method="POST")  # noqa: S310 - our own server
        with urllib.request.urlopen(pushed, timeout=30) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
        with urllib.request.urlopen(f"{gateway}/metrics", timeout=30) as answer:  # noqa: S310 - our own server
            told = answer.read().decode()
    assert 'm31a_all_tool_calls{agent="m31a",instance="",job="m31a"} 40' in told
    assert "m31a_index_read_timestamp_seconds{" in told


def test_rules_and_configuration_are_clean(tmp_path: Path) -> None:
    """Promtool checks them, and runs the cases of the rules."""
    folder = INTEGRATIONS / "prometheus"
    assert "7 rules found" in promtool("check", "rules", "rules.yml", cwd=folder)
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml", cwd=folder)
    for name in ("prometheus.yml", "rules.yml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "metrics.token").write_text("a token\n")
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml", cwd=tmp_path)


def test_a_restart_is_an_ordinary_reset(home: Path, recorded: Recorded, tmp_path: Path) -> None:
    """A second exporter begins at 0, and `increase` counts over both what each of them saw."""
    of_tool = 'm31a_tool_calls_total{tool="Bash"}'
    with ExitStack() as held:
        with exporting(home) as first:
            prometheus = held.enter_context(scraping(first, tmp_path))
            prometheus.wait(f"count_over_time(sum({of_tool})[1m:1s])", 2)
            recorded.work(10)
            prometheus.wait(f"sum({of_tool})", 10)
        with exporting(home, int(first.target.rpartition(":")[2])):
            prometheus.wait(f"sum({of_tool}) == bool 0")
            recorded.work(4)
            prometheus.wait(f"sum({of_tool}) == bool 4")
            resets = 'resets(m31a_tool_calls_total{tool="Bash",outcome="ok"}[5m])'
            assert prometheus.value(resets) == 1
            increase = f"sum(increase({of_tool}[5m]))"
            assert prometheus.value(increase) == pytest.approx(14, rel=0.35)
