"""A Hub repository made of a folder: info, tree, paths-info and file download."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl

from tests.standin.web import Answer, Call, RefusalError, digest, file_answer, json_answer

_LAST_DAY = re.compile(r"\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True)
class RepoFile:
    """One file of the repository; `pointer` is the git-lfs text that git itself stores."""

    path: str
    file: Path
    size: int
    sha256: str
    is_lfs: bool = True

    @property
    def pointer(self) -> bytes:
        """The pointer file, exactly as git-lfs writes it."""
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def oid(self) -> str:
        """Git's id of the blob that git stores: the pointer, or the file itself."""
        blob = self.pointer if self.is_lfs else self.file.read_bytes()
        return _sha1(b"blob %d\0" % len(blob) + blob)

    def lfs(self, name: str) -> dict[str, Any]:
        """The lfs record; the tree calls the digest `oid`, the sibling list `sha256`."""
        return {name: self.sha256, "size": self.size, "pointerSize": len(self.pointer)}


class Repo:
    """A dataset or Space with one branch, `main`, and one commit: the folder as it is now.

    The folder is looked at again on every request, so a file that changes while the server runs
    gives a new commit, and the commit before it is gone.
    """

    def __init__(self, root: Path, repo_id: str, lfs_suffixes: set[str] | None = None) -> None:
        self.root, self.repo_id, self.lfs_suffixes = root, repo_id, lfs_suffixes

    def files(self) -> dict[str, RepoFile]:
        """The files by their path in the repository, in order."""
        found = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {file.path: file for file in map(self._file, found)}

    def commit(self) -> str:
        """The newest commit."""
        return _commit(self.files(), "main")

    def _file(self, path: Path) -> RepoFile:
        stat = path.stat()
        sha256 = _file_digest(path, stat.st_size, stat.st_mtime_ns)
        is_lfs = self.lfs_suffixes is None or path.suffix in self.lfs_suffixes
        return RepoFile(path.relative_to(self.root).as_posix(), path, stat.st_size, sha256, is_lfs)

    def api(self, call: Call, rest: tuple[str, ...]) -> Answer:
        """Everything below /api/datasets/{id}; `rest` is what follows the id."""
        files = self._files()
        match rest:
            case ():
                return self._info(call, files, "main")
            case ("revision", revision):
                return self._info(call, files, revision)
            case ("tree", revision, *below):
                return self._tree(call, files, revision, "/".join(below))
            case ("paths-info", revision):
                return self._paths_info(call, files, revision)
        raise RefusalError(404, f"The stand-in does not answer {call.target}")

    def resolve(self, call: Call, revision: str, path: str) -> Answer:
        """One file, with the headers on which download clients build their cache."""
        files = self._files()
        commit = _commit(files, revision)
        if path not in files:
            raise RefusalError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit)
        body = files[path].file.read_bytes()
        sha256 = digest(body)
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Repo-Commit": commit,
            "X-Linked-Etag": f'"{sha256}"',
            "X-Linked-Size": str(len(body)),
        }
        return file_answer(call, body, sha256, headers)

    def _files(self) -> dict[str, RepoFile]:
        files = self.files()
        if not files:
            raise RefusalError(404, "Repository not found", "RepoNotFound")
        return files

    def _info(self, call: Call, files: dict[str, RepoFile], revision: str) -> Answer:
        commit = _commit(files, revision)
        info = {
            "_id": "0" * 8 + digest(self.repo_id.encode())[:16],
            "id": self.repo_id,
            "author": self.repo_id.partition("/")[0],
            "sha": commit,
            "lastModified": self._modified(files.values()),
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "siblings": [_sibling(file, call.flag("blobs")) for file in files.values()],
        }
        if expand := call.values("expand"):
            info = {key: info[key] for key in ("_id", "id", *expand) if key in info}
        return json_answer(info)

    def _tree(self, call: Call, files: dict[str, RepoFile], revision: str, below: str) -> Answer:
        commit = _commit(files, revision)
        entries = _entries(files)
        if below and entries.get(below, {}).get("type") != "directory":
            raise RefusalError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit)
        base = PurePosixPath(below)
        paths = [path for path in entries if base in PurePosixPath(path).parents]
        if not call.flag("recursive"):
            paths = [path for path in paths if PurePosixPath(path).parent == base]
        return json_answer(self._described(files, (entries[path] for path in paths), call))

    def _paths_info(self, call: Call, files: dict[str, RepoFile], revision: str) -> Answer:
        _commit(files, revision)
        form = _form(call)
        entries = _entries(files)
        asked = [entries[path] for path in form.values("paths") if path in entries]
        return json_answer(self._described(files, asked, form))

    def _described(
        self, files: dict[str, RepoFile], entries: Iterable[dict[str, Any]], asked: Call
    ) -> list[dict[str, Any]]:
        """The entries, with the last commit only where `expand` asks for it."""
        if not asked.flag("expand"):
            return list(entries)
        commit = {
            "id": _commit(files, "main"),
            "title": "Recorded state",
            "date": self._modified(files.values()),
        }
        return [entry | {"lastCommit": commit} for entry in entries]

    def _modified(self, files: Iterable[RepoFile]) -> str:
        """When the data was last observed by the recording's MANIFEST; else the files' own time."""
        manifest = self.root.parents[1] / "MANIFEST.csv"
        prefix = "/".join(self.root.parts[-2:]) + "/"
        days = _manifest_days(manifest, manifest.stat().st_mtime_ns) if manifest.is_file() else {}
        observed = [day for path, day in days.items() if path.startswith(prefix)]
        if observed:
            return f"{max(observed)}T00:00:00.000Z"
        newest = max(file.file.stat().st_mtime for file in files)
        return datetime.fromtimestamp(int(newest), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@lru_cache(maxsize=4096)
def _file_digest(path: Path, _size: int, _mtime_ns: int) -> str:
    return digest(path.read_bytes())


@lru_cache(maxsize=8)
def _manifest_days(manifest: Path, _mtime_ns: int) -> dict[str, str]:
    """Last observed day of each listed file (`observation_date` is a day or `from..to`)."""
    with manifest.open(encoding="utf-8", newline="") as lines:
        listed = [(r.get("path"), r.get("observation_date")) for r in csv.DictReader(lines)]
    found = [(path, _LAST_DAY.search(days or "")) for path, days in listed]
    return {path: day.group() for path, day in found if path and day}


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def commit_of(files: dict[str, RepoFile]) -> str:
    """The id of a commit; it is derived from every path and content."""
    return _sha1("".join(f"{f.sha256} {f.path}\n" for f in files.values()).encode())


def _commit(files: dict[str, RepoFile], revision: str) -> str:
    """The commit that a revision names."""
    commit = commit_of(files)
    if revision not in {"main", "refs/heads/main", commit}:
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return commit


def _sibling(file: RepoFile, blobs: bool) -> dict[str, Any]:
    known: dict[str, Any] = {"size": file.size, "blobId": file.oid}
    known |= {"lfs": file.lfs("sha256")} if file.is_lfs else {}
    return {"rfilename": file.path, **(known if blobs else {})}


def _entries(files: dict[str, RepoFile]) -> dict[str, dict[str, Any]]:
    """Files and the folders above them, by path and in order of path."""
    inside: dict[str, list[str]] = {}
    for file in files.values():
        for folder in PurePosixPath(file.path).parents[:-1]:
            inside.setdefault(folder.as_posix(), []).append(f"{file.oid} {file.path}\n")
    entries = {
        folder: {"type": "directory", "oid": _sha1("".join(listed).encode()), "size": 0}
        for folder, listed in inside.items()
    }
    for file in files.values():
        entries[file.path] = {"type": "file", "oid": file.oid, "size": file.size}
        entries[file.path] |= {"lfs": file.lfs("oid")} if file.is_lfs else {}
    return {path: entries[path] | {"path": path} for path in sorted(entries)}


def _form(call: Call) -> Call:
    """The parameters of a POST body, a form or JSON, treated like a query."""
    try:
        if "json" not in call.headers.get("content-type", ""):
            pairs = parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=10_000)
            return Call(call.method, call.target, query=tuple(pairs))
        sent = json.loads(call.body)
        paths, expand = sent.get("paths", []), sent.get("expand", False)
        paths = [paths] if isinstance(paths, str) else [str(path) for path in paths]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise RefusalError(400, f"Unreadable body: {error}") from error
    pairs = [*(("paths", path) for path in paths), ("expand", str(expand))]
    return Call(call.method, call.target, query=tuple(pairs))
