"""Flags of all-time counters: repeated states, falls, jumps, counters older than their model."""

from __future__ import annotations

import polars as pl

from transforms.numeric.exact_sums import how_many

USED = 100  # downloads; counters below may stand still for a day
REPEATED = 0.99  # least part of the used counters that a repeated state leaves unchanged
JUMP = 1_000_000  # least rise that can be a jump
JUMP_FACTOR = 5  # its daily rate, compared with that of the steps before and after
_ROW = ["counter_source", "model_id_hf", "as_of_date"]
_COUNTER, _DAY = pl.col("downloads_all_time"), pl.col("as_of_date")


def with_flags(counters: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `repeats_date`, `is_fall`, `is_jump` and `is_before_creation`.

    Where the source does not say when a model was created, the Hub's listing does.
    """
    ordered = counters.sort(_ROW)
    repeated = _repeated_days(ordered)
    marked = ordered.join(repeated, on=["counter_source", "as_of_date"], how="left")
    is_new_state = pl.col("repeats_date").is_null()
    # Joins keep no order; the steps compare each row with the one before.
    steps = _with_steps(marked.filter(is_new_state).sort(_ROW))
    same = marked.filter(~is_new_state).with_columns(is_fall=pl.lit(False), is_jump=pl.lit(False))
    listed = hub_models.select("model_id_hf", created_listed="created_at")
    created = pl.coalesce("created_at", "created_listed").dt.date()
    return (
        pl.concat([steps, same], how="diagonal")
        .join(listed, on="model_id_hf", how="left")
        .with_columns((created > _DAY).fill_null(False).alias("is_before_creation"))
        .drop("created_listed")
    )


def _repeated_days(ordered: pl.LazyFrame) -> pl.LazyFrame:
    """Days that repeat the state of the day before, with the first day of that state."""
    before = _of_row(_COUNTER, -1)
    is_used = (before >= USED) & _COUNTER.is_not_null()
    days = (
        ordered.with_columns(
            is_used.alias("is_used"), (is_used & (before == _COUNTER)).alias("same")
        )
        .group_by("counter_source", "as_of_date")
        .agg(how_many(pl.col("is_used")).alias("n_used"), how_many(pl.col("same")).alias("n_same"))
    )
    is_repeat = (pl.col("n_used") > 0) & (pl.col("n_same") >= REPEATED * pl.col("n_used"))
    first = (
        pl.when(~is_repeat).then(_DAY).forward_fill().over("counter_source", order_by="as_of_date")
    )
    return (
        days.with_columns(first.alias("repeats_date"))
        .filter(is_repeat)
        .select("counter_source", "as_of_date", "repeats_date")
    )


def _of_row(value: pl.Expr, steps: int) -> pl.Expr:
    """The value of the same model on an earlier (-1) or later (1) day, in the order of _ROW."""
    key = pl.struct("counter_source", "model_id_hf")
    return pl.when(key == key.shift(-steps)).then(value.shift(-steps))


def _with_steps(ordered: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `is_fall` and `is_jump`, from the steps between distinct states."""
    days = (_DAY - _of_row(_DAY, -1)).dt.total_days()
    rise = _COUNTER - _of_row(_COUNTER, -1)
    rated = ordered.with_columns(rise.alias("rise"), (rise / days).alias("rate"))
    beside = pl.max_horizontal(_of_row(pl.col("rate"), -1), _of_row(pl.col("rate"), 1))
    is_jump = (pl.col("rise") >= JUMP) & (pl.col("rate") >= JUMP_FACTOR * beside)
    return rated.with_columns(
        (pl.col("rise") < 0).fill_null(False).alias("is_fall"),
        is_jump.fill_null(False).alias("is_jump"),
    ).drop("rise", "rate")
