"""Answers out of a fleet's database: the shared texts, sums and histograms added up there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from m31a_metrics.fleet.client import Client, written
from m31a_metrics.fleet.schema import RAN_DAYS
from m31a_metrics.folding.reading import Reading
from m31a_metrics.histogram import Histogram
from m31a_metrics.queries import Chosen, Query, texts

_SETTINGS: dict[str, str | int] = {"distributed_product_mode": "local"}


class FleetReading(Reading):
    """The questions of `answers.Answers`, asked of a ClickHouse.

    An answer of several queries may see what was pushed between them. `is_partial`: shards
    that do not answer are passed over.
    """

    contains = "position({}, {}) > 0"
    joined = ""
    left_out = "1 = 1"  # so that no text asks a rollup: a fleet has none

    def __init__(self, client: Client, *, is_partial: bool = False) -> None:
        self.client = client
        self._settings = _SETTINGS | ({"skip_unavailable_shards": 1} if is_partial else {})

    def ask(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query."""
        return map(tuple, self.client.rows(written(query), self._settings))

    def ran(
        self, chosen: Chosen, keys: tuple[str, ...]
    ) -> Iterator[tuple[tuple[Any, ...], Histogram]]:
        """Give the histograms by these keys, added up by the engine bucket by bucket."""
        longest = {tuple(row[:-1]): row[-1] for row in self.ask(texts.longest_by(chosen, keys))}
        found: dict[tuple[Any, ...], dict[int, int]] = {}
        for *values, bucket, count in self.ask(texts.ran_by(RAN_DAYS, chosen, keys)):
            found.setdefault(tuple(values), {})[bucket] = count
        for key, buckets in found.items():
            yield key, Histogram(buckets, longest[key])
