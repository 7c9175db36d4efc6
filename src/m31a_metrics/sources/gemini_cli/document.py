"""A chat as one JSON document, which Gemini CLI rewrites whole after each message.

Caught in the middle of that, or damaged, it is no JSON any more: then its messages are
read one by one, as far as they are whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from m31a_metrics.foreign_files import read_head, read_whole
from m31a_metrics.jsonlines import UNREADABLE
from m31a_metrics.sources.gemini_cli.records import Chat, chat_decoder, message_decoder
from m31a_metrics.sources.gemini_cli.session import Session
from m31a_metrics.transcript import Damage

_BYTES_MAX = 2**26
_HEAD_BYTES = 2**12
_ATTEMPTS = 20

_FIELD = r'"%s"\s*:\s*"([^"\\]{1,200})"'
_SESSION_ID = re.compile(_FIELD % "sessionId")
_START_TIME = re.compile(_FIELD % "startTime")
_PROJECT_HASH = re.compile(_FIELD % "projectHash")
_MESSAGES = re.compile(r'"messages"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_MESSAGE = re.compile(r'\{\s*"(?:id|type|timestamp|content)"\s*:')


def read_document(path: str, session: Session, damage: Damage) -> bool:
    """Take all messages of a document; False if it is no chat. Raises OSError."""
    if not read_head(path, _HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    data = read_whole(path, _BYTES_MAX)
    try:
        chat = chat_decoder().decode(data)
    except UNREADABLE as error:
        return _take_whole_ones(path, data, error, session, damage)
    if chat.sessionId is None or chat.messages is None:
        return False
    if chat.startTime is None and chat.projectHash is None:
        return False
    _take_header(session, chat)
    decoder = message_decoder()
    for number, raw in enumerate(chat.messages, 1):
        try:
            session.take(decoder.decode(raw))
        except UNREADABLE as error:
            damage.add(f"{path}, message {number}", error)
    return True


def _take_header(session: Session, chat: Chat) -> None:
    session.header(chat.sessionId, chat.startTime, chat.kind)
    session.updated(chat.lastUpdated)
    if chat.directories:
        session.facts.project = chat.directories[0]


def _take_whole_ones(
    path: str, data: bytes, error: Exception, session: Session, damage: Damage
) -> bool:
    text = data.decode("utf-8", "replace")
    found, begin = _SESSION_ID.search(text), _MESSAGES.search(text)
    if begin is None or not (found or _PROJECT_HASH.search(text)):
        return False
    start = _START_TIME.search(text)
    session.header(found[1] if found else None, start[1] if start else None, None)
    damage.add(path, error)
    decoder = message_decoder()
    for number, part in enumerate(_objects(text, begin.end()), 1):
        try:
            session.take(decoder.decode(part))
        except UNREADABLE as bad:
            damage.add(f"{path}, message {number}", bad)
    return True


def _objects(text: str, at: int) -> Iterator[str]:
    """Yield the whole objects of a list; behind a broken one, go on where one may begin."""
    from json import JSONDecoder

    decoder = JSONDecoder()
    attempts = 0
    while attempts < _ATTEMPTS:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if text[at : at + 1] != "{":
            return
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            attempts += 1
            again = _MESSAGE.search(text, at + 1)
            if again is None:
                return
            at = again.start()
        else:
            yield text[at:end]
            at = end
