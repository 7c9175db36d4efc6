"""Programs that run other programs: what is behind `sudo`, `uv run`, `npx`, `bash -lc '...'`."""

from __future__ import annotations

from functools import lru_cache

from m31a_metrics.phases.shell.grammar import Command, parse
from m31a_metrics.phases.uses import names, phrases

SHELLS = frozenset(("bash", "sh", "zsh", "dash", "ash", "ksh", "fish"))

# How many words stand for the wrapper itself; options in front of the program follow.
_WRAPPERS: dict[str, int] = {
    name: len(name.split())
    for name in phrases(
        """
        sudo, doas, nohup, command, builtin, exec, env, nice, ionice, timeout, gtimeout, stdbuf,
        unbuffer, setsid, chronic, xvfb-run, dbus-run-session, caffeinate, winpty, time,
        /usr/bin/time, watch, xargs, parallel, npx, bunx, pnpx, uvx, pipx run, pnpm dlx, pnpm exec,
        yarn dlx, yarn exec, npm exec, npm x, bun x, uv run, uv tool run, poetry run, pipenv run,
        pdm run, rye run, conda run, micromamba run, bundle exec, rbenv exec,
        pyenv exec, opam exec, asdf exec, mise exec, mise x, direnv exec,
        nix develop, nix shell, nix-shell,
        dotenv, dotenvx run, cross-env, env-cmd, doppler run, op run, aws-vault exec,
        infisical run, docker exec, docker compose exec, docker compose run, docker-compose exec,
        docker-compose run, docker run, podman run, podman exec, kubectl exec, xcrun, wsl,
        wsl.exe, ssh, su, script, heroku run, railway run, fly ssh, vagrant ssh, firejail, arch,
        flatpak-spawn, rtk, rtk proxy, rtk err, rtk test, rtk summary, rtk run, tokf run, snip,
        lean-ctx, proxychains, proxychains4, torsocks, torify, tsocks, flock, chroot, faketime,
        gtime, fakeroot, rlwrap, numactl, prlimit, unshare, setarch, catchsegv, noglob, nocorrect,
        dumb-init, tini, grc, retry, entr, watchexec, systemd-run, systemd-inhibit, runuser, gosu,
        su-exec, pkexec, srun, mpirun, mpiexec, ddtrace-run, opentelemetry-instrument, ddev exec,
        sail, lando, devcontainer exec, distrobox enter, toolbox run, limactl shell, lima,
        multipass exec, lxc exec, incus exec, singularity exec, apptainer exec, colima ssh,
        nvm exec, fnm exec, volta run, nodenv exec, goenv exec, jenv exec, rustup run, mamba run,
        chamber exec, envchain, varlock run, teller run, sops exec-env, flox activate, guix shell,
        bear
        """
    )
}

_FIRST_WORDS = frozenset(name.partition(" ")[0] for name in _WRAPPERS)

# Options of wrappers that take a value.
_VALUED = names(
    """
    -u -g -n -k -s -p -w -e -P -L -I -d -c -x -f -C -i -o --package --with --python --extra
    --group --env --user --workdir --signal --kill-after --project --directory --env-file
    --namespace --container --command --index-url --no-group --prefix --name --from --spec
    --using --node --workspace-folder -np
    """
)
# Options that take a value elsewhere and none in these.
_FLAGS = {
    "xargs": frozenset(("-x", "-p")),
    "npx": frozenset(("-n",)),
    "docker exec": frozenset(("-i", "-d")),
    "kubectl exec": frozenset(("-i",)),
    "wsl": frozenset(("-e",)),
    "wsl.exe": frozenset(("-e",)),
    "uv run": frozenset(("-s", "-n")),
    "sudo": frozenset(("-n", "-s", "-i", "-k")),
    "command": frozenset(("-p",)),
    "time": frozenset(("-p",)),
    "env": frozenset(("-i",)),
    "poetry run": frozenset(),
    "timeout": frozenset(("-p", "-f")),
    "flock": names("-n -x -s -e -o -u"),
    "entr": names("-c -d -n -p -s -r"),
    "systemd-run": names("--user -P -d"),
    "retry": frozenset(("-x",)),
}
_PLACES = phrases(
    """
    docker exec, docker compose exec, docker compose run, docker-compose exec, docker-compose
    run, docker run, podman run, podman exec, kubectl exec, ssh, aws-vault exec, timeout,
    gtimeout, direnv exec, script, flock, chroot, faketime, setarch, gosu, su-exec,
    distrobox enter, limactl shell, multipass exec, lxc exec, incus exec, singularity exec,
    apptainer exec, nvm exec, rustup run, chamber exec, envchain, sops exec-env
    """
)
"""The first word behind these is no program: a container, a host, a time."""

# The command stands behind one of these.
_MARKED = {
    "nix develop": ("-c", "--command"),
    "nix shell": ("-c", "--command"),
    "nix-shell": ("--run", "--command"),
    "mise exec": ("--",),
    "mise x": ("--",),
    "flox activate": ("--", "-c"),
    "guix shell": ("--",),
}
_ONLY_MARKED = frozenset(("nix develop", "nix shell", "nix-shell", "flox activate", "guix shell"))
# What some wrappers do themselves.
_OWN = {
    "rtk": names(
        """
        gain discover session read smart json deps log diff config cc-economics learn init
        rewrite verify telemetry hook-audit
        """
    ),
    "lando": names("start stop restart rebuild info list logs poweroff init destroy"),
    "sail": names("up down stop start restart build ps logs share test"),
    "lean-ctx": names("read grep ls tree init gain stats doctor config"),
}
# Options with a value between a program and its subcommand.
_VALUED_BEFORE = names(
    """
    -C -n -f -p -w -F -H --filter --prefix --cwd --dir --workspace --file --context --host
    --namespace --kubeconfig --directory --project --project-name --config
    """
)
_OPTIONS_MAX = 12
_WORDS_MAX = 3
_IMAGES = frozenset(("docker run", "podman run"))

_POWERSHELLS = frozenset(("powershell", "pwsh", "powershell.exe", "pwsh.exe"))
_GIVE_A_LINE = {"cmd": ("/c", "/k"), "lean-ctx": ("-c",)}
_LOOKS_UP = frozenset(("-v", "-V"))
_BLOCKS = frozenset(("measure-command", "invoke-command", "start-job", "foreach-object", "%", "&"))
_DEPTH_MAX = 4


def is_assignment(word: str) -> bool:
    """Whether it is a variable given in front of a program."""
    if "=" not in word:
        return False
    name = word.partition("=")[0]
    return name.replace("_", "a").isalnum() and not name[0].isdigit()


def unwrap(command: Command, depth: int = 0) -> list[Command]:
    """Return what a command runs: itself, or the commands that it wraps."""
    words = command.words
    if words and ("=" in words[0] or words[0][:1] == "$" or words[1:2] == ["{"]):
        command = _bare(command)
        words = command.words
    if depth < _DEPTH_MAX and words and not is_assignment(words[0]):
        script = _script(words)
        if script is not None:
            return _inner(command, script, depth)
        behind = _behind(words)
        if behind is not None:
            if len(behind) == 1 and " " in behind[0]:
                return _inner(command, behind[0], depth)
            within = _with(command, behind)
            passed = words[1 : len(words) - len(behind)]
            within.variables += tuple(word for word in passed if is_assignment(word))
            return unwrap(within, depth + 1)
        if len(words) > 1 and program(words[0]) in SHELLS and not words[1].startswith("-"):
            # A shell with a script's name runs it as if it were called itself.
            return [_with(command, words[1:])]
        if command.body and program(words[0]) in SHELLS:
            return _inner(command, command.body, depth)
    return [command]


def _bare(command: Command) -> Command:
    """Return a command without what stands before its program.

    Variables, and in PowerShell a name for the result, or what measures a block:
    `$x = npm test`, `Measure-Command { npm test }`.
    """
    words = command.words
    start = 0
    while start < len(words) and is_assignment(words[start]):
        start += 1
    if 0 < start < len(words):
        variables = tuple(words[:start])
        command = _with(command, words[start:])
        command.variables += variables
        return command
    if len(words) > 2 and words[0][:1] == "$" and words[1] == "=":
        words = words[2:]
    if len(words) > 2 and words[1] == "{" and words[0].lower() in _BLOCKS:
        words = [word for word in words[2:] if word != "}"] or words
    return command if words is command.words else _with(command, words)


@lru_cache(maxsize=4096)
def program(word: str) -> str:
    """Return a program's name without its folder and `.exe`, in lower case."""
    name = word.replace("\\", "/").rpartition("/")[2].lower()
    name = name.partition("@")[0] or name  # `npx eslint@9`
    return name.removesuffix(".exe").removesuffix(".cmd")


def _inner(command: Command, script: str, depth: int) -> list[Command]:
    found: list[Command] = []
    for inner in parse(script):
        found += unwrap(inner, depth + 1)
    if found:
        found[0].operator = command.operator
        found[-1].writes += command.writes
        for inner in found:
            inner.loop = inner.loop or command.loop
            inner.variables += command.variables
    return found


def _with(command: Command, words: list[str]) -> Command:
    return Command(
        words,
        command.operator,
        command.writes,
        command.body,
        command.nested,
        command.loop,
        command.variables,
    )


def _script(words: list[str]) -> str | None:
    """Return the script that a shell is given as an argument."""
    name = program(words[0])
    if name in SHELLS:
        for at, word in enumerate(words[1:4], 2):
            if word.startswith("-") and not word.startswith("--") and "c" in word:
                return words[at] if at < len(words) else None
            if not word.startswith("-"):
                return None
    elif name in _POWERSHELLS:
        for at, word in enumerate(words[1:], 2):
            if word.lower() in ("-command", "-c"):
                return " ".join(words[at:])
    elif name in _GIVE_A_LINE and len(words) > 2 and words[1].lower() in _GIVE_A_LINE[name]:
        return " ".join(words[2:])
    elif name == "eval":
        return " ".join(words[1:])
    return None


def _behind(words: list[str]) -> list[str] | None:
    """Return the command behind a wrapper; None where there is none."""
    key, at = _wrapper(words)
    if not key or (key in _OWN and _first_given(words) in _OWN[key]):
        return None
    if key in _MARKED:
        marks = (words.index(mark, at) + 1 for mark in _MARKED[key] if mark in words[at:])
        marked = next(marks, 0)
        if marked or key in _ONLY_MARKED:
            return words[marked:] if marked else None
    behind = _behind_options(words, key, at)
    if behind is None:
        return None
    if key in _PLACES:
        behind = _behind_place(words, behind, key)
    if key == "su" and "-c" in words:
        return words[-1:] if len(words) > 1 else None
    if words[behind : behind + 1] == ["."]:
        return None  # the package of this folder
    return words[behind:] or None


def _first_given(words: list[str]) -> str:
    """Return the first word behind a program's name that is no option."""
    return next((word for word in words[1:] if not word.startswith("-")), "")


def _behind_place(words: list[str], at: int, key: str) -> int:
    """Return where the command behind a place begins; the end of the words if there is none."""
    given = words[at + 1 : at + 2]
    if given == ["--"] or (given == ["-c"] and key not in _IMAGES):
        return at + 2
    if given and given[0].startswith("-") and key in _IMAGES:
        return len(words)  # given to the program that the image runs
    return at + 1


def _wrapper(words: list[str]) -> tuple[str, int]:
    """Return a wrapper's name and how many words it takes; options may stand between them."""
    name = program(words[0])
    if name not in _FIRST_WORDS:
        return "", 0
    options = any(word.startswith("-") for word in words[1:3])
    ends = _subcommands(words) if options else [1, 2, 3]
    for length in range(min(len(ends), len(words)), 0, -1):
        end = ends[length - 1]
        key = " ".join([name, *(words[at - 1] for at in ends[1:length])])
        if end <= len(words) and _WRAPPERS.get(key) == length:
            return key, end
    return "", 0


def _subcommands(words: list[str]) -> list[int]:
    """Return where the first words end that are no options, the program's name among them."""
    ends = [1]
    at = 1
    while at < min(len(words), _OPTIONS_MAX) and len(ends) < _WORDS_MAX:
        if words[at].startswith("-"):
            at += 2 if words[at] in _VALUED_BEFORE else 1
        else:
            at += 1
            ends.append(at)
    return ends


def _behind_options(words: list[str], key: str, at: int) -> int | None:
    """Return where the options of a wrapper end; None if it looks a program up only."""
    flags = _FLAGS.get(key, frozenset())
    while at < len(words):
        word = words[at]
        if word == "--":
            return at + 1
        if key == "command" and word in _LOOKS_UP:
            return None
        if word.startswith("-"):
            at += 2 if word in _VALUED and word not in flags else 1
        elif is_assignment(word):
            at += 1
        else:
            break
    return at
