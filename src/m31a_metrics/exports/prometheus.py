"""Metrics in the text formats of Prometheus and OpenMetrics, as prometheus_client writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from msgspec import Struct
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from m31a_metrics.questions.series import (
    BOUNDS_S,
    COUNTER,
    HISTOGRAM,
    INFO,
    Family,
    Labels,
    Runs,
    Value,
)

Families = Iterable[tuple[Family, Mapping[Labels, Value]]]

_BOUNDS = (*map(floatToGoString, BOUNDS_S), "+Inf")


class _Given(Struct):
    """Families in place of a registry: what the writers of prometheus_client ask."""

    metrics: Sequence[Metric]

    def collect(self) -> Iterator[Metric]:
        return iter(self.metrics)


def exposition(families: Families, accept: str = "") -> tuple[bytes, str]:
    """Write families as a scraper accepts them, and name the content type: text for want of more.

    `accept` is the header that it sent.
    """
    encoder, content_type = choose_encoder(accept)
    written: bytes = encoder(_Given(_metrics(families)))
    return written, content_type


def text(families: Families) -> bytes:
    """Write families in the text format that every scraper and collector of files reads."""
    written: bytes = generate_latest(_Given(_metrics(families)))
    return written


def _metrics(families: Families) -> list[Metric]:
    return [_metric(family, figures) for family, figures in families]


def _metric(family: Family, figures: Mapping[Labels, Value]) -> Metric:
    name, words, labels, unit = family.name, family.help, family.labels, family.unit
    if family.kind == INFO:
        info = InfoMetricFamily(name, words)
        for values in figures:
            info.add_metric((), dict(zip(labels, values, strict=True)))
        return info
    if family.kind == HISTOGRAM:
        histogram = HistogramMetricFamily(name, words, labels=labels, unit=unit)
        for values, runs in figures.items():
            if isinstance(runs, Runs):
                buckets = list(zip(_BOUNDS, accumulate(runs.counts), strict=True))
                histogram.add_metric(values, buckets, runs.ran_us / family.scale)
        return histogram
    kind = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
    metric = kind(name, words, labels=labels, unit=unit)
    for values, value in figures.items():
        if not isinstance(value, Runs):
            metric.add_metric(values, value if family.scale == 1 else value / family.scale)
    return metric
