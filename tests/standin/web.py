"""Shared parts of the stand-in: calls, responses, refusals, file rules, reproducible zips."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

JSON_TYPE = "application/json; charset=utf-8"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class RecordingError(ValueError):
    """The folder cannot be served: says what, where, and what is available."""


@dataclass(frozen=True)
class Call:
    """One request: decoded path segments, query pairs as sent, header names in lower case."""

    method: str
    target: str
    segments: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Every value of a parameter, whether it was sent as `name=` or as `name[]=`."""
        return [value for key, value in self.query if key.removesuffix("[]") == name]

    def value(self, name: str) -> str | None:
        """The last value of a parameter, or None."""
        return next(reversed(self.values(name)), None)

    def flag(self, name: str) -> bool:
        """Whether a yes/no parameter was sent as true."""
        return (self.value(name) or "").lower() in {"true", "1"}


@dataclass(frozen=True)
class Answer:
    """A complete response. For HEAD the server keeps the headers and drops the body.

    `wire` is what happens to it on the line: plain, reset, stall, length_too_large (the line ends
    before the promised length) or length_too_small (more comes than was promised).
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: str = "plain"


class RefusalError(Exception):
    """An error answer; `code` is the Hub's X-Error-Code, on which its client chooses the class."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers

    def answer(self) -> Answer:
        """The refusal as the Hub words it: the message in a JSON body and in a header."""
        headers = {"X-Error-Message": self.message}
        headers |= {name.replace("_", "-"): value for name, value in self.headers.items()}
        if self.code is not None:
            headers["X-Error-Code"] = self.code
        return json_answer({"error": self.message}, self.status, headers)


def json_answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Compact UTF-8 JSON, the way the Hub sends it."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})


def parse_call(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Parses a request target; an invalid one is refused with 400."""
    try:
        parts = urlsplit(target)
        segments = tuple(unquote(part, errors="strict") for part in parts.path.split("/")[1:])
        query = parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=500)
    except ValueError as error:
        raise RefusalError(400, f"Unreadable request target: {error}") from error
    return Call(method, target, segments, tuple(query), headers, body)


def file_answer(call: Call, body: bytes, etag: str, headers: Mapping[str, str]) -> Answer:
    """Serve bytes as a file: 304 on a known ETag, 206 on one range, 416 beyond the end."""
    common = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", **headers}
    if _knows(call.headers.get("if-none-match"), etag):
        return Answer(304, b"", common)
    wanted = _range(call, len(body), etag)
    if wanted is None:
        return Answer(200, body, common)
    first, last = wanted
    if first > last:
        return Answer(416, b"", common | {"Content-Range": f"bytes */{len(body)}"})
    common["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Answer(206, body[first : last + 1], common)


def _knows(if_none_match: str | None, etag: str) -> bool:
    listed = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in listed or f'"{etag}"' in listed


def _range(call: Call, size: int, etag: str) -> tuple[int, int] | None:
    """First and last byte requested; None: send all; first > last: not satisfiable."""
    asked = _RANGE.fullmatch(call.headers.get("range", "").strip())
    fresh = call.headers.get("if-range", f'"{etag}"') == f'"{etag}"'
    if call.method != "GET" or asked is None or not any(asked.groups()) or not fresh:
        return None
    first, last = asked.groups()
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else (size, size - 1)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < int(first):
        return None  # RFC 9110: a range that runs backwards is invalid and ignored
    return (int(first), end) if int(first) < size else (size, size - 1)


def digest(*parts: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


def stable_zip(members: Mapping[str, bytes]) -> bytes:
    """A zip that depends only on names and contents: sorted, stored, one fixed time stamp."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()


def is_day(text: str) -> bool:
    """Whether a text is a calendar day, YYYY-MM-DD."""
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def day_folders(folder: Path) -> dict[str, Path]:
    """Sub-folders named after a day, oldest first; empty if the folder does not exist."""
    found = folder.iterdir() if folder.is_dir() else ()
    return {path.name: path for path in sorted(found) if path.is_dir() and is_day(path.name)}


def http_date(day: str) -> str:
    """Midnight UTC of a day in the form of a Last-Modified header."""
    return format_datetime(datetime.combine(date.fromisoformat(day), time(), UTC), usegmt=True)


def span(names: Iterable[str]) -> str:
    """Available names for an error message: all if few, else the first and last."""
    known = sorted(names)
    if len(known) > 15:
        return f"{known[0]} .. {known[-1]} ({len(known)} of them)"
    return ", ".join(known) or "nothing"
