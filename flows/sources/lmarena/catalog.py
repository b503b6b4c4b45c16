"""LMArena's arena-catalog on GitHub: the category boards of 2025, one state a commit.

Every commit that touched `data` is a state of the boards. A snapshot holds each of them as
`<author's moment>.<commit>/leaderboard-<board>.json`; commits that the archive has are not asked
for again, nor a file that did not change between two commits. The repository states no license.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard, TypeVar

import duckdb
import orjson
import polars as pl

from flows.settings import Settings
from flows.sources.hf_repository import differs
from flows.sources.http import SourceError, get
from flows.sources.quarantine import note_cells, quarantine, snapshot_columns
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import contract

log = logging.getLogger("observatory.arena_catalog")

NAME, REPO, TABLE = "arena_catalog", "lmarena/arena-catalog", "raw.arena_catalog_ratings"
PAGE = 100
_FILE = re.compile(r"data/(?P<name>leaderboard-[a-z0-9-]{1,60}\.json)")
_KEPT = re.compile(
    r"(?P<moment>\d{8}T\d{6}Z)\.(?P<commit>[0-9a-f]{12})/leaderboard-(?P<board>.+)\.json"
)
_MOMENT = "%Y%m%dT%H%M%SZ"
_SHA = re.compile(r"[0-9a-f]{40}")
# Boards by the middle of the file's name; the first commits called the text board `data`.
_SUBSETS = {
    "data": "text",
    "data-style-control": "text_style_control",
    "image": "text_to_image",
}
_LOWER, _UPPER = ("rating_q025", "rating_lower"), ("rating_q975", "rating_upper")

_TEXTS = ("reason", "cell", "column_name")
_NOTE = {"file_name": pl.String(), "line": pl.Int64(), **dict.fromkeys(_TEXTS, pl.String())}

T = TypeVar("T")


@dataclass(frozen=True)
class Commit:
    """One state of the catalog."""

    sha: str
    moment: datetime  # the author's, UTC

    @property
    def folder(self) -> str:
        """Its place in a snapshot."""
        return f"{self.moment.strftime(_MOMENT)}.{self.sha[:12]}"


def fetch_catalog(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps the boards of every commit, oldest first; goes on where an earlier try stopped."""
    catalog = _Catalog(settings, draft)
    commits = catalog.commits()
    _go_on(draft, commits)
    begun = [f.name.split("/", 1)[0] for f in draft.files]
    whole = set(begun) - set(begun[-1:])  # the last one may lack files
    kept = _by_commit(archive)
    for commit in commits:
        if commit.folder in whole:
            continue
        files = kept.get(commit.folder, [])
        if files and all(archive.is_sound(f) for f in files):
            catalog.reuse(files)
        else:
            catalog.keep(commit)
    if not draft.files:
        raise SourceError(
            NAME,
            f"{draft.day} no commit holds a data/leaderboard-<board>.json",
            f"{settings.github_api_url}/repos/{REPO}",
            "compare the layout with the source card warehouse/contracts/sources/arena_catalog.yml",
        )
    draft.notes.append(f"{len(commits)} commits, the newest {commits[-1].sha}")


def _go_on(draft: Draft, commits: list[Commit]) -> None:
    if any(f.name.split("/", 1)[0] not in {c.folder for c in commits} for f in draft.files):
        draft.reset()  # the history was rewritten since


def _by_commit(archive: Archive) -> dict[str, list[ArchivedFile]]:
    """The files of every commit that a snapshot holds; the newest snapshot's word counts."""
    found: dict[str, list[ArchivedFile]] = {}
    for snapshot in archive.snapshots(NAME):
        here: dict[str, list[ArchivedFile]] = {}
        for file in snapshot.files:
            here.setdefault(file.name.split("/", 1)[0], []).append(file)
        found |= here
    return found


class _Catalog:
    """The repository as GitHub answers for it, and the draft that its files go into."""

    def __init__(self, settings: Settings, draft: Draft) -> None:
        self.settings, self.draft = settings, draft

    def commits(self) -> list[Commit]:
        """Every commit that touched `data`, oldest first."""
        found: list[Commit] = []
        for page in range(1, 1000):
            path = f"commits?path=data&per_page={PAGE}&page={page}"
            entries = self._ask(path, f"commits-{page}.json", _commits)
            found += entries
            if len(entries) < PAGE:
                break
        found.reverse()  # GitHub names the newest first
        return sorted(found, key=lambda commit: commit.moment)

    def keep(self, commit: Commit) -> None:
        """Keeps the boards of one commit."""
        path = f"git/trees/{commit.sha}?recursive=1"
        for name, blob in self._ask(path, f"{commit.folder}/tree.json", _tree).items():
            kept = f"{commit.folder}/{name}"
            if not any(f.name == kept for f in self.draft.files):
                self._keep_file(commit, name, blob)

    def reuse(self, files: list[ArchivedFile]) -> None:
        """Takes over what an earlier snapshot has of a commit."""
        there = {f.name for f in self.draft.files}
        for file in files:
            if file.name not in there:
                self.draft.reuse(file, name=file.name, url=file.url)

    def _keep_file(self, commit: Commit, name: str, blob: str) -> None:
        url = f"{self.settings.github_raw_url}/{REPO}/{commit.sha}/data/{name}"
        kept = f"{commit.folder}/{name}"
        if same := next((f for f in self.draft.files if f.http_etag == blob), None):
            self.draft.reuse(same, name=kept, url=url)
            return
        data = self._get(url, {})
        try:
            if problem := differs(data, blob):
                raise ValueError(problem)
            rows = sum(1 for _ in _entries(data))
        except ValueError as error:
            raise self._refusal(kept, data, url, error) from error
        self.draft.add_file(kept, data, url=url, etag=blob, rows_seen=rows)
        log.info("arena_catalog: %s, %s rows", kept, f"{rows:,}")

    def _ask(self, path: str, name: str, read: Callable[[Any], T]) -> T:
        url = f"{self.settings.github_api_url}/repos/{REPO}/{path}"
        answer = self._get(url, _headers())
        try:
            return read(orjson.loads(answer))
        except (LookupError, TypeError, ValueError) as error:
            raise self._refusal(name, answer, url, error) from error

    def _get(self, url: str, headers: dict[str, str]) -> bytes:
        return get(
            NAME,
            url,
            timeout=self.settings.http_timeout_seconds,
            headers=headers,
            variable="GITHUB_TOKEN",
            first_wait=self.settings.http_first_wait_seconds,
        ).content

    def _refusal(self, name: str, data: bytes, url: str, error: Exception) -> SourceError:
        aside = self.draft.quarantine(name, data)
        return SourceError(
            NAME,
            f"{self.draft.day} {name}: {type(error).__name__}: {error}",
            f"{url} (the bytes: {aside})",
            "run again later; if it stays so, the repository or GitHub's API has changed",
        )


def _headers() -> dict[str, str]:
    """GitHub's own headers; its token goes to the API alone and is not kept anywhere."""
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    token = os.environ.get("GITHUB_TOKEN", "").strip()
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _commits(answer: list[dict[str, Any]]) -> list[Commit]:
    if not isinstance(answer, list):
        raise TypeError("is no list of commits")
    found = []
    for entry in answer:
        moment = datetime.fromisoformat(entry["commit"]["author"]["date"])
        found.append(Commit(_sha(entry["sha"]), moment.astimezone(UTC)))
    return found


def _tree(answer: dict[str, Any]) -> dict[str, str]:
    """Board file -> git's id of its bytes."""
    if answer["truncated"]:
        raise ValueError("the tree is not given whole")
    found = {}
    for entry in answer["tree"]:
        if entry["type"] == "blob" and (match := _FILE.fullmatch(entry["path"])):
            found[match["name"]] = _sha(entry["sha"])
    return found


def _sha(text: object) -> str:
    if isinstance(text, str) and _SHA.fullmatch(text):
        return text
    raise ValueError(f"{text!r:.50} is no id of a commit or file")


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every one of its entries, also those that come twice."""


def _entries(data: bytes) -> Iterator[tuple[str, str, Any]]:
    """Category, model and figures in the file's order. Raises ValueError for other JSON."""
    try:
        content = json.loads(data, object_pairs_hook=_Pairs)
    except RecursionError as error:
        raise ValueError("values within values without end") from error
    if not isinstance(content, _Pairs) or not content:
        raise ValueError("is JSON but no board: {category: {model: {rating, ...}}}")
    for category, models in content:
        if not isinstance(models, _Pairs):
            raise ValueError(f"the category {category[:50]!r} holds no models but {models!r:.50}")
        for model, figures in models:
            f"{category}{model}".encode()  # half a character is no name
            yield category, model, figures


def parse_catalog(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.arena_catalog_ratings: one row per model, category, board and commit.

    Refused, with the reason: an entry without a rating, or with one that is no number. A bound that
    is no number is null, with a note in raw.quarantine.
    """
    lines = [line for f in snapshot.find(suffix=".json") for line in _lines(f, archive.read(f))]
    notes = [note for *_, noted in lines for note in noted]
    lines = [line[:-1] for line in lines]
    schema = pl.Schema(list(contract(TABLE).polars_schema.items())[2:])
    schema |= {"refusal": pl.String(), "record": pl.String()}
    con.register("catalog_lines", pl.DataFrame(lines, schema=schema, orient="row"))
    con.execute(
        f"""INSERT INTO {TABLE} SELECT {snapshot_columns(snapshot)},
            * EXCLUDE (refusal, record) FROM catalog_lines WHERE refusal IS NULL"""
    )
    quarantine(
        con,
        snapshot,
        TABLE,
        "SELECT file_name, line, refusal, record FROM catalog_lines WHERE refusal IS NOT NULL",
    )
    con.unregister("catalog_lines")
    con.register("catalog_notes", pl.DataFrame(notes, schema=_NOTE, orient="row"))
    note_cells(con, snapshot, TABLE, "FROM catalog_notes")
    con.unregister("catalog_notes")


def _lines(file: ArchivedFile, data: bytes) -> Iterator[tuple[Any, ...]]:
    """The columns of the contract after the snapshot's, then refusal, record and noted cells."""
    place = _KEPT.fullmatch(file.name)
    if not place:
        raise ValueError(f"{file.name} is not <moment>.<commit>/leaderboard-<board>.json")
    commit = next((part for part in file.url.split("/") if _SHA.fullmatch(part)), place["commit"])
    subset = _SUBSETS.get(place["board"], place["board"].replace("-", "_"))
    moment = datetime.strptime(place["moment"], _MOMENT)
    about = (commit, moment, moment.date(), subset)
    for line, (category, model, figures) in enumerate(_entries(data), 1):
        given = dict(figures) if isinstance(figures, _Pairs) else {}
        values: list[Any] = [_first(given, names) for names in (("rating",), _LOWER, _UPPER)]
        refusal = _refusal_of(category, model, values[0])
        record = json.dumps({category: {model: given or figures}}) if refusal else None
        numbers = [float(v) if _is_number(v) and not refusal else None for v in values]
        notes = [
            (file.name, line, f"{side} is no DOUBLE", json.dumps(value), side)
            for side, value in zip(("rating_lower", "rating_upper"), values[1:], strict=True)
            if value is not None and not _is_number(value) and not refusal
        ]
        yield file.name, line, *about, category, model, *numbers, refusal, record, notes


def _first(given: dict[str, Any], names: tuple[str, ...]) -> object:
    return next((given[name] for name in names if name in given), None)


def _refusal_of(category: str, model: str, rating: object) -> str | None:
    if not category or not model:
        return "no category or no model"
    if rating is None:
        return "no rating"
    return None if _is_number(rating) else "rating is no DOUBLE"


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e15 and math.isfinite(value)
