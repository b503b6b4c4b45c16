"""Stanford AI Index: the public data of an edition, as one zip or as files laid down by hand.

An edition is kept whole, as received. Every CSV lands in raw; the figures that the source card
maps must have exactly the header the card says.
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
from flows.sources.ai_index.editions import Laid, further, local
from flows.sources.formats.zips import DAMAGED_ZIP
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
    """Edition -> address of its data, null where only the operator can lay it down."""
    return {int(year): url for year, url in cards()["ai_index"].map["editions"].items()}


def fetch_editions(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps `<edition>.zip` for every edition that can be had: local files first, then by URL.

    An edition that the card does not list is kept too, if it was laid down by hand.
    """
    draft.reset()
    unlisted = dict.fromkeys(further(settings.ai_index_files, set(editions())))
    for edition, card_url in (editions() | unlisted).items():
        laid = local(settings.ai_index_files, edition)
        template = settings.ai_index_url
        url = template.replace("{edition}", str(edition)) if template else card_url
        visit = _Edition(archive, draft, edition, laid.place if laid else str(url))
        if laid:
            visit.take(laid)
        elif url:
            _download(settings, visit, required=template is None)
        else:
            draft.notes.append(
                f"edition {edition}: no public address; lay {edition}.zip or its folder into "
                "OBSERVATORY_AI_INDEX_FILES"
            )
    if not draft.files:
        raise SourceError(
            "ai_index",
            "no edition could be had: " + "; ".join(draft.notes),
            str(settings.ai_index_url or settings.ai_index_files or "source card"),
            "set OBSERVATORY_AI_INDEX_FILES to a folder with <edition>.zip, or drop the source",
        )


def _download(settings: Settings, visit: _Edition, *, required: bool) -> None:
    answer = get(
        "ai_index",
        visit.url,
        timeout=settings.http_timeout_seconds * 5,
        absent_ok=not required,
        first_wait=settings.http_first_wait_seconds,
    )
    if answer.status_code == 404:
        visit.draft.notes.append(f"edition {visit.edition} is not offered at {visit.url}")
        return
    visit.keep(answer.content, answer.headers.get("etag"))


@dataclass(frozen=True)
class _Edition:
    """One edition on its way into the draft; it is read in full before it is kept."""

    archive: Archive
    draft: Draft
    edition: int
    url: str

    def take(self, laid: Laid) -> None:
        """Keeps what the operator laid down."""
        try:
            data = laid.read()
        except DAMAGED_ZIP as error:
            raise self._refused(str(error), self.url) from error
        self.draft.notes.extend(laid.notes())
        self.keep(data, None, laid)

    def keep(self, data: bytes, etag: str | None, laid: Laid | None = None) -> None:
        """Keeps the edition, or sets it aside and raises SourceError saying what is wrong."""
        name = f"{self.edition}.zip"
        try:
            held = list(read_files(data, self.edition))
            self._check(held, laid)
        except DAMAGED_ZIP as error:
            aside = self.draft.quarantine(name, data)
            if self.edition not in editions():  # what nobody reads yet stops nothing
                self.draft.notes.append(
                    f"edition {self.edition} set aside: {error} (the bytes: {aside})"
                )
                return
            raise self._refused(str(error), f"{self.url} (the bytes: {aside})") from error
        if self.edition not in editions():
            self.draft.notes.append(
                f"edition {self.edition} is not on the source card: its tables are kept and no "
                "figure is mapped"
            )
        self.draft.notes.extend(
            f"{self.edition}.zip, {file.name}: {note}" for file in held for note in file.notes
        )
        rows = sum(len(file.csv.records) for file in held)
        self.draft.add_file(name, data, url=self.url, etag=etag, rows_seen=rows)
        log.info("ai_index: edition %d, %d tables, %s rows", self.edition, len(held), f"{rows:,}")

    def _check(self, held: list[File], laid: Laid | None) -> None:
        """Raises ValueError for what a build could not read, or for a part of the edition."""
        if not held:
            raise ValueError("holds no .../Data/fig_<chapter>.<section>.<figure>.csv")
        check_headers(self.edition, held)
        check_cells(self.edition, held)
        missing = _mapped(self.edition) - {file.short for file in held}
        if missing and laid and laid.numbers == (1,):
            raise ValueError(
                f"part 001 alone is not the edition: {_shown(missing)} are not in {laid.title}; "
                "lay the parts 002 and so on beside it"
            )
        earlier = self.archive.snapshots("ai_index")[-1:]
        for snapshot in earlier:
            lost = missing & self._figures_of(snapshot)
            if lost:
                raise ValueError(f"lacks {_shown(lost)}, which {snapshot.snapshot_id} has")

    def _figures_of(self, snapshot: Snapshot) -> set[str]:
        kept = snapshot.find(f"{self.edition}.zip")
        if not kept or not self.archive.is_sound(kept[0]):
            return set()
        return {file.short for file in read_files(self.archive.read(kept[0]), self.edition)}

    def _refused(self, what: str, where: str) -> SourceError:
        return SourceError(
            "ai_index",
            f"{self.draft.day} edition {self.edition}: {what}",
            where,
            "get the edition's public data again; for a changed figure adapt the source card",
        )


def _mapped(edition: int) -> set[str]:
    return {f"fig_{f.figure}.csv" for f in figures() if f.edition == edition}


def _shown(names: set[str]) -> str:
    shown = sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


def parse_editions(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads every CSV of every edition: its records, itself, and which known faults it shows.

    raw.ai_index_rows, one row per record; raw.ai_index_files; raw.ai_index_corrections.
    """
    editions = {
        int(file.name.removesuffix(".zip")): list(
            read_files(archive.read(file), int(file.name.removesuffix(".zip")))
        )
        for file in snapshot.find(suffix=".zip")
    }
    for edition, held in editions.items():
        _load(con, snapshot, "raw.ai_index_rows", row_records(edition, held))
        _load(con, snapshot, "raw.ai_index_files", _file_records(edition, held))
    _load(con, snapshot, "raw.ai_index_corrections", _judged(editions))


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


def _judged(editions: dict[int, list[File]]) -> Iterator[tuple[object, ...]]:
    """Every correction with whether the files still show its fault."""
    for each in ai_index_corrections():
        files = {file.short: file.csv for file in editions.get(each.edition, [])}
        about = (each.id, each.edition, each.file, each.other, each.holds_while.guard)
        yield *about, each.defect, each.rule, each.still_holds(files)
