"""How well phases and heals are inferred, and what a call costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from time import process_time

from bench.labels import LABELS, Score, Session, sessions
from bench.measure import Row
from m31a_metrics.phases import Purposes, infer
from m31a_metrics.transcript import Transcript

_ROUNDS = 5
_GROUPS = ("held out", "seen", "later")


def scores(_directory: Path) -> Iterable[Row]:
    """Score the labelled sessions: held out, seen and later ones apart, by agent, by session."""
    scored = sessions()
    if not scored:
        raise SystemExit(f"the labels are not at {LABELS}: they are not part of this repository")
    for group in _GROUPS:
        yield from _rows_of(group, [one for one in scored if one.group == group])
    for one in sorted(scored, key=lambda one: (_GROUPS.index(one.group), one.agent, one.name)):
        yield _share(f"{one.group}, {one.agent} `{one.name[:8]}`", one.score, 0.75)


def _rows_of(group: str, scored: list[Session]) -> Iterable[Row]:
    # Those that the first rules were not written for are held to the first goals.
    least = (0.90, 0.85, 0.95) if group == "held out" else (None, None, None)
    if scored:
        yield from _rows(group, scored, *least)
    for agent, floor in (("claude-code", 0.93), ("codex", 0.85)):
        if any(one.agent == agent for one in scored):
            yield _share(
                f"{group}, {agent}", _sum(scored, agent), floor if group == "held out" else None
            )


def _rows(
    what: str,
    scored: list[Session],
    least: float | None,
    least_kappa: float | None,
    least_sure: float | None,
) -> Iterable[Row]:
    total = _sum(scored)
    yield _share(f"{what}: calls agree", total, least)
    yield Row(f"{what}: Cohen's kappa", total.kappa, least_kappa, "", at_least=True)
    yield Row(f"{what}: sure calls agree", total.sure_agreement, least_sure, "", at_least=True)
    of_calls = f"of {total.rules_sure:.3f} of the calls"
    agreement = total.rules_sure_agreement
    yield Row(
        f"{what}: where the rules are sure", agreement, None, "", at_least=True, note=of_calls
    )
    heals = (
        f"{total.matched_heals} of {total.labelled_heals} found, "
        f"{total.inferred_heals - total.matched_heals} more"
    )
    of_heals, of_outcomes = (None, None) if least is None else (0.75, 0.9)
    yield Row(f"{what}: heals, F1", total.heals_f1, of_heals, "", at_least=True, note=heals)
    yield Row(f"{what}: heals, outcome", total.outcomes, of_outcomes, "", at_least=True)


def _sum(scored: list[Session], agent: str = "") -> Score:
    return sum((one.score for one in scored if agent in ("", one.agent)), Score())


def _share(what: str, score: Score, least: float | None) -> Row:
    note = f"{score.calls} calls, kappa {score.kappa:.2f}, sure {score.sure_agreement:.3f}"
    return Row(what, score.agreement, least, "", at_least=True, note=note)


def cost(_directory: Path) -> Iterable[Row]:
    """Time inference of a whole session: commands that are new, and known ones."""
    transcript = _long_session()
    calls = len(transcript.calls)
    purposes = Purposes()
    infer(transcript, purposes)

    def known() -> None:
        infer(transcript, purposes)

    def new() -> None:
        infer(transcript, Purposes())

    for what, run, limit in (
        ("of commands seen before", known, 15),
        ("of new commands", new, None),
    ):
        yield Row(f"a call {what}", _best_us(run, calls), limit, "µs", note=f"{calls:,} calls")


def _best_us(run: Callable[[], None], calls: int) -> float:
    times = []
    for _ in range(_ROUNDS):
        start = process_time()
        run()
        times.append(process_time() - start)
    return min(times) / calls * 1e6


def _long_session() -> Transcript:
    """A session of many turns: reading, editing, testing, committing, each with other names."""
    from tests.phases.sessions import bash, edit, session, tool

    calls = []
    for at in range(500):
        calls += [
            tool("Read", "", f"src/module_{at}.py"),
            bash(f"cd app && grep -rn 'name_{at}' src | head -20"),
            edit(f"src/module_{at}.py"),
            bash(f"cd app && FOO={at} uv run pytest -q tests/test_{at}.py 2>&1 | tail -5"),
            bash(f"git add -A && git commit -m \"$(cat <<'E'\nChange {at}\nE\n)\""),
        ]
    return session(*calls)
