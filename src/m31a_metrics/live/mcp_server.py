"""What coding agents start to ask about themselves: MCP over standard input and output.

A copy of this file lies in `~/.m31a/live`, beside `mcp_tools.json`, and is run by a Python that
has the package, with `-P -E`: nothing of the folder that the agent works in is imported, and
nothing that its environment names. It answers what a client asks at each start out of that
file; the package is imported at the first call of a tool, which most sessions never make.

A line is a message of JSON-RPC 2.0, or a list of them. Nothing that a client sends ends the
server but the end of its input, and nothing but answers goes to standard output: whatever else
is printed goes to the error stream. A request is answered before or without `initialize`, too.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Of the protocol, the newest first; they do not differ in what is said here. A client that
asks for another gets the newest, and decides."""

LINE_BYTES_MAX = 1 << 20
PARSE_ERROR, INVALID_REQUEST = -32700, -32600
METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32601, -32602, -32603
ALL_PROJECTS, DEBUG = "--all-projects", "--debug"

Object = dict[str, object]
Answering = Callable[[str, Object], tuple[str, bool]]
"""Answers a call of a tool by its name and arguments: the text, and whether it is a refusal."""


class RPCError(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class Server:
    """Answers messages. `said` is what `mcp_tools.json` holds, `answering` asks the package."""

    def __init__(self, said: Object, answering: Answering) -> None:
        self.said = said
        self.answering = answering

    def reply(self, line: bytes | None) -> object:
        """Give the answer to a line; None where there is none to give. None: it was too long."""
        if line is None:
            return _error(None, INVALID_REQUEST, f"a message has at most {LINE_BYTES_MAX:,} bytes")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return _error(None, PARSE_ERROR, "this is no JSON")
        if not isinstance(message, list):
            return self._one(message)
        if not message:
            return _error(None, INVALID_REQUEST, "a list of no messages")
        return [answer for answer in map(self._one, message) if answer is not None] or None

    def _one(self, message: object) -> Object | None:
        if not isinstance(message, dict):
            return _error(None, INVALID_REQUEST, "a message is an object")
        request, method = message.get("id"), message.get("method")
        if "method" not in message and ("result" in message or "error" in message):
            return None  # an answer, and nothing was asked
        is_request = isinstance(request, (str, int)) and not isinstance(request, bool)
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            return _error(request if is_request else None, INVALID_REQUEST, "this is no request")
        if "id" not in message:
            return None  # a notification, which nobody answers, of whatever kind
        if not is_request:
            return _error(None, INVALID_REQUEST, "an id is a string or a whole number")
        try:
            params = message.get("params", {})
            if not isinstance(params, dict):
                raise RPCError(INVALID_PARAMS, "params is an object")
            return {"jsonrpc": "2.0", "id": request, "result": self._result(method, params)}
        except RPCError as error:
            return _error(request, error.code, str(error))

    def _result(self, method: str, params: Object) -> Object:
        if method == "initialize":
            return self._initialized(params)
        if method == "ping":
            return {}
        if method == "tools/list":
            if "cursor" in params:
                raise RPCError(INVALID_PARAMS, "the list has one page, and no cursor")
            return {"tools": self.said["tools"]}
        if method == "tools/call":
            return self._called(params)
        raise RPCError(METHOD_NOT_FOUND, "this server has tools, and no such method")

    def _initialized(self, params: Object) -> Object:
        version = params.get("protocolVersion")
        if not isinstance(version, str):
            raise RPCError(INVALID_PARAMS, "protocolVersion is a string")
        return {
            "protocolVersion": version if version in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": self.said["serverInfo"],
            "instructions": self.said["instructions"],
        }

    def _called(self, params: Object) -> Object:
        name, arguments = params.get("name"), params.get("arguments")
        tools = self.said["tools"]
        known = [tool["name"] for tool in tools] if isinstance(tools, list) else []
        if not isinstance(name, str) or name not in known:
            raise RPCError(INVALID_PARAMS, f"Unknown tool: there are {', '.join(known)}")
        if arguments is not None and not isinstance(arguments, dict):
            raise RPCError(INVALID_PARAMS, "arguments is an object")
        text, is_error = self.answering(name, arguments or {})
        return {"content": [{"type": "text", "text": text}], "isError": is_error}


def _error(request: object, code: int, message: str) -> Object:
    return {"jsonrpc": "2.0", "id": request, "error": {"code": code, "message": message}}


def lines(source: int) -> Iterator[bytes | None]:
    """Read lines to the end, blank ones left out; None for one that is too long to be kept."""
    begun, is_too_long = b"", False
    while chunk := os.read(source, 1 << 16):
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            line, begun = begun + end, b""
            if is_too_long or len(line) > LINE_BYTES_MAX:
                yield None
            elif line.strip():
                yield line
            is_too_long = False
        begun += rest
        if len(begun) > LINE_BYTES_MAX:
            begun, is_too_long = b"", True
    if begun.strip() and not is_too_long:
        yield begun


def serve(server: Server, source: int, sink: int) -> None:
    """Answer line by line until the client goes away, at either end."""
    for line in lines(source):
        answer = server.reply(line)
        if answer is None:
            continue
        # In ASCII, so that nothing in a text can end the line or be no UTF-8.
        data = json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            while data:
                data = data[os.write(sink, data) :]
        except BrokenPipeError:
            return


def ask_package(
    name: str, arguments: Object, *, all_projects: bool, debug: bool
) -> tuple[str, bool]:
    """Answer a call by the package, which is imported now."""
    try:
        from importlib import import_module

        call = import_module("m31a_metrics.mcp").call
    except ImportError as error:
        return (
            f"m31a-metrics is not installed for {sys.executable} any more ({error.name}). A person "
            "installs it again, or takes this out of the agent: `m31 mcp remove`."
        ), True
    text, is_error = call(name, arguments, all_projects=all_projects, debug=debug)
    return str(text), bool(is_error)


def put_first(folder: str) -> None:
    """Let packages of a folder come before installed ones, but not before Python's own."""
    if folder not in sys.path:
        installed = (at for at, path in enumerate(sys.path) if path.endswith("-packages"))
        sys.path.insert(next(installed, len(sys.path)), folder)


def main(options: list[str]) -> int:
    """Serve on this process's own streams."""
    here = os.path.dirname(os.path.abspath(__file__))
    package = os.path.dirname(here)
    if os.path.basename(package) == "m31a_metrics":  # no copy, but the package's own file
        put_first(os.path.dirname(package))
    with open(os.path.join(here, "mcp_tools.json"), encoding="utf-8") as file:
        said = json.load(file)
    all_projects, debug = ALL_PROJECTS in options, DEBUG in options

    def answering(name: str, arguments: Object) -> tuple[str, bool]:
        return ask_package(name, arguments, all_projects=all_projects, debug=debug)

    sink = os.dup(1)
    os.dup2(2, 1)
    try:
        serve(Server(said, answering), 0, sink)
    except KeyboardInterrupt:
        pass  # how people and agents end it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
