"""Damage to a Parquet file: other types, values, columns and pages, and flipped bytes."""

from __future__ import annotations

import io
import struct
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.values import TEXTS

_DAYS = (2**31 - 1, -(2**31), 2932896, 2932897, -719529, -719528, 98_000_000, -100_000_000)
_MICROS = (2**63 - 1, -(2**63), 2**62, 253402300800000000, -62135596800000001, 8640000000000000000)
_NUMBERS = (float("nan"), float("inf"), float("-inf"), -1.0, 1e300, 0.5, 2.0**63, -0.0)
_WHOLE = (2**63 - 1, -(2**63), -1, 2**31, 0, 2**53 + 1)


def _read(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


def _write(table: pa.Table, **options: Any) -> bytes:
    packed = io.BytesIO()
    pq.write_table(table, packed, **options)
    return packed.getvalue()


def _column(rng: Random, table: pa.Table) -> int:
    return rng.randrange(table.num_columns)


def _odd(rng: Random, kind: pa.DataType) -> tuple[pa.DataType, Any]:
    """A value that the type can hold and nobody expects; another type if it can hold none."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_date(kind):
        return pa.date32(), pa.array([rng.choice(_DAYS)], pa.int32()).view(pa.date32())[0].as_py
    if pa.types.is_floating(kind):
        return pa.float64(), rng.choice(_NUMBERS)
    if pa.types.is_integer(kind):
        return pa.int64(), rng.choice(_WHOLE)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.string(), rng.choice(TEXTS)
    return pa.string(), rng.choice(TEXTS)


def parquet_value(rng: Random, data: bytes) -> tuple[Any, ...]:
    table = _read(data)
    at, row = _column(rng, table), rng.randrange(table.num_rows)
    field, kind = table.field(at), table.field(at).type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _moment(rng, table, at, row)
    kind, value = _odd(rng, kind)
    try:
        cells = table.column(at).combine_chunks().cast(kind).to_pylist()
    except pa.ArrowInvalid:
        cells = [None] * table.num_rows
    except pa.ArrowNotImplementedError:
        cells = [None] * table.num_rows
    cells[row] = value
    changed = table.set_column(at, field.name, pa.array(cells, kind))
    return _write(changed), f"{field.name} = {value!r:.40}", 1, value, False


def _moment(rng: Random, table: pa.Table, at: int, row: int) -> tuple[Any, ...]:
    field = table.field(at)
    is_day = pa.types.is_date32(field.type)
    whole = pa.int32() if is_day else pa.int64()
    value = rng.choice(_DAYS if is_day else _MICROS)
    cells = table.column(at).combine_chunks().view(whole).to_pylist()
    cells[row] = value
    changed = table.set_column(at, field.name, pa.array(cells, whole).view(field.type))
    return _write(changed), f"{field.name} = {value} {field.type}", 1


def parquet_type(rng: Random, data: bytes) -> tuple[Any, ...]:
    table = _read(data)
    at, n = _column(rng, table), table.num_rows
    texts = [f"v{i}" for i in range(n)]
    made = rng.choice(
        (
            pa.array(texts),
            pa.array([t.encode() for t in texts], pa.binary()),
            pa.array(range(n), pa.int8()),
            pa.array([2**64 - 1] * n, pa.uint64()),
            pa.array([1.5] * n, pa.float32()),
            pa.array([True] * n),
            pa.nulls(n),
            pa.array([[t] for t in texts]),
            pa.array([{"a": t} for t in texts]),
            pa.array([[("k", t)] for t in texts], pa.map_(pa.string(), pa.string())),
            pa.array(range(n), pa.int32()).cast(pa.decimal128(38, 9)),
            pa.array([2**31 - 1] * n, pa.int32()).view(pa.date32()),
            pa.array([2**63 - 1] * n, pa.int64()).view(pa.timestamp("ns", "Asia/Kolkata")),
            pa.array([10**15] * n, pa.int64()).view(pa.timestamp("ms")),
            pa.array([1] * n, pa.int32()).view(pa.time32("s")),
            pa.array([1] * n, pa.int64()).view(pa.duration("us")),
            pa.array(texts).dictionary_encode(),
        )
    )
    name = table.field(at).name
    return _write(table.set_column(at, name, made)), f"{name} is {made.type}", None


def parquet_not_utf8(rng: Random, data: bytes) -> tuple[Any, ...]:
    table = _read(data)
    texts = [i for i, f in enumerate(table.schema) if _is_text(f.type)]
    if not texts:
        return data, ""
    at, row = rng.choice(texts), rng.randrange(table.num_rows)
    cells = [None if c is None else c.encode() for c in table.column(at).to_pylist()]
    cells[row] = rng.choice((b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"a\x80b"))
    broken = pa.array(cells, pa.binary()).view(pa.string())
    name = table.field(at).name
    return _write(table.set_column(at, name, broken)), f"{name} = {cells[row]!r}", 1


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def parquet_columns(rng: Random, data: bytes) -> tuple[Any, ...]:
    table = _read(data)
    at, do = _column(rng, table), rng.choice(("without", "renamed", "twice", "case", "reversed"))
    names = list(table.column_names)
    if do == "without":
        return _write(table.remove_column(at)), f"without {names[at]}", None
    if do == "twice":
        return _write(table.append_column(names[at], table.column(at))), f"{names[at]} twice", None
    if do == "case":
        again = table.append_column(names[at].upper(), table.column(at))
        return _write(again), f"{names[at]} in capitals, too", None
    if do == "reversed":
        return _write(table.select(names[::-1])), do, 0
    odd = rng.choice(("x", "", 'a"b', "é" * 200, "file_row_number", "filename", "line", "%s"))
    renamed = [odd if i == at else name for i, name in enumerate(names)]
    return _write(table.rename_columns(renamed)), f"{names[at]} is {odd!r:.30}", None


def parquet_rows(rng: Random, data: bytes) -> tuple[Any, ...]:
    table = _read(data)
    do = rng.choice(("none", "twice", "first twice"))
    parts = {"none": [table.slice(0, 0)], "twice": [table, table]}
    some = parts.get(do, [table, table.slice(0, 1)])
    return _write(pa.concat_tables(some)), do, None


def parquet_style(rng: Random, data: bytes) -> tuple[Any, ...]:
    style = rng.choice(
        (
            *({"compression": c} for c in ("none", "gzip", "zstd", "brotli", "lz4", "snappy")),
            {"data_page_version": "2.0"},
            {"use_dictionary": False},
            {"row_group_size": 3},
            {"version": "1.0"},
            {"write_page_checksum": True},
        )
    )
    return _write(_read(data), **style), f"{style}", 0


def parquet_page(rng: Random, data: bytes) -> tuple[Any, ...]:
    """Flips a byte of a page that nothing protects: neither a checksum nor a compression."""
    plain = _write(_read(data), compression="none", use_dictionary=rng.random() < 0.5)
    (footer,) = struct.unpack("<I", plain[-8:-4])
    at = rng.randrange(4, len(plain) - 8 - footer)
    changed = bytearray(plain)
    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed), f"byte {at}", None


def parquet_footer(rng: Random, data: bytes) -> tuple[Any, ...]:
    (footer,) = struct.unpack("<I", data[-8:-4])
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4))):
        changed[len(data) - 8 - rng.randrange(1, footer)] ^= 1 << rng.randrange(8)
    return bytes(changed), "", None


def parquet_footer_size(rng: Random, data: bytes) -> tuple[Any, ...]:
    size = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, len(data)))
    return data[:-8] + struct.pack("<I", size) + data[-4:], f"{size}", None


PARQUET = (
    *(parquet_value, parquet_value, parquet_value, parquet_type, parquet_type, parquet_not_utf8),
    *(parquet_columns, parquet_rows, parquet_style, parquet_page, parquet_page, parquet_footer),
    *(parquet_footer, parquet_footer_size),
)
