"""Which sessions and days a Slice means, as conditions in SQL.

Names that are given in part or as patterns are looked up first, among the names that
there are; the SQL then compares whole names, which every engine does alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.answers import Slice, label_of

Value = str | int
Names = Callable[[str], Iterable[str]]
"""Tells which names there are: of "project", "branch" or "model"."""


_IN_PHASES = ("phase_days", "tool_days", "llm_days")
"""What is done in phases, by its table."""


class Chosen(Struct, frozen=True):
    """A Slice in SQL. `sessions` and `days` are conditions, "" where all are meant.

    `days` is for tables with days, `tool`, `model` and `phase` for those with these columns.
    `is_simple`: nothing but agents, projects and whole days are chosen, so that rollups
    can answer; `projects` are then the names, None for all. `has_label`: sessions have a
    column `label`, the value of the label that is grouped by.
    """

    which: Slice
    sessions: str
    days: str
    tool: str
    model: str
    phase: str
    parameters: Mapping[str, Value]
    projects: tuple[str, ...] | None
    is_simple: bool
    has_label: bool = False


def choose(which: Slice, names: Names, contains: str, always: str = "") -> Chosen:
    """Say in SQL what a Slice means; `names` is asked where it gives parts of names.

    `contains` is the engine's own way to ask whether a text holds another, as
    "position({}, {}) > 0": LIKE has wildcards, and takes other letters for the same. `always`
    is a condition that every session must meet.
    """
    parameters: dict[str, Value] = {}
    projects = models = None
    sessions = [always] if always else []
    if which.agents is not None:
        sessions.append(among("agent", which.agents, parameters))
    if which.project or which.folder:
        named = (name for name in names("project") if which.project in name)
        projects = tuple(name for name in named if _is_within(name, which.folder))
        sessions.append(among("project", projects, parameters))
    if which.branch:
        sessions.append(among("branch", matching(which.branch, names("branch")), parameters))
    days = between("day", which.first_day, which.last_day, parameters)
    on_days = f"session IN (SELECT session FROM session_days WHERE {days})" if days else ""
    model = ""
    if which.model:
        models = matching(which.model, names("model"))
        model = among("model", models, parameters)
        # Of these days here too, or all rows of all days are read through.
        of_model = all_of(model, on_days)
        sessions.append(f"session IN (SELECT session FROM llm_days{of_model})")
    phase = among("phase", (which.phase,), parameters) if which.phase else ""
    if phase:
        used = (f"SELECT session FROM {name}{all_of(phase, on_days)}" for name in _IN_PHASES)
        sessions.append(f"session IN ({' UNION ALL '.join(used)})")
    if which.session:
        sessions.append("session_id = :session_id")
        parameters["session_id"] = which.session
    sessions += _labelled(which, parameters)
    times = _between_moments(which, parameters)
    sessions += times
    if which.text:
        # A table of its own, for all of it is read through for each text.
        has_text = contains.format("search", ":text")
        at_times = f"session IN (SELECT session FROM sessions{all_of(*times)})" if times else ""
        of_text = all_of(has_text, at_times)
        sessions.append(f"session IN (SELECT session FROM session_texts{of_text})")
        parameters["text"] = which.text.lower()
    is_simple = which.since_us is None and which.until_us is None and not always
    is_simple &= not (which.branch or which.model or which.text or which.session or which.labels)
    is_simple &= not phase
    if on_days:
        sessions.append(on_days)
    tool = among("tool", (which.tool,), parameters) if which.tool else ""
    chosen = " AND ".join(sessions)
    return Chosen(which, chosen, days, tool, model, phase, parameters, projects, is_simple)


def _between_moments(which: Slice, parameters: dict[str, Value]) -> list[str]:
    """The conditions that a session had an event between the slice's bounds within a day."""
    times = []
    for column, sign, bound in (
        ("updated_us", ">=", which.since_us),
        ("started_us", "<=", which.until_us),
    ):
        if bound is not None:
            times.append(f"{column} {sign} :{column}")
            parameters[column] = bound
    return times


def _labelled(which: Slice, parameters: dict[str, Value]) -> Iterator[str]:
    """One condition for each label that sessions must have."""
    for at, (name, value) in enumerate(which.labels):
        parameters |= {f"label_name_{at}": name, f"label_value_{at}": value}
        has_it = f"name = :label_name_{at} AND value = :label_value_{at}"
        yield f"session IN (SELECT session FROM session_labels WHERE {has_it})"


def grouped(chosen: Chosen, by: Iterable[str]) -> Chosen:
    """The same, to be grouped by these parts: a label among them becomes a column."""
    for part in by:
        label = label_of(part)
        if label:
            parameters = {**chosen.parameters, "by_label": label}
            return replace(chosen, parameters=parameters, has_label=True)
    return chosen


def only(chosen: Chosen, sessions: Iterable[int]) -> Chosen:
    """The same days, tools and models of these sessions alone, given by number."""
    parameters = dict(chosen.parameters)
    condition = among("session", sessions, parameters)
    return replace(chosen, sessions=condition, parameters=parameters, is_simple=False)


def _is_within(project: str, folder: str) -> bool:
    """Tell whether a project is a folder, or one in it; every one is in ""."""
    return not folder or project == folder or project.startswith(f"{folder.rstrip('/')}/")


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a whole name, or a pattern with `*`, means."""
    if "*" not in pattern:
        return [pattern]
    # Only `*` is special: brackets and question marks are letters of a name.
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return [name for name in names if fnmatchcase(name, escaped)]


def among(column: str, values: Iterable[Value], parameters: dict[str, Value]) -> str:
    """A column is one of these values; no values: never."""
    keys = []
    for number, value in enumerate(values):
        keys.append(f":{column}_{number}")
        parameters[f"{column}_{number}"] = value
    if not keys:
        return "1 = 0"
    return f"{column} = {keys[0]}" if len(keys) == 1 else f"{column} IN ({', '.join(keys)})"


def between(column: str, first: str, last: str, parameters: dict[str, Value]) -> str:
    """A column is from `first` to `last`, both included; "" is no bound."""
    bounds = []
    for sign, name, bound in ((">=", "first", first), ("<=", "last", last)):
        if bound:
            bounds.append(f"{column} {sign} :{name}_{column}")
            parameters[f"{name}_{column}"] = bound
    return " AND ".join(bounds)


def all_of(*conditions: str) -> str:
    """A WHERE clause of those conditions that say anything."""
    said = [condition for condition in conditions if condition]
    return f" WHERE {' AND '.join(said)}" if said else ""
