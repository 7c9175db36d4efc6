"""A model that answers by a script, for real agents to talk to, and keeps what it served.

It speaks as much of four protocols as the agents need: Anthropic's messages, OpenAI's responses
and chat completions, Gemini's content, streamed. Which step comes next is told by the results of
tools that a request holds, so that an agent may ask again, side by side and after a compaction.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SUBTASK = "INVENTED-SUBTASK"
"""What a subagent's task holds: so its requests are known."""

DONE = "All invented work is finished."

_SUMMARY = "an <analysis> block followed by a <summary> block"
"""What Claude Code says where it wants its conversation compacted."""

_SIDE = {"title": "x", "complexity_reasoning": "x", "complexity_score": 90}
"""What is asked without tools: a title, and of Gemini how hard the work is, for which model."""

_OWN = {"session": "own"}
"""What a tool of m31's is asked: of the session that it is asked in."""

_TEXTS = {"side": json.dumps(_SIDE), "compaction": f"<summary>{DONE}</summary>"}


_REASONING_TOKENS = 20
"""So much of each answer's output, where a protocol says that."""


@dataclass(frozen=True)
class Step:
    """A call that the model asks for; `kind` is run, write, delegate or ask: a tool of m31's."""

    kind: str
    argument: str


@dataclass(frozen=True)
class Answer:
    """What was served: tokens as the protocol counts them, made those of five classes.

    `kind` is `turn`, `subagent`, `compaction`, or `side` for what has no tools (titles).
    """

    id: str
    model: str
    kind: str
    uncached_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int

    @property
    def total_tokens(self) -> int:
        """All of them."""
        return sum(value for name, value in asdict(self).items() if name.endswith("_tokens"))


@dataclass
class ScriptedModel:
    """The server's state: the script, the answers so far, and what tools last told the model."""

    steps: list[Step]
    told: list[Any] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, kind: str, model: str, number: int) -> Answer:
        """Serve one: figures that differ from answer to answer, so that none stands for another."""
        with self._lock:
            count = len(self.answers) + 1
            one = Answer(
                f"{count:04d}{number:02d}", model, kind, 100 + count, 1000, 20, 30, 40 + count
            )
            self.answers.append(one)
            return one

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on loopback; yields the address."""
        handler = type("Handler", (_Handler,), {"model": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: ScriptedModel

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._send(200, b"")

    def do_GET(self) -> None:
        known = "/models" in self.path
        self._send(200 if known else 404, json.dumps({"data": [], "models": []}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._send(200, b'{"input_tokens":321}')
        elif path.endswith("/messages"):
            self._messages(body)
        elif path.endswith("/responses"):
            self._responses(body)
        elif path.endswith("/chat/completions"):
            self._chat(body)
        elif path.endswith(("enerateContent", "GenerateContent")):
            self._gemini(path, body)
        elif "/analytics/" in path:  # Codex, at times, though it is told not to
            self._send(200, b"{}")
        else:
            self.model.unknown.append(path)
            self._send(404, b"{}")

    def _send(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("request-id", f"req_{time.time_ns()}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, events: Iterable[dict[str, Any] | str]) -> None:
        """Send server-sent events, named where they have a type."""
        lines = []
        for event in events:
            if isinstance(event, str):
                lines.append(f"data: {event}\n\n")
            else:
                named = f"event: {event['type']}\n" if "type" in event else ""
                lines.append(f"{named}data: {json.dumps(event)}\n\n")
        self._send(200, "".join(lines).encode(), "text/event-stream")

    def _heard(self, told: list[Any]) -> int:
        """Keep what tools told, where it is more than before; how often they did."""
        if len(told) > len(self.model.told):
            self.model.told = told
        return len(told)

    def _next(self, done: int, *, has_tools: bool, is_subtask: bool) -> tuple[str, Step | None]:
        """What is asked for now, after so many results of tools, and by whom."""
        if not has_tools:
            return "side", None
        if is_subtask:
            return "subagent", None if done else Step("run", "echo from-the-subagent")
        steps = self.model.steps
        return "turn", steps[done] if done < len(steps) else None

    # ---- Anthropic's messages

    def _messages(self, body: dict[str, Any]) -> None:
        messages = body.get("messages", [])
        told = [
            part.get("content")
            for message in messages
            if isinstance(message.get("content"), list)
            for part in message["content"]
            if part.get("type") == "tool_result"
        ]
        done = self._heard(told)
        is_subtask = SUBTASK in json.dumps(messages[:1])
        kind, step = self._next(done, has_tools=bool(body.get("tools")), is_subtask=is_subtask)
        if _SUMMARY in json.dumps(messages[-1:]):
            kind, step = "compaction", None
        one = self.model.answer(kind, body.get("model", ""), done)
        block: dict[str, Any] = {"type": "text", "text": _TEXTS.get(kind, DONE)}
        if step is not None:
            block = {"type": "tool_use", "id": f"toolu_{one.id}", **_anthropic_tool(step)}
        usage = {
            "input_tokens": one.uncached_tokens,
            "cache_creation_input_tokens": one.cache_write_5m_tokens + one.cache_write_1h_tokens,
            "cache_read_input_tokens": one.cache_read_tokens,
            "output_tokens": one.output_tokens,
        }
        creation = {
            "ephemeral_5m_input_tokens": one.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": one.cache_write_1h_tokens,
        }
        stop = "end_turn" if step is None else "tool_use"
        message: dict[str, Any] = {
            "id": f"msg_{one.id}",
            "type": "message",
            "role": "assistant",
            "model": one.model,
            "content": [block],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {**usage, "cache_creation": creation, "service_tier": "standard"},
        }
        if not body.get("stream"):
            self._send(200, json.dumps(message).encode())
            return
        begun = {**message, "content": [], "stop_reason": None}
        begun["usage"] = {**message["usage"], "output_tokens": 1}
        self._stream(
            [
                {"type": "message_start", "message": begun},
                *_anthropic_block(block),
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": stop, "stop_sequence": None},
                    "usage": usage,
                },
                {"type": "message_stop"},
            ]
        )

    # ---- OpenAI's responses

    def _responses(self, body: dict[str, Any]) -> None:
        items: list[dict[str, Any]] = body["input"] if isinstance(body.get("input"), list) else []
        done = self._heard(
            [one.get("output") for one in items if str(one.get("type", "")).endswith("_output")]
        )
        kind, step = self._next(done, has_tools=bool(body.get("tools")), is_subtask=False)
        one = self.model.answer(kind, body.get("model", ""), done)
        item: dict[str, Any] = {
            "id": f"msg_{one.id}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": DONE, "annotations": []}],
        }
        if step is not None:
            item = {
                "id": f"fc_{one.id}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{one.id}",
                "name": "exec_command",
                "arguments": json.dumps({"cmd": step.argument}),
            }
            if step.kind == "ask":
                item |= {"name": step.argument, "namespace": "mcp__m31"}
                item["arguments"] = json.dumps(_OWN)
        response = {
            "id": f"resp_{one.id}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "completed",
            "model": one.model,
            "output": [item],
            "usage": _openai_usage(one, "input", "output"),
        }
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        self._stream(
            [
                {"type": "response.created", "response": begun},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": response},
            ]
        )

    # ---- OpenAI's chat completions

    def _chat(self, body: dict[str, Any]) -> None:
        messages = body.get("messages", [])
        done = self._heard([one.get("content") for one in messages if one.get("role") == "tool"])
        is_subtask = _is_subtask(messages)
        kind, step = self._next(done, has_tools=bool(body.get("tools")), is_subtask=is_subtask)
        one = self.model.answer(kind, body.get("model", ""), done)
        message: dict[str, Any] = {"role": "assistant", "content": DONE}
        if step is not None:
            named = {tool.get("function", {}).get("name") for tool in body["tools"]}
            function = _openai_tool(step, named)
            call = {"index": 0, "id": f"call_{one.id}", "type": "function", "function": function}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        reason = "stop" if step is None else "tool_calls"
        head = {"id": f"chatcmpl-{one.id}", "created": int(time.time()), "model": one.model}
        usage = _openai_usage(one, "prompt", "completion")
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            self._send(200, json.dumps(whole).encode())
            return
        chunk = {**head, "object": "chat.completion.chunk"}
        first = {"index": 0, "delta": message, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": reason}
        self._stream(
            [
                json.dumps({**chunk, "choices": [first]}),
                json.dumps({**chunk, "choices": [last]}),
                json.dumps({**chunk, "choices": [], "usage": usage}),
                "[DONE]",
            ]
        )

    # ---- Gemini's content

    def _gemini(self, path: str, body: dict[str, Any]) -> None:
        parts = [part for content in body.get("contents", []) for part in content.get("parts", [])]
        done = self._heard(
            [part["functionResponse"] for part in parts if "functionResponse" in part]
        )
        kind, step = self._next(done, has_tools=bool(body.get("tools")), is_subtask=False)
        model = path.rpartition("/")[2].partition(":")[0]
        one = self.model.answer(kind, model, done)
        part: dict[str, Any] = {"text": _TEXTS.get(kind, DONE)}
        if step is not None:
            call = {"name": "run_shell_command", "args": {"command": step.argument}}
            if step.kind == "ask":
                call = {"name": f"mcp_m31_{step.argument}", "args": _OWN}
            part = {"functionCall": call}
        content = {"role": "model", "parts": [part]}
        answer = {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": _gemini_usage(one),
            "modelVersion": model,
            "responseId": f"resp{one.id}",
        }
        if "stream" in path:
            self._stream([json.dumps(answer)])
        else:
            self._send(200, json.dumps(answer).encode())


def _anthropic_tool(step: Step) -> dict[str, Any]:
    if step.kind == "run":
        return {"name": "Bash", "input": {"command": step.argument, "description": "x"}}
    if step.kind == "ask":
        return {"name": f"mcp__m31__{step.argument}", "input": _OWN}
    if step.kind == "write":
        return {"name": "Write", "input": {"file_path": step.argument, "content": "invented\n"}}
    return {"name": "Task", "input": _delegation(step)}


def _openai_tool(step: Step, named: set[str]) -> dict[str, Any]:
    """The call in OpenAI's words, of a tool that the agent offers."""
    given: dict[str, Any]
    if step.kind == "ask":
        name, given = f"mcp__m31__{step.argument}", dict(_OWN)
    elif step.kind == "run":
        name = "run_shell_command" if "run_shell_command" in named else "bash"
        given = {"command": step.argument, "description": "x", "is_background": False}
        given |= {"mode": "sync", "initial_wait": 10}
    else:
        name, given = "task", _delegation(step)
        given |= {"agent_type": "general-purpose", "name": "small", "mode": "sync"}
        if "webfetch" in named:  # OpenCode's
            given["subagent_type"] = "general"
    return {"name": name, "arguments": json.dumps(given)}


def _delegation(step: Step) -> dict[str, Any]:
    return {
        "description": "a small subtask",
        "prompt": f"{SUBTASK}: {step.argument}",
        "subagent_type": "general-purpose",
    }


def _is_subtask(messages: list[dict[str, Any]]) -> bool:
    """Tell whether the conversation begins with a subagent's task."""
    for message in messages:
        if message.get("role") == "assistant":
            break
        if SUBTASK in json.dumps(message):
            return True
    return False


def _anthropic_block(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events that stream a block of an answer."""
    if block["type"] == "text":
        begun, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        begun = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    yield {"type": "content_block_start", "index": 0, "content_block": begun}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}


def _gemini_usage(one: Answer) -> dict[str, int]:
    """Usage as Gemini counts it: thoughts stand beside the answer, and cached in the prompt."""
    return {
        "promptTokenCount": one.total_tokens - one.output_tokens,
        "cachedContentTokenCount": one.cache_read_tokens,
        "candidatesTokenCount": one.output_tokens - _REASONING_TOKENS,
        "thoughtsTokenCount": _REASONING_TOKENS,
        "totalTokenCount": one.total_tokens,
    }


def _openai_usage(one: Answer, prompt: str, completion: str) -> dict[str, Any]:
    """Usage as OpenAI counts it: the prompt holds what was cached; there are no paid writes."""
    cached = one.cache_read_tokens
    # What the other protocol calls writes to the cache is plain prompt here.
    whole = one.total_tokens - one.output_tokens
    return {
        f"{prompt}_tokens": whole,
        f"{prompt}_tokens_details": {"cached_tokens": cached},
        f"{completion}_tokens": one.output_tokens,
        f"{completion}_tokens_details": {"reasoning_tokens": _REASONING_TOKENS},
        "total_tokens": one.total_tokens,
    }
