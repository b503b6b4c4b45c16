"""Stanford AI Index: the public data of an edition, as one zip or as files laid down by hand.

An edition is kept whole, as received. Every CSV lands in raw; the figures that the source card
maps must have exactly the header the card says.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from flows.settings import Settings
from flows.sources.http import DAMAGED_ZIP, SourceError, get, open_zip
from flows.sources.raw import snapshot_columns
from warehouse.ai_index import figures
from warehouse.archive import Archive
from warehouse.cards import cards
from warehouse.contract import contract
from warehouse.draft import Draft
from warehouse.guards import Csv, Encoding, ai_index_corrections
from warehouse.snapshot import Snapshot

log = logging.getLogger("observatory.ai_index")

# Most files are fig_1.2.3.csv; some say fig_7.2.5_hardware.csv, fig_2.4.6(1).csv, fig_6.4,2.csv.
_FIGURE = re.compile(r"fig_(\d+\.\d+\.\d+)(?![\d.]*\d)")
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def editions() -> dict[int, str | None]:
    """Edition -> address of its data, null where only the operator can lay it down."""
    return {int(year): url for year, url in cards()["ai_index"].map["editions"].items()}


def fetch_editions(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps `<edition>.zip` for every edition that can be had: local files first, then by URL.

    An edition that the card does not list is kept too, if it was laid down by hand.
    """
    draft.restart()
    further = dict.fromkeys(_further(settings.ai_index_files))
    for edition, card_url in (editions() | further).items():
        local = _local(settings.ai_index_files, edition)
        template = settings.ai_index_url
        url = template.replace("{edition}", str(edition)) if template else card_url
        if local:
            _keep(draft, edition, _zipped(local), local.as_posix(), None)
        elif url:
            _download(settings, draft, edition, url, required=template is None)
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


def _local(folder: Path | None, edition: int) -> Path | None:
    """The operator's zip or folder of an edition, also under the producer's own folder name.

    An exact name goes first, then one that begins with the year, then one that names no other
    year. Raises SourceError where two are as good, or where only a name with several years is left.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise SourceError(
            "ai_index",
            "the folder with the editions is not there",
            str(folder),
            "correct OBSERVATORY_AI_INDEX_FILES, or unset it to ask the source card's addresses",
        )
    ranked = [(rank, p) for p in _laid(folder) if (rank := _rank(p, edition)) is not None]
    best = [p for rank, p in ranked if rank == min(r for r, _ in ranked)]
    if len(best) > 1 or any(rank == _AMBIGUOUS and p in best for rank, p in ranked):
        raise SourceError(
            "ai_index",
            f"cannot tell which of these is edition {edition}: {', '.join(p.name for p in best)}",
            str(folder),
            f"call the right one {edition} or {edition}.zip",
        )
    return best[0] if best else None


def _laid(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_dir() or p.suffix == ".zip"]


def _further(folder: Path | None) -> list[int]:
    """Editions that lie there and are not on the card, by names with one year alone."""
    laid = _laid(folder) if folder and folder.is_dir() else []
    years = [_years(path) for path in laid]
    return sorted({int(*found) for found in years if len(found) == 1} - set(editions()))


def _years(path: Path) -> set[str]:
    return set(re.findall(r"(?<!\d)20\d\d(?!\d)", path.name.removesuffix(".zip")))


_AMBIGUOUS = 3


def _rank(path: Path, edition: int) -> int | None:
    """How well a name fits an edition, 0 = exactly; None where it is another edition's."""
    name, years = path.name.removesuffix(".zip"), _years(path)
    begins = re.match(r"20\d\d(?!\d|-\d)", name)  # 2026-05-13 is a day, no edition
    if name == str(edition):
        return 0
    if begins:
        return 1 if begins[0] == str(edition) else None
    if str(edition) not in years:
        return None
    return 2 if len(years) == 1 else _AMBIGUOUS


def _zipped(path: Path) -> bytes:
    """A zip's bytes, or a folder packed the same way every time."""
    if path.is_file():
        return path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        for file in sorted(path.rglob("*.csv")):
            entry = zipfile.ZipInfo(file.relative_to(path.parent).as_posix(), EPOCH_OF_ZIP)
            bundle.writestr(entry, file.read_bytes())
    return packed.getvalue()


def _download(settings: Settings, draft: Draft, edition: int, url: str, *, required: bool) -> None:
    answer = get(
        "ai_index",
        url,
        timeout=settings.http_timeout_seconds * 5,
        absent_ok=not required,
        first_wait=settings.http_first_wait_seconds,
    )
    if answer.status_code == 404:
        draft.notes.append(f"edition {edition} is not offered at {url}")
        return
    _keep(draft, edition, answer.content, url, answer.headers.get("etag"))


def _keep(draft: Draft, edition: int, data: bytes, url: str, etag: str | None) -> None:
    name = f"{edition}.zip"
    try:
        files = list(_files(data, edition))
        if not files:
            raise ValueError("holds no .../Data/fig_<chapter>.<section>.<figure>.csv")
        _check_headers(edition, files)
    except DAMAGED_ZIP as error:
        aside = draft.set_aside(name, data)
        if edition not in editions():  # what nobody reads yet stops nothing
            draft.notes.append(f"edition {edition} set aside: {error} (the bytes: {aside})")
            return
        raise SourceError(
            "ai_index",
            f"{draft.day} edition {edition}: {error}",
            f"{url} (the bytes: {aside})",
            "get the edition's public data again; for a changed figure adapt the source card",
        ) from error
    if edition not in editions():
        draft.notes.append(
            f"edition {edition} is not on the source card: its tables are kept and no figure is "
            "mapped"
        )
    rows = sum(len(file.csv.records) for file in files)
    draft.keep(name, data, url=url, etag=etag, rows_seen=rows)
    log.info("ai_index: edition %d, %d tables, %s rows", edition, len(files), f"{rows:,}")


@dataclass(frozen=True)
class File:
    """One CSV of an edition; `figure` is None where its name has no id."""

    figure: str | None
    name: str  # chapter/Data/file
    csv: Csv
    sha256: str

    @property
    def short(self) -> str:
        """The name without its folders."""
        return self.name.split("/")[-1]

    @property
    def content_sha256(self) -> str:
        """The same whatever the line ends and the encoding."""
        return _digest(json.dumps([self.csv.header, self.csv.records]).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _files(data: bytes, edition: int) -> Iterator[File]:
    """Every CSV of an edition. The tables share no header, so the csv module reads them."""
    with open_zip(data) as bundle:
        for name in sorted(bundle.namelist()):
            parts = name.split("/")
            if not name.endswith(".csv") or "Data" not in parts[:-1] or "__MACOSX" in parts:
                continue
            match = _FIGURE.match(parts[-1])
            content = bundle.read(name)
            text, encoding = _decode(content, edition, parts[-1], name)
            try:
                lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
            except csv.Error as error:
                raise ValueError(f"{name}: {error}; the file seems damaged") from error
            if not lines:
                raise ValueError(f"{name}: is empty")
            table = Csv(lines[0], lines[1:], encoding)
            yield File(match and match[1], "/".join(parts[-3:]), table, _digest(content))


def _decode(data: bytes, edition: int, short: str, name: str) -> tuple[str, str]:
    """Text and encoding: UTF-8, or as a correction lists it, never guessed."""
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        for each in ai_index_corrections():
            if (each.edition, each.file) == (edition, short) and isinstance(
                each.holds_while, Encoding
            ):
                return data.decode(each.holds_while.encoding), each.holds_while.encoding
        raise ValueError(f"{name}: byte {error.start} is not UTF-8") from error


def _check_headers(edition: int, files: list[File]) -> None:
    found = {file.short: tuple(file.csv.header) for file in files}
    for figure in figures():
        header = found.get(f"fig_{figure.figure}.csv")
        if figure.edition == edition and header not in (None, figure.header):
            raise ValueError(
                f"fig_{figure.figure}.csv has the header {list(header or ())}, the source card "
                f"says {list(figure.header)}"
            )


def parse_editions(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads every CSV of every edition: its records, itself, and which known faults it shows.

    raw.ai_index_rows, one row per record; raw.ai_index_files; raw.ai_index_corrections.
    """
    editions = {
        int(file.name.removesuffix(".zip")): list(
            _files(archive.read(file), int(file.name.removesuffix(".zip")))
        )
        for file in snapshot.find(suffix=".zip")
    }
    for edition, files in editions.items():
        _load(con, snapshot, "raw.ai_index_rows", _row_records(edition, files))
        _load(con, snapshot, "raw.ai_index_files", _file_records(edition, files))
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


def _row_records(edition: int, files: list[File]) -> Iterator[tuple[object, ...]]:
    for file in files:
        header = json.dumps(file.csv.header)
        for line, record in enumerate(file.csv.records, 1):
            cells = json.dumps(record, ensure_ascii=False)
            yield edition, file.figure, file.name, line, header, cells


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
