"""Whether the DuckDB file of a release has exactly the rows of its Parquet files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from expectations.answers import Question
from expectations.report import Report, ValidationError
from expectations.suites import Check
from expectations.validate import ask
from warehouse.contracts.table import literal, quote
from warehouse.database.read_files import parquet

SAME_ROWS = "same_rows_as_parquet"
RELEASE_ID = "names_its_release"


def validate_copies(
    database: Path,
    files: Mapping[str, Path],
    release_id: str,
    stage: str,
    *,
    also: Mapping[str, Sequence[Check]] | None = None,
) -> Report:
    """Compares every table with its Parquet file: columns, and a fingerprint of rows in any order.

    Everything that was validated on the table then also holds for the Parquet file. The DuckDB
    file must also name its release. `also` are further checks by table. Raises ValidationError if
    the file cannot be opened.
    """
    checks = {table: [_same_rows(files[table])] for table in sorted(files)}
    checks["meta.release"] = [_names_its_release(release_id)]
    for table, more in (also or {}).items():
        checks[table] = [*checks[table], *more]
    questions = [
        Question(table, ".".join(map(quote, table.split("."))), asked)
        for table, asked in checks.items()
    ]
    try:
        return ask(database, questions, stage)
    except ValidationError as error:
        raise ValidationError(
            f"stage {stage}: cannot read {database.name} of release {release_id}: {error}; "
            "stage and publish it again"
        ) from error


def _same_rows(file: Path) -> Check:
    """The number of rows and the sum of their hashes: the same for the same rows in any order."""
    here, there = (
        f"SELECT count(*) AS {name}, sum(hash(r)::HUGEINT) AS hashes, (SELECT "
        f"list(column_name || ' ' || column_type) FROM (DESCRIBE FROM {rows})) AS column_types "
        f"FROM {rows} AS r"
        for name, rows in (("n_rows", "batch"), ("n_rows_in_parquet", parquet(file)))
    )
    return Check(
        SAME_ROWS,
        "critical",
        "The DuckDB file has the rows of the Parquet file.",
        failing_rows="SELECT n_rows, n_rows_in_parquet, here.column_types, there.column_types "
        f"AS column_types_in_parquet FROM ({here}) AS here, ({there}) AS there "
        "WHERE n_rows <> n_rows_in_parquet OR here.hashes IS DISTINCT FROM there.hashes "
        "OR here.column_types IS DISTINCT FROM there.column_types",
    )


def _names_its_release(release_id: str) -> Check:
    expected = f"[{literal(release_id)}]"
    return Check(
        RELEASE_ID,
        "critical",
        "The DuckDB file names its release.",
        failing_rows="SELECT list(release_id) AS found FROM batch "
        f"HAVING list(release_id) IS DISTINCT FROM {expected}",
    )
