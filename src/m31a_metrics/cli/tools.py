"""`m31 tools`: which tools are slow or fail."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.tools import tools
from m31a_metrics.tables.tools import PARTS

command = question_command(
    tools,
    """Which tools are slow or fail: calls, fail rate, p50 to max, time they ran, trend.

    Percentiles are of all calls together, within 2 %. Like the time that a tool ran they leave
    out what may hold a wait for a person, which is listed apart, as elapsed only. With
    --since, the trend is against the period before it, of the same length.
    """,
    (
        ("m31 tools", "of all sessions"),
        ("m31 tools --since 7d", "of the last 7 days, and the trend"),
        ("m31 tools --tool Bash --by week", "how one tool went, week by week"),
        ("m31 tools --by project --sort fail_rate", "where tools fail most"),
        ("m31 tools last", "of the latest session"),
    ),
    parts=PARTS,
    narrowed={"tool": "Only calls of this tool."},
)
