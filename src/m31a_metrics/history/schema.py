"""The tables of the index as SQLite makes them.

`sources` are files, `sessions` what they tell; everything else hangs on the number of a session.
Rollups are sums over sessions, changed in the transaction that changes these. Days are those of the
one row of `zone`; a session's own `zone` is empty but where its days are of another, and its
`ahead_us` is its first event that was later than the clock when it was read. `pushed` says what of
all that went to which fleet, and outlives it.
"""

from __future__ import annotations

from m31a_metrics.history.ownership import NUMBER_BITS
from m31a_metrics.queries.tables import (
    EFFECTS,
    LONGEST,
    RAN,
    ROLLED_UP,
    ROLLUPS,
    SESSION_SUMS,
    SESSION_USES,
    SUMMED,
    TOOLS,
    Summed,
)

VERSION = 10
"""Of these tables; kept in the database as `user_version`.

To be raised for stricter failure lines, too: those of sessions that are gone are folded then.
"""

APPLICATION = 0x4D333141
"""`application_id`, "M31A": tells our databases from others'."""


def statements() -> list[str]:
    """What makes an empty database ours, but for its version."""
    return [*_FILES, *_SESSIONS, _HEALS, *_FAILURES, *map(_summed, SUMMED), _ROLLUPS]


_SUMS = ", ".join(f"{name} INTEGER NOT NULL" for name in SESSION_SUMS)
_EFFECTS = ", ".join(f"{name} INTEGER NOT NULL" for name in EFFECTS)
_USES = ", ".join(f"{name} INTEGER NOT NULL" for name in SESSION_USES)

_FILES = (
    f"""
CREATE TABLE sources (
    source INTEGER PRIMARY KEY CHECK (source < {1 << NUMBER_BITS}),
    path TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    agent TEXT NOT NULL,
    native_id TEXT NOT NULL,
    rank INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    stamp BLOB NOT NULL,
    ids BLOB NOT NULL,
    problem TEXT NOT NULL,
    is_gone INTEGER NOT NULL,
    folder TEXT NOT NULL
)""",
    "CREATE INDEX sources_session ON sources (agent, native_id)",
    "CREATE INDEX sources_problem ON sources (source) WHERE problem <> ''",
    "CREATE INDEX sources_folder ON sources (kind, folder)",
    "CREATE TABLE ids (held INTEGER PRIMARY KEY)",
    """
CREATE TABLE unreconciled (
    agent TEXT, native_id TEXT, PRIMARY KEY (agent, native_id)
) WITHOUT ROWID""",
    "CREATE TABLE forgotten (stamp BLOB NOT NULL, line_count INTEGER NOT NULL)",
    "CREATE TABLE passed_over (place BLOB PRIMARY KEY, look BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE zone (name TEXT NOT NULL, rules TEXT NOT NULL)",
    """
CREATE TABLE carried (
    path TEXT PRIMARY KEY, mark BLOB NOT NULL, latest INTEGER NOT NULL
) WITHOUT ROWID""",
    """
CREATE TABLE pushed (
    destination TEXT,
    session INTEGER,
    revision INTEGER NOT NULL,
    mark BLOB NOT NULL,
    look BLOB NOT NULL,
    first_day TEXT NOT NULL,
    project TEXT NOT NULL,
    state INTEGER NOT NULL,
    PRIMARY KEY (destination, session)
) WITHOUT ROWID""",
    "CREATE INDEX pushed_session ON pushed (session)",
)

_SESSIONS = (
    f"""
CREATE TABLE sessions (
    session INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    native_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    path TEXT NOT NULL,
    version TEXT NOT NULL,
    project TEXT NOT NULL,
    branch TEXT NOT NULL,
    worktree TEXT NOT NULL,
    labels TEXT NOT NULL,
    rate_limits TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    models TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    user_turn_count INTEGER NOT NULL,
    compaction_count INTEGER NOT NULL,
    unpaired_count INTEGER NOT NULL,
    is_recorded INTEGER NOT NULL,
    is_gone INTEGER NOT NULL,
    is_to_be_priced INTEGER NOT NULL,
    zone TEXT NOT NULL,
    ahead_us INTEGER NOT NULL,
    made_of BLOB NOT NULL,
    lot INTEGER NOT NULL,
    damage_count INTEGER NOT NULL,
    {_EFFECTS},
    {_SUMS},
    UNIQUE (agent, native_id)
)""",
    """
CREATE TABLE session_labels (
    session INTEGER, name TEXT, value TEXT NOT NULL, PRIMARY KEY (session, name)
) WITHOUT ROWID""",
    "CREATE INDEX session_labels_value ON session_labels (name, value, session)",
    "CREATE TABLE session_texts (session INTEGER PRIMARY KEY, search TEXT NOT NULL)",
    "CREATE INDEX sessions_updated ON sessions (updated_us)",
    "CREATE INDEX sessions_days ON sessions (first_day, last_day)",
    "CREATE INDEX sessions_id ON sessions (session_id)",
    "CREATE INDEX sessions_to_be_priced ON sessions (agent, native_id) WHERE is_to_be_priced = 1",
    "CREATE INDEX sessions_gone ON sessions (session) WHERE is_gone = 1",
    "CREATE INDEX sessions_ahead ON sessions (ahead_us) WHERE ahead_us > 0",
    f"""
CREATE TABLE session_days (
    session INTEGER, day TEXT, {_SUMS}, {_USES}, PRIMARY KEY (session, day)
) WITHOUT ROWID""",
    "CREATE INDEX session_days_day ON session_days (day)",
)

_HEALS = """
CREATE TABLE heals (
    session INTEGER NOT NULL,
    day TEXT NOT NULL,
    phase TEXT NOT NULL,
    tool TEXT NOT NULL,
    check_name TEXT NOT NULL,
    line TEXT NOT NULL,
    attempt_count INTEGER NOT NULL,
    passed INTEGER,
    loop INTEGER NOT NULL,
    began_us INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cost_nano INTEGER,
    known_nano INTEGER NOT NULL
)"""

_FAILURES = (
    "CREATE INDEX heals_session ON heals (session)",
    "CREATE INDEX heals_cost ON heals (known_nano, duration_us)",
    """
CREATE TABLE failures (
    session INTEGER, day TEXT, tool TEXT, line TEXT, count INTEGER NOT NULL,
    PRIMARY KEY (session, day, tool, line)
) WITHOUT ROWID""",
    "CREATE INDEX failures_line ON failures (tool, line, day, session, count)",
    """
CREATE TABLE failure_totals (
    tool TEXT,
    line TEXT,
    failed INTEGER NOT NULL,
    session_count INTEGER NOT NULL,
    latest TEXT NOT NULL,
    PRIMARY KEY (tool, line)
) WITHOUT ROWID""",
    "CREATE INDEX failure_totals_failed ON failure_totals (failed, latest)",
)


_ROLLED_UP = ", ".join(f"{column} BLOB NOT NULL" for column in ROLLED_UP)

_ROLLUPS = f"""
CREATE TABLE {ROLLUPS} (
    project TEXT NOT NULL,
    grain TEXT NOT NULL,
    span TEXT NOT NULL,
    agent TEXT NOT NULL,
    {_ROLLED_UP},
    UNIQUE (project, grain, span, agent)
)"""


def _summed(table: Summed) -> str:
    """A table of sessions' days."""
    dimensions = ", ".join(f"{name} TEXT" for name in table.dimensions)
    keys = ", ".join(table.dimensions)
    sums = ", ".join(f"{name} INTEGER NOT NULL" for name in table.sums)
    ran = f", {RAN} TEXT NOT NULL, {LONGEST} REAL NOT NULL" if table is TOOLS else ""
    return (
        f"CREATE TABLE {table.name} (session INTEGER, day TEXT, {dimensions}, {sums}{ran}, "
        f"PRIMARY KEY (session, day, {keys})) WITHOUT ROWID"
    )
