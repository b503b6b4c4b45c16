"""Epoch AI: tables of models and the capabilities index, as CSV overwritten in place every day.

Every fetch is kept as a vintage of its own; a file that did not change is not stored twice. A
CSV is judged when it arrives: cut short, ragged or with a renamed column it is set aside.
"""

from __future__ import annotations

import csv
import io
import logging

import duckdb

from flows.settings import Settings
from flows.sources.http import DAMAGED_ZIP, SourceError, get, open_zip
from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive, ArchivedFile, Draft, Snapshot
from warehouse.contract import Contract, contract, literal, quote

log = logging.getLogger("observatory.epoch")

MODELS, CAPABILITIES = "raw.epoch_models", "raw.epoch_capabilities"
# Name -> (path below the base URL, table). `notable` must be there, the others may be missing.
FILES = {
    "notable_ai_models.csv": ("/data/epochdb/notable_ai_models.csv", MODELS),
    "large_scale_ai_models.csv": ("/data/epochdb/large_scale_ai_models.csv", MODELS),
    "frontier_ai_models.csv": ("/data/epochdb/frontier_ai_models.csv", MODELS),
    "all_ai_models.csv": ("/data/epochdb/all_ai_models.csv", MODELS),
    "epoch_capabilities_index.csv": ("/data/benchmark_data.zip", CAPABILITIES),
}
REQUIRED = "notable_ai_models.csv"


class DamagedCsvError(ValueError):
    """A CSV that is not whole; the message says at which line."""


def fetch_tables(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps every table that Epoch offers today, as CSV."""
    draft.restart()
    for name, (path, table) in FILES.items():
        _keep_file(settings, archive, draft, name, settings.epoch_url + path, contract(table))


def _keep_file(
    settings: Settings, archive: Archive, draft: Draft, name: str, url: str, table: Contract
) -> None:
    earlier = _latest_file(archive, name)
    headers = {"If-None-Match": earlier.http_etag} if earlier and earlier.http_etag else {}
    answer = get(
        "epoch",
        url,
        timeout=settings.http_timeout_seconds,
        headers=headers,
        absent_ok=name != REQUIRED,
    )
    if answer.status_code == 404:
        draft.notes.append(f"{name} is not offered at {url}")
        return
    if answer.status_code == 304 and earlier:
        draft.reuse(earlier, name=name, url=url)
        return
    data = answer.content
    try:
        text = _member(data, name) if url.endswith(".zip") else data
        rows = check_csv(text, table)
    except (KeyError, *DAMAGED_ZIP) as error:
        aside = draft.set_aside(name, data)
        raise SourceError(
            "epoch",
            f"{draft.day} {name}: {error}",
            f"{url} (the bytes: {aside})",
            f"run again later; if the producer changed the file, adapt {table.table}'s contract",
        ) from error
    etag = answer.headers.get("etag")
    draft.keep(name, text, url=url, status=answer.status_code, etag=etag, rows_seen=rows)
    log.info("epoch: %s, %s rows", name, f"{rows:,}")


def _latest_file(archive: Archive, name: str) -> ArchivedFile | None:
    for snapshot in reversed(archive.snapshots("epoch")):
        if hits := [f for f in snapshot.files if f.name == name and archive.is_sound(f)]:
            return hits[0]
    return None


def _member(archive_bytes: bytes, name: str) -> bytes:
    """One file out of a zip, wherever it lies inside."""
    with open_zip(archive_bytes) as bundle:
        inside = [n for n in bundle.namelist() if n.split("/")[-1] == name]
        if not inside:
            raise KeyError(f"the zip holds no {name} but {bundle.namelist()[:5]}")
        return bundle.read(inside[0])


def check_csv(data: bytes, table: Contract) -> int:
    """Number of records of a whole, sound CSV. Raises DamagedCsvError with the line.

    Every vintage recorded so far ends with a newline and has records as wide as the header, so a
    file that does not is taken for cut short. Some thousand rows: the csv module counts the lines.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedCsvError(f"byte {error.start} is not UTF-8") from error
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(records, [])
        _check_header(header, table)
        rows = 0
        for record in records:
            rows += 1
            if len(record) != len(header):
                raise DamagedCsvError(
                    f"line {records.line_num}: {len(record)} cells where the header has "
                    f"{len(header)}; the file seems cut or damaged there"
                )
    except csv.Error as error:
        raise DamagedCsvError(f"line {records.line_num}: {error}; the file seems cut") from error
    if not text.endswith("\n"):
        raise DamagedCsvError(f"line {records.line_num}: the file ends in the middle of a line")
    if rows == 0:
        raise DamagedCsvError("holds a header and no record")
    return rows


def _check_header(header: list[str], table: Contract) -> None:
    needed = [c.source_names for c in table.columns.values() if c.source_names and not c.optional]
    lacks = [" or ".join(names) for names in needed if not set(names) & set(header)]
    twice = sorted({h for h in header if header.count(h) > 1})
    if lacks or twice:
        raise DamagedCsvError(f"line 1: the header lacks {lacks}, has twice {twice}")


def parse_tables(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.epoch_models and raw.epoch_capabilities: one row per record of each file.

    Cells are stripped and blanks are null. A record with a cell that is not of its column's type
    is refused and says which cell.
    """
    for name, (_, table) in FILES.items():
        for file in snapshot.find(name):
            path = str(archive.verify_file(file))
            _load_csv(con, snapshot, contract(table), name, path)


def _load_csv(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: Contract, name: str, path: str
) -> None:
    con.execute(
        """CREATE OR REPLACE TEMP TABLE cells AS SELECT row_number() OVER () AS line, record
        FROM read_csv(?, header = true, all_varchar = true, delim = ',', quote = '"',
            escape = '"', strict_mode = true, null_padding = false, encoding = 'utf-8',
            max_line_size = 16777216, parallel = false) AS record""",
        [path],
    )
    names = con.execute("SELECT unnest(struct_keys(any_value(record))) FROM cells").fetchall()
    header = [row[0] for row in names]
    cells = {
        ours: f"nullif(trim(record[{literal(source)}], E' \\t\\r\\n'), '')"
        for ours, source in _source_of(table, header).items()
    }
    bad = not_of_type((ours, cell, table.columns[ours].type) for ours, cell in cells.items())
    refusal = f"CASE {bad} END"
    others = [h for h in header if h not in _source_of(table, header).values()]
    values = ", ".join(_value(table, column, cells, others) for column in list(table.columns)[4:])
    con.execute(
        f"""INSERT INTO {table.sql_name} SELECT {snapshot_columns(snapshot)}, ?, line, {values}
        FROM cells WHERE {refusal} IS NULL ORDER BY line""",
        [name.removesuffix(".csv")],
    )
    quarantine(
        con,
        snapshot,
        table.table,
        f"SELECT ?, line, {refusal}, to_json(record)::VARCHAR FROM cells "
        f"WHERE {refusal} IS NOT NULL",
        [name],
    )
    con.execute("DROP TABLE cells")


def _source_of(table: Contract, header: list[str]) -> dict[str, str]:
    """Our column -> the header's column, for those the file has; the first alias wins."""
    found = {
        ours: next((s for s in c.source_names if s in header), None)
        for ours, c in table.columns.items()
    }
    return {ours: source for ours, source in found.items() if source}


def _value(table: Contract, column: str, cells: dict[str, str], others: list[str]) -> str:
    """SQL of one column of the raw table."""
    if column == "other_columns_json" and others:
        kept = ", ".join(f"{quote(h)} := nullif(trim(record[{literal(h)}]), '')" for h in others)
        return f"nullif(json_merge_patch('{{}}', to_json(struct_pack({kept})))::VARCHAR, '{{}}')"
    return (
        f"try_cast({cells[column]} AS {table.columns[column].type})" if column in cells else "NULL"
    )
