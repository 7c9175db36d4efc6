"""A Textual program of your own that shows its metrics: press `m`.

    pip install 'm31a-metrics[tui]'
    python examples/host_screen.py

The program reads the modules of Python's own library, again and again, in a thread: the
tool calls and their times are real. The language model is made up. The three lines that
you need are marked.
"""

from __future__ import annotations

import argparse
import io
import time
import tokenize
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Footer, Header, Static
from textual.worker import get_current_worker

from m31a_metrics import Collector, Usage, new_session_id
from m31a_metrics.views.screen import MetricsScreen  # <- the first

LIBRARY = Path(tokenize.__file__).parent


class Workshop(App[None]):
    """Does its work in a thread; `m` opens the metrics over it, `esc` closes them."""

    TITLE = "Workshop"
    BINDINGS: ClassVar[list[BindingType]] = [("m", "metrics", "Metrics"), ("q", "quit", "Quit")]

    def __init__(self, collector: Collector, pause_s: float = 0.2) -> None:
        super().__init__()
        self.collector = collector
        self.pause_s = pause_s

    def compose(self) -> ComposeResult:
        """Lay out the program's own screen."""
        yield Header()
        yield Static("Reading the library. Press m to look at the metrics.", id="told")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to work."""
        self.run_worker(self.work, thread=True)

    def work(self) -> None:
        """Read, parse and think until the program ends."""
        while not get_current_worker().is_cancelled:
            with self.collector.phase("explore"):
                paths = self.look()
            with self.collector.phase("execute"):
                for path in paths:
                    if get_current_worker().is_cancelled:
                        return
                    self.parse(path)
                    time.sleep(self.pause_s)

    def look(self) -> list[Path]:
        """Find something to do: a tool call, and a (made up) model that chooses."""
        with self.collector.tool_call("Glob"):
            paths = sorted(LIBRARY.glob("*.py"))
        self.collector.record_llm_interaction(
            "explore", Usage(1_200, 80), cost=0.0042, model="made-up"
        )
        return paths

    def parse(self, path: Path) -> None:
        """Two tool calls; one module in ten is called broken, so that there is a failure."""
        with self.collector.tool_call("Read"):
            text = path.read_text(encoding="utf-8", errors="replace")
        with self.collector.tool_call("Tokenize") as call:
            sum(1 for _ in tokenize.generate_tokens(io.StringIO(text).readline))
            if len(text) % 10 == 0:
                call.fail("SyntaxError: invalid syntax")
        self.collector.record_llm_interaction(
            "execute", Usage(len(text) // 4, 120), cost=len(text) * 1e-6, model="made-up"
        )

    def action_metrics(self) -> None:
        """Open the metrics."""
        screen = MetricsScreen(self.collector.snapshot, self.collector.detail)  # <- the second
        self.push_screen(screen)  # <- the third


def main() -> None:
    """Run the program, and record one session."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions-dir", help="default: from the configuration")
    arguments = parser.parse_args()
    with Collector(new_session_id(), arguments.sessions_dir) as collector:
        Workshop(collector).run()
    print(f"Look at it again: m31 show {collector.session_id}")


if __name__ == "__main__":
    main()
