"""What a person waits for: whole answers of the server, over loopback, on a warm index."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from time import perf_counter

from bench.measure import Row
from m31a_metrics.views.web.report import report
from tests.views.web.invented import records
from tests.views.web.served import Invented, fetch, served

SESSIONS = 10_000
ROUNDS = 15

PAGE_LIMIT_MS, API_LIMIT_MS = 300, 100
ANSWERS = {
    "first page": ("/", PAGE_LIMIT_MS),
    "first page, all time": ("/?since=all", PAGE_LIMIT_MS),
    "sessions, last page of all": ("/sessions?since=all&page=200", PAGE_LIMIT_MS),
    "sessions, a search": ("/sessions?since=all&q=faster", PAGE_LIMIT_MS),
    "tools": ("/tools", PAGE_LIMIT_MS),
    "API: sessions": ("/api/sessions?since=all", API_LIMIT_MS),
    "API: tools": ("/api/tools", API_LIMIT_MS),
    "API: phases": ("/api/phases", API_LIMIT_MS),
    "API: overview": ("/api/overview", API_LIMIT_MS),
}


def rows(_: Path) -> list[Row]:
    """Ask for each answer in turn; the quickest of several rounds counts."""
    best_ms = dict.fromkeys(ANSWERS, float("inf"))
    sizes = dict.fromkeys(ANSWERS, 0)
    machine = Invented(records(SESSIONS, datetime.now().astimezone()))
    with served(machine) as base:
        for _round in range(ROUNDS):
            for name, (address, _limit) in ANSWERS.items():
                began_s = perf_counter()
                status, body = fetch(base, address)
                took_ms = (perf_counter() - began_s) * 1000
                assert status == 200, address
                best_ms[name], sizes[name] = min(best_ms[name], took_ms), len(body)
    measured = [
        Row(name, best_ms[name], limit, "ms", note=f"{SESSIONS:,} sessions; {sizes[name]:,} bytes")
        for name, (_, limit) in ANSWERS.items()
    ]
    return [*measured, _report_row()]


def _report_row() -> Row:
    size = len(report([], "empty", datetime.now().astimezone()).encode())
    return Row("a report without sessions", size / 1e6, 6, "MB")
