"""Recomputes each table of a build from plain frames, without query optimization.

The build reads its tables through `database.scan` and lets Polars optimize every query. Here the
inputs are whole frames from Parquet files, and no query is optimized, those inside of transforms
neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import duckdb
import polars as pl

from flows.steps.past_shares import TABLES as SETTLED
from transforms.plan import Step, plan
from warehouse.contracts.table import contract, literal
from warehouse.database import duckdb_file

SAME = 1e-12  # maximum difference of two numbers, relative to the larger
LOADED = (
    "as_of_date >= (SELECT min(snapshot_date) FROM meta.snapshots "
    "WHERE is_loaded AND source = 'hub')"
)


@contextmanager
def as_written() -> Iterator[None]:
    """Inside this block, no query is optimized."""
    collect, collect_all = pl.LazyFrame.collect, pl.collect_all
    bare = {"optimizations": pl.QueryOptFlags.none()}

    def one(self: pl.LazyFrame, *given: Any, **more: Any) -> Any:
        return collect(self, *given, **{**more, **bare})

    def several(*given: Any, **more: Any) -> Any:
        return collect_all(*given, **{**more, **bare})

    with (
        mock.patch.object(pl.LazyFrame, "collect", one),
        mock.patch.object(pl, "collect_all", several),
    ):
        yield


def reckoned(
    path: Path,
    clocks: Mapping[str, date],
    tables: Collection[str] | None = None,
    right: dict[tuple[object, ...], str] | None = None,
) -> dict[str, list[str]]:
    """Each table of the plan (or of those given) -> the columns in which it differs.

    `right` keeps what was found to be right: of another build with the same inputs and clocks only
    the rows of the table are compared with those.
    """
    found: dict[str, list[str]] = {}
    right = {} if right is None else right
    with TemporaryDirectory() as scratch, duckdb_file.open_built(path) as con:
        for step in plan():
            if tables is not None and step.table not in tables:
                continue
            inputs = [_digest(con, t, _loaded(step, t)) for t in step.inputs.values()]
            asked = (step.table, *inputs, *(clocks[clock] for clock in step.clocks))
            own = _digest(con, step.table, _loaded(step, step.table))
            if right.get(asked) != own:
                found[step.table] = _differing(con, step, clocks, Path(scratch))
            else:
                found[step.table] = []
            if not found[step.table]:
                right[asked] = own
    return found


def _digest(con: duckdb.DuckDBPyConnection, table: str, where: str) -> str:
    """A fingerprint that two tables with the same rows share."""
    rows = f"(SELECT * FROM {contract(table).sql_name} WHERE {where}) AS held"
    return str(
        con.execute(f"SELECT count(*), sum(hash(held)), min(hash(held)) FROM {rows}").fetchall()
    )


def _differing(
    con: duckdb.DuckDBPyConnection, step: Step, clocks: Mapping[str, date], scratch: Path
) -> list[str]:
    again = _again(con, step, clocks, scratch)
    held = _rows(con, step.table, scratch, _loaded(step, step.table))
    return differing(held, again, list(contract(step.table).key))


def _again(
    con: duckdb.DuckDBPyConnection, step: Step, clocks: Mapping[str, date], scratch: Path
) -> pl.DataFrame:
    arguments: dict[str, object] = {
        parameter: _rows(con, table, scratch, _loaded(step, table)).lazy()
        for parameter, table in step.inputs.items()
    }
    arguments |= {clock: clocks[clock] for clock in step.clocks}
    with as_written():
        return step.function(**arguments).collect()


def _loaded(step: Step, table: str) -> str:
    """Shares of days that are no longer loaded come from the history: tests/test_settled.py."""
    return LOADED if {step.table, table} <= set(SETTLED) else "true"


def _rows(con: duckdb.DuckDBPyConnection, table: str, scratch: Path, where: str) -> pl.DataFrame:
    """The rows of a table after a round trip through a file, with the contract's types."""
    file, held = scratch / "rows.parquet", contract(table)
    con.execute(
        f"COPY (SELECT * FROM {held.sql_name} WHERE {where}) TO {literal(str(file))} "
        "(FORMAT parquet, COMPRESSION uncompressed)"
    )
    return pl.read_parquet(file, memory_map=False).cast(held.polars_schema)


def differing(one: pl.DataFrame, other: pl.DataFrame, key: list[str]) -> list[str]:
    """The columns in which two frames differ, after both are sorted by key."""
    if one.height != other.height:
        return [f"{one.height} rows, not {other.height}"]
    one, other = one.sort(key), other.select(one.columns).sort(key)
    return [name for name in one.columns if not _is_same(one[name], other[name])]


def _is_same(one: pl.Series, other: pl.Series) -> bool:
    if one.dtype != other.dtype:
        return False
    if not one.dtype.is_float():
        return one.equals(other)
    larger = pl.DataFrame([one.abs(), other.abs().alias("other")]).max_horizontal()
    apart = (one - other).abs() <= SAME * larger
    return bool((one.eq_missing(other) | apart.fill_null(False)).all())
