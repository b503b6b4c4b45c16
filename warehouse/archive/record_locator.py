"""Finds the byte range of one record in an archived file.

Byte ranges count from 0 in the file as received (unpacked from zstd or its zip), without the end.
A record of a Parquet file has no byte range of its own: that of its row group is used.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow.parquet as pq
import yaml

BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")  # sources use any line ending
_SPACE = " \t\r\n,"
_TRAILING = re.compile(r"\n([ \t]*(#[^\n]*)?(\n|\Z))*\Z")  # blank lines and comments at the end


class LocateError(ValueError):
    """The record is not in the file."""


@dataclass(frozen=True)
class Located:
    """A record's number, from 1, and its byte range; `unit` is what the range spans."""

    record: int
    start: int
    end: int
    unit: str


def locate(
    name: str, data: bytes, record: int | None, fields: Mapping[str, str] | None = None
) -> Located:
    """The record with that number, or the first with these values of its fields.

    Raises LocateError if there is none, or the kind of file is not supported.
    """
    found: Iterator[tuple[Located, Mapping[str, str]]]
    if name.endswith(".parquet"):
        return _row_group(data, record or 0)
    if name.endswith(".json"):
        found = _json_records(data)
    elif name.endswith(".csv"):
        found = _csv_records(data)
    elif name.endswith(".yml"):
        found = _yaml_records(data)
    else:
        raise LocateError(f"{name}: records of this kind of file cannot be located")
    for place, values in found:
        if place.record == record or (
            fields and all(values.get(k) == v for k, v in fields.items())
        ):
            return place
    raise LocateError(f"{name} has no record {record or dict(fields or {})}")


def member(data: bytes, pattern: str) -> tuple[str, bytes]:
    """Name and bytes of the one file of a zip whose name matches. Raises LocateError."""
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        names = [n for n in bundle.namelist() if fnmatch.fnmatchcase(n.lower(), pattern.lower())]
        names = [n for n in names if not n.startswith("__MACOSX")]
        if len(names) != 1:
            raise LocateError(f"{len(names)} files of the zip match {pattern}, expected 1")
        return names[0], bundle.read(names[0])


def _json_records(data: bytes) -> Iterator[tuple[Located, Mapping[str, str]]]:
    """The items of the first list in a document."""
    text = data.decode("utf-8")
    decoder, place, number = json.JSONDecoder(), text.index("[") + 1, 0
    start, before = 0, len(text[:place].encode())
    while True:
        begin = place
        while place < len(text) and text[place] in _SPACE:
            place += 1
        if place >= len(text) or text[place] == "]":
            return
        item, end = decoder.raw_decode(text, place)
        number += 1
        start = before + len(text[begin:place].encode())
        before = start + len(text[place:end].encode())
        place = end
        fields = item if isinstance(item, dict) else {}
        yield Located(number, start, before, "JSON item"), fields


def _csv_records(data: bytes) -> Iterator[tuple[Located, Mapping[str, str]]]:
    """The records below the header; a record may span several lines."""
    begin = len(BOM) if data.startswith(BOM) else 0
    read = _Lines(data[begin:])
    records = csv.reader(read)
    header = [_text(cell) for cell in next(records, [])]
    start = read.used
    for number, cells in enumerate(records, start=1):
        values = dict(zip(header, map(_text, cells), strict=False))
        yield Located(number, begin + start, begin + read.used, "CSV record"), values
        start = read.used


def _yaml_records(data: bytes) -> Iterator[tuple[Located, Mapping[str, str]]]:
    """The items of the list in a document, without comments that follow an item."""
    text = data.decode("utf-8")
    document = yaml.compose(text, yaml.SafeLoader)
    for number, node in enumerate(document.value if document else (), start=1):
        begin = node.start_mark.index
        item = _TRAILING.sub("", text[begin : node.end_mark.index]).encode()
        start = len(text[:begin].encode())
        fields = {key.value: str(value.value) for key, value in node.value}
        yield Located(number, start, start + len(item), "YAML item"), fields


class _Lines:
    """The lines of a file for the csv module, and the number of bytes used."""

    def __init__(self, data: bytes) -> None:
        self._lines = (line[0] for line in _LINE.finditer(data))
        self.used = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.used += len(line)
        return line.decode("latin-1")  # one character per byte, so offsets are bytes


def _text(cell: str) -> str:
    try:
        return cell.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return cell


def _row_group(data: bytes, record: int) -> Located:
    """The row group with the row: a Parquet file stores columns, not rows."""
    footer, first = pq.read_metadata(io.BytesIO(data)), 1
    for i in range(footer.num_row_groups):
        group = footer.row_group(i)
        if first <= record < first + group.num_rows:
            chunks = [group.column(c) for c in range(group.num_columns)]
            starts = [min(filter(None, _offsets(c))) for c in chunks]
            ends = [s + c.total_compressed_size for s, c in zip(starts, chunks, strict=True)]
            return Located(
                record, min(starts), max(ends), f"row group {i} of {footer.num_rows} rows"
            )
        first += group.num_rows
    raise LocateError(f"no row {record} in a Parquet file of {footer.num_rows} rows")


def _offsets(chunk: pq.ColumnChunkMetaData) -> tuple[int | None, int]:
    return chunk.dictionary_page_offset, chunk.data_page_offset
