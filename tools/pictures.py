"""Draw the pictures in docs/pictures: real output of `m31` on a terminal, as SVG.

    make pictures

Each run records the example workflow anew, so times and ids differ from run to run.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {"show.svg": "show last"}
COLUMNS = 112

M31 = (sys.executable, "-c", "import sys; from m31a_metrics.cli import main; sys.exit(main())")

# rich's template loads its font from a web server; a picture of ours asks nobody.
TEMPLATE = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def on_terminal(home: str, command: str) -> str:
    """What a command writes to a terminal, colours included. Raises RuntimeError if it fails."""
    ours, theirs = pty.openpty()
    environment = {name: text for name, text in os.environ.items() if name[:5] != "M31A_"}
    environment.pop("NO_COLOR", None)
    environment |= {"HOME": home, "TZ": "UTC", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(
        [*M31, *command.split()], env=environment, stdout=theirs, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 1 << 16):
            chunks.append(chunk)
    except OSError:
        pass  # how Linux says that the last writer closed the terminal
    os.close(ours)
    if process.wait() != 0:
        raise RuntimeError(f"`m31 {command}` ended with exit code {process.returncode}")
    return b"".join(chunks).decode().replace("\r\n", "\n").rstrip("\n")


def svg(text: str, title: str) -> str:
    """Draw what a terminal shows."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(text), soft_wrap=True)
        drawn = console.export_svg(title=title, code_format=TEMPLATE, unique_id="m31")
    return re.sub(
        r' x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*>)((?:&#160;)+)', _moved, drawn
    )


def _moved(text: re.Match[str]) -> str:
    """Begin a text at its first letter: some viewers leave out the spaces before it."""
    x, y, length, rest, spaces = text.groups()
    cells = spaces.count(";")
    cell = 12.2  # the width of a character in rich's template
    return (
        f' x="{float(x) + cells * cell:g}"{y} textLength="{float(length) - cells * cell:g}"{rest}'
    )


def main() -> None:
    """Record the example, then draw every picture."""
    directory = ROOT / "docs" / "pictures"
    directory.mkdir(exist_ok=True)
    with TemporaryDirectory() as home:
        on_terminal(home, "demo")
        for name, command in PICTURES.items():
            drawn = svg(on_terminal(home, command), f"m31 {command}")
            (directory / name).write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
