"""What can go wrong between a listing and its reader, by a seeded plan.

A plan is a small JSON object, e.g. ``{"kinds": ["http_503", "html"], "rate": 0.1, "seed": 7}``.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from tests.standin.web import JSON_TYPE, Answer, Call, RecordingError

HTML = b"<!doctype html><html><body>We will be back soon.</body></html>\n"
SECRET = "hf_" + "s3cretS3cret" * 3
# Temporary or harmless faults: a sweep must survive all of them.
RECOVERABLE = (
    "rate_limit",
    "retry_after",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "reset",
    "stall",
    "truncated",
    "length_too_large",
    "length_too_small",
    "html",
    "no_list",
    "nameless",
    "repeated_page",
    "missing_link",
    "cursor_loop",
    "moved_rows",
    "token_in_url",
)
FINAL = ("http_401", "http_403")
_MOVED = 3


@dataclass(frozen=True)
class FaultPlan:
    """Which faults, how often, and the maximum per address before a sound response."""

    kinds: tuple[str, ...] = RECOVERABLE
    rate: float = 0.1  # of the requests
    seed: int = 0
    in_a_row: int = 2
    path: str = "/api/"  # requests whose address starts with this
    wait: int = 0  # s, in RateLimit and Retry-After
    stall: float = 30  # s, longer than the client's timeout

    def __post_init__(self) -> None:
        unknown = sorted({*self.kinds} - {*RECOVERABLE, *FINAL})
        if unknown or not self.kinds:
            raise RecordingError(f"no such faults: {unknown}; there are {RECOVERABLE + FINAL}")


def read_plan(text: str) -> FaultPlan:
    """A plan from JSON text or a JSON file."""
    try:
        fields: dict[str, Any] = json.loads(
            text if text.startswith("{") else Path(text).read_text()
        )
        return FaultPlan(
            **fields | ({"kinds": tuple(fields["kinds"])} if "kinds" in fields else {})
        )
    except (OSError, TypeError, ValueError) as error:
        raise RecordingError(f"{text} is not a fault plan: {error}") from error


@dataclass
class Faults:
    """A plan in action: what was done so far, and the previous page."""

    plan: FaultPlan
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.plan.seed)
        self._in_a_row: Counter[str] = Counter()
        self._pages: dict[str, bytes] = {}  # the last two that differ in address

    def spoil(self, call: Call, answer: Answer) -> Answer:
        """The response, sound or damaged."""
        if answer.status != 200 or not call.target.startswith(self.plan.path):
            return answer
        before = next((p for a, p in reversed(self._pages.items()) if a != call.target), None)
        self._pages[call.target] = answer.body
        while len(self._pages) > 2:
            del self._pages[next(iter(self._pages))]
        kind = self._random.choice(self.plan.kinds)
        if self._random.random() >= self.plan.rate or (
            self._in_a_row[call.target] >= self.plan.in_a_row
        ):
            self._in_a_row.pop(call.target, None)
            return answer
        spoilt = self._spoilt(kind, call, answer, before)
        if spoilt is not answer:
            self.done[kind] += 1
            self._in_a_row[call.target] += 1
        return spoilt

    def _spoilt(self, kind: str, call: Call, answer: Answer, before: bytes | None) -> Answer:
        family, _, rest = kind.partition("_")
        if family == "http":
            return Answer(int(rest), b'{"error":"out of order"}', {"Content-Type": JSON_TYPE})
        if kind in ("reset", "stall", "length_too_large", "length_too_small"):
            return replace(answer, wire=kind)
        if kind in _LINKED:
            return _with_link(kind, call, answer)
        return self._with_body(kind, answer, before)

    def _with_body(self, kind: str, answer: Answer, before: bytes | None) -> Answer:
        match kind:
            case "rate_limit":
                headers = {"RateLimit": f'"api";r=0;t={self.plan.wait}', **_policy(answer)}
                return Answer(429, b'{"error":"rate limited"}', headers)
            case "retry_after":
                headers = {"Retry-After": str(self.plan.wait)}
                return Answer(429, b'{"error":"rate limited"}', headers)
            case "truncated":
                return replace(answer, body=answer.body[: len(answer.body) * 2 // 3])
            case "html":
                return replace(answer, body=HTML)
            case "no_list":
                return replace(answer, body=b'{"error":"busy"}')
            case "nameless":
                items = orjson.loads(answer.body)
                return replace(answer, body=orjson.dumps([{"likes": 1} for _ in items]))
            case "repeated_page" if before is not None:
                return replace(answer, body=before)
            case "moved_rows" if before is not None:
                items = orjson.loads(before)[-_MOVED:] + orjson.loads(answer.body)
                return replace(answer, body=orjson.dumps(items))
        return answer


_LINKED = ("missing_link", "cursor_loop", "token_in_url")


def _with_link(kind: str, call: Call, answer: Answer) -> Answer:
    link = answer.headers.get("Link")
    if link is None or (kind == "cursor_loop" and call.value("cursor") is None):
        return answer
    others = {name: value for name, value in answer.headers.items() if name != "Link"}
    if kind == "token_in_url":
        others["Link"] = link.replace(">;", f"&token={SECRET}>;")
    if kind == "cursor_loop":
        origin = link.lstrip("<").partition("/api/")[0]
        others["Link"] = f'<{origin}{call.target}>; rel="next"'
    return replace(answer, headers=others)


def _policy(answer: Answer) -> dict[str, str]:
    name = "RateLimit-Policy"
    return {name: answer.headers[name]} if name in answer.headers else {}
