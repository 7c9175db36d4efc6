"""The audit: classes exclude each other, days add up to sessions, each rule has its line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import Usage
from m31a_metrics.catalog.summary import Summary, summarise
from m31a_metrics.events import LLMInteraction
from m31a_metrics.model import ModelMetric
from m31a_metrics.review.audit import BY_DAY, RULES, WITHOUT, audit
from m31a_metrics.table import Table
from m31a_metrics.transcript import Call, Damage, Effects, Facts, Transcript
from tests.review.builders import column, llm, records, session

DAY_US = 86_400_000_000
START_US = int(datetime(2026, 6, 20, 12, tzinfo=UTC).timestamp()) * 1_000_000


def price(event: LLMInteraction) -> float | None:
    """Price one model at a dollar per thousand tokens, and an hour's cache writes at two."""
    if event.model != "priced":
        return None
    return (event.usage.total + event.usage.cache_write_1h_tokens) / 1000


def answer(
    model: str = "priced", cost: float | None = None, day: int = 0, tokens: int = 100
) -> LLMInteraction:
    """A response: of its prompt a tenth is new, the rest cached; as much again as output."""
    tenth = tokens // 10
    usage = Usage(
        tokens,
        tokens,
        cache_read_tokens=5 * tenth,
        cache_write_5m_tokens=3 * tenth,
        cache_write_1h_tokens=tenth,
    )
    return LLMInteraction(
        t_us=START_US + day * DAY_US, phase="", usage=usage, cost=cost, model=model
    )


def transcript(name: str, *answers: LLMInteraction, effects: Effects | None = None) -> Summary:
    """A transcript, summed."""
    read = Transcript(Facts("claude-code", name), list(answers), effects=effects or Effects())
    return summarise(name, read, price)


def audited(*told: Summary, whole: bool = True) -> tuple[Table, Table]:
    """The tables of these transcripts."""
    by_day, rules = audit(
        [one.metrics for one in told],
        [model for one in told for model in one.models],
        told,
        whole=whole,
    )
    return by_day, rules


def test_the_classes_exclude_each_other() -> None:
    """Input is what of the prompt no cache had a part in, and the five make the total."""
    by_day = audited(transcript("a", answer()))[0]
    row = records(by_day)[0]
    assert [row[name] for name in list(row)[2:7]] == [10, 100, 50, 30, 10]
    assert row["total_tokens"] == 200
    assert by_day.columns == BY_DAY


def test_a_cost_says_where_it_is_from() -> None:
    """Tokens whose cost the agent gave, those priced here and those of no price add up."""
    by_day, rules = audited(
        transcript("a", answer(), answer(cost=0.5), answer("odd"), answer("odd", cost=0.25))
    )
    rows = {row["model"]: row for row in records(by_day)}
    names = ("given_tokens", "priced_tokens", "unpriced_tokens", "cost_usd")
    assert [rows["priced"][name] for name in names] == [200, 200, 0, pytest.approx(0.71)]
    assert [rows["odd"][name] for name in names] == [200, 0, 200, 0.25]
    lines = {row["rule"]: row for row in records(rules)}
    assert lines["cost given"]["total_tokens"] == 400
    assert lines["unpriced: odd"]["total_tokens"] == 200
    assert "Unpriced: odd (200)." in by_day.notes
    assert lines["cache writes 1h"]["total_tokens"] == 40
    assert lines["cache writes 1h"]["cost_usd"] == pytest.approx(0.01)


def test_each_rule_tells_what_it_did() -> None:
    """The effects of all sessions are summed, and every line says what its absence shows."""
    effects = Effects(9, 4, 5, 1_000, 7, 2, 30, 1, 200, 3)
    first, second = (transcript(name, answer(), effects=effects) for name in "ab")
    second.damage, second.unpaired_count = Damage(4, ["x"]), 6
    rules = audited(first, second)[1]
    assert rules.columns == [*RULES, WITHOUT]
    assert [row[:3] for row in rules.rows] == [
        ("lines with usage", 18, 400 + 2_400),
        ("repeated lines", 10, 2_000),
        ("last snapshot", None, 14),
        ("agent_progress", 4, 60),
        ("replays", 2, 400),
        ("synthetic lines", 6, None),
        ("cache writes 5m", None, 60),
        ("cache writes 1h", None, 20),
        ("cost given", None, 0),
        ("calls without result", 6, None),
        ("damaged records", 4, None),
    ]
    assert all(column(rules, "without"))


def test_people_read_what_a_rule_means_below() -> None:
    """Sentences are too long for a column, and rules that did nothing need none."""
    rules = audited(transcript("a", answer()), whole=False)[1]
    assert rules.columns == RULES
    assert [note.partition(":")[0] for note in rules.notes] == [
        "lines with usage",
        "cache writes 5m",
        "cache writes 1h",
    ]


def test_calls_without_result_are_counted() -> None:
    """A call whose result is missing is told of, one that failed is not missing."""
    read = Transcript(
        Facts("codex", "a"),
        calls=[Call("1", 1, "x"), Call("2", 2, "x", success=False), Call("3", 3, "x")],
    )
    lines = {row["rule"]: row for row in records(audited(summarise("a", read, price))[1])}
    assert lines["calls without result"]["count"] == 2


def test_recorded_sessions_have_no_day() -> None:
    """Their models come from journals, sums without one have neither model nor caches."""
    told = transcript("a", answer(tokens=100))
    own = session("own", llms=[llm("plan", 0.5, 70), llm("ship", 0.25, 40)])
    journalled = ModelMetric("priced", 1, 63, 7, 70, 20, cost=0.5)
    by_day = audit([told.metrics, own], [*told.models, journalled], [told])[0]
    assert column(by_day, "day") == ["2026-06-20", None, None]
    assert column(by_day, "model") == ["priced", "priced", None]
    assert column(by_day, "input_tokens") == [10, 43, None]
    assert column(by_day, "total_tokens") == [200, 70, 40]
    assert column(by_day, "cost_usd")[2] == pytest.approx(0.25)
    assert column(by_day, "priced_tokens")[1:] == [None, None]
    assert by_day.notes[-1].startswith("A day that is a dash:")


def test_without_transcripts_there_are_no_rules() -> None:
    """A machine with nothing, or with recorded sessions only, has no counting to explain."""
    by_day, rules = audit([], [], [])
    assert by_day.empty.startswith("Nothing is recorded here yet.")
    assert (rules.rows, rules.empty) == ([], "")
    assert audit([session(llms=[llm("plan", 1.0)])], [], [])[1].rows == []


answers = st.builds(
    answer,
    st.sampled_from(["priced", "odd", ""]),
    st.none() | st.floats(0, 100),
    st.integers(0, 3),
    st.integers(0, 10**9),
)


@given(st.lists(st.lists(answers, max_size=5), max_size=4))
def test_days_add_up_to_sessions(all_of_them: list[list[LLMInteraction]]) -> None:
    """Whatever was used, the rows hold exactly the tokens of the sessions, class by class."""
    told = [transcript(str(number), *one) for number, one in enumerate(all_of_them)]
    rows = records(audited(*told)[0])
    llms = [row for one in told for row in one.metrics.llms]
    for name in ("total_tokens", "unpriced_tokens"):
        assert sum(row[name] for row in rows) == sum(getattr(row, name) for row in llms)  # type: ignore[misc] # these columns hold numbers
    for row in rows:
        classes = list(row.values())[2:7]
        assert sum(classes) == row["total_tokens"]  # type: ignore[arg-type] # as above
        parts = (row["given_tokens"], row["priced_tokens"], row["unpriced_tokens"])
        assert sum(parts) == row["total_tokens"]  # type: ignore[arg-type] # as above
