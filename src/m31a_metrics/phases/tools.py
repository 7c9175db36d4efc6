"""What the tools of agents are for, other than those that run commands.

Agents name their tools differently and alike: `Read`, `read_file`, `view`. Names that are
not in the table go by their words, which holds for most tools of MCP servers.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from m31a_metrics.active_time import AGENT_TOOLS
from m31a_metrics.phases.uses import Use, names

SHELLS = names(
    """
    bash shell shell_command exec_command local_shell container.exec run_shell_command
    powershell run_command execute_command run_terminal_cmd run_in_terminal terminal
    execute_bash exec local_shell_call unified_exec bashtool developer__shell
    """
)
"""Tools that run a command."""

SCRIPTS = frozenset(("exec", "functions.exec"))
"""Tools that run a script which calls other tools, by their whole name."""

POLLS = names(
    """
    write_stdin bashoutput taskoutput agentoutputtool read_bash write_bash
    get_terminal_output command_status check_background_process read_process_output
    """
)
"""Tools that ask how a command in the background goes, or type something into it."""

EDITS = names(
    """
    edit multiedit write notebookedit apply_patch replace write_file edit_file create
    str_replace str_replace_editor str_replace_based_edit_tool patch create_file
    insert_edit_into_file smart_edit write_to_file replace_in_file search_replace file_write
    file_edit edit_notebook_file
    """
)
"""Tools that write files."""

READS = frozenset(("read", "read_file", "view", "view_image", "notebookread", "view_file"))
"""Tools that show a file."""


class Tool(Struct, frozen=True, gc=False):
    """What a tool's name says, looked up once for all of its calls.

    `name` is its own, without namespaces. `scripts`: it is a shell whose command is a script.
    """

    name: str
    polls: bool
    shell: bool
    scripts: bool
    edits: bool
    hands_over: bool
    reads: bool


_TABLE: dict[Use, str] = {
    Use.EXPLORE: """
        read read_file read_many_files view view_file ls list list_directory list_dir glob grep
        grep_files search_file_content grep_search file_search find find_files codebase_search
        codebase_investigator search lsp websearch webfetch web_search web_fetch
        google_web_search fetch tool_fetch fetch_copilot_cli_documentation show_file read_thread
        notebookread listmcpresources listmcpresourcestool readmcpresource readmcpresourcetool
        list_mcp_resources list_mcp_resource_templates read_mcp_resource get_internal_docs
        cli_help fetch_documentation semantic_search_nodes get_errors list_code_usages
        github_repo
    """,
    Use.PLAN: """
        todowrite todoread todo_write todo_read write_todos update_todo manage_todo_list
        update_plan taskcreate taskupdate tasklist taskget enterplanmode exitplanmode
        enter_plan_mode exit_plan_mode plan_enter plan_exit askuserquestion ask_user
        ask_user_question request_user_input question ask_followup_question sequentialthinking
        think plan create_plan update_goal create_goal get_goal set_goal sql task_tracker
    """,
    Use.OTHER: """
        skill toolsearch tool_search activate_skill use_skill killshell killbash taskstop
        kill_shell stop_bash list_bash wait wait_agent close_agent list_agents resume_agent
        save_memory store_memory memory report_intent task_complete sendmessage send_message
        send_input read_agent list_agents sleep monitor cronlist crondelete croncreate
        schedulewakeup pushnotification teamcreate teamdelete new_context clock wake
        request_permissions load_tool structuredoutput send_user_message brief statusline
        slashcommand attempt_completion finish finished new_task
    """,
    Use.RUN: """
        js_repl artifact screenshot computer browser execute_code repl view_image python preview
    """,
    Use.EXECUTE: """
        image_generation imagegen install_package enterworktree exitworktree delete_file
        move_file rename_symbol create_directory new_project create_new_workspace
    """,
    Use.VERIFY: "getdiagnostics run_tests runtests test_failure read_lints check diagnostics",
}

_USES = {name: use for use, names in _TABLE.items() for name in names.split()}

_BROWSER = re.compile(
    r"browser|playwright|puppeteer|chrome|devtools|selenium|preview|simulator|screen"
)
_FORGE = re.compile(r"github|gitlab|bitbucket|gitea|forge")
_RUNS_CODE = re.compile(r"repl_|jupyter|sandbox|interpreter")
_MEMORY = re.compile(r"memory|mem0|remember|knowledge_graph")
_THINKS = re.compile(r"sequential-?thinking|planner")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

# The first of these in a tool's name decides.
_VERBS = {
    word: use
    for use, words in (
        (
            Use.EXPLORE,
            """
            get list search read fetch find query lookup look ask describe show resolve view
            inspect browse scan retrieve load open select explain summarize index info status
            history tree glob grep extract crawl scrape analyze discover docs
            """,
        ),
        (
            Use.EXECUTE,
            """
            create update delete write edit set add insert apply replace remove move rename
            patch modify generate install upload import export execute migrate configure enable
            disable
            """,
        ),
        (Use.VERIFY, "test tests verify validate check lint diagnostics assert run build"),
        (Use.SHIP, "merge push deploy publish release commit comment reply submit approve"),
        (Use.PLAN, "plan todo todos"),
        (Use.OTHER, "wait sleep kill stop close cancel send notify remember"),
    )
    for word in words.split()
}
_CI = names("checks check run runs workflow job jobs combined status")
_TRACKED = names("issue issues ticket tickets task tasks epic story")


_CALLED = re.compile(r"\b(?:cmd|command)[\"']?\s*:\s*([\"'`])((?:(?!\1)[^\\\n]|\\.){1,2000})\1")
_CALLS = re.compile(r"\btools\.(\w{1,80})\(")
_EDITS_IN = re.compile(r"\bapply_patch\b")


def commands_in(script: str) -> str:
    """Return the commands that a script gives to a shell tool, as one shell script."""
    commands = [found[2].replace(r"\"", '"') for found in _CALLED.finditer(script)]
    if _EDITS_IN.search(script):
        commands.append("apply_patch")
    return "\n".join(commands)


def scripted_use(script: str) -> Use | None:
    """Return what the other tools are for that a script calls; None if that is not known."""
    uses = (use_of(name) for name in _CALLS.findall(script))
    return next((use for use in uses if use is not None), None)


def tool_name(name: str) -> str:
    """Return a tool's name without the namespaces that clients put before it."""
    return name.rpartition("__")[2].rpartition(".")[2].lower()


@lru_cache(maxsize=1024)
def tool(name: str) -> Tool:
    """Return what kind of tool one is, as its name says."""
    own = tool_name(name)
    return Tool(
        own,
        polls=own in POLLS,
        shell=own in SHELLS,
        scripts=name.lower() in SCRIPTS,
        edits=own in EDITS,
        hands_over=own in AGENT_TOOLS,
        reads=own in READS,
    )


@lru_cache(maxsize=1024)
def use_of(name: str) -> Use | None:
    """Return what a tool is for; None if neither the table nor its words say."""
    lowered = name.lower()
    own = tool_name(name)
    is_foreign = lowered.startswith("mcp") or "-mcp" in lowered or "__" in lowered
    if not is_foreign:
        use = _USES.get(own) or _USES.get(own.replace("-", "_"))
        if use is not None:
            return use
    server = lowered[: len(lowered) - len(own)]
    if _THINKS.search(lowered):
        return Use.PLAN
    if _MEMORY.search(server):
        return Use.OTHER
    words = [word.lower() for word in _WORD.findall(name.rpartition("__")[2])]
    if _BROWSER.search(server) or words[:1] == ["browser"]:
        return Use.OTHER if "close" in words and "tabs" not in words else Use.RUN
    if _FORGE.search(lowered):
        return _of_forge(words)
    if _RUNS_CODE.search(server):
        return Use.RUN
    # What a server offers is mostly knowledge.
    return _of_words(words) or (Use.EXPLORE if is_foreign else None)


def _of_words(words: list[str]) -> Use | None:
    if "diagnostics" in words:
        return Use.VERIFY
    for word in words:
        use = _VERBS.get(word)
        if use is Use.EXECUTE and not _TRACKED.isdisjoint(words):
            return Use.OTHER if word == "create" else Use.PLAN
        if use is not None:
            return use
    return None


def _of_forge(words: list[str]) -> Use:
    use = _of_words(
        [word for word in words if word not in ("github", "gitlab", "mcp", "server", "apps")]
    )
    if use in (Use.EXECUTE, Use.SHIP):
        return Use.SHIP
    if not _CI.isdisjoint(words):
        return Use.STATE
    return use or Use.EXPLORE
