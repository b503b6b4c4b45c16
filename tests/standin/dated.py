"""A Hub dataset with a history: one folder and one commit per day."""

from __future__ import annotations

from pathlib import Path

from tests.standin.dataset import Repo, commit_of
from tests.standin.web import Answer, Call, RefusalError, day_folders, json_answer


class DatedRepo:
    """Commits from folders named after their day; `main` is the newest."""

    def __init__(self, root: Path, repo_id: str) -> None:
        days = {day: Repo(path, repo_id) for day, path in day_folders(root).items()}
        self.days = {day: repo for day, repo in days.items() if repo.files()}

    def files(self) -> dict[str, object]:
        """Every recorded file, by day and path."""
        return {f"{d}/{path}": f for d, r in self.days.items() for path, f in r.files().items()}

    def api(self, call: Call, rest: tuple[str, ...]) -> Answer:
        """Everything below /api/datasets/{id}, the list of commits included."""
        match rest:
            case ("commits", _):
                return json_answer([self._commit(day) for day in sorted(self.days, reverse=True)])
            case (("revision" | "tree" | "paths-info"), revision, *_):
                return self._at(revision).api(call, rest)
        return self._at("main").api(call, rest)

    def resolve(self, call: Call, revision: str, path: str) -> Answer:
        """One file as a commit had it."""
        return self._at(revision).resolve(call, revision, path)

    def _commit(self, day: str) -> dict[str, object]:
        return {
            "id": commit_of(self.days[day].files()),
            "title": f"Update of {day}",
            "message": "",
            "authors": [{"user": "recorder"}],
            "date": f"{day}T06:00:00.000Z",
        }

    def _at(self, revision: str) -> Repo:
        for day in sorted(self.days, reverse=True):
            if revision in ("main", commit_of(self.days[day].files())):
                return self.days[day]
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
