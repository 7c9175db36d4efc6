"""Sessions told of by transcript, hooks and status line, as the commands and the index have them.

Replays what real agents sent (../shared/captures): what their scripted model served is the truth.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from m31a_metrics import Collector, config, events, journal
from m31a_metrics.answers import SessionRow, Slice
from m31a_metrics.catalog import ask
from m31a_metrics.catalog.agents import Place
from m31a_metrics.catalog.find_session import ask_named, load_named
from m31a_metrics.catalog.follow import follow, latest
from m31a_metrics.catalog.forget_sessions import find, forget
from m31a_metrics.catalog.import_sessions import import_transcripts
from m31a_metrics.catalog.load import LoadedSession, Loader
from m31a_metrics.catalog.refresh import quiet
from m31a_metrics.config import Config
from m31a_metrics.events import UNATTRIBUTED, AgentTotals, Event, ToolCall
from m31a_metrics.model import Usage
from m31a_metrics.session import Session
from m31a_metrics.units import nano_usd
from m31a_metrics.witnesses import call_id
from tests.live.otlp.sent import arrive
from tests.sources.golden import GOLDEN


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """What a hook or a status line was given, with the time (Unix microseconds)."""
    if path.exists():
        for line in path.read_text().splitlines():
            at, *_, payload = line.split("\t")
            yield int(float(at) * 1e6), json.loads(payload)


def of_hooks(agent: str, run: Path) -> Iterator[Event]:
    """The events that hooks write down."""
    for t_us, told in lines(run / "hooks.tsv"):
        name, tool = told["hook_event_name"], told.get("tool_name", "")
        # Qwen Code gives hooks an id of their own beside the transcript's.
        call_id: Any = told.get("tool_call_id") or told.get("tool_use_id")
        if name == "SessionStart" and told["source"] == "startup":
            yield events.SessionStart(t_us, agent=agent, native_id=told["session_id"])
        elif name == "UserPromptSubmit" and "<task-notification>" not in told.get("prompt", ""):
            yield events.UserTurn(t_us)
        elif name == "PreToolUse" and agent == "codex":
            yield events.ToolStart(t_us, tool, call_id)
        elif name == "PostToolUse" and agent == "codex":
            yield events.ToolEnd(t_us, tool, id=call_id)
        elif name in ("PostToolUse", "PostToolUseFailure"):
            response = told.get("tool_response")
            goes_on = isinstance(response, dict) and response.get("isAsync", False)
            yield events.ToolCall(
                t_us,
                tool,
                name == "PostToolUse",
                told["duration_ms"],
                elapsed_only=goes_on,
                subagent=told.get("agent_type"),
                id=call_id,
            )
        elif name == "SubagentStop":
            yield events.Subagent(t_us, told["agent_type"])
        elif name == "PostCompact":
            yield events.Compaction(t_us, told["trigger"])


def of_status_line(run: Path) -> Iterator[Event]:
    """What a status line was given of the agent's own totals."""
    for t_us, told in lines(run / "statusline.tsv"):
        cost = told["cost"]
        yield events.AgentTotals(t_us, cost["total_cost_usd"], cost["total_duration_ms"])


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    """A configuration whose sessions are here."""
    return replace(config.defaults(), sessions_dir=str(tmp_path / "sessions"))


def transcript_of(run: Path) -> Path:
    """The transcript that an agent wrote."""
    (path,) = [
        path
        for path in (run / "home").rglob("*.jsonl")
        if path.parts[-2] != "subagents" and {"projects", "sessions"}.intersection(path.parts)
    ]
    return path


def tell(settings: Config, agent: str, run: Path, told: Iterable[Event]) -> Path:
    """Have hooks and status line tell of a run's session; return its transcript."""
    path = transcript_of(run)
    native_id = Loader(settings).load(agent, str(path)).facts.native_id
    Session(settings.sessions_dir, native_id).append(list(told))
    return path


def served_tokens(run: Path) -> list[int]:
    """The tokens of each answer that the scripted model served."""
    answers = [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]
    names = (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    )
    return [
        answer["usage"].get("total_tokens") or sum(answer["usage"].get(name, 0) for name in names)
        for answer in answers
    ]


def calls_of(one: LoadedSession) -> dict[str, ToolCall]:
    """The calls of a session by the ids that the agent gave them."""
    return {call_id(event.id or ""): event for event in one.events if isinstance(event, ToolCall)}


RUNS = [
    ("claude-code", "claude-code/cc332"),
    ("claude-code", "claude-code/cc332pb"),
    ("claude-code", "claude-code/ccdeny"),
    ("claude-code", "claude-code/ccdc"),
    ("claude-code", "claude-code/ccint2"),
    ("codex", "codex/cx1"),
    ("codex", "codex/cxdeny"),
    ("codex", "codex/cxasync"),
    ("qwen", "qwen-code/qw1"),
]


@pytest.mark.parametrize(("agent", "run"), RUNS)
def test_what_was_served_is_what_is_counted(
    shared: Path, settings: Config, agent: str, run: str
) -> None:
    """Answers and tokens are those that the model served; calls are what the agent ran."""
    folder = shared / "captures" / run
    alone = Loader(settings).load(agent, str(transcript_of(folder)))
    hooked = list(of_hooks(agent, folder))
    path = tell(settings, agent, folder, [*hooked, *of_status_line(folder)])
    one = Loader(settings).load(agent, str(path))
    served = served_tokens(folder)
    rows = one.record.llms
    assert sum(row.interaction_count for row in rows) == len(served)
    assert sum(row.total_tokens for row in rows) == sum(served)
    assert sum(row.unknown_usage_count for row in rows) == 0
    for found, expected in zip(one.metrics.tools, alone.metrics.tools, strict=True):
        assert (found.name, found.call_count) == (expected.name, expected.call_count)
        assert found.fail_count == expected.fail_count
        assert found.denied_count == expected.denied_count
    assert one.record.user_turn_count == alone.record.user_turn_count == 1
    ran = {event.id: event for event in hooked if isinstance(event, ToolCall)}
    for event_id, call in calls_of(one).items():
        if event_id in ran and not ran[event_id].elapsed_only:
            assert (call.duration_ms, call.elapsed_only) == (ran[event_id].duration_ms, False)
    assert one.record.unpaired_count == 0


def test_compactions_cost_what_the_status_line_says(shared: Path, settings: Config) -> None:
    """Two requests for a summary are in no transcript: they count, and cost what is left."""
    run = shared / "captures" / "claude-code" / "ccint2"
    totals = list(of_status_line(run))
    path = tell(settings, "claude-code", run, [*of_hooks("claude-code", run), *totals])
    one = Loader(settings).load("claude-code", str(path))
    (row,) = [row for row in one.record.llms if row.phase == UNATTRIBUTED]
    assert (row.interaction_count, row.unknown_usage_count) == (2, 0)
    assert row.total_tokens == sum(served_tokens(run)[-2:])
    last = totals[-1]
    assert isinstance(last, AgentTotals)
    assert last.cost_usd is not None
    assert sum(row.cost_nano for row in one.record.llms) == nano_usd(last.cost_usd)
    # What the model served, at list prices: eight answers of the session, two summaries.
    assert nano_usd(last.cost_usd) == nano_usd(0.014964)
    assert sum(llm.cost for llm in one.metrics.llms) == pytest.approx(last.cost_usd, rel=1e-9)
    assert one.record.compaction_count == 1


def test_a_person_who_was_asked_was_waited_for(shared: Path, settings: Config) -> None:
    """Twice the agent asked: what hooks and transcript tell is what its own telemetry says."""
    run = shared / "captures" / "claude-code" / "ccint2"
    path = tell(settings, "claude-code", run, of_hooks("claude-code", run))
    calls = calls_of(Loader(settings).load("claude-code", str(path)))
    asked_us = [
        t for t, told in lines(run / "hooks.tsv") if told["hook_event_name"] == "PermissionRequest"
    ]
    waited = [call for call in calls.values() if call.wait_ms is not None]
    assert [call.name for call in waited] == ["Bash", "Write"]
    for call, since_us in zip(waited, asked_us, strict=True):
        answered_us = call.t_us - call.duration_ms * 1000
        assert call.wait_ms == pytest.approx((answered_us - since_us) / 1000, abs=150)


def test_the_index_and_one_session_agree(shared: Path, settings: Config, clean_home: Path) -> None:
    """What a list says of a joined session is what is shown of it, however it is loaded."""
    run = shared / "captures" / "claude-code" / "ccint2"
    projects = clean_home / ".claude" / "projects"
    shutil.copytree(run / "home" / ".claude" / "projects", projects)
    (path,) = projects.glob("*/*.jsonl")
    environ = {"HOME": str(clean_home)}
    told = [*of_hooks("claude-code", run), *of_status_line(run)]
    # The transcript first, the hooks later, the status line last: or all at once.
    for part in (told[:9], told[9:20], told[20:]):
        Session(settings.sessions_dir, path.stem).append(part)
        with ask(settings, environ) as asking:
            (row,) = asking.answers.sessions(Slice())
        for one in (
            load_named(settings, path.stem, environ),
            Loader(settings).load("claude-code", str(path)),
        ):
            record = one.record
            assert (row.agent, row.session_id) == (record.agent, record.session_id)
            assert row.cost_nano == sum(use.cost_nano for use in record.llms)
            assert row.interaction_count == sum(use.interaction_count for use in record.llms)
            assert row.call_count == sum(tool.call_count for tool in record.tools)
            assert row.duration_us == sum(tool.duration_us for tool in record.tools)
            assert row.active_us == sum(phase.active_us for phase in record.phases)
    assert row.cost_nano == nano_usd(0.014964)


@pytest.mark.parametrize(("agent", "run"), [RUNS[0], RUNS[4], RUNS[5]])
def test_a_session_that_only_hooks_know_stands_by_itself(
    shared: Path, settings: Config, agent: str, run: str
) -> None:
    """Its calls, turns and cost are there, as far as hooks and status line know them."""
    folder = shared / "captures" / run
    alone = Loader(settings).load(agent, str(transcript_of(folder)))
    tell(settings, agent, folder, [*of_hooks(agent, folder), *of_status_line(folder)])
    native_id = alone.facts.native_id
    with ask(settings, {}, only_dir=True) as asking:
        (row,) = asking.answers.sessions(Slice())
    assert (row.agent, row.session_id) == (agent, native_id)
    assert row.call_count == sum(tool.call_count for tool in alone.record.tools)
    one = Loader(settings).load("m31a", f"{settings.sessions_dir}/{native_id}")
    assert sum(tool.total_duration_ms for tool in one.metrics.tools) * 1000 == row.duration_us


def test_what_arrives_by_otlp_is_in_the_index(
    shared: Path, settings: Config, clean_home: Path
) -> None:
    """Alone it is a session; with the transcript it is the same one, and so it is one by one."""
    run = shared / "captures" / "claude-code" / "ccint2"
    environ = {"HOME": str(clean_home)}
    arrive(run, settings.sessions_dir)
    rows = []
    for is_written in (False, True):
        if is_written:
            projects = clean_home / ".claude" / "projects"
            shutil.copytree(run / "home" / ".claude" / "projects", projects)
        with ask(settings, environ) as asking:
            (row,) = asking.answers.sessions(Slice())
        record = load_named(settings, row.session_id, environ).record
        assert row.cost_nano == sum(use.cost_nano for use in record.llms) == nano_usd(0.014964)
        assert row.interaction_count == sum(use.interaction_count for use in record.llms) == 10
        assert row.call_count == sum(tool.call_count for tool in record.tools) == 5
        rows.append(row)
    assert [(row.agent, row.session_id) for row in rows] == [
        ("claude-code", transcript_of(run).stem)
    ] * 2


def test_a_price_of_one_s_own_goes_before_an_agent_s(shared: Path, settings: Config) -> None:
    """What an agent says that its answers cost is at the prices of its maker's list."""
    run = shared / "captures" / "claude-code" / "cc332"
    dear = {"claude-sonnet-4-5": {"input": 1_000.0, "output": 1_000.0, "cache_read": 1_000.0}}
    own = replace(settings, prices=dear)
    directory = arrive(run, settings.sessions_dir)
    for agent, path in (("m31a", directory), ("claude-code", str(transcript_of(run)))):
        by_list, by_own = (
            sum(use.cost_nano for use in Loader(one).load(agent, path).record.llms)
            for one in (settings, own)
        )
        assert by_list == nano_usd(0.01191)
        assert by_own > 100 * by_list


def test_what_came_without_the_token_can_be_left_out(shared: Path, settings: Config) -> None:
    """Views show it; who reads for a budget does not."""
    run = shared / "captures" / "claude-code" / "ccint2"
    directory = arrive(run, settings.sessions_dir, journal.OTLP_OPEN)
    for agent, path, told, verified in (
        ("m31a", directory, 10, 0),
        ("claude-code", str(transcript_of(run)), 10, 9),
    ):
        assert [
            sum(use.interaction_count for use in one.load(agent, path).record.llms)
            for one in (Loader(settings), Loader(settings, verified=True))
        ] == [told, verified]


def test_what_arrives_of_another_session_counts_nowhere(
    shared: Path, settings: Config, tmp_path: Path
) -> None:
    """A sender may call a session as it likes: it does not get into one of somebody else's."""
    with Collector("s1", settings.sessions_dir, agent="mine") as collector:
        collector.record_tool_call("Bash", True, 5)
    arrive(shared / "captures" / "codex" / "cx1", str(tmp_path))
    (sent,) = tmp_path.glob("*/events/otlp.jsonl")
    here = Path(settings.sessions_dir) / "s1"
    (here / "events" / "otlp.jsonl").write_bytes(sent.read_bytes())
    record = Loader(settings).load("m31a", str(here)).record
    assert (record.agent, [tool.tool for tool in record.tools]) == ("mine", ["Bash"])
    assert record.llms == []


def test_a_kill_loses_only_what_no_witness_had(
    shared: Path, settings: Config, tmp_path: Path
) -> None:
    """However much of its transcript a killed agent had written, what hooks saw is counted."""
    run = shared / "captures" / "claude-code" / "ccint2"
    hooked = list(of_hooks("claude-code", run))
    path = tell(settings, "claude-code", run, hooked)
    whole = Loader(settings).load("claude-code", str(path))
    seen = {event.id for event in hooked if isinstance(event, ToolCall)}
    cut = tmp_path / path.name
    records = path.read_bytes().splitlines(keepends=True)
    for count in range(5, len(records)):
        cut.write_bytes(b"".join(records[:count]))
        one = Loader(settings).load("claude-code", str(cut))
        assert calls_of(one).keys() >= seen
        assert calls_of(one).keys() <= calls_of(whole).keys()
        assert one.record.user_turn_count == 1
        assert one.record.compaction_count == 1
        assert sum(tool.call_count for tool in one.record.tools) == len(calls_of(one))


PARENT = "019fc710-e100-7000-8000-000000000001"
CHILD = "019fc711-2f20-7000-8000-000000000002"
"""A thread of Codex, and that of its subagent, whose name OTLP uses as that of any thread."""
BEGAN_US, READ_US = 1_785_751_221_500_000, 1_785_751_225_050_000
SERVED = [2040, 920, 3050]


def tell_of_threads(settings: Config, *threads: str, name: str = journal.OTLP) -> None:
    """Have OTLP tell of threads as Codex does: answers without ids, how long calls ran."""
    told: dict[str, list[Event]] = {
        PARENT: [
            events.UserTurn(BEGAN_US - 20_500_000),
            events.LLMInteraction(BEGAN_US - 500_000, "", Usage(2000, 40), id="otlp:1"),
            events.ToolCall(1_785_751_264_010_000, "exec_command", True, 2_700, id="call_exec"),
            events.LLMInteraction(BEGAN_US + 44_500_000, "", Usage(3000, 50), id="otlp:3"),
        ],
        CHILD: [
            events.UserTurn(BEGAN_US),
            events.ToolCall(READ_US, "exec_command", False, 37, id="call_read"),
            events.LLMInteraction(READ_US + 950_000, "", Usage(900, 20), id="otlp:2"),
        ],
    }
    for thread in threads:
        start = events.SessionStart(BEGAN_US, agent="codex", native_id=thread)
        Session(settings.sessions_dir, thread).append([start, *told[thread]], name)


def write_rollouts(home: Path) -> Path:
    """Have Codex write both threads down; return the parent's."""
    root = home / ".codex"
    shutil.copytree(GOLDEN / "codex" / "subagent-0.146", root)
    (path,) = root.rglob(f"*{PARENT}.jsonl")
    return path


def in_index(settings: Config, home: Path) -> list[SessionRow]:
    """The sessions of the index, once it was brought up to date."""
    with ask(settings, {"HOME": str(home)}) as asking:
        return list(asking.answers.sessions(Slice()))


def ran_ms(one: LoadedSession) -> list[float]:
    """How long the calls ran of which OTLP told, the subagent's first."""
    calls = calls_of(one)
    return [calls[name].duration_ms for name in ("call_read", "call_exec")]


def tokens_of(one: LoadedSession) -> int:
    """The tokens of a session."""
    return sum(row.total_tokens for row in one.record.llms)


STEPS = ("parent's OTLP", "subagent's OTLP", "rollouts")


@pytest.mark.parametrize("order", [*permutations(STEPS)], ids=", ".join)
def test_what_otlp_tells_of_a_subagent_is_joined_in_whatever_order(
    settings: Config, clean_home: Path, order: Sequence[str]
) -> None:
    """Codex's subagent is no session of its own while a session has its rollout."""
    for step in order:
        if step == "rollouts":
            write_rollouts(clean_home)
        else:
            tell_of_threads(settings, PARENT if step.startswith("parent") else CHILD)
        in_index(settings, clean_home)
    (row,) = in_index(settings, clean_home)
    assert (row.session_id, row.interaction_count, row.total_tokens) == (PARENT, 3, sum(SERVED))
    assert (row.user_turn_count, row.call_count, row.fail_count) == (1, 5, 2)
    one = load_named(settings, PARENT, {"HOME": str(clean_home)})
    assert ran_ms(one) == [37, 2_700]
    assert row.duration_us == sum(tool.total_duration_ms for tool in one.metrics.tools) * 1000
    assert calls_of(one)["call_read"].subagent == "explorer"
    assert tokens_of(one) == sum(SERVED)


def test_a_subagent_is_counted_once_when_rollouts_go(settings: Config, clean_home: Path) -> None:
    """The session stays as it was read; of an index made anew, what OTLP told is all there is."""
    path = write_rollouts(clean_home)
    tell_of_threads(settings, CHILD)
    before = in_index(settings, clean_home)
    shutil.rmtree(clean_home / ".codex")
    after = in_index(settings, clean_home)
    assert [(row.session_id, row.total_tokens) for row in after] == [(PARENT, sum(SERVED))]
    assert [row.duration_us for row in after] == [row.duration_us for row in before]
    Path(settings.index).unlink()
    (alone,) = in_index(settings, clean_home)
    assert (alone.session_id, alone.total_tokens) == (CHILD, SERVED[1])
    write_rollouts(clean_home)
    assert [row.path for row in in_index(settings, clean_home)] == [str(path)]


def test_a_subagent_whose_rollout_goes_is_what_otlp_told(
    settings: Config, clean_home: Path
) -> None:
    """Its parent's rollout alone tells that it ended, and not what it used."""
    path = write_rollouts(clean_home)
    tell_of_threads(settings, CHILD)
    in_index(settings, clean_home)
    (rollout,) = clean_home.rglob(f"*{CHILD}.jsonl")
    rollout.unlink()
    os.utime(path)  # until it changes, its session stays as it was read
    rows = {row.session_id: row.total_tokens for row in in_index(settings, clean_home)}
    assert rows == {PARENT: SERVED[0] + SERVED[2], CHILD: SERVED[1]}


def test_a_copy_of_a_session_holds_its_subagents(settings: Config, clean_home: Path) -> None:
    """Where rollouts are gone, their imported copy counts once with what OTLP told."""
    path = write_rollouts(clean_home)
    import_transcripts(settings, [Place("codex", str(path), 0, 0)], quiet)
    shutil.rmtree(clean_home / ".codex")
    tell_of_threads(settings, CHILD)
    (row,) = in_index(settings, clean_home)
    assert (row.session_id, row.total_tokens, row.call_count) == (PARENT, sum(SERVED), 5)


def test_one_transcript_is_read_with_what_its_subagents_sent(
    settings: Config, clean_home: Path
) -> None:
    """Budgets and the live screen read it by itself, with no index to ask."""
    path = write_rollouts(clean_home)
    alone = Loader(settings).load("codex", str(path))
    tell_of_threads(settings, PARENT, CHILD)
    one = Loader(settings).load("codex", str(path), goes_on=True)
    assert ran_ms(one) == [37, 2_700]
    assert one.record.user_turn_count == alone.record.user_turn_count == 1
    assert tokens_of(one) == tokens_of(alone) == sum(SERVED)


def test_what_strangers_send_of_a_subagent_adds_no_use(settings: Config, clean_home: Path) -> None:
    """A budget leaves out what came without the token by a session's name, which this has not."""
    path = write_rollouts(clean_home)
    start = events.SessionStart(BEGAN_US, agent="codex", native_id=CHILD)
    late = events.LLMInteraction(BEGAN_US + 10**9, "", Usage(5_000, 500), id="otlp:9")
    call = events.ToolCall(READ_US, "exec_command", False, 37, id="call_read")
    for name, tokens in ((journal.OTLP_OPEN, sum(SERVED)), (journal.OTLP, sum(SERVED) + 5_500)):
        Session(settings.sessions_dir, CHILD).append([start, call, late], name)
        one = Loader(settings).load("codex", str(path))
        assert tokens_of(one) == tokens
        assert calls_of(one)["call_read"].duration_ms == 37


def test_a_subagent_is_forgotten_with_its_session(settings: Config, clean_home: Path) -> None:
    """What OTLP told of it goes, and what comes of it later is not read."""
    environ = {"HOME": str(clean_home)}
    write_rollouts(clean_home)
    tell_of_threads(settings, CHILD)
    (target,) = (found := find(settings, environ, [PARENT], [])).targets
    assert target.recordings == [f"{settings.sessions_dir}/{CHILD}"]
    assert forget(settings, found) == []
    assert not Path(settings.sessions_dir, CHILD).exists()
    tell_of_threads(settings, CHILD)
    assert in_index(settings, clean_home) == []


def test_a_subagents_name_is_its_sessions(settings: Config, clean_home: Path) -> None:
    """Whoever asks for it is shown the session that has its rollout; without that, what came."""
    environ = {"HOME": str(clean_home)}
    tell_of_threads(settings, CHILD)
    assert load_named(settings, CHILD, environ).record.session_id == CHILD
    write_rollouts(clean_home)
    assert load_named(settings, CHILD, environ).record.session_id == PARENT
    with ask_named(settings, CHILD, environ) as asked:
        (row,) = asked.answers.sessions(asked.which)
    assert (asked.session_id, row.total_tokens) == (PARENT, sum(SERVED))


def test_a_subagent_is_followed_in_its_session(settings: Config, clean_home: Path) -> None:
    """What it sends is news of its parent, which is what runs, and is read again for it."""
    environ = {"HOME": str(clean_home)}
    path = write_rollouts(clean_home)
    (place,) = latest(settings, environ)
    followed = follow(settings, None, environ)
    followed.look()
    tell_of_threads(settings, CHILD)
    (told,) = latest(settings, environ)
    assert told.path == place.path == str(path)
    assert told.changed_us > place.changed_us
    before = followed.metrics()
    followed._rest_until_s = 0.0  # type: ignore[attr-defined]
    followed.look()
    assert followed.session_id == PARENT
    assert sum(one.total_duration_ms for one in followed.metrics().tools) < sum(
        one.total_duration_ms for one in before.tools
    )
