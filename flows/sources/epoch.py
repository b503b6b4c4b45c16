"""Epoch AI: tables of models, their organisations and the capabilities index, as CSV.

The producer overwrites them in place every day, so every fetch is kept as a vintage of its own; a
file that did not change is not stored twice. A CSV is judged when it arrives: cut short, ragged or
with a renamed column it is set aside. A zip with several tables is asked for once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import httpx2
import polars as pl

from flows.settings import Settings
from flows.sources.formats.csv_file import (
    CsvFile,
    DamagedCsvError,
    as_json,
    read_csv,
    stripped,
    utf8,
)
from flows.sources.formats.zips import DAMAGED_ZIP, members, one_each, open_zip, parts_of
from flows.sources.http import SourceError, get
from flows.sources.quarantine import quarantine, quarantine_cells, refusal, snapshot_columns, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import Contract, contract, quote

log = logging.getLogger("observatory.epoch")

MODELS, CAPABILITIES = "raw.epoch_models", "raw.epoch_capabilities"
ORGANIZATIONS, VERSIONS = "raw.epoch_organizations", "raw.epoch_model_versions"
BENCHMARKS = "/data/benchmark_data.zip"
# Name -> (paths below the base URL, the first that has it wins; table). Organisations and model
# versions were once part of the benchmarking download; where they are today is not established.
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
    """Keeps every table that Epoch offers today, as CSV; a table that is not offered is noted."""
    draft.reset()
    visit = _Visit(settings, archive, draft)
    for name, (paths, _) in FILES.items():
        if not any(visit.keeps(name, path) for path in paths):
            places = " or ".join(settings.epoch_url + path for path in paths)
            draft.notes.append(f"{name} is not offered at {places}")


class _Visit:
    """One call at Epoch: every address is asked once, however many tables lie behind it."""

    def __init__(self, settings: Settings, archive: Archive, draft: Draft) -> None:
        self._settings, self._draft, self._archive = settings, draft, archive
        self._earlier = archive.snapshots("epoch")[::-1]  # newest first
        self._answers: dict[str, httpx2.Response] = {}

    def keeps(self, name: str, path: str) -> bool:
        """Takes the table into the draft; False where the address does not have it."""
        url, answer = self._settings.epoch_url + path, self._answer(path)
        if answer.status_code == 404:
            return False
        if answer.status_code == 304:
            if earlier := self._latest(name, path):
                self._draft.reuse(earlier, name=name, url=url)
            return earlier is not None
        try:
            text = _member(answer.content, name) if path.endswith(".zip") else answer.content
            held = None if text is None else read_table(text, contract(FILES[name][1]))
        except DAMAGED_ZIP as error:
            raise self._refused(name, url, answer.content, error) from error
        if text is None or held is None:
            return False
        etag, status = answer.headers.get("etag"), answer.status_code
        rows = len(held.records)
        self._draft.add_file(name, text, url=url, status=status, etag=etag, rows_seen=rows)
        self._draft.notes.extend(f"{name}: {note}" for note in held.notes)
        log.info("epoch: %s, %s rows", name, f"{rows:,}")
        return True

    def _answer(self, path: str) -> httpx2.Response:
        if path not in self._answers:
            self._answers[path] = get(
                "epoch",
                self._settings.epoch_url + path,
                timeout=self._settings.http_timeout_seconds,
                headers=self._condition(path),
                absent_ok=path not in FILES[REQUIRED][0],
                first_wait=self._settings.http_first_wait_seconds,
            )
        return self._answers[path]

    def _condition(self, path: str) -> dict[str, str]:
        """If-None-Match, if one ETag stands for all that we want from the address."""
        wanted = [name for name, (paths, _) in FILES.items() if path in paths]
        held = {name: self._latest(name, path) for name in wanted}
        etags = {file.http_etag for file in held.values() if file}
        never_asked = [name for name, file in held.items() if not (file or self._was_noted(name))]
        (etag,) = etags if len(etags) == 1 else (None,)
        return {"If-None-Match": etag} if etag and not never_asked else {}

    def _latest(self, name: str, path: str) -> ArchivedFile | None:
        """The newest sound file of that name from that address."""
        files = (f for snapshot in self._earlier for f in snapshot.files if f.name == name)
        from_here = (f for f in files if f.url.endswith(path))
        return next((f for f in from_here if self._archive.is_sound(f)), None)

    def _was_noted(self, name: str) -> bool:
        """Whether the last visit looked for the table in vain, or found it elsewhere."""
        last = self._earlier[0] if self._earlier else None
        return last is not None and (
            any(f.name == name for f in last.files) or any(n.startswith(name) for n in last.notes)
        )

    def _refused(self, name: str, url: str, data: bytes, error: Exception) -> SourceError:
        aside = self._draft.quarantine(name, data)
        return SourceError(
            "epoch",
            f"{self._draft.day} {name}: {error}",
            f"{url} (the bytes: {aside})",
            f"run again later; if the producer changed the file, adapt {FILES[name][1]}'s contract",
        )


def _member(archive_bytes: bytes, name: str) -> bytes | None:
    """One file out of a zip, the least deep of that name in any case; None if it is not there."""
    with open_zip(archive_bytes) as bundle:
        named = [m for m in members(bundle) if parts_of(m.filename)[-1].casefold() == name]
        found = one_each(named, lambda inside: parts_of(inside)[-1])
        return bundle.read(found[name]) if found else None


def read_table(data: bytes, table: Contract) -> CsvFile:
    """A whole, sound CSV of Epoch's, when it arrives and when it is loaded.

    Every vintage recorded so far ends with a newline and has records as wide as the header, so a
    file that does not is taken for cut short. A record without any text is none. Raises
    DamagedCsvError with the line.
    """
    held = read_csv(utf8(data))
    _check_header(held.header, table)
    if not held.has_last_line_end:
        raise DamagedCsvError(f"line {held.lines}: the file ends in the middle of a line")
    records = [(n, cells) for n, cells in held.records if any(map(stripped, cells))]
    if not records:
        raise DamagedCsvError("holds a header and no record")
    return replace(held, records=records)


def _check_header(header: list[str], table: Contract) -> None:
    needed = [c.source_names for c in table.columns.values() if c.source_names and not c.optional]
    lacks = [" or ".join(names) for names in needed if not set(names) & set(header)]
    twice = sorted({h for h in header if header.count(h) > 1})
    if lacks or twice:
        raise DamagedCsvError(f"line 1: the header lacks {lacks}, has twice {twice}")


def parse_tables(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads the raw.epoch_* tables: one row per record of each file.

    Cells are stripped and blanks are null. A cell that is not in the format of its column is null
    and noted in raw.quarantine; in an essential column of the contract it costs the record.
    """
    for name, (_, table) in FILES.items():
        for file in snapshot.find(name):
            _load_csv(con, snapshot, contract(table), name, archive.read(file))


def _load_csv(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: Contract, name: str, data: bytes
) -> None:
    held = read_table(data, table)
    source_of = _source_of(table, held.header)
    cells = {ours: quote(ours) for ours in source_of}
    refused = refusal(table, cells)
    schema = {"line": pl.Int64, **dict.fromkeys((*source_of, OTHERS, "record"), pl.String)}
    values = ", ".join(
        typed(quote(column), table.columns[column]) if column in schema else "NULL"
        for column in list(table.columns)[4:]
    )
    con.register("cells", pl.DataFrame(list(_rows(held, source_of)), schema=schema, orient="row"))
    con.execute(
        f"""INSERT INTO {table.sql_name} SELECT {snapshot_columns(snapshot)}, ?, line, {values}
        FROM cells WHERE {refused} IS NULL ORDER BY line""",
        [name.removesuffix(".csv")],
    )
    quarantine(
        con,
        snapshot,
        table.table,
        f"SELECT ?, line, {refused}, record FROM cells WHERE {refused} IS NOT NULL",
        [name],
    )
    kept = f"(SELECT ? AS file, * FROM cells WHERE {refused} IS NULL)"
    quarantine_cells(con, snapshot, table, cells, kept, [name])
    con.unregister("cells")


def _rows(held: CsvFile, source_of: dict[str, str]) -> Iterator[tuple[object, ...]]:
    """Number of each record, our columns' cells, its other cells and itself as JSON objects."""
    ours = [held.header.index(source) for source in source_of.values()]
    others = [i for i in range(len(held.header)) if i not in ours]
    for number, cells in held.records:
        texts = [stripped(cell) or None for cell in cells]
        rest = {held.header[i]: text for i in others if (text := texts[i])}
        record = as_json(dict(zip(held.header, cells, strict=True)))
        yield number, *(texts[i] for i in ours), as_json(rest) if rest else None, record


def _source_of(table: Contract, header: list[str]) -> dict[str, str]:
    """Our column -> the header's column, for those the file has; the first alias wins."""
    found = {
        ours: next((s for s in c.source_names if s in header), None)
        for ours, c in table.columns.items()
    }
    return {ours: source for ours, source in found.items() if source}
