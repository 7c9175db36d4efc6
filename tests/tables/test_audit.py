"""The audit: classes exclude each other, days add up to sessions, each rule has its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics.answers import LLMRow, ReadingRow
from m31a_metrics.record import LLMDay, SessionRecord
from m31a_metrics.table import Table
from m31a_metrics.tables.audit import BY_DAY, RULES, WITHOUT, audit
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.transcript import Damage, Effects
from tests.tables.builders import ALL, calls, column, day, indexed, record, records, scope, use


def answer(
    model: str = "priced",
    *,
    given: bool = False,
    unpriced: bool = False,
    days_ago: int = 0,
    tokens: int = 100,
) -> LLMDay:
    """A response: of its prompt a tenth is new, the rest cached; as much again as output."""
    tenth = tokens // 10
    row = use(model, 0.0 if unpriced else 0.25, 2 * tokens, days_ago=days_ago)
    row.prompt_tokens = row.completion_tokens = tokens
    row.cache_read_tokens = 5 * tenth
    row.cache_write_5m_tokens = 3 * tenth
    row.cache_write_1h_tokens = tenth
    row.given_tokens = 2 * tokens if given else 0
    row.unpriced_tokens = 2 * tokens if unpriced else 0
    row.cost_1h_nano = 5_000_000
    return row


def transcript(name: str, *answers: LLMDay) -> SessionRecord:
    """A session of another agent."""
    return record(name, *answers, agent="claude-code")


def audited(*sessions: SessionRecord, whole: bool = True) -> tuple[Table, Table]:
    """The tables of these sessions."""
    answers = indexed(sessions)
    reading = answers.reading(ALL)
    by_day, rules = audit(
        answers.llms(ALL, ("day", "model")), reading, scope(answers), alike=reading, whole=whole
    )
    return by_day, rules


def test_the_classes_exclude_each_other() -> None:
    """Input is what of the prompt no cache had a part in, and the five make the total."""
    by_day = audited(transcript("a", answer()))[0]
    row = records(by_day)[0]
    assert [row[name] for name in list(row)[2:7]] == [10, 50, 30, 10, 100]
    assert row["total_tokens"] == 200
    assert by_day.columns == BY_DAY


def test_a_cost_says_where_it_is_from() -> None:
    """Tokens whose cost the agent gave, those priced here and those of no price add up."""
    by_day, rules = audited(
        transcript(
            "a",
            answer(),
            answer(given=True, days_ago=0),
            answer("odd", unpriced=True),
            answer("odd", given=True),
        )
    )
    rows = {row["model"]: row for row in records(by_day)}
    names = ("given_tokens", "priced_tokens", "unpriced_tokens", "cost_usd")
    assert [rows["priced"][name] for name in names] == [200, 200, 0, 0.5]
    assert [rows["odd"][name] for name in names] == [200, 0, 200, 0.25]
    lines = {row["rule"]: row for row in records(rules)}
    assert lines["cost given"]["total_tokens"] == 400
    assert lines["unpriced: odd"]["total_tokens"] == 200
    assert "Unpriced: odd (200)." in by_day.notes
    assert lines["cache writes 1h"]["total_tokens"] == 40
    assert lines["cache writes 1h"]["cost_usd"] == 0.02


def test_each_rule_tells_what_it_did() -> None:
    """The effects of all transcripts are summed, and every line says what its absence shows."""
    first, second = (transcript(name, answer()) for name in "ab")
    first.effects = second.effects = Effects(
        9, 4, 5, 1_000, 7, 2, 30, 1, 200, 3, 1, 10, 2, 20, 3, 30, 40, 8, 5, 6, -7, 8, 9
    )
    second.damage, second.unpaired_count = Damage(4, ["x"]), 6
    second.tools = [calls("Bash", 1.0, 2.0)]
    rules = audited(first, second, record("own", use("m", 1.0, 70)))[1]
    assert rules.columns == [*RULES, WITHOUT]
    assert [row[:3] for row in rules.rows] == [
        ("lines with usage", 18, 400 + 2_400),
        ("repeated lines", 10, 2_000),
        ("last snapshot", None, 14),
        ("agent_progress", 4, 60),
        ("replays", 2, 400),
        ("synthetic lines", 6, None),
        ("blanks behind colons", 2, 20),
        ("null or empty", 4, 40),
        ("odd version", 6, 60),
        ("cache writes not split", None, 80),
        ("beside token_count", 16, 18),
        ("samplings beside", None, 16),
        ("no request id", None, 10),
        ("greatest output", None, 12),
        ("own file first", None, -14),
        ("by ccusage's rules", None, 400 - 20 - 40 - 60 - 80 - 18 - 16 + 10 + 12 - 14),
        ("cache writes 5m", None, 60),
        ("cache writes 1h", None, 20),
        ("cost given", None, 0),
        ("calls without result", 6, None),
        ("damaged records", 4, None),
    ]
    without = column(rules, "without")
    assert all(without)
    assert "not among the 2 calls" in str(without[-2])


@pytest.mark.parametrize(
    ("model", "where"), [("codex-auto-review", "under the model of that day"), ("", "under gpt-5")]
)
def test_of_a_model_without_a_price_the_audit_tells_where_ccusage_puts_it(
    model: str, where: str
) -> None:
    """The tokens are the same, but stand by another model's name there."""
    rules = audited(transcript("a", answer(model, unpriced=True)))[1]
    (line,) = (row for row in rules.rows if str(row[0]).startswith("unpriced: "))
    assert where in str(line[-1])


def test_people_read_what_a_rule_means_below() -> None:
    """Sentences are too long for a column, and rules that did nothing need none."""
    rules = audited(transcript("a", answer()), whole=False)[1]
    assert rules.columns == RULES
    assert [note.partition(":")[0] for note in rules.notes] == [
        "lines with usage",
        "by ccusage's rules",
        "cache writes 5m",
        "cache writes 1h",
    ]


def test_sums_without_a_model_have_no_classes() -> None:
    """METRICS.json alone tells neither the model nor what of the prompt was cached."""
    summed = use("", 0.5, 70, days_ago=1)
    summed.unsplit_prompt_tokens = summed.prompt_tokens
    by_day = audited(transcript("a", answer()), record("own", summed))[0]
    assert column(by_day, "day") == [day(1), day()]
    assert column(by_day, "model") == [None, "priced"]
    assert column(by_day, "input_tokens") == [None, 10]
    assert column(by_day, "total_tokens") == [70, 200]
    assert by_day.notes[-1].startswith("A dash:")


def test_only_of_claude_code_it_says_what_ccusage_shows() -> None:
    """The line is of that agent's transcripts alone, and of other agents there is none."""
    other = record("other", answer(), agent="qwen")
    answers = indexed([transcript("a", answer(tokens=70)), other])
    own = answers.reading(replace(ALL, agents=("claude-code",)))
    both = audit([], answers.reading(ALL), scope(answers), alike=own)[1]
    (line,) = (row for row in both.rows if row[0] == "by ccusage's rules")
    assert line[2] == 140
    only = indexed([other])
    rules = audit([], only.reading(ALL), scope(only), whole=True)[1]
    assert "lines with usage" in column(rules, "rule")
    assert not any("ccusage" in str(cell) for row in rules.rows for cell in row)


def test_without_transcripts_there_are_no_rules() -> None:
    """A machine with nothing, or with recorded sessions only, has no counting to explain."""
    by_day, rules = audited()
    assert by_day.empty.startswith("Nothing is recorded here yet.")
    assert (rules.rows, rules.empty) == ([], "")
    assert audited(record("own", use("m", 1.0)))[1].rows == []


answers = st.builds(
    answer,
    st.sampled_from(["priced", "odd"]),
    given=st.booleans(),
    days_ago=st.integers(0, 3),
    tokens=st.integers(0, 10**9),
)


@given(st.lists(st.lists(answers, max_size=5), max_size=4))
def test_days_add_up_to_sessions(all_of_them: list[list[LLMDay]]) -> None:
    """Whatever was used, the rows hold exactly the tokens of the sessions, class by class."""
    sessions = [transcript(str(number), *one) for number, one in enumerate(all_of_them)]
    rows = records(audited(*sessions)[0])
    llms = [llm for one in sessions for llm in one.llms]
    for name in ("total_tokens", "unpriced_tokens", "given_tokens"):
        assert sum(row[name] for row in rows) == sum(getattr(row, name) for row in llms)  # type: ignore[misc] # these columns hold numbers
    for row in rows:
        assert sum(list(row.values())[2:7]) == row["total_tokens"]  # type: ignore[arg-type] # as above
        parts = (row["given_tokens"], row["priced_tokens"], row["unpriced_tokens"])
        assert sum(parts) == row["total_tokens"]  # type: ignore[arg-type] # as above


def test_what_nobody_told_apart_has_a_line() -> None:
    """What agents' totals exceed their answers by, and calls of which nobody reported tokens."""
    rows = [LLMRow("2026-06-01", "", interaction_count=2, unknown_usage_count=2, cost_nano=3)]
    unattributed = LLMRow("unattributed", interaction_count=2, cost_nano=3_054_000)
    by_day, rules = audit(rows, ReadingRow(), Scope(), unattributed=unattributed)
    assert rules.rows == [("unattributed", 2, None, 0.003054), ("unknown usage", 2, None, None)]
    assert any("2 LLM calls nobody reported" in note for note in by_day.notes)
    assert audit([LLMRow("2026-06-01", "m")], ReadingRow(), Scope())[1].rows == []
