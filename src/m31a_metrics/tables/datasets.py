"""What can be exported row by row: which columns each dataset has, and how its rows are made.

A dataset is finer than a Table: a row a session, a day, a tool and a phase. Columns are stable:
names, kinds and units are described in `schema/datasets.json`, to which a test holds them.
Figures are named and measured as everywhere: `_ms` milliseconds, `_usd` US dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import Any

from msgspec import Struct, json
from msgspec.structs import astuple

from m31a_metrics.events import Event, LLMInteraction, ToolCall
from m31a_metrics.histogram import packed_percentiles
from m31a_metrics.measures import LLMSums, token_classes, within_prompt
from m31a_metrics.queries.tables import (
    LLMS,
    LONGEST,
    PHASES,
    RAN,
    SESSION_FACTS,
    SESSION_SUMS,
    TOOLS,
)
from m31a_metrics.queries.texts import HEAL
from m31a_metrics.tables.timeline import PhaseOf
from m31a_metrics.tally import Price
from m31a_metrics.units import NANO_PER_USD

Row = tuple[Any, ...]


class Kind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TIME = "time"  # Unix microseconds; 0 is not known
    DAY = "day"  # YYYY-MM-DD, in the zone of whoever exports; "" is not known
    NAMES = "names"  # a list of texts
    LABELS = "labels"  # texts by name


class Field(Struct, frozen=True):
    """One column. A row holds its value times `scale`: whole microseconds, whole nano-USD."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    scale: int = 1


class Dataset(Struct, frozen=True):
    """What is exported under a name. `key` names the fields that tell its rows apart.

    `table` and `columns` are what the index is asked for, after FACTS of the session (of
    sessions, these columns alone); `finish` makes a row of the fields of what it gives.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    table: str = ""
    columns: tuple[str, ...] = ()
    finish: Callable[[Row], Row] = tuple


FACTS = ("agent", "session_id", "project", "branch")
"""What is known of the session, in every dataset's first columns."""

_FACTS = (
    Field("agent", Kind.TEXT, "The agent whose session it is."),
    Field("session_id", Kind.TEXT, "The session, as every command takes it."),
    Field("project", Kind.TEXT, "The folder of the project."),
    Field("branch", Kind.TEXT, "The git branch on which it began."),
)
_DAY = Field("day", Kind.DAY, "The local day.")
_PHASE = Field("phase", Kind.TEXT, "The phase; empty where nobody knows it.")
_TOOL = Field("tool", Kind.TEXT, "The tool.")


def _count(name: str, meaning: str) -> Field:
    return Field(name, Kind.INT, meaning)


def _tokens(name: str, meaning: str) -> Field:
    return Field(name, Kind.INT, meaning, "tokens")


def _time_ms(name: str, meaning: str) -> Field:
    return Field(name, Kind.FLOAT, meaning, "ms", 1_000)


_COST = Field("cost_usd", Kind.FLOAT, "Cost, as given or priced.", "USD", NANO_PER_USD)
_CALLS = (
    _count("call_count", "Tool calls that ran."),
    _count("fail_count", "Those of them that failed."),
    _count("denied_count", "Calls that a hook, a rule or a person refused; none of the calls."),
)
_UNPRICED = _tokens("unpriced_tokens", "Those of the total whose cost nobody knows.")
_HEALS = (
    _count("heal_trigger_count", "Self-heals that began."),
    _count("heal_success_count", "Those that passed."),
    _count("heal_fail_count", "Those that failed."),
)


_SESSION = (*SESSION_FACTS, *SESSION_SUMS)
_SESSION_AT = {name: at for at, name in enumerate(_SESSION)}
_session_facts = itemgetter(
    *(_SESSION_AT[name] for name in (*FACTS, "native_id", "version", "worktree"))
)
_session_times = itemgetter(_SESSION_AT["started_us"], _SESSION_AT["updated_us"])
_session_rest = itemgetter(
    *(
        _SESSION_AT[name]
        for name in ("user_turn_count", "compaction_count", "unpaired_count", "is_gone")
    ),
    *(_SESSION_AT[name] for name in SESSION_SUMS),
)
_labels = json.Decoder(dict[str, str]).decode
_models = json.Decoder(list[str]).decode


def _session(row: Row) -> Row:
    began_us, ended_us = _session_times(row)
    return (
        *_session_facts(row),
        _labels(row[_SESSION_AT["labels"]] or "{}"),
        _models(row[_SESSION_AT["models"]]),
        began_us,
        ended_us,
        ended_us - began_us,
        *_session_rest(row),
    )


SESSIONS = Dataset(
    "sessions",
    "A row a session. Sums are of the days that were asked for, times of the whole session.",
    ("agent", "native_id"),
    (
        *_FACTS,
        Field("native_id", Kind.TEXT, "The id that its agent gave it."),
        Field("version", Kind.TEXT, "The agent's version."),
        Field("worktree", Kind.TEXT, "The worktree of the project it ran in, if it was one."),
        Field("labels", Kind.LABELS, "What its developer set it apart by."),
        Field("models", Kind.NAMES, "The models that answered."),
        Field("started_at", Kind.TIME, "Its first event."),
        Field("updated_at", Kind.TIME, "Its last event."),
        _time_ms("duration_ms", "From the first event to the last: how long it lasted."),
        _count("user_turn_count", "Times that a person said something."),
        _count("compaction_count", "Compactions of the context."),
        _count("unpaired_count", "Tool calls without a result."),
        Field("is_gone", Kind.BOOL, "Its file was deleted; only the index knows it."),
        *_CALLS,
        _time_ms("call_duration_ms", "What its tool calls took, waits included."),
        _count("interaction_count", "Answers of models."),
        _tokens("prompt_tokens", "Tokens of prompts, what caches read and wrote included."),
        _tokens("completion_tokens", "Tokens of answers, reasoning included."),
        _tokens("total_tokens", "All tokens."),
        _tokens("subagent_tokens", "Those of the total that subagents used."),
        _UNPRICED,
        _COST,
        _time_ms("active_ms", "Time in which it was active."),
        _time_ms("last_stay_ms", "Of that, what METRICS.json alone tells: last stays of phases."),
        *_HEALS,
        _count("bisect_trigger_count", "Git bisects that began."),
    ),
    "sessions",
    _SESSION,
    _session,
)


_PERCENTS = (50, 95)


def _tool(row: Row) -> Row:
    longest_ms = row[-1]
    if not row[-2]:
        return (*row[:-2], None, None, None)
    return (*row[:-2], *packed_percentiles(row[-2], longest_ms, _PERCENTS), longest_ms)


TOOL_DAYS = Dataset(
    "tools",
    "A row a session, day, tool and phase.",
    ("agent", "session_id", "day", "tool", "phase"),
    (
        *_FACTS,
        _DAY,
        _TOOL,
        _PHASE,
        *_CALLS,
        _time_ms("duration_ms", "What the calls took, waits included."),
        _time_ms("ran_ms", "What of that is known to be the tools' own time."),
        _time_ms("wait_ms", "What persons took to give permission."),
        _count("summed_count", "Calls of which only the sum of `ran_ms` is known."),
        Field("p50_ms", Kind.FLOAT, "Median of the tools' own times, within 2 %.", "ms"),
        Field("p95_ms", Kind.FLOAT, "95th percentile, within 2 %.", "ms"),
        Field("max_ms", Kind.FLOAT, "The longest.", "ms"),
    ),
    TOOLS.name,
    ("day", *TOOLS.dimensions, *TOOLS.sums, RAN, LONGEST),
    _tool,
)

_LLM_AT = {name: at for at, name in enumerate((*FACTS, "day", *LLMS.dimensions, *LLMS.sums))}
_llm_facts = itemgetter(*range(len(FACTS) + 1 + len(LLMS.dimensions)))
_llm_prompt = itemgetter(
    *(
        _LLM_AT[name]
        for name in (
            "prompt_tokens",
            "unsplit_prompt_tokens",
            "cache_read_tokens",
            "cache_write_5m_tokens",
            "cache_write_1h_tokens",
            "completion_tokens",
            "total_tokens",
        )
    )
)
_llm_rest = itemgetter(
    *(
        _LLM_AT[name]
        for name in (
            "reasoning_tokens",
            "total_tokens",
            "subagent_tokens",
            "unpriced_tokens",
            "unknown_usage_count",
            "cost_nano",
        )
    )
)


def _llm(row: Row) -> Row:
    # As `measures.token_classes` tells them apart, which a property test holds this to: a
    # Struct for each of a million rows takes twice as long.
    prompt, unsplit, read, write_5m, write_1h, output, total = _llm_prompt(row)
    known = prompt - unsplit
    read, write_5m, write_1h = within_prompt(known, read, write_5m, write_1h)
    classes = (known - read - write_5m - write_1h, read, write_5m, write_1h, output)
    unsplit += max(total - prompt - output, 0)
    return (
        *_llm_facts(row),
        row[_LLM_AT["interaction_count"]],
        *classes,
        unsplit,
        *_llm_rest(row),
    )


_CLASSES = (
    _tokens("input_tokens", "Tokens of prompts that no cache had a part in."),
    _tokens("cache_read_tokens", "Tokens of prompts that were read from a cache."),
    _tokens("cache_write_5m_tokens", "Tokens written to a cache for five minutes."),
    _tokens("cache_write_1h_tokens", "Tokens written to a cache for an hour."),
    _tokens("output_tokens", "Tokens of answers, reasoning included."),
    _tokens("unsplit_tokens", "Tokens of none of these: only their sum is known."),
    _tokens("reasoning_tokens", "Reasoning, which is part of the output."),
    _tokens("total_tokens", "All tokens: the classes, and what is not split."),
)

LLM_DAYS = Dataset(
    "llms",
    "A row a session, day, model and phase. The five classes of tokens exclude each other.",
    ("agent", "session_id", "day", "model", "phase"),
    (
        *_FACTS,
        _DAY,
        Field("model", Kind.TEXT, "The model; empty where nobody said it."),
        _PHASE,
        _count("interaction_count", "Answers of the model."),
        *_CLASSES,
        _tokens("subagent_tokens", "Those of the total that subagents used."),
        _UNPRICED,
        _count("unknown_usage_count", "Answers whose tokens nobody reported."),
        _COST,
    ),
    LLMS.name,
    ("day", *LLMS.dimensions, *LLMS.sums),
    _llm,
)

_PHASE_SUMS = (
    *("active_us", "last_stay_us", "transition_count"),
    *("heal_trigger_count", "heal_success_count", "heal_fail_count", "heal_loop_count"),
    *("heal_duration_us", "bisect_trigger_count", "bisect_success_count", "bisect_fail_count"),
    *("call_count", "fail_count", "denied_count", "total_tokens", "unpriced_tokens", "cost_nano"),
)


def _phase(row: Row) -> Row:
    *known, ended_count, success_count = row
    return (*known, success_count > 0 if ended_count else None)


PHASE_DAYS = Dataset(
    "phases",
    "A row a session, day and phase. The active times of a day add up to the session's.",
    ("agent", "session_id", "day", "phase"),
    (
        *_FACTS,
        _DAY,
        _PHASE,
        _time_ms("active_ms", "Active time of the phase."),
        _time_ms("last_stay_ms", "Of that, what METRICS.json alone tells: its last stay."),
        _count("transition_count", "Times that it was entered."),
        *_HEALS,
        _count("heal_loop_count", "Errors that came back again and again."),
        _time_ms("heal_duration_ms", "What self-heals took."),
        _count("bisect_trigger_count", "Git bisects that began."),
        _count("bisect_success_count", "Those that named a commit."),
        _count("bisect_fail_count", "Those that did not."),
        *_CALLS,
        _tokens("total_tokens", "All tokens of its models."),
        _UNPRICED,
        _COST,
        Field("success", Kind.BOOL, "How it ended, on the day on which it did; else null."),
    ),
    PHASES.name,
    ("day", *PHASES.dimensions, *_PHASE_SUMS, "ended_count", "success_count"),
    _phase,
)


def _heal(row: Row) -> Row:
    made = list(row)
    made[_PASSED] = None if row[_PASSED] is None else bool(row[_PASSED])
    made[_LOOP] = bool(row[_LOOP])
    return tuple(made)


_PASSED, _LOOP = (len(FACTS) + HEAL.index(name) for name in ("passed", "loop"))

HEALS = Dataset(
    "heals",
    "A row a failure that an agent set out to heal: all attempts at it in one session.",
    ("agent", "session_id", "began_at", "tool", "line"),
    (
        *_FACTS,
        Field("day", Kind.DAY, "The local day of the first attempt."),
        _PHASE,
        Field("tool", Kind.TEXT, "The tool that failed."),
        Field("check", Kind.TEXT, "What was run, as `pytest`."),
        Field("line", Kind.TEXT, "The failure line."),
        _count("attempt_count", "Attempts."),
        Field("passed", Kind.BOOL, "Whether the last one passed; null: never run again."),
        Field("loop", Kind.BOOL, "The same error came back again and again."),
        Field("began_at", Kind.TIME, "When the first attempt began."),
        _time_ms("duration_ms", "What the attempts took."),
        _tokens("total_tokens", "Tokens used in them."),
        Field("cost_usd", Kind.FLOAT, "Their cost; null: not known.", "USD", NANO_PER_USD),
    ),
    "heals",
    HEAL,
    _heal,
)

FAILURES = Dataset(
    "failures",
    "A row a session, day, tool and failure line.",
    ("agent", "session_id", "day", "tool", "line"),
    (
        *_FACTS,
        _DAY,
        _TOOL,
        Field("line", Kind.TEXT, "The failure line; empty: nobody said how it failed."),
        _count("count", "How often."),
    ),
    "failures",
    ("day", "tool", "line", "count"),
)

EVENTS = Dataset(
    "events",
    "A row an event, as the journal has them. Figures that an event has not are null.",
    ("agent", "session_id", "at", "event", "id"),
    (
        *_FACTS,
        Field("at", Kind.TIME, "When; of what takes time, its end."),
        Field("event", Kind.TEXT, "What happened, by the journal's names."),
        Field("id", Kind.TEXT, "Its id, where it has one."),
        Field("name", Kind.TEXT, "The tool, subagent, mode or strategy."),
        Field("phase", Kind.TEXT, "The phase that it served."),
        Field("model", Kind.TEXT, "The model that answered."),
        Field("subagent", Kind.TEXT, "The subagent whose event it is; null: the agent's own."),
        Field("success", Kind.BOOL, "How it went."),
        Field("denied", Kind.BOOL, "A hook, a rule or a person refused the call."),
        Field("duration_ms", Kind.FLOAT, "How long it took.", "ms"),
        Field("elapsed_only", Kind.BOOL, "`duration_ms` may hold a wait of a person."),
        Field("wait_ms", Kind.FLOAT, "What a person took to give permission.", "ms"),
        *_CLASSES,
        Field("cost_usd", Kind.FLOAT, "Cost, as given or priced; null: not known.", "USD"),
        Field("error", Kind.TEXT, "The failure line."),
    ),
)

DATASETS: dict[str, Dataset] = {
    one.name: one for one in (SESSIONS, TOOL_DAYS, LLM_DAYS, PHASE_DAYS, HEALS, FAILURES, EVENTS)
}
"""By name, as `m31 export` takes them."""


def rows(dataset: Dataset, details: Iterable[Row]) -> Iterator[Row]:
    """Make rows of a dataset out of what `Answers.details` gives for it."""
    return map(dataset.finish, details)


_UNKNOWN = (None,) * len(_CLASSES)


def event_rows(
    facts: Sequence[str], events: Iterable[Event], phase_of: PhaseOf, price: Price
) -> Iterator[Row]:
    """Make rows of EVENTS; `facts` are FACTS of the session, `price` prices what nobody did."""
    begin = tuple(facts)
    for event in events:
        get = _getter(event)
        classes: Row = _UNKNOWN
        phase, cost = get("phase"), None
        if isinstance(event, ToolCall):
            phase = phase_of(event)
        elif isinstance(event, LLMInteraction):
            cost = event.cost
            if not event.has_unknown_usage:
                classes = _classes_of(event)
                cost = price(event) if cost is None else cost
        yield (
            *begin,
            event.t_us,
            event.__struct_config__.tag,
            event.id if get("call_id") is None else get("call_id"),
            next((said for name in _NAMES if (said := get(name)) is not None), None),
            phase,
            get("model"),
            get("subagent"),
            get("success"),
            get("denied"),
            get("duration_ms"),
            get("elapsed_only"),
            get("wait_ms"),
            *classes,
            cost,
            get("error"),
        )


_NAMES = ("name", "mode", "strategy", "trigger")


def _getter(event: Event) -> Callable[[str], Any]:
    return lambda name: getattr(event, name, None)


def _classes_of(event: LLMInteraction) -> Row:
    usage = event.usage
    sums = LLMSums(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )
    return (*astuple(token_classes(sums)), usage.reasoning_tokens, sums.total_tokens)


def described() -> Mapping[str, Any]:
    """Describe all datasets for programs: what `schema/datasets.json` holds."""
    return {
        name: {
            "description": one.meaning,
            "key": list(one.key),
            "fields": [
                {
                    "name": field.name,
                    "type": field.kind.value,
                    **({"unit": field.unit} if field.unit else {}),
                    "description": field.meaning,
                }
                for field in one.fields
            ],
        }
        for name, one in DATASETS.items()
    }


def schema_json() -> str:
    """Write `described` as it stands in the file."""
    return json.format(json.encode(described()), indent=2).decode() + "\n"
