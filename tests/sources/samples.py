"""The reference transcripts that tests know by name, by the folder of their agent.

Samples are added to ../shared now and then. What a new one comes to is for whoever names it
here to look at, and no failure of the suite.
"""

from __future__ import annotations

import json

from tests.sources.golden import GOLDEN

AGENTS = (
    "aider",
    "antigravity",
    "claude-code",
    "codex",
    "copilot-cli",
    "cursor",
    "droid",
    "gemini-cli",
    "gptme",
    "grok",
    "grok-build",
    "hermes",
    "iflow",
    "kimi",
    "kiro_sqlite",
    "openclaw",
    "opencode",
    "pi",
    "qwen",
    "vibe",
)
"""The folders, each of a format of its own."""

CCUSAGE_CLAUDE_CODE = GOLDEN / "claude-code" / "ccusage-20.0.24.json"
"""What `ccusage claude daily --offline --json --breakdown -z UTC` made of the files it names."""

CLAUDE_CODE: tuple[str, ...] = tuple(
    json.loads(CCUSAGE_CLAUDE_CODE.read_text(encoding="utf-8"))["files"]
)
COPILOT_CLI = (
    "10fb4666-56f0-4352-90fc-715caf95b418.jsonl",
    "2426852d-6cf5-4e90-be9f-e45fc6c7d5e4.jsonl",
    "487fbe81-e917-46ad-a7c6-bf31cba53339.jsonl",
    "7f268ba1-7632-494f-9f93-b358f8496898.jsonl",
    "8e081e35-999d-4d47-a3a7-3303b75eb299.jsonl",
    "a7982b94-0f1b-4046-93bf-9fff06ac0784.jsonl",
    "a87dbaec-1271-4743-b078-9219ea7bce98.jsonl",
    "agent-sessions__large.jsonl",
    "agent-sessions__schema_drift.jsonl",
    "agent-sessions__small.jsonl",
    "agent-sessions__subdir_v1__aaaabbbb-1111-2222-3333-ccccddddeeee__events.jsonl",
    "b166df6d-0d9f-4fb6-bd2c-51809919e5bf.jsonl",
    "db0876fb-eb3d-49f2-91df-b708627932f9.jsonl",
)

GEMINI_CLI = (
    "agent-sessions__jsonl_v040.jsonl",
    "agent-sessions__large.json",
    "agent-sessions__small.json",
    "agentsview__standard_session.json",
    "agentsview__system_messages.json",
    "agentsview__thinking_only.json",
    "agentsview__tool_calls.json",
    "agentsview__tool_calls_with_results.json",
)

OPENCODE = (
    "agent-sessions__storage_legacy__message__s_stage0_drift__msg_0001.json",
    "agent-sessions__storage_legacy__message__s_stage0_drift__msg_0002.json",
    "agent-sessions__storage_legacy__part__prt_0001.json",
    "agent-sessions__storage_legacy__part__prt_0002.json",
    "agent-sessions__storage_legacy__session__proj_test__ses_s_stage0_drift.json",
    "agent-sessions__storage_v2__message__s_stage0_large__msg_0001.json",
    "agent-sessions__storage_v2__message__s_stage0_large__msg_0002.json",
    "agent-sessions__storage_v2__message__s_stage0_large__msg_0003.json",
    "agent-sessions__storage_v2__message__s_stage0_large__msg_0004.json",
    "agent-sessions__storage_v2__message__s_stage0_small__msg_0001.json",
    "agent-sessions__storage_v2__message__s_stage0_small__msg_0002.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__001.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__002.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__003.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__004.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__005.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__006.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__007.json",
    "agent-sessions__storage_v2__part__m_assistant_large_1__008.json",
    "agent-sessions__storage_v2__part__m_assistant_large_2__001.json",
    "agent-sessions__storage_v2__part__m_assistant_small__001.json",
    "agent-sessions__storage_v2__part__m_assistant_small__002.json",
    "agent-sessions__storage_v2__part__m_user_large_1__001.json",
    "agent-sessions__storage_v2__part__m_user_large_2__001.json",
    "agent-sessions__storage_v2__part__m_user_small__001.json",
    "agent-sessions__storage_v2__session__proj_test__ses_s_stage0_large.json",
    "agent-sessions__storage_v2__session__proj_test__ses_s_stage0_small.json",
)

QWEN = (
    "agent-sessions__019f0000-0000-7000-8000-000000000001.jsonl",
    "agent-sessions__019f0000-0000-7000-8000-000000000002.jsonl",
    "agent-sessions__019f0000-0000-7000-8000-000000000004.jsonl",
    "agent-sessions__019f0000-0000-7000-8000-000000000005.jsonl",
    "agent-sessions__019f0000000070008000000000000003.jsonl",
    "agent-sessions__system_telemetry.jsonl",
    "qwen_code.jsonl",
)
