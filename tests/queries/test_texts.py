"""The shared query texts keep to the SQL that every engine of ours knows."""

from __future__ import annotations

import re
import sqlite3

import pytest

from m31a_metrics.answers import Slice
from m31a_metrics.history.schema import statements
from m31a_metrics.queries import Dialect, Query, choose, grouped, texts
from m31a_metrics.queries.tables import LLMS, PHASES, RAN_PARTS, SUMMED, TOOLS, WHOLES

EVERYTHING = Slice(
    ("codex",),
    "app",
    "opus*",
    "feat/*",
    "x'y",
    "id",
    "Bash",
    "2026-01-02",
    "2026-03-04",
    1,
    2,
    (("prompt", "x'y"), ("team", "codex")),
    "verify",
)
OURS_ALONE = re.compile(
    r"\b(WITH|OVER|LIKE|GLOB|ILIKE|REGEXP|IIF|IFNULL|GROUP_CONCAT|STRFTIME|DATE|JSON\w*|"
    r"RETURNING|FILTER|ROWID|INSTR|TOTAL|PRINTF)\b",
    re.IGNORECASE,
)
"""What SQLite knows and ClickHouse 18 does not, or each in its own way."""


STANDARD = Dialect(
    contains="replace({0}, {1}, '') <> {0}",
    begins="{} >= {}",
    fits="{} > {}",
    pattern=str.upper,
    week="substring({}, 1, 8)",
    month="substring({}, 1, 7)",
    ran="MIN(run_times)",
)
"""An engine that has no words of its own."""


def queries(which: Slice, dialect: Dialect = STANDARD) -> list[Query]:
    """Each text about a slice."""
    chosen = choose(which, dialect)
    by_label = grouped(chosen, ("day", "label:x'y"))
    stretch = ("day", "2026-01-02", "")
    asked = [
        texts.names("project"),
        texts.sessions(chosen, "updated_us DESC", 5, 2),
        *(texts.totals(chosen, key) for key in ("", "day", "week", "agent")),
        texts.lasted(chosen, "project"),
        texts.totals(by_label, "label:x'y"),
        texts.lasted(by_label, "label:x'y"),
        texts.added_up(TOOLS, by_label, ("label:x'y",)),
        *(texts.lasted_on(chosen, key) for key in ("day", "week", "month")),
        texts.heals(chosen, 5),
        texts.failures(chosen, 5),
        texts.failed_in(chosen, "tool = 'Bash'", "5"),
    ]
    for table in SUMMED:
        asked += [
            *(texts.added_up(table, chosen, (key,)) for key in ("", "session", "week", "month")),
            *(texts.counted(table, chosen, key) for key in ("day", "month", "project")),
            texts.rolled_up(table.name, chosen, stretch, apart=False),
            texts.straddling(table, chosen, ("phase",)),
        ]
    asked.append(texts.added_up(LLMS, chosen, ("month", "model")))
    asked.append(texts.parts(TOOLS, chosen, "tool"))
    asked.append(texts.parts(PHASES, chosen, "phase"))
    asked.append(texts.latest(5))
    asked += [texts.rolled_up(part, chosen, stretch, apart=True) for part in RAN_PARTS]
    asked.append(texts.rolled_up(WHOLES[LLMS.name], chosen, stretch, apart=False))
    return asked


@pytest.mark.parametrize("which", [Slice(), EVERYTHING, Slice(agents=())])
def test_texts_are_portable_and_complete(which: Slice) -> None:
    """No text uses what one engine alone knows; each runs, with the parameters it is given."""
    connection = sqlite3.connect(":memory:")
    for statement in statements():
        connection.execute(statement)
    for query in queries(which):
        said = re.sub(r"'[^']*'", "''", query.text)
        assert not OURS_ALONE.search(said), query.text
        used = set(re.findall(r":(\w+)", said))
        assert used <= set(query.parameters), query.text
        connection.execute(query.text, dict(query.parameters)).fetchall()
    connection.close()


POSTGRESQL = Dialect(
    contains="strpos({}, {}) > 0",
    begins="strpos({}, {}) = 1",
    fits="{} LIKE {}",
    pattern=lambda name: name.replace("*", "%"),
    week="date_trunc('week', CAST(NULLIF({}, '') AS date))",
    month="substring({}, 1, 7)",
    ran="string_agg(run_times, '')",
    more_facts=("machine",),
)


@pytest.mark.parametrize("which", [Slice(), EVERYTHING, Slice(agents=())])
def test_texts_are_standard(which: Slice) -> None:
    """PostgreSQL's own parser takes each text, and none groups by what is no column."""
    why = "optional: PostgreSQL's parser is not here: pip install pglast"
    pglast = pytest.importorskip("pglast", reason=why)
    for query in queries(which, POSTGRESQL):
        assert "GROUP BY ''" not in query.text
        (statement,) = pglast.parse_sql(re.sub(r":\w+", "$1", query.text))
        assert statement.stmt is not None


def test_values_are_never_in_the_text() -> None:
    """What a person typed reaches the engine as a parameter only."""
    for query in queries(EVERYTHING):
        assert "x'y" not in query.text
        assert "codex" not in query.text
