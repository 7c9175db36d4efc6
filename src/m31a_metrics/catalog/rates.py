"""The prices of this machine: overrides of the configuration, and rates kept between runs."""

from __future__ import annotations

import os

from m31a_metrics import store
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.pricing import Pricer, overrides


def pricer(config: Config) -> Pricer:
    """Make the Pricer; what an earlier run resolved spares importing the price library."""
    try:
        cached = store.read(_path(config))
    except MetricsError:
        cached = None
    return Pricer(overrides(config.prices, config.path), cached)


def remember(config: Config, price: Pricer) -> None:
    """Keep newly resolved rates for the next run; a disk that refuses costs only time."""
    news = price.to_cache()
    if news is None:
        return
    path = _path(config)
    try:
        store.make_directory(os.path.dirname(path))
        store.replace(path, news, sync=False)
    except MetricsError:
        pass  # the next run resolves them again


def _path(config: Config) -> str:
    return f"{os.path.dirname(config.index)}/cache/rates.json"
