"""Names that everybody has: programs, exceptions without the usual endings, rules, codes."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PROGRAMS = _names(
    """
    <n>z ack actionlint addr<n>line air ansible ansible-playbook apt apt-get ar aria<n>c as
    astro awk aws az babel bandit base<n> basename bash bat bats bazel bc bd behave biome black
    bosh brew buf buildah bun bundle bundler bunx bzip<n> c++ cabal caddy cargo cat cc cd
    certbot chgrp chmod chown chroot chsh circleci clang clang-format clang-tidy claude clear
    clippy-driver cmake cmp code codesign codex comm command composer conda convert copilot
    corepack coverage cp cpio crontab csc csh csplit ctest curl cut cypress dash date dbt dd
    deno detekt df diff dig dir dircolors dirname django-admin dmesg docker docker-compose
    dotnet dpkg du echo ed egrep elixir emacs env erl esbuild eslint ex exec expand expect
    export expr fd fdfind ffmpeg ffprobe fg fgrep file find fish flake<n> flask flutter flyctl
    fmt fold free fswatch fzf g++ gawk gcc gcloud gdb gem gemini getent gh ghc git git-lfs
    gitleaks glab go gofmt gofumpt goimports golangci-lint gpg gradle gradlew gradlew.bat grep
    groovy groups gsutil gulp gunicorn gunzip gzip hadolint head helm heroku hexdump hg host
    hostname htop http httpie hugo hyperfine iconv id ifconfig install iostat ip isort jar java
    javac jest jobs jq julia jupyter just k<n> k<n>s kill killall kind kotlin kotlinc ktlint
    kubectl kustomize last ld ldd lefthook less lint-staged ln local locate logger ls lsblk
    lscpu lsd lsof lua luac m<n> make mamba man mapfile markdownlint markdownlint-cli<n> maven
    mc md<n> md<n>sum meson minikube mise mix mkdir mkfifo mktemp mocha modprobe mongo mongod
    mongosh more mount mtr mv mvn mvnw mypy mysql mysqladmin mysqldump nano nc ncat neofetch
    netlify netstat next nginx nice ninja nl nm nmap node nodemon nohup nosetests notify-send
    nox npm npx nslookup nuget nuxt nvim nvm nx objdump od opencode openssl osascript oxlint
    pacman pandoc parallel paste patch pbcopy pbpaste pdm perl pg_dump pg_restore pgrep php
    phpcs phpstan phpunit pi pidof ping pip pip<n> pipenv pipx pkg pkill playwright pm<n> pnpm
    podman poetry popd pre-commit prettier printenv printf prisma ps psql pulumi pushd pwd pwsh
    pyenv pylint pyright pytest python python<n> qwen r rails rake ranger rbenv read readelf
    readlink realpath redis-cli redis-server rename rg rm rmdir robocopy rollup rspec rsync
    rubocop ruby ruff run-parts rustc rustfmt rustup sass sbt scala scp screen script sed seq
    serverless service set sftp sh sha<n>sum shasum shellcheck shfmt shred shuf sleep snap snyk
    sort source split sqlite<n> ss ssh ssh-add ssh-agent ssh-copy-id ssh-keygen sshd stack stat
    staticcheck strace strings strip stylelint su sudo supabase svn swift swiftlint systemctl
    tac tail tailscale tar tcpdump tee telnet terraform terragrunt test tidy time timeout tmux
    tofu top touch tox tr traceroute tree trivy true truncate ts-node tsc tsgo tslint tsserver
    tsx tty turbo ty type ulimit umask umount uname unexpand uniq unlink unset unxz unzip uv
    uvicorn uvx vagrant vale valgrind vault vercel vi vim vite vitest vue-tsc w watch watchman
    wc webpack wget whereis which who whoami wrangler xargs xcodebuild xcrun xxd xz yamllint
    yarn yq zcat zip zsh
    """
)
"""Well-known programs: of another one that is not found, or complains, the name is not kept.

Their digits are folded, as in a normal form.
"""

WORDS = PROGRAMS | _names(
    """
    agent all bash-output build bundle check ci clean compile coverage deploy dev docs e<n>e edit
    fmt format generate glob grep help install integration kill-shell lint ls multi-edit
    notebook-edit package read release run setup skill start task test tests todo-write
    typecheck unit validate verify vet watch web-fetch web-search write

    access chdir chmod chown close connect copyfile fchmod fdatasync fstat fsync ftruncate futime
    getaddrinfo lchown link listen lstat lutime mkdir mkdtemp open opendir posix_spawn read readdir
    readlink realpath rename rm rmdir scandir send spawn stat statfs symlink unlink utime uv_cwd
    watch write
    """
)
"""What may stand in a message where a program, a tool, a task or a system call is named."""

CLASSES = _names(
    """
    Abort AssertionFailedError BadGateway BadRequest BudgetExceeded CalledProcessError Deadlock
    DoesNotExist Empty Exit Forbidden Full GeneratorExit Http404 HttpError InternalServerError
    InvalidOperation KeyboardInterrupt MultipleObjectsReturned NoReverseMatch NotFound
    ObjectDoesNotExist OutOfMemoryError PermissionDenied Skipped StackOverflowError
    StopAsyncIteration StopIteration SystemExit Timeout TimeoutExpired TooManyRedirects
    Unauthorized
    """
)
"""Exceptions whose names do not end as most do."""

PACKAGES = _names(
    """
    aiohttp anthropic asyncio binascii botocore builtins celery click concurrent cryptography
    ctypes django fastapi flask google grpc httpcore httpx java javax jinja json jsonschema jwt
    kotlin kubernetes lxml msgspec multiprocessing mysql numpy openai pandas paramiko
    playwright psycopg pydantic pydantic_core pymongo pymysql pytest redis requests
    rest_framework scala selenium socket sqlalchemy sqlite ssl starlette struct subprocess System
    tensorflow tomllib torch transformers unittest urllib yaml zlib zoneinfo
    """
)
"""Packages whose exceptions are shown with where they are from."""

PLUGINS = _names(
    """
    @angular-eslint @next/next @stylistic @typescript-eslint @vue cypress eslint-comments import
    import-x jest jest-dom jsdoc jsx-a11y mocha n node perfectionist playwright prettier promise
    react react-hooks react-native react-refresh regexp security simple-import-sort solid sonarjs
    storybook svelte tailwindcss testing-library unicorn unused-imports vitest vue
    """
)
"""Plugins of ESLint: whatever they call their rules is a rule's name."""

RULES = _names(
    """
    accessor-pairs array-callback-return arrow-body-style block-scoped-var camelcase
    capitalized-comments class-methods-use-this complexity consistent-return consistent-this
    constructor-super curly default-case default-case-last default-param-last dot-notation eqeqeq
    for-direction func-name-matching func-names func-style getter-return grouped-accessor-pairs
    guard-for-in id-denylist id-length id-match init-declarations logical-assignment-operators
    max-classes-per-file max-depth max-lines max-lines-per-function max-nested-callbacks
    max-params max-statements new-cap no-alert no-array-constructor no-async-promise-executor
    no-await-in-loop no-bitwise no-caller no-case-declarations no-class-assign no-compare-neg-zero
    no-cond-assign no-console no-const-assign no-constant-binary-expression no-constant-condition
    no-constructor-return no-continue no-control-regex no-debugger no-delete-var no-div-regex
    no-dupe-args no-dupe-class-members no-dupe-else-if no-dupe-keys no-duplicate-case
    no-duplicate-imports no-else-return no-empty no-empty-character-class no-empty-function
    no-empty-pattern no-empty-static-block no-eq-null no-eval no-ex-assign no-extend-native
    no-extra-bind no-extra-boolean-cast no-extra-label no-extra-semi no-fallthrough
    no-func-assign no-global-assign no-implicit-coercion no-implicit-globals no-implied-eval
    no-import-assign no-inline-comments no-inner-declarations no-invalid-regexp no-invalid-this
    no-irregular-whitespace no-iterator no-label-var no-labels no-lone-blocks no-lonely-if
    no-loop-func no-loss-of-precision no-magic-numbers no-misleading-character-class
    no-mixed-spaces-and-tabs no-multi-assign no-multi-str no-negated-condition no-nested-ternary
    no-new no-new-func no-new-native-nonconstructor no-new-wrappers no-nonoctal-decimal-escape
    no-obj-calls no-object-constructor no-octal no-octal-escape no-param-reassign no-plusplus
    no-promise-executor-return no-proto no-prototype-builtins no-redeclare no-regex-spaces
    no-restricted-exports no-restricted-globals no-restricted-imports no-restricted-properties
    no-restricted-syntax no-return-assign no-script-url no-self-assign no-self-compare
    no-sequences no-setter-return no-shadow no-shadow-restricted-names no-sparse-arrays
    no-template-curly-in-string no-ternary no-this-before-super no-throw-literal no-undef
    no-undef-init no-undefined no-underscore-dangle no-unexpected-multiline
    no-unmodified-loop-condition no-unneeded-ternary no-unreachable no-unreachable-loop
    no-unsafe-finally no-unsafe-negation no-unsafe-optional-chaining no-unused-expressions
    no-unused-labels no-unused-private-class-members no-unused-vars no-use-before-define
    no-useless-assignment no-useless-backreference no-useless-call no-useless-catch
    no-useless-computed-key no-useless-concat no-useless-constructor no-useless-escape
    no-useless-rename no-useless-return no-var no-void no-warning-comments no-with
    object-shorthand one-var operator-assignment prefer-arrow-callback prefer-const
    prefer-destructuring prefer-exponentiation-operator prefer-named-capture-group
    prefer-numeric-literals prefer-object-has-own prefer-object-spread prefer-promise-reject-errors
    prefer-regex-literals prefer-rest-params prefer-spread prefer-template preserve-caught-error
    radix require-atomic-updates require-await require-unicode-regexp require-yield sort-imports
    sort-keys sort-vars symbol-description unicode-bom use-isnan valid-typeof vars-on-top yoda

    abstract annotation-unchecked arg-type assert-type assignment attr-defined await-not-async
    call-arg call-overload comparison-overlap dict-item empty-body exit-return func-returns-value
    has-type ignore-without-code import-not-found import-untyped index list-item literal-required
    method-assign method-type misc name-defined name-match narrowed-type-not-subtype
    no-any-return no-any-unimported no-overload-impl no-redef no-untyped-call no-untyped-def
    operator overload-cannot-match overload-overlap override prop-decorator redundant-cast
    redundant-expr redundant-self return return-value safe-super str-bytes-safe str-format
    syntax top-level-await truthy-bool truthy-function type-abstract type-arg type-var
    typeddict-item typeddict-readonly-mutated typeddict-unknown-key union-attr unimported-reveal
    unreachable unused-awaitable unused-coroutine unused-ignore used-before-def valid-type
    var-annotated

    asciicheck bidichk bodyclose containedctx contextcheck copyloopvar cyclop deadcode depguard
    dogsled dupl dupword durationcheck err113 errcheck errchkjson errname errorlint exhaustive
    exhaustruct exportloopref fatcontext forbidigo forcetypeassert funlen gci ginkgolinter
    gocheckcompilerdirectives gochecknoglobals gochecknoinits gocognit goconst gocritic gocyclo
    godot godox gofmt gofumpt goheader goimports golint gomoddirectives gomodguard goprintffuncname
    gosec gosimple gosmopolitan govet grouper iface ineffassign interfacebloat intrange ireturn lll
    loggercheck maintidx makezero mirror misspell mnd musttag nakedret nestif nilerr nilnil
    nlreturn noctx nolintlint nonamedreturns nosprintfhostport paralleltest perfsprint prealloc
    predeclared promlinter protogetter reassign recvcheck revive rowserrcheck sloglint
    spancheck sqlclosecheck staticcheck structcheck stylecheck tagalign tagliatelle testableexamples
    testifylint testpackage thelper tparallel typecheck unconvert unparam unused usestdlibvars
    usetesting varcheck varnamelen wastedassign whitespace wrapcheck wsl
    """
)
"""Rules of ESLint, kinds of mypy's findings, linters of golangci-lint."""

STATUSES = _names(
    """
    400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 421 422 423 424 426
    428 429 431 451 500 501 502 503 504 505 507 508 511 520 521 522 524 529
    """
)
"""What servers of the web answer where something failed."""
