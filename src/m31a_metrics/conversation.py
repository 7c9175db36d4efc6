"""What was said in a session, as its agent's own file has it.

Read from that file at the moment of showing, shown to the person who asks, and kept nowhere:
nothing here may reach METRICS.json, a journal, the index, a report, an export or a log.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

TEXT_CHARS_MAX = 40_000
"""So much of one text is read for showing; what more there is, is counted."""
WINDOW_PARTS = 100
"""So many parts a window has where nobody asks for another number."""
ONE_RECORD = 0
"""In place of a number of parts: those of one record, whatever stands around it.

A result in it is a call of which nothing else is told but its id, as its record names it.
"""


class PartKind(StrEnum):
    """What a part of a conversation is."""

    PROMPT = "prompt"  # what a person wrote, or who started a subagent
    ANSWER = "answer"  # what the model said
    THINKING = "thinking"  # what it thought before that, where its agent keeps it
    CALL = "call"  # a tool call: input and output
    NOTICE = "notice"  # what the agent put between: a compaction, an interruption, an API error


class Image(Struct, frozen=True):
    """An image that is stored in the file. `place` is what its reader finds it by."""

    place: str
    media_type: str = ""


class Part(Struct):
    """One thing said, thought or done.

    `place` is where it stands in its file, as its reader understands it: a window can begin
    there. `t_us` is when (Unix microseconds, 0: not said); of a prompt it is the time of the
    session's `user_turn`, of a call `id` is the id of its `tool_call`, of an answer or thought
    the id of its `llm_interaction`: by these the session's figures are found. `input` and
    `output` are a call's, as text; `diff` is, in place of its input, what it changed, in
    unified form. `subagent` names the place at which the conversation of the subagent
    begins that the call started, or is "". `author` is the subagent that says it, "" for the
    session's own agent. `left_out` are the characters of its longest text that were not read.
    """

    kind: PartKind
    place: str
    t_us: int = 0
    id: str = ""
    text: str = ""
    model: str = ""
    tool: str = ""
    input: str = ""
    diff: str = ""
    output: str = ""
    success: bool | None = None
    denied: bool = False
    images: tuple[Image, ...] = ()
    subagent: str = ""
    author: str = ""
    left_out: int = 0


class Window(Struct):
    """Parts of a conversation in its order; `before` and `after` are the places to go on at.

    Both are "" where the conversation begins or ends. `damage` counts records in it that
    cannot be read.
    """

    parts: list[Part]
    before: str = ""
    after: str = ""
    damage: int = 0


class Title(Struct, frozen=True):
    """What a person recognises a session by.

    Its title, where its agent gave it one, and how it began. Both are one line without
    control characters, "" where there is none.
    """

    title: str = ""
    first_words: str = ""

    @property
    def line(self) -> str:
        """The title, else the first words."""
        return self.title or self.first_words
