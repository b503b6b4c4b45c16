"""Epoch AI: tables of models, their organizations and the capabilities index, as CSV.

The producer overwrites the files every day, so every fetch is stored as a vintage of its own;
unchanged files are not stored twice. Each CSV is checked on arrival: incomplete or ragged files and
files with a renamed column are quarantined. A zip with several tables is fetched once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import httpx2
import polars as pl

from flows.settings import Settings
from flows.sources.arrival import arriving
from flows.sources.formats.csv_file import (
    CsvFile,
    DamagedCsvError,
    as_json,
    check_header,
    read_csv,
    stripped,
    utf8,
)
from flows.sources.formats.damage import naming
from flows.sources.formats.zips import members, one_each, open_zip, parts_of, unpacked
from flows.sources.http import get
from flows.sources.quarantine import load_records, refusal, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import Contract, contract, literal, quote

log = logging.getLogger("observatory.epoch")

MODELS, CAPABILITIES = "raw.epoch_models", "raw.epoch_capabilities"
ORGANIZATIONS, VERSIONS = "raw.epoch_organizations", "raw.epoch_model_versions"
BENCHMARKS = "/data/benchmark_data.zip"
# Name -> (paths below the base URL; the first one that has the file is used), and table.
# Organizations and model versions were once in the benchmarking zip; their place today is unknown.
FILES = {
    "notable_ai_models.csv": (("/data/epochdb/notable_ai_models.csv",), MODELS),
    "large_scale_ai_models.csv": (("/data/epochdb/large_scale_ai_models.csv",), MODELS),
    "frontier_ai_models.csv": (("/data/epochdb/frontier_ai_models.csv",), MODELS),
    "all_ai_models.csv": (("/data/epochdb/all_ai_models.csv",), MODELS),
    "epoch_capabilities_index.csv": ((BENCHMARKS,), CAPABILITIES),
    "organizations.csv": ((BENCHMARKS, "/data/epochdb/organizations.csv"), ORGANIZATIONS),
    "model_versions.csv": ((BENCHMARKS, "/data/epochdb/model_versions.csv"), VERSIONS),
}
REQUIRED = "notable_ai_models.csv"
OTHERS = "other_columns_json"


def fetch_tables(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores every table that Epoch offers today, as CSV; notes tables that are not offered."""
    draft.reset()
    visit = _Visit(settings, archive, draft)
    for name, (paths, _) in FILES.items():
        if not any(visit.store(name, path) for path in paths):
            places = " or ".join(settings.address("epoch") + path for path in paths)
            draft.notes.append(f"{name} is not offered at {places}")


class _Visit:
    """One fetch: every address is requested once, however many tables it has."""

    def __init__(self, settings: Settings, archive: Archive, draft: Draft) -> None:
        self._settings, self._draft, self._archive = settings, draft, archive
        self._address = settings.address("epoch")
        self._earlier = archive.snapshots("epoch")[::-1]  # newest first
        self._responses: dict[str, httpx2.Response] = {}

    def store(self, name: str, path: str) -> bool:
        """Adds the table to the draft; False if the address does not have it."""
        url, response = self._address + path, self._response(path)
        if response.status_code == 404:
            return False
        if response.status_code == 304:
            if earlier := self._latest(name, path):
                self._draft.reuse(earlier, name=name, url=url)
            return earlier is not None
        with arriving(self._draft, name, response.content, url, _advice(name)):
            text = _member(response.content, name) if path.endswith(".zip") else response.content
            table = None if text is None else read_table(text, contract(FILES[name][1]))
        if text is None or table is None:
            return False
        etag, status = response.headers.get("etag"), response.status_code
        rows = len(table.records)
        self._draft.add_file(name, text, url=url, status=status, etag=etag, rows_seen=rows)
        self._draft.notes.extend(f"{name}: {note}" for note in table.notes)
        log.info("epoch: %s, %s rows", name, f"{rows:,}")
        return True

    def _response(self, path: str) -> httpx2.Response:
        if path not in self._responses:
            self._responses[path] = get(
                "epoch",
                self._address + path,
                self._settings,
                headers=self._condition(path),
                absent_ok=path not in FILES[REQUIRED][0],
            )
        return self._responses[path]

    def _condition(self, path: str) -> dict[str, str]:
        """If-None-Match, if all stored tables from the address have the same ETag."""
        wanted = [name for name, (paths, _) in FILES.items() if path in paths]
        latest = {name: self._latest(name, path) for name in wanted}
        etags = {file.http_etag for file in latest.values() if file}
        never_seen = [name for name, file in latest.items() if not (file or self._was_noted(name))]
        (etag,) = etags if len(etags) == 1 else (None,)
        return {"If-None-Match": etag} if etag and not never_seen else {}

    def _latest(self, name: str, path: str) -> ArchivedFile | None:
        """The newest sound file of that name from that address."""
        files = (f for snapshot in self._earlier for f in snapshot.files if f.name == name)
        from_here = (f for f in files if f.url.endswith(path))
        return next((f for f in from_here if self._archive.is_sound(f)), None)

    def _was_noted(self, name: str) -> bool:
        """Whether the last fetch did not find the table, or found it elsewhere."""
        last = self._earlier[0] if self._earlier else None
        return last is not None and (
            any(f.name == name for f in last.files) or any(n.startswith(name) for n in last.notes)
        )


def _advice(name: str) -> str:
    return f"run again later; if the producer changed the file, adapt {FILES[name][1]}'s contract"


def _member(archive_bytes: bytes, name: str) -> bytes | None:
    """One file of a zip, the one of that name in the fewest folders; None if there is none."""
    with open_zip(archive_bytes) as bundle:
        named = [m for m in members(bundle) if parts_of(m.filename)[-1].casefold() == name]
        found = one_each(named, lambda inside: parts_of(inside)[-1])
        return unpacked(bundle, found[name]) if found else None


def read_table(data: bytes, table: Contract) -> CsvFile:
    """A complete, sound CSV from Epoch; used on arrival and for loading.

    Every vintage recorded so far ends with a newline and has records as wide as the header, so a
    file that does not is incomplete. Empty records are skipped. Raises DamagedCsvError with the
    line.
    """
    content = read_csv(utf8(data))
    check_header(content.header, table)
    if not content.has_last_line_end:
        raise DamagedCsvError(f"line {content.lines}: the file ends in the middle of a line")
    records = [(n, cells) for n, cells in content.records if any(map(stripped, cells))]
    if not records:
        raise DamagedCsvError("has a header but no records")
    return replace(content, records=records)


def parse_tables(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads the raw.epoch_* tables: one row per record of each file.

    Cells are stripped, and blanks are null. A cell that does not have the format of its column
    becomes null and is quarantined; in an essential column of the contract it rejects the record.
    """
    for name, (_, table) in FILES.items():
        for file in snapshot.find(name):
            with naming(name):
                _load_csv(con, snapshot, contract(table), name, archive.read(file))


def _load_csv(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: Contract, name: str, data: bytes
) -> None:
    content = read_table(data, table)
    source_of = _source_of(table, content.header)
    cells = {ours: quote(ours) for ours in source_of}
    schema = {"line": pl.Int64, **dict.fromkeys((*source_of, OTHERS, "record"), pl.String)}
    rows = pl.DataFrame(list(_rows(content, source_of)), schema=schema, orient="row")
    con.register("cells", rows)
    records = f"(SELECT *, {literal(name)} AS file, {refusal(table, cells)} AS refusal FROM cells)"
    columns = {"file_name": literal(name.removesuffix(".csv")), "line": "line"} | {
        column: typed(quote(column), table.columns[column]) for column in (*source_of, OTHERS)
    }
    load_records(con, snapshot, table, records, columns, cells)
    con.unregister("cells")


def _rows(content: CsvFile, source_of: dict[str, str]) -> Iterator[tuple[object, ...]]:
    """Per record: number, the cells of our columns, other cells as JSON, the record as JSON."""
    ours = [content.header.index(source) for source in source_of.values()]
    others = [i for i in range(len(content.header)) if i not in ours]
    for number, cells in content.records:
        texts = [stripped(cell) or None for cell in cells]
        rest = {content.header[i]: text for i in others if (text := texts[i])}
        record = as_json(dict(zip(content.header, cells, strict=True)))
        other = as_json(dict(sorted(rest.items()))) if rest else None  # wherever columns move to
        yield number, *(texts[i] for i in ours), other, record


def _source_of(table: Contract, header: list[str]) -> dict[str, str]:
    """Our column -> the file's column, for those that the file has; the first alias wins."""
    found = {
        ours: next((s for s in c.source_names if s in header), None)
        for ours, c in table.columns.items()
    }
    return {ours: source for ours, source in found.items() if source}
