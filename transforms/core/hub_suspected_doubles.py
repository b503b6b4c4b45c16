"""core.hub_suspected_doubles."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.hub.renames import ID, PRESENT, present_ids, that_may_have_moved
from transforms.registry.bitemporal import as_known

SAME_SIZE = 0.99  # parameter counts of one repository at two times
SAME_LIKES = 0.9  # likes of one repository a few days apart
FEW_LIKES = 20  # fewer likes may agree by chance
ROW = ("as_of_date", "model_id_hf", "downloads_30d", "downloads_all_time", "likes")
NUMBERS = ("downloads_30d", "downloads_all_time", "likes")


def hub_suspected_doubles(
    raw_hub_models: pl.LazyFrame,
    raw_hub_known_models: pl.LazyFrame,
    raw_registry_model_renames: pl.LazyFrame,
    hub_renames: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per day and id that names the same repository as another id of that day.

    `rename`: its present id, by the registry or by its object, is listed too. `case`: the ids
    differ only in case, which the Hub ignores. Both are counted once, unless the Hub's object ids
    differ. `same_numbers`: only name, creation, size and likes agree; both are counted.
    """
    listing = raw_hub_models.select(
        pl.col("snapshot_date").alias("as_of_date"),
        "model_id_hf",
        *NUMBERS,
        key=pl.col("model_id_hf").str.to_lowercase(),
    )
    renames = as_known(raw_registry_model_renames, known_at)
    moved = _moved(listing, renames, hub_renames).collect().lazy()
    picked = _of_one_repository(listing, moved).collect().lazy()
    known = _paired(_with_objects(picked, raw_hub_known_models)).collect().lazy()
    pair = [
        known.select("as_of_date", model_id_hf=c) for c in ("model_id_hf", "counted_model_id_hf")
    ]
    alike = _paired(_alike(listing, raw_hub_known_models))
    rest = alike.join(pl.concat(pair), on=["as_of_date", "model_id_hf"], how="anti")
    numbers = (name for n in NUMBERS for name in (n, f"counted_{n}"))
    return pl.concat([known, rest]).select(
        "as_of_date", "model_id_hf", "counted_model_id_hf", "reason", "is_counted_once", *numbers
    )


def _moved(listing: pl.LazyFrame, renames: pl.LazyFrame, hub_renames: pl.LazyFrame) -> pl.LazyFrame:
    """`key` and `present_key` of the listed ids that have moved."""
    ids = listing.select(pl.col("model_id_hf").alias(ID))
    few = that_may_have_moved(ids, renames, hub_renames)
    return (
        present_ids(few, renames, hub_renames)
        .select(key=pl.col(ID).str.to_lowercase(), present_key=pl.col(PRESENT).str.to_lowercase())
        .filter(pl.col("key") != pl.col("present_key"))
        .group_by("key")
        .agg(pl.col("present_key").min())  # ids that differ by case alone move to one id
    )


def _of_one_repository(listing: pl.LazyFrame, moved: pl.LazyFrame) -> pl.LazyFrame:
    """Rows whose id may name the repository of another row; hashes find the few candidates."""
    hashed = pl.struct("as_of_date", pl.col("key").hash())
    keys = pl.concat([moved.select("key"), moved.select(key="present_key")]).unique()
    picked = [listing.filter(hashed.is_duplicated()), listing.join(keys, on="key", how="semi")]
    rows = pl.concat(picked).unique()  # rows that were picked twice
    has_moved = pl.col("present_key").is_not_null()
    return rows.join(moved, on="key", how="left").select(
        *ROW,
        group=pl.coalesce("present_key", "key"),
        has_moved=has_moved,
        reason=pl.when(has_moved).then(pl.lit("rename")).otherwise(pl.lit("case")),
    )


def _with_objects(rows: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the last `object_id_hf` of each id; null if there is none."""
    objects = (
        models.filter(pl.col("object_id_hf").is_not_null())
        .join(rows.select("model_id_hf"), on="model_id_hf", how="semi")
        .sort("model_id_hf", "last_seen_date", "model_key")
        .group_by("model_id_hf")
        .agg(pl.col("object_id_hf").last())
    )
    return rows.join(objects, on="model_id_hf", how="left")


def _alike(listing: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs without object id with equal name and creation day and similar size and likes."""
    created, floor = (
        pl.col("created_at").dt.date(),
        pl.date(2022, 3, 2),
    )  # the floor is not a real date
    nameless = models.filter(pl.col("object_id_hf").is_null(), created > floor).select(
        "model_id_hf", "parameters_total", created=created
    )
    group, likes = ["as_of_date", "name", "created"], pl.col("likes")
    size = pl.col("parameters_total")
    near = size.min().over(group) >= SAME_SIZE * size.max().over(group)
    return (
        listing.filter(likes >= FEW_LIKES)
        .join(nameless, on="model_id_hf")
        .with_columns(name=pl.col("key").str.extract(r"([^/]+)$"))
        .filter(pl.len().over(group) == 2)
        .filter(
            likes.min().over(group) >= SAME_LIKES * likes.max().over(group), near.fill_null(True)
        )
        .select(
            *ROW,
            group=pl.concat_str("name", pl.lit(" "), pl.col("created").cast(pl.String)),
            has_moved=pl.lit(False),
            reason=pl.lit("same_numbers"),
            object_id_hf=pl.lit(None, pl.String),
        )
    )


def _paired(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Every row of a group but the first, joined to the first, which is counted."""
    group, weight = ["as_of_date", "group"], pl.col("downloads_30d")
    placed = rows.sort(*group, "has_moved", weight.is_null(), -weight, "model_id_hf").with_columns(
        place=pl.int_range(pl.len()).over(group)
    )
    columns = ("model_id_hf", "object_id_hf", *NUMBERS)
    first = placed.filter(pl.col("place") == 0).select(
        *group, *(pl.col(c).alias(f"counted_{c}") for c in columns)
    )
    are_two = (pl.col("object_id_hf") != pl.col("counted_object_id_hf")).fill_null(False)
    return (
        placed.filter(pl.col("place") > 0)
        .join(first, on=group)
        .with_columns(is_counted_once=~are_two & (pl.col("reason") != "same_numbers"))
        .drop("group", "has_moved", "place", "object_id_hf", "counted_object_id_hf")
    )
