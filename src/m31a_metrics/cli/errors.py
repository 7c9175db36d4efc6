"""`m31 errors`: the most frequent ways in which tools fail."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.tools import errors
from m31a_metrics.tables.errors import PARTS

command = question_command(
    errors,
    """How tools fail: one line for each way, how often, and in which sessions.

    Only what tools themselves say is kept of a line, so that the same failure is one row
    wherever it happened. Letters at its end tell apart failures of which nothing is known.
    """,
    (
        ("m31 errors", "the most frequent first"),
        ("m31 errors --tool Bash --since 7d", "of one tool, lately"),
        ("m31 errors --by tool", "how many calls of which tool failed"),
        ("m31 errors --by week", "is it getting better?"),
        ("m31 errors last", "of the latest session"),
    ),
    parts=PARTS,
    narrowed={"tool": "Only failures of this tool."},
    has_limit=True,
)
