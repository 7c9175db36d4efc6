"""What the subcommands of programs are for; `_` joins the words of a longer one.

A subcommand that is not here goes by its words (`targets`), or by its program (`table`).
"""

from __future__ import annotations

from m31a_metrics.phases.programs.machines import MACHINES
from m31a_metrics.phases.uses import Use

SUBCOMMANDS: dict[str, dict[Use, str]] = {
    "git": {
        Use.EXPLORE: """
            status log show blame fetch rev-parse ls-files ls-tree ls-remote merge-base
            describe reflog shortlog cat-file name-rev for-each-ref rev-list
            check-ignore check-attr var help version symbolic-ref whatchanged cherry
            range-diff count-objects archive show-ref annotate diff-tree hash-object
            bisect merge-tree
        """,
        Use.EXECUTE: """
            checkout switch restore reset stash clean rm mv apply am cherry-pick revert
            pull clone init config remote worktree submodule branch update-index
            update-ref filter-branch filter-repo sparse-checkout gc prune notes replace
            lfs maintenance read-tree write-tree commit-tree hook merge-file rerere
        """,
        Use.VERIFY: "fsck verify-commit",
        Use.SHIP: """
            add commit push tag merge rebase stage format-patch request-pull send-email
            push_origin
        """,
        Use.DIFF: "diff difftool",
        Use.SEARCH: "grep",
    },
    "gh": {
        Use.EXPLORE: """
            issue_view issue_list issue_status pr_diff pr_list pr_status repo search
            auth release_list workflow_list label gist browse status help config
            extension project ruleset alias codespace org secret variable cache api
        """,
        Use.EXECUTE: """
            repo_clone repo_fork repo_create pr_checkout run_download release_download
            secret_set variable_set repo_edit auth_login auth_setup-git label_create
            cache_delete
        """,
        Use.VERIFY: "run_watch run_rerun pr_checks",
        Use.SHIP: """
            pr release workflow run issue_comment issue_close issue_edit issue_reopen
            pr_comment pr_review
        """,
        Use.OTHER: "issue_create run_cancel run_delete",
        Use.STATE: "release_view workflow_view run_list run_view pr_view",
    },
    "glab": {
        Use.EXPLORE: "mr_view mr_list mr_diff issue repo api auth",
        Use.VERIFY: "ci_status",
        Use.SHIP: "mr release ci_run",
        Use.STATE: "ci_list ci_view pipeline",
    },
    "alembic": {
        Use.EXPLORE: "current history heads show branches",
        Use.VERIFY: "check",
    },
    "aptos": {
        Use.VERIFY: "move_test move_compile",
    },
    "arc": {
        Use.SHIP: "diff",
    },
    "arduino-cli": {
        Use.EXPLORE: "board_list core_list lib_list",
        Use.EXECUTE: "core_install lib_install",
        Use.RUN: "upload monitor",
    },
    "artisan": {
        Use.EXECUTE: "make migrate",
    },
    "astro": {
        Use.VERIFY: "check build",
    },
    "bun": {
        Use.EXPLORE: "pm outdated why",
        Use.EXECUTE: "install i add remove update link init create",
        Use.VERIFY: "test",
        Use.SHIP: "publish",
    },
    "bundle": {
        Use.EXPLORE: "list show info outdated",
        Use.EXECUTE: "install update add lock",
        Use.VERIFY: "audit",
    },
    "cabal": {
        Use.VERIFY: "build test",
    },
    "cargo": {
        Use.EXPLORE: "tree metadata search info locate-project version expand outdated bloat",
        Use.EXECUTE: """
            add remove update fmt fix install new init clean generate vendor uninstall
            insta_accept insta_review insta_reject
        """,
        Use.VERIFY: """
            test nextest check build clippy bench audit deny doc miri llvm-cov tarpaulin
            insta_test insta machete udeps semver-checks hack careful mutants fuzz
        """,
        Use.SHIP: "publish release",
        Use.RUN: "run tauri",
    },
    "cast": {
        Use.EXPLORE: "call balance block tx abi-encode sig 4byte",
        Use.SHIP: "send publish",
    },
    "changeset": {
        Use.SHIP: "publish version",
    },
    "claude": {
        Use.EXPLORE: "mcp_list mcp_get config_list config_get doctor agents plugin_list",
        Use.EXECUTE: "mcp_add mcp_remove config_set plugin install update",
    },
    "codex": {
        Use.EXPLORE: "login_status mcp_list features",
        Use.EXECUTE: "mcp_add mcp_remove",
        Use.VERIFY: "review",
    },
    "composer": {
        Use.EXPLORE: "show",
        Use.EXECUTE: "install require update remove dump-autoload",
    },
    "conda": {
        Use.EXPLORE: "list info env search",
        Use.EXECUTE: "install create remove update activate",
    },
    "cypress": {
        Use.RUN: "open",
    },
    "dart": {
        Use.EXPLORE: "info",
        Use.EXECUTE: "pub format run_build_runner fix",
        Use.VERIFY: "analyze test",
        Use.RUN: "run",
    },
    "dbt": {
        Use.EXPLORE: "ls list debug show",
        Use.EXECUTE: "deps seed snapshot clean",
    },
    "defaults": {
        Use.EXPLORE: "read read-type domains find",
        Use.EXECUTE: "write delete import rename",
    },
    "deno": {
        Use.EXPLORE: "info doc",
        Use.EXECUTE: "add install fmt cache",
        Use.VERIFY: "test lint check",
        Use.RUN: "run eval",
    },
    "dotnet": {
        Use.EXPLORE: "list",
        Use.EXECUTE: """
            add new restore remove tool format clean sln ef user-secrets workload
            dev-certs
        """,
        Use.VERIFY: "test build pack",
        Use.SHIP: "publish nuget",
        Use.RUN: "run watch",
    },
    "drizzle-kit": {
        Use.VERIFY: "check",
        Use.RUN: "studio",
    },
    "dune": {
        Use.VERIFY: "build test runtest",
        Use.RUN: "exec",
    },
    "dvc": {
        Use.EXPLORE: "status diff dag",
        Use.EXECUTE: "add pull fetch checkout import init remote",
        Use.SHIP: "push",
    },
    "eas": {
        Use.SHIP: "build submit update",
    },
    "elm": {
        Use.EXECUTE: "install init",
        Use.VERIFY: "make",
    },
    "expo": {
        Use.EXECUTE: "prebuild install customize",
        Use.VERIFY: "doctor export lint",
        Use.RUN: "start run:ios run:android",
    },
    "fastlane": {
        Use.EXPLORE: "lanes action",
        Use.VERIFY: "scan",
    },
    "flask": {
        Use.EXECUTE: "db",
    },
    "flit": {
        Use.SHIP: "publish",
    },
    "flutter": {
        Use.EXPLORE: "doctor devices",
        Use.EXECUTE: "pub clean create gen-l10n upgrade",
        Use.VERIFY: "analyze test build",
        Use.RUN: "run",
    },
    "forge": {
        Use.EXECUTE: "install fmt remappings init",
        Use.VERIFY: "test build snapshot coverage",
        Use.RUN: "script",
    },
    "gci": {
        Use.EXECUTE: "write",
    },
    "gem": {
        Use.EXPLORE: "list",
        Use.EXECUTE: "install uninstall",
        Use.SHIP: "push",
    },
    "go": {
        Use.EXPLORE: """
            list env doc version mod_graph mod_why tool_pprof tool_cover tool_nm
            tool_objdump tool_trace
        """,
        Use.EXECUTE: "get mod install fmt fix generate work clean tool",
        Use.VERIFY: "vet test build mod_verify",
        Use.RUN: "run",
    },
    "golangci-lint": {
        Use.EXPLORE: "linters config formatters cache",
        Use.EXECUTE: "fmt migrate",
    },
    "gradle": {
        Use.SHIP: "publish",
    },
    "gt": {
        Use.EXPLORE: "log ls",
        Use.EXECUTE: "sync restack checkout",
        Use.SHIP: "submit create",
    },
    "hatch": {
        Use.EXECUTE: "env version_minor version_major version_patch",
        Use.SHIP: "publish",
    },
    "hg": {
        Use.EXPLORE: "status log diff",
        Use.EXECUTE: "update pull",
        Use.SHIP: "commit push add",
    },
    "hugo": {
        Use.EXECUTE: "new mod",
        Use.RUN: "server serve",
    },
    "idf.py": {
        Use.EXECUTE: "set-target menuconfig fullclean",
        Use.RUN: "flash monitor",
    },
    "jekyll": {
        Use.VERIFY: "build",
    },
    "jj": {
        Use.EXPLORE: "log status show st git_fetch file op_log bookmark_list evolog",
        Use.EXECUTE: "new edit restore squash bookmark abandon rebase split undo",
        Use.SHIP: "git_push commit describe bookmark_set",
        Use.DIFF: "diff",
    },
    "lando": {
        Use.EXPLORE: "info list logs",
        Use.EXECUTE: "start stop restart rebuild poweroff init destroy",
    },
    "lefthook": {
        Use.VERIFY: "run",
    },
    "lein": {
        Use.VERIFY: "test",
    },
    "lerna": {
        Use.EXPLORE: "list",
        Use.VERIFY: "test",
        Use.SHIP: "publish version",
    },
    "maturin": {
        Use.EXECUTE: "develop",
    },
    "mix": {
        Use.EXPLORE: "deps",
        Use.EXECUTE: "deps.get format ecto.migrate phx.new",
        Use.VERIFY: "test compile credo dialyzer",
        Use.RUN: "run phx.server",
    },
    "mkdocs": {
        Use.VERIFY: "build",
    },
    "mvn": {
        Use.EXPLORE: "dependency:tree help:effective-pom",
        Use.SHIP: "deploy",
    },
    "nest": {
        Use.EXECUTE: "generate",
    },
    "next": {
        Use.VERIFY: "build lint",
    },
    "ng": {
        Use.EXECUTE: "generate add",
        Use.VERIFY: "test lint build",
    },
    "nix": {
        Use.EXPLORE: "flake_show flake_metadata eval search",
        Use.EXECUTE: "flake_update flake_lock flake_init profile",
        Use.VERIFY: "flake_check build",
    },
    "npm": {
        Use.EXPLORE: """
            ls list outdated explain why root prefix config search docs owner access
            whoami help pkg bin fund ping team get query
        """,
        Use.EXECUTE: """
            audit_fix install i ci uninstall remove rm update up dedupe prune link init
            rebuild add set cache create pkg_set
        """,
        Use.VERIFY: "test t audit pack",
        Use.SHIP: "publish version dist-tag deprecate unpublish",
        Use.RUN: "start",
        Use.STATE: "view info show dist-tag_ls",
    },
    "npx": {
        Use.EXECUTE: "create",
    },
    "nx": {
        Use.EXPLORE: "show graph",
        Use.EXECUTE: "generate g",
        Use.VERIFY: "test lint build affected",
    },
    "pdm": {
        Use.EXECUTE: "install add lock",
        Use.SHIP: "publish",
    },
    "pg": {
        Use.EXECUTE: "restore dump",
    },
    "pip": {
        Use.EXPLORE: "list show freeze index download config cache",
        Use.EXECUTE: "install uninstall",
    },
    "pip3": {
        Use.EXPLORE: "list show freeze",
        Use.EXECUTE: "install uninstall",
    },
    "pipenv": {
        Use.EXECUTE: "install lock",
    },
    "playwright": {
        Use.EXECUTE: "install",
        Use.RUN: "screenshot open codegen pdf show-report show-trace",
    },
    "pnpm": {
        Use.EXPLORE: "ls list why outdated root",
        Use.EXECUTE: "install i add remove update up link import rebuild store init create",
        Use.VERIFY: "test audit",
        Use.SHIP: "publish",
        Use.RUN: "start",
        Use.STATE: "view",
    },
    "poetry": {
        Use.EXPLORE: "show env version",
        Use.EXECUTE: "install add remove update lock config init",
        Use.SHIP: "publish",
    },
    "pre-commit": {
        Use.EXECUTE: "install autoupdate",
    },
    "prisma": {
        Use.EXPLORE: "migrate_status",
        Use.EXECUTE: "migrate generate db",
        Use.VERIFY: "validate",
        Use.RUN: "studio",
    },
    "py": {
        Use.VERIFY: "compile",
    },
    "r": {
        Use.EXECUTE: "CMD_INSTALL",
        Use.VERIFY: "CMD_check CMD_build",
    },
    "rails": {
        Use.EXECUTE: "generate g db:migrate new",
        Use.RUN: "server s runner console",
    },
    "rake": {
        Use.EXECUTE: "db:migrate",
    },
    "rebar3": {
        Use.EXECUTE: "get-deps",
        Use.VERIFY: "eunit ct dialyzer proper compile xref",
        Use.RUN: "shell",
    },
    "rover": {
        Use.VERIFY: "graph_check subgraph_check",
    },
    "rtk": {
        Use.EXPLORE: "gain discover session read smart json deps log diff config cc-economics",
        Use.EXECUTE: "init",
        Use.VERIFY: "verify",
    },
    "ruff": {
        Use.EXECUTE: "format",
        Use.VERIFY: "check",
    },
    "rustup": {
        Use.EXECUTE: "install component target update toolchain",
    },
    "rye": {
        Use.EXECUTE: "sync",
    },
    "sail": {
        Use.EXPLORE: "ps logs",
        Use.EXECUTE: "up down stop start restart build",
        Use.VERIFY: "test",
    },
    "sl": {
        Use.EXPLORE: "log status",
        Use.SHIP: "submit",
        Use.DIFF: "diff",
    },
    "sqlx": {
        Use.EXECUTE: "migrate",
    },
    "stack": {
        Use.VERIFY: "build test",
    },
    "storybook": {
        Use.VERIFY: "build",
    },
    "sui": {
        Use.VERIFY: "move_test move_build",
    },
    "svn": {
        Use.EXPLORE: "status log info",
        Use.EXECUTE: "update",
        Use.SHIP: "commit",
    },
    "sw": {
        Use.EXPLORE: "vers",
    },
    "swift": {
        Use.EXECUTE: "package",
        Use.VERIFY: "build test",
        Use.RUN: "run",
    },
    "system": {
        Use.EXPLORE: "profiler",
    },
    "taplo": {
        Use.EXECUTE: "fmt format",
    },
    "tea": {
        Use.SHIP: "pr",
    },
    "timeout": {
        Use.WAIT: "/t",
    },
    "turbo": {
        Use.EXPLORE: "ls",
        Use.VERIFY: "test lint build typecheck",
    },
    "twine": {
        Use.VERIFY: "check",
    },
    "uv": {
        Use.EXPLORE: "tree python pip_list pip_show pip_freeze version",
        Use.EXECUTE: """
            sync add remove lock venv init pip_install pip_uninstall pip_sync
            pip_compile tool cache python_install
        """,
        Use.SHIP: "publish",
    },
    "vite": {
        Use.VERIFY: "build",
    },
    "west": {
        Use.EXECUTE: "update init",
        Use.RUN: "flash",
    },
    "yarn": {
        Use.EXPLORE: "list why info outdated workspaces config_get config_list",
        Use.EXECUTE: "install add remove upgrade up link set init create",
        Use.VERIFY: "test audit",
        Use.SHIP: "publish npm",
        Use.RUN: "start",
    },
    "zig": {
        Use.VERIFY: "build test",
        Use.RUN: "run",
    },
    **MACHINES,
    "tofu": MACHINES["terraform"],
    "nerdctl": MACHINES["docker"],
}
"""Program -> use -> its subcommands."""
