"""`m31 cost`: tokens and cost."""

from m31a_metrics.cli.options import question_command
from m31a_metrics.questions.cost import cost
from m31a_metrics.tables.cost import PARTS

command = question_command(
    cost,
    """What it cost, by phase and by model, in tokens and US dollars.

    Cost is what the agent says that it was charged, else what the tokens cost at list
    prices, also for people with a subscription, who pay less or more.

    The sum is the same however it is grouped. Tokens whose cost is not known are counted as
    unpriced, never guessed. --csv writes the first table.
    """,
    (
        ("m31 cost", "of all sessions, by phase and by model"),
        ("m31 cost --by day --since 30d", "day by day"),
        ("m31 cost --by project --agent codex", "where one agent's cost goes"),
        ("m31 cost --model 'claude-opus-*'", "of some models"),
        ("m31 cost last", "of the latest session"),
    ),
    parts=PARTS,
)
