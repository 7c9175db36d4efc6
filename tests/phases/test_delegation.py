from __future__ import annotations

import pytest

from m31a_metrics.phases.delegation import delegated_use
from tests.phases.sessions import phases, tool


@pytest.mark.parametrize(
    ("handed", "phase"),
    [
        ("Explore: find the config", "explore"),
        ("Plan: the migration", "plan"),
        ("code-reviewer: look at it", "verify"),
        ("general-purpose: Fix lint, then run tests", "execute"),
        ("general-purpose: Research the API", "explore"),
        ("worker: something", "execute"),
        (": Review the diff for bugs", "verify"),
    ],
)
def test_handed_over_work_takes_its_phase(handed: str, phase: str) -> None:
    """The kind of a subagent goes before the words of its description."""
    assert phases(tool("Task", handed)) == [phase]


@pytest.mark.parametrize(
    ("said", "prompt", "use"),
    [
        ("Lens: naming", "You are a peer reviewer (naming lens). List what is unclear.", "verify"),
        ("Lens: scan for leaks", "You are the security auditor of this change.", "verify"),
        ("Second look", "You're an adversarial verifier. Refute each claim.", "verify"),
        ("Claim 3", "Verifier for a finding in the parser. Build and run code.", "verify"),
        ("Bug finder", "Look for regressions in this branch. Report only.", "verify"),
        ("Batch 2", "## Job\nReview the patch in /tmp/a.patch for races.", "verify"),
        ("Routes", "Context: a web shop.\n\nYour job: audit every route.", "verify"),
        ("Parser", "You are a senior engineer. Implement the parser in src/.", "execute"),
        ("Step 4", "You are implementing step 4 of the plan that was reviewed.", "execute"),
        ("Address the review", "Please address the comments of the code review.", "execute"),
        ("Step 5", "Adapt the importer. Do not change files outside of src/io.", "execute"),
        ("Cache", "Read-only task: how is the cache filled? Quote the code.", "explore"),
        ("Cache", "Do not edit any files. Tell where the cache is filled.", "explore"),
        ("Check the setup", "Examine the manifests and list every script.", "explore"),
        ("History", "You are a researcher. Collect what the forum says.", "explore"),
        ("Next release", "You are the planner of this team. Order these tickets.", "plan"),
    ],
)
def test_a_prompt_says_what_a_short_name_does_not(said: str, prompt: str, use: str) -> None:
    """The part that an agent is given, and how its prompt begins, say what its work is."""
    assert delegated_use(f"general-purpose: {said}", prompt) == use
    assert delegated_use("general-purpose: onwards", "The weather is fine.") is None
