"""Which sessions and days a Slice means, as conditions in SQL.

Names that are given in part or as patterns are conditions, too, and no lists of the names that
there are: a fleet has more of these than a text of SQL may be long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.answers import Slice, label_of

Value = str | int

_IN_PHASES = ("phase_days", "tool_days", "llm_days")
"""What is done in phases, by its table."""


class Dialect(Struct, frozen=True):
    """What standard SQL has no words for, as an engine says it.

    `contains`: a text holds another, as "position({}, {}) > 0" (LIKE has wildcards, and some
    take other letters for the same); `begins`: it begins with it. `fits`: a text is what a
    pattern means, which `pattern` writes of one with `*`. `week` and `month` are what the days
    of a week of ISO 8601, or of a month, have in common, and what no other day has, nor "".
    `ran` adds up histograms, for `folding.reading` to read. `more_facts` are columns of
    `sessions` that not every engine has.
    """

    contains: str
    begins: str
    fits: str
    pattern: Callable[[str], str]
    week: str
    month: str
    ran: str
    more_facts: tuple[str, ...] = ()


class Chosen(Struct, frozen=True):
    """A Slice in SQL. `sessions` and `days` are conditions, "" where all are meant.

    `days` is for tables with days, `tool`, `model` and `phase` for those with these columns.
    `is_of_days`: but for the days nothing is said of sessions, so that these tables know all.
    `is_simple`: nothing but agents, projects and whole days are chosen, so that rollups
    can answer; `projects` are then the names, None for all, where an engine has looked for
    them. `has_label`: sessions have a column `label`, the value of the label that is grouped by.
    """

    which: Slice
    dialect: Dialect
    sessions: str
    days: str
    tool: str
    model: str
    phase: str
    parameters: Mapping[str, Value]
    is_of_days: bool
    is_simple: bool
    projects: tuple[str, ...] | None = None
    has_label: bool = False


def choose(which: Slice, dialect: Dialect, always: str = "") -> Chosen:
    """Say in SQL what a Slice means; `always` is a condition that every session must meet."""
    parameters: dict[str, Value] = {}
    sessions = [always] if always else []
    if which.agents is not None:
        sessions.append(among("agent", which.agents, parameters))
    if which.project:
        sessions.append(dialect.contains.format("project", ":project"))
        parameters["project"] = _storable(which.project)
    if which.folder:
        begins = dialect.begins.format("project", ":within")
        sessions.append(f"(project = :folder OR {begins})")
        parameters["folder"] = _storable(which.folder)
        parameters["within"] = _storable(_within(which.folder))
    if which.branch:
        sessions.append(_named(dialect, "branch", which.branch, parameters))
    days = between("day", which.first_day, which.last_day, parameters)
    on_days = f"session IN (SELECT session FROM session_days WHERE {days})" if days else ""
    model = ""
    if which.model:
        model = _named(dialect, "model", which.model, parameters)
        # Of these days here too, or all rows of all days are read through.
        of_model = all_of(model, on_days)
        sessions.append(f"session IN (SELECT session FROM llm_days{of_model})")
    phase = among("phase", (which.phase,), parameters) if which.phase else ""
    if phase:
        used = (f"SELECT session FROM {name}{all_of(phase, on_days)}" for name in _IN_PHASES)
        sessions.append(f"session IN ({' UNION ALL '.join(used)})")
    if which.session:
        sessions.append("session_id = :session_id")
        parameters["session_id"] = _storable(which.session)
    sessions += _labelled(which, parameters)
    times = _between_moments(which, parameters)
    sessions += times
    if which.text:
        # A table of its own, for all of it is read through for each text.
        has_text = dialect.contains.format("search", ":text")
        at_times = f"session IN (SELECT session FROM sessions{all_of(*times)})" if times else ""
        of_text = all_of(has_text, at_times)
        sessions.append(f"session IN (SELECT session FROM session_texts{of_text})")
        parameters["text"] = _storable(which.text.lower())
    is_simple = which.since_us is None and which.until_us is None and not always
    is_simple &= not (which.branch or which.model or which.text or which.session or which.labels)
    is_simple &= not phase
    is_of_days = not sessions
    if on_days:
        sessions.append(on_days)
    tool = among("tool", (which.tool,), parameters) if which.tool else ""
    chosen = " AND ".join(sessions)
    conditions = (chosen, days, tool, model, phase)
    return Chosen(which, dialect, *conditions, parameters, is_of_days, is_simple)


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
        parameters |= {f"label_name_{at}": _storable(name), f"label_value_{at}": _storable(value)}
        has_it = f"name = :label_name_{at} AND value = :label_value_{at}"
        yield f"session IN (SELECT session FROM session_labels WHERE {has_it})"


def grouped(chosen: Chosen, by: Iterable[str]) -> Chosen:
    """The same, to be grouped by these parts: a label among them becomes a column."""
    for part in by:
        label = label_of(part)
        if label:
            parameters = {**chosen.parameters, "by_label": _storable(label)}
            return replace(chosen, parameters=parameters, has_label=True)
    return chosen


def only(chosen: Chosen, sessions: Iterable[int]) -> Chosen:
    """The same days, tools and models of these sessions alone, given by number."""
    parameters = dict(chosen.parameters)
    condition = among("session", sessions, parameters)
    return replace(
        chosen, sessions=condition, parameters=parameters, is_of_days=False, is_simple=False
    )


def _named(dialect: Dialect, column: str, name: str, parameters: dict[str, Value]) -> str:
    """A column is what a whole name, or a pattern with `*`, means."""
    if "*" not in name:
        return among(column, (name,), parameters)
    parameters[column] = _storable(dialect.pattern(name))
    return dialect.fits.format(column, f":{column}")


def is_of_project(name: str, which: Slice) -> bool:
    """Tell whether a slice means a project, by a part of its name and by the folder it is in."""
    folder = which.folder
    is_within = not folder or name == folder or name.startswith(_within(folder))
    return is_within and which.project in name


def _within(folder: str) -> str:
    return f"{folder.rstrip('/')}/"


def _storable(text: str) -> str:
    """A text as any engine takes it: what was no UTF-8 on a command line is nobody's name."""
    return text.encode("utf-8", "replace").decode()


def among(column: str, values: Iterable[Value], parameters: dict[str, Value]) -> str:
    """A column is one of these values; no values: never."""
    keys = []
    for number, value in enumerate(values):
        keys.append(f":{column}_{number}")
        parameters[f"{column}_{number}"] = _storable(value) if isinstance(value, str) else value
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
