"""What a session used, by parts of time; and an agent's totals set against its calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.agent_totals import excess, runs
from m31a_metrics.record import LLMDay, PhaseDay, SessionRecord
from m31a_metrics.spending import BEFORE, DAY, MONTH, Account, Spending, Spent, use

AMOUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), max_size=12).map(sorted)
"""When, and how much: in the order of time."""


@given(told=AMOUNTS, spent=AMOUNTS, at=st.integers(0, 30))
def test_an_account_tells_what_all_of_it_would(
    told: list[tuple[int, int]], spent: list[tuple[int, int]], at: int
) -> None:
    """Cut anywhere, what was kept and what came since exceed by as much as all of it does."""
    known, spent_then = [[one for one in each if one[0] <= at] for each in (told, spent)]
    account = Account.of(known, spent_then)
    more = [one for one in told if one[0] > at]
    rest = account.rest(more, [one for one in spent if one[0] > at])
    assert rest == excess(spent, runs(told))[0]
    assert sum(map(len, account.told)) <= 2 * len(runs(known))


def test_parts_of_time_exclude_each_other() -> None:
    """A record divided by them adds up; what is of no part, a fork's copies, counts nowhere."""
    record = SessionRecord("codex", "1", "1", "/p")
    record.llms = [
        LLMDay(day, cost_nano=nano, total_tokens=10 * nano, unpriced_tokens=1)
        for day, nano in ((BEFORE, 1), (MONTH, 2), (DAY, 4), (DAY, 8), ("", 16))
    ]
    record.phases = [PhaseDay(DAY, "execute", active_us=5, heal_trigger_count=1)]
    spending = Spending.of(record)
    assert spending.in_all == Spent(15, 150, 4, 5, 1)
    assert spending.within(MONTH, DAY) == Spent(14, 140, 3, 5, 1)
    assert spending.day == Spent(12, 120, 2, 5, 1)
    assert use(spending.before).cost_nano == 1


def test_less_than_nothing_is_nothing() -> None:
    """What an agent's totals took back may be more than a part of time had."""
    spending = Spending(before=Spent(cost_nano=5), day=Spent(cost_nano=-2))
    assert spending.in_all.cost_nano == 3
    assert spending.within(DAY).cost_nano == 0
