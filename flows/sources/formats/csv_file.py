"""The one reader of CSV files: the check on arrival reads a file exactly as the loader does.

The archive keeps the bytes as received. Mixed line ends are accepted, blank lines are skipped, and
UTF-8 that was read as Latin-1 or Windows-1252 and saved as UTF-8 again is repaired, with a note.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from warehouse.contracts.table import Contract

csv.field_size_limit(1 << 24)  # the default is 128 KiB; abstracts may be longer

# Every blank, control and format character, such as zero-width spaces and byte order marks.
BLANKS = "".join(
    c
    for c in map(chr, (*range(0x10000), *range(0xE0000, 0xE0080)))
    if unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc", "Cf")
)
# Characters that Windows-1252 and Latin-1 have for the bytes from 0x80; five only in Latin-1.
_BYTES = {bytes([b]).decode("latin-1"): b for b in range(0x80, 0x100)} | {
    bytes([b]).decode("cp1252"): b for b in range(0x80, 0xA0) if b not in b"\x81\x8d\x8f\x90\x9d"
}
_TWICE = re.compile("[" + "".join(map(re.escape, _BYTES)) + "]{2,}")


class DamagedCsvError(ValueError):
    """A damaged CSV; the message says at which line."""


@dataclass(frozen=True)
class CsvFile:
    """The header and the records, each with its number in the file."""

    header: list[str]
    records: list[tuple[int, list[str]]]
    repaired: dict[str, str]  # text as received -> text before it was encoded a second time
    has_last_line_end: bool
    lines: int

    @property
    def notes(self) -> list[str]:
        """Notes about repaired and lost characters."""
        first = islice(self.repaired.items(), 3)
        shown = [f"{was[:60]!r} is read as {now[:60]!r}" for was, now in first]
        lost = sum("\ufffd" in cell for _, cells in self.records for cell in cells)
        return [
            *([f"texts encoded twice: {len(self.repaired)}; {', '.join(shown)}"] if shown else []),
            *([f"cells with U+FFFD (the producer lost characters): {lost}"] if lost else []),
        ]


def utf8(data: bytes) -> str:
    """The text of a file. Raises DamagedCsvError naming the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedCsvError(f"byte {error.start} is not UTF-8") from error


def read_csv(text: str, *, is_ragged: bool = False) -> CsvFile:
    """A CSV's header and records. Raises DamagedCsvError with the line.

    Column names are stripped, and every record must be as wide as the header. A column without
    name and text, which a delimiter at the end of each line makes, is left out. `is_ragged` returns
    header and records as they are.
    """
    if "\0" in text:
        raise DamagedCsvError(
            f"line {text[: text.index(chr(0))].count(chr(10)) + 1}: contains a NUL byte"
        )
    repaired: dict[str, str] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [_repair(cell, repaired) for cell in next(reader, [])]
        if not header and not is_ragged:
            raise DamagedCsvError("line 1: is blank, but must be the header")
        records = list(_records(reader, None if is_ragged else len(header), repaired))
    except csv.Error as error:
        raise DamagedCsvError(
            f"line {reader.line_num}: {error}; the file seems incomplete"
        ) from error
    if not is_ragged:
        header, records = _named([stripped(name) for name in header], records)
    ends = text.endswith(("\n", "\r"))
    return CsvFile(header, records, repaired, ends, reader.line_num)


def _records(
    reader: Iterator[list[str]], width: int | None, repaired: dict[str, str]
) -> Iterator[tuple[int, list[str]]]:
    for number, cells in enumerate(reader, 1):
        if not cells or (len(cells) == 1 and width != 1 and not stripped(cells[0])):
            continue
        if width is not None and len(cells) != width:
            line = getattr(reader, "line_num", number + 1)
            raise DamagedCsvError(
                f"line {line}: {len(cells)} cells, but the header has {width}; the file seems "
                "incomplete or damaged"
            )
        yield number, [_repair(cell, repaired) for cell in cells]


def _named(
    header: list[str], records: list[tuple[int, list[str]]]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns with a name. Raises DamagedCsvError if a column without one has text."""
    nameless = [i for i, name in enumerate(header) if not name]
    for number, cells in records:
        if full := [i + 1 for i in nameless if stripped(cells[i])]:
            raise DamagedCsvError(
                f"line 1: column {full[0]} has no name, but text in record {number}"
            )
    kept = [i for i, name in enumerate(header) if name]
    if len(kept) == len(header):
        return header, records
    return [header[i] for i in kept], [(n, [cells[i] for i in kept]) for n, cells in records]


def check_header(header: list[str], table: Contract, *, allow_unknown: bool = True) -> None:
    """Raises DamagedCsvError if columns of the contract are missing, repeated or unknown."""
    named = [(c.source_names, c.optional) for c in table.columns.values() if c.source_names]
    missing = [
        " or ".join(names)
        for names, is_optional in named
        if not is_optional and not set(names) & set(header)
    ]
    repeated = sorted({h for h in header if header.count(h) > 1})
    known = {name for names, _ in named for name in names}
    unknown = [] if allow_unknown else [h for h in header if h not in known][:9]
    faults = {"missing": missing, "repeated": repeated, f"unknown in {table.table}": unknown}
    if found := [f"{fault} {columns}" for fault, columns in faults.items() if columns]:
        raise DamagedCsvError(f"line 1: columns {', '.join(found)}")


def stripped(cell: str) -> str:
    """A cell without blanks and format characters around it."""
    return cell.strip(BLANKS)


def as_json(pairs: dict[str, str]) -> str:
    """A record as a JSON object, in the order of the columns."""
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))


def _repair(cell: str, repaired: dict[str, str]) -> str:
    """The cell as it was before its UTF-8 was read as Latin-1 or Windows-1252, once or more."""
    if cell.isascii():
        return cell
    text = cell
    while (better := _TWICE.sub(_decoded, text)) != text:
        text = better
    if text != cell:
        repaired[cell] = text
    return text


def _decoded(found: re.Match[str]) -> str:
    """The characters that the bytes are in UTF-8; unchanged if they are not UTF-8."""
    try:
        return bytes(_BYTES[c] for c in found[0]).decode("utf-8")
    except UnicodeDecodeError:
        return found[0]
