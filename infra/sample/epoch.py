"""The sample's selection of Epoch AI's tables: every model since a day, without free texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from infra.sample.recordings import Recording, Recordings, sample_draft
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card
from warehouse.database.read_files import csv_frame
from warehouse.registry.load import REGISTRY

NOTABLE, INDEX = "notable_ai_models.csv", "epoch_capabilities_index.csv"


@dataclass(frozen=True)
class Table:
    """One of Epoch's files: its column with the day, what the sample has of it, and its address."""

    day: str
    since: date  # the sample has every record from this day on
    columns: tuple[str, ...]
    address: str


TABLES = {
    NOTABLE: Table(
        "Publication date",
        date(2023, 1, 1),
        (
            *("Model", "Organization", "Publication date", "Domain", "Parameters"),
            *("Training compute (FLOP)", "Training compute cost (2023 USD)", "Model accessibility"),
            *(
                "Country (of organization)",
                "Country (from Organization)",
                "Training compute cost (cloud)",
                "Link",
            ),
        ),
        card("epoch").urls["notable_ai_models"],
    ),
    INDEX: Table(
        "Release date",
        date(2000, 1, 1),  # earlier than its first model
        ("Model version", "ECI Score", "Release date", "Organization", "Country", "Model name"),
        card("epoch").urls["benchmark_data"],
    ),
}
# Vintages around the days that published statements name, and the newest one.
EPOCH_VINTAGES = {
    date(2025, 2, 24): NOTABLE,
    date(2025, 4, 8): NOTABLE,
    date(2025, 7, 1): NOTABLE,
    date(2025, 12, 2): NOTABLE,
    date(2026, 2, 22): INDEX,
    date(2026, 5, 2): NOTABLE,
}


def epoch_models(recording: Recording, table: Table) -> pl.DataFrame:
    """Every record since a day or without one, cells as recorded, in the file's order."""
    cells = csv_frame(recording.path)
    days = cells.select(pl.col(table.day).str.to_date(strict=False)).to_series()
    columns = [c for c in table.columns if c in cells.columns]
    return cells.filter((days >= table.since) | days.is_null()).select(columns)


def _from(recording: Recording, table: Table) -> date | None:
    """The day from which the sample is complete; null if the recording lacks published records."""
    _, day, name = recording.name.split("/")
    sizes = csv_frame(REGISTRY / "epoch_sizes.csv").filter(
        (pl.col("file_name") == name.removesuffix(".csv")) & (pl.col("as_of_date") <= day)
    )
    known = sizes.sort("as_of_date")["n_records"].cast(pl.Int64)
    return table.since if known.len() and recording.rows >= known[-1] else None


def write_epoch(recordings: Recordings, archive: Archive) -> None:
    """Snapshots epoch/<day> of EPOCH_VINTAGES."""
    for day, name in EPOCH_VINTAGES.items():
        recording, table = recordings.get(f"epoch/{day}/{name}"), TABLES[name]
        models = epoch_models(recording, table)
        with sample_draft(archive, "epoch", day, complete_from=_from(recording, table)) as draft:
            draft.notes += [
                f"sample of {models.height} of {recording.rows:,} records; selection: every record "
                f"with {table.day} on or after {table.since} or without one, so that counts of "
                "earlier years are not of the world",
                f"recording: {recording}; the day is that of its public commit",
                f"columns left out: all but {', '.join(models.columns)}",
            ]
            draft.add_file(
                name,
                models.write_csv().encode(),
                url=table.address,
                rows_seen=models.height,
                retrieved_at=recording.retrieved_at,
                compress=True,
            )
