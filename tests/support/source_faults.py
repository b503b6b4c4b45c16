"""Damage to recorded files or to responses on their way, for tests of the sources."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.standin import Answer, Call, StandIn

HTML = b"<!doctype html><html><body>We will be back soon.</body></html>\n"
Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Fault:
    """How a recorded file is changed, or every response whose address contains `what`."""

    source: str
    what: str
    change: Change
    messages: tuple[str, ...]  # parts of the error message

    @property
    def is_response(self) -> bool:
        """Whether responses are changed instead of a recorded file."""
        return self.what.startswith(("/", "cursor="))


class Faulty(StandIn):
    """Changes the responses whose address contains a text."""

    def __init__(self, folder: Path, changes: dict[str, Change], page_size: int = 1000) -> None:
        super().__init__(folder, page_size=page_size)
        self.changes = changes

    def answer(self, call: Call) -> Answer:
        """The response of the stand-in, changed by the first fault that matches."""
        answer = super().answer(call)
        for address, change in self.changes.items():
            if address in call.target:
                return Answer(answer.status, change(answer.body), answer.headers)
        return answer


def damaged(world: Path, folder: Path, *faults: Fault, page_size: int = 1000) -> Faulty:
    """The recordings with these faults; changed files are in a copy of the world in `folder`."""
    if any(not f.is_response for f in faults):
        world = shutil.copytree(world, folder)
    for fault in (f for f in faults if not f.is_response):
        path = world / fault.what
        path.write_bytes(fault.change(path.read_bytes()))
    return Faulty(world, {f.what: f.change for f in faults if f.is_response}, page_size)


def half(data: bytes) -> bytes:
    """The first half of the bytes."""
    return data[: len(data) // 2]
