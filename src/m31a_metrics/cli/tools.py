"""`m31 tools`: which tools are slow or fail."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.tools import tools
from m31a_metrics.tables.tools import PARTS

command = question_command(
    tools,
    """Which tools are slow or fail: calls, fail rate, p50 to max, time they ran, trend.

    Percentiles are of all calls together, within 2 %, and like the time that a tool ran of
    its own time: what may hold a person's wait stands apart, as elapsed only. The trend,
    with --since, is against the period before, just as long.
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
