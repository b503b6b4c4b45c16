"""LMArena: every leaderboard, from the data set `lmarena-ai/leaderboard-dataset` on the Hub.

The subsets are found in the repository tree. `full` holds the whole history, so `latest` is not
fetched. A file whose sha256 the archive already holds is not downloaded again.
"""

from __future__ import annotations

import logging
import re
import tempfile
from pathlib import Path

import duckdb
import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile
from pyarrow import ArrowInvalid

from flows.settings import Settings
from flows.sources.http import SourceError
from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive, Draft, Snapshot, sha256
from warehouse.contract import Contract, contract, quote

log = logging.getLogger("observatory.lmarena")

REPO = "lmarena-ai/leaderboard-dataset"
# A board is of the kind whose columns it has: arena ratings, or the agent boards' scores.
KINDS = ("raw.arena_leaderboards", "raw.arena_agent_leaderboards")
_FULL = re.compile(r"(?P<subset>[a-z0-9_]+)/full-\d{5}-of-\d{5}\.parquet")


def fetch_leaderboards(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps `<subset>/full-*.parquet` of every subset at one commit of the data set."""
    api = HfApi(endpoint=settings.hub_url)
    try:
        commit = api.dataset_info(REPO).sha
        tree = api.list_repo_tree(REPO, recursive=True, revision=commit, repo_type="dataset")
        files = [f for f in tree if isinstance(f, RepoFile) and _FULL.fullmatch(f.path)]
        draft.restart()  # a half-kept draft may be of another commit
        for file in sorted(files, key=lambda f: f.path):
            _keep_file(api, archive, draft, file, str(commit))
    except (httpx2.HTTPError, OSError, ValueError, LookupError, TypeError) as error:
        raise SourceError(
            "lmarena",
            f"{draft.day} no sound answer ({type(error).__name__}: {error})",
            f"{settings.hub_url}/datasets/{REPO}",
            "check the network and whether the data set has moved, then run again",
            is_transient=_is_transient(error),
        ) from error
    if not draft.files:
        raise SourceError(
            "lmarena",
            "the data set's tree holds no <subset>/full-*.parquet",
            f"{settings.hub_url}/datasets/{REPO}/tree/{commit}",
            "compare the layout with the source card warehouse/sources/lmarena.yml",
        )
    draft.notes.append(f"commit {commit}, {len(draft.files)} subsets")


def _is_transient(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, (httpx2.HTTPError, OSError))


def _keep_file(api: HfApi, archive: Archive, draft: Draft, file: RepoFile, commit: str) -> None:
    digest = file.lfs.sha256 if file.lfs else None
    url = f"{api.endpoint}/datasets/{REPO}/resolve/{commit}/{file.path}"
    if digest and (known := archive.file_with("lmarena", digest)):
        draft.reuse(known, name=file.path, url=url)
        return
    with tempfile.TemporaryDirectory() as cache:
        got = api.hf_hub_download(
            REPO, file.path, revision=commit, repo_type="dataset", cache_dir=cache
        )
        data = Path(got).read_bytes()
        rows, problem = _look(Path(got))
    if digest and sha256(data) != digest:
        problem = f"has sha256 {sha256(data)[:12]}… where the tree says {digest[:12]}…"
    if problem:
        aside = draft.set_aside(file.path, data)
        raise SourceError(
            "lmarena",
            f"{draft.day} {file.path} {problem}",
            f"{url} (the bytes: {aside})",
            "if the producer changed the columns, adapt the contracts of raw.arena_*",
        )
    draft.keep(file.path, data, url=url, etag=digest, rows_seen=rows)
    log.info("lmarena: %s, %s rows", file.path, f"{rows:,}")


def _look(path: Path) -> tuple[int, str | None]:
    """Rows of a Parquet file, and what is wrong with it, from its footer alone."""
    try:
        footer = pq.read_metadata(path)
    except (ArrowInvalid, OSError) as error:
        return 0, f"is not a Parquet file ({error})"
    try:
        kind_of(footer.schema.names)
    except ValueError as error:
        return 0, str(error)
    return footer.num_rows, None


def kind_of(columns: list[str]) -> Contract:
    """The contract whose source columns a board has. Raises ValueError naming the nearest."""
    lacks = {
        kind: [c for c in _source_columns(contract(kind)) if c not in columns] for kind in KINDS
    }
    best = min(KINDS, key=lambda kind: len(lacks[kind]))
    if lacks[best]:
        known = _source_columns(contract(best))
        adds = [c for c in columns if c not in known]
        raise ValueError(f"lacks the columns {lacks[best]} of {best}; unknown there: {adds}")
    return contract(best)


def _source_columns(kind: Contract) -> dict[str, str]:
    """Source column -> our column."""
    return {name: ours for ours, c in kind.columns.items() for name in c.source_names}


def parse_leaderboards(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot
) -> None:
    """Loads raw.arena_leaderboards and raw.arena_agent_leaderboards: one row per board line.

    Empty strings and NaN become null. Refused: a line without model, category or date, and one
    with a value that is not of its column's type.
    """
    for file in snapshot.find(suffix=".parquet"):
        path = str(archive.verify_file(file))
        kind = kind_of(pq.read_schema(path).names)
        subset = file.name.split("/")[0]
        _load_board(con, snapshot, kind, subset, file.name, path)


def _load_board(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    kind: Contract,
    subset: str,
    name: str,
    path: str,
) -> None:
    ours = [(source, column, kind.columns[column]) for source, column in _sources(kind)]
    held = pq.read_schema(path)
    values = [
        (column, _value(source, held.field(source).type), c.type) for source, column, c in ours
    ]
    casts = ", ".join(f"try_cast({v} AS {kind}) AS {quote(column)}" for column, v, kind in values)
    needed = " AND ".join(f"{quote(n)} IS NOT NULL" for _, n, c in ours if not c.nullable)
    sound = f"misfit IS NULL AND {needed}"
    lines = "read_parquet(?, file_row_number = true)"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE board AS SELECT file_row_number + 1 AS line, {casts}, "
        f"CASE {not_of_type(values)} END AS misfit FROM {lines}",
        [path],
    )
    columns = ", ".join(quote(c) for c in kind.columns)
    con.execute(
        f"""INSERT INTO {kind.sql_name} ({columns})
        SELECT {snapshot_columns(snapshot)}, ?, line, {", ".join(quote(n) for _, n, _ in ours)}
        FROM board WHERE {sound} ORDER BY line""",
        [subset],
    )
    quarantine(
        con,
        snapshot,
        kind.table,
        f"""SELECT ?, line, coalesce(misfit, 'no model, category or date'),
            to_json(source)::VARCHAR
        FROM {lines} AS source
        JOIN (SELECT line, misfit FROM board WHERE NOT ({sound})) AS refused
        ON refused.line = source.file_row_number + 1""",
        [name, path],
    )
    con.execute("DROP TABLE board")


def _sources(kind: Contract) -> list[tuple[str, str]]:
    return list(_source_columns(kind).items())


def _value(source: str, held: pa.DataType) -> str:
    """SQL of one source column; '' and NaN are how the file says null."""
    column = quote(source)
    if pa.types.is_floating(held):
        return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END"
    if pa.types.is_string(held) or pa.types.is_large_string(held):
        return f"nullif({column}, '')"
    return column
