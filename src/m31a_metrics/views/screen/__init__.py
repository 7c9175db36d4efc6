"""The live terminal screen, for `m31 watch` and for any Textual program of a host's own.

    from m31a_metrics.views.screen import MetricsScreen

    app.push_screen(MetricsScreen(collector.snapshot, collector.detail))

Needs the extra `tui`. What is shown is made in `tables.live`; here it is drawn.
"""

from m31a_metrics.views.screen.screen import MetricsScreen
from m31a_metrics.views.screen.view import MetricsView

__all__ = ["MetricsScreen", "MetricsView"]
