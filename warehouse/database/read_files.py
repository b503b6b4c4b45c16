"""Reading files with DuckDB and Polars. A path is data: never a pattern, never a source of columns.

By default both libraries read `[1]`, `*` and `?` in a path as a pattern, and DuckDB adds a column
for every folder `key=value` above a file. Nothing else in the project may call their reading
functions (a test forbids it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.contracts.table import literal

if TYPE_CHECKING:  # SQL is made without it
    import polars as pl

PathLike = str | Path


def parquet(paths: PathLike | Iterable[PathLike], *options: str) -> str:
    """SQL of the rows of Parquet files. `options` are those of read_parquet, as `name = value`."""
    return _call("read_parquet", paths, options)


def parquet_of(place: str, name: str) -> str:
    """SQL of the rows of a Parquet file in a place that an SQL expression gives."""
    return f"read_parquet({place} || {literal(f'/{name}')}, hive_partitioning = false)"


def json(paths: PathLike | Iterable[PathLike], *options: str) -> str:
    """SQL of the rows of JSON files. `options` are those of read_json, as `name = value`."""
    return _call("read_json", paths, options)


def parquet_frame(path: PathLike) -> pl.DataFrame:
    """The rows of a Parquet file as a frame."""
    import polars as pl  # noqa: PLC0415

    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def csv_frame(path: PathLike) -> pl.DataFrame:
    """The records of a CSV file as a frame of texts."""
    import polars as pl  # noqa: PLC0415

    return pl.read_csv(path, infer_schema=False, glob=False)


def database(path: PathLike) -> str:
    """A DuckDB file for ATTACH, as a SQL literal. A relative `a:b` would name an extension."""
    return literal(str(Path(path).absolute()))


def _call(function: str, paths: PathLike | Iterable[PathLike], options: tuple[str, ...]) -> str:
    given = [paths] if isinstance(paths, str | Path) else paths
    files = ", ".join(literal(_exactly(path)) for path in given)
    return f"{function}({', '.join([f'[{files}]', 'hive_partitioning = false', *options])})"


def _exactly(path: PathLike) -> str:
    """A pattern that matches this file alone. Absolute, so that DuckDB expands no `~`."""
    return re.sub(r"([*?\[])", r"[\1]", str(Path(path).absolute()))
