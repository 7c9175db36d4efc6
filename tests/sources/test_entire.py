"""Entire: sessions in a repository's refs, read with git and handed to their agents' sources."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import LLMInteraction
from m31a_metrics.foreign_files import Folders
from m31a_metrics.sources import entire, source
from m31a_metrics.sources.entire import git as entire_git
from m31a_metrics.transcript import Transcript
from tests.conftest import Sample
from tests.repositories import BRANCH, commit, git, repository
from tests.sources import samples
from tests.sources.golden import GOLDEN, check, shapes
from tests.sources.test_codex import CCUSAGE

AGENT = "entire"
CLAUDE = "cccccccc-0001-4000-8000-000000000000"


class _Readable:
    """Entire without the sessions of agents that are not read, and without the test's folder."""

    NAME = AGENT

    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
        return (path for path in entire.find(environ, folders) if not path.endswith("eeee"))

    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        read = entire.read(path, skip)
        folder = path.rpartition("::")[0]
        read.damage.reasons = [one.replace(folder, "") for one in read.damage.reasons]
        return read


@pytest.mark.parametrize("shape", shapes(AGENT))
def test_each_shape_gives_the_same_events(shape: str, tmp_path: Path) -> None:
    """Checkpoints of each layout read as they did when somebody last looked."""
    made = repository(tmp_path / "shop", shape)
    check(_Readable(), AGENT, shape, {"PWD": str(made)})


def test_a_session_in_many_checkpoints_is_one() -> None:
    """The later checkpoint is read, whatever its name: it holds what the earlier one did."""
    text = (GOLDEN / AGENT / "branch-2026.expected.jsonl").read_text()
    assert text.count('"event":"session_start"') == 2, "Claude Code's and pi's"
    assert text.count('"id":"msg_c1:req_msg_c1"') == text.count('"id":"msg_c3:req_msg_c3"') == 1


def test_a_clone_has_the_same_sessions(tmp_path: Path) -> None:
    """A fresh clone, and a bare one, give the team's sessions; no branch is checked out."""
    made = repository(tmp_path / "shop", "branch-2026")
    commit(made, "refs/heads/main", {"a.ts": b""})
    git(tmp_path, "clone", "--quiet", str(made), str(tmp_path / "clone"))
    git(tmp_path, "clone", "--quiet", "--bare", str(made), str(tmp_path / "bare.git"))
    names = {path.rpartition("::")[2] for path in entire.find({"PWD": str(made)})}
    for copy in ("clone", "bare.git"):
        paths = list(entire.find({"PWD": str(tmp_path / copy)}))
        assert {path.rpartition("::")[2] for path in paths} == names
        assert all(entire.read(path).events for path in paths)
    below = tmp_path / "clone" / "src"
    below.mkdir()
    assert len(list(entire.find({"PWD": str(below)}))) == len(names)


def test_known_responses_are_left_out(tmp_path: Path) -> None:
    """Responses that were read elsewhere (from the developer's own machine) count once."""
    made = repository(tmp_path / "shop", "branch-2026")
    path = f"{made}::{CLAUDE}"
    ids = frozenset(
        e.id for e in entire.read(path).events if isinstance(e, LLMInteraction) and e.id
    )
    again = entire.read(path, ids)
    assert not any(isinstance(event, LLMInteraction) for event in again.events)
    assert len(ids) == 4, "three of the session, one of its subagent"


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the repository nor the folder for temporary files holds anything new."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    made = repository(tmp_path / "shop", "branch-2026")

    def everything() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in tmp_path.rglob("*")}

    before = everything()
    for path in entire.find({"PWD": str(made)}):
        entire.read(path)
    after = everything()
    assert after.pop(str(temporary)) is not None
    before.pop(str(temporary))
    assert after == before


def test_copies_are_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a transcript is handed over, nobody else may read the copy."""
    seen: list[int] = []

    def look(path: str, _skip: frozenset[str] = frozenset()) -> Transcript:
        seen.extend(os.stat(one).st_mode & 0o777 for one in (os.path.dirname(path), path))
        raise NotThisFormat(path)

    monkeypatch.setattr(entire, "source", lambda _: SimpleNamespace(read=look))
    monkeypatch.setattr(entire, "detect", look)
    made = repository(tmp_path / "shop", "refs-2026")
    before = os.umask(0)
    try:
        with pytest.raises(NotThisFormat):
            entire.read(f"{made}::ses_export0001")
    finally:
        os.umask(before)
    assert seen == [0o700, 0o600] * 2


def test_a_new_checkpoint_is_seen(tmp_path: Path) -> None:
    """What is kept of a repository is not kept longer than its refs stay as they are."""
    made = repository(tmp_path / "shop", "branch-2025")
    before = len(list(entire.find({"PWD": str(made)})))
    pi = next((GOLDEN / "pi" / "format-3").rglob("*.jsonl")).read_bytes()
    commit(made, "refs/entire/checkpoints/aa/01", {"0/full.jsonl": pi})
    assert len(list(entire.find({"PWD": str(made)}))) == before + 1


def test_a_variable_of_git_does_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a git hook GIT_DIR names the hook's repository; ours is the one that was named."""
    made = repository(tmp_path / "shop", "refs-2026")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert list(entire.find({"PWD": str(made)})) == [f"{made}::ses_export0001"]


def test_a_partial_clone_says_what_to_do(tmp_path: Path) -> None:
    """Objects that a clone left out are not fetched: the network is not touched."""
    made = repository(tmp_path / "shop", "branch-2026")
    git(made, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:limit=600",
        f"file://{made}", str(partial))  # fmt: skip
    assert list(entire.find({"PWD": str(partial)})), "their metadata are small, and here"
    with pytest.raises(StorageError, match="git fetch --refetch"):
        entire.read(f"{partial}::{CLAUDE}")


def test_refusals_say_why(tmp_path: Path) -> None:
    """Another agent's session, an unknown one, another path and no repository have reasons."""
    made = repository(tmp_path / "shop", "branch-2025")
    with pytest.raises(
        NotThisFormat, match="a session of Cursor, whose .* no format that is read here"
    ):
        entire.read(f"{made}::2025-12-01-eeee")
    with pytest.raises(SessionNotFound, match="no session nobody"):
        entire.read(f"{made}::nobody")
    with pytest.raises(NotThisFormat, match="<repository>::<session id>"):
        entire.read(str(made))
    with pytest.raises(StorageError, match="cannot read the repository"):
        entire.read(f"{tmp_path}::x")
    assert not list(entire.find({"PWD": str(tmp_path)}))
    assert not list(entire.find({}))


def test_without_git_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git has no such sessions, and reading one says so."""
    made = repository(tmp_path / "shop", "refs-2026")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not list(entire.find({"PWD": str(made)}))
    with pytest.raises(StorageError, match="needs git"):
        entire.read(f"{made}::ses_export0001")


KEPT = {
    "claude-code": samples.CLAUDE_CODE,
    "codex": (*CCUSAGE, "agent-sessions__schema_drift.jsonl"),
    "copilot-cli": samples.COPILOT_CLI,
    "gemini-cli": (*samples.GEMINI_CLI, "agent-sessions__schema_drift.json"),
}


def test_real_transcripts_read_as_they_do_beside_their_agents(
    sample: Sample, tmp_path: Path
) -> None:
    """What was kept by Entire gives the same events as the agent's own file."""
    agents = {
        "claude-code": "Claude Code",
        "codex": "Codex",
        "copilot-cli": "Copilot CLI",
        "gemini-cli": "Gemini CLI",
    }
    made = tmp_path / "shop"
    made.mkdir()
    git(made, "init", "--quiet")
    tree: dict[str, bytes] = {}
    files: dict[str, tuple[str, Path]] = {}
    for name, said in agents.items():
        for path in [sample(name, one) for one in KEPT[name]]:
            if path.stat().st_size < 500_000:
                session = f"{name}-{len(files)}"
                files[session] = name, path
                folder = f"{len(files):02x}/checkpoint/0"
                tree[f"{folder}/full.jsonl"] = path.read_bytes()
                metadata = {"session_id": session, "agent": said}
                tree[f"{folder}/metadata.json"] = json.dumps(metadata).encode()
    commit(made, BRANCH, tree)
    compared = 0
    for session, (name, path) in files.items():
        try:
            expected = source(name).read(str(path))
        except NotThisFormat:
            with pytest.raises(NotThisFormat):
                entire.read(f"{made}::{session}")
            continue
        read = entire.read(f"{made}::{session}")
        # The first event may have its id from the file's name, where nothing else tells one.
        assert read.events[1:] == expected.events[1:]
        assert [call.id for call in read.calls] == [call.id for call in expected.calls]
        assert read.facts.agent == name
        compared += 1
    assert compared > 30


def test_a_pipe_in_a_repository_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git itself waits where a pipe stands in place of an object: for so long, and no longer."""
    monkeypatch.setattr(entire_git, "_TIMEOUT_S", 0.5)
    made = repository(tmp_path / "piped", "branch-2025")
    for pack in made.glob(".git/objects/pack/*"):
        data = pack.read_bytes()
        pack.chmod(0o600)
        pack.unlink()
        if pack.suffix == ".pack":
            git(made, "unpack-objects", "-q", given=data)
    for loose in made.glob(".git/objects/??/*"):
        loose.unlink()
        os.mkfifo(loose)
    folders = Folders()
    assert not list(entire.find({"PWD": str(made)}, folders))
    (reason,) = folders.troubles.values()
    assert "did not answer within" in reason
