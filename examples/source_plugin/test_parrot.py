"""The source keeps what it promises; run it where the package is installed."""

from __future__ import annotations

from pathlib import Path

from m31a_metrics.sources import source
from m31a_metrics.testing import check_source


def test_the_source_keeps_its_promises() -> None:
    """Its sample reads, also damaged, and is left as it is."""
    check_source(source("parrot"), Path(__file__).parent / "sample")
