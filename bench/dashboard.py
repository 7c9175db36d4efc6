"""What a person waits for: whole answers of the server, over loopback, on a warm index.

And what of them a browser shows first, where there is one.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from bench.measure import Row
from m31a_metrics.views.web.report import report
from tests.views.web.invented import course, records
from tests.views.web.served import Invented, fetch, served

SESSIONS = 10_000
ROUNDS = 15

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


def rows(_: Path) -> list[Row]:
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
    return [*measured, *views, _report_row()]


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
                    page.wait_for_function("performance.getEntriesByType('paint').length > 1")
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
