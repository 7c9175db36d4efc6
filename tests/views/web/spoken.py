"""An invented session of Claude Code, written as its transcript has it, of any size.

Turns of a person and an agent at work on a shop: it looks, thinks, plans, edits, runs checks that
fail and mends them, asks a subagent, is refused, and is shown a picture.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from struct import pack
from typing import Any
from zlib import compress, crc32

MODEL = "claude-sonnet-4-5-20250929"
PROJECT = "/home/ada/shop"
SESSION = "4c1d7e90-5a3b-4f6e-9b1a-2f8e6d0c7a11"
SUBAGENT = "a1b2c3d4e5f6"

_PROMPTS = """\
The total of a cart with a voucher is wrong when an item is taken out again. Please find out \
why and mend it, with a test.
%
Looks good. Now the same for gift cards, they go through another path I think.

- keep the rounding as it is
- no new dependency
%
Why is the page of the checkout slow? It takes 4 s here, see the picture.
%
Can you commit this and push it to my branch?
%
One of the tests fails on CI but not here:

    FAILED tests/test_checkout.py::test_two_currencies - AssertionError: 12.49 != 12.50

What could it be?
"""
_THOUGHTS = """\
The voucher is applied to the sum of all lines, and kept when a line is removed. So the \
discount is of a sum that is not there any more. I should look at `Cart.remove` first, then at \
who calls `apply`.
%
There are two ways to mend this: compute the discount each time, or invalidate it. The first \
is simpler, and carts are small.
%
The test fails because of the order in which currencies are converted. Rounding before the sum \
and after it differ by a cent.
"""
_ANSWERS = """\
I'll look at how the total is made first.
%
The cause is in `Cart.remove`: it takes the line out and leaves `discount` as it was.

**Before**

```python
def remove(self, sku: str) -> None:
    del self.lines[sku]
```

I'll compute the discount whenever the total is asked for:

1. `Cart.total` asks the voucher for its part of the sum
2. `Cart.discount` goes away
   - nobody else reads it
   - the template uses `total`

See [the issue](https://tracker.example/issues/418) for what was agreed.
%
All tests pass now:

| Suite | Tests | Time |
|---|---:|---:|
| cart | 41 | 1.2 s |
| checkout | 87 | 6.4 s |

The total is right after an item is removed, and `test_voucher_after_removal` keeps it so.
%
# What makes it slow

The checkout asks the tax service **once per line**. With 40 lines that is 40 requests of 90 ms.

> Requests for the same country are the same.

I'd ask once per country and keep the answer for the request.
"""
PROMPTS, THOUGHTS, ANSWERS = (text.split("%\n") for text in (_PROMPTS, _THOUGHTS, _ANSWERS))
FILES = ("src/cart.py", "src/voucher.py", "src/checkout.py", "tests/test_cart.py", "src/tax.py")
FAILED = (
    "============ FAILURES ============\n"
    "FAILED tests/test_cart.py::test_voucher_after_removal - AssertionError: 90.0 != 80.0\n"
    "1 failed, 40 passed in 1.31s"
)
CODE = '''class Cart:
    """Lines of a customer, and what they come to."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.voucher: Voucher | None = None

    def total(self) -> Decimal:
        amount = sum((line.price * line.count for line in self.lines.values()), Decimal(0))
        return amount - (self.voucher.part_of(amount) if self.voucher else 0)
'''


def picture(width: int = 480, height: int = 240) -> bytes:
    """A PNG of bars: what a browser's tool would show of requests."""
    rows = []
    for y in range(height):
        row = bytearray(b"\xf4\xf4\xf0" * width)
        bar, within = divmod(y, 24)
        if 6 <= within < 18:
            begins, length = 20 + bar * 38, 34 + (bar * 53) % 60
            row[begins * 3 : (begins + length) * 3] = b"\x4a\x9b\xd4" * length
        rows.append(b"\0" + bytes(row[: width * 3]))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))

    head = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", compress(b"".join(rows))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


class Session:
    """Writes the records of one session; `at` is the time of the last."""

    def __init__(self, began: datetime, seed: int) -> None:
        self.at = began
        self.chance = Random(seed)
        self.number = 0

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield records turn by turn, without end."""
        for turn in range(10**9):
            yield from self.turn(turn)
            self.at += timedelta(minutes=self.chance.randrange(1, 9))

    def turn(self, turn: int) -> Iterator[dict[str, Any]]:
        """Yield the records of one turn: which one decides what is asked."""
        said = PROMPTS[turn % len(PROMPTS)]
        content: list[dict[str, Any]] = [{"type": "text", "text": said}]
        if "picture" in said:
            data = b64encode(picture()).decode()
            source = {"type": "base64", "media_type": "image/png", "data": data}
            content.append({"type": "image", "source": source})
        yield self._record("user", {"role": "user", "content": content})
        yield self._answer(ANSWERS[0], THOUGHTS[turn % len(THOUGHTS)])
        for file in self.chance.sample(FILES, 2):
            yield from self._call("Read", {"file_path": f"{PROJECT}/{file}"}, self._text())
        if turn % 5 == 1:
            yield from self._delegate()
        yield self._answer(ANSWERS[1])
        for again in range(self.chance.randrange(1, 3)):
            if not again:
                yield from self._check("pytest tests/test_cart.py -q", FAILED)
            yield from self._edit(again)
        yield from self._check("pytest tests/test_cart.py -q", "41 passed in 1.20s", ok=True)
        if "push" in said:
            yield from self._call(
                "Bash", {"command": "git push origin faster-cart"},
                "The user doesn't want to proceed with this tool use. The tool use was rejected "
                "(eg. if it was a file edit, the new_string was NOT written to the file). STOP "
                "what you are doing and wait for the user to tell you how to proceed.",
                ok=False, said="User rejected tool use",
            )  # fmt: skip
        costly = 12 if turn % 7 == 4 else 1
        yield self._answer(ANSWERS[2 + turn % 2], costly=costly)
        if turn % 9 == 8:
            yield self._record(
                "system", None, subtype="compact_boundary", content="Conversation compacted",
                compactMetadata={"trigger": "auto", "preTokens": 167_000},
            )  # fmt: skip

    def _text(self) -> str:
        """What a file holds: mostly short, at times a lot."""
        return CODE * self.chance.choice((1, 1, 2, 4, 4, 12, 40))

    def _edit(self, again: int) -> Iterator[dict[str, Any]]:
        old = "        return amount - self.discount\n"
        new = "        return amount - (self.voucher.part_of(amount) if self.voucher else 0)\n"
        path = f"{PROJECT}/{FILES[again % 2]}"
        hunk = {
            "oldStart": 12, "oldLines": 3, "newStart": 12, "newLines": 4,
            "lines": ["     def total(self) -> Decimal:", f"-{old.rstrip()}", f"+{new.rstrip()}",
                      "+        # asked anew each time: carts are small", "     "],
        }  # fmt: skip
        yield from self._call(
            "Edit", {"file_path": path, "old_string": old, "new_string": new},
            f"The file {path} has been updated.",
            said={"filePath": path, "structuredPatch": [hunk]},
        )  # fmt: skip

    def _check(self, command: str, printed: str, *, ok: bool = False) -> Iterator[dict[str, Any]]:
        yield from self._call(
            "Bash", {"command": command, "description": "Run the tests of the cart"},
            printed if ok else f"Exit code 1\n{printed}", ok=ok,
        )  # fmt: skip

    def _delegate(self) -> Iterator[dict[str, Any]]:
        given = {"description": "Find callers of apply", "prompt": "Find who calls Voucher.apply.",
                 "subagent_type": "Explore"}  # fmt: skip
        self.at += timedelta(seconds=40)
        yield from self._call(
            "Task", given, "Three places call it: cart.py, checkout.py and a test.",
            said={"agentId": SUBAGENT, "totalDurationMs": 41_000, "status": "completed"},
        )  # fmt: skip

    def _call(
        self, tool: str, given: dict[str, Any], output: str, *, ok: bool = True, said: Any = None
    ) -> Iterator[dict[str, Any]]:
        self.number += 1
        id_ = f"toolu_{self.number:08d}"
        use = {"type": "tool_use", "id": id_, "name": tool, "input": given}
        yield self._assistant([use])
        self.at += timedelta(milliseconds=self.chance.randrange(20, 9_000))
        result = {"type": "tool_result", "tool_use_id": id_, "content": output, "is_error": not ok}
        yield self._record(
            "user", {"role": "user", "content": [result]}, toolUseResult=said or {"stdout": output}
        )

    def _answer(self, text: str, thought: str = "", *, costly: int = 1) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if thought:
            content.insert(0, {"type": "thinking", "thinking": thought, "signature": "x"})
        return self._assistant(content, costly)

    def _assistant(self, content: list[dict[str, Any]], costly: int = 1) -> dict[str, Any]:
        self.at += timedelta(milliseconds=self.chance.randrange(900, 7_000))
        self.number += 1
        usage = {"input_tokens": 12, "output_tokens": 300 * costly * costly,
                 "cache_read_input_tokens": 21_000, "cache_creation_input_tokens": 900}  # fmt: skip
        message = {"id": f"msg_{self.number:08d}", "type": "message", "role": "assistant",
                   "model": MODEL, "content": content, "usage": usage}  # fmt: skip
        return self._record("assistant", message, requestId=f"req_{self.number:08d}")

    def _record(self, kind: str, message: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
        self.at += timedelta(milliseconds=40)
        self.number += 1
        record = {"type": kind, "uuid": f"u{self.number:08d}", "sessionId": SESSION,
                  "cwd": PROJECT, "version": "2.1.0", "gitBranch": "faster-cart",
                  "timestamp": self.at.isoformat(timespec="milliseconds")}  # fmt: skip
        return record | ({"message": message} if message is not None else {}) | more


def written(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Write records as lines."""
    return [json.dumps(record) for record in records]


def write(home: Path, began: datetime, *, turn_count: int = 12, at_least_bytes: int = 0) -> Path:
    """Write the session below a home, of so many turns and bytes or more; returns its path."""
    folder = home / ".claude" / "projects" / PROJECT.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{SESSION}.jsonl"
    size = prompts = 0
    with path.open("w") as file:
        file.write(json.dumps({"type": "ai-title", "aiTitle": "Wrong total after removing an item",
                               "sessionId": SESSION}) + "\n")  # fmt: skip
        for record in Session(began, 7).lines():
            content = record.get("message", {}).get("content", [{}])
            prompts += record["type"] == "user" and content[0].get("type") == "text"
            if prompts > turn_count and size >= at_least_bytes:
                break
            size += file.write(json.dumps(record) + "\n")
    _write_subagent(folder / SESSION / "subagents", began + timedelta(minutes=8))
    return path


def _write_subagent(folder: Path, began: datetime) -> None:
    folder.mkdir(parents=True)
    session = Session(began, 8)
    asked = {"role": "user", "content": "Find who calls Voucher.apply."}
    told = [
        session._record("user", asked),
        *session._call("Grep", {"pattern": "\\.apply\\(", "path": "src"}, "src/cart.py:31\n"),
        session._answer("Three places call it: cart.py, checkout.py and a test."),
    ]
    for record in told:
        record |= {"isSidechain": True, "agentId": SUBAGENT}
        record["uuid"] = f"s{record['uuid']}"
    text = "".join(f"{json.dumps(record)}\n" for record in told)
    for prefix in ("toolu_", "msg_", "req_"):
        text = text.replace(prefix, f"{prefix}s")
    (folder / f"agent-{SUBAGENT}.jsonl").write_text(text)
