"""What the subcommands are for of programs that lead machines: containers, clouds, packages."""

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
