"""`python -m m31a_metrics` is `m31`, for where its folder of commands is not on PATH."""

from __future__ import annotations

import sys

from m31a_metrics.cli import main

if __name__ == "__main__":
    sys.exit(main())
