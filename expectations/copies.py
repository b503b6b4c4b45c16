"""Whether the DuckDB file of a release has exactly the rows of its Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from expectations.report import Outcome, Report, Result, ValidationError
from warehouse.contracts.table import quote
from warehouse.database.duckdb_file import connect
from warehouse.database.read_files import parquet

SAME_ROWS = "same_rows_as_parquet"
RELEASE_ID = "names_its_release"


def validate_copies(
    database: Path, files: Mapping[str, Path], release_id: str, stage: str
) -> Report:
    """Compares every table with its Parquet file: columns, and a fingerprint of rows in any order.

    Everything that was validated on the table then also holds for the Parquet file. The DuckDB
    file must also name its release. Raises ValidationError if it cannot be opened.
    """
    try:
        with connect(database, read_only=True) as con:
            results = [_same_rows(con, table, files[table], stage) for table in sorted(files)]
            results += _names_its_release(con, release_id, stage)
    except duckdb.Error as error:
        raise ValidationError(
            f"stage {stage}: cannot read {database.name} of release {release_id}: {error}; "
            "stage and publish it again"
        ) from error
    return Report(tuple(results))


def _same_rows(con: duckdb.DuckDBPyConnection, table: str, file: Path, stage: str) -> Result:
    sql_name = ".".join(map(quote, table.split(".")))
    in_release = parquet(file)
    try:
        columns, in_parquet = _columns(con, sql_name), _columns(con, in_release)
        in_table, in_file = (_fingerprint(con, f"FROM {rows}") for rows in (sql_name, in_release))
    except duckdb.Error as error:
        message = " ".join(str(error).split())
        return _result(stage, table, SAME_ROWS, "not_run", None, {"error": message})
    differ = sorted({name for name, _ in {*columns} ^ {*in_parquet}})
    details = {"rows": in_table[0], "rows_in_parquet": in_file[0], "columns_differ": differ}
    outcome: Outcome = "passed" if (columns, in_table) == (in_parquet, in_file) else "failed"
    return _result(stage, table, SAME_ROWS, outcome, in_table[0], details)


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
        SAME_ROWS: "The DuckDB file has the rows of the Parquet file.",
        RELEASE_ID: "The DuckDB file names its release.",
    }[name]
    text = None if outcome == "passed" else json.dumps(details, ensure_ascii=False)
    failing = None if outcome == "not_run" else int(outcome == "failed")
    return Result(stage, table, name, None, "critical", outcome, n_rows, failing, text, description)
