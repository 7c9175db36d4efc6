"""Days and months as text: which months of a stretch of days are whole."""

from __future__ import annotations

from calendar import monthrange

from m31a_metrics.queries.tables import DAY, MONTH


def stretches(first: str, last: str) -> list[tuple[str, str, str]]:
    """Cut a stretch of days into whole months and the days before and after them.

    Each is a grain, and its first and last span; "" is no bound.
    """
    if first and last and first > last:
        return []
    cut: list[tuple[str, str, str]] = []
    begin, end = first[:7], last[:7]
    if first and not first.endswith("-01"):
        if begin == end and last:
            return [(DAY, first, last)]
        cut.append((DAY, first, f"{begin}-31"))
        begin = _next(begin)
    if last and int(last[8:]) < monthrange(int(last[:4]), int(last[5:7]))[1]:
        cut.append((DAY, f"{end}-01", last))
        end = _before(end)
    if not (begin and end and begin > end):
        cut.append((MONTH, begin, end))
    return cut


def _next(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def _before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04}-{(number - 2) % 12 + 1:02}"
