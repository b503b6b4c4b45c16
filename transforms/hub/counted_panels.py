"""Which models a day of all-time counters holds: the whole Hub, a study's choice, or an excerpt."""

from __future__ import annotations

import polars as pl

from transforms.hub.panels import with_nearest_count
from transforms.numeric.exact_sums import running, total

WHOLE, STUDY, EXCERPT = "whole_hub", "study", "excerpt"
HELD = 0.9  # least part of the Hub's models in a whole copy, and of annotated models in the study
DAY = ["counter_source", "as_of_date"]


def with_panel_of_counters(
    days: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
    meta_snapshots: pl.LazyFrame,
    sizes: pl.LazyFrame,
) -> pl.LazyFrame:
    """Adds `panel`. A source with an incomplete snapshot has excerpts only.

    The study annotates every model of its file. A file without annotations is a copy of a part.
    """
    is_part = pl.col("is_sample") | ~pl.col("is_complete")
    parts = meta_snapshots.filter("is_loaded", is_part).select("source", part_on="snapshot_date")
    of_study = parts.filter(pl.col("source") == "hub_evolution").select(
        pl.col("source").alias("counter_source"), study_is_part=pl.lit(True)
    )
    of_day = parts.select(
        pl.col("source").alias("counter_source"), as_of_date="part_on", is_part=pl.lit(True)
    )
    whole = hub_panels.filter("is_whole_sweep").select("as_of_date", is_whole_sweep=pl.lit(True))
    counts = with_nearest_count(days.select("as_of_date").unique(), sizes).select(
        "as_of_date", hub_models_total="n_models"
    )
    return (
        days.join(of_study.unique(), on="counter_source", how="left")
        .join(of_day.unique(), on=DAY, how="left")
        .join(whole, on="as_of_date", how="left")
        .join(counts, on="as_of_date", how="left")
        .with_columns(_panel().alias("panel"))
    )


def _panel() -> pl.Expr:
    source, n_models = pl.col("counter_source"), pl.col("n_models")
    is_study = (
        (source == "hub_evolution")
        & (pl.col("n_annotated") >= HELD * n_models)
        & pl.col("study_is_part").is_null()
    )
    is_copy = (
        (source == "hub_stats")
        & pl.col("is_part").is_null()
        & (n_models >= HELD * pl.col("hub_models_total")).fill_null(False)
    )
    is_sweep = (source == "hub") & pl.col("is_whole_sweep").fill_null(False)
    return (
        pl.when(is_study)
        .then(pl.lit(STUDY))
        .when(is_copy | is_sweep)
        .then(pl.lit(WHOLE))
        .otherwise(pl.lit(EXCERPT))
    )


def with_download_coverage(
    days: pl.LazyFrame,
    hub_all_time_counters: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
) -> pl.LazyFrame:
    """Adds `panel_share_of_downloads` and `reference_date`.

    The part of all downloads that the models of the day have, among the models created by then,
    by the counters of the newest whole day. 1 for a whole day; null if there is none.
    """
    days = days.collect().lazy()
    newest = days.filter(pl.col("panel") == WHOLE).sort("as_of_date", "counter_source").last()
    chosen = newest.select(
        counter_source_of="counter_source", reference_date="as_of_date"
    ).collect()
    is_whole = pl.col("panel") == WHOLE
    if chosen.is_empty():
        return days.with_columns(
            panel_share_of_downloads=pl.lit(None, pl.Float64), reference_date=pl.lit(None, pl.Date)
        )
    source, day = chosen.row(0)
    reference = _reference(source, day, hub_all_time_counters, hub_daily_counters, hub_models)
    reference = reference.collect().lazy()
    parts = days.filter(~is_whole).select(DAY)
    held = _held(parts, reference, hub_all_time_counters, hub_daily_counters)
    share = pl.when(is_whole).then(1.0).otherwise((pl.col("held") / pl.col("of_all")).clip(0, 1))
    return (
        days.join(held, on=DAY, how="left")
        .with_columns(share.alias("panel_share_of_downloads"))
        .with_columns(
            pl.when(pl.col("panel_share_of_downloads").is_not_null())
            .then(pl.when(is_whole).then("as_of_date").otherwise(pl.lit(day)))
            .alias("reference_date")
        )
    )


def _reference(
    source: str,
    day: object,
    hub_all_time_counters: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
) -> pl.LazyFrame:
    """Counter and day of creation of every model on the newest whole day."""
    columns = ["model_id_hf", "downloads_all_time"]
    is_day = pl.col("as_of_date") == day
    if source == "hub":
        counted = hub_daily_counters.filter(is_day).select(columns)
    else:
        counted = hub_all_time_counters.filter(is_day, pl.col("counter_source") == source).select(
            columns
        )
    created = hub_models.select("model_id_hf", created_on=pl.col("created_at").dt.date())
    return counted.drop_nulls().join(created, on="model_id_hf", how="left")


def _held(
    parts: pl.LazyFrame,
    reference: pl.LazyFrame,
    hub_all_time_counters: pl.LazyFrame,
    hub_daily_counters: pl.LazyFrame,
) -> pl.LazyFrame:
    """Per incomplete day: the reference counters of its models, and of all models by that day."""
    sweeps = hub_daily_counters.select(
        pl.lit("hub").alias("counter_source"), "as_of_date", "model_id_hf"
    )
    listed = pl.concat([hub_all_time_counters.select(*DAY, "model_id_hf"), sweeps])
    held = (
        listed.join(parts, on=DAY, how="semi")
        .join(reference, on="model_id_hf")
        .group_by(DAY)
        .agg(total(pl.col("downloads_all_time")).alias("held"))
    )
    by_day = (
        reference.drop_nulls("created_on")
        .group_by("created_on")
        .agg(total(pl.col("downloads_all_time")).alias("n"))
        .sort("created_on")
        .select("created_on", running(pl.col("n")).alias("of_all"))
    )
    return (
        held.sort("as_of_date")
        .join_asof(by_day, left_on="as_of_date", right_on="created_on", strategy="backward")
        .select(*DAY, "held", "of_all")
    )
