"""The sample's selection of the study's all-time counters."""

from __future__ import annotations

import io
from datetime import date, datetime

import polars as pl
import pyarrow.parquet as pq

from infra.sample.recordings import Recordings, sample_draft
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card
from warehouse.database.read_files import csv_frame, parquet_frame

EVOLUTION_DAY = date(2026, 8, 15)
EVOLUTION_COLUMNS = ("model", "author", "time", "downloadsAllTime")


def write_evolution(histories: Recordings, archive: Archive) -> None:
    """Snapshot hub_evolution/<EVOLUTION_DAY>: the recorded models on the days until then."""
    terms = card("hub_evolution")
    name = terms.map["file"]
    recorded = parquet_frame(histories.path(f"hub_evolution/{name}"))
    origins = csv_frame(histories.path("hub_evolution/origins.csv"))
    end = datetime(EVOLUTION_DAY.year, EVOLUTION_DAY.month, EVOLUTION_DAY.day)
    rows = recorded.filter(pl.col("time") <= end).select(EVOLUTION_COLUMNS).sort("time", "model")
    file = io.BytesIO()
    pq.write_table(rows.to_arrow(), file, compression="zstd", store_schema=False)
    read_at = datetime.fromisoformat(str(origins["recorder_fetched_at"].max()))
    commits = ", ".join(origins["origin_commit"].unique().sort())
    with sample_draft(archive, "hub_evolution", EVOLUTION_DAY) as draft:
        draft.notes += [
            f"sample of {rows.height} rows: {rows['model'].n_unique()} models of about 100,000 on "
            f"{rows['time'].n_unique()} days; selection: the models and days that a third party "
            f"recorded, up to {EVOLUTION_DAY}",
            f"recording: github.com/JotaLeutgeb/gemas-ia@{commits}, CC BY 4.0, which read the file "
            f"on {read_at:%Y-%m-%d}; transcribed, single figures may be wrong",
            f"columns left out: all but {', '.join(EVOLUTION_COLUMNS)}, which were not recorded",
        ]
        draft.add_file(
            name,
            file.getvalue(),
            url=terms.urls["file"].format(commit="main", file=name),
            rows_seen=rows.height,
            retrieved_at=read_at,
        )
