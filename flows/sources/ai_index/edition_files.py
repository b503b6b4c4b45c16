"""The files of an AI Index edition: every CSV in its zip, and whether a build can read it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from flows.sources.formats.csv_file import CsvFile, read_csv, stripped
from flows.sources.formats.zips import members, one_each, open_zip, parts_of, unpacked
from transforms.ai_index.figures import read_figures
from warehouse.ai_index.corrections import Csv, Encoding, ai_index_corrections
from warehouse.ai_index.figures import figure_rows, figures
from warehouse.contracts.table import contract

# Most files are fig_1.2.3.csv; some say fig_7.2.5_hardware.csv, fig_2.4.6(1).csv, fig_6.4,2.csv.
_FIGURE = re.compile(r"fig_(\d+\.\d+\.\d+)(?![\d.]*\d)")
_FILE = re.compile(r"fig_.*\.csv", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """One CSV of an edition; `figure` is None if its name has no id."""

    figure: str | None
    name: str  # chapter/Data/file
    csv: Csv
    sha256: str
    numbers: tuple[int, ...]  # of the records in the file, counting blank lines
    notes: tuple[str, ...]

    @property
    def short(self) -> str:
        """The name without its folders."""
        return self.name.split("/")[-1]

    @property
    def content_sha256(self) -> str:
        """Digest of the content, independent of line ends and encoding."""
        return _digest(json.dumps([self.csv.header, self.csv.records]).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_files(data: bytes, edition: int) -> Iterator[File]:
    """Every CSV of an edition; of several with one name, the one in the fewest folders."""
    with open_zip(data) as bundle:
        tables = [m for m in members(bundle) if _is_table(parts_of(m.filename))]
        found = one_each(tables, lambda name: "/".join(parts_of(name)[-3:])).values()
        for member in sorted(found, key=lambda m: m.filename):
            parts = parts_of(member.filename)
            short = parts[-1].lower() if _FILE.fullmatch(parts[-1]) else parts[-1]
            match = _FIGURE.match(short)
            content = unpacked(bundle, member)
            text, encoding = _decode(content, edition, short, member.filename)
            try:
                table = read_csv(text, is_ragged=True)
            except ValueError as error:
                raise ValueError(f"{member.filename}: {error}") from error
            if not table.header:
                raise ValueError(f"{member.filename}: is empty")
            yield _file(
                match and match[1], "/".join((*parts[-3:-1], short)), table, encoding, content
            )


def _file(figure: str | None, name: str, table: CsvFile, encoding: str, content: bytes) -> File:
    numbers = tuple(number for number, _ in table.records)
    csv = Csv(table.header, [cells for _, cells in table.records], encoding)
    return File(figure, name, csv, _digest(content), numbers, tuple(table.notes))


def _is_table(parts: list[str]) -> bool:
    return parts[-1].lower().endswith(".csv") and "data" in [p.lower() for p in parts[:-1]]


def _decode(data: bytes, edition: int, short: str, name: str) -> tuple[str, str]:
    """Text and encoding: UTF-8, or the one that a correction names; never guessed."""
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError as error:
        for each in ai_index_corrections():
            if (each.edition, each.file) == (edition, short) and isinstance(
                each.holds_while, Encoding
            ):
                return data.decode(each.holds_while.encoding), each.holds_while.encoding
        raise ValueError(f"{name}: byte {error.start} is not UTF-8") from error


def check_headers(edition: int, files: list[File]) -> None:
    """Raises ValueError if a mapped figure has another header than the source card says."""
    found = {file.short: tuple(file.csv.header) for file in files}
    for figure in figures():
        header = found.get(f"fig_{figure.figure}.csv")
        if figure.edition == edition and header and not _agree(header, figure.header):
            raise ValueError(
                f"fig_{figure.figure}.csv has the header {list(header)}, but the source card "
                f"says {list(figure.header)}"
            )


def _agree(header: Iterable[str], mapped: Iterable[str]) -> bool:
    """Whether two headers are the same, apart from blanks around the names."""
    return list(map(stripped, header)) == list(map(stripped, mapped))


def check_cells(edition: int, files: list[File]) -> None:
    """Raises CellError if a mapped figure has a cell that a build could not read."""
    names = list(contract("raw.ai_index_rows").polars_schema.items())[2:]
    rows = pl.DataFrame(list(row_records(edition, files)), schema=pl.Schema(names), orient="row")
    read_figures(rows.lazy(), figure_rows().lazy()).collect()


def row_records(edition: int, files: list[File]) -> Iterator[tuple[object, ...]]:
    """The rows of raw.ai_index_rows, without the snapshot's columns."""
    for file in files:
        header = json.dumps(file.csv.header)
        for line, record in zip(file.numbers, file.csv.records, strict=True):
            cells = json.dumps(record, ensure_ascii=False)
            yield edition, file.figure, file.name, line, header, cells
