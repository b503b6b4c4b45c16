"""A Parquet file that unpacks to too much, or with pages unlike its footer, is refused."""

from __future__ import annotations

import io
from contextlib import suppress

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.sources.formats import parquet_sizes
from flows.sources.formats.parquet_sizes import DamagedParquetError, read_footer


def written(column: list[object], **how: object) -> bytes:
    whole = io.BytesIO()
    pq.write_table(pa.table({"id": column}), whole, **how)
    return whole.getvalue()


SOUND = written(list(range(1000)), compression="none", use_dictionary=False)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            written([7] * 2_000_000, max_rows_per_page=2_000_000),
            r"has 2,000,000 values from \d+; the limit is 500",
        ),
        (
            written(["x" * 1000] * 9_000, use_dictionary=False, compression="zstd"),
            "unpacks to 9,0.* the limit is 500",
        ),
    ],
    ids=["equal values", "packed text"],
)
def test_a_bomb_is_refused_with_the_limit(data: bytes, says: str) -> None:
    with pytest.raises(DamagedParquetError, match=says):
        read_footer(data)


def test_a_page_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_sizes, "MAX_PAGE", 4000)
    with pytest.raises(DamagedParquetError, match=r"page at byte 4 unpacks from .* 4,000"):
        read_footer(SOUND)


def test_pages_with_other_values_than_the_footer_says_are_refused() -> None:
    count = bytes([0x15, 0xD0, 0x0F])  # field 1: 1000, as a zigzag number
    at = SOUND.index(count)
    with pytest.raises(DamagedParquetError, match="1,001 values in its pages and 1,000"):
        read_footer(SOUND[: at + 1] + bytes([0xD2]) + SOUND[at + 2 :])


def test_every_flipped_byte_of_the_first_header_is_read_or_refused() -> None:
    for at in range(4, 60):
        for bit in range(8):
            flipped = bytearray(SOUND)
            flipped[at] ^= 1 << bit
            with suppress(DamagedParquetError):
                assert read_footer(bytes(flipped)).num_rows == 1000


def test_files_of_other_writers_are_read() -> None:
    frame = pl.DataFrame({"n": range(50_000), "s": [f"m/{n % 999}" for n in range(50_000)]})
    frame = frame.with_columns(pl.lit(None).alias("none"), pl.Series("list", [[1, 2], []] * 25_000))
    whole = io.BytesIO()
    frame.write_parquet(whole)
    assert read_footer(whole.getvalue()).num_rows == 50_000
    for version in ("1.0", "2.0"):
        whole = io.BytesIO()
        pq.write_table(frame.to_arrow(), whole, data_page_version=version, data_page_size=1000)
        assert read_footer(whole.getvalue()).num_rows == 50_000


def test_files_of_duckdb_are_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("duckdb") / "of.parquet"
    for version in ("V1", "V2"):
        duckdb.sql("SELECT range AS n, range::VARCHAR AS s FROM range(300000)").write_parquet(
            str(path), compression="zstd"
        )
        duckdb.execute(
            f"COPY (FROM range(300000)) TO '{path}' (FORMAT parquet, PARQUET_VERSION {version})"
        )
        assert read_footer(path.read_bytes()).num_rows == 300_000
