"""LMArena's arena-catalog on GitHub: the category boards of 2025, one state per commit.

Every commit that touched `data` is a state of the boards. A snapshot holds each as
`<author's time>.<commit>/leaderboard-<board>.json`. Commits that the archive has are not fetched
again, nor are files that two commits share. The repository states no license.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeGuard

import duckdb
import polars as pl

from flows.settings import Settings
from flows.sources.formats.damage import naming
from flows.sources.github import MOMENT, SHA
from flows.sources.http import SourceError
from flows.sources.lmarena.catalog_json import Pairs, board_entries
from flows.sources.lmarena.catalog_repository import NAME, REPO, CatalogRepository
from flows.sources.quarantine import load_records
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import contract, quote

TABLE = "raw.arena_catalog_ratings"
_STORED = re.compile(
    r"(?P<moment>\d{8}T\d{6}Z)\.(?P<commit>[0-9a-f]{12})/leaderboard-(?P<board>.+)\.json"
)
# Boards by the middle of the file's name; the first commits called the text board `data`.
_SUBSETS = {
    "data": "text",
    "data-style-control": "text_style_control",
    "image": "text_to_image",
}
_SIDES = {  # column -> names in the file
    "rating": ("rating",),
    "rating_lower": ("rating_q025", "rating_lower"),
    "rating_upper": ("rating_q975", "rating_upper"),
}
_BOUNDS = ("rating_lower", "rating_upper")


def fetch_catalog(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores the boards of every commit, oldest first; resumes where an earlier try stopped."""
    repository = CatalogRepository(settings, draft)
    commits = repository.commits()
    if any(_folder(f) not in {c.folder for c in commits} for f in draft.files):
        draft.reset()  # the history was rewritten since
    begun = [_folder(f) for f in draft.files]
    complete = set(begun) - set(begun[-1:])  # the last one may lack files
    earlier = _by_commit(archive)
    for commit in commits:
        if commit.folder in complete:
            continue
        files = earlier.get(commit.folder, [])
        if files and all(archive.is_sound(f) for f in files):
            repository.reuse(files)
        else:
            repository.store(commit)
    if not draft.files:
        raise SourceError(
            NAME,
            f"{draft.day} no commit has a data/leaderboard-<board>.json",
            f"{settings.github_api_url}/repos/{REPO}",
            "compare the layout with the source card warehouse/contracts/sources/arena_catalog.yml",
        )
    draft.notes.append(f"{len(commits)} commits, the newest {commits[-1].sha}")


def _folder(file: ArchivedFile) -> str:
    return file.name.split("/", 1)[0]


def _by_commit(archive: Archive) -> dict[str, list[ArchivedFile]]:
    """The files of every commit, from the newest snapshot that has it."""
    found: dict[str, list[ArchivedFile]] = {}
    for snapshot in archive.snapshots(NAME):
        here: dict[str, list[ArchivedFile]] = {}
        for file in snapshot.files:
            here.setdefault(_folder(file), []).append(file)
        found |= here
    return found


def parse_catalog(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.arena_catalog_ratings: one row per model, category, board and commit.

    Rejected: an entry without a rating, or with one that is not a number. A bound that is not a
    number becomes null and is quarantined.
    """
    lines: list[tuple[Any, ...]] = []
    for file in snapshot.find(suffix=".json"):
        data = archive.read(file)
        with naming(file.name):
            lines += _lines(file, data)
    schema = pl.Schema(list(contract(TABLE).polars_schema.items())[2:])
    extra = ("refusal", "record", *(f"{side}_json" for side in _BOUNDS))
    schema |= dict.fromkeys(extra, pl.String())
    con.register("catalog_lines", pl.DataFrame(lines, schema=schema, orient="row"))
    columns = {name: quote(name) for name in list(contract(TABLE).columns)[2:]}
    cells = {side: f"{side}_json" for side in _BOUNDS}
    values = {side: side for side in _BOUNDS}
    records = "(SELECT *, file_name AS file FROM catalog_lines)"
    load_records(con, snapshot, contract(TABLE), records, columns, cells, values)
    con.unregister("catalog_lines")


def _lines(file: ArchivedFile, data: bytes) -> Iterator[tuple[Any, ...]]:
    """The columns of the contract after the snapshot's; refusal, record, and the bounds as JSON."""
    match = _STORED.fullmatch(file.name)
    if not match:
        raise ValueError(f"{file.name} is not <time>.<commit>/leaderboard-<board>.json")
    commit = next((part for part in file.url.split("/") if SHA.fullmatch(part)), match["commit"])
    subset = _SUBSETS.get(match["board"], match["board"].replace("-", "_"))
    moment = datetime.strptime(match["moment"], MOMENT)
    about = (commit, moment, moment.date(), subset)
    for line, (category, model, figures) in enumerate(board_entries(data), 1):
        given = dict(figures) if isinstance(figures, Pairs) else {}
        values = [next((given[n] for n in names if n in given), None) for names in _SIDES.values()]
        refusal = _refusal(category, model, values[0])
        record = json.dumps({category: {model: given or figures}}) if refusal else None
        numbers = [float(v) if _is_number(v) and not refusal else None for v in values]
        bounds = [None if value is None else json.dumps(value) for value in values[1:]]
        yield file.name, line, *about, category, model, *numbers, refusal, record, *bounds


def _refusal(category: str, model: str, rating: object) -> str | None:
    if not category or not model:
        return "missing category or model"
    if rating is None:
        return "missing rating"
    return None if _is_number(rating) else "rating: expected number"


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e15 and math.isfinite(value)
