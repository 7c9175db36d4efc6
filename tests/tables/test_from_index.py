from __future__ import annotations

from hypothesis import given

from m31a_metrics import codec
from m31a_metrics.answers import Slice
from m31a_metrics.history import MEMORY, History
from m31a_metrics.record import SessionRecord
from m31a_metrics.tables.from_index import session_metrics
from tests.records import session_records


@given(session_records())
def test_sums_survive_the_file(record: SessionRecord) -> None:
    """Out of the index comes a METRICS.json with the same sums that can be read back."""
    with History(MEMORY) as history:
        history.put(record)
        which = Slice()
        (row,) = history.sessions(which)
        made = session_metrics(
            row, history.tools(which), history.llms(which, ("phase",)), history.phases(which)
        )
    again = codec.decode(codec.encode(made), "METRICS.json")
    assert sum(tool.call_count for tool in again.tools) == row.call_count
    assert sum(llm.total_tokens for llm in again.llms) == row.total_tokens
    assert sum(phase.bisect_trigger_count for phase in again.phases) <= row.bisect_trigger_count
    assert again.session_id == row.session_id
