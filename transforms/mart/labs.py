"""mart.labs."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.registry.bitemporal import holds_on
from transforms.registry.display_names import country_names, lab_names, with_names
from transforms.registry.lab_measures import all_measures, missing_reason
from warehouse.contracts.table import contract

# The columns of the table that are a column of mart.lab_measures, of one measure.
WIDE = {
    "hub_as_of_date": ("hub_models", "observed_on"),
    "hub_share_publisher": ("hub_share_publisher", "value"),
    "hub_share_publisher_missing": ("hub_share_publisher", "missing_reason"),
    "hub_coverage_publisher": ("hub_share_publisher", "coverage"),
    "hub_share_base": ("hub_share_base", "value"),
    "hub_share_base_missing": ("hub_share_base", "missing_reason"),
    "hub_coverage_base": ("hub_share_base", "coverage"),
    "hub_lineage_coverage_base": ("hub_share_base", "lineage_coverage"),
    "notable_vintage_date": ("notable_models", "observed_on"),
    "n_notable_models": ("notable_models", "value"),
    "n_notable_models_12m": ("notable_models_12m", "value"),
    "notable_missing": ("notable_models", "missing_reason"),
    "notable_coverage": ("notable_models", "coverage"),
    "open_weights_share": ("notable_open_weights_share", "value"),
    "n_access_known": ("notable_open_weights_share", "n_known"),
    "open_weights_missing": ("notable_open_weights_share", "missing_reason"),
    **{
        column: (measure, field)
        for measure in ("hub_models", "hub_downloads_30d", "hub_downloads_all_time", "hub_likes")
        for column, field in ((measure, "value"), (f"{measure}_missing", "missing_reason"))
    },
}
ALIKE = ("observed_on", "coverage", "lineage_coverage")  # one value for all labs of a day


def labs(
    lab_measures: pl.LazyFrame,
    arena_lab_leaders: pl.LazyFrame,
    labs: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    countries: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per lab of the registry that is valid on `as_of`, with its newest values."""
    held = labs.filter(holds_on(pl.lit(as_of)))
    named = with_names(held, lab_names(labs), parent_lab_name="parent_lab_id")
    missing = pl.when(pl.col("n_places") > 0).then(pl.lit("not_on_board"))
    table = contract("mart.labs")
    whole = [c for c in WIDE if table.columns[c].type == "BIGINT"]
    return (
        named.join(_countries_over_time(labs, countries), on="lab_id", how="left")
        .join(_names_on_hub(namespaces, as_of), on="lab_id", how="left")
        .join(_wide(lab_measures, held, as_of), on="lab_id", how="left")
        .join(_places(arena_lab_leaders), on="lab_id", how="left")
        .join(arena_lab_leaders.select(n_places=pl.len()), how="cross")
        .with_columns(
            pl.lit(as_of).alias("as_of_date"),
            pl.col(whole).cast(pl.Int64),
            pl.col("n_hub_namespaces").fill_null(0),
            pl.when(pl.col("arena_board").is_null())
            .then(missing.otherwise(pl.lit("no_board")))
            .alias("arena_missing"),
        )
        .select(*table.columns)
    )


def _wide(lab_measures: pl.LazyFrame, held: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """One row per lab. A lab without any row on the day gets the reasons of the day."""
    newest = lab_measures.filter(pl.col("as_of_date") == as_of)
    of_day = newest.group_by("measure").agg(pl.col(ALIKE).first())
    of_lab = newest.select("lab_id", "measure", "value", "n_known")
    each = (
        held.select("lab_id")
        .join(all_measures().select("measure"), how="cross")
        .join(of_day, on="measure", how="left")
        .join(of_lab, on=["lab_id", "measure"], how="left")
        .with_columns(missing_reason())
    )
    return each.group_by("lab_id").agg(
        pl.col(column).filter(pl.col("measure") == measure).first().alias(name)
        for name, (measure, column) in WIDE.items()
    )


def _places(arena_lab_leaders: pl.LazyFrame) -> pl.LazyFrame:
    """The places of each lab on the newest boards of the category overall.

    A board with rows of arena-catalog is passed over, since not every release may repeat it.
    """
    boards = arena_lab_leaders.filter(
        (pl.col("category") == "overall") & ~pl.col("has_catalog_rows")
    )
    newest = boards.filter(pl.col("publish_date") == pl.col("publish_date").max().over("board"))
    place = pl.concat_str("board", pl.lit(" "), "best_rank_ordinal")
    best = ("board", "publish_date", "best_model", "best_rank_ordinal", "gap_to_leader")
    return (
        newest.sort("best_rank_ordinal", pl.col("board") != "text", "board")
        .group_by("lab_id", maintain_order=True)
        .agg(
            *(pl.col(c).first().alias(f"arena_{c.removeprefix('best_')}") for c in best),
            place.str.join(", ").alias("arena_places"),
        )
    )


def _countries_over_time(labs: pl.LazyFrame, countries: pl.LazyFrame) -> pl.LazyFrame:
    """`country_history`: the countries of each lab, from the first to the last."""
    named = with_names(labs, country_names(countries), of_row="country_code")
    begin = pl.when(pl.col("valid_from").dt.year() > 1900).then(
        pl.lit(" from ") + pl.col("valid_from").dt.to_string("%Y-%m-%d")
    )
    moved = pl.col("of_row") != pl.col("of_row").shift(1)
    return (
        named.sort("lab_id", "valid_from")
        .with_columns(pl.concat_str("of_row", begin.otherwise(pl.lit(""))).alias("since"))
        .group_by("lab_id", maintain_order=True)
        .agg(pl.col("since").filter(moved.fill_null(value=True)).str.join(", "))
        .rename({"since": "country_history"})
    )


def _names_on_hub(namespaces: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    held = namespaces.filter((pl.col("system") == "hub") & holds_on(pl.lit(as_of)))
    once = held.sort("namespace_key", "namespace").unique(
        ["lab_id", "namespace_key"], keep="first", maintain_order=True
    )
    return once.group_by("lab_id", maintain_order=True).agg(
        pl.len().cast(pl.Int32).alias("n_hub_namespaces"),
        pl.col("namespace").str.join(", ").alias("hub_namespaces"),
    )
