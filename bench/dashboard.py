"""What a person waits for: whole answers of the server, over loopback, on a warm index.

And what of them a browser shows first, where there is one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from bench.measure import Row
from m31a_metrics.views.web.report import report
from tests.cli.test_serve import Server, get, serving
from tests.views.web import spoken
from tests.views.web.invented import course, records
from tests.views.web.served import Invented, fetch, served

SESSIONS = 10_000
ROUNDS = 15
TRANSCRIPT_BYTES = 100_000_000
WINDOW_LIMIT_MS, WINDOW_LIMIT_MB = 1_000, 100

PAGE_LIMIT_MS, NARROWED_LIMIT_MS, API_LIMIT_MS = 300, 1_000, 100
ANSWERS = {
    "first page": ("/", PAGE_LIMIT_MS),
    "first page, all time": ("/?since=all", PAGE_LIMIT_MS),
    "sessions, last page of all": ("/sessions?since=all&page=200", PAGE_LIMIT_MS),
    "sessions, a search": ("/sessions?since=all&q=faster", PAGE_LIMIT_MS),
    "tools": ("/tools", PAGE_LIMIT_MS),
    "phases": ("/phases", PAGE_LIMIT_MS),
    "first page, narrowed to a phase": ("/?phase=verify", NARROWED_LIMIT_MS),
    "API: sessions": ("/api/sessions?since=all", API_LIMIT_MS),
    "API: tools": ("/api/tools", API_LIMIT_MS),
    "API: phases": ("/api/phases", API_LIMIT_MS),
    "API: overview": ("/api/overview", API_LIMIT_MS),
}


VIEW_LIMIT_MS, VIEWS = 500, 7
SEEN_FIRST = {
    "overview": "/",
    "sessions": "/sessions",
    "a session": "/sessions/5e0f7a31-cart-faster",
}
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def rows(directory: Path) -> list[Row]:
    """Ask for each answer in turn; the quickest of several rounds counts."""
    best_ms = dict.fromkeys(ANSWERS, float("inf"))
    sizes = dict.fromkeys(ANSWERS, 0)
    now = datetime.now().astimezone()
    machine = Invented(records(SESSIONS, now), [course(now)])
    with served(machine) as base:
        for _round in range(ROUNDS):
            for name, (address, _limit) in ANSWERS.items():
                began_s = perf_counter()
                status, body = fetch(base, address)
                took_ms = (perf_counter() - began_s) * 1000
                assert status == 200, address
                best_ms[name], sizes[name] = min(best_ms[name], took_ms), len(body)
        views = _views(base)
    measured = [
        Row(name, best_ms[name], limit, "ms", note=f"{SESSIONS:,} sessions; {sizes[name]:,} bytes")
        for name, (_, limit) in ANSWERS.items()
    ]
    return [*measured, *views, _report_row(), *_transcript_rows(directory)]


def _views(base: str) -> list[Row]:
    """Open pages in a browser that has nothing of them, until it shows something: the median."""
    from tests.views.web.browser import browser

    painted_ms: dict[str, list[float]] = {name: [] for name in SEEN_FIRST}
    try:
        with browser() as started:
            for _ in range(VIEWS):
                for name, address in SEEN_FIRST.items():
                    context = started.new_context(viewport={"width": 1440, "height": 900})
                    page = context.new_page()
                    page.goto(base + address)
                    page.wait_for_function("() => performance.getEntriesByType('paint').length > 1")
                    painted_ms[name].append(page.evaluate(PAINTED))
                    context.close()
    except pytest.skip.Exception:
        return []  # there is no browser here
    note = "from the request to the first contents, median of new windows"
    return [
        Row(f"first view of {name}", median(found), VIEW_LIMIT_MS, "ms", note=note)
        for name, found in painted_ms.items()
    ]


def _report_row() -> Row:
    size = len(report([], "empty", datetime.now().astimezone()).encode())
    return Row("a report without sessions", size / 1e6, 0.1, "MB")


def _transcript_rows(home: Path) -> list[Row]:
    """Measure the first window of a long session, in a server that never read one before.

    Its memory is what the process grew by at its peak, over what it had when it began to serve.
    """
    began = datetime.now(UTC) - timedelta(days=1)
    path = spoken.write(home, began, at_least_bytes=TRANSCRIPT_BYTES)
    page = f"/sessions/{spoken.SESSION}/transcript"
    environ = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
    with serving(home, **environ):
        pass  # reads it into the index
    with serving(home, **environ) as server:
        get(f"{server.base}/sessions", server.token)
        before_mb = _peak_mb(server, afresh=True)
        first_ms = _took_ms(server, page)
        grown_mb = _peak_mb(server) - before_mb
        end_ms = _took_ms(server, f"{page}?at=end")
        middle_ms = _took_ms(server, f"{page}?at={path.stat().st_size // 2}")
        marks_ms = _took_ms(server, f"{page}/marks")
    note = f"{path.stat().st_size / 1e6:,.0f} MB"
    return [
        Row("transcript: its first window", first_ms, WINDOW_LIMIT_MS, "ms", note=note),
        Row("transcript: its end", end_ms, WINDOW_LIMIT_MS, "ms", note=note),
        Row("transcript: its middle", middle_ms, WINDOW_LIMIT_MS, "ms", note=note),
        Row("transcript: memory of its first window", grown_mb, WINDOW_LIMIT_MB, "MB", note=note),
        Row("transcript: its marks, which follow", marks_ms, None, "ms", note=note),
    ]


def _took_ms(server: Server, address: str) -> float:
    began_s = perf_counter()
    status, body = get(server.base + address, server.token)
    took_ms = (perf_counter() - began_s) * 1000
    assert status == 200, address
    assert spoken.SESSION.encode() in body or address.endswith("/marks")
    return took_ms


def _peak_mb(server: Server, *, afresh: bool = False) -> float:
    """What a process has held at most; `afresh`: from now on (Linux)."""
    folder = Path(f"/proc/{server.process.pid}")
    if afresh:
        (folder / "clear_refs").write_text("5")
    lines = (folder / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
