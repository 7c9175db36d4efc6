"""Columns that several tables share: one name and one title for one thing."""

from m31a_metrics.table import Column, Unit

SESSION = Column("session_id", "Session")
AGENT = Column("agent", "Agent")
PROJECT = Column("project", "Project")
TOOL = Column("name", "Tool")
PHASE = Column("phase", "Phase")
MODEL = Column("model", "Model")

STARTED = Column("started_at", "Started", Unit.TIME)
UPDATED = Column("updated_at", "Last event", Unit.TIME)
LASTED = Column("duration_ms", "Lasted", Unit.MS)

SESSIONS = Column("session_count", "Sessions", Unit.COUNT)
CALLS = Column("call_count", "Calls", Unit.COUNT)
FAILED = Column("fail_count", "Failed", Unit.COUNT)
FAIL_RATE = Column("fail_rate", "Fail rate", Unit.SHARE)
TOTAL_MS = Column("total_duration_ms", "Total", Unit.MS)
AVG_MS = Column("avg_duration_ms", "Avg", Unit.MS)
TIME_SHARE = Column("duration_share", "Share of time", Unit.BAR)

LLM_CALLS = Column("interaction_count", "LLM calls", Unit.COUNT)
PROMPT = Column("prompt_tokens", "Prompt", Unit.TOKENS)
COMPLETION = Column("completion_tokens", "Completion", Unit.TOKENS)
TOKENS = Column("total_tokens", "Tokens", Unit.TOKENS)
UNPRICED = Column("unpriced_tokens", "Unpriced", Unit.TOKENS)
COST = Column("cost_usd", "Cost", Unit.USD)
COST_SHARE = Column("cost_share", "Share of cost", Unit.BAR)

HEALS = Column("heal_trigger_count", "Heals", Unit.COUNT)
BISECTS = Column("bisect_trigger_count", "Bisects", Unit.COUNT)

UNIT = Column("unit", "Unit", Unit.UNIT)
