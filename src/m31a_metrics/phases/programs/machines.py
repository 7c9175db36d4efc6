"""What the subcommands of programs are for that lead machines, services and packages.

Containers, clusters, clouds, package managers of systems, devices; `_` joins the words of a
longer subcommand.
"""

from __future__ import annotations

from m31a_metrics.phases.uses import Use

MACHINES: dict[str, dict[Use, str]] = {
    "docker": {
        Use.EXPLORE: """
            ps images logs inspect stats top port info version history events diff
            network_ls network_inspect volume_ls volume_inspect compose_ps compose_logs
            compose_config compose_ls compose_images context search image_ls
            container_ls system_df
        """,
        Use.EXECUTE: """
            rm rmi stop start restart pull cp kill tag volume network system compose_up
            compose_down compose_start compose_stop compose_restart compose_pull
            compose_rm login builder buildx_create
        """,
        Use.VERIFY: "scout",
        Use.SHIP: "push manifest",
        Use.RUN: "run compose_run",
        Use.MAKE: "build buildx compose_build",
    },
    "kubectl": {
        Use.EXPLORE: """
            get describe logs explain top config cluster-info version api-resources auth
            events
        """,
        Use.EXECUTE: "create_namespace config_use-context cp",
        Use.VERIFY: "diff",
        Use.SHIP: "apply rollout set scale delete patch replace create",
        Use.RUN: "port-forward run attach debug",
        Use.STATE: "rollout_status",
        Use.WAIT: "wait",
    },
    "adb": {
        Use.EXPLORE: "devices logcat shell_dumpsys shell_getprop shell_pm pull",
        Use.EXECUTE: "install uninstall push",
        Use.RUN: "shell",
    },
    "apt": {
        Use.EXPLORE: "list search show",
        Use.EXECUTE: "install update remove upgrade",
    },
    "argocd": {
        Use.SHIP: "app_sync app_create app_set app_rollback",
        Use.STATE: "app_get app_list app_history app_wait app_diff",
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
        Use.EXECUTE: "generate dep mod format",
        Use.VERIFY: "lint breaking",
        Use.SHIP: "push",
    },
    "cdk": {
        Use.EXPLORE: "ls list",
        Use.EXECUTE: "init bootstrap",
        Use.VERIFY: "synth diff",
        Use.SHIP: "deploy",
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
        Use.EXPLORE: "projects:list",
        Use.EXECUTE: "init use",
        Use.SHIP: "deploy",
        Use.RUN: "emulators:start emulators:exec serve",
    },
    "flux": {
        Use.SHIP: "reconcile",
        Use.STATE: "get",
    },
    "fly": {
        Use.EXPLORE: "apps_list regions config_show",
        Use.EXECUTE: "auth",
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
    "netlify": {
        Use.EXECUTE: "link init login",
        Use.VERIFY: "build",
        Use.RUN: "dev",
        Use.STATE: "status logs",
    },
    "ollama": {
        Use.EXECUTE: "pull",
        Use.RUN: "run",
    },
    "podman": {
        Use.EXPLORE: "ps images logs inspect",
        Use.EXECUTE: "rm pull",
        Use.SHIP: "push",
        Use.RUN: "run",
        Use.MAKE: "build",
    },
    "pulumi": {
        Use.EXPLORE: "stack config about",
        Use.EXECUTE: "new",
        Use.VERIFY: "preview",
        Use.SHIP: "up",
    },
    "railway": {
        Use.EXPLORE: "variables list whoami",
        Use.EXECUTE: "link add init login",
    },
    "sam": {
        Use.SHIP: "deploy",
        Use.RUN: "local",
    },
    "serverless": {
        Use.VERIFY: "package print",
        Use.RUN: "offline invoke",
    },
    "simctl": {
        Use.EXPLORE: "list getenv get_app_container",
        Use.EXECUTE: "boot shutdown install erase create delete",
    },
    "snap": {
        Use.EXPLORE: "list",
    },
    "supabase": {
        Use.EXPLORE: "status projects_list functions_list migration_list",
        Use.EXECUTE: "init start stop link db_reset db_diff db_pull migration_new migration_up gen",
        Use.SHIP: "db_push functions_deploy secrets_set",
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
        Use.EXECUTE: "env_pull env_add pull link login",
        Use.VERIFY: "build",
        Use.RUN: "dev",
        Use.STATE: "ls inspect",
    },
    "wrangler": {
        Use.EXPLORE: "whoami d1_list d1_info secret_list kv_key_get",
        Use.EXECUTE: "d1_migrations d1_create d1_execute types init login",
        Use.RUN: "dev pages_dev",
        Use.STATE: "tail deployments versions",
    },
}
"""Program -> use -> its subcommands."""
