"""The agents that can send OTLP: what each must be told so that it sends to this machine.

Measured with Claude Code 2.1.332, Codex 0.171.0, Gemini CLI 0.61.0, Qwen Code 0.24.4, Copilot
CLI 1.0.102 and OpenCode 1.18.33 (docs/live.md). An endpoint alone is enough for Copilot CLI
only: Claude Code sends nothing until it is told which signals, Codex knows no variables and
wants whole paths, Gemini CLI and Qwen Code have settings of their own, OpenCode makes spans of
its model calls by another setting.

What nobody reads here is not asked for: of Claude Code and Codex their logs tell everything.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

PORT = 4318
"""Where OTLP over HTTP is sent if nobody says otherwise."""
Members = dict[tuple[str, ...], Any]
"""What is to stand in settings, by the path of names that leads to it."""


class Target(Struct, frozen=True):
    """Where agents are to send, and the token that they bring.

    `token_path` is the file that holds the token, for what can read it when it starts.
    """

    url: str
    token: str
    token_path: str

    @property
    def authorization(self) -> str:
        """The header. OpenCode splits the variable of headers and decodes nothing: no %20."""
        return f"Bearer {self.token}"


def _none(_: Target) -> Members:
    return {}


class Sender(Struct, frozen=True):
    """An agent that can send.

    Its settings are at `file` below the folder that `variable` names, else `folder` below the
    home; of `others` beside it the first that is there is meant. `members` is what is to stand
    there. `elsewhere` are the paths in it that say where it sends already, unless that is us,
    and `signals` the ends of variables of the environment that do. `starts`: it is started with
    the environment, `with_endpoint` too. `says`: whose text is in what it sends.
    """

    name: str
    title: str
    command: str
    variable: str = ""
    folder: str = ""
    file: str = ""
    others: tuple[str, ...] = ()
    members: Callable[[Target], Members] = _none
    elsewhere: tuple[tuple[str, ...], ...] = ()
    signals: tuple[str, ...] = ()
    comments: bool = False
    starts: bool = False
    with_endpoint: bool = False
    says: str = ""

    @property
    def is_toml(self) -> bool:
        """Tell whether its settings are TOML and no JSON."""
        return self.file.endswith(".toml")

    def home(self, environ: Mapping[str, str], home: str) -> str:
        """The folder of its settings. Of several that are named the first."""
        given = environ.get(self.variable, "").partition(",")[0].strip() if self.variable else ""
        if self.variable == "XDG_CONFIG_HOME":
            return f"{given or f'{home}/.config'}/{self.folder}"
        return given or f"{home}/{self.folder}"

    def function(self, target: Target) -> str:
        """The function of a shell that starts it, so that it brings the token as it then is."""
        lines = [f"{self.command}() {{"]
        if self.with_endpoint:
            lines.append(f"    OTEL_EXPORTER_OTLP_ENDPOINT={shlex.quote(target.url)} \\")
        token = f'"$(cat {shlex.quote(target.token_path)} 2>/dev/null)"'
        lines.append(f'    OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer "{token} \\')
        lines += [f'        command {self.command} "$@"', "}"]
        return "\n".join(lines) + "\n"


ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def _claude_code(target: Target) -> Members:
    variables = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        ENDPOINT: target.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization={target.authorization}",
    }
    return {("env", name): value for name, value in variables.items()}


def _codex(target: Target) -> Members:
    exporter = {
        "endpoint": f"{target.url}/v1/logs",
        "protocol": "binary",
        "headers": {"Authorization": target.authorization},
    }
    return {("otel", "exporter"): {"otlp-http": exporter}}


def _gemini(target: Target) -> Members:
    members = {
        "enabled": True,
        "target": "local",
        "otlpEndpoint": target.url,
        "otlpProtocol": "http",
        "logPrompts": False,
    }
    return {("telemetry", name): value for name, value in members.items()}


def _opencode(_: Target) -> Members:
    return {("experimental", "openTelemetry"): True}


_GEMINI_ELSEWHERE = (("telemetry", "otlpEndpoint"), ("telemetry", "outfile"))

SENDERS = {
    one.name: one
    for one in (
        Sender(
            "claude-code",
            "Claude Code",
            "claude",
            "CLAUDE_CONFIG_DIR",
            ".claude",
            "settings.json",
            members=_claude_code,
            elsewhere=(("env", ENDPOINT), ("env", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")),
            signals=("", "LOGS_"),
        ),
        Sender(
            "codex",
            "Codex",
            "codex",
            "CODEX_HOME",
            ".codex",
            "config.toml",
            members=_codex,
            elsewhere=(("otel", "exporter"),),
            says="commands and their outputs, in full",
        ),
        Sender(
            "gemini-cli",
            "Gemini CLI",
            "gemini",
            "",
            ".gemini",
            "settings.json",
            members=_gemini,
            elsewhere=_GEMINI_ELSEWHERE,
            comments=True,
            starts=True,
            says="system instructions and the parameters of tool calls",
        ),
        Sender(
            "qwen",
            "Qwen Code",
            "qwen",
            "QWEN_HOME",
            ".qwen",
            "settings.json",
            members=_gemini,
            elsewhere=_GEMINI_ELSEWHERE,
            comments=True,
            starts=True,
            says="the parameters of tool calls, in full",
        ),
        Sender(
            "copilot-cli",
            "Copilot CLI",
            "copilot",
            signals=("", "TRACES_"),
            starts=True,
            with_endpoint=True,
        ),
        Sender(
            "opencode",
            "OpenCode",
            "opencode",
            "XDG_CONFIG_HOME",
            "opencode",
            "opencode.json",
            others=("opencode.jsonc", "config.json"),
            members=_opencode,
            signals=("", "TRACES_"),
            comments=True,
            starts=True,
            with_endpoint=True,
            says="what the model answered",
        ),
    )
}
"""By the names that `--agent` has for them."""
