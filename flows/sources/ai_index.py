"""Stanford AI Index: the public data of an edition, as one zip or as files laid down by hand.

An edition is kept whole, as received. Every CSV lands in raw; the figures that the source card
maps must have exactly the header the card says.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from flows.settings import Settings
from flows.sources.http import DAMAGED_ZIP, SourceError, get, open_zip
from flows.sources.raw import snapshot_columns
from warehouse.archive import Archive, Draft, Snapshot
from warehouse.cards import cards
from warehouse.contract import contract

log = logging.getLogger("observatory.ai_index")

# Most files are fig_1.2.3.csv; some say fig_7.2.5_hardware.csv, fig_2.4.6(1).csv, fig_6.4,2.csv.
_FIGURE = re.compile(r"fig_(\d+\.\d+\.\d+)(?![\d.]*\d)")
# Listed, never guessed: the files that are not UTF-8 (ai_index.md, section 4).
NOT_UTF8 = {(2026, "4.3.1"): "mac_roman", (2026, "4.4.33"): "mac_roman"}
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def editions() -> dict[int, str | None]:
    """Edition -> address of its data, null where only the operator can lay it down."""
    return {int(year): url for year, url in cards()["ai_index"].map["editions"].items()}


def fetch_editions(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps `<edition>.zip` for every edition that can be had: local files first, then by URL."""
    draft.restart()
    for edition, card_url in editions().items():
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
    """The operator's zip or folder of an edition, also under the producer's own folder name."""
    if folder is None:
        return None
    if not folder.is_dir():
        raise SourceError(
            "ai_index",
            "the folder with the editions is not there",
            str(folder),
            "correct OBSERVATORY_AI_INDEX_FILES, or unset it to ask the source card's addresses",
        )
    names = [p for p in sorted(folder.iterdir()) if str(edition) in p.name]
    return next((p for p in names if p.is_dir() or p.suffix == ".zip"), None)


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
    answer = get("ai_index", url, timeout=settings.http_timeout_seconds * 5, absent_ok=not required)
    if answer.status_code == 404:
        draft.notes.append(f"edition {edition} is not offered at {url}")
        return
    _keep(draft, edition, answer.content, url, answer.headers.get("etag"))


def _keep(draft: Draft, edition: int, data: bytes, url: str, etag: str | None) -> None:
    name = f"{edition}.zip"
    try:
        tables = list(_tables(data, edition))
        if not tables:
            raise ValueError("holds no .../Data/fig_<chapter>.<section>.<figure>.csv")
        _check_headers(edition, tables)
    except DAMAGED_ZIP as error:
        aside = draft.set_aside(name, data)
        raise SourceError(
            "ai_index",
            f"{draft.day} edition {edition}: {error}",
            f"{url} (the bytes: {aside})",
            "get the edition's public data again; for a changed figure adapt the source card",
        ) from error
    rows = sum(len(records) for _, _, _, records in tables)
    draft.keep(name, data, url=url, etag=etag, rows_seen=rows)
    log.info("ai_index: edition %d, %d tables, %s rows", edition, len(tables), f"{rows:,}")


# figure (None where the name has no id), name in the zip, header, records
Table = tuple[str | None, str, list[str], list[list[str]]]


def _tables(data: bytes, edition: int) -> Iterator[Table]:
    """Every CSV of an edition. The tables share no header, so the csv module reads them."""
    with open_zip(data) as bundle:
        for name in sorted(bundle.namelist()):
            parts = name.split("/")
            if not name.endswith(".csv") or "Data" not in parts[:-1] or "__MACOSX" in parts:
                continue
            match = _FIGURE.match(parts[-1])
            figure = match[1] if match else None
            text = _decode(bundle.read(name), edition, figure, name)
            try:
                lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
            except csv.Error as error:
                raise ValueError(f"{name}: {error}; the file seems damaged") from error
            if not lines:
                raise ValueError(f"{name}: is empty")
            yield figure, "/".join(parts[-3:]), lines[0], lines[1:]


def _decode(data: bytes, edition: int, figure: str | None, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = NOT_UTF8.get((edition, figure or ""))
        if encoding is None:
            raise ValueError(f"{name}: byte {error.start} is not UTF-8") from error
        return data.decode(encoding)


def _check_headers(edition: int, tables: list[Table]) -> None:
    found = {name.split("/")[-1]: header for _, name, header, _ in tables}
    for figure in cards()["ai_index"].map["figures"]:
        header = found.get(f"fig_{figure['figure']}.csv")
        if figure["edition"] == edition and header not in (None, figure["header"]):
            raise ValueError(
                f"fig_{figure['figure']}.csv has the header {header}, the source card says "
                f"{figure['header']}"
            )


def parse_editions(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.ai_index_rows: one row per record of every CSV of every edition."""
    for file in snapshot.find(suffix=".zip"):
        edition = int(file.name.removesuffix(".zip"))
        rows = [
            (figure, name, line, json.dumps(header), json.dumps(record, ensure_ascii=False))
            for figure, name, header, records in _tables(archive.read(file), edition)
            for line, record in enumerate(records, 1)
        ]
        columns = list(contract("raw.ai_index_rows").columns)[3:]
        frame = pl.DataFrame(rows, schema=columns, orient="row")  # noqa: F841  DuckDB reads it
        con.execute(
            f"INSERT INTO raw.ai_index_rows SELECT {snapshot_columns(snapshot)}, {edition}, * "
            "FROM frame"
        )
