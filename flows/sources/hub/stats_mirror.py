"""hub-stats: days of the Hub before our own sweeps, from the commits of a third party's dataset.

Optional: observed only when named. A day is read from its commit, never from a branch.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import duckdb

from flows.settings import Settings
from flows.sources.arrival import arriving
from flows.sources.formats.damage import naming
from flows.sources.formats.parquet_cells import as_text
from flows.sources.formats.parquet_sizes import read_footer
from flows.sources.hf_repository import (
    Repository,
    digest_mismatch,
    hub_api,
    translate_errors,
    tree_digest,
)
from flows.sources.http import SourceError
from flows.sources.quarantine import load_records, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import card
from warehouse.contracts.table import contract, literal, quote
from warehouse.database.read_files import parquet

if TYPE_CHECKING:
    from huggingface_hub.hf_api import GitCommitInfo, RepoFile

log = logging.getLogger("observatory.hub_stats")

NAME, TABLE = "hub_stats", "raw.hub_stats_models"
ADVICE = "choose a day with a commit (--as-of), or leave out hub-stats: it is an optional backfill"


def fetch_revision(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores the models' file of the day's last commit."""
    repo, path = card(NAME).map["repository"], card(NAME).map["file"]
    address = f"{settings.hub_url}/datasets/{repo}"
    api = hub_api(settings.hub_url)
    draft.reset()
    with translate_errors(NAME, draft.day, address):
        commits = api.list_repo_commits(repo, repo_type="dataset")
        commit = _last_of_day(draft, commits, address)
        revision = Repository(api, repo, "dataset", commit.commit_id)
        file = next((f for f in revision.files() if f.path == path), None)
        if file is None:
            raise _error(draft, f"commit {commit.commit_id} has no {path}", address)
        data = revision.download(path)
    _store_file(draft, file, data, revision.url(path))
    draft.notes.append(f"commit {commit.commit_id} of {commit.created_at:%Y-%m-%d %H:%M} UTC")


def _last_of_day(draft: Draft, commits: list[GitCommitInfo], address: str) -> GitCommitInfo:
    of_day = [c for c in commits if c.created_at.date() == draft.day]
    if of_day:
        return max(of_day, key=lambda c: c.created_at)
    days = sorted({c.created_at.date() for c in commits})
    others = f"commits of {len(days)} days, {days[0]} to {days[-1]}" if days else "no commits"
    raise _error(draft, f"no commit on that day; the dataset has {others}", address)


def _store_file(draft: Draft, file: RepoFile, data: bytes, url: str) -> None:
    """Stores the file if it matches the tree and has models; notes columns that it lacks."""
    with arriving(draft, file.path, data, url, ADVICE):
        if problem := digest_mismatch(data, tree_digest(file)):
            raise ValueError(problem)
        footer = read_footer(data)
        names, rows = footer.schema.to_arrow_schema().names, footer.num_rows
        if _source_column("model_id_hf", names) is None or not rows:
            raise ValueError(
                f"has {rows} rows and the columns {names}; rows and an id column are required"
            )
    lacking = [c for c in card(NAME).map["columns"] if _source_column(c, names) is None]
    if lacking:
        draft.notes.append(f"{file.path} lacks {lacking}: null in {TABLE}")
    draft.add_file(file.path, data, url=url, rows_seen=rows)


def _error(draft: Draft, what: str, where: str) -> SourceError:
    return SourceError(NAME, f"{draft.day} {what}", where, ADVICE)


def _source_column(column: str, names: list[str]) -> str | None:
    """The file's name of one of our columns; None if the file lacks it."""
    return next((n for n in card(NAME).map["columns"][column] if n in names), None)


def parse_revision(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_stats_models; rows without an id and duplicates go to quarantine.

    The types in the file change (createdAt was text once), so every value is read as text in the
    format of its column. Times are UTC, whatever the machine's time zone. A value in another format
    becomes null and is quarantined.
    """
    files = parquet(archive.paths(snapshot.find(suffix=".parquet")))
    with naming(snapshot.files[0].name):
        _load(con, snapshot, files)


def _load(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, files: str) -> None:
    described = con.execute(f"DESCRIBE FROM {files}").fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    table = contract(TABLE)
    columns = {n: c for n, c in table.columns.items() if n in card(NAME).map["columns"]}
    picked = ", ".join(
        f"{as_text(_source_column(c, [*kinds]), kinds)} AS {quote(c)}" for c in columns
    )
    file = literal(snapshot.files[0].name)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE stats_rows AS SELECT *, {file} AS file, CASE
            WHEN model_id_hf IS NULL OR model_id_hf = '' THEN 'missing id'
            WHEN row_number() OVER (PARTITION BY model_id_hf ORDER BY line) > 1 THEN 'duplicate'
            END AS refusal
        FROM (SELECT {picked}, row_number() OVER () AS line FROM {files})"""
    )
    fields = ", ".join(f"{quote(n)} := {quote(n)}" for n in columns)
    records = f"(SELECT *, to_json(struct_pack({fields}))::VARCHAR AS record FROM stats_rows)"
    values = {name: typed(quote(name), column) for name, column in columns.items()}
    load_records(con, snapshot, table, records, values, {name: quote(name) for name in columns})
    con.execute("DROP TABLE stats_rows")
