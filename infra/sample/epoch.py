"""The sample's selection of Epoch AI's notable models."""

from __future__ import annotations

from datetime import date

import polars as pl

from infra.sample.recordings import Recording, Recordings, sample_draft
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card

EPOCH_DAY = date(2026, 5, 2)
EPOCH_YEARS = (2012, 2026)
EPOCH_ONE_IN = 6
EPOCH_COLUMNS = (
    "Model",
    "Organization",
    "Publication date",
    "Domain",
    "Parameters",
    "Training compute (FLOP)",
    "Model accessibility",
    "Country (of organization)",
    "Link",
)
EPOCH_RULE = (
    f"published {EPOCH_YEARS[0]} to {EPOCH_YEARS[1]}; within each year and first-named country "
    f"every {EPOCH_ONE_IN}th model, rounded half up, the most notable first (number of Epoch's "
    "notability criteria, then training compute, then citations, then place in the file), and "
    "the most notable model of each country that this leaves out"
)


def epoch_models(recording: Recording) -> pl.DataFrame:
    """The notable models that EPOCH_RULE selects, cells as recorded, in the file's order."""
    number = {c: pl.col(c).cast(pl.Float64) for c in ("Training compute (FLOP)", "Citations")}
    models = (
        pl.read_csv(recording.path, infer_schema=False)
        .with_row_index("line")
        .with_columns(
            pl.col("Publication date").str.to_date().dt.year().alias("year"),
            pl.col("Country (of organization)").str.split(",").list.first().alias("country"),
            pl.col("Notability criteria").str.split(",").list.len().alias("criteria"),
            **number,
        )
        .filter(pl.col("year").is_between(*EPOCH_YEARS) & pl.col("country").is_not_null())
        .sort("criteria", *number, "line", descending=[True, True, True, False], nulls_last=True)
    )
    stratum = ["year", "country"]
    quota = (pl.len().over(stratum) + EPOCH_ONE_IN // 2) // EPOCH_ONE_IN
    chosen = models.filter(pl.int_range(pl.len()).over(stratum) < quota)
    others = models.join(chosen, on="country", how="anti", maintain_order="left")
    best = others.unique("country", keep="first", maintain_order=True)
    lines = pl.concat([chosen["line"], best["line"]]).implode()
    cells = pl.read_csv(recording.path, infer_schema=False).with_row_index("line")
    return cells.filter(pl.col("line").is_in(lines)).select(EPOCH_COLUMNS)


def write_epoch(recordings: Recordings, archive: Archive) -> None:
    """Snapshot epoch/EPOCH_DAY with the table of notable models."""
    name = "notable_ai_models.csv"
    recording = recordings.get(f"epoch/{EPOCH_DAY}/{name}")
    models = epoch_models(recording)
    with sample_draft(archive, "epoch", EPOCH_DAY) as draft:
        draft.notes += [
            f"sample of {models.height} of {recording.rows:,} notable models: counts by country "
            f"and year are of the sample, not of the world; selection: {EPOCH_RULE}",
            f"recording: {recording}; the day is that of its public commit",
            f"columns left out: all but {', '.join(EPOCH_COLUMNS)}",
        ]
        draft.add_file(
            name,
            models.write_csv().encode(),
            url=card("epoch").urls["notable_ai_models"],
            rows_seen=models.height,
            retrieved_at=recording.retrieved_at,
        )
