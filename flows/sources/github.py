"""A repository on GitHub: its API, and its files checked against git's ids."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from flows.settings import Settings
from flows.sources.arrival import arriving
from flows.sources.hf_repository import digest_mismatch
from flows.sources.http import get
from warehouse.archive.draft import Draft

MOMENT = "%Y%m%dT%H%M%SZ"
SHA = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T")


@dataclass(frozen=True)
class Commit:
    """One state of a repository."""

    sha: str
    moment: datetime  # UTC

    @property
    def folder(self) -> str:
        """Its folder in a snapshot."""
        return f"{self.moment.strftime(MOMENT)}.{self.sha[:12]}"


@dataclass(frozen=True)
class GitHubRepository:
    """One repository as GitHub serves it, and the draft that its files are added to."""

    settings: Settings
    draft: Draft
    repo: str

    def query(self, path: str, name: str, read: Callable[[Any], T]) -> T:
        """What `read` makes of a response of the API; a damaged one is stored under `name`."""
        url = f"{self.settings.github_api_url}/repos/{self.repo}/{path}"
        content = self._get(url, _headers())
        with self._arriving(name, content, url):
            return read(orjson.loads(content))

    def raw_url(self, sha: str, path: str) -> str:
        """Address of a file at a commit."""
        return f"{self.settings.github_raw_url}/{self.repo}/{sha}/{path}"

    def download(
        self, url: str, name: str, blob: str, check: Callable[[bytes], T]
    ) -> tuple[bytes, T]:
        """A file whose bytes have git's id `blob`, and what `check` returns for them."""
        data = self._get(url, {})
        with self._arriving(name, data, url):
            if problem := digest_mismatch(data, blob):
                raise ValueError(problem)
            return data, check(data)

    def _arriving(self, name: str, data: bytes, url: str) -> AbstractContextManager[None]:
        do = "run again later; if it fails again, the repository or GitHub's API has changed"
        return arriving(self.draft, name, data, url, do)

    def _get(self, url: str, headers: dict[str, str]) -> bytes:
        source = self.draft.source
        return get(source, url, self.settings, headers=headers, variable="GITHUB_TOKEN").content


def _headers() -> dict[str, str]:
    """Headers for GitHub's API; its token is sent nowhere else and not stored."""
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    token = os.environ.get("GITHUB_TOKEN", "").strip()
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def read_commits(content: list[dict[str, Any]], who: str) -> list[Commit]:
    """The commits of a listing, with the time of their `author` or `committer`."""
    if not isinstance(content, list):
        raise TypeError("is not a list of commits")
    found = []
    for entry in content:
        moment = datetime.fromisoformat(entry["commit"][who]["date"])
        if moment.tzinfo is None:  # it would be read in the time zone of this machine
            raise ValueError(f"{moment} has no time zone")
        if not 1970 <= moment.year < 2200:
            raise ValueError(f"{moment} is not the time of a commit")
        found.append(Commit(_sha(entry["sha"]), moment.astimezone(UTC)))
    return found


def read_tree(content: dict[str, Any]) -> dict[str, str]:
    """Path -> git's id of the bytes, for every file of a tree."""
    if content["truncated"]:
        raise ValueError("the tree is incomplete")
    files = [entry for entry in content["tree"] if entry["type"] == "blob"]
    return {entry["path"]: _sha(entry["sha"]) for entry in files}


def _sha(text: object) -> str:
    if isinstance(text, str) and SHA.fullmatch(text):
        return text
    raise ValueError(f"{text!r:.50} is not the id of a commit or file")
