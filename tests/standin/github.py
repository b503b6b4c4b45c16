"""GitHub's API and raw files for one repository: a commit per recorded day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.standin.web import (
    Answer,
    Call,
    RefusalError,
    day_folders,
    digest,
    file_answer,
    json_answer,
)

OWNER, NAME = "lmarena", "arena-catalog"


@dataclass(frozen=True)
class Commit:
    """The state of one day: the recorded files, at `data/<file>`."""

    sha: str
    day: str
    files: dict[str, Path]


class Catalog:
    """`<folder>/<day>/*.json` as the history of lmarena/arena-catalog.

    A commit's id is derived from its day and its files, its author's date is that day. The folder
    is looked at again on every request.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def commits(self) -> list[Commit]:
        """Every commit, newest first."""
        found = []
        for day, folder in day_folders(self.folder).items():
            files = {path.name: path for path in sorted(folder.glob("*.json"))}
            listing = "".join(f"{blob_id(p.read_bytes())} {name}\n" for name, p in files.items())
            if files:
                found.append(Commit(_sha1(f"{day}\n{listing}".encode()), day, files))
        return found[::-1]

    def api(self, call: Call, rest: tuple[str, ...]) -> Answer:
        """Below /repos/lmarena/arena-catalog: commits?path=data, git/trees/<commit>."""
        match rest:
            case ("commits",):
                return json_answer(page(call, self._listed(call)))
            case ("git", "trees", sha):
                return json_answer(_tree(self._commit(sha), call))
        raise RefusalError(404, "Not Found")

    def raw(self, call: Call, sha: str, path: str) -> Answer:
        """A file at a commit."""
        folder, _, name = path.partition("/")
        commit = self._commit(sha)
        if folder != "data" or name not in commit.files:
            raise RefusalError(404, "404: Not Found")
        body = commit.files[name].read_bytes()
        return file_answer(call, body, digest(body), {"Content-Type": "text/plain"})

    def _listed(self, call: Call) -> list[dict[str, Any]]:
        if (call.value("path") or "data") != "data":
            return []
        return [_described(commit) for commit in self.commits()]

    def _commit(self, sha: str) -> Commit:
        found = next((commit for commit in self.commits() if commit.sha == sha), None)
        if found is None:
            raise RefusalError(404, "Not Found")
        return found


def _described(commit: Commit) -> dict[str, Any]:
    who = {"name": "LMArena", "email": "nobody@example.org", "date": f"{commit.day}T00:00:00Z"}
    return {"sha": commit.sha, "commit": {"author": who, "committer": who, "message": "Update"}}


def page(call: Call, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The page of a listing that a call asks for."""
    try:
        size = min(max(int(call.value("per_page") or 30), 1), 100)
        first = (max(int(call.value("page") or 1), 1) - 1) * size
    except ValueError as error:
        raise RefusalError(422, "Invalid page") from error
    return entries[first : first + size]


def _tree(commit: Commit, call: Call) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {"path": "data", "mode": "040000", "type": "tree", "sha": _sha1(commit.sha.encode())}
    ]
    if call.flag("recursive"):
        for name, path in commit.files.items():
            body = path.read_bytes()
            blob = {"mode": "100644", "type": "blob", "sha": blob_id(body), "size": len(body)}
            entries.append({"path": f"data/{name}", **blob})
    return {"sha": commit.sha, "tree": entries, "truncated": False}


def blob_id(body: bytes) -> str:
    """Git's id of a file with these bytes."""
    return _sha1(b"blob %d\0" % len(body) + body)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
