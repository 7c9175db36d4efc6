"""The clock by which Collectors record, stopped."""

from __future__ import annotations

import pytest

from m31a_metrics.collector import collector, writer


def stop_at(patch: pytest.MonkeyPatch, t_us: int) -> None:
    """Stop the clock at a Unix time in microseconds."""
    for module in (collector, writer):
        patch.setattr(module, "time_ns", lambda: t_us * 1000)
