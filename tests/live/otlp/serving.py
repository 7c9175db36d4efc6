"""A receiver on a real port, in a thread of the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from m31a_metrics.live.otlp.receiver import Door, Keep, Receiver
from m31a_metrics.views.web.serving import Running, listen

TOKEN = "sesame"  # noqa: S105 - an invented one


@contextmanager
def receiving(keep: Keep, told: list[Exception]) -> Iterator[str]:
    """Take OTLP on loopback until the end; its address. What is wrong is told there."""
    started = Event()
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        app = Receiver(port, Door("127.0.0.1", lambda: TOKEN), keep, told.append)
        server = Running(app, started.set)
        thread = Thread(target=server.serve_on, args=[listening])
        thread.start()
        try:
            assert started.wait(60)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop()
            thread.join()
