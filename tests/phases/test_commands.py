from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.phases import Purposes
from m31a_metrics.phases.uses import Use

PURPOSES = Purposes()

USES = {
    Use.EXPLORE: """
        cat src/app.py
        sed -n '1,80p' src/app.py
        git log --oneline -5
        git branch --show-current
        git tag --points-at HEAD
        git stash list
        git config --get user.name
        git diff --stat
        git diff main..HEAD
        find . -name '*.py' | head
        curl -sL https://example.org/a.txt
        gh api repos/a/b/contents/c
        gh pr list --state open
        npm ls react
        pip show requests
        docker compose logs web
        kubectl get pods
        aws s3 ls
        gcloud run services list
        cargo --help
        python --version
        awk '{print $1}' file | sort | uniq -c
        cat a.json | python3 -c 'import json,sys; print(json.load(sys.stdin))'
        python3 -c "import json; print(json.load(open('a.json'))['b'])"
        mkdir -p /tmp/x && gh repo view > /tmp/x/log && wc -l /tmp/x/log
        Get-Content a.txt | Select-Object -First 5
        perl -ne 'print if /x/' file
        tar tzf a.tgz
    """,
    Use.SEARCH: "rg -n TODO src; grep -rn x . | head; git grep x",
    Use.DIFF: "git diff; git diff -- src/app.py | head -50",
    Use.EXECUTE: """
        sed -i 's/a/b/' src/app.py
        perl -pi -e 's/a/b/' x
        npm install
        uv add requests
        cat > src/a.py <<E
        echo x >> README.md
        rm -rf dist && rg -n dist .
        git checkout -b fix
        git push origin :old
        git push --delete origin old
        npx prettier --write .
        npm run lint:fix
        make fmt
        ruff format .
        ruff check --fix .
        npx eslint --fix src
        find . -name '*.pyc' -delete
        python manage.py migrate
        docker compose up -d
        python3 - <<'E'\\nopen('a','w').write('b')\\nE
        curl -fsSL https://example.org/i.sh | sh
        sqlite3 a.db 'DELETE FROM t'
        git mv a b && git add b
        Set-Content a.txt x
        gofmt -w .
        npm run generate:types
        npm audit fix
        npx create-next-app x
        git fetch && git merge origin/main
    """,
    Use.VERIFY: """
        pytest -q
        python -m pytest tests
        uv run pytest 2>&1 | tail -5
        cd app && FOO=1 npm test
        npm run test:unit -- --watch=false
        pnpm --filter web typecheck
        yarn lint
        make check
        just test-all
        mise run lint
        cargo clippy -- -D warnings
        go test ./... && echo ok
        make -j8 all
        php -l src/a.php
        node --test
        node --check a.js
        hatch run test
        tox -e py311
        yarn workspace web build
        npx github-actionlint@latest .github/workflows/release.yml
        gh run rerun 5 --failed
        go build ./...
        ./gradlew test
        mvn -q verify
        npx tsc --noEmit
        npx prettier --check .
        gofmt -l .
        git diff --check
        git push --dry-run origin main
        git stash && go test ./...
        sed -i 's/a/b/' x && pytest
        npm run fmt && npm run lint
        docker compose exec web pytest
        bash -n deploy.sh
        python test_app.py
        node scripts/release.js --dry-run
        jq empty a.json
        gh pr checks 5 --watch
        gh run watch 5 --exit-status
        dotnet test
        bundle exec rspec
        php artisan test
        python manage.py test
        vendor/bin/phpunit
        git add -A && npx lint-staged
        terraform plan
        biome check --write x && biome check x
        mix test
        swift test
        bun test a.test.ts
    """,
    Use.RUN: """
        python app.py
        ./bin/tool sync
        npm run dev
        cargo run -- --x
        go run .
        curl -s localhost:3000/health
        curl -X POST https://api.example.org -d x
        node -e 'console.log(require("./x")())'
        cd /tmp/t && git init && git commit -m x && /tmp/tool reset
        agent-browser open http://localhost:3000
        scripts/demo.sh
        python -m mypackage
    """,
    Use.HELP: "node dist/cli.js --help; ./bin/tool sync -h; python app.py --version",
    Use.ASK: "entire status; claude -p hello; sqlite3 a.db 'select 1'; frobnicate config list",
    Use.MAKE: "go build -o bin/x .; docker build -t x .",
    Use.STATE: """
        gh run list --limit 3
        gh pr view 5
        npm view pkg version
        fly logs
        gh api repos/a/b/actions/runs
        gh api repos/a/b/runs/5 --jq .conclusion
    """,
    Use.LOG: "gh run view 5 --log-failed; gh api repos/a/b/actions/jobs/1/logs",
    Use.SHIP: """
        git add -A
        git commit -m 'fix (a)'
        git push
        npm test && git commit -m x
        git add a && git diff --cached --stat
        gh pr create --fill
        gh pr merge 5 --squash
        gh api -X POST repos/a/b/pulls/1/comments/2/replies -f body=x
        npm publish
        make deploy
        ./scripts/deploy.sh prod
        vercel --prod
        aws s3 sync dist s3://b
        git tag v1.2.0
        git rebase --continue
    """,
    Use.PLAN: "bd create --title x; bd close x-1",
    Use.OTHER: "pkill -f vite; tmux kill-session -t w; gh issue create -t x",
    Use.POLL: """
        tmux capture-pane -p -t w
        tmux list-windows -a
        workmux status
        workmux capture a -n 80
        wezterm cli get-text --pane-id 3
        zellij action dump-screen /tmp/screen.txt
        screen -ls
    """,
    Use.WAIT: """
        sleep 60
        sleep 30; tail -5 /tmp/x.log
        until grep -q done /tmp/x.log; do sleep 2; done
        for i in 1 2 3; do curl -s localhost:1; sleep 3; done
    """,
    Use.SCRATCH: "rm -rf /tmp/x; echo a > /tmp/b; t=$(mktemp -d) && cp a $t/b",
    Use.NEUTRAL: "cd src; echo hello; export A=1; true",
}


def lines() -> list[tuple[Use, str]]:
    found = []
    for use, text in USES.items():
        each = text.split("\n") if "\n" in text else text.split("; ")
        found += [(use, line.strip().replace("\\n", "\n")) for line in each if line.strip()]
    return found


@pytest.mark.parametrize(("use", "text"), lines())
def test_commands_have_their_use(use: Use, text: str) -> None:
    """A command takes the use of the part that it was run for, behind whatever wraps it."""
    assert PURPOSES.of(text).use is use


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cd a && npm run test:unit", ["npm test:unit"]),
        ("go vet ./... && go test ./...", ["go vet", "go test"]),
        ("uv run pytest -k secret_name", ["pytest"]),
        ("bun -e 'my secret code'", ["bun"]),
        ("./my-tool --flag value", ["my-tool"]),
    ],
)
def test_checks_are_named_by_programs(text: str, names: list[str]) -> None:
    """A check's name is that of the program and its target, and nothing that anybody wrote."""
    assert [check.name for check in PURPOSES.of(text).checks] == names


@pytest.mark.parametrize(
    ("text", "hides"),
    [
        ("npm test", False),
        ("npm test && echo ok", False),
        ("npm test | tail -5", True),
        ("npm test || true", True),
        ("npm test; echo $?", True),
        ("npm test; test $? -ne 0", False),
    ],
)
def test_hidden_exit_codes_are_known(text: str, hides: bool) -> None:
    """A pipe or a list behind a check hides how it went, unless the command asks itself."""
    assert PURPOSES.of(text).hides is hides


WORDS = """
git add commit push diff merge bisect gh pr run view npm test build python -c -m pytest make
cd /tmp/x $x x=$(mktemp) bash -lc sudo timeout 5 sed -i tee > out.txt >> << E | && || ; & ( )
$( ` " ' sleep while do done for in if fi docker compose exec kubectl apply rm -rf - -- --fix
aws tmux send-keys { } = : . [ ]] \n xargs find -exec node bun jq empty
"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=15).map(" ".join))
def test_any_command_has_a_use(text: str) -> None:
    """Whatever words a command is made of, in whatever order, it is read without an error."""
    purpose = PURPOSES.of(text)
    assert purpose.use in Use
    assert Purposes({"npm": "ship"}).of(text).use in Use


def test_configured_programs_go_first() -> None:
    """A program, or a program and its target, is what the configuration says it is for."""
    purposes = Purposes({"Seedlings": "execute", "just preview": "verify", "pytest": "explore"})
    assert purposes.of("./bin/seedlings --all").use is Use.EXECUTE
    assert purposes.of("just preview").use is Use.VERIFY
    assert purposes.of("uv run pytest -q").use is Use.EXPLORE
    assert purposes.of("just test").use is Use.VERIFY


def test_what_changes_and_checks_says_both() -> None:
    """A change in front of a check is known, for healing may be one command."""
    purpose = PURPOSES.of("sed -i 's/a/b/' x && go test ./...")
    assert purpose.use is Use.VERIFY
    assert purpose.changes


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("npm --password hunterTwoCorrect test", "npm test"),
        ("make --token sesame-open-now deploy", "make deploy"),
        ("npm run hf_QwErTyUiOpAsDfGhJkLz", "npm"),
        ("PGPASSWORD=hunterTwo psql -c 'select 1'", "psql"),
        ("mysql -pS3cretPass shop", "mysql"),
        ("npm run test:unit", "npm test:unit"),
        ("just e2e", "just e2e"),
    ],
)
def test_the_name_of_what_was_run_holds_no_secret(command: str, name: str) -> None:
    """Values of options that speak of secrets, and what looks drawn by chance, name nothing."""
    purpose = PURPOSES.of(command)
    assert purpose.name == name
    assert all(check.name == name for check in purpose.checks)
