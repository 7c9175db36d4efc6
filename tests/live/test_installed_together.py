"""Hooks, MCP and OTLP in one settings file: whatever comes and goes first, every byte is back."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from m31a_metrics.config import Config, defaults
from m31a_metrics.live import install, mcp_settings
from m31a_metrics.live.agents import AGENTS
from m31a_metrics.live.install import HOOKS, MCP, OTLP, Change, Place
from m31a_metrics.live.mcp_settings import CLIENTS
from m31a_metrics.live.otlp import install as otlp
from m31a_metrics.live.otlp.senders import SENDERS, Target

KINDS = {
    "claude-code": (HOOKS, OTLP, MCP),
    "codex": (MCP, OTLP, HOOKS),
    "qwen": (HOOKS, MCP, OTLP),
    "gemini-cli": (MCP, OTLP),
}
FILES = (
    *(".claude/settings.json", ".claude.json", ".codex/config.toml", ".codex/hooks.json"),
    *(".qwen/settings.json", ".gemini/settings.json"),
)
JSON = {
    "missing": None,
    "empty": "",
    "blank": " \r\n\n",
    "an object": "{}",
    "an object on lines": "{\n}\n",
    "one's own": '{\n\t"model": "x",\n\t"env": {"A": "1"}\n}',
    "all in one line": '{"mcpServers": {"a": {}}, "telemetry": {"logPrompts": true}, "hooks": {}}',
    "all of it empty": '{ "mcpServers" : { }, "telemetry": {}, "env": {\r\n}, "hooks": {} }',
}
COMMENTS = {
    "comments": '{\n  // mine\n  "a": [1, /* two */ 2], // x\n  /* b, too\n */ "b": {} // last\n}',
    "a comment alone": "{ /* nothing yet */ }\n",
}
HOOK = '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "bell"\n'
TOML = {
    "missing": None,
    "empty": "",
    "blank": "\n\n",
    "one's own": '# mine\nmodel = "x"\n\n[tui]\ntheme = "dark"  # yes\n',
    "no newline": 'model = "x" # mine',
    "windows": 'model = "x"\r\n\r\n[tui]\r\nx = 1\r\n',
    "tables of these": '[mcp_servers]\n\n[otel]\nenvironment = "dev"\n\n\n[a.b]\nc = 1\n',
    "an exporter": '[otel]\nexporter = "none" # yet\n[mcp_servers.b]\ncommand = "x"',
    "another's hooks": f'model = "x"\n\n{HOOK}\n[otel]\nlog_user_prompt = false\n\n[tui]\nx = 1',
    "trusted hooks": f'{HOOK}\n[hooks.state]\ntrusted_hash = "abc"\n\n\n',
}


State = frozenset[tuple[Path, bytes]]


class Machine:
    """A home, on which each kind can be put into an agent's settings and taken out."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {"HOME": str(home), "PATH": ""}
        self.config: Config = defaults()
        self.at: Target = otlp.target(self.config, make=True)

    def state(self) -> State:
        """Every file of agents', and what is noted of them, with its bytes."""
        names = (install.NOTES, otlp.SENDING, otlp.FUNCTIONS)
        noted = [Path(self.config.live_dir, name) for name in names]
        every = [*noted, *(self.home / name for name in FILES)]
        return frozenset((one, one.read_bytes()) for one in every if one.exists())

    def files(self) -> State:
        """Every file of agents', with its bytes."""
        own = Path(self.config.live_dir)
        return frozenset(one for one in self.state() if own not in one[0].parents)

    def go_back(self, state: State) -> None:
        """Let all be as it was once."""
        for path, _ in self.state() - state:
            path.unlink()
        for path, data in state:
            path.write_bytes(data)

    def place(self, name: str, kind: str) -> Place:
        if kind == MCP:
            return mcp_settings.place_of(CLIENTS[name], self.environ)
        return install.place_of(AGENTS[name], self.environ)

    def add(self, name: str, kind: str) -> None:
        if kind == OTLP:
            otlp_change = otlp.plan(
                SENDERS[name], self.config, self.environ, str(self.home), self.at
            )
            otlp.install(otlp_change, self.config, self.at)
            return
        place = self.place(name, kind)
        self._carry_out(
            install.plan(place, self.config)
            if kind == HOOKS
            else mcp_settings.plan(place, self.config, python="/bin/sh", all_projects=False)
        )

    def remove(self, name: str, kind: str) -> None:
        if kind == OTLP:
            otlp_change = otlp.plan_removal(SENDERS[name], self.config)
            assert otlp_change is not None
            otlp.remove(otlp_change, self.config)
            return
        place = self.place(name, kind)
        change = (
            install.plan_removal(place, self.config)
            if kind == HOOKS
            else mcp_settings.plan_removal(place, self.config)
        )
        self._carry_out(change)
        install.forget_note(place.path, self.config, kind)

    def is_there(self, name: str, kind: str) -> bool:
        if kind == OTLP:
            look = otlp.status(SENDERS[name], self.config, self.environ, str(self.home))
            return look.state == "installed"
        place = self.place(name, kind)
        if kind == MCP:
            return mcp_settings.look(place, self.config).state == "installed"
        return install.look(place, self.config).is_current

    def _carry_out(self, change: Change) -> None:
        if change.is_one():
            install.carry_out(change, self.config)


@pytest.fixture
def machine(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that nobody manages, with no agent's settings."""
    monkeypatch.setattr(install, "MANAGED", ())
    return Machine(clean_home)


def layouts() -> Iterator[tuple[str, str]]:
    for name in KINDS:
        more = COMMENTS if name == "gemini-cli" else ()
        yield from ((name, layout) for layout in (TOML if name == "codex" else (*JSON, *more)))


@pytest.mark.parametrize(("name", "layout"), list(layouts()))
def test_every_order_gives_every_byte_back(machine: Machine, name: str, layout: str) -> None:
    """What is in stays in while another goes, and with the last one the file is as it was."""
    text = (TOML if name == "codex" else {**JSON, **COMMENTS})[layout]
    path = Path(SENDERS[name].home(machine.environ, str(machine.home)), SENDERS[name].file)
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        path.write_bytes(text.encode())
    before = machine.files()
    first = machine.state()
    # What a step does is told by what there is: so a state that was there needs no second look,
    # and all orders are tried, however often each kind comes and goes.
    seen, open_ends = {first}, [(first, frozenset[str]())]
    while open_ends:
        state, there = open_ends.pop()
        for kind in KINDS[name]:
            machine.go_back(state)
            if kind in there:
                machine.remove(name, kind)
            else:
                machine.add(name, kind)
            now = there ^ {kind}
            assert now or machine.files() == before, (state, kind)
            after = machine.state()
            if after not in seen:
                assert {one for one in KINDS[name] if machine.is_there(name, one)} == now
                seen.add(after)
                open_ends.append((after, now))
            assert len(seen) < 100  # nothing grows from time to time
    assert len(seen) > len(KINDS[name])


def test_what_a_person_wrote_in_between_stays(machine: Machine) -> None:
    """Behind one of ours, in a file that we made: it keeps its table, and the rest is gone."""
    path = machine.home / ".codex" / "config.toml"
    machine.add("codex", MCP)
    machine.add("codex", OTLP)
    with path.open("a") as file:
        file.write('environment = "dev"\n\n[tui]\nx = 1\n')
    machine.remove("codex", MCP)
    machine.remove("codex", OTLP)
    left = path.read_text()
    assert tomllib.loads(left) == {"otel": {"environment": "dev"}, "tui": {"x": 1}}


def test_a_file_that_a_person_emptied_since_begins_anew(machine: Machine) -> None:
    """It is empty in the end, although ours once made it."""
    path = machine.home / ".qwen" / "settings.json"
    machine.add("qwen", HOOKS)
    path.write_bytes(b"\n")
    machine.add("qwen", OTLP)
    machine.remove("qwen", OTLP)
    assert path.read_bytes() == b"\n"
