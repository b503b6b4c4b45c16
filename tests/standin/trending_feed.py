"""GitHub's API and raw files for a feed of trending models: a commit per recorded day."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.standin.github import blob_id, page
from tests.standin.web import Answer, Call, RefusalError, digest, file_answer, json_answer

OWNER, NAME, FILE = "zernel", "huggingface-trending-feed", "docs/feed.json"
PAGE = "https://huggingface.co"


@dataclass(frozen=True)
class FeedCommit:
    """One recorded commit: its time (UTC) and its models in order."""

    sha: str
    observed_at: str
    models: tuple[str, ...]

    @property
    def feed(self) -> bytes:
        """The feed as the recorder writes it."""
        links = [(f"{PAGE}/{model}", model) for model in self.models]
        items = [{"id": link, "link": link, "title": model} for link, model in links]
        head = {"version": "https://jsonfeed.org/version/1", "title": "HuggingFace Trending Models"}
        head |= {"home_page_url": f"{PAGE}/models?sort=trending", "feed_url": "feed.json"}
        return json.dumps({**head, "items": items}, ensure_ascii=False, indent=2).encode()


class TrendingFeed:
    """`trending.csv` (positions) and `origins.csv` (commits) of a folder as a repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def commits(self) -> list[FeedCommit]:
        """Every commit, newest first."""
        models: dict[str, list[str]] = {}
        for row in self._rows("trending.csv"):
            models.setdefault(row["observed_at"], []).append(row["model_id"])
        found = [
            FeedCommit(row["origin_commit"], at, tuple(models.get(at, ())))
            for row in self._rows("origins.csv")
            for at in (row["observed_at"],)
        ]
        return sorted(found, key=lambda commit: commit.observed_at, reverse=True)

    def _rows(self, name: str) -> list[dict[str, str]]:
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    def api(self, call: Call, rest: tuple[str, ...]) -> Answer:
        """Below /repos/zernel/huggingface-trending-feed: commits, git/trees/<commit>."""
        match rest:
            case ("commits",):
                return json_answer(page(call, self._listed(call)))
            case ("git", "trees", sha):
                return json_answer(_tree(self._commit(sha)))
        raise RefusalError(404, "Not Found")

    def raw(self, call: Call, sha: str, path: str) -> Answer:
        """A file at a commit."""
        body = self._commit(sha).feed
        if path != FILE:
            raise RefusalError(404, "404: Not Found")
        return file_answer(call, body, digest(body), {"Content-Type": "text/plain"})

    def _listed(self, call: Call) -> list[dict[str, Any]]:
        if (call.value("path") or FILE) != FILE:
            return []
        first, last = call.value("since") or "", call.value("until") or "9999"
        return [_described(c) for c in self.commits() if first <= c.observed_at <= last]

    def _commit(self, sha: str) -> FeedCommit:
        found = next((commit for commit in self.commits() if commit.sha == sha), None)
        if found is None:
            raise RefusalError(404, "Not Found")
        return found


def _described(commit: FeedCommit) -> dict[str, Any]:
    who = {"name": "GitHub Action", "email": "nobody@example.org", "date": commit.observed_at}
    return {"sha": commit.sha, "commit": {"author": who, "committer": who, "message": "Update"}}


def _tree(commit: FeedCommit) -> dict[str, Any]:
    blob = {"mode": "100644", "type": "blob", "sha": blob_id(commit.feed)}
    entry = {"path": FILE, **blob, "size": len(commit.feed)}
    return {"sha": commit.sha, "tree": [entry], "truncated": False}
