"""The one reader of CSV files: what is judged when a file arrives is what is loaded from it.

Bytes stay as they were received; the reading of them is the same on every day. A mix of line ends
is read line by line, a line without a delimiter and without text is no record, and UTF-8 that was
read as Latin-1 or Windows-1252 and saved as UTF-8 again is put right, with a note.
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

csv.field_size_limit(1 << 24)  # the module's own limit is 128 KiB; abstracts may be longer

# Every blank, control and format character: no-break and zero-width spaces, marks of byte order.
BLANKS = "".join(
    c
    for c in map(chr, (*range(0x10000), *range(0xE0000, 0xE0080)))
    if unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc", "Cf")
)
# What Windows-1252 and Latin-1 make of the bytes from 0x80; five are in Latin-1 alone.
_BYTES = {bytes([b]).decode("latin-1"): b for b in range(0x80, 0x100)} | {
    bytes([b]).decode("cp1252"): b for b in range(0x80, 0xA0) if b not in b"\x81\x8d\x8f\x90\x9d"
}
_TWICE = re.compile("[" + "".join(map(re.escape, _BYTES)) + "]{2,}")


class DamagedCsvError(ValueError):
    """A CSV that is not whole; the message says at which line."""


@dataclass(frozen=True)
class CsvFile:
    """The header and the records, each with its number in the file."""

    header: list[str]
    records: list[tuple[int, list[str]]]
    repaired: dict[str, str]  # text as it came -> as it was before it was encoded a second time
    has_last_line_end: bool
    lines: int

    @property
    def notes(self) -> list[str]:
        """What a person should know about the text."""
        first = islice(self.repaired.items(), 3)
        shown = [f"{was[:60]!r} is read as {now[:60]!r}" for was, now in first]
        lost = sum("\ufffd" in cell for _, cells in self.records for cell in cells)
        return [
            *([f"texts encoded twice: {len(self.repaired)}; {', '.join(shown)}"] if shown else []),
            *([f"{lost} cells hold U+FFFD: characters were lost before"] if lost else []),
        ]


def utf8(data: bytes) -> str:
    """The text of a file. Raises DamagedCsvError naming the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedCsvError(f"byte {error.start} is not UTF-8") from error


def read_csv(text: str, *, is_ragged: bool = False) -> CsvFile:
    """A CSV's header and records. Raises DamagedCsvError with the line.

    Names of columns come without blanks around them and every record must be as wide as the
    header. A column without a name and without text, as a delimiter at the end of each line makes
    it, is left out. With `is_ragged` header and records are given as they are.
    """
    if "\0" in text:
        raise DamagedCsvError(f"line {text[: text.index(chr(0))].count(chr(10)) + 1}: a NUL byte")
    repaired: dict[str, str] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [_once(cell, repaired) for cell in next(reader, [])]
        if not header and not is_ragged:
            raise DamagedCsvError("line 1: is blank, and the header belongs there")
        records = list(_records(reader, None if is_ragged else len(header), repaired))
    except csv.Error as error:
        raise DamagedCsvError(f"line {reader.line_num}: {error}; the file seems cut") from error
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
                f"line {line}: {len(cells)} cells where the header has {width}; the file seems cut "
                "or damaged there"
            )
        yield number, [_once(cell, repaired) for cell in cells]


def _named(
    header: list[str], records: list[tuple[int, list[str]]]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns that have a name. Raises DamagedCsvError where one without a name has text."""
    nameless = [i for i, name in enumerate(header) if not name]
    for number, cells in records:
        if full := [i + 1 for i in nameless if stripped(cells[i])]:
            raise DamagedCsvError(f"line 1: column {full[0]} has no name, and record {number} text")
    kept = [i for i, name in enumerate(header) if name]
    if len(kept) == len(header):
        return header, records
    return [header[i] for i in kept], [(n, [cells[i] for i in kept]) for n, cells in records]


def stripped(cell: str) -> str:
    """A cell without blanks and format characters around it."""
    return cell.strip(BLANKS)


def as_json(pairs: dict[str, str]) -> str:
    """A record as a JSON object in its own order."""
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))


def _once(cell: str, repaired: dict[str, str]) -> str:
    """The cell as it was before its UTF-8 was read as Latin-1 or Windows-1252, however often."""
    if cell.isascii():
        return cell
    text = cell
    while (better := _TWICE.sub(_decoded, text)) != text:
        text = better
    if text != cell:
        repaired[cell] = text
    return text


def _decoded(found: re.Match[str]) -> str:
    """The run of characters as the UTF-8 that its bytes are, or as it stands if they are none."""
    try:
        return bytes(_BYTES[c] for c in found[0]).decode("utf-8")
    except UnicodeDecodeError:
        return found[0]
