"""What it cost, and where the totals come from."""

from __future__ import annotations

from msgspec.structs import replace

from m31a_metrics.events import UNATTRIBUTED
from m31a_metrics.questions.ask import Ask
from m31a_metrics.table import Panel
from m31a_metrics.tables import audit as of_audit
from m31a_metrics.tables import cost as of_cost


def cost(ask: Ask, *, by: str = "", whole: bool = False) -> list[Panel]:
    """Tokens and cost by phase and by model, and the most expensive sessions; or by one part."""
    answers, which = ask.answers, ask.which
    models = answers.llms(which, ("model",))
    if by:
        rows = models if by == "model" else answers.llms(which, (by,))
        table = of_cost.cost_by(rows, ask.scope, by, models, whole=whole)
        return [Panel(f"cost_by_{by}", table, is_wide=True)]
    most = answers.sessions(which, sort="cost_nano", limit=of_cost.TOP_SESSIONS)
    tables = of_cost.cost(answers.llms(which, ("phase",)), models, most, ask.scope, whole=whole)
    names = ("cost_by_phase", "cost_by_model", "most_expensive_sessions")
    return [Panel(name, table, is_wide=True) for name, table in zip(names, tables, strict=True)]


def audit(ask: Ask, *, whole: bool = False) -> list[Panel]:
    """Tokens and cost by day and model, and what each counting rule did to them."""
    which, alike = ask.which, of_audit.LIKE_CCUSAGE
    agents = alike if which.agents is None else tuple(a for a in alike if a in which.agents)
    by_phase = ask.answers.llms(which, ("phase",))
    by_day, rules = of_audit.audit(
        ask.answers.llms(which, ("day", "model")),
        ask.answers.reading(which),
        ask.scope,
        alike=ask.answers.reading(replace(which, agents=agents)) if agents else None,
        unattributed=next((row for row in by_phase if row.key == UNATTRIBUTED), None),
        whole=whole,
    )
    return [Panel("tokens_by_day", by_day, is_wide=True), Panel("rules", rules, is_wide=True)]
