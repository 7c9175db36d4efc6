"""The official SDK as a client of the MCP server, as a process that it starts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from m31a_metrics import Collector
from m31a_metrics.live import mcp_server

mcp = pytest.importorskip(
    "mcp", reason="optional: needs the official SDK, of 60 MB: pip install 'mcp>=2.3'"
)


@pytest.fixture
def parameters(clean_home: Path) -> object:
    """How the server is started, on a machine with one session."""
    with Collector("one", clean_home / ".m31a" / "sessions") as collector:
        collector.record_tool_call("Bash", True, 12.5)
    command = ["-P", "-E", mcp_server.__file__, mcp_server.ALL_PROJECTS]
    environ = {"HOME": str(clean_home)}
    return mcp.StdioServerParameters(command=sys.executable, args=command, env=environ)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_agrees(parameters: object, mode: str) -> None:
    """It asks for what is newer first (`auto`), falls back, and finds every answer well-formed."""

    async def talk() -> None:
        async with mcp.Client(parameters, mode=mode, read_timeout_seconds=60) as client:
            assert client.session.protocol_version == mcp_server.VERSIONS[0]
            assert client.session.server_info.name == "m31"
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools][:2] == ["sessions", "session"]
            assert all(tool.annotations.read_only_hint for tool in tools)
            answered = await client.call_tool("tools", {"limit": 5})
            assert not answered.is_error
            assert "\nBash,1," in answered.content[0].text
            refused = await client.call_tool("tools", {"limit": 0})
            assert refused.is_error
            with pytest.raises(mcp.MCPError, match="Unknown tool"):
                await client.call_tool("prune", {})
            with pytest.raises(mcp.MCPError, match="no such method"):
                await client.session.list_resources()

    asyncio.run(talk())
