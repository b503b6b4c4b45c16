"""How much a Parquet file unpacks to, from the headers of its pages, before anything is unpacked.

The footer alone may lie: readers allocate what the header of a page says, and a page of a few bytes
may have a billion equal values. Page headers are structs in Thrift's compact protocol.
"""

from __future__ import annotations

import io

import pyarrow.parquet as pq

from flows.sources.formats.zips import MAX_RATIO

MAX_BYTES = 16 << 30  # unpacked; a file of all models of the Hub has about 1 GiB
MAX_PAGE = 512 << 20  # unpacked; writers aim at 1 to 100 MiB
SMALL = 1 << 20  # bytes or values up to which the ratio does not matter
DEEPEST = 8
_SIZE, _PACKED, _DATA = 2, 3, (5, 8)  # fields of a page header; the headers of data pages in it
_VALUES = 1  # field of the latter


class DamagedParquetError(ValueError):
    """The pages of a Parquet file do not match its footer, or unpack to more than the limits."""


def read_footer(data: bytes) -> pq.FileMetaData:
    """The footer of a file whose pages are within the limits.

    Raises DamagedParquetError, and what the reader raises for bytes that have no footer.
    """
    footer = pq.read_metadata(io.BytesIO(data))
    unpacked = values = 0
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            column = footer.row_group(group).column(number)
            size, found = _chunk(data, column)
            if found != column.num_values:
                raise DamagedParquetError(
                    f"column {column.path_in_schema!r:.60} has {found:,} values in its pages and "
                    f"{column.num_values:,} in the footer"
                )
            unpacked, values = unpacked + size, values + found
    _check("unpacks to {:,} bytes", unpacked, len(data))
    _check("has {:,} values", values, len(data))
    return footer


def _check(what: str, count: int, size: int) -> None:
    if count > MAX_BYTES or count > max(SMALL, MAX_RATIO * size):
        raise DamagedParquetError(
            f"{what.format(count)} from {size:,}; the limit is {MAX_RATIO} times"
        )


def _chunk(data: bytes, column: pq.ColumnChunkMetaData) -> tuple[int, int]:
    """Unpacked bytes and values of a column in one row group."""
    if not column.total_compressed_size:
        return 0, 0
    first = (column.dictionary_page_offset if column.has_dictionary_page else 0) or 0
    # Without rows there may be a dictionary and no data page.
    at = min((offset for offset in (first, column.data_page_offset) if offset > 0), default=0)
    end, unpacked, values = at + column.total_compressed_size, 0, 0
    if not 0 < at <= end <= len(data):
        raise DamagedParquetError(f"column {column.path_in_schema!r:.60} is outside the file")
    while at < end:
        header, start = _struct(data, at)
        size, packed = header.get(_SIZE), header.get(_PACKED)
        if not isinstance(size, int) or not isinstance(packed, int):
            raise DamagedParquetError(f"the page at byte {at:,} has no sizes")
        if not (0 <= size <= MAX_PAGE and 0 <= packed <= end - start):
            raise DamagedParquetError(
                f"the page at byte {at:,} unpacks from {packed:,} to {size:,} bytes; "
                f"the limit is {MAX_PAGE:,}"
            )
        values += _values(header)
        unpacked, at = unpacked + size, start + packed
    return unpacked, values


def _values(header: dict[int, object]) -> int:
    """The rows of a data page; those of a dictionary are counted where they are used."""
    of_data = [found for field in _DATA if isinstance(found := header.get(field), dict)]
    return sum(count for found in of_data if isinstance(count := found.get(_VALUES), int))


def _struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, object], int]:
    """A struct by field: numbers and structs in it. Returns it and the place after it."""
    if depth > DEEPEST:
        raise DamagedParquetError("the header of a page is nested too deeply")
    found: dict[int, object] = {}
    field = 0
    while kind := _byte(data, at):
        at += 1
        if step := kind >> 4:
            field += step
        else:
            number, at = _varint(data, at)
            field = number >> 1 ^ -(number & 1)
        found[field], at = _value(data, at, kind & 15, depth)
    return found, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[object, int]:
    if kind in (1, 2):  # true and false have no bytes
        return None, at
    if kind in (3, 7):  # a byte, a float
        return None, at + (1 if kind == 3 else 8)
    if kind in (4, 5, 6):
        number, at = _varint(data, at)
        return number >> 1 ^ -(number & 1), at
    if kind == 8:
        size, at = _varint(data, at)
        return None, at + size
    if kind == 12:
        return _struct(data, at, depth + 1)
    raise DamagedParquetError(f"the header of a page has a field of the kind {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 64, 7):
        byte = _byte(data, at)
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise DamagedParquetError("the header of a page has a number of more than 64 bits")


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise DamagedParquetError("the header of a page ends outside the file")
    return data[at]
