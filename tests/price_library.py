"""A machine that has only what recording needs: no price library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from m31a_metrics.pricing import library


@contextmanager
def absent() -> Iterator[None]:
    """Let the price library not be installed, within."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "genai_prices", None)
        patch.setitem(sys.modules, "genai_prices.data", None)
        patch.setattr(library, "edition", lambda: "")
        library._snapshot.cache_clear()
        yield
    library._snapshot.cache_clear()
