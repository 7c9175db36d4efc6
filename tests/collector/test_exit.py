"""The end of a Collector: one flush, one line, however often it is told to stop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from m31a_metrics import Collector, Usage, load


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "m31a_metrics"]


def test_stop_logs_one_line(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    """One line at level INFO with the session's id and the number of its rows."""
    caplog.set_level("INFO")
    collector.record_tool_call("Bash", True, 1)
    collector.record_tool_call("Read", True, 1)
    collector.record_phase_transition("plan")
    collector.record_llm_interaction("plan", Usage(1, 1))
    collector.stop()
    assert lines(caplog) == ["session metrics: id=session tools=2 phases=1 llm_interactions=1"]
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_stop_twice_is_stop_once(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A second stop logs nothing and does not touch METRICS.json."""
    caplog.set_level("INFO")
    collector.record_tool_call("Bash", True, 1)
    collector.stop()
    written = (tmp_path / "session" / "METRICS.json").stat()
    with collector:
        collector.stop()
    assert len(lines(caplog)) == 1
    assert (tmp_path / "session" / "METRICS.json").stat() == written


def test_stop_after_more_events_is_another_stop(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was recorded after a stop is flushed by the next, which logs its own line."""
    caplog.set_level("INFO")
    collector.stop()
    collector.record_tool_call("Bash", True, 1)
    collector.record_tool_call("Bash", True, 1)
    collector.stop()
    assert lines(caplog) == [
        "session metrics: id=session tools=0 phases=0 llm_interactions=0",
        "session metrics: id=session tools=1 phases=0 llm_interactions=0",
    ]
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 2


def test_with_stops_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Leaving the block stops the Collector, also by an exception, which goes on."""
    caplog.set_level("INFO")
    collector = Collector("session", tmp_path)
    collector.record_tool_call("Bash", True, 1)
    with pytest.raises(KeyError), collector:
        raise KeyError
    assert len(lines(caplog)) == 1
    metrics = load(tmp_path, "session")
    assert metrics is not None
    assert metrics.tools[0].call_count == 1


def test_flush_tells_whether_it_wrote(collector: Collector, tmp_path: Path) -> None:
    """True, and METRICS.json is there, as often as it is called."""
    for calls in (1, 2):
        collector.record_tool_call("Bash", True, 1)
        assert collector.flush() is True
        metrics = load(tmp_path, "session")
        assert metrics is not None
        assert metrics.tools[0].call_count == calls


def test_a_stopped_journal_is_as_long_as_its_lines(tmp_path: Path) -> None:
    """Stopping cuts the room that was set aside for more."""
    with Collector("session", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 1)
    (journal,) = (tmp_path / "session" / "events").glob("*.jsonl")
    data = journal.read_bytes()
    assert data.count(b"\n") == 2
    assert data.endswith(b"}\n")


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a host to its very end."""
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(home)},
        timeout=60,
    )


def test_nothing_is_imported_at_the_end_of_the_interpreter(tmp_path: Path) -> None:
    """A Collector that nobody stopped writes METRICS.json, and its price is left to readers."""
    done = run(
        f"""
import atexit, builtins, sys
late = []
atexit.register(lambda: print(late))  # runs last: what came before it runs first
from m31a_metrics import Collector, Usage
collector = Collector("one", {str(tmp_path)!r})
collector.record_llm_interaction("execute", Usage(10, 2), model="unheard-of-model")
collector.record_tool_call("Bash", True, 1)
real = builtins.__import__
def watching(name, *rest):
    if name not in sys.modules and name != "gc":  # of weakref, built in
        late.append(name)
    return real(name, *rest)
atexit.register(lambda: setattr(builtins, "__import__", watching))
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
    assert (tmp_path / "one" / "METRICS.json").is_file()
    metrics = load(tmp_path, "one")
    assert metrics is not None
    assert metrics.llms[0].unpriced_tokens == 12


def test_what_is_recorded_at_the_very_end_says_nothing(tmp_path: Path) -> None:
    """An event of a `__del__` that runs when modules are taken apart may be lost, in silence."""
    done = run(
        f"""
import sys, types
from m31a_metrics import Collector
class Client:
    def __init__(self, collector):
        self.collector = collector
    def __del__(self):
        self.collector.record_tool_call("close", True, 1)
        self.collector.record_tool_call("close", False, 1, error="Error: gone")
module = sys.modules["late"] = types.ModuleType("late")
module.client = Client(Collector("one", {str(tmp_path)!r}))
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    metrics = load(tmp_path, "one")
    assert metrics is not None
    assert [tool.name for tool in metrics.tools] in ([], ["close"])


def test_a_flush_at_the_very_end_is_refused_in_silence(tmp_path: Path) -> None:
    """A `__del__` that asks for what needs an import gets False or nothing, and no traceback."""
    done = run(
        f"""
import sys, types
from m31a_metrics import Collector
class Client:
    def __init__(self, collector, say=print):
        self.collector, self.say = collector, say
    def __del__(self):
        self.collector.record_tool_call("close", True, 1)
        self.say(self.collector.flush(), len(self.collector.detail().models))
        self.collector.stop()
collector = Collector("one", {str(tmp_path)!r})
collector.record_tool_call("Bash", True, 1)
module = sys.modules["late"] = types.ModuleType("late")
module.client = Client(collector)
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("False 0\n", "", 0)
    metrics = load(tmp_path, "one")
    assert metrics is not None
    assert metrics.tools[0].name == "Bash"


@pytest.mark.parametrize("kept_by", ["late", "sys"])
def test_threads_that_the_end_stops_hold_up_nobody(tmp_path: Path, kept_by: str) -> None:
    """A `__del__` does not wait for what they held, and takes it for its own."""
    done = run(
        f"""
import sys, threading, time, types
from m31a_metrics import Collector, Usage
class Client:
    def __init__(self, collector, usage):
        self.collector, self.usage = collector, usage
    def __del__(self):
        self.collector.record_llm_interaction("plan", self.usage, 0.1)
        self.collector.record_tool_call("close", False, 1, error="Error: gone")
        self.collector.flush()
        self.collector.snapshot()
        self.collector.stop()
collector = Collector("one", {str(tmp_path)!r})
usage = Usage(1, 1)
def busy(then):
    while True:
        collector.record_llm_interaction("execute", usage, 0.1)
        then()
for then in (collector.flush, collector.stop, collector.snapshot, int):
    threading.Thread(target=busy, args=(then,), daemon=True).start()
sys.modules["late"] = types.ModuleType("late")
sys.modules[{kept_by!r}].client = Client(collector, usage)
time.sleep(0.2)
""",
        tmp_path,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert load(tmp_path, "one") is not None


@pytest.mark.parametrize(
    "act",
    [
        "c.stop(); c.stop()",
        "c.flush(); c.snapshot(); c.detail()",
        """
        with c.phase("end"), c.heal("end"), c.tool_call("close") as call:
            call.fail("x")
        c.record_llm_interaction("end", Usage(1, 2), model="new")
        c.stop()""",
    ],
)
def test_whatever_is_called_at_the_very_end_says_nothing(tmp_path: Path, act: str) -> None:
    """Stopping, flushing and asking from a `__del__` raise nothing; what was recorded is whole."""
    done = run(
        f"""
import sys, types
from m31a_metrics import Collector, Usage
class Client:
    def __init__(self, collector):
        self.collector = collector
    def __del__(self):
        c = self.collector
        c.record_tool_call("close", True, 1)
        {act}
module = sys.modules["late"] = types.ModuleType("late")
module.client = Client(Collector("one", {str(tmp_path)!r}))
module.client.collector.record_tool_call("Bash", True, 1)
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    metrics = load(tmp_path, "one")
    assert metrics is not None
    assert metrics.tools[0].call_count == 1


def test_a_host_that_stops_at_exit_asks_for_no_price(tmp_path: Path) -> None:
    """Threads were used, so the price library could not load any more: a reader prices it."""
    done = run(
        f"""
import atexit, sys, threading
atexit.register(lambda: print("genai_prices" in sys.modules))
from m31a_metrics import Collector, Usage
collector = Collector("one", {str(tmp_path)!r})
collector.record_llm_interaction("execute", Usage(10, 2), model="unheard-of-model")
atexit.register(collector.stop)
""",
        tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("False\n", "", 0)
    metrics = load(tmp_path, "one")
    assert metrics is not None
    assert metrics.llms[0].unpriced_tokens == 12
