from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.views.web.state import State, WrongState, read, session_path

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)

texts = st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace").decode())
states = st.builds(
    State,
    since=st.sampled_from(["30d", "7d", "all", "2026-06"]),
    agent=st.lists(texts.filter(bool), max_size=3).map(tuple),
    label=st.lists(texts.filter(bool), max_size=3).map(tuple),
    project=texts,
    model=texts,
    q=texts,
    tool=texts,
    by=st.sampled_from(["", "day", "week", "month"]),
    sort=st.sampled_from(["", "cost_usd", "-updated_at"]),
    page=st.integers(1, 1000),
    rows=st.integers(1, 500),
)


@given(states)
def test_an_address_holds_the_whole_state(state: State) -> None:
    """What is written as an address is read back as it was."""
    query = state.query()
    assert read(parse_qsl(query.removeprefix("?"), keep_blank_values=True)) == state


def test_the_first_page_has_a_bare_address() -> None:
    """Defaults are not written out."""
    assert State().query() == ""
    assert State().query(since="7d") == "?since=7d"


def test_a_state_is_a_slice() -> None:
    """Names of the address become the slice that the index is asked for."""
    which = State(since="7d", agent=("codex",), q="cart", tool="Bash").slice(NOW)
    assert (which.first_day, which.last_day) == ("2026-06-14", "2026-06-20")
    assert (which.agents, which.text, which.tool) == (("codex",), "cart", "Bash")
    assert State(since="all").slice(NOW).first_day == ""
    labels = read([("label", "prompt=b"), ("label", "team=x")])
    assert labels.slice(NOW).labels == (("prompt", "b"), ("team", "x"))
    assert labels.is_filtered


@pytest.mark.parametrize(
    "pairs",
    [
        [("page", "0")],
        [("page", "-1")],
        [("page", "1e3")],
        [("page", "9" * 40)],
        [("page", "٣")],
        [("rows", "501")],
        [("by", "minute")],
        [("sort", "cost_usd; DROP TABLE sessions")],
        [("q", "x" * 501)],
    ],
)
def test_what_cannot_be_is_refused(pairs: list[tuple[str, str]]) -> None:
    """A wrong value is named, not passed on."""
    with pytest.raises(WrongState, match=pairs[0][0]):
        read(pairs)


def test_a_label_that_is_none_is_refused() -> None:
    """The sentence says how a label is written."""
    with pytest.raises(WrongState, match="'prompt' is no label: write NAME=VALUE"):
        State(label=("prompt",)).slice(NOW)


def test_words_for_days_are_times() -> None:
    """As on the command line: the same function reads both."""
    yesterday = State(since="yesterday", until="yesterday").slice(NOW)
    assert (yesterday.first_day, yesterday.last_day) == ("2026-06-19", "2026-06-19")
    assert State(since="Monday").slice(NOW).first_day == "2026-06-15"
    with pytest.raises(WrongState, match="turn the two around"):
        State(since="today", until="yesterday").slice(NOW)


def test_a_time_that_is_none_is_refused() -> None:
    """The sentence says how a time is written."""
    with pytest.raises(WrongState, match="2026-06"):
        State(since="yesterdayish").slice(NOW)


@given(st.text(min_size=1))
def test_a_session_id_stays_one_part_of_its_address(session_id: str) -> None:
    """No id adds a folder, a query or a fragment to the address of its page."""
    path = session_path(session_id)
    rest = path.removeprefix("/sessions/")
    assert not set(rest) & set("/?#\\ <>\"'")
    assert unquote(rest, errors="replace") == session_id.encode("utf-8", "replace").decode()
