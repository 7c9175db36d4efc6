"""SessionMetrics <-> the bytes of METRICS.json, exactly as Go's encoding/json has them.

Pure: bytes in, values out. What the format means is in docs/metrics-json.md.
"""

from __future__ import annotations

from m31a_metrics.model import SessionMetrics

__all__ = ["decode", "encode"]

# Imported on use: a program that records pays for reading and writing when it flushes.


def encode(metrics: SessionMetrics) -> bytes:
    """Return the bytes of METRICS.json. Raises ValueError naming what JSON cannot hold."""
    from m31a_metrics.codec import write

    return write.encode(metrics)


def decode(data: bytes, place: str = "METRICS.json") -> SessionMetrics:
    """Read the bytes of METRICS.json. Raises DamagedMetrics naming `place` and the reason."""
    from m31a_metrics.codec import read

    return read.decode(data, place)
