"""`--print-unit`: what has systemd or launchd run a command line as a service of its user.

A service has no shell's environment: what says where the configuration and agents' sessions
are is written into it. Passwords are not; they are read from files.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from m31a_metrics.cli.options.output import Decorated

SYSTEMD, LAUNCHD = "systemd", "launchd"

_SERVICE = """\
[Unit]
Description=m31: {what}

[Service]
{how}ExecStart={command}
{environment}{more}UMask=0077
"""

_ALWAYS_ON = """\
# Save it as ~/.config/systemd/user/{label}.service, then:
#   systemctl --user daemon-reload
#   systemctl --user enable --now {label}
# It ends when you log out, unless: loginctl enable-linger
{service}
[Install]
WantedBy=default.target
"""

_HOURLY = """\
#!/bin/sh
# Writes two files for systemd, and starts nothing. Look at it, run it (append: | sh), then:
#   systemctl --user daemon-reload
#   systemctl --user enable --now {label}.timer
# It ends when you log out, unless: loginctl enable-linger
folder="${{XDG_CONFIG_HOME:-$HOME/.config}}/systemd/user"
mkdir -p "$folder"
cat > "$folder/{label}.service" <<'END'
{service}END
cat > "$folder/{label}.timer" <<'END'
[Unit]
Description=m31: once an hour

[Timer]
OnCalendar=hourly
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
END
echo "written to $folder; start it: systemctl --user daemon-reload &&" \\
  "systemctl --user enable --now {label}.timer"
"""


def unit_option(line: str) -> Callable[[Decorated], Decorated]:
    """Add `--print-unit systemd|launchd`, passed on as `unit`; `line` is its help."""

    def add(function: Decorated) -> Decorated:
        choice = click.Choice([SYSTEMD, LAUNCHD])
        return click.option("--print-unit", "unit", type=choice, help=line)(function)

    return add


def always_on(
    unit: str, label: str, what: str, words: Sequence[str], environ: Mapping[str, str]
) -> str:
    """Write what runs `m31` with these words from login on, and again where it fails.

    `what` says for people what that does.
    """
    if unit == LAUNCHD:
        more = {"RunAtLoad": True, "KeepAlive": {"SuccessfulExit": False}}
        return _property_list(label, words, environ, more)
    service = _service(what, words, environ, more="Restart=on-failure\n")
    return _ALWAYS_ON.format(label=label, service=service)


def hourly(
    unit: str, label: str, what: str, words: Sequence[str], environ: Mapping[str, str]
) -> str:
    """Write what runs `m31` with these words once an hour, at another minute on each machine.

    A service and its timer are two files of systemd's: of these, the script that writes them.
    """
    if unit == LAUNCHD:
        minute = {"Minute": os.urandom(1)[0] % 60}
        return _property_list(label, words, environ, {"StartCalendarInterval": minute})
    return _HOURLY.format(label=label, service=_service(what, words, environ, how="Type=oneshot\n"))


def _property_list(
    label: str, words: Sequence[str], environ: Mapping[str, str], more: Mapping[str, Any]
) -> str:
    import plistlib

    told = {
        "Label": label,
        "ProgramArguments": _command(words),
        "EnvironmentVariables": _kept(environ),
        **more,
        "Umask": 0o077,
    }
    return plistlib.dumps(told).decode()


def _service(
    what: str, words: Sequence[str], environ: Mapping[str, str], *, how: str = "", more: str = ""
) -> str:
    lines = [f"Environment={_quoted(f'{name}={said}')}\n" for name, said in _kept(environ).items()]
    command = " ".join(_quoted(word).replace("$", "$$") for word in _command(words))
    return _SERVICE.format(
        what=what, how=how, command=command, environment="".join(lines), more=more
    )


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "m31a_metrics", *words]


def _kept(environ: Mapping[str, str]) -> dict[str, str]:
    from m31a_metrics.sources import FOLDER_VARIABLES

    names = ("M31A_CONFIG", "XDG_CONFIG_HOME", *FOLDER_VARIABLES)
    return {name: environ[name] for name in names if environ.get(name)}


def _quoted(word: str) -> str:
    """Write a word as systemd reads one."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return escaped if re.fullmatch(r"[\w./:=@+,%-]+", escaped, re.ASCII) else f'"{escaped}"'
