from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from m31a_metrics.views.web.opening import Entrance
from m31a_metrics.views.web.safety import Doors
from tests.views.web.invented import records
from tests.views.web.served import Invented, credentials, served

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'")

from playwright.sync_api import Browser, expect

from tests.views.web.browser import Visit, browser

NOW = datetime.now().astimezone()
TOKEN = credentials().token
HOW_TO_GET_IN = "m31 serve --open"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with browser() as started:
        yield started


@pytest.fixture
def base() -> Iterator[str]:
    """A server that asks for its token."""
    with served(Invented(records(25, NOW)), Doors(credentials)) as address:
        yield address


@pytest.fixture
def visit(chromium: Browser, base: str) -> Iterator[Visit]:
    """Somebody who has not come in yet."""
    visiting = Visit(chromium, base)
    yield visiting
    visiting.close()


@contextmanager
def another_server(page: str = "") -> Iterator[tuple[str, list[str]]]:
    """Serve a page on another port of this machine; gives its port and the cookies it was sent."""
    cookies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookies.extend(self.headers.get_all("cookie") or [])
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield str(server.server_address[1]), cookies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_first_visit_leaves_a_cookie_and_no_token(visit: Visit) -> None:
    """The link lets in; then the token is in no address, no page, no history and no script."""
    page = visit.open(f"/sessions?since=all&token={TOKEN}")
    assert page.url == f"{visit.base}/sessions?since=all"
    expect(page.locator("#live")).to_be_visible()
    assert TOKEN not in page.content()
    assert page.evaluate("[document.cookie, document.referrer]") == ["", ""]
    (cookie,) = visit.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert cookie["path"] == f"/{credentials().prefix}"
    assert TOKEN not in cookie["value"]
    assert cookie["value"] not in page.content()


def test_one_goes_on_back_and_opens_another_tab(visit: Visit) -> None:
    """Whoever is in stays in: by links, back, forward, reload, and in a second tab."""
    page = visit.open(f"/?token={TOKEN}")
    page.get_by_role("link", name="Sessions", exact=True).click()
    page.wait_for_url("**/sessions")
    page.locator("#sessions tbody a").first.click()
    page.wait_for_url("**/sessions/*")
    expect(page.locator("#tokens")).to_be_visible()
    page.go_back()
    page.go_back()
    assert page.url == f"{visit.base}/"
    page.go_back()
    assert page.url == "about:blank"
    page.go_forward()
    page.reload()
    assert page.url == f"{visit.base}/"
    second = visit.another()
    second.goto(f"{visit.base}/tools")
    expect(second.locator("#spread")).to_be_visible()


def refused(visit: Visit) -> None:
    """Check that the page tells how to get in, and nothing else."""
    body = visit.page.locator("body")
    expect(body).to_contain_text(HOW_TO_GET_IN)
    assert visit.page.locator("table, nav, script").count() == 0
    assert not visit.context.cookies()
    assert any("401" in problem for problem in visit.problems)
    visit.problems.clear()


@pytest.mark.parametrize("address", ["/", "/sessions?since=all", "/api/tools", "/?token=wrong"])
def test_without_the_token_one_is_told_how_to_get_in(visit: Visit, address: str) -> None:
    """A page, a table, or a link with a wrong token: one sentence and no data."""
    visit.page.goto(visit.base + address)
    refused(visit)


def test_outside_of_the_prefix_there_is_nothing(visit: Visit) -> None:
    """Whoever is in gets nothing elsewhere either."""
    page = visit.open(f"/?token={TOKEN}")
    for path in ("/", "/sessions", "/api/tools"):
        answer = page.goto(f"http://{urlsplit(visit.base).netloc}{path}")
        assert answer
        assert (answer.status, answer.text()) == (404, "Not Found")
    visit.problems.clear()


def test_another_port_is_sent_no_cookie(visit: Visit) -> None:
    """Browsers send cookies to every port of a host; the path keeps ours at home."""
    visit.open(f"/?token={TOKEN}")
    with another_server() as (port, cookies):
        for host in ("127.0.0.1", "localhost"):
            visit.page.goto(f"http://{host}:{port}/")
            visit.page.goto(f"http://{host}:{port}/sessions")
        visit.page.evaluate(
            "fetch('/api/tools', {credentials: 'include'}).then((one) => one.text())"
        )
    assert cookies == []
    visit.hosts.clear()
    visit.problems.clear()


def test_a_page_of_another_port_reads_nothing(visit: Visit) -> None:
    """Though it counts as the same site, it can neither embed, nor fetch, nor frame ours."""
    visit.open(f"/?token={TOKEN}")
    address = f"{visit.base}/api/sessions?since=all"
    frame = f"<iframe src='{visit.base}/'></iframe><script src='{address}'></script>"
    with another_server(frame) as (port, _):
        page = visit.page
        page.goto(f"http://127.0.0.1:{port}/")
        script = "(address) => fetch(address, {credentials: 'include'}).then((one) => one.text())"
        read = page.evaluate(f"async (address) => {{ try {{ return await ({script})(address) }} "
                             "catch { return 'nothing' } }", address)  # fmt: skip
        assert read == "nothing"
        assert all(one.locator("table").count() == 0 for one in page.frames)
    visit.hosts.clear()
    visit.problems.clear()


def test_the_file_that_opens_the_browser_lets_in(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file of this machine one comes in, cookie and all; then the file is gone."""
    opened: list[str] = []

    def browse(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    entrance = Entrance(str(tmp_path), "127.0.0.1", 1)
    with served(Invented(records(25, NOW)), Doors(credentials, entered=entrance.close)) as base:
        assert entrance.open(f"{base}/?token={TOKEN}")
        (file,) = tmp_path.glob("*.html")
        assert opened == [file.as_uri()]
        visiting = Visit(chromium, base)
        page = visiting.page
        page.goto(opened[0])
        page.wait_for_url(f"{base}/")
        expect(page.locator("#use")).to_be_visible()
        assert not file.exists()
        page.reload()
        expect(page.locator("#use")).to_be_visible()
        visiting.problems.clear()  # it was asked without the cookie first
        visiting.close()


def test_a_link_from_elsewhere_leads_in_who_is_in(visit: Visit) -> None:
    """A strict cookie is withheld at first from whoever comes from another site."""
    address = f"{visit.base}/sessions?since=all"
    with another_server(f"<a href='{address}'>there</a>") as (port, _):
        visit.page.goto(f"http://localhost:{port}/")
        visit.page.get_by_role("link").click()
        visit.page.wait_for_url("**&again=1")
        refused(visit)
        visit.open(f"/?token={TOKEN}")
        visit.page.goto(f"http://localhost:{port}/")
        visit.page.get_by_role("link").click()
        visit.page.wait_for_url(address)
        expect(visit.page.locator("#sessions")).to_be_visible()
        assert visit.page.url == address
    visit.hosts.clear()
    visit.problems.clear()
