"""docs/privacy.md is whole: every file that m31 makes below ~/.m31a is named there."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from pathlib import Path

from m31a_metrics import Collector, config
from m31a_metrics.catalog.received import Received
from m31a_metrics.catalog.traces import PLACES
from m31a_metrics.events import Event, SessionStart, UserTurn
from m31a_metrics.live.otlp.telling import Key
from tests import transcripts
from tests.commands import m31
from tests.test_catalog_forget_sessions import FILLED
from tests.transcripts import ONE, TWO, answer

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "privacy.md").read_text(encoding="utf-8")

FILE = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def patterns() -> list[re.Pattern[str]]:
    """What the table names, `<...>` standing for a part of a name."""
    named = FILE.findall(PAGE)
    assert len(named) > 10
    found = []
    for name in named:
        parts = map(re.escape, re.split(r"<[a-z]+>", name))
        found.append(re.compile("[^/]+".join(parts) + (".*" if name.endswith("/") else "")))
    return found


def received(settings: config.Config) -> None:
    """What a receiver of OTLP leaves, with its token and without."""
    key = Key("claude-code", "sent")
    told: list[Event] = [SessionStart(1, agent="claude-code", native_id="sent"), UserTurn(1)]
    for verified in (True, False):
        Received(settings).keep({key: list(told)}, verified)


def test_every_file_below_the_home_is_named(clean_home: Path) -> None:
    """Whatever commands, Collectors and their deaths leave there stands in the table."""
    home = clean_home / ".m31a"
    transcripts.write(clean_home, ONE, answer("a"))
    transcripts.write(clean_home, TWO, answer("b"))
    with Collector("recorded", config.defaults().sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 1)
    (journal,) = (home / "sessions/recorded/events").glob("*.jsonl")
    with journal.open("a") as file:
        file.write('{"event":"tool_call","t_us":"damaged"}\n{}\n')
    for fill in FILLED.values():
        fill(clean_home)
    shutil.copytree(home / "sessions" / ONE, home / "sessions" / "theirs")
    shutil.rmtree(home / "sessions/theirs/events")
    for line in (
        "run --session shared -- true",
        "run --session theirs -- true",
        "record tool Bash --session shared",
        "import",
        "doctor --fix",
        "sessions",
        "show last",
        "explain last",
        "forget recorded --yes",
        "index",
        "prune --older-than 1 --yes",
        "hooks install codex",
        "otlp install codex copilot-cli",
        "mcp install claude-code",
    ):
        assert m31(*line.split()).returncode in (0, 1), line
    received(config.defaults())
    for zone in ("UTC", "Asia/Tokyo"):  # one of them is not the machine's own
        assert m31("index", TZ=zone).returncode == 0
    for fill in FILLED.values():
        fill(clean_home)
    with sqlite3.connect(home / "metrics.db") as reader:
        reader.execute("SELECT 1 FROM sessions").fetchone()
        there = {
            os.path.relpath(os.path.join(folder, name), home)
            for folder, _, names in os.walk(home)
            for name in names
        }
    reader.close()
    known = patterns()
    others = ("Pacific-Apia.db", "sessions/" + ONE + "/events/nobody.knows")  # a test's own
    unnamed = [
        path
        for path in sorted(there)
        if not path.startswith(others)
        and not any(one.fullmatch(path) or one.fullmatch(os.path.basename(path)) for one in known)
    ]
    assert unnamed == []
    assert any(name.startswith("metrics-") for name in there)
    for name in ("forgotten", "metrics.db-wal", "metrics.db-shm", "cache/rates.json"):
        assert name in there


def test_every_place_is_named() -> None:
    """What `m31 forget` clears is told in the section on removing."""
    text = PAGE.partition("## How it is removed")[2]
    words = {
        "recording": "recordings",
        "fleet": "what went to a [fleet]",
        "index": "rows of every index",
        "damaged index": "damaged indexes",
        "rates": "looked-up prices",
        "live": "what settlings, status lines and budgets left",
        "export": "what was sent to receivers",
        "half written file": "half written",
    }
    assert [place.name for place in PLACES] == list(words)
    assert [word for word in words.values() if word not in text] == []
