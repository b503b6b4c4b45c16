"""The AI Index's public data, one zip per edition (the real one is a shared folder)."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from tests.standin.web import (
    Answer,
    Call,
    RefusalError,
    digest,
    file_answer,
    json_answer,
    span,
    stable_zip,
)

LISTING = "figure_catalog.csv"  # made for the recording, not part of the published folder


class AiIndex:
    """The recorded editions; a zip is built when it is first requested, and cached."""

    def __init__(self, folder: Path) -> None:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        self.editions = {path.name: path for path in found if path.is_dir() and _figures(path)}
        self._zips: dict[str, tuple[bytes, str]] = {}
        self._lock = Lock()

    def answer(self, call: Call, name: str) -> Answer:
        """/ai_index/EDITION.zip; /ai_index/ lists the editions."""
        if not name:
            return json_answer(list(self.editions))
        edition = name.removesuffix(".zip")
        if edition == name or edition not in self.editions:
            raise RefusalError(404, f"No such AI Index edition; recorded: {span(self.editions)}")
        body, etag = self._zip(edition)
        return file_answer(call, body, etag, {"Content-Type": "application/zip"})

    def _zip(self, edition: str) -> tuple[bytes, str]:
        with self._lock:
            if edition not in self._zips:
                root = f"PUBLIC DATA_ {edition} AI INDEX REPORT/"
                figures = _figures(self.editions[edition])
                body = stable_zip(
                    {root + name: file.read_bytes() for name, file in figures.items()}
                )
                self._zips[edition] = body, digest(body)
            return self._zips[edition]


def _figures(edition: Path) -> dict[str, Path]:
    """Every file of an edition by path, without our own listing."""
    files = {path.relative_to(edition).as_posix(): path for path in edition.rglob("*")}
    return {name: path for name, path in files.items() if path.is_file() and name != LISTING}
