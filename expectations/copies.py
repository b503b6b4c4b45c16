"""Whether the DuckDB file of a release holds the rows of its Parquet files, no more and no less."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from expectations.report import Outcome, Report, Result, ValidationError
from warehouse.contracts.table import literal, quote
from warehouse.database.duckdb_file import connect

SAME_ROWS = "same_rows_as_parquet"
RELEASE_ID = "names_its_release"


def validate_copies(
    database: Path, files: Mapping[str, Path], release_id: str, stage: str
) -> Report:
    """Compares every table with its Parquet file: columns, and a fingerprint of rows in any order.

    What Great Expectations found true of the table is then true of the Parquet file. The file must
    also say which release it is. Raises ValidationError when it cannot be opened.
    """
    try:
        with connect(database, read_only=True) as con:
            results = [_same_rows(con, table, files[table], stage) for table in sorted(files)]
            results += _names_its_release(con, release_id, stage)
    except duckdb.Error as error:
        what = f"stage {stage}: {database.name} of release {release_id} cannot be read: {error}"
        raise ValidationError(f"{what}; stage and publish it again") from error
    return Report(tuple(results))


def _same_rows(con: duckdb.DuckDBPyConnection, table: str, file: Path, stage: str) -> Result:
    sql_name = ".".join(map(quote, table.split(".")))
    parquet = f"read_parquet({literal(str(file))}, hive_partitioning = false)"
    try:
        columns, in_parquet = _columns(con, sql_name), _columns(con, parquet)
        ours, theirs = (_fingerprint(con, f"FROM {rows}") for rows in (sql_name, parquet))
    except duckdb.Error as error:
        told = " ".join(str(error).split())
        return _result(stage, table, SAME_ROWS, "not_asked", None, {"error": told})
    differ = sorted({name for name, _ in {*columns} ^ {*in_parquet}})
    details = {"rows": ours[0], "rows_in_parquet": theirs[0], "columns_differ": differ}
    outcome: Outcome = "passed" if (columns, ours) == (in_parquet, theirs) else "failed"
    return _result(stage, table, SAME_ROWS, outcome, ours[0], details)


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """Names and types, in order."""
    query = f"SELECT column_name, column_type FROM (DESCRIBE FROM {relation})"
    return con.execute(query).fetchall()


def _fingerprint(con: duckdb.DuckDBPyConnection, rows: str) -> tuple[int, int | None]:
    """Number of rows and the sum of their hashes: the same for the same rows in any order."""
    query = f"SELECT count(*), sum(hash(r)::HUGEINT) FROM ({rows}) r"
    n_rows, total = con.execute(query).fetchall()[0]
    return n_rows, total


def _names_its_release(
    con: duckdb.DuckDBPyConnection, release_id: str, stage: str
) -> Iterator[Result]:
    found = [row[0] for row in con.execute("SELECT release_id FROM meta.release").fetchall()]
    outcome: Outcome = "passed" if found == [release_id] else "failed"
    yield _result(stage, "meta.release", RELEASE_ID, outcome, len(found), {"found": found})


def _result(
    stage: str,
    table: str,
    name: str,
    outcome: Outcome,
    n_rows: int | None,
    details: Mapping[str, object],
) -> Result:
    description = {
        SAME_ROWS: "The DuckDB file holds the rows of the Parquet file.",
        RELEASE_ID: "The DuckDB file says which release it is.",
    }[name]
    told = None if outcome == "passed" else json.dumps(details, ensure_ascii=False)
    at_fault = None if outcome == "not_asked" else int(outcome == "failed")
    return Result(
        stage, table, name, None, "critical", outcome, n_rows, at_fault, told, description
    )
