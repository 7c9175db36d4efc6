"""What commands write to a terminal, as SVG."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from tools.screenshots.machine import LONG_SESSION

PICTURES = {"glance.svg": "", "show.svg": f"show {LONG_SESSION[:8]}"}
"""Name -> command."""
COLUMNS = 112

M31 = (sys.executable, "-c", "import sys; from m31a_metrics.cli import main; sys.exit(main())")

# rich's template loads its font from a web server; a picture of ours asks nobody.
TEMPLATE = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def draw(directory: Path) -> Iterator[Path]:
    """Run each command in the home of this process, and draw what it writes."""
    for name, command in PICTURES.items():
        path = directory / name
        path.write_text(svg(on_terminal(command), f"m31 {command}".strip()), encoding="utf-8")
        yield path


def on_terminal(command: str) -> str:
    """What a command writes to a terminal, colours included. Raises RuntimeError if it fails."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
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
