"""One record within the bytes of a kept file: where it begins and ends.

Byte ranges count from 0 over the file as received (unpacked from zstd, or out of its zip), the
end not included. A record of a Parquet file has no bytes of its own: its row group is named.
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
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")  # files come with any line end
_SPACE = " \t\r\n,"
_TRAILING = re.compile(r"\n([ \t]*(#[^\n]*)?(\n|\Z))*\Z")  # blank lines and comments at the end


class LocateError(ValueError):
    """The record is not in the file that its row names."""


@dataclass(frozen=True)
class Located:
    """A record's number, from 1, and its bytes; `unit` says what the range spans."""

    record: int
    start: int
    end: int
    unit: str


def locate(
    name: str, data: bytes, record: int | None, fields: Mapping[str, str] | None = None
) -> Located:
    """The record of that number, or the first whose fields have these values, of a kept file.

    Raises LocateError where it is not there or the kind of file is unknown.
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
        raise LocateError(f"{name}: no way to look for a record in this kind of file")
    for place, values in found:
        if place.record == record or (
            fields and all(values.get(k) == v for k, v in fields.items())
        ):
            return place
    raise LocateError(f"{name}: no record {record or dict(fields or {})}")


def member(data: bytes, pattern: str) -> tuple[str, bytes]:
    """Name and bytes of the one file of a zip whose name fits. Raises LocateError."""
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        names = [n for n in bundle.namelist() if fnmatch.fnmatchcase(n.lower(), pattern.lower())]
        names = [n for n in names if not n.startswith("__MACOSX")]
        if len(names) != 1:
            raise LocateError(f"{len(names)} files of the zip are called {pattern}")
        return names[0], bundle.read(names[0])


def _json_records(data: bytes) -> Iterator[tuple[Located, Mapping[str, str]]]:
    """The items of the list that a document is, or of the first list in it."""
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
    """The records below the header, which is none; a record may span several lines."""
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
    """The items of the list that a document is, without the comments that follow one."""
    text = data.decode("utf-8")
    document = yaml.compose(text, yaml.SafeLoader)
    for number, node in enumerate(document.value if document else (), start=1):
        begin = node.start_mark.index
        item = _TRAILING.sub("", text[begin : node.end_mark.index]).encode()
        start = len(text[:begin].encode())
        fields = {key.value: str(value.value) for key, value in node.value}
        yield Located(number, start, start + len(item), "YAML item"), fields


class _Lines:
    """The lines of a file for the csv module, and how many bytes of it were used."""

    def __init__(self, data: bytes) -> None:
        self._lines = (line[0] for line in _LINE.finditer(data))
        self.used = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.used += len(line)
        return line.decode("latin-1")  # one character a byte: commas and quotes are where they are


def _text(cell: str) -> str:
    try:
        return cell.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return cell


def _row_group(data: bytes, record: int) -> Located:
    """The row group that holds the row, for a Parquet file keeps columns and not rows."""
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
    raise LocateError(f"row {record} of {footer.num_rows}")


def _offsets(chunk: pq.ColumnChunkMetaData) -> tuple[int | None, int]:
    return chunk.dictionary_page_offset, chunk.data_page_offset
