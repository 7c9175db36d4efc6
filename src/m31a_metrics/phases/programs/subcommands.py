"""What the subcommands of programs are for; `_` joins the words of a longer one.

A subcommand that is not here goes by its words (`targets`), or by its program (`table`).
"""

from __future__ import annotations

from m31a_metrics.phases.uses import Use

MACHINES: dict[str, dict[Use, str]] = {
    "docker": {
        Use.EXPLORE: """
            ps images logs inspect stats top port info version history events diff network_ls
            network_inspect volume_ls volume_inspect compose_ps compose_logs compose_config
            compose_ls compose_images context search image_ls container_ls system_df
        """,
        Use.EXECUTE: """
            rm rmi stop start restart pull cp kill tag volume network system compose_up
            compose_down compose_start compose_stop compose_restart compose_pull compose_rm login
            builder buildx_create
        """,
        Use.RUN: "run compose_run",
        Use.MAKE: "build buildx compose_build",
        Use.SHIP: "push manifest",
    },
    "kubectl": {
        Use.EXPLORE: """
            get describe logs explain top config cluster-info version api-resources auth events
        """,
        Use.EXECUTE: "create_namespace",
        Use.VERIFY: "diff",
        Use.STATE: "rollout_status",
        Use.SHIP: "apply rollout set scale delete patch replace create",
    },
    "adb": {
        Use.EXPLORE: "devices logcat",
    },
    "apt": {
        Use.EXPLORE: "list search show",
        Use.EXECUTE: "install update remove upgrade",
    },
    "bazel": {
        Use.VERIFY: "test build",
    },
    "bd": {
        Use.EXPLORE: "show list ready blocked search stats prime dep_tree",
        Use.PLAN: "create update close reopen dep label comment epic edit init q new add claim",
        Use.EXECUTE: "sync export import",
    },
    "brew": {
        Use.EXPLORE: "list info search deps outdated",
        Use.EXECUTE: "install uninstall upgrade update tap services link",
    },
    "buf": {
        Use.EXECUTE: "generate",
        Use.VERIFY: "lint breaking",
    },
    "direnv": {
        Use.EXECUTE: "allow",
    },
    "docker-compose": {
        Use.EXPLORE: "ps logs config",
        Use.EXECUTE: "up down restart stop",
        Use.MAKE: "build",
    },
    "eb": {
        Use.SHIP: "deploy",
    },
    "firebase": {
        Use.SHIP: "deploy",
    },
    "fly": {
        Use.STATE: "status",
    },
    "gcloud": {
        Use.SHIP: "run_deploy app_deploy functions_deploy",
    },
    "gsutil": {
        Use.EXECUTE: "cp",
    },
    "helm": {
        Use.EXPLORE: "list get show search status history",
        Use.EXECUTE: "repo dependency create",
        Use.VERIFY: "lint template",
        Use.SHIP: "install upgrade rollback uninstall push",
    },
    "heroku": {
        Use.STATE: "ps",
    },
    "launchctl": {
        Use.EXPLORE: "list",
    },
    "magick": {
        Use.EXPLORE: "identify",
        Use.VERIFY: "compare",
    },
    "mise": {
        Use.EXPLORE: "ls tasks current which",
        Use.EXECUTE: "install use trust settings",
    },
    "ollama": {
        Use.EXECUTE: "pull",
        Use.RUN: "run",
    },
    "podman": {
        Use.EXPLORE: "ps images logs inspect",
        Use.EXECUTE: "rm pull",
        Use.RUN: "run",
        Use.MAKE: "build",
        Use.SHIP: "push",
    },
    "pulumi": {
        Use.EXPLORE: "stack config about",
        Use.EXECUTE: "new",
        Use.VERIFY: "preview",
        Use.SHIP: "up",
    },
    "sam": {
        Use.SHIP: "deploy",
    },
    "simctl": {
        Use.EXPLORE: "list getenv get_app_container",
    },
    "snap": {
        Use.EXPLORE: "list",
    },
    "systemctl": {
        Use.EXPLORE: "status list-units is-active cat show",
    },
    "terraform": {
        Use.EXPLORE: "show state output providers version graph console",
        Use.EXECUTE: "init fmt import workspace get",
        Use.VERIFY: "plan validate",
        Use.SHIP: "apply destroy",
    },
    "terragrunt": {
        Use.VERIFY: "plan",
    },
    "vercel": {
        Use.STATE: "ls inspect",
    },
    "wrangler": {
        Use.STATE: "tail",
    },
}
"""Program -> use -> its subcommands."""

SUBCOMMANDS: dict[str, dict[Use, str]] = {
    "git": {
        Use.EXPLORE: """
            status log show blame fetch rev-parse ls-files ls-tree ls-remote merge-base describe
            reflog shortlog cat-file name-rev for-each-ref rev-list check-ignore check-attr var
            help version symbolic-ref whatchanged cherry range-diff count-objects archive show-ref
            annotate diff-tree hash-object bisect merge-tree
        """,
        Use.SEARCH: "grep",
        Use.DIFF: "diff difftool",
        Use.EXECUTE: """
            checkout switch restore reset stash clean rm mv apply am cherry-pick revert pull clone
            init config remote worktree submodule branch update-index update-ref filter-branch
            filter-repo sparse-checkout gc prune notes replace lfs maintenance read-tree
            write-tree commit-tree hook merge-file rerere
        """,
        Use.VERIFY: "fsck verify-commit",
        Use.SHIP: """
            add commit push tag merge rebase stage format-patch request-pull send-email
            push_origin
        """,
    },
    "gh": {
        Use.EXPLORE: """
            issue_view issue_list issue_status pr_diff pr_list pr_status repo search auth
            release_list workflow_list label gist browse status help config extension project
            ruleset alias codespace org secret variable cache api
        """,
        Use.EXECUTE: """
            repo_clone repo_fork repo_create pr_checkout run_download release_download secret_set
            variable_set repo_edit auth_login auth_setup-git label_create
        """,
        Use.VERIFY: "run_watch run_rerun pr_checks",
        Use.STATE: "release_view workflow_view run_list run_view pr_view",
        Use.SHIP: """
            pr release workflow run issue_comment issue_close issue_edit issue_reopen pr_comment
            pr_review
        """,
        Use.OTHER: "issue_create run_cancel run_delete",
    },
    "glab": {
        Use.EXPLORE: "mr_view mr_list mr_diff issue repo api auth",
        Use.VERIFY: "ci_status",
        Use.STATE: "ci_list ci_view pipeline",
        Use.SHIP: "mr release ci_run",
    },
    "npm": {
        Use.EXPLORE: """
            ls list outdated explain why root prefix config search docs owner access whoami help
            pkg bin fund ping team get query
        """,
        Use.EXECUTE: """
            audit_fix
            install i ci uninstall remove rm update up dedupe prune link init rebuild add set
            cache create pkg_set
        """,
        Use.VERIFY: "test t audit pack",
        Use.RUN: "start",
        Use.STATE: "view info show dist-tag_ls",
        Use.SHIP: "publish version dist-tag deprecate unpublish",
    },
    "pnpm": {
        Use.EXPLORE: "ls list why outdated root",
        Use.EXECUTE: "install i add remove update up link import rebuild store init create",
        Use.VERIFY: "test audit",
        Use.RUN: "start",
        Use.STATE: "view",
        Use.SHIP: "publish",
    },
    "yarn": {
        Use.EXPLORE: "list why info outdated workspaces config_get config_list",
        Use.EXECUTE: "install add remove upgrade up link set init create",
        Use.VERIFY: "test audit",
        Use.RUN: "start",
        Use.SHIP: "publish npm",
    },
    "bun": {
        Use.EXPLORE: "pm outdated why",
        Use.EXECUTE: "install i add remove update link init create",
        Use.VERIFY: "test",
        Use.SHIP: "publish",
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
    "pip": {
        Use.EXPLORE: "list show freeze index download config cache",
        Use.EXECUTE: "install uninstall",
    },
    "pip3": {
        Use.EXPLORE: "list show freeze",
        Use.EXECUTE: "install uninstall",
    },
    "uv": {
        Use.EXPLORE: "tree python pip_list pip_show pip_freeze version",
        Use.EXECUTE: """
            sync add remove lock venv init pip_install pip_uninstall pip_sync pip_compile tool
            cache python_install
        """,
        Use.SHIP: "publish",
    },
    "poetry": {
        Use.EXPLORE: "show env version",
        Use.EXECUTE: "install add remove update lock config init",
        Use.SHIP: "publish",
    },
    "cargo": {
        Use.EXPLORE: "tree metadata search info locate-project version expand",
        Use.EXECUTE: "add remove update fmt fix install new init clean generate vendor uninstall",
        Use.VERIFY: "test nextest check build clippy bench audit deny doc miri llvm-cov tarpaulin",
        Use.RUN: "run tauri",
        Use.SHIP: "publish release",
    },
    "go": {
        Use.EXPLORE: "list env doc version mod_graph mod_why",
        Use.EXECUTE: "get mod install fmt fix generate work clean tool",
        Use.VERIFY: "vet test build",
        Use.RUN: "run",
    },
    "alembic": {
        Use.EXPLORE: "current history heads show branches",
        Use.VERIFY: "check",
    },
    "arc": {
        Use.SHIP: "diff",
    },
    "artisan": {
        Use.EXECUTE: "make migrate",
    },
    "astro": {
        Use.VERIFY: "check build",
    },
    "bundle": {
        Use.EXPLORE: "list show info outdated",
        Use.EXECUTE: "install update add lock",
    },
    "cabal": {
        Use.VERIFY: "build test",
    },
    "cdk": {
        Use.EXPLORE: "ls list",
        Use.EXECUTE: "init bootstrap",
        Use.VERIFY: "synth diff",
        Use.SHIP: "deploy",
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
    "dart": {
        Use.EXPLORE: "info",
        Use.EXECUTE: "pub format",
        Use.VERIFY: "analyze test",
    },
    "dotnet": {
        Use.EXPLORE: "list",
        Use.EXECUTE: "add new restore remove tool format clean sln ef",
        Use.VERIFY: "test build",
        Use.RUN: "run",
        Use.SHIP: "publish nuget",
    },
    "dune": {
        Use.RUN: "exec",
        Use.VERIFY: "build test runtest",
    },
    "eas": {
        Use.SHIP: "build submit update",
    },
    "elm": {
        Use.EXECUTE: "install init",
        Use.VERIFY: "make",
    },
    "flit": {
        Use.SHIP: "publish",
    },
    "flutter": {
        Use.EXPLORE: "doctor devices",
        Use.EXECUTE: "pub clean create",
        Use.VERIFY: "analyze test",
        Use.RUN: "run",
    },
    "gci": {
        Use.EXECUTE: "write",
    },
    "gem": {
        Use.EXPLORE: "list",
        Use.EXECUTE: "install uninstall",
        Use.SHIP: "push",
    },
    "golangci-lint": {
        Use.EXPLORE: "linters config formatters cache",
        Use.EXECUTE: "fmt migrate",
    },
    "gradle": {
        Use.SHIP: "publish",
    },
    "gt": {
        Use.SHIP: "submit create",
    },
    "hatch": {
        Use.EXECUTE: "env",
        Use.SHIP: "publish",
    },
    "hg": {
        Use.EXPLORE: "status log diff",
        Use.EXECUTE: "update",
        Use.SHIP: "commit push",
    },
    "hugo": {
        Use.EXECUTE: "new mod",
        Use.RUN: "server serve",
    },
    "jekyll": {
        Use.VERIFY: "build",
    },
    "jj": {
        Use.EXPLORE: "log status show st",
        Use.DIFF: "diff",
        Use.EXECUTE: "new edit restore squash",
        Use.SHIP: "git_push",
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
    "npx": {
        Use.EXECUTE: "create",
    },
    "nix": {
        Use.EXPLORE: "flake_show flake_metadata eval search",
        Use.EXECUTE: "flake_update flake_lock flake_init profile",
        Use.VERIFY: "flake_check build",
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
    "pipenv": {
        Use.EXECUTE: "install lock",
    },
    "playwright": {
        Use.RUN: "screenshot open codegen pdf show-report show-trace",
        Use.EXECUTE: "install",
    },
    "pre-commit": {
        Use.EXECUTE: "install autoupdate",
    },
    "prisma": {
        Use.EXECUTE: "migrate generate db",
    },
    "py": {
        Use.VERIFY: "compile",
    },
    "r": {
        Use.VERIFY: "CMD_check CMD_build",
        Use.EXECUTE: "CMD_INSTALL",
    },
    "rails": {
        Use.EXECUTE: "generate g db:migrate new",
        Use.RUN: "server s runner console",
    },
    "rake": {
        Use.EXECUTE: "db:migrate",
    },
    "rtk": {
        Use.EXPLORE: "gain discover session read smart json deps log diff config cc-economics",
        Use.EXECUTE: "init",
        Use.VERIFY: "verify",
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
    "lando": {
        Use.EXPLORE: "info list logs",
        Use.EXECUTE: "start stop restart rebuild poweroff init destroy",
    },
    "sl": {
        Use.EXPLORE: "log status",
        Use.DIFF: "diff",
        Use.SHIP: "submit",
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
    "supabase": {
        Use.EXPLORE: "status projects_list functions_list migration_list",
        Use.EXECUTE: "init start stop link db_reset db_diff db_pull migration_new migration_up gen",
        Use.SHIP: "db_push functions_deploy secrets_set",
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
    "vite": {
        Use.VERIFY: "build",
    },
    "zig": {
        Use.VERIFY: "build test",
        Use.RUN: "run",
    },
    "flask": {Use.EXECUTE: "db"},
    "ruff": {Use.EXECUTE: "format", Use.VERIFY: "check"},
    **MACHINES,
}
"""Program -> use -> its subcommands."""
