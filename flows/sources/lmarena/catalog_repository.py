"""The GitHub repository of arena-catalog: its commits, and the board files of each."""

from __future__ import annotations

import logging
import re
from typing import Any

from flows.settings import Settings
from flows.sources.github import Commit, GitHubRepository, read_commits, read_tree
from flows.sources.lmarena.catalog_json import board_entries
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile

log = logging.getLogger("observatory.arena_catalog")

NAME, REPO = "arena_catalog", "lmarena/arena-catalog"
_PAGE = 100
_FILE = re.compile(r"data/(?P<name>leaderboard-[a-z0-9-]{1,60}\.json)")


class CatalogRepository:
    """The repository as GitHub serves it, and the draft that its files are added to."""

    def __init__(self, settings: Settings, draft: Draft) -> None:
        self.github, self.draft = GitHubRepository(settings, draft, REPO), draft

    def commits(self) -> list[Commit]:
        """Every commit that touched `data`, oldest first."""
        found: list[Commit] = []
        for page in range(1, 1000):
            path = f"commits?path=data&per_page={_PAGE}&page={page}"
            commits = self.github.query(path, f"commits-{page}.json", _commits)
            found += commits
            if len(commits) < _PAGE:
                break
        found.reverse()  # GitHub lists the newest first
        return sorted(found, key=lambda commit: commit.moment)

    def store(self, commit: Commit) -> None:
        """Stores the boards of one commit."""
        path = f"git/trees/{commit.sha}?recursive=1"
        for name, blob in self.github.query(path, f"{commit.folder}/tree.json", _boards).items():
            if not any(f.name == f"{commit.folder}/{name}" for f in self.draft.files):
                self._store_file(commit, name, blob)

    def reuse(self, files: list[ArchivedFile]) -> None:
        """Adds the files that an earlier snapshot has of a commit."""
        present = {f.name for f in self.draft.files}
        for file in files:
            if file.name not in present:
                self.draft.reuse(file, name=file.name, url=file.url)

    def _store_file(self, commit: Commit, name: str, blob: str) -> None:
        url = self.github.raw_url(commit.sha, f"data/{name}")
        stored_name = f"{commit.folder}/{name}"
        if same := next((f for f in self.draft.files if f.http_etag == blob), None):
            self.draft.reuse(same, name=stored_name, url=url)
            return
        data, rows = self.github.download(url, stored_name, blob, _count)
        self.draft.add_file(stored_name, data, url=url, etag=blob, rows_seen=rows)
        log.info("arena_catalog: %s, %s rows", stored_name, f"{rows:,}")


def _commits(content: list[dict[str, Any]]) -> list[Commit]:
    return read_commits(content, "author")


def _boards(content: dict[str, Any]) -> dict[str, str]:
    """Board file -> git's id of its bytes."""
    found = {_FILE.fullmatch(path): blob for path, blob in read_tree(content).items()}
    return {match["name"]: blob for match, blob in found.items() if match}


def _count(data: bytes) -> int:
    return sum(1 for _ in board_entries(data))
