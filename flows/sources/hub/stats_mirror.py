"""hub-stats: days of the Hub before our own sweeps, from the commits of a third party's data set.

Optional and by name alone. A day is addressed by its commit, never by a branch or a shard's name.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping

import duckdb
import pyarrow.parquet as pq
from huggingface_hub import HfApi
from huggingface_hub.hf_api import GitCommitInfo, RepoFile
from pyarrow import ArrowInvalid

from flows.settings import Settings
from flows.sources.hf_repository import Repository, differs, digest_of, heard
from flows.sources.http import SourceError
from flows.sources.quarantine import quarantine, quarantine_cells, snapshot_columns, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import card
from warehouse.contracts.table import contract, literal, quote

log = logging.getLogger("observatory.hub_stats")

NAME, TABLE = "hub_stats", "raw.hub_stats_models"
_MOMENT = "'%Y-%m-%dT%H:%M:%S.%fZ'"


def fetch_revision(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps the models' file as the last commit of the day left it."""
    repo, path = card(NAME).map["repository"], card(NAME).map["file"]
    address = f"{settings.hub_url}/datasets/{repo}"
    api = HfApi(endpoint=settings.hub_url)
    draft.reset()
    with heard(NAME, draft.day, address):
        commits = api.list_repo_commits(repo, repo_type="dataset")
        commit = _of_the_day(draft, commits, address)
        revision = Repository(api, repo, "dataset", commit.commit_id)
        file = next((f for f in revision.files() if f.path == path), None)
        if file is None:
            raise _error(draft, f"commit {commit.commit_id} has no {path}", address)
        data = revision.download(path)
    _check(draft, file, data, revision.url(path))
    draft.notes.append(f"commit {commit.commit_id} of {commit.created_at:%Y-%m-%d %H:%M} UTC")


def _of_the_day(draft: Draft, commits: list[GitCommitInfo], address: str) -> GitCommitInfo:
    of_day = [c for c in commits if c.created_at.date() == draft.day]
    if of_day:
        return max(of_day, key=lambda c: c.created_at)
    days = sorted({c.created_at.date() for c in commits})
    there = f"there are {len(days)}, {days[0]} to {days[-1]}" if days else "there is none at all"
    raise _error(draft, f"no commit of that day; {there}", address)


def _check(draft: Draft, file: RepoFile, data: bytes, url: str) -> None:
    """Keeps the file if it is what the tree says and has models; says how its columns differ."""
    try:
        if problem := differs(data, digest_of(file)):
            raise ValueError(problem)
        table = pq.ParquetFile(io.BytesIO(data))
        names, rows = table.schema_arrow.names, table.metadata.num_rows
        if _found("model_id_hf", names) is None or not rows:
            raise ValueError(f"holds {rows} rows, and an id is not among the columns {names}")
    except (ArrowInvalid, OSError, ValueError) as error:
        aside = draft.quarantine(file.path, data)
        raise _error(draft, f"{file.path} {error}", f"{url} (the bytes: {aside})") from error
    lacking = [c for c in card(NAME).map["columns"] if _found(c, names) is None]
    if lacking:
        draft.notes.append(f"{file.path} lacks {lacking}: null in {TABLE}")
    draft.add_file(file.path, data, url=url, rows_seen=rows)


def _error(draft: Draft, what: str, where: str) -> SourceError:
    return SourceError(
        NAME,
        f"{draft.day} {what}",
        where,
        "give --as-of a day that has a commit, or go without: hub-stats is an optional backfill",
    )


def _found(column: str, names: list[str]) -> str | None:
    """What the file calls one of our columns; None where it lacks it."""
    return next((n for n in card(NAME).map["columns"][column] if n in names), None)


def parse_revision(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_stats_models; a row without id or doubled goes to quarantine.

    The file's types drift (createdAt was a text once), so every value is read as a text in the
    format of its column; moments are UTC, whatever the machine's time zone. One that is written
    otherwise is null and noted.
    """
    paths = archive.paths(snapshot.find(suffix=".parquet"))
    described = con.execute("DESCRIBE FROM read_parquet(?)", [paths]).fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    table = contract(TABLE)
    columns = {n: c for n, c in table.columns.items() if n in card(NAME).map["columns"]}
    picked = ", ".join(f"{_text(_found(c, [*kinds]), kinds)} AS {quote(c)}" for c in columns)
    file = literal(snapshot.files[0].name)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE stats_judged AS SELECT *, {file} AS file, CASE
            WHEN model_id_hf IS NULL OR model_id_hf = '' THEN 'no id'
            WHEN row_number() OVER (PARTITION BY model_id_hf ORDER BY line) > 1 THEN 'duplicate'
            END AS refusal
        FROM (SELECT {picked}, row_number() OVER () AS line FROM read_parquet(?))""",
        [paths],
    )
    values = ", ".join(typed(quote(n), c) for n, c in columns.items())
    con.execute(
        f"""INSERT INTO {table.sql_name}
            (snapshot_id, snapshot_date, {", ".join(map(quote, columns))})
        SELECT {snapshot_columns(snapshot)}, {values}
        FROM stats_judged WHERE refusal IS NULL ORDER BY line"""
    )
    cells = {name: quote(name) for name in columns}
    quarantine_cells(con, snapshot, table, cells, "(FROM stats_judged WHERE refusal IS NULL)")
    kept = ", ".join(f"{quote(n)} := {quote(n)}" for n in columns)
    quarantine(
        con,
        snapshot,
        TABLE,
        f"""SELECT file, line, refusal, to_json(struct_pack({kept}))::VARCHAR
        FROM stats_judged WHERE refusal IS NOT NULL""",
    )
    con.execute("DROP TABLE stats_judged")


def _text(column: str | None, kinds: Mapping[str, str]) -> str:
    """SQL of a column of the file as the text that our contracts read.

    A moment with zone is put into UTC, one without is UTC already; a whole number in a column of
    fractions (as pandas keeps numbers beside gaps) is written without them.
    """
    if column is None:
        return "NULL::VARCHAR"
    value, kind = quote(column), kinds[column]
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {value}), {_MOMENT})"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"strftime({value}::TIMESTAMP, {_MOMENT})"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        is_whole = f"{value} = trunc({value}) AND abs({value}) < 9e15"
        return f"CASE WHEN {is_whole} THEN {value}::BIGINT::VARCHAR ELSE {value}::VARCHAR END"
    return f"{value}::VARCHAR"
