from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.phases.shell import parse, unwrap
from m31a_metrics.phases.shell.grammar import BOUND


def words(text: str) -> list[list[str]]:
    return [command.words for command in parse(text)]


def run(text: str) -> list[list[str]]:
    return [inner.words for command in parse(text) for inner in unwrap(command)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls -la src", [["ls", "-la", "src"]]),
        ("a && b || c; d | e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("echo 'a b' \"c d\" e\\ f", [["echo", "a b", "c d", "e f"]]),
        ("npm test 2>&1 | tail -5", [["npm", "test"], ["tail", "-5"]]),
        ("if [ -f a ]; then rm a; fi", [["[", "-f", "a", "]"], ["rm", "a"]]),
        ("for f in a b; do cat $f; done", [["cat", "$f"]]),
        ("(cd x && make) && y", [["cd", "x"], ["make"], ["y"]]),
        ("a # b && c\nd", [["a"], ["d"]]),
        ("x=$(node -p 1)", [["node", "-p", "1"], ["x=$()"]]),
        (
            'git commit -m "$(cat <<\'E\'\na "b" (c)\nE\n)" && push',
            [["cat"], ["git", "commit", "-m", "$()"], ["push"]],
        ),
        ("a \\\n  b", [["a", "b"]]),
        ("echo $((1 + (2)))", [["echo"]]),
        ("a <<< 'b' && c", [["a", "b"], ["c"]]),
    ],
)
def test_takes_commands_apart(text: str, expected: list[list[str]]) -> None:
    """Quotes, lists, pipes, loops, substitutions and comments give the simple commands."""
    found = words(text)
    assert found == expected or (text.startswith("echo $((") and found[0][0] == "echo")


def test_here_documents_belong_to_their_command() -> None:
    """A body is no command, and the commands behind it are."""
    first, second = parse("cat > a.py <<'EOF'\nrm -rf /\nEOF\npython a.py")
    assert first.words == ["cat"]
    assert first.writes == ("a.py",)
    assert first.body == "rm -rf /\n"
    assert second.words == ["python", "a.py"]


@pytest.mark.parametrize(
    "text",
    [
        "cat > notes.md <<\\END\n$(rm -rf /) && push\nEND\nmake",
        "cat > notes.md <<'END OF NOTES'\nrun it; push\nEND OF NOTES\nmake",
        "cat > notes.md <<-END\n\tit's (open\n\tEND\nmake",
        "cat > notes.md <<END\n" + "a line of a long body\n" * 1_000 + "END\nmake",
    ],
)
def test_no_word_of_a_body_is_a_command(text: str) -> None:
    """However its end is written, and however long it is, a body is passed over."""
    assert words(text) == [["cat"], ["make"]]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("say $'It\\'s --done; push' && make", "It\\'s --done; push"),
        ("say @'\nIt's --done; push\n'@ && make", "\nIt's --done; push"),
        ('say @"\nSay "x"; push\n"@ && make', '\nSay "x"; push'),
        (f"say '{'x; ' * 9_000}' && make", "x; " * 9_000),
        (f'say "{"x; " * 9_000}" && make', "x; " * 9_000),
    ],
)
def test_a_quoted_text_is_one_word(text: str, given: str) -> None:
    """Quotes of C and here-strings of PowerShell are texts, of whatever length."""
    assert words(text) == [["say", given], ["make"]]


def test_only_output_is_written() -> None:
    """Errors, copies of descriptors and input are no files that a command writes."""
    command = parse("a <in 2>err 2>&1 >out >>more &>all")[0]
    assert command.writes == ("out", "more", "all")
    assert command.words == ["a"]


def test_loops_are_known() -> None:
    """What runs inside of a loop says so, and what follows does not."""
    found = parse("until curl -s x; do sleep 5; done; echo y")
    assert [command.loop for command in found] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1 B=2 pytest -q", [["pytest", "-q"]]),
        ("sudo -u me timeout 60 uv run --with x pytest", [["pytest"]]),
        ("npx -y eslint@9 .", [["eslint@9", "."]]),
        ("bash -lc 'cd x && make'", [["cd", "x"], ["make"]]),
        ("docker compose exec -T web pytest", [["pytest"]]),
        ("kubectl exec -it pod -- ls", [["ls"]]),
        ("wsl -e bash -lc 'go test'", [["go", "test"]]),
        ("bash scripts/x.sh", [["scripts/x.sh"]]),
        ("bash <<'E'\na\nb\nE", [["a"], ["b"]]),
        ("xargs -0 npx biome check", [["biome", "check"]]),
        ("command -v go", [["command", "-v", "go"]]),
        ("X=1", [["X=1"]]),
        ("pwsh -Command Get-Item x", [["Get-Item", "x"]]),
    ],
)
def test_looks_behind_wrappers(text: str, expected: list[list[str]]) -> None:
    """What only runs another program gives that program."""
    assert run(text) == expected


@given(st.text(alphabet="ab '\"\\$()`<>|&;#\n{}[]=-", max_size=200))
def test_any_text_is_taken_apart(text: str) -> None:
    """However broken a command is, it is read to its end and nothing is raised."""
    for command in parse(text):
        for inner in unwrap(command):
            assert isinstance(inner.words, list)


@pytest.mark.parametrize("char", ["(", "$(", "`", "'", '"', "<<E\n", "{ ", "a|", "&&", "bash -c "])
def test_length_and_nesting_are_bounded(char: str) -> None:
    """No command, however long or deep, is looked at further than the bound."""
    found = parse(char * 50_000)
    # Each substitution may stand for itself as `$()`.
    assert sum(len("".join(command.words)) for command in found) <= 3 * BOUND
