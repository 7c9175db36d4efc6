"""What is measured of tools, of LLM use and of phases, and how such sums are added up.

Every measure is declared here, and only here: the days of a session, the rows of answers and
the tables of the index extend these. Each is a whole number with its unit last in its name,
so that the sums over any partition are exactly the sum of the whole. METRICS.json has rows
of its own (`model`), whose figures have the same names where they are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct


class ToolSums(Struct, kw_only=True):
    """Calls of tools.

    Of `duration_us`, `ran_us` is known to be the tools' own time, without a person's wait;
    of `summed_count` of the calls no more is known of it than its sum. `denied_count` counts
    those that a hook, a rule or a person refused: they never ran, and are not among the calls.
    """

    call_count: int = 0
    fail_count: int = 0
    denied_count: int = 0
    duration_us: int = 0
    ran_us: int = 0
    wait_us: int = 0
    summed_count: int = 0


class TokenSums(Struct, kw_only=True):
    """LLM use in tokens; `unpriced_tokens` are those of which nobody knows the cost.

    Of `unsplit_prompt_tokens` of the prompt nobody knows what caches had a part in: those of a
    METRICS.json, which has sums. Of `unknown_usage_count` of the interactions nobody reported
    the tokens.
    """

    interaction_count: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    unsplit_prompt_tokens: int = 0
    unpriced_tokens: int = 0
    unknown_usage_count: int = 0


class TokenClasses(Struct, frozen=True):
    """Tokens by the five classes that exclude each other.

    `unsplit_tokens` are of none: of these only a sum is known. With them the classes add up to
    the total, unless a total was given that is less than its parts. Reasoning is output.
    """

    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    unsplit_tokens: int


def token_classes(sums: TokenSums) -> TokenClasses:
    """Tell sums of tokens apart by class: a prompt includes what caches read and wrote of it."""
    prompt = sums.prompt_tokens - sums.unsplit_prompt_tokens
    read, write_5m, write_1h = within_prompt(
        prompt,
        sums.cache_read_tokens,
        sums.cache_write_5m_tokens,
        sums.cache_write_1h_tokens,
    )
    return TokenClasses(
        prompt - read - write_5m - write_1h,
        read,
        write_5m,
        write_1h,
        sums.completion_tokens,
        max(sums.total_tokens - sums.prompt_tokens - sums.completion_tokens, 0)
        + sums.unsplit_prompt_tokens,
    )


def within_prompt(prompt: int, read: int, write_5m: int, write_1h: int) -> tuple[int, int, int]:
    """Keep so much of cached tokens as the prompt has room for, reads first.

    Whoever counts more of them than tokens in the prompt counted these beside the prompt.
    """
    if read + write_5m + write_1h <= prompt:
        return read, write_5m, write_1h
    read = min(read, prompt)
    write_5m = min(write_5m, prompt - read)
    return read, write_5m, min(write_1h, prompt - read - write_5m)


class LLMSums(TokenSums, kw_only=True):
    """LLM use, in tokens and money.

    `given_tokens` are those whose cost the agent itself said, `cost_1h_nano` what cache
    writes for an hour cost above those for five minutes, `subagent_tokens` those of
    subagents, which are among the total.
    """

    given_tokens: int = 0
    subagent_tokens: int = 0
    cost_nano: int = 0
    cost_1h_nano: int = 0


class PhaseSums(Struct, kw_only=True):
    """Active time of phases, and the self-heals and bisects in them.

    Of `active_us`, `last_stay_us` is what METRICS.json alone says: how long the last stay was.
    """

    active_us: int = 0
    last_stay_us: int = 0
    transition_count: int = 0
    heal_trigger_count: int = 0
    heal_success_count: int = 0
    heal_fail_count: int = 0
    heal_loop_count: int = 0
    heal_duration_us: int = 0
    bisect_trigger_count: int = 0
    bisect_success_count: int = 0
    bisect_fail_count: int = 0


class PhaseTotals(PhaseSums, kw_only=True):
    """Phases of sessions, with what tools and models did in them.

    `ended_count` sessions know how the phase ended, `success_count` of them that it ended well.
    """

    ended_count: int = 0
    success_count: int = 0
    call_count: int = 0
    fail_count: int = 0
    denied_count: int = 0
    total_tokens: int = 0
    unpriced_tokens: int = 0
    cost_nano: int = 0


class SessionSums(Struct, kw_only=True):
    """What is told of sessions as a whole: some of the measures of their tools, LLM use, phases.

    `duration_us` is what their tool calls took, `active_us` the time in which they were active,
    of which `last_stay_us` is no more than METRICS.json says.
    """

    call_count: int = 0
    fail_count: int = 0
    denied_count: int = 0
    duration_us: int = 0
    interaction_count: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    subagent_tokens: int = 0
    unpriced_tokens: int = 0
    cost_nano: int = 0
    active_us: int = 0
    last_stay_us: int = 0
    heal_trigger_count: int = 0
    heal_success_count: int = 0
    heal_fail_count: int = 0
    bisect_trigger_count: int = 0


def figures_of(kind: type[Struct], but: Collection[str] = ()) -> tuple[str, ...]:
    """Name the fields of a type that hold numbers, `but` those that are no sums."""
    names = kind.__struct_fields__
    defaults = kind.__struct_defaults__
    optional = names[len(names) - len(defaults) :]
    return tuple(
        name
        for name, default in zip(optional, defaults, strict=True)
        if type(default) in (int, float) and name not in but
    )


def shared(kind: type[Struct], *others: type[Struct]) -> tuple[str, ...]:
    """Name the fields that a type has in common with all `others`, in its own order."""
    return tuple(
        name
        for name in kind.__struct_fields__
        if all(name in other.__struct_fields__ for other in others)
    )


def add(sums: Struct, more: Struct, names: Iterable[str]) -> None:
    """Add the fields of these names to those of the same names."""
    for name in names:
        setattr(sums, name, getattr(sums, name) + getattr(more, name))


def subtract(sums: Struct, part: Struct, names: Iterable[str]) -> None:
    """Take the fields of these names out of those of the same names."""
    for name in names:
        setattr(sums, name, getattr(sums, name) - getattr(part, name))


def add_figures(sums: Struct, names: Iterable[str], figures: Iterable[int]) -> None:
    """Add figures to the fields of these names, one to each."""
    for name, figure in zip(names, figures, strict=True):
        if figure:
            setattr(sums, name, getattr(sums, name) + figure)


def counts_something(sums: Struct, names: Iterable[str]) -> bool:
    """Tell whether any field of these names is not zero."""
    return any(getattr(sums, name) for name in names)
