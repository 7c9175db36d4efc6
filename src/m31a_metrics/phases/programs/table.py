"""What programs are for: the table that decides most phases.

Programs that are for one thing whatever they are told, by use. Those that do one thing or
another by their subcommand are in `subcommands`. A configuration adds to both, or overrules
them (`[metrics.phases]`).
"""

from __future__ import annotations

from m31a_metrics.phases.programs.subcommands import SUBCOMMANDS
from m31a_metrics.phases.uses import Use, names

_PROGRAMS: dict[Use, str] = {
    Use.NEUTRAL: """
        cd pushd popd echo printf print export set unset source . true false : test [ [[ exit
        return local declare readonly typeset shift trap ulimit umask alias eval read let
        shopt setopt tee clear break continue date hash tput stty write-host write-output
        test-path set-location push-location pop-location join-path split-path out-null out-string
        tee-object
        start-transcript setlocal chcp jobs disown fg bg mktemp seq yes basename dirname realpath
        login git-lfs
    """,
    Use.EXPLORE: """
        ls ll la dir tree cat bat head tail less more nl tac wc file stat du df find fd fdfind
        locate which where whereis type command whoami id hostname uname uptime env printenv pwd
        sed awk gawk sort uniq cut tr column paste join comm rev fold fmt jq yq xq gron hexdump
        xxd od strings readelf nm objdump otool ldd ps pgrep top htop lsof netstat ss ifconfig ip
        ping dig nslookup host traceroute man info tldr help apropos history curl wget http https
        xh diff cmp sdiff colordiff delta md5sum sha1sum sha256sum shasum base64 openssl cksum
        iconv unzip zipinfo tokei cloc scc ctags ast-grep sg ack-grep zcat zless bzcat xmllint
        get-content get-childitem get-item get-command get-process get-service get-location
        get-help get-member get-itemproperty get-itempropertyvalue resolve-path select-object
        where-object foreach-object format-table format-list measure-object sort-object
        group-object convertfrom-json convertto-json compare-object invoke-webrequest
        invoke-restmethod get-filehash get-date get-variable get-module gci gc gi cat.exe
        systeminfo tasklist ver vol fc lscpu lsblk free vmstat iostat nvidia-smi journalctl dmesg
        xcrun xcode-select mdfind mdls plutil repomix code2prompt pdftotext pandoc exiftool
        identify ffprobe mediainfo pipdeptree rustup apt-cache dpkg dpkg-query rpm stern k9s
        c++filt fzf sw_vers mount col readlink compgen locale getent sysctl nproc vm_stat lipo
        eza exa tree-sitter difft ansible-inventory redis-cli serena deepwiki context7
    """,
    Use.SEARCH: "grep egrep fgrep zgrep rg ripgrep ag ack ugrep select-string findstr",
    Use.PLAN: "task-master taskmaster todo todo.sh todoist backlog tk",
    Use.EXECUTE: """
        apply_patch rm rmdir mv cp ln mkdir touch chmod chown
        install rsync scp dd truncate patch unlink shred
        del erase copy xcopy robocopy move ren rename md rd mklink attrib icacls set-content
        add-content out-file new-item remove-item copy-item move-item rename-item set-itemproperty
        clear-content expand-archive compress-archive install-module set-executionpolicy tar zip
        gzip gunzip bunzip2 7z unrar ed ex sponge gofmt goimports gofumpt rustfmt prettier black
        isort autopep8 yapf autoflake pyupgrade clang-format shfmt stylua dos2unix unix2dos
        codemod jscodeshift comby sd pint php-cs-fixer swiftformat golines sort-package-json svgr
        xattr codesign bzip2 xz zstd
        yarn mamba pipx virtualenv venv pip-compile pip-sync ensurepip
        bundle pod carthage sdk nvm fnm volta asdf pyenv rbenv apt-get apk yum dnf pacman snap
        choco winget scoop nix-env port corepack n colima systemctl service launchctl crontab
        update-alternatives ssh-keygen ssh-add gpg useradd usermod alembic drizzle-kit knex
        sequelize typeorm flyway liquibase diesel dbmate createdb dropdb mysqldump protoc
        graphql-codegen openapi-generator openapi-generator-cli openapi-typescript minikube kind
        swagger-codegen sqlc wire mockgen
        mockery stringer genqlient orval kubebuilder controller-gen yo django-admin cookiecutter
        copier degit shadcn shadcn-ui husky changeset lefthook ffmpeg convert magick sips svgo
        pngquant inkscape huggingface-cli rector ormolu fourmolu ocamlformat stylish-haskell
        elm-format nixfmt alejandra treefmt oxfmt dprint sqlfmt mdformat docformatter ktfmt
        google-java-format scalafmt csharpier buildifier perltidy cmake-format nixos-rebuild
        darwin-rebuild home-manager
    """,
    Use.VERIFY: """
        pytest py.test unittest nose2 tox nox jest vitest mocha ava tap tape jasmine karma cypress
        rspec minitest phpunit pest ctest gtest bats shellspec busted prove xctest xcodebuild
        gotestsum ginkgo richgo cucumber behave robot locust k6 ab wrk hey hyperfine playwright
        puppeteer storybook-test test-storybook testcafe nightwatch wdio percy chromatic mypy
        pyright basedpyright pyre pytype ty ruff flake8 pylint pycodestyle pydocstyle bandit
        vulture radon safety pip-audit lint-imports import-linter deptry codespell yamllint
        sqlfluff eslint oxlint tslint standard xo biome stylelint htmlhint tsc vue-tsc
        svelte-check tsd markdownlint markdownlint-cli2 markdownlint-cli remark vale textlint
        cspell alex write-good lychee linkinator markdown-link-check knip depcheck madge jscpd
        ls-lint coderabbit roborev publint attw commitlint golangci-lint staticcheck govulncheck
        revive errcheck
        gosec nilaway rustc clippy-driver shellcheck hadolint actionlint checkov tflint tfsec
        trivy semgrep snyk gitleaks trufflehog ansible-lint kubeval kubeconform protolint rubocop
        standardrb brakeman sorbet srb reek phpstan phpcs swiftlint ktlint detekt
        checkstyle spotbugs pmd clang-tidy cppcheck iwyu credo dialyzer mvn gradle gradlew mvnw
        ant sbt buck2 ninja cmake meson javac kotlinc gcc g++ clang clang++ ghc msbuild compileall
        pre-commit prek lint-staged coverage codecov pytest-cov rollup webpack esbuild tsup parcel
        rspack turbopack lighthouse axe pa11y newman dredd schemathesis promtool amtool jsonlint
        ajv check-jsonschema taplo check-manifest validate-pyproject hypothesis mutmut cosmic-ray
        sphinx-build hugo typos-cli typos reuse zizmor
        solhint pg_prove invoke-pester latexmk pdflatex xelatex lualatex quarto verilator iverilog
        tsgo size-limit ts-prune unimported eslint_d flow osv-scanner grype codeql sonar-scanner
        luacheck act great_expectations bru pyrefly zuban interrogate refurb djlint erb_lint
        haml-lint deptrac infection ecs psalm phan kube-linter kube-score conftest terrascan
        statix deadnix weeder bundle-audit
        nimble slither platformio pio idf.py arduino-cli
    """,
    Use.RUN: """
        python python3 python2 py pypy ipython node nodejs bun tsx ts-node ruby irb perl php lua
        luajit java scala kotlin groovy julia r rscript octave elixir iex erl escript racket swift
        manage.py artisan uvicorn gunicorn flask streamlit hypercorn daphne celery fastapi
        http-server serve live-server vite next nuxt astro remix webpack-dev-server nodemon pm2
        electron expo react-native tauri chromium google-chrome chrome firefox emulator xdotool
        expect osascript open xdg-open start screencapture scrot import websocat grpcurl nc telnet
        socat zsh fish dash ash ksh invoke-expression start-process act asciinema
        script strace ltrace gdb lldb valgrind perf dlv
    """,
    Use.ASK: """
        goose sqlite3 psql mysql mariadb mongosh mongo duckdb cqlsh clickhouse-client claude codex
        gemini opencode aider copilot amp cursor-agent qwen crush llm ollama
    """,
    Use.SHIP: """
        hub twine ansible-playbook vercel netlify fly flyctl wrangler heroku railway render surge
        cdk serverless sls amplify semantic-release release-it standard-version goreleaser np
        bumpversion bump2version cap capistrano git-town spr ghstack fastlane
    """,
    Use.OTHER: """
        kill pkill killall taskkill stop-process fkill caffeinate notify-send say afplay
        terminal-notifier logger remember code subl zed idea pycharm webstorm
    """,
    Use.WAIT: "wait sleep start-sleep wait-process wait-job usleep",
}

USES: dict[str, Use] = {name: use for use, text in _PROGRAMS.items() for name in text.split()} | {
    f"{program} {name.replace('_', ' ')}": use
    for program, by_use in SUBCOMMANDS.items()
    for use, text in by_use.items()
    for name in text.split()
}
"""Program, or program and subcommand, in lower case -> what it is used for."""

INTERPRETERS = names(
    """
    python python3 python2 py pypy node nodejs bun deno ruby perl php lua tsx ts-node
    rscript pwsh julia elixir
    """
)
"""Programs that run the script or the text that they are given."""

CLOUDS = frozenset(("aws", "gcloud", "az", "doctl", "oci", "ibmcloud"))
"""Clients of clouds: a verb somewhere among their arguments says what they are for."""

WORKERS = names(
    """
    tmux zellij screen workmux wm claude-squad cs uzi ntm dmux ccmanager container-use cu
    aoe agent-deck crystal vibe-kanban gastown conductor overmind claude-flow swarm
    agent-mail overstory byobu tmuxinator dtach abduco zmx wezterm kitty herdr amux multiclaude
    agentapi mux par
    """
)
"""Programs that other agents are led with, or the terminals that they work in."""

AGENTS = names(
    """
    claude codex gemini opencode aider copilot amp cursor-agent qwen crush llm goose droid auggie
    """
)
"""Agents that are given work in a prompt."""

TERMINALS = frozenset(("tmux", "screen", "zellij", "byobu", "wezterm", "kitty"))
"""Programs that others run in; they may be agents, or what is tried."""

RUNNERS = names(
    """
    npm pnpm yarn bun make gmake just task mise rake invoke inv nox tox hatch poe pdm rye
    composer gulp grunt nx turbo lerna moon earthly deno mage pants bazel wireit vp vlt
    ./x.py x.py gradle gradlew mvn mvnw ant sbt mix lein cargo go dotnet swift zig ng
    artisan rails cmake ninja pixi hatch taskfile devbox lefthook npm-run-all concurrently
    run-s run-p script script/ makefile doit fab waf scons meson buck2 tilt skaffold fastlane
    mill melos rebar3
    """
)
"""Programs that run something by its name, which tells what it is for."""

VALUED = {
    "git": frozenset(("-C", "-c", "--git-dir", "--work-tree", "--namespace")),
    "gh": frozenset(("-R", "--repo")),
    "docker": frozenset(("--context", "-H", "--host", "-f", "--file", "-p", "--project-name")),
    "docker-compose": frozenset(("-f", "--file", "-p", "--project-name")),
    "kubectl": frozenset(("-n", "--namespace", "--context", "--kubeconfig")),
    "helm": frozenset(("-n", "--namespace")),
    "npm": frozenset(("--prefix", "-w", "--workspace", "-C")),
    "pnpm": frozenset(("--filter", "-F", "-C", "--dir")),
    "yarn": frozenset(("--cwd", "workspace")),
    "bun": frozenset(("--cwd", "--filter")),
    "make": frozenset(("-C", "-f", "-j", "--directory", "--file")),
    "go": frozenset(("-C",)),
    "cargo": frozenset(("--manifest-path", "-p", "--package", "--color", "-C")),
    "just": frozenset(("-f", "--justfile", "-d", "--working-directory")),
    "task": frozenset(("-d", "--dir", "-t", "--taskfile")),
    "mise": frozenset(("-C", "--cd")),
    "mvn": frozenset(("-f", "-pl", "-P", "-s")),
    "mvnw": frozenset(("-f", "-pl", "-P", "-s")),
    "gradle": frozenset(("-p", "-b")),
    "gradlew": frozenset(("-p", "-b")),
    "uv": frozenset(("--directory", "--project", "-p", "--python")),
    "poetry": frozenset(("-C", "--directory")),
    "nx": frozenset(("--project",)),
    "turbo": frozenset(("--filter", "-F")),
    "terraform": frozenset(),
    "tmux": frozenset(("-L", "-S", "-f")),
}
"""Options before a subcommand that take a value."""
