"""SessionMetrics <-> the bytes of METRICS.json, exactly as Go's encoding/json has them.

Pure: bytes in, values out. What the format means is in docs/metrics-json.md.
"""

from m31a_metrics.codec.read import decode
from m31a_metrics.codec.write import encode

__all__ = ["decode", "encode"]
