"""The GitHub repository of arena-catalog: its commits, and the board files of each."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from flows.settings import Settings
from flows.sources.hf_repository import digest_mismatch
from flows.sources.http import SourceError, damaged_response, get
from flows.sources.lmarena.catalog_json import board_entries
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile

log = logging.getLogger("observatory.arena_catalog")

NAME, REPO = "arena_catalog", "lmarena/arena-catalog"
MOMENT = "%Y%m%dT%H%M%SZ"
SHA = re.compile(r"[0-9a-f]{40}")
_PAGE = 100
_FILE = re.compile(r"data/(?P<name>leaderboard-[a-z0-9-]{1,60}\.json)")

T = TypeVar("T")


@dataclass(frozen=True)
class Commit:
    """One state of the catalog."""

    sha: str
    moment: datetime  # of the author, UTC

    @property
    def folder(self) -> str:
        """Its folder in a snapshot."""
        return f"{self.moment.strftime(MOMENT)}.{self.sha[:12]}"


class CatalogRepository:
    """The repository as GitHub serves it, and the draft that its files are added to."""

    def __init__(self, settings: Settings, draft: Draft) -> None:
        self.settings, self.draft = settings, draft

    def commits(self) -> list[Commit]:
        """Every commit that touched `data`, oldest first."""
        found: list[Commit] = []
        for page in range(1, 1000):
            path = f"commits?path=data&per_page={_PAGE}&page={page}"
            commits = self._query(path, f"commits-{page}.json", _commits)
            found += commits
            if len(commits) < _PAGE:
                break
        found.reverse()  # GitHub lists the newest first
        return sorted(found, key=lambda commit: commit.moment)

    def store(self, commit: Commit) -> None:
        """Stores the boards of one commit."""
        path = f"git/trees/{commit.sha}?recursive=1"
        for name, blob in self._query(path, f"{commit.folder}/tree.json", _tree).items():
            if not any(f.name == f"{commit.folder}/{name}" for f in self.draft.files):
                self._store_file(commit, name, blob)

    def reuse(self, files: list[ArchivedFile]) -> None:
        """Adds the files that an earlier snapshot has of a commit."""
        present = {f.name for f in self.draft.files}
        for file in files:
            if file.name not in present:
                self.draft.reuse(file, name=file.name, url=file.url)

    def _store_file(self, commit: Commit, name: str, blob: str) -> None:
        url = f"{self.settings.github_raw_url}/{REPO}/{commit.sha}/data/{name}"
        stored_name = f"{commit.folder}/{name}"
        if same := next((f for f in self.draft.files if f.http_etag == blob), None):
            self.draft.reuse(same, name=stored_name, url=url)
            return
        data = self._get(url, {})
        try:
            if problem := digest_mismatch(data, blob):
                raise ValueError(problem)
            rows = sum(1 for _ in board_entries(data))
        except ValueError as error:
            raise self._error(stored_name, data, url, error) from error
        self.draft.add_file(stored_name, data, url=url, etag=blob, rows_seen=rows)
        log.info("arena_catalog: %s, %s rows", stored_name, f"{rows:,}")

    def _query(self, path: str, name: str, read: Callable[[Any], T]) -> T:
        url = f"{self.settings.github_api_url}/repos/{REPO}/{path}"
        content = self._get(url, _headers())
        try:
            return read(orjson.loads(content))
        except (LookupError, TypeError, ValueError) as error:
            raise self._error(name, content, url, error) from error

    def _get(self, url: str, headers: dict[str, str]) -> bytes:
        return get(NAME, url, self.settings, headers=headers, variable="GITHUB_TOKEN").content

    def _error(self, name: str, data: bytes, url: str, error: Exception) -> SourceError:
        what = f"{name}: {type(error).__name__}: {error}"
        do = "run again later; if it fails again, the repository or GitHub's API has changed"
        return damaged_response(self.draft, name, data, url, what, do)


def _headers() -> dict[str, str]:
    """Headers for GitHub's API; its token is sent nowhere else and not stored."""
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    token = os.environ.get("GITHUB_TOKEN", "").strip()
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _commits(content: list[dict[str, Any]]) -> list[Commit]:
    if not isinstance(content, list):
        raise TypeError("is not a list of commits")
    found = []
    for entry in content:
        moment = datetime.fromisoformat(entry["commit"]["author"]["date"])
        found.append(Commit(_sha(entry["sha"]), moment.astimezone(UTC)))
    return found


def _tree(content: dict[str, Any]) -> dict[str, str]:
    """Board file -> git's id of its bytes."""
    if content["truncated"]:
        raise ValueError("the tree is incomplete")
    found = {}
    for entry in content["tree"]:
        if entry["type"] == "blob" and (match := _FILE.fullmatch(entry["path"])):
            found[match["name"]] = _sha(entry["sha"])
    return found


def _sha(text: object) -> str:
    if isinstance(text, str) and SHA.fullmatch(text):
        return text
    raise ValueError(f"{text!r:.50} is not the id of a commit or file")
