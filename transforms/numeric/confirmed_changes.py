"""Confirmed changes of leader: the same holder leads beyond doubt several times in a row."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def confirmed(
    led: pl.LazyFrame, series: Sequence[str], day: str, n: int, *, flags: Sequence[str] = ()
) -> pl.LazyFrame:
    """The observation that confirms each run of at least `n` led by one `holder`.

    `led` has one row per series and day; a null holder (no lead beyond doubt) ends a run. Adds
    `first_led_date` and `n_dates` of the whole run. A flag is true if it is on any of its days.
    """
    run = [*series, "_run"]
    return (
        led.sort(*series, day)
        .with_columns(pl.col("holder").rle_id().over(series).alias("_run"))
        .filter(pl.col("holder").is_not_null())
        .with_columns(
            pl.int_range(1, pl.len() + 1).over(run).alias("_place"),
            pl.col(day).min().over(run).alias("first_led_date"),
            pl.len().over(run).cast(pl.Int32).alias("n_dates"),
            *(pl.col(flag).any().over(run) for flag in flags),
        )
        .filter(pl.col("_place") == n)
        .drop("_run", "_place")
    )


def changes(
    leads: pl.LazyFrame, series: Sequence[str], day: str, *, flags: Sequence[str] = ()
) -> pl.LazyFrame:
    """The confirmed leads of another holder than before, with `previous_holder`.

    It is null for the first lead of a series. A flag is true if it is true for this lead or the one
    before.
    """
    turn = [*series, "_turn"]
    turns = (
        leads.sort(*series, day)
        .with_columns(pl.col("holder").rle_id().over(series).alias("_turn"))
        .filter(pl.struct(turn).is_first_distinct())
    )
    before = turns.select(
        *series,
        pl.col("_turn") + 1,
        pl.col("holder").alias("previous_holder"),
        *(pl.col(flag).alias(f"_before_{flag}") for flag in flags),
    )
    return (
        turns.join(before, on=turn, how="left")
        .with_columns(pl.col(f) | pl.col(f"_before_{f}").fill_null(False) for f in flags)
        .drop("_turn", *(f"_before_{flag}" for flag in flags))
    )
