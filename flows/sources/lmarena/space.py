"""LMArena's frozen Space: the boards as they were, with models that the data set no longer names.

The tables (`leaderboard_table_YYYYMMDD.csv`: key, display name, organization, license, and the
ratings of 2023) are always kept as received. The pickles (`elo_results_YYYYMMDD.pkl`, 459 MB)
only where OBSERVATORY_SPACE_PICKLES is set: they are read without executing anything
(`flows.sources.lmarena.pickle_reader`), and what is kept is a Parquet file of their ratings, filed
under the pickle's address and digest; the pickle's own bytes are not. A file with a digest that
the archive knows is not downloaded again, so a second day downloads nothing.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import date

import duckdb
import orjson
import polars as pl
from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from flows.settings import Settings
from flows.sources.formats.csv_file import read_csv, stripped, utf8
from flows.sources.hf_repository import Repository, differs, digest_of, heard
from flows.sources.http import SourceError
from flows.sources.lmarena.pickle_reader import PickleError
from flows.sources.lmarena.space_boards import SCHEMA, boards
from flows.sources.quarantine import (
    measured,
    quarantine,
    quarantine_cells,
    refusal,
    snapshot_columns,
    typed,
)
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import contract, quote

log = logging.getLogger("observatory.lmarena_space")

NAME, REPO = "lmarena_space", "lmarena-ai/arena-leaderboard"
TABLES, RATINGS = "raw.arena_space_tables", "raw.arena_space_ratings"
# One day has two tables: leaderboard_table_20240422.csv and leaderboard_table_20240422-2.csv.
_TABLE = re.compile(r"leaderboard_table_(?P<day>\d{8})(-\d+)?\.csv")
_PICKLE = re.compile(r"elo_results_(?P<day>\d{8})(-\d+)?\.pkl")
_NULLS = ("", "-")


def fetch_space(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps every table of the Space, and the ratings of its pickles where the setting asks."""
    address = f"{settings.hub_url}/spaces/{REPO}"
    with heard(NAME, draft.day, address):
        space = Repository.newest(HfApi(endpoint=settings.hub_url), REPO, "space")
        wanted = [f for f in space.files() if _is_wanted(f.path, settings.space_pickles)]
        _go_on(draft, wanted)
        earlier = {(f.name, f.http_etag): f for s in archive.snapshots(NAME) for f in s.files}
        for file in wanted:
            known = earlier.get((_kept_name(file.path), digest_of(file)))
            sound = known if known and archive.is_sound(known) else None
            _keep_file(space, draft, file, sound)
    if not draft.files:
        raise SourceError(
            NAME,
            f"{draft.day} the Space's tree holds no leaderboard_table_YYYYMMDD.csv",
            f"{address}/tree/{space.commit}",
            "compare the layout with the source card warehouse/contracts/sources/lmarena_space.yml",
        )
    kept = sum(f.name.endswith(".parquet") for f in draft.files)
    draft.notes.append(f"commit {space.commit}, {len(draft.files) - kept} tables, {kept} pickles")
    if not settings.space_pickles:
        draft.notes.append("pickles left alone (OBSERVATORY_SPACE_PICKLES is not set)")


def _is_wanted(path: str, pickles: bool) -> bool:
    return bool(_TABLE.fullmatch(path) or (pickles and _PICKLE.fullmatch(path)))


def _kept_name(path: str) -> str:
    """A pickle's ratings are kept as Parquet; a table under its own name."""
    return re.sub(r"\.pkl$", ".parquet", path)


def _go_on(draft: Draft, wanted: list[RepoFile]) -> None:
    """Goes on with a draft that an earlier run left, unless the Space is another one now."""
    offered = {_kept_name(f.path): digest_of(f) for f in wanted}
    if any(offered.get(f.name) != f.http_etag for f in draft.files):
        draft.reset()


def _keep_file(space: Repository, draft: Draft, file: RepoFile, known: ArchivedFile | None) -> None:
    name, digest, url = _kept_name(file.path), digest_of(file), space.url(file.path)
    if any(f.name == name for f in draft.files):
        return
    if known:
        draft.reuse(known, name=name, url=url)
        return
    data = space.download(file.path)
    try:
        if problem := differs(data, digest):
            raise ValueError(problem)
        content, rows = _judged(file.path, data)
    except (PickleError, ValueError) as error:
        aside = draft.quarantine(file.path, data)
        raise SourceError(
            NAME,
            f"{draft.day} {file.path}: {error}",
            f"{url} (the bytes: {aside})",
            "run again; if the file itself is so, adapt flows/sources/lmarena/space.py",
        ) from error
    draft.add_file(name, content, url=url, etag=digest, rows_seen=rows)
    log.info("lmarena_space: %s, %s rows", name, f"{rows:,}")


def _judged(path: str, data: bytes) -> tuple[bytes, int]:
    """What is kept of a file, and its rows. Raises ValueError (a PickleError is one)."""
    if not _PICKLE.fullmatch(path):
        return data, len(_records(data))
    ratings, packed = boards(data), io.BytesIO()
    ratings.write_parquet(packed)
    return packed.getvalue(), ratings.height


def _records(data: bytes) -> list[dict[str, str]]:
    """The records of a table by column. Raises ValueError that says at which line it is damaged.

    Ten recorded tables end without a newline, so that is no sign of a cut; the digest is.
    """
    held = read_csv(utf8(data))
    _check_header(held.header)
    if not held.records:
        raise ValueError("holds a header and no record")
    return [dict(zip(held.header, cells, strict=True)) for _, cells in held.records]


def _check_header(header: list[str]) -> None:
    columns = contract(TABLES).columns.values()
    needed = [c.source_names[0] for c in columns if c.source_names and not c.optional]
    lacks = [name for name in needed if name not in header]
    twice = sorted({h for h in header if header.count(h) > 1})
    known = {name for c in columns for name in c.source_names}
    unknown = [h for h in header if h not in known]
    if lacks or twice or unknown:
        raise ValueError(
            f"line 1: the header lacks {lacks}, has twice {twice}, and has {unknown[:9]}, which "
            f"{TABLES} does not know"
        )


def parse_space(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.arena_space_tables and raw.arena_space_ratings: one row per record of each file.

    Cells are stripped; '' and '-' are null. So is a cell that cannot be used, with a note in
    raw.quarantine. Refused, with the reason: a record without model name and one whose rating
    cannot be used. Dates are those of the files' names.
    """
    tables = snapshot.find(suffix=".csv")
    if tables:
        _load_tables(con, snapshot, {f.name: _records(archive.read(f)) for f in tables})
    ratings = snapshot.find(suffix=".parquet")
    if ratings:
        _load_ratings(con, snapshot, {f.name: str(archive.verify_file(f)) for f in ratings})


def _table_date(name: str) -> date:
    found = _TABLE.fullmatch(name) or _PICKLE.fullmatch(name)
    if not found:
        raise ValueError(f"{name} has no day in its name")
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


def _load_ratings(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, paths: dict[str, str]
) -> None:
    frames = []
    for name, path in paths.items():
        pickle = re.sub(r"\.parquet$", ".pkl", name)
        held = pl.read_parquet(path).with_row_index("line", 1)
        about = {"file_name": pl.lit(pickle), "table_date": pl.lit(_table_date(pickle))}
        frames.append(
            held.with_columns(
                pl.col("line").cast(pl.Int64),
                pl.struct(pl.all()).struct.json_encode().alias("record"),
                **about,
            )
        )
    columns = contract(RATINGS).columns
    read = {c: measured(quote(c), columns[c]) for c in SCHEMA}
    _load(con, snapshot, RATINGS, pl.concat(frames), read)


def _load(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    name: str,
    frame: pl.DataFrame,
    read: Mapping[str, str],
) -> None:
    """Loads the sound rows of `frame` and quarantines the rest with the first unusable cell.

    `read`: SQL of the values of typed columns; the others that the source names are text.
    """
    table = contract(name)
    columns = list(table.columns)[2:]
    texts = {c for c in columns if table.columns[c].source_names}
    cells = {c: quote(c) for c in columns if c in texts or c in read}
    refused = (
        f"CASE WHEN model_name IS NULL THEN 'no model name' ELSE {refusal(table, cells, read)} END"
    )
    taken = {c: typed(quote(c), table.columns[c]) for c in texts} | dict(read)
    values = ", ".join(taken.get(c, quote(c)) for c in columns)
    con.register("space_lines", frame)
    con.execute(
        f"""INSERT INTO {table.sql_name} SELECT {snapshot_columns(snapshot)}, {values}
        FROM space_lines WHERE {refused} IS NULL ORDER BY file_name, line"""
    )
    quarantine(
        con,
        snapshot,
        name,
        f"SELECT file_name, line, {refused}, record FROM space_lines WHERE {refused} IS NOT NULL",
    )
    kept = f"(SELECT *, file_name AS file FROM space_lines WHERE {refused} IS NULL)"
    quarantine_cells(con, snapshot, table, cells, kept, values=read)
    con.unregister("space_lines")
