"""What tokens cost: model + Usage + time -> USD, or None ("unpriced"); never a guess.

`Pricer` is what others use. It asks the price library once per model and keeps the answer
as plain `Rates`, which `cost` multiplies; `overrides` reads the user's own prices.
Importing this package imports nothing of the library (docs/prices.md).
"""

from m31a_metrics.pricing.overrides import Overrides, overrides
from m31a_metrics.pricing.pricer import Pricer
from m31a_metrics.pricing.rates import Periods, Prices, Rates, cost

__all__ = ["Overrides", "Periods", "Pricer", "Prices", "Rates", "cost", "overrides"]
