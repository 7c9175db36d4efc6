"""What is installed and then loses its parts, in every order: no agent sees a step of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.config import Config
from m31a_metrics.live import agents, install
from m31a_metrics.live.agents import AGENTS
from tests.live.hooked import SESSION, begin, payload


def commands_of(settings: Path) -> list[list[str]]:
    """The commands of a settings file, as its agent starts them."""
    hooks = json.loads(settings.read_text())["hooks"]
    found = []
    for event in ("PreToolUse", "PostToolUse"):
        (group,) = hooks[event]
        (one,) = group["hooks"]
        args = one.get("args")
        found.append([one["command"], *args] if args else ["sh", "-c", one["command"]])
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where the hooks of Claude Code are installed, with a budget."""
    monkeypatch.setattr(install, "MANAGED", ())
    home = tmp_path / "home"
    home.mkdir()
    ours = home / ".m31a"
    config = Config(
        f"{ours}/sessions",
        f"{ours}/metrics.db",
        budget={"session_usd": 1},
        live_dir=f"{ours}/live",
    )
    place = install.place_of(AGENTS["claude-code"], {"HOME": str(home)})
    install.put_programs(config, python="/usr/bin/true")
    install.carry_out(install.plan(place, config), config)
    return home


def gone(path: Path) -> None:
    """Remove a file or a folder."""
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


PARTS = ("live/hook.py", "live/__pycache__", "live/live.json", "live/settling", "sessions")


def test_parts_go_in_every_order(home: Path) -> None:
    """Whatever is gone by now, in whichever order it went, a hook ends with 0, silently.

    What a step meets is decided by the parts that are gone, so all subsets are all orders.
    """
    denies, tells = commands_of(home / ".claude" / "settings.json")
    begin(tells, payload("Stop"))  # leaves what a hook leaves
    kept = home.parent / "kept"
    shutil.copytree(home, kept)
    for number in range(1 << len(PARTS)):
        shutil.rmtree(home)
        shutil.copytree(kept, home)
        for place, part in enumerate(PARTS):
            if number >> place & 1:
                gone(home / ".m31a" / part)
        done = begin(denies, payload("PreToolUse", tool_name="A", tool_use_id="t"))
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), bin(number)


def test_all_of_it_goes_at_once(home: Path) -> None:
    """The folder of m31, then the home: what is left in the settings does no harm."""
    tells = commands_of(home / ".claude" / "settings.json")
    for path in (home / ".m31a" / "live", home / ".m31a", home):
        gone(path)
        for command in tells:
            done = begin(command, payload("PreToolUse", tool_name="A", tool_use_id="t"))
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not home.exists()


def test_an_agent_goes_on_without_the_interpreter(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that cannot be started is no denial: only exit code 2 and an answer are."""
    monkeypatch.setattr(agents, "interpreter", lambda: f"{home}/python-that-is-gone")
    for agent in AGENTS.values():
        for event, entry in agent.entries(f"{home}/.m31a/live", budget=True).items():
            listed: Any = entry["hooks"]
            (one,) = listed
            if "args" in one:
                with pytest.raises(FileNotFoundError):
                    begin([one["command"], *one["args"]], b"")
                continue
            done = begin(["sh", "-c", one["command"]], payload(event))
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="optional: root writes everywhere")
def test_a_read_only_home_costs_the_record_and_no_more(home: Path) -> None:
    """Nothing can be written, not even the word for doctor: the agent notices nothing."""
    for folder in (home / ".m31a", home / ".m31a/live", home / ".m31a/sessions"):
        folder.chmod(0o500)
    try:
        for command in commands_of(home / ".claude" / "settings.json"):
            done = begin(command, payload("PostToolUse", tool_name="A", tool_use_id="t"))
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    finally:
        for folder in (home / ".m31a", home / ".m31a/live", home / ".m31a/sessions"):
            folder.chmod(0o700)


def test_a_file_size_limit_of_nothing_is_a_full_disk(home: Path) -> None:
    """Where no byte can be written the hook ends as ever, and answers what it must."""
    tells = commands_of(home / ".claude" / "settings.json")
    verdicts = home / ".m31a/live/verdicts"
    verdicts.mkdir()
    stop = {"scope": "session", "until_us": None, "limit": "USD 1.00", "used": "USD 1.10"}
    verdict = {"format": 1, "writer": __file__, "name": SESSION, "stops": [stop], "warns": []}
    (verdicts / f"{SESSION}.json").write_text(json.dumps(verdict))
    limited = "import os,resource,signal,sys;signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE,(0,0));os.execv(sys.argv[1],sys.argv[1:])"
    for command, says in zip(tells, (b'"permissionDecision":"deny"', b""), strict=True):
        program = shutil.which(command[0]) or command[0]
        done = subprocess.run(
            [sys.executable, "-c", limited, program, *command[1:]],
            input=payload("PreToolUse" if says else "Stop", tool_name="A", tool_use_id="t"),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert says in done.stdout
        assert bool(says) == bool(done.stdout)
    assert not any((home / ".m31a/sessions").rglob("*.jsonl")) or not any(
        path.stat().st_size for path in (home / ".m31a/sessions").rglob("*.jsonl")
    )
