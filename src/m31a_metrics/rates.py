"""The prices of this machine: overrides of the configuration, and rates kept between runs."""

from __future__ import annotations

import os
from functools import cache

from m31a_metrics import config, store
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import LLMInteraction
from m31a_metrics.pricing import Pricer, overrides


def price(event: LLMInteraction) -> float | None:
    """Price an interaction by this machine's configuration, read at the first one.

    For whoever folds a session without having read the configuration before. In USD;
    None: nobody knows.
    """
    settings, ask = _default()
    cost = ask(event)
    remember(settings, ask)
    return cost


@cache
def _default() -> tuple[Config, Pricer]:
    try:
        settings = config.read()
    except MetricsError:
        settings = config.defaults()  # who reads it at the door says what is wrong with it
    return settings, pricer(settings)


def pricer(config: Config) -> Pricer:
    """Make the Pricer; what an earlier run resolved spares importing the price library."""
    try:
        cached = store.read(path(config))
    except MetricsError:
        cached = None
    return Pricer(overrides(config.prices, config.path), cached)


def remember(config: Config, price: Pricer) -> None:
    """Keep newly resolved rates for the next run; a disk that refuses costs only time."""
    news = price.to_cache()
    if news is None:
        return
    try:
        store.make_directory(os.path.dirname(path(config)))
        store.replace(path(config), news, sync=False)
    except MetricsError:
        pass  # the next run resolves them again


def path(config: Config) -> str:
    """Where rates are kept; the file may be deleted at any time."""
    return f"{os.path.dirname(config.index)}/cache/rates.json"
