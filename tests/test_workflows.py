"""The workflows and templates in .github are whole, and promise what pyproject.toml does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")

FIELDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def read(path: Path) -> dict[Any, Any]:
    """A file of YAML; its key `on` is True to YAML, and is a word here."""
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in loaded.items()}


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    """All steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def test_every_promised_python_is_tested_on_both_systems() -> None:
    """The matrix has the versions of the classifiers, and Linux and macOS."""
    matrix = read(GITHUB / "workflows" / "tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    classifiers = "\n".join(project()["classifiers"])
    promised = re.findall(
        r"^Programming Language :: Python :: (3\.\d+)$", classifiers, re.MULTILINE
    )
    assert matrix["python"] == promised
    assert f">={promised[0]}" == project()["requires-python"]
    assert matrix["system"] == ["ubuntu-latest", "macos-latest"]
    assert "Operating System :: MacOS" in classifiers
    assert "Operating System :: POSIX :: Linux" in classifiers


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_as_little_as_it_can(path: Path) -> None:
    """By default a job reads the code; actions are pinned; no secret is named."""
    text, workflow = path.read_text(encoding="utf-8"), read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    assert "pull_request_target" not in workflow["on"]
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(?:v\d+|release/v\d+)", step["uses"])
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False
        # What somebody else may choose must not become a part of a script.
        assert "${{" not in step.get("run", "")


def test_what_the_workflows_run_is_in_the_makefile() -> None:
    """Each `make TARGET` of a workflow is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    run = [step.get("run", "") for path in WORKFLOWS for step in steps(read(path))]
    used = set(re.findall(r"^make (\w+)", "\n".join(run), re.MULTILINE))
    assert used >= {"lint", "test", "docs", "dist"}
    assert used <= targets


def test_a_release_is_tested_attested_and_approved() -> None:
    """A tag leads through the tests and a build with provenance to a trusted publisher."""
    workflow = read(GITHUB / "workflows" / "release.yml")
    assert workflow["on"] == {"push": {"tags": ["v*"]}}
    jobs = workflow["jobs"]
    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert "workflow_call" in read(GITHUB / "workflows" / "tests.yml")["on"]
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("tests", "build")
    assert jobs["build"]["permissions"]["attestations"] == "write"
    assert any("attest-build-provenance" in step.get("uses", "") for step in steps(workflow))
    assert jobs["publish"]["environment"] == "release"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "password" not in str(jobs["publish"])


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_is_one_that_can_be_filled_in(path: Path) -> None:
    """Each form has a name, a description, and fields with labels and ids of their own."""
    form = read(path)
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= FIELDS
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_wrong_number_comes_with_its_transcript() -> None:
    """The form says how to make a transcript anonymous, and what must stay as it is."""
    form = read(GITHUB / "ISSUE_TEMPLATE" / "wrong-number.yml")
    (field,) = [one for one in form["body"] if one.get("id") == "transcript"]
    for word in ("replace every text", "usage", "timestamp", "ids"):
        assert word in field["attributes"]["description"]
