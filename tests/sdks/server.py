"""A server on loopback that speaks three APIs as models are asked by, and knows what it served.

What it does is said by the model's name: `retry` refuses each first attempt, `fails` everything,
`slow` takes its time between the parts of a stream, `same-id` gives one id to all answers. A
request with tools is answered by a call of the first, until there is a result of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

CACHED, WRITTEN_5M, WRITTEN_1H, REASONED = 200, 30, 40, 7
SLOW_S = 0.05


class Served(NamedTuple):
    """One answer: its id, what it counts as used, and whether its stream was written whole."""

    response_id: str
    prompt: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion


class Server:
    """What is shared by the threads that answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.served: list[Served] = []
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._refused: set[str] = set()

    def refuses(self, model: str) -> bool:
        """Refuse the first attempt of each model that is called so."""
        with self._lock:
            first = model not in self._refused
            self._refused.add(model)
        return "retry" in model and first

    def serve(self, prefix: str, model: str) -> Served:
        """Count one more answer, whose figures no other has."""
        with self._lock:
            number = len(self.served) + 1
            unique = "same" if model == "same-id" else f"{number:04}"
            one = Served(f"{prefix}0123456789abcdef{unique}", 1_000 + number, 50 + number)
            self.served.append(one)
        return one

    def heard(self, path: str) -> None:
        """Keep which paths were asked."""
        with self._lock:
            self.requests.append(path)

    @property
    def totals(self) -> tuple[int, int, int]:
        """Answers, tokens of prompts, tokens of completions."""
        return (
            len(self.served),
            sum(one.prompt for one in self.served),
            sum(one.completion for one in self.served),
        )


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server until the block ends."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = Handler.server_of = Server(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        """Say nothing of clients that leave."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        self.server_of.heard(path)
        model = body.get("model", "")
        if "fails" in model:
            self._send(400, {"error": {"type": "invalid_request_error", "message": "no"}})
        elif self.server_of.refuses(model):
            self._send(429, {"error": {"type": "rate_limit_error", "message": "wait"}})
        else:
            self._answer(path, body, model)

    def _answer(self, path: str, body: dict[str, Any], model: str) -> None:
        if path.endswith("/chat/completions"):
            served = self.server_of.serve("chatcmpl-", model)
            parts, whole = _chat(served, body)
        elif path.endswith("/responses"):
            served = self.server_of.serve("resp_", model)
            parts, whole = _response(served, body)
        elif path.endswith("/messages"):
            served = self.server_of.serve("msg_", model)
            parts, whole = _message(served, body)
        elif path.endswith("/embeddings"):
            served = self.server_of.serve("embd-", model)
            self.server_of.served[-1] = served._replace(completion=0)
            used = {"prompt_tokens": served.prompt, "total_tokens": served.prompt}
            data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            parts, whole = [], {"object": "list", "model": model, "data": data, "usage": used}
        else:
            parts, whole = [], {"input_tokens": 12, "object": "other"}
        if body.get("stream"):
            self._stream(parts, slow=model == "slow")
        else:
            self._send(200, whole)

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Retry-After-Ms", "5")
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, parts: list[dict[str, Any]], *, slow: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for part in parts:
                name = f"event: {part['type']}\n" if "type" in part else ""
                self._chunk(f"{name}data: {json.dumps(part)}\n\n".encode())
                if slow:
                    time.sleep(SLOW_S)
            if parts and "type" not in parts[0]:
                self._chunk(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the client has closed its end

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


Parts = tuple[list[dict[str, Any]], dict[str, Any]]
"""The parts of a stream, and the whole answer."""


def _tool(body: dict[str, Any], done: str) -> str | None:
    """The tool to call: the first, where there is no result of it yet."""
    tools = body.get("tools")
    if not tools or done in json.dumps(body.get("messages") or body.get("input")):
        return None
    first = tools[0]
    return str(first["function"]["name"] if "function" in first else first["name"])


def _chat(served: Served, body: dict[str, Any]) -> Parts:
    used = {
        "prompt_tokens": served.prompt,
        "completion_tokens": served.completion,
        "total_tokens": served.total,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens_details": {"reasoning_tokens": REASONED},
    }
    message: dict[str, Any] = {"role": "assistant", "content": "one two"}
    tool = _tool(body, '"role": "tool"')
    if tool is not None:
        function = {"name": tool, "arguments": '{"command": "ls"}'}
        calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
    reason = "stop" if tool is None else "tool_calls"
    base = {"id": served.response_id, "created": 1, "model": body["model"]}
    whole = base | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": used,
    }
    chunk = base | {"object": "chat.completion.chunk"}
    parts = [
        chunk | {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
    ]
    if (body.get("stream_options") or {}).get("include_usage"):
        parts.append(chunk | {"choices": [], "usage": used})
    return parts, whole


def _response(served: Served, body: dict[str, Any]) -> Parts:
    used = {
        "input_tokens": served.prompt,
        "output_tokens": served.completion,
        "total_tokens": served.total,
        "input_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": REASONED},
    }
    tool = _tool(body, '"function_call_output"')
    if tool is None:
        text = {"type": "output_text", "text": "one two", "annotations": []}
        item: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant"}
        item |= {"status": "completed", "content": [text]}
    else:
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool}
        item |= {"arguments": '{"command": "ls"}', "status": "completed"}
    whole = {
        "id": served.response_id,
        "object": "response",
        "created_at": 1,
        "model": body["model"],
        "status": "completed",
        "output": [item],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": used,
    }
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    parts = [
        {"type": "response.created", "response": begun, "sequence_number": 0},
        done | {"sequence_number": 1},
        {"type": "response.completed", "response": whole, "sequence_number": 2},
    ]
    return parts, whole


def _message(served: Served, body: dict[str, Any]) -> Parts:
    used: dict[str, Any] = {
        "input_tokens": served.prompt - CACHED - WRITTEN_5M - WRITTEN_1H,
        "output_tokens": served.completion,
        "cache_read_input_tokens": CACHED,
        "cache_creation_input_tokens": WRITTEN_5M + WRITTEN_1H,
        "cache_creation": {
            "ephemeral_5m_input_tokens": WRITTEN_5M,
            "ephemeral_1h_input_tokens": WRITTEN_1H,
        },
    }
    tool = _tool(body, '"tool_result"')
    block: dict[str, Any] = {"type": "text", "text": "one two"}
    if tool is not None:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {"command": "ls"}}
    reason = "end_turn" if tool is None else "tool_use"
    whole = {
        "id": served.response_id,
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [block],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": used,
    }
    begun = whole | {"content": [], "stop_reason": None, "usage": used | {"output_tokens": 1}}
    empty = {
        name: type(value)() if name in ("text", "input") else value for name, value in block.items()
    }
    delta = {"type": "text_delta", "text": "one two"}
    if tool is not None:
        delta = {"type": "input_json_delta", "partial_json": '{"command": "ls"}'}
    last = {name: used[name] for name in used if name != "cache_creation"}
    parts: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": last,
        },
        {"type": "message_stop"},
    ]
    return parts, whole
