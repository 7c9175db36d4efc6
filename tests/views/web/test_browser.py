from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec import json

from m31a_metrics import Collector
from m31a_metrics.answers import Slice
from m31a_metrics.config import Config
from m31a_metrics.record import FailureDay, SessionRecord, ToolDay
from m31a_metrics.table import Unit
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.web.index_thread import ThisMachine
from m31a_metrics.views.web.pages import Asked, of_slice
from m31a_metrics.views.web.report import report
from m31a_metrics.views.web.state import State
from tests.views.web.invented import course, light, records
from tests.views.web.served import Invented, fetch, served

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # says none
from playwright.sync_api import Browser, Page, expect

from tests.views.web.browser import Visit, browser

NOW = datetime.now().astimezone()
PAGES = ("/", "/sessions", "/tools", "/phases", "/blocks", "/compare")

HOSTILE = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>\u202egnp.exe'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A server with 1,000 sessions."""
    with served(Invented(records(1_000, NOW))) as address:
        yield address


@pytest.fixture
def visit(chromium: Browser, base: str) -> Iterator[Visit]:
    """A page in the browser, of the server with 1,000 sessions."""
    visiting = Visit(chromium, base)
    yield visiting
    visiting.close()


@pytest.mark.parametrize(
    "sessions",
    [
        pytest.param(lambda: iter(()), id="0"),
        pytest.param(lambda: records(1, NOW), id="1"),
        pytest.param(lambda: records(1_000, NOW), id="1000"),
        pytest.param(lambda: light(50_000, NOW), id="50000", marks=pytest.mark.soak),
    ],
)
def test_every_page_opens(
    chromium: Browser, sessions: Callable[[], Iterator[SessionRecord]]
) -> None:
    """With none, one, many and very many sessions each page is drawn, and nothing complains."""
    first = next(iter(sessions()), None)
    pages = [f"{page}?since=all" for page in PAGES] + [PAGES[0]]
    if first is not None:
        pages.append(f"/sessions/{first.session_id}")
        pages.append(f"/tools?since=all&tool={first.tools[0].tool}")
    with served(Invented(sessions())) as address:
        visiting = Visit(chromium, address)
        for page in pages:
            visiting.open(page)
            expect(visiting.page.locator("h1")).to_be_visible()
            if first is None:
                expect(visiting.page.locator(".notice, .empty").first).to_be_visible()
        visiting.close()


def test_a_page_is_drawn_before_any_script_and_plotly_comes_to_zoom(visit: Visit) -> None:
    """Plots are there without plotly.js, which is loaded once and holds what the API says."""
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.open("/")
    rows = json.decode(fetch(visit.base, "/api/overview?panel=tools_by_time")[1])
    assert page.locator("#tools_by_time .row").count() == len(rows)
    assert not any("plotly" in url for url in asked)
    assert visit.zoomed("tools_by_time")[0]["x"] == [row["ran_ms"] for row in rows]
    uses = json.decode(fetch(visit.base, "/api/overview?panel=use")[1])
    drawn = {
        (day, trace["name"]): cost
        for trace in visit.zoomed("use")
        for day, cost in zip(trace["x"], trace["y"], strict=True)
    }
    assert drawn == pytest.approx({(row["day"], row["model"]): row["cost_usd"] for row in uses})
    assert sum("plotly" in url for url in asked) == 1
    page.get_by_role("button", name=re.compile("Close.*Top tools by time")).click()
    expect(page.locator("#tools_by_time .row").first).to_be_visible()


def test_pages_are_whole_without_scripts(chromium: Browser, base: str) -> None:
    """Plots, their links and the filters need no script; only the zoom does."""
    visiting = Visit(chromium, base, java_script_enabled=False)
    page = visiting.open("/")
    expect(page.locator("#use .area rect").first).to_be_visible()
    expect(page.locator("#use button.zoom").first).to_be_hidden()
    page.locator("#cost_by_project .row").first.click()
    page.wait_for_url("**project=**")
    visiting.close()


def test_a_filter_narrows_the_page_and_stays_in_its_address(visit: Visit) -> None:
    """The form's choice is in the address, and reloading the address shows the same."""
    page = visit.open("/sessions?since=all")
    page.get_by_label("Agent").select_option("codex")
    page.wait_for_url("**agent=codex**")
    assert set(visit.column("sessions", "Agent")) == {"codex"}
    page.get_by_label("Search").fill("shop")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=shop**")
    shown = visit.column("sessions", "Project")
    assert shown
    assert all("shop" in project for project in shown)
    assert chosen(page) == {"since": ["all"], "agent": ["codex"], "q": ["shop"]}
    page.reload()
    assert visit.column("sessions", "Project") == shown
    expect(page.get_by_label("Search")).to_have_value("shop")
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url(re.compile(r"sessions\?since=all$"))


def chosen(page: Page) -> dict[str, list[str]]:
    """What the address says."""
    return parse_qs(urlsplit(page.url).query)


def test_what_is_clicked_narrows_the_page_and_back_undoes_it(visit: Visit) -> None:
    """A day, a model, a project and a phase narrow the overview; each is a chip that goes."""
    page = visit.open("/?since=90d")
    page.locator("#use .area a").last.click()
    page.wait_for_url("**until=**")
    (day,) = chosen(page)["until"]
    assert chosen(page)["since"] == [day]
    page.go_back()
    assert chosen(page) == {"since": ["90d"]}
    page.locator("#use .legend").first.get_by_role("link", name="claude-opus-4-5").click()
    page.wait_for_url("**model=claude-opus-4-5**")
    page.locator("#cost_by_project .row", has_text="shop").click()
    page.wait_for_url("**project=**")
    page.locator("#days .area a").last.click()
    page.wait_for_url("**until=**")
    chips = page.get_by_label("What is chosen")
    assert [text.split()[0] for text in chips.locator("li").all_text_contents()] == [
        *("Period", "Project", "Model")
    ]
    chips.get_by_role("link", name="Model").click()
    page.wait_for_url(lambda url: "model=" not in url)
    assert set(chosen(page)) == {"since", "until", "project"}
    page.go_back()
    assert "model" in chosen(page)


def test_a_tool_bar_a_phase_and_a_span_narrow(chromium: Browser, few: str) -> None:
    """A bar leads to its tool, a phase narrows the page, a span the session's own page."""
    visiting = Visit(chromium, few)
    page = visiting.open("/")
    page.locator("#cost_by_phase .row", has_text="verify").click()
    page.wait_for_url("**phase=verify**")
    expect(page.get_by_label("What is chosen")).to_contain_text("verify")
    page.locator("#tools_by_time .row", has_text="Bash").locator("rect").click()
    page.wait_for_url("**/tools?tool=Bash**")
    assert chosen(page)["phase"] == ["verify"]
    address = "/sessions/5e0f7a31-cart-faster"
    visiting.open(address)
    lanes = page.locator("#timeline .lane")
    count = lanes.count()
    page.locator("#timeline .track").first.locator("a rect").first.click()
    page.wait_for_url("**span=**")
    expect(page.get_by_label("What is chosen")).to_contain_text("Time")
    assert lanes.count() < count
    page.go_back()
    assert page.url == few + address
    page.locator("#timeline").get_by_role("link", name="Edit").first.click()
    page.wait_for_url("**tool=Edit**")
    page.get_by_label("What is chosen").get_by_role("link", name="Tool").click()
    page.wait_for_url(few + address)
    assert lanes.count() == count
    visiting.close()


def test_names_are_suggested(visit: Visit) -> None:
    """Fields offer the names that there are, as many as a person can look through."""
    page = visit.open("/")
    offered = {
        name: page.locator(f"#{name}-names option").evaluate_all("all => all.map((o) => o.value)")
        for name in ("project", "model", "branch")
    }
    assert "/home/ada/shop" in offered["project"]
    assert "claude-opus-4-5" in offered["model"]
    page.locator("input[name=model]").fill("claude-opus-4-5")
    page.keyboard.press("Enter")
    page.wait_for_url("**model=claude-opus-4-5**")
    expect(page.get_by_label("What is chosen")).to_contain_text("claude-opus-4-5")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_sessions_fit_the_width(chromium: Browser, few: str, width: int) -> None:
    """What one looks for is in sight without scrolling sideways; the rest unfolds."""
    visiting = Visit(chromium, few)
    visiting.page.set_viewport_size({"width": width, "height": 900})
    page = visiting.open("/sessions?since=all")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    row = page.locator("#sessions tbody tr").first
    for cell in row.locator("td").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
    row.locator("summary").click()
    expect(row.locator("dl")).to_contain_text("Models")
    if width < 640:
        expect(page.get_by_label("Agent")).to_be_hidden()
        page.get_by_text("Filters").click()
    expect(page.get_by_label("Agent")).to_be_visible()
    visiting.close()


def test_the_list_is_sorted_and_paged(visit: Visit) -> None:
    """A head sorts by its column, then the other way round; the next page goes on from there."""
    page = visit.open("/sessions?since=all")
    page.get_by_role("link", name="Cost", exact=True).click()
    page.wait_for_url("**sort=cost_usd**")
    first = money(visit.column("sessions", "Cost"))
    assert first == sorted(first, reverse=True)
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Cost")
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2**")
    assert max(money(visit.column("sessions", "Cost"))) <= min(first)
    page.get_by_role("link", name="Cost", exact=True).click()
    page.wait_for_url("**sort=-cost_usd**")
    rising = money(visit.column("sessions", "Cost"))
    assert rising == sorted(rising)


def money(texts: list[str]) -> list[float]:
    """The dollars of a column."""
    return [float(text.lstrip("<$").replace(",", "")) for text in texts]


def test_one_drills_down_and_goes_back(visit: Visit) -> None:
    """From the overview to a tool, to its day, to a session, and back to where one was."""
    page = visit.open("/")
    page.locator("#tools_by_time").get_by_role("link", name="Bash").first.click()
    page.wait_for_url("**/tools?tool=Bash")
    expect(page.locator("#distribution .area rect").first).to_be_visible()
    page.locator("#fail_rate summary").click()
    page.locator("#fail_rate tbody a").last.click()
    page.wait_for_url("**/tools?since=**")
    page.get_by_role("navigation").get_by_role("link", name="Sessions").click()
    page.wait_for_url("**/sessions?since=**")
    page.locator("#sessions tbody a").first.click()
    page.wait_for_url("**/sessions/**")
    expect(page.locator("#tokens")).to_be_visible()
    for _ in range(4):
        page.go_back()
    assert page.url == f"{visit.base}/"


def test_keys_and_themes(visit: Visit) -> None:
    """A slash goes to the search, Tab to the content, and the choice of colours is kept."""
    page = visit.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    visit.zoomed("use")
    ink = "document.querySelector('#use .zoomed').layout.font.color"
    light_ink = page.evaluate(ink)
    page.get_by_role("button", name="Dark or light").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(ink) != light_ink
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.fixture(scope="module")
def few() -> Iterator[str]:
    """A server with a few sessions: axe-core looks at every cell of every table."""
    with served(Invented(records(25, NOW), [course(NOW)])) as address:
        yield address


ALL_RULES: dict[str, Any] = {"resultTypes": ["violations"]}
"""What axe-core found good it need not describe, cell by cell."""
OF_COLOURS = {
    **ALL_RULES,
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
"""What alone can differ in the dark."""


@pytest.mark.parametrize(
    ("scheme", "rules"),
    [
        ("light", ALL_RULES),
        ("dark", OF_COLOURS),
        pytest.param("dark", ALL_RULES, marks=pytest.mark.soak),
    ],
    ids=["light", "dark, its colours", "dark"],
)
def test_axe_finds_no_serious_violation(
    chromium: Browser, few: str, scheme: str, rules: dict[str, Any]
) -> None:
    """No page keeps people out: axe-core has nothing serious or critical to say, in any colours."""
    visiting = Visit(chromium, few, color_scheme=scheme)
    session_id = json.decode(fetch(few, "/api/sessions?rows=1&panel=sessions")[1])[0]["session_id"]
    found: dict[str, list[str]] = {}
    for address in (*PAGES, f"/sessions/{session_id}", "/nothing"):
        visiting.page.goto(few + address)
        visiting.page.evaluate(
            "document.querySelectorAll('details').forEach((one) => one.open = true)"
        )
        violations = Axe().run(visiting.page, options=rules).response["violations"]
        serious = [one for one in violations if one["impact"] in ("serious", "critical")]
        if serious:
            found[address] = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in serious]
    visiting.problems = [one for one in visiting.problems if "404" not in one]
    visiting.close()
    assert not found


def hostile_records() -> Iterator[SessionRecord]:
    """Sessions whose every name is an attack, or 10,000 characters long."""
    for name, made in zip(
        (HOSTILE, "n" * 10_000, "\u202e\u2066'\"&<b>"), records(3, NOW), strict=True
    ):
        made.native_id = made.session_id = made.project = made.branch = name
        made.models = [name]
        for llm in made.llms:
            llm.model = llm.phase = name
        for phase in made.phases:
            phase.phase = name
        made.tools = [
            ToolDay(made.phases[0].day, name, name, call_count=3, fail_count=1, duration_us=5_000)
        ]
        made.tools[0].ran.add(5, 3)
        made.failures = [FailureDay(made.phases[0].day, name, name, 1)]
        for heal in made.heals:
            heal.check = heal.line = heal.phase = heal.tool = name
        yield made


def test_hostile_names_are_text(chromium: Browser) -> None:
    """Whatever a name holds, it is shown as text and nothing of it runs."""
    with served(Invented(hostile_records())) as address:
        visiting = Visit(chromium, address)
        for page in PAGES:
            visiting.open(f"{page}?since=all")
            assert (
                visiting.page.evaluate(
                    "document.querySelectorAll('main img, main script:not([type])').length"
                )
                == 0
            )
            assert visiting.page.title() != "owned"
        visiting.open("/sessions?since=all")
        assert any(
            "<script>document.title" in text for text in visiting.column("sessions", "Project")
        )
        links = visiting.page.locator("#sessions tbody td:first-child > a")
        for number in range(3):
            visiting.open("/sessions?since=all")
            links.nth(number).click()
            expect(visiting.page.locator("#tokens")).to_be_visible()
            assert visiting.page.title() != "owned"
        visiting.open(f"/tools?since=all&tool={'n' * 400}")
        visiting.close()


def test_a_page_follows_a_collector(chromium: Browser, tmp_path: Path) -> None:
    """While a Collector records, an open page shows it, without being touched."""
    directory = str(tmp_path / "sessions")
    config = Config(directory, str(tmp_path / "metrics.db"))
    with Collector("followed", directory) as collector:
        collector.record_tool_call("Bash", True, 40)
        with served(ThisMachine(config, {}, only_dir=True)) as address:
            visiting = Visit(chromium, address)
            page = visiting.open("/")
            expect(page.locator("#live")).to_be_visible()
            running = page.locator("#running tbody tr").first
            expect(running.locator("a").first).to_have_text("followed")
            running.locator("summary").click()
            page.locator("#tools_by_time summary").click()
            collector.record_tool_call("Grep", False, 9)
            expect(page.locator("#tools_by_time tbody")).to_contain_text("Grep", timeout=20_000)
            expect(page.locator("#tools_by_failure tbody")).to_contain_text("Grep")
            bars = page.locator("#tools_by_time .row .value")
            assert bars.all_text_contents() == ["40 ms", "9 ms"]
            assert page.locator("#tools_by_time details").get_attribute("open") is not None
            assert running.locator("details").get_attribute("open") is not None
            page.goto(f"{address}/sessions/followed")
            kinds = page.locator("#timeline .legend li").all_text_contents()
            assert {kind.strip() for kind in kinds} == {"ok", "failed", "no phase"}
            visiting.close()


def test_a_report_needs_nothing_else(chromium: Browser, tmp_path: Path) -> None:
    """A report opened from disk draws its plots, offers its tables, and asks nobody."""
    machine = Invented(records(1_000, NOW))
    with closing(machine), machine.ask() as opened:
        asked = Asked(opened.answers, State(since="all", rows=200), NOW, machine)
        written = report(of_slice(asked), "All of it", NOW)
        rows = opened.answers.tools(Slice())
    (tmp_path / "report.html").write_text(written, encoding="utf-8")
    assert len(written.encode()) < 1_000_000
    visiting = Visit(chromium, "")
    page = visiting.open(f"file://{tmp_path}/report.html")
    longest = text_of(max(row.ran_us for row in rows) / 1000, Unit.MS)
    expect(page.locator("#overview-tools_by_time .value").first).to_have_text(longest)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Sessions as CSV", exact=True).click()
    lines = waiting.value.path().read_text().splitlines()
    assert len(lines) == 201
    visiting.close()


def test_a_report_of_hostile_names_is_text(chromium: Browser, tmp_path: Path) -> None:
    """In a file, too, nothing of a name runs."""
    machine = Invented(hostile_records())
    with closing(machine), machine.ask() as opened:
        asked = Asked(opened.answers, State(since="all"), NOW, machine)
        written = report(of_slice(asked), HOSTILE, NOW)
    (tmp_path / "report.html").write_text(written, encoding="utf-8")
    visiting = Visit(chromium, "")
    visiting.open(f"file://{tmp_path}/report.html")
    assert visiting.page.title() != "owned"
    assert visiting.page.evaluate("document.querySelectorAll('main img').length") == 0
    visiting.close()
