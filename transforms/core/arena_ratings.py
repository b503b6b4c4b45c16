"""core.arena_ratings."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.carry_labels import carried
from transforms.arena.probability_best import with_probability_best
from transforms.arena.refused import refused_rows, with_missing
from transforms.arena.scale import BOARD, PLACED, SERIES
from transforms.registry.attribution import with_lab_and_country
from transforms.registry.bitemporal import as_known
from transforms.registry.model_identity import board_ids
from warehouse.contracts.table import contract

MODEL = [*BOARD, "model_id"]
CONTROLLED = "_style_control"
LAST_TRUST = 9  # the Space's tables name the maker of a model if no board does


def arena_ratings(
    arena_observations: pl.LazyFrame,
    arena_scale_segments: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    raw_arena_space_tables: pl.LazyFrame,
    raw_registry_arena_licenses: pl.LazyFrame,
    raw_registry_model_aliases: pl.LazyFrame,
    raw_registry_arena_categories: pl.LazyFrame,
    raw_arena_refused_rows: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per board, category, publish date and model: the repaired board, ranked anew.

    `rank_ub` is the rank that the site showed until July 2025: 1 + number of models whose lower
    bound exceeds the model's upper bound. A blank organization becomes the last one known for the
    model up to that day, else the next, from any source. A license label is filled the same way,
    but only where its source has no labels at all (the Space's pickles, arena-catalog).
    `probability_best` is defined in `transforms.arena.probability_best`. A board with a rejected
    rated row (`n_missing`) has neither ranks nor probabilities: the rejected model may lead it.
    """
    aliases = as_known(raw_registry_model_aliases, known_at)
    table_labels = _table_labels(raw_arena_space_tables, aliases)
    labels = pl.concat([_labels(arena_observations), table_labels])
    lines = _with_labels(arena_observations.filter(pl.col("is_chosen")), labels)
    categories = raw_registry_arena_categories.select("source_category", "category")
    whole = with_missing(lines, refused_rows(raw_arena_refused_rows, categories))
    # collected: the following steps read it several times, and Polars would rank again each time
    ranked = _where_whole(_with_rank_ub(_with_rank_ordinal(_with_number(whole)))).collect().lazy()
    licenses = as_known(raw_registry_arena_licenses, known_at).select("license", "is_open_weights")
    segmented = _with_segment(_with_style_control(ranked), arena_scale_segments)
    placed = with_lab_and_country(
        segmented.join(licenses, on="license", how="left"),
        namespaces,
        labs,
        system="lmarena",
        name="organization",
        day="publish_date",
    )
    return _with_probability(placed).select(*contract("core.arena_ratings").columns)


def _labels(observations: pl.LazyFrame) -> pl.LazyFrame:
    return observations.select(
        "model_id", "publish_date", "organization", "license", pl.col("trust").cast(pl.Int32)
    ).unique()


def _table_labels(tables: pl.LazyFrame, aliases: pl.LazyFrame) -> pl.LazyFrame:
    """Labels of the Space's tables, by the model behind key or display name."""
    name = pl.coalesce("model_key", "model_name").alias("name")
    named = tables.select(name, "table_date", "organization", "license").unique()
    return named.join(board_ids(named.select("name"), aliases, tables), on="name").select(
        "model_id",
        pl.col("table_date").alias("publish_date"),
        *("organization", "license"),
        pl.lit(LAST_TRUST, pl.Int32).alias("trust"),
    )


def _with_labels(lines: pl.LazyFrame, labels: pl.LazyFrame) -> pl.LazyFrame:
    """Fills organization and license, and adds `is_org_carried` and `is_style_controlled`."""
    organization, label = pl.col("organization"), pl.col("license")
    own = label.is_not_null() | (pl.col("board_source") == "lmarena")
    day = ["model_id", "publish_date"]
    return (
        lines.join(_filled(lines, labels, "organization"), on=day, how="left")
        .join(_filled(lines, labels, "license"), on=day, how="left")
        .with_columns(
            (organization.is_null() & pl.col("organization_known").is_not_null()).alias(
                "is_org_carried"
            ),
            pl.coalesce(organization, "organization_known").alias("organization"),
            pl.when(own).then(label).otherwise(pl.col("license_known")).alias("license"),
            pl.col("board").str.ends_with(CONTROLLED).alias("is_style_controlled"),
        )
    )


def _filled(lines: pl.LazyFrame, labels: pl.LazyFrame, label: str) -> pl.LazyFrame:
    wanted = lines.filter(pl.col(label).is_null())
    return carried(wanted, labels, label).rename({label: f"{label}_known"})


def _with_segment(lines: pl.LazyFrame, segments: pl.LazyFrame) -> pl.LazyFrame:
    held = segments.select(*SERIES, "segment_id", "first_publish_date", "last_publish_date")
    day = pl.col("publish_date")
    boards = (
        lines.select(BOARD)
        .unique()
        .join(held, on=SERIES)
        .filter(day.is_between("first_publish_date", "last_publish_date"))
        .select(*BOARD, "segment_id")
    )
    return lines.join(boards, on=BOARD, how="left")


def _with_number(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the `number` of the board: an integer sorts and groups faster than names and a date."""
    boards = lines.select(BOARD).unique().with_row_index("number")
    return lines.join(boards, on=BOARD, how="left").with_columns(
        (pl.col("board_source") == "arena_catalog").any().over("number").alias("has_catalog_rows")
    )


def _with_rank_ordinal(lines: pl.LazyFrame) -> pl.LazyFrame:
    """1 + number of models of the board that are rated strictly higher; `n_tied` beside it."""
    rating = pl.col("rating")
    place, tied = rating.rank("min", descending=True), pl.len().over("number", "rating")
    ranked = lines.with_columns(
        place.over("number").cast(pl.Int32).alias("rank_ordinal"),
        pl.when(rating.is_not_null()).then(tied.cast(pl.Int32)).alias("n_tied"),
    )
    return ranked.sort("number", *PLACED, nulls_last=True)


def _with_rank_ub(lines: pl.LazyFrame) -> pl.LazyFrame:
    """1 + lower bounds of the board that exceed the model's own upper bound."""
    lowers, upper = pl.col("rating_lower").drop_nulls(), pl.col("rating_upper")
    not_above = lowers.sort().search_sorted(upper, side="right").over("number")
    rank = 1 + lowers.len().over("number").cast(pl.Int32) - not_above.cast(pl.Int32)
    return lines.with_columns(pl.when(upper.is_not_null()).then(rank).alias("rank_ub"))


def _where_whole(ranked: pl.LazyFrame) -> pl.LazyFrame:
    ranks = ("rank_ordinal", "n_tied", "rank_ub")
    return ranked.with_columns(pl.when(pl.col("n_missing") == 0).then(c).alias(c) for c in ranks)


def _with_style_control(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the same model's rank_ub on the style-controlled board."""
    controlled = lines.filter("is_style_controlled").select(
        *MODEL[1:],
        pl.col("board").str.strip_suffix(CONTROLLED).alias("plain_board"),
        pl.col("rank_ub").alias("rank_ub_style_control"),
    )
    plain = pl.col("board").str.strip_suffix(CONTROLLED).alias("plain_board")
    return lines.with_columns(plain).join(
        controlled, on=["plain_board", *MODEL[1:]], how="left", maintain_order="left"
    )


def _with_probability(lines: pl.LazyFrame) -> pl.LazyFrame:
    is_rated, is_whole = pl.col("rating").is_not_null(), pl.col("n_missing") == 0
    rated = with_probability_best(lines.filter(is_rated & is_whole))
    reason = pl.when(is_rated).then(pl.lit("row_refused")).otherwise(pl.lit("no_rating"))
    without = lines.filter(~(is_rated & is_whole)).with_columns(
        pl.lit(None, pl.Float64).alias("probability_best"), reason.alias("probability_reason")
    )
    return pl.concat([rated, without])
