"""Columns that several tables share: one name and one title for one thing."""

from m31a_metrics.answers import LABEL, label_of
from m31a_metrics.table import Column, Unit

SESSION = Column("session_id", "Session")
TITLE = Column("title", "Title")
FIRST_WORDS = Column("first_words", "First words")
AGENT = Column("agent", "Agent")
PROJECT = Column("project", "Project", keeps_end=True)
BRANCH = Column("branch", "Branch")
WORKTREE = Column("worktree", "Worktree", keeps_end=True)
MACHINE = Column("machine", "Machine")
USER = Column("user", "User")
TOOL = Column("tool", "Tool")
PHASE = Column("phase", "Phase")
MODEL = Column("model", "Model")
DAY = Column("day", "Day")
FAILURE = Column("line", "Failure", is_line=True)

ANY_LABEL = f"{LABEL}NAME"
"""How a label is written among the parts of a question."""

PARTS = {
    "hour": Column("hour", "Hour"),
    "day": DAY,
    "week": Column("week", "Week"),
    "month": Column("month", "Month"),
    "model": MODEL,
    "phase": PHASE,
    "project": PROJECT,
    "branch": BRANCH,
    ANY_LABEL: Column("label", "Label"),
    "agent": AGENT,
    "machine": MACHINE,
    "user": USER,
    "tool": TOOL,
    "session": SESSION,
}
"""The first column of a table by the part that `--by` groups a question by."""


def part(by: str) -> Column:
    """The first column of a table by part; that of any label is `label`, with its own title."""
    label = label_of(by)
    return Column("label", label) if label else PARTS[by]


TIMES = ("day", "week", "month", "hour")
"""Parts that come in the order of time; of the others the greatest comes first."""

FLEET = ("machine", "user")
"""Parts that only a fleet is told apart by."""
OWNERS = ("project", "agent", "branch", ANY_LABEL, *FLEET)
"""Parts that say whose a session is."""

STARTED = Column("started_at", "Started", Unit.TIME)
UPDATED = Column("updated_at", "Last event", Unit.TIME)
ACTIVE = Column("active_ms", "Active", Unit.MS)
LASTED = Column("duration_ms", "Lasted", Unit.MS)
PHASE_TIME = Column("duration_ms", "Active", Unit.MS)
LAST_STAY = Column("last_stay_ms", "Of that last stays", Unit.MS)
COST_PER_HOUR = Column("cost_per_hour_usd", "Cost/h", Unit.USD)
TOKENS_PER_HOUR = Column("tokens_per_hour", "Tokens/h", Unit.TOKENS)

SESSIONS = Column("session_count", "Sessions", Unit.COUNT)
CALLS = Column("call_count", "Calls", Unit.COUNT)
FAILED = Column("fail_count", "Failed", Unit.COUNT)
DENIED = Column("denied_count", "Denied", Unit.COUNT)
FAIL_RATE = Column("fail_rate", "Fail rate", Unit.SHARE)
RAN_MS = Column("ran_ms", "Ran", Unit.MS)
AVG_MS = Column("avg_ran_ms", "Avg", Unit.MS)
ELAPSED_MS = Column("elapsed_ms", "Elapsed only", Unit.MS)
P95 = Column("p95_ms", "p95", Unit.MS)
RARE = (DENIED,)
"""What most sessions have none of: people see these columns where a row counts any."""
TIME_SHARE = Column("duration_share", "Share of time", Unit.BAR)

LLM_CALLS = Column("interaction_count", "LLM calls", Unit.COUNT)
PROMPT = Column("prompt_tokens", "Prompt", Unit.TOKENS)
COMPLETION = Column("completion_tokens", "Completion", Unit.TOKENS)
TOKENS = Column("total_tokens", "Tokens", Unit.TOKENS)
INPUT = Column("input_tokens", "Uncached input", Unit.TOKENS)
CACHE_READ = Column("cache_read_tokens", "Cache read", Unit.TOKENS)
CACHE_WRITE_5M = Column("cache_write_5m_tokens", "Cache write 5m", Unit.TOKENS)
CACHE_WRITE_1H = Column("cache_write_1h_tokens", "Cache write 1h", Unit.TOKENS)
OUTPUT = Column("output_tokens", "Output", Unit.TOKENS)
REASONING = Column("reasoning_tokens", "Reasoning in output", Unit.TOKENS)
UNSPLIT = Column("unsplit_tokens", "Not split", Unit.TOKENS)
TOKEN_CLASSES = (INPUT, CACHE_READ, CACHE_WRITE_5M, CACHE_WRITE_1H, OUTPUT)
"""They exclude each other, and with UNSPLIT add up to the total: `measures.TokenClasses`."""
UNPRICED = Column("unpriced_tokens", "Unpriced", Unit.TOKENS)
UNKNOWN_USAGE = Column("unknown_usage_count", "Unknown usage", Unit.COUNT)
SUBAGENTS = Column("subagent_tokens", "Subagents' tokens", Unit.TOKENS)
COST = Column("cost_usd", "Cost", Unit.USD)
COST_SHARE = Column("cost_share", "Share of cost", Unit.BAR)

HEALS = Column("heal_trigger_count", "Heals", Unit.COUNT)
HEALS_PASSED = Column("heal_success_count", "Passed", Unit.COUNT)
HEALS_FAILED = Column("heal_fail_count", "Failed", Unit.COUNT)
HEAL_RATE = Column("heal_rate", "Heal rate", Unit.SHARE)
HEAL_LOOPS = Column("heal_loop_count", "Loops", Unit.COUNT)
HEAL_MS = Column("heal_duration_ms", "Heal time", Unit.MS)
BISECTS = Column("bisect_trigger_count", "Bisects", Unit.COUNT)

TURNS = Column("user_turn_count", "User turns", Unit.COUNT)
COMPACTIONS = Column("compaction_count", "Compactions", Unit.COUNT)
UNPAIRED = Column("unpaired_count", "Calls without result", Unit.COUNT)
VERSION = Column("version", "Version")
MODELS = Column("models", "Models")
LABELS = Column("labels", "Labels")

UNIT = Column("unit", "Unit", Unit.UNIT)
