"""Labels of models on days without one: the last one known, else the next."""

from __future__ import annotations

import polars as pl


def carried(wanted: pl.LazyFrame, known: pl.LazyFrame, label: str) -> pl.LazyFrame:
    """`model_id`, `publish_date` and `label` for every distinct model and day of `wanted`.

    `known` has the same three columns and `trust`. Among labels of one day the most trusted counts,
    then the first in alphabetical order. Null if there is none on any day.
    """
    model, day = "model_id", "publish_date"
    labels = (
        known.select(model, day, label, "trust")
        .drop_nulls()
        .group_by(model, day)
        .agg(pl.col(label).sort_by("trust", label).first())
        .sort(day, model)
    )
    days = wanted.select(model, day).unique().sort(day, model)
    before = days.join_asof(labels, on=day, by=model, strategy="backward", check_sortedness=False)
    after = before.join_asof(
        labels, on=day, by=model, strategy="forward", suffix="_later", check_sortedness=False
    )
    return after.select(model, day, pl.coalesce(label, f"{label}_later").alias(label))
