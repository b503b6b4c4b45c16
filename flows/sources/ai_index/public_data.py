"""Stanford AI Index: the public data of an edition, as one zip or as local files.

An edition is stored as received. Every CSV is loaded into the raw tables; figures that the source
card maps must have exactly the header in the card.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import duckdb
import polars as pl

from flows.settings import Settings
from flows.sources.ai_index.edition_files import (
    File,
    check_cells,
    check_headers,
    read_files,
    row_records,
)
from flows.sources.ai_index.editions import LocalEdition, find_local, unlisted_editions
from flows.sources.formats.damage import DamagedFileError, naming
from flows.sources.http import SourceError, get
from flows.sources.quarantine import snapshot_columns
from warehouse.ai_index.corrections import ai_index_corrections
from warehouse.ai_index.figures import figures
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import cards
from warehouse.contracts.table import contract

log = logging.getLogger("observatory.ai_index")


def editions() -> dict[int, str | None]:
    """Edition -> address of its data; None if only local files can provide it."""
    return {int(year): url for year, url in cards()["ai_index"].map["editions"].items()}


def fetch_editions(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores `<edition>.zip` for every available edition: from local files, else by URL.

    Local editions that the card does not list are stored too.
    """
    draft.reset()
    unlisted = dict.fromkeys(unlisted_editions(settings.ai_index_files, set(editions())))
    for edition, card_url in (editions() | unlisted).items():
        local = find_local(settings.ai_index_files, edition)
        template = settings.ai_index_url
        url = template.replace("{edition}", str(edition)) if template else card_url
        visit = _Edition(archive, draft, edition, local.location if local else str(url))
        if local:
            visit.store_local(local)
        elif url:
            _download(settings, visit, required=template is None)
        else:
            draft.notes.append(
                f"edition {edition}: no public address; put {edition}.zip or its folder into "
                "OBSERVATORY_AI_INDEX_FILES"
            )
    if not draft.files:
        raise SourceError(
            "ai_index",
            "no edition is available: " + "; ".join(draft.notes),
            str(settings.ai_index_url or settings.ai_index_files or "source card"),
            "set OBSERVATORY_AI_INDEX_FILES to a folder with <edition>.zip, or omit the source",
        )


def _download(settings: Settings, visit: _Edition, *, required: bool) -> None:
    response = get(
        "ai_index",
        visit.url,
        settings,
        absent_ok=not required,
        timeout_factor=5,
    )
    if response.status_code == 404:
        visit.draft.notes.append(f"edition {visit.edition} is not offered at {visit.url}")
        return
    visit.store(response.content, response.headers.get("etag"))


@dataclass(frozen=True)
class _Edition:
    """One edition to add to the draft; it is read completely before it is stored."""

    archive: Archive
    draft: Draft
    edition: int
    url: str

    def store_local(self, local: LocalEdition) -> None:
        """Stores an edition from local files."""
        try:
            data = local.read()
        except ValueError as error:
            raise self._error(str(error), self.url) from error
        self.draft.notes.extend(local.notes())
        self.store(data, None, local)

    def store(self, data: bytes, etag: str | None, local: LocalEdition | None = None) -> None:
        """Stores the edition, or quarantines it and raises SourceError."""
        name = f"{self.edition}.zip"
        try:
            with naming(name):
                files = list(read_files(data, self.edition))
                self._check(files, local)
        except DamagedFileError as error:
            stored = self.draft.quarantine(name, data)
            if self.edition not in editions():  # no table needs it yet, so the run continues
                self.draft.notes.append(
                    f"edition {self.edition} not loaded: {error} (stored as {stored})"
                )
                return
            raise self._error(str(error), f"{self.url} (response stored as {stored})") from error
        if self.edition not in editions():
            self.draft.notes.append(
                f"edition {self.edition} is not on the source card: its tables are loaded, but no "
                "figure is mapped"
            )
        self.draft.notes.extend(
            f"{self.edition}.zip, {file.name}: {note}" for file in files for note in file.notes
        )
        rows = sum(len(file.csv.records) for file in files)
        self.draft.add_file(name, data, url=self.url, etag=etag, rows_seen=rows)
        log.info("ai_index: edition %d, %d tables, %s rows", self.edition, len(files), f"{rows:,}")

    def _check(self, files: list[File], local: LocalEdition | None) -> None:
        """Raises ValueError if a build could not read the edition, or if it is incomplete."""
        if not files:
            raise ValueError("has no .../Data/fig_<chapter>.<section>.<figure>.csv")
        check_headers(self.edition, files)
        check_cells(self.edition, files)
        missing = _mapped(self.edition) - {file.short for file in files}
        if missing and local and local.numbers == (1,):
            raise ValueError(
                f"{local.title} is only a part of the edition: it lacks {_shown(missing)}; "
                "add the parts 002 and so on"
            )
        earlier = self.archive.snapshots("ai_index")[-1:]
        for snapshot in earlier:
            lost = missing & self._figures_of(snapshot)
            if lost:
                raise ValueError(f"lacks {_shown(lost)}, which {snapshot.snapshot_id} has")

    def _figures_of(self, snapshot: Snapshot) -> set[str]:
        stored = snapshot.find(f"{self.edition}.zip")
        if not stored or not self.archive.is_sound(stored[0]):
            return set()
        return {file.short for file in read_files(self.archive.read(stored[0]), self.edition)}

    def _error(self, what: str, where: str) -> SourceError:
        return SourceError(
            "ai_index",
            f"{self.draft.day} edition {self.edition}: {what}",
            where,
            "get the edition's public data again; if a figure changed, adapt the source card",
        )


def _mapped(edition: int) -> set[str]:
    return {f"fig_{f.figure}.csv" for f in figures() if f.edition == edition}


def _shown(names: set[str]) -> str:
    shown = sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


def parse_editions(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads every CSV of every edition.

    raw.ai_index_rows has one row per record, raw.ai_index_files one per CSV, and
    raw.ai_index_corrections one per known fault, with whether the files still show it.
    """
    editions = {}
    for file in snapshot.find(suffix=".zip"):
        edition, data = int(file.name.removesuffix(".zip")), archive.read(file)
        with naming(file.name):
            editions[edition] = list(read_files(data, edition))
            check_cells(edition, editions[edition])
    for edition, files in editions.items():
        _load(con, snapshot, "raw.ai_index_rows", row_records(edition, files))
        _load(con, snapshot, "raw.ai_index_files", _file_records(edition, files))
    _load(con, snapshot, "raw.ai_index_corrections", _correction_records(editions))


def _load(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    table: str,
    records: Iterable[tuple[object, ...]],
) -> None:
    schema = pl.Schema(list(contract(table).polars_schema.items())[2:])
    frame = pl.DataFrame(list(records), schema=schema, orient="row")  # noqa: F841  DuckDB reads it
    con.execute(f"INSERT INTO {table} SELECT {snapshot_columns(snapshot)}, * FROM frame")


def _file_records(edition: int, files: list[File]) -> Iterator[tuple[object, ...]]:
    for f in files:
        size = (len(f.csv.header), len(f.csv.records))
        yield edition, f.figure, f.name, f.csv.encoding, *size, f.sha256, f.content_sha256


def _correction_records(editions: dict[int, list[File]]) -> Iterator[tuple[object, ...]]:
    """Every correction, with whether the files still show its fault."""
    for each in ai_index_corrections():
        files = {file.short: file.csv for file in editions.get(each.edition, [])}
        about = (each.id, each.edition, each.file, each.other, each.holds_while.guard)
        yield *about, each.defect, each.rule, each.still_holds(files)
