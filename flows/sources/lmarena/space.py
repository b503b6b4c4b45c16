"""LMArena's frozen Space: old boards, with models that the dataset no longer names.

The tables (`leaderboard_table_YYYYMMDD.csv`: key, display name, organization, license, and the
ratings of 2023) are stored as received. The pickles (`elo_results_YYYYMMDD.pkl`, 459 MB) are
fetched only with OBSERVATORY_SPACE_PICKLES: they are read without executing anything
(`pickle_reader`), and only a Parquet file of their ratings is stored, under the pickle's address
and digest. A file with a digest that the archive has is not downloaded again.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import orjson
import polars as pl

from flows.settings import Settings
from flows.sources.arrival import arriving
from flows.sources.formats.csv_file import check_header, read_csv, stripped, utf8
from flows.sources.formats.damage import naming
from flows.sources.hf_repository import (
    Repository,
    digest_mismatch,
    hub_api,
    translate_errors,
    tree_digest,
)
from flows.sources.http import SourceError
from flows.sources.lmarena.space_boards import SCHEMA, boards
from flows.sources.quarantine import checked, load_records, refusal, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import contract, quote
from warehouse.database.read_files import parquet_frame

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

log = logging.getLogger("observatory.lmarena_space")

NAME, REPO = "lmarena_space", "lmarena-ai/arena-leaderboard"
TABLES, RATINGS = "raw.arena_space_tables", "raw.arena_space_ratings"
# One day has two tables: leaderboard_table_20240422.csv and leaderboard_table_20240422-2.csv.
_TABLE = re.compile(r"leaderboard_table_(?P<day>\d{8})(-\d+)?\.csv")
_PICKLE = re.compile(r"elo_results_(?P<day>\d{8})(-\d+)?\.pkl")
_NULLS = ("", "-")


def fetch_space(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores every table of the Space, and the ratings of its pickles if the setting says so."""
    address = f"{settings.hub_url}/spaces/{REPO}"
    with translate_errors(NAME, draft.day, address):
        space = Repository.newest(hub_api(settings.hub_url), REPO, "space")
        wanted = [f for f in space.files() if _is_wanted(f.path, settings.space_pickles)]
        _reset_if_changed(draft, wanted)
        earlier = {(f.name, f.http_etag): f for s in archive.snapshots(NAME) for f in s.files}
        for file in wanted:
            known = earlier.get((_stored_name(file.path), tree_digest(file)))
            sound = known if known and archive.is_sound(known) else None
            _store_file(space, draft, file, sound)
    if not draft.files:
        raise SourceError(
            NAME,
            f"{draft.day} the Space has no leaderboard_table_YYYYMMDD.csv",
            f"{address}/tree/{space.commit}",
            "compare the layout with the source card warehouse/contracts/sources/lmarena_space.yml",
        )
    pickles = sum(f.name.endswith(".parquet") for f in draft.files)
    tables = len(draft.files) - pickles
    draft.notes.append(f"commit {space.commit}, {tables} tables, {pickles} pickles")
    if not settings.space_pickles:
        draft.notes.append("pickles not fetched (OBSERVATORY_SPACE_PICKLES is not set)")


def _is_wanted(path: str, pickles: bool) -> bool:
    return bool(_TABLE.fullmatch(path) or (pickles and _PICKLE.fullmatch(path)))


def _stored_name(path: str) -> str:
    """A pickle's ratings are stored as Parquet; a table under its own name."""
    return re.sub(r"\.pkl$", ".parquet", path)


def _reset_if_changed(draft: Draft, wanted: list[RepoFile]) -> None:
    """Keeps the draft that an earlier run left, unless the Space has changed since."""
    offered = {_stored_name(f.path): tree_digest(f) for f in wanted}
    if any(offered.get(f.name) != f.http_etag for f in draft.files):
        draft.reset()


def _store_file(
    space: Repository, draft: Draft, file: RepoFile, known: ArchivedFile | None
) -> None:
    name, digest, url = _stored_name(file.path), tree_digest(file), space.url(file.path)
    if any(f.name == name for f in draft.files):
        return
    if known:
        draft.reuse(known, name=name, url=url)
        return
    data = space.download(file.path)
    do = "run again; if it fails again, the format has changed: adapt lmarena/space.py"
    with arriving(draft, file.path, data, url, do):
        if problem := digest_mismatch(data, digest):
            raise ValueError(problem)
        content, rows = _content_to_store(file.path, data)
    draft.add_file(name, content, url=url, etag=digest, rows_seen=rows)
    log.info("lmarena_space: %s, %s rows", name, f"{rows:,}")


def _content_to_store(path: str, data: bytes) -> tuple[bytes, int]:
    """The bytes to store for a file, and its rows. Raises ValueError (a PickleError is one)."""
    if not _PICKLE.fullmatch(path):
        return data, len(_records(data))
    ratings, packed = boards(data), io.BytesIO()
    ratings.write_parquet(packed)
    return packed.getvalue(), ratings.height


def _records(data: bytes) -> list[dict[str, str]]:
    """The records of a table by column. Raises ValueError naming the damaged line.

    Ten recorded tables end without a newline, so only the digest shows that a file is incomplete.
    """
    content = read_csv(utf8(data))
    check_header(content.header, contract(TABLES), allow_unknown=False)
    if not content.records:
        raise ValueError("has a header but no records")
    return [dict(zip(content.header, cells, strict=True)) for _, cells in content.records]


def parse_space(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.arena_space_tables and raw.arena_space_ratings: one row per record of each file.

    Cells are stripped; '' and '-' are null. Unusable cells become null and are quarantined.
    Rejected: a record without a model name or with an unusable rating. Dates are those in the
    files' names.
    """
    tables = snapshot.find(suffix=".csv")
    if tables:
        _load_tables(con, snapshot, {f.name: _table(archive, f) for f in tables})
    ratings = snapshot.find(suffix=".parquet")
    if ratings:
        _load_ratings(con, snapshot, {f.name: str(archive.verify_file(f)) for f in ratings})


def _table(archive: Archive, file: ArchivedFile) -> list[dict[str, str]]:
    data = archive.read(file)
    with naming(file.name):
        return _records(data)


def _table_date(name: str) -> date:
    found = _TABLE.fullmatch(name) or _PICKLE.fullmatch(name)
    if not found:
        raise ValueError(f"{name} has no date in its name")
    return date.fromisoformat(found["day"])


def _load_tables(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, tables: dict[str, list[dict[str, str]]]
) -> None:
    sources = {ours: c.source_names for ours, c in contract(TABLES).columns.items()}
    cells = [
        {
            **{ours: _cell(record, names) for ours, names in sources.items() if names},
            "file_name": name,
            "line": line,
            "table_date": _table_date(name),
            "record": orjson.dumps(record).decode(),
        }
        for name, records in tables.items()
        for line, record in enumerate(records, 1)
    ]
    texts = dict.fromkeys((ours for ours, names in sources.items() if names), pl.String)
    schema = {**texts, "file_name": pl.String, "line": pl.Int64, "table_date": pl.Date}
    frame = pl.DataFrame(cells, schema={**schema, "record": pl.String})
    _load(con, snapshot, TABLES, frame, {})


def _cell(record: dict[str, str], names: Iterable[str]) -> str | None:
    text = next((stripped(record[name]) for name in names if name in record), "")
    return None if text in _NULLS else text


def _ratings(path: str) -> pl.DataFrame:
    found = parquet_frame(path)
    if found.schema != SCHEMA:
        raise ValueError(f"has the columns {found.schema}; expected {SCHEMA}")
    return found.with_row_index("line", 1)


def _load_ratings(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, paths: dict[str, str]
) -> None:
    frames = []
    for name, path in paths.items():
        pickle = re.sub(r"\.parquet$", ".pkl", name)
        with naming(name):
            ratings = _ratings(path)
        about = {"file_name": pl.lit(pickle), "table_date": pl.lit(_table_date(pickle))}
        frames.append(
            ratings.with_columns(
                pl.col("line").cast(pl.Int64),
                pl.struct(pl.all()).struct.json_encode().alias("record"),
                **about,
            )
        )
    columns = contract(RATINGS).columns
    read = {c: checked(quote(c), columns[c]) for c in SCHEMA}
    _load(con, snapshot, RATINGS, pl.concat(frames), read)


def _load(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    name: str,
    frame: pl.DataFrame,
    read: Mapping[str, str],
) -> None:
    """Loads the sound rows of `frame` and quarantines the others.

    `read`: SQL of the values of typed columns; the other source columns are text.
    """
    table = contract(name)
    columns = list(table.columns)[2:]
    texts = {c for c in columns if table.columns[c].source_names}
    cells = {c: quote(c) for c in columns if c in texts or c in read}
    loaded = {c: typed(quote(c), table.columns[c]) for c in texts} | dict(read)
    misfit = refusal(table, cells, read)
    con.register("space_lines", frame)
    records = f"""(SELECT *, file_name AS file, CASE WHEN model_name IS NULL
        THEN 'missing model name' ELSE {misfit} END AS refusal FROM space_lines)"""
    values = {c: loaded.get(c, quote(c)) for c in columns}
    load_records(con, snapshot, table, records, values, cells, read)
    con.unregister("space_lines")
