"""The questions themselves, each as one text and its parameters.

A text gives a row for each part that is asked for, and who asks names it: a week and a month
come as one of their days.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from m31a_metrics.answers import label_of
from m31a_metrics.queries.slices import Chosen, Value, all_of, among, between
from m31a_metrics.queries.tables import (
    EFFECTS,
    EVERY,
    LLMS,
    LONGEST,
    PHASES,
    PHASES_OF,
    ROLLUPS,
    SESSION_FACTS,
    SESSION_SUMS,
    SESSION_USES,
    SESSIONS_OF,
    SUMMED,
    TOOLS,
    Summed,
)

OF_TIME = ("day", "week", "month")


class Query(Struct, frozen=True):
    """A text of SQL and the values of its parameters."""

    text: str
    parameters: Mapping[str, Value] = {}


def names(column: str) -> Query:
    """Every project, or other fact of sessions, that there is."""
    return Query(f"SELECT DISTINCT {column} FROM sessions")


def sessions(chosen: Chosen, order: str, limit: int | None, offset: int) -> Query:
    """Sessions: SESSION_FACTS, the engine's own, SESSION_SUMS. `order` is what follows ORDER BY."""
    facts = ", ".join((*SESSION_FACTS, *chosen.dialect.more_facts))
    where = all_of(chosen.sessions)
    if _whole(chosen):
        text = f"SELECT {facts}, {', '.join(SESSION_SUMS)} FROM sessions{where}"
    else:
        sums = ", ".join(f"sum_{name} AS {name}" for name in SESSION_SUMS)
        parts = ", ".join(f"SUM({name}) AS sum_{name}" for name in SESSION_SUMS)
        text = (
            f"SELECT {facts}, {sums} FROM (SELECT session, {facts} FROM sessions{where}) AS s "
            f"INNER JOIN (SELECT session, {parts} FROM {_days_of(chosen)} AS p "
            "GROUP BY session) AS d USING (session)"
        )
    text = f"{text} ORDER BY {order}"
    if limit is not None or offset:
        # An engine that knows no OFFSET without a LIMIT gets one that is beyond all counts.
        text = f"{text} LIMIT {2**62 if limit is None else limit} OFFSET {offset}"
    return Query(text, chosen.parameters)


def totals(chosen: Chosen, key: str) -> Query:
    """Sums of all kinds by part, or as one (key ""): the key, SESSION_SUMS."""
    sums = ", ".join(f"SUM({name})" for name in SESSION_SUMS)
    source = f"{_days_of(chosen)} AS d{_joined(chosen, (key,))}"
    return Query(
        f"SELECT {_selected((key,))}, {sums} FROM {source}{_grouped(chosen, key)}",
        chosen.parameters,
    )


def lasted(chosen: Chosen, key: str) -> Query:
    """Of all sessions by a whole of sessions, or as one: how many, and how long they lasted."""
    source = f"sessions{all_of(chosen.sessions)}"
    if chosen.has_label:
        source = _sessions_of(chosen, "started_us", "updated_us")
    return Query(
        f"SELECT {_column(key)}, COUNT(*), SUM(updated_us - started_us) "
        f"FROM {source}{_grouped(chosen, key)}",
        chosen.parameters,
    )


def lasted_on(chosen: Chosen, key: str) -> Query:
    """Of the sessions of each day, week or month: how many, and how long they lasted (in all)."""
    on_days = (
        f"session_days AS d INNER JOIN {_sessions_of(chosen, 'started_us', 'updated_us')} "
        f"USING (session){all_of(chosen.days)}"
    )
    if key == "day":
        text = f"SELECT day, COUNT(*), SUM(updated_us - started_us) FROM {on_days} GROUP BY day"
        return Query(text, chosen.parameters)
    within = (
        "SELECT MIN(day) AS began, MAX(updated_us - started_us) AS lasted_us "
        f"FROM {on_days} GROUP BY session, {_part(chosen, key)}"
    )
    return Query(
        f"SELECT MIN(began), COUNT(*), SUM(lasted_us) FROM ({within}) AS p "
        f"GROUP BY {_part(chosen, key, 'began')}",
        chosen.parameters,
    )


def latest(count: int) -> Query:
    """The time of the latest session but so many; nothing where there are not as many."""
    return Query(f"SELECT updated_us FROM sessions ORDER BY updated_us DESC LIMIT 1 OFFSET {count}")


def lot(chosen: Chosen, limit: int) -> Query:
    """The numbers of a fair sample of sessions: those with the lowest lots."""
    where = all_of(chosen.sessions)
    return Query(
        f"SELECT session FROM sessions{where} ORDER BY lot, session LIMIT {limit}",
        chosen.parameters,
    )


_IN_PHASE: Mapping[str, Callable[[Chosen], str]] = {
    "heals": lambda chosen: chosen.phase,
    "failures": lambda chosen: "1 = 0" if chosen.phase else "",  # not kept by phase
}


def details(name: str, chosen: Chosen, facts: Sequence[str], columns: Sequence[str]) -> Query:
    """Each row that sessions have in a table: `facts` of the session, then `columns` of the row.

    In the order of the sessions' numbers, and of a session's days. Rows of PHASES that lose a
    part, because not all tools or models are asked for, are added up anew. Of `sessions`
    themselves: SESSION_FACTS, then SESSION_SUMS.
    """
    if name == "sessions":
        return sessions(chosen, "session", None, 0)
    table = next((table for table in SUMMED if table.name == name), None)
    source, selected, grouped_by = name, [*facts, *columns], ""
    if table is PHASES and _is_part(chosen):
        source = _phase_days_of(chosen)
        keys = ["session", *facts, "day", *PHASES.dimensions]
        selected = [f"SUM({one}) AS sum_{one}" if one in PHASES.sums else one for one in selected]
        grouped_by = f" GROUP BY {', '.join(keys)}"
    of_kind = _of_kind(table, chosen) if table else (chosen.tool, _IN_PHASE[name](chosen))
    where = all_of(chosen.days, *of_kind)
    return Query(
        f"SELECT {', '.join(selected)} FROM {source} AS d INNER JOIN "
        f"{_sessions_of(chosen, *facts)} USING (session){where}{grouped_by} ORDER BY session, day",
        chosen.parameters,
    )


def readings(chosen: Chosen) -> Query:
    """What reading came to: sessions, transcripts and their tokens, damage, EFFECTS."""
    transcript = "CASE WHEN is_recorded = 0 THEN {} ELSE 0 END"
    sums = (
        transcript.format("1"),
        transcript.format("total_tokens"),
        "unpaired_count",
        "damage_count",
        *EFFECTS,
    )
    columns = ", ".join(f"SUM({column})" for column in sums)
    where = all_of(chosen.sessions)
    return Query(f"SELECT COUNT(*), {columns} FROM sessions{where}", chosen.parameters)


def rate_limits(chosen: Chosen, limit: int) -> Query:
    """The agent and the limits of its provider (JSON) of the latest sessions that have some."""
    condition = " AND ".join(filter(None, (chosen.sessions, "rate_limits <> ''")))
    return Query(
        f"SELECT agent, rate_limits FROM sessions WHERE {condition} "
        f"ORDER BY updated_us DESC LIMIT {limit}",
        chosen.parameters,
    )


def parts(table: Summed, chosen: Chosen, key: str) -> Query:
    """Sums of each session by a dimension: it, the session's number, the sums as `added_up`."""
    return Query(
        f"SELECT {key}, session, {_added(table, chosen)} "
        f"FROM {_rows_of(table, chosen, ())} GROUP BY {key}, session",
        chosen.parameters,
    )


def added_up(table: Summed, chosen: Chosen, keys: Sequence[str]) -> Query:
    """Sums of all sessions by some keys: the keys, how many sessions, the sums.

    Of TOOLS also the histograms, as the engine adds them up, and the longest call in ms.
    """
    return Query(
        f"SELECT {_selected(keys)}, COUNT(DISTINCT session), {_added(table, chosen)} "
        f"FROM {_rows_of(table, chosen, keys)}{_grouped(chosen, *keys)}",
        chosen.parameters,
    )


def _added(table: Summed, chosen: Chosen) -> str:
    added = [f"SUM({name})" for name in table.sums]
    if table is TOOLS:
        added += [chosen.dialect.ran, f"MAX({LONGEST})"]
    return ", ".join(added)


def _rows_of(table: Summed, chosen: Chosen, keys: Iterable[str]) -> str:
    name = _phase_days_of(chosen) if table is PHASES else table.name
    where = all_of(chosen.days, *_of_kind(table, chosen))
    return f"{name} AS d{_joined(chosen, keys)}{where}"


def rolled_up(column: str, chosen: Chosen, stretch: tuple[str, str, str], *, apart: bool) -> Query:
    """Rows of the rollups: span, agent, project, and one of the packed columns.

    `stretch` is a grain with its first and last span, "" for no bound; `apart`: each
    project by itself.
    """
    grain, begin, end = stretch
    parameters = dict(chosen.parameters)
    where = all_of(
        _projects(chosen, apart, parameters),
        f"grain = '{grain}'",
        between("span", begin, end, parameters),
        _agents(chosen, parameters),
    )
    return Query(f"SELECT span, agent, project, {column} FROM {ROLLUPS}{where}", parameters)


def straddling(table: Summed, chosen: Chosen, keys: Iterable[str]) -> Query:
    """Rows of the sessions that began before the slice's days and went on in them.

    The session, the day, and the keys: rollups count these sessions where they began.
    """
    which = chosen.which
    parameters: dict[str, Value] = {**chosen.parameters, "begin": which.first_day}
    projects = among("project", chosen.projects, parameters) if chosen.projects is not None else ""
    where = all_of(
        "first_day < :begin", "last_day >= :begin", _agents(chosen, parameters), projects
    )
    columns = ", ".join("day" if key in OF_TIME else _column(key) for key in keys)
    text = (
        f"SELECT session, day, {columns} FROM {table.name} AS d INNER JOIN "
        f"(SELECT session, agent, project FROM sessions{where}) AS s USING (session)"
    )
    return Query(f"{text}{all_of(*_of_kind(table, chosen))}", parameters)


_USED = {table.name: use for table, use in zip(SUMMED, SESSION_USES, strict=True)}


def counted(table: Summed, chosen: Chosen, key: str) -> Query:
    """How many sessions had anything in a table, by part, or as one."""
    where = all_of(chosen.days, f"{_USED[table.name]} > 0")
    count = "COUNT(*)" if key == "day" else "COUNT(DISTINCT session)"
    return Query(
        f"SELECT {_selected((key,))}, {count} FROM session_days AS d"
        f"{_joined(chosen, (key,))}{where}{_grouped(chosen, key)}",
        chosen.parameters,
    )


HEAL = (
    "day",
    "phase",
    "tool",
    "check_name",
    "line",
    "attempt_count",
    "passed",
    "loop",
    "began_us",
    "duration_us",
    "total_tokens",
    "cost_nano",
)
"""Columns of `heals`, in the order of HealRow. (`check` is a word of SQL.)"""


def heals(chosen: Chosen, limit: int | None) -> Query:
    """Failures that were to be healed: agent, session_id, project, HEAL, branch, labels.

    And what more the engine knows of their sessions.
    """
    more = ("branch", "labels", *chosen.dialect.more_facts)
    facts = ("session_id", "project", "agent", *more)
    source = (
        f"heals AS d INNER JOIN {_sessions_of(chosen, *facts)} "
        f"USING (session){all_of(chosen.days, chosen.tool, chosen.phase)}"
    )
    text = (
        f"SELECT agent, session_id, project, {', '.join((*HEAL, *more))} FROM {source} "
        "ORDER BY known_nano DESC, duration_us DESC, began_us, session_id"
    )
    return Query(_limited(text, limit), chosen.parameters)


def failures(chosen: Chosen, limit: int | None, *, in_totals: bool = False) -> Query:
    """Ways to fail: tool, line, count, sessions, last day.

    `in_totals`: out of sums of all sessions and days, which not every engine has.
    """
    figures = "SUM(count) AS failed, COUNT(DISTINCT session), MAX(day) AS latest"
    source, group = f"failures AS d{_joined(chosen, ())}", " GROUP BY tool, line"
    if in_totals:
        figures = "failed, session_count, latest"
        source, group = "failure_totals", ""
    text = (
        f"SELECT tool, line, {figures} FROM {source}{all_of(chosen.days, chosen.tool)}{group} "
        "ORDER BY failed DESC, latest DESC, tool, line"
    )
    return Query(_limited(text, limit), chosen.parameters)


def failed_in(chosen: Chosen, ways: str, limit: str) -> Query:
    """The latest sessions in which tools failed in some ways: tool, line, session_id.

    `ways` is a condition, `limit` what follows LIMIT. A session comes once a day.
    """
    return Query(
        "SELECT tool, line, session_id FROM failures AS d "
        f"INNER JOIN {_sessions_of(chosen, 'session_id', 'updated_us')} USING (session)"
        f"{all_of(chosen.days, ways)} ORDER BY day DESC, updated_us DESC, session_id LIMIT {limit}",
        chosen.parameters,
    )


def _limited(text: str, limit: int | None) -> str:
    return text if limit is None else f"{text} LIMIT {limit}"


def _whole(chosen: Chosen) -> bool:
    return not (chosen.days or _is_part(chosen))


def _is_part(chosen: Chosen) -> bool:
    """Tell whether of what a session did some is left out, apart from days."""
    return bool(chosen.tool or chosen.model or chosen.phase)


def _days_of(chosen: Chosen) -> str:
    """The sums of sessions by day, without other tools, models and phases than are asked for."""
    if not _is_part(chosen):
        where = all_of(chosen.days)
        return f"(SELECT session, day, {', '.join(SESSION_SUMS)} FROM session_days{where})"
    sources = (
        (TOOLS.name, (chosen.tool, chosen.phase), SESSIONS_OF[TOOLS.name]),
        (LLMS.name, (chosen.model, chosen.phase), SESSIONS_OF[LLMS.name]),
        (PHASES.name, (chosen.phase,), SESSIONS_OF[PHASES.name]),
        ("session_days", (), ()),  # a session is in a slice also if it used none of these
    )
    return _united("session, day", SESSION_SUMS, chosen, sources)


def _phase_days_of(chosen: Chosen) -> str:
    """The sums of phases by day, without other tools and models than are asked for."""
    if not _is_part(chosen):
        return PHASES.name
    of_tools, of_llms = PHASES_OF[TOOLS.name], PHASES_OF[LLMS.name]
    own = [name for name in PHASES.sums if name not in of_tools + of_llms]
    sources = (
        (TOOLS.name, (chosen.tool, chosen.phase), of_tools),
        (LLMS.name, (chosen.model, chosen.phase), of_llms),
        (PHASES.name, (chosen.phase,), own),
    )
    return _united("session, day, phase", PHASES.sums, chosen, sources)


_Source = tuple[str, tuple[str, ...], Collection[str]]
"""A table, the conditions on its rows, and which of the sums it has."""


def _united(keys: str, sums: Iterable[str], chosen: Chosen, sources: Iterable[_Source]) -> str:
    """Rows of several tables (with conditions each) as one that has all the sums."""
    selects = []
    for name, conditions, own in sources:
        columns = ", ".join(f"{column if column in own else '0'} AS {column}" for column in sums)
        where = all_of(chosen.days, *conditions)
        selects.append(f"SELECT {keys}, {columns} FROM {name}{where}")
    return f"({' UNION ALL '.join(selects)})"


def _sessions_of(chosen: Chosen, *columns: str) -> str:
    named = ", ".join(("session", *columns))
    chosen_ones = f"SELECT {named} FROM sessions{all_of(chosen.sessions)}"
    if not chosen.has_label:
        return f"({chosen_ones}) AS s"
    labelled = "SELECT session, value FROM session_labels WHERE name = :by_label"
    return (
        f"(SELECT {named}, COALESCE(value, '') AS label FROM ({chosen_ones}) AS c "
        f"LEFT JOIN ({labelled}) AS l USING (session)) AS s"
    )


def _column(key: str) -> str:
    if key == "":
        return "''"
    if label_of(key):
        return "label"
    return "session_id" if key == "session" else key


def _selected(keys: Iterable[str]) -> str:
    """What a grouped text gives of its keys: of a week or a month, the first day there is."""
    return ", ".join("MIN(day)" if key in _OF_DAYS else _column(key) for key in keys)


_OF_DAYS = ("week", "month")
_OF_TABLES = ("", "tool", "model", "phase", *OF_TIME)
"""Keys that tables with days have themselves; the others are facts of sessions."""


def _part(chosen: Chosen, key: str, day: str = "day") -> str:
    """What is grouped by for a key."""
    if key in _OF_DAYS:
        return (chosen.dialect.week if key == "week" else chosen.dialect.month).format(day)
    return _column(key)


def _grouped(chosen: Chosen, *keys: str) -> str:
    columns = ", ".join(_part(chosen, key) for key in keys if key)
    return f" GROUP BY {columns}" if columns else ""


def _joined(chosen: Chosen, keys: Iterable[str]) -> str:
    """The sessions, for rows of days that need them: to be chosen, or to be told apart."""
    columns = [_column(key) for key in keys if not (key in _OF_TABLES or label_of(key))]
    if chosen.is_of_days and not columns and not chosen.has_label:
        return ""
    return f" INNER JOIN {_sessions_of(chosen, *columns)} USING (session)"


def _of_kind(table: Summed, chosen: Chosen) -> tuple[str, ...]:
    if table is TOOLS:
        return chosen.tool, chosen.phase
    return (chosen.model, chosen.phase) if table is LLMS else (chosen.phase,)


def _agents(chosen: Chosen, parameters: dict[str, Value]) -> str:
    agents = chosen.which.agents
    return "" if agents is None else among("agent", agents, parameters)


def _projects(chosen: Chosen, apart: bool, parameters: dict[str, Value]) -> str:
    """Which projects' rows of a rollup are wanted; `apart`: each by itself."""
    if chosen.projects is not None:
        return among("project", chosen.projects, parameters)
    return f"project <> '{EVERY}'" if apart else f"project = '{EVERY}'"
