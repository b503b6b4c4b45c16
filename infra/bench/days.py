"""The cost of a day's update of the history, day by day."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb

from flows.sources.hub.models import parse_models
from flows.steps.hub_history import up_to_date
from infra.bench.generate import FIRST_DAY, GeneratedHub
from warehouse.archive.archive import Archive
from warehouse.contracts.table import contracts
from warehouse.database import duckdb_file
from warehouse.hub_history.load import load_history


def days(models: int, n_days: int) -> dict[str, Any]:
    """Cost and result of every day's update, starting without history.

    Seconds, number of models, size of the history, models with changed counters, bytes of those
    changes.
    """
    hub, seconds, sizes = GeneratedHub(models), [], []
    listed, changed, change_bytes = [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-days-") as folder:
        archive, root = Archive(Path(folder) / "archive"), Path(folder) / "history"
        con = duckdb_file.create(Path(folder) / "days.duckdb")
        snapshots = []
        for number in range(n_days):
            day = FIRST_DAY + timedelta(days=number)
            snapshots.append(hub.archive_day(archive, day))
            _empty(con)
            parse_models(con, archive, snapshots[-1])
            begin = perf_counter()
            loaded = [snapshots[-1].snapshot_id]
            with up_to_date(root, archive, snapshots, con, loaded) as counted:
                if counted is None:
                    raise ValueError("the archive of the bench has no snapshot of the Hub")
                load_history(con, counted, day, [day])
                entry = counted.ledger.entries[-1]
            seconds.append(perf_counter() - begin)
            listed.append(entry.counts["models"])
            changed.append(entry.counts["models_changed"])
            change_bytes.append(entry.files["counters"].bytes)
            sizes.append(sum(p.stat().st_size for p in root.rglob("*") if p.is_file()))
        con.close()
    return {
        "models": models,
        "seconds": seconds,
        "listed": listed,
        "bytes": sizes,
        "changed": changed,
        "change_bytes": change_bytes,
    }


def _empty(con: duckdb.DuckDBPyConnection) -> None:
    """Empties the raw tables of the Hub."""
    for table in contracts().values():
        if table.layer == "raw" and table.name.startswith("hub_"):
            con.execute(f"TRUNCATE {table.sql_name}")
