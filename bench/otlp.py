"""Sending to a receiver of OTLP that takes all at once: spans a second of CPU, and memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.invented import long_session
from bench.measure import M31, PYTHON, Row, Run, peak_mb

_SIZES = (50_000, 200_000)
_ROUNDS = 3
_EACH_S = 15_000
_MEMORY_MB = 100

_RECEIVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def _receiving() -> Iterator[str]:
    """Run a receiver in a process of its own; its address."""
    with subprocess.Popen([PYTHON, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def rows(directory: Path) -> Iterator[Row]:
    """Send one long session with the whole command, which reads it first."""
    with _receiving() as url:
        for size in _SIZES:
            home = directory / str(size)
            long_session(home / ".m31a" / "sessions", size)
            environ = dict(os.environ, HOME=str(home), OTEL_METRICS_EXPORTER="none")
            ours = [*M31, "export", "otlp", "--endpoint", url, "--again"]
            none = [*ours[:-1], "--agent", "pi"]  # of which there is no session
            Run(none, environ)  # makes the index
            start_s = min(Run(none, environ).cpu_s for _ in range(_ROUNDS))
            cpu_s = min(Run(ours, environ).cpu_s for _ in range(_ROUNDS)) - start_s
            yield Row(
                f"m31 export otlp, a session of {size:,} spans",
                size / cpu_s,
                _EACH_S,
                "spans/CPU s",
                at_least=True,
                note=f"reads it, too; best of {_ROUNDS}, without {start_s:.2f} s to start",
            )
            peak = peak_mb(ours[len(M31) :], environ, directory)
            yield Row(f"the same of {size:,}, peak memory", peak, _MEMORY_MB, "MB")
