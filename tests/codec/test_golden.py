"""The reference files that Go wrote: bytes out, bytes in, and what must be refused."""

from __future__ import annotations

import base64
import json
import re
import struct
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.codec import decode, encode
from m31a_metrics.errors import DamagedMetrics
from m31a_metrics.model import LLMMetric, PhaseMetric, SessionMetrics, ToolMetric
from m31a_metrics.units import EPOCH


def value(described: Any) -> Any:
    """What a manifest describes: strings as base64, floats as bits, times in parts."""
    match described:
        case {"b64": str(text)}:
            return base64.b64decode(text).decode("utf-8", "surrogateescape")
        case {"bits": str(bits)}:
            return struct.unpack(">d", bytes.fromhex(bits))[0]
        case {"unix": int(seconds), "nanos": int(nanos), "utc_offset_seconds": int(offset)}:
            zone = timezone(timedelta(seconds=offset))
            at = EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
            return at.astimezone(zone)
        case dict():
            return {key: value(item) for key, item in described.items()}
        case list():
            return [value(item) for item in described]
        case str():
            return int(described)
    return described


def session(described: dict[str, Any]) -> SessionMetrics:
    """The whole session of a manifest's entry."""
    values = value(described)
    values["tools"] = [ToolMetric(**row) for row in values["tools"]]
    values["llms"] = [LLMMetric(**row) for row in values["llms"]]
    values["phases"] = [PhaseMetric(**row) for row in values["phases"]]
    return SessionMetrics(**values)


def cut_to_microseconds(data: bytes) -> bytes:
    """A file of nanoseconds as datetimes can hold it."""
    return re.sub(rb"\.(\d{6})\d+Z", lambda found: fraction(found[1]) + b"Z", data)


def fraction(digits: bytes) -> bytes:
    """The digits behind the point, without zeros at their end, or nothing."""
    digits = digits.rstrip(b"0")
    return b"." + digits if digits else b""


@pytest.fixture(scope="module")
def entries(shared: Path) -> list[dict[str, Any]]:
    folder = shared / "golden" / "write"
    found: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["entries"]
    for entry in found:
        if "file" in entry:
            entry["bytes"] = (folder / entry["file"]).read_bytes()
    return found


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, Any]]:
    path = shared / "golden" / "load" / "manifest.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return found


def test_encode_writes_what_go_writes(entries: list[dict[str, Any]]) -> None:
    """Every session of the manifest gives Go's file, byte for byte."""
    described = [entry for entry in entries if "bytes" in entry and entry["schema"] == "seed"]
    wrong = [
        entry["name"]
        for entry in described
        if encode(session(entry["input"])) != cut_to_microseconds(entry["bytes"])
    ]
    assert described
    assert not wrong


def test_encode_refuses_what_go_refuses(entries: list[dict[str, Any]]) -> None:
    """What Go could not write cannot be written here, or not even be made."""
    refused = [entry for entry in entries if "error" in entry]
    assert refused
    for entry in refused:
        with pytest.raises((ValueError, OverflowError)):
            encode(session(entry["input"]))


def test_decode_reads_what_go_wrote(entries: list[dict[str, Any]]) -> None:
    """A file of Go's comes back the same from load and save."""
    written = [entry for entry in entries if "bytes" in entry and entry["schema"] == "seed"]
    wrong = [
        entry["name"]
        for entry in written
        if encode(decode(entry["bytes"]))
        # Go, too, writes U+FFFD raw once it was read from its escape.
        != cut_to_microseconds(entry["bytes"]).replace(rb"\ufffd", "\ufffd".encode())
    ]
    assert written
    assert not wrong


def test_newer_fields_survive(entries: list[dict[str, Any]]) -> None:
    """Everything that M31A's newer files hold survives; their zeros are left out."""
    newer = [entry for entry in entries if entry["schema"] == "ext"]
    assert newer
    for entry in newer:
        written = encode(decode(entry["bytes"]))
        assert without_zeros(json.loads(written)) == without_zeros(json.loads(entry["bytes"]))
        assert list(json.loads(written)) == list(json.loads(entry["bytes"]))
        assert encode(decode(written)) == written


def without_zeros(found: Any) -> Any:
    """A JSON value without members that are zero, so that absent equals zero."""
    if isinstance(found, dict):
        return {key: without_zeros(item) for key, item in found.items() if item or item == []}
    if isinstance(found, list):
        return [without_zeros(item) for item in found]
    return found


def test_decode_reads_as_go_reads(cases: list[dict[str, Any]]) -> None:
    """Load and save gives Go's bytes; null lists become empty, unknown keys are set aside."""
    accepted = [case for case in cases if "saved_b64" in case]
    wrong = []
    for case in accepted:
        found = decode(base64.b64decode(case["input_b64"]))
        # That Go program knew the page's keys alone, and Go drops what it does not know.
        found.plan_outcomes, found.startup, found.unknown = [], {}, {}
        saved = base64.b64decode(case["saved_b64"])
        if encode(found) != re.sub(rb'("(?:tools|llms|phases)": )null', rb"\1[]", saved):
            wrong.append(case["name"])
    assert accepted
    assert not wrong


def test_decode_refuses_what_go_refuses(cases: list[dict[str, Any]]) -> None:
    """Each file that Go refuses is refused with the file's name."""
    refused = [case for case in cases if "error" in case]
    assert refused
    for case in refused:
        with pytest.raises(DamagedMetrics, match="here/METRICS.json is damaged: "):
            decode(base64.b64decode(case["input_b64"]), "here/METRICS.json")
