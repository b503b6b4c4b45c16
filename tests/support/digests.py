"""One build without validation, and the digest of every table as a release would write it.

python -m tests.support.digests ARCHIVE 2026-08-15

A process of its own, since Polars, Python and the C library read POLARS_MAX_THREADS,
PYTHONHASHSEED and TZ as they start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.builds import build_tables
from warehouse.contracts.table import contracts
from warehouse.database import duckdb_file
from warehouse.releases.parquet import write_table
from warehouse.storage.files import file_sha256

AXES: dict[str, tuple[str, ...]] = {
    "POLARS_MAX_THREADS": ("1", "2", "5", "16"),
    "OBSERVATORY_DUCKDB_THREADS": ("1", "2", "8"),
    "PYTHONHASHSEED": ("0", "1"),
    "TZ": ("UTC", "Asia/Kolkata", "America/St_Johns"),
}
Environment = dict[str, str]


def every() -> list[Environment]:
    """All environments: each value with each of the others."""
    return [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]


def few() -> list[Environment]:
    """As many as the longest axis has values: each value at least once."""
    longest = max(map(len, AXES.values()))
    return [{name: v[nth % len(v)] for name, v in AXES.items()} for nth in range(longest)]


def ends() -> list[Environment]:
    """Two: the first value of every axis, and the last."""
    return [{name: v[at] for name, v in AXES.items()} for at in (0, -1)]


def elsewhere(environment: Environment, archive: Path, as_of: date) -> dict[str, str]:
    """Digest of each table, built in a process with this environment."""
    command = [sys.executable, "-m", "tests.support.digests", str(archive), str(as_of)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def built(archive: Path, as_of: date) -> dict[str, str]:
    """Digest of each table of a build in this process."""
    with TemporaryDirectory() as scratch:
        path, history = Path(scratch) / "build.duckdb", Path(scratch) / "history"
        build_tables(archive, as_of, path, history)
        return dict(digests(path))


def digests(path: Path) -> Iterator[tuple[str, str]]:
    """Digest of each table's Parquet file, by the name of the table."""
    file = path.with_name("table.parquet")
    with duckdb_file.bounded(duckdb_file.connect(path)) as con:
        for name, table in contracts().items():
            write_table(con, table, file)
            yield name, file_sha256(file)


def differing(found: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """The tables of which not every environment gave the same, with the environments by digest."""
    tables = {table for each in found.values() for table in each}
    by_table = {table: {each.get(table) for each in found.values()} for table in sorted(tables)}
    return {
        table: [f"{name}: {each.get(table)}" for name, each in found.items()]
        for table, seen in by_table.items()
        if len(seen) > 1
    }


if __name__ == "__main__":
    print(json.dumps(built(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))))
