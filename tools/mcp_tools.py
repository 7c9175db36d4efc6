"""`python -m tools.mcp_tools` writes `live/mcp_tools.json`: what the MCP server says at a start.

It is made of the questions that `m31a_metrics.mcp` declares and of the version, and lies
beside the server so that this need not import them.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from m31a_metrics.mcp import INSTRUCTIONS, listing

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "src" / "m31a_metrics" / "live" / "mcp_tools.json"


def written() -> str:
    """The text of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said: dict[str, Any] = {
        "serverInfo": {"name": "m31", "title": "m31a-metrics", "version": project["version"]},
        "instructions": INSTRUCTIONS,
        "tools": listing(),
    }
    return json.dumps(said, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
    print(f"wrote {PATH.relative_to(ROOT)}")
