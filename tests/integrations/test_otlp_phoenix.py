"""Arize Phoenix makes traces of what is sent, with our tokens, and twice is once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests import transcripts
from tests.commands import m31
from tests.integrations.servers import answers, free_port, running, wait_for
from tests.integrations.test_otlp_rotel import expected, write_sessions
from tests.transcripts import NOW, answer

pytestmark = pytest.mark.integrations

STARTS_S, TAKES_S = 300.0, 120.0
LAST = "99cc0d52-9999-4999-8999-000000000009"


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    """Run Phoenix where it is installed: `phoenix` on the path, or what M31_PHOENIX names."""
    command = os.environ.get("M31_PHOENIX") or shutil.which("phoenix")
    if command is None:
        pytest.skip("optional: needs arize-phoenix (850 MB), which only some have installed")
    port, grpc = free_port(), free_port()
    environ = {
        "PHOENIX_WORKING_DIR": str(tmp_path),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "TMPDIR": str(tmp_path),
    }
    url = f"http://127.0.0.1:{port}"
    with running([command, "serve"], tmp_path / "phoenix.log", environ):
        wait_for(lambda: answers(f"{url}/healthz"), STARTS_S, "Phoenix")
        yield url


def project(url: str) -> dict[str, Any]:
    """What Phoenix counts in its default project."""
    fields = "name traceCount recordCount tokenCountPrompt tokenCountCompletion"
    query = json.dumps({"query": f"{{projects{{edges{{node{{{fields}}}}}}}}}"}).encode()
    asking = Request(f"{url}/graphql", query, {"Content-Type": "application/json"})  # noqa: S310 - on loopback
    with urlopen(asking, timeout=30) as answer:  # noqa: S310 - on loopback
        edges = json.load(answer)["data"]["projects"]["edges"]
    found: dict[str, Any] = next(one["node"] for one in edges if one["node"]["name"] == "default")
    return found


def test_twice_is_once_with_exact_tokens(clean_home: Path, phoenix: str) -> None:
    """Each session is a trace, each span is there once, and tokens are as we count them."""
    write_sessions(clean_home)
    for again in ((), ("--again",)):
        done = m31("export", "otlp", "--endpoint", phoenix, *again)
        assert done.returncode == 0, done.stderr
    # What comes after all that was sent is behind it in the queue.
    transcripts.write(clean_home, LAST, answer("z", NOW))
    assert m31("export", "otlp", "--endpoint", phoenix).returncode == 0
    spans = expected(clean_home)
    wait_for(lambda: project(phoenix)["recordCount"] >= len(spans), TAKES_S, "all spans")
    counted = project(phoenix)
    answered = [span.attributes for _, span in spans.values() if span.is_client]
    assert counted["traceCount"] == len({trace for trace, _ in spans.values()})
    assert counted["recordCount"] == len(spans)
    for name, field in (("input", "tokenCountPrompt"), ("output", "tokenCountCompletion")):
        ours = sum(int(one.get(f"gen_ai.usage.{name}_tokens", 0)) for one in answered)
        assert counted[field] == ours
