"""core.arena_observations: the ratings of all sources, and which of them form the repaired board.

Before August 2025 the frozen Space has the highest trust, since it shows models that the dataset
has dropped since; from then on the dataset has it. arena-catalog comes last. A board is a union by
model: each model's rated row from the most trusted source that has one, with or without interval.
(The Space's tables have ratings for 2023 only, when no source had intervals.)

A less trusted source adds its models only if its board is on the same scale as the board so far:
the median difference of the common models is at most 1 point, or, with fewer than 5 common models,
the difference of each. Without a common model its rows are not used.

Each board, category and date of the Space has one method: Bradley-Terry, else the published table,
else the median of bootstrapped Elo, else online Elo. Rows of other methods are left out. Names that
the registry excludes are included here but are on no board.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.scale import BOARD
from transforms.registry.bitemporal import as_known
from transforms.registry.model_identity import board_ids
from transforms.registry.names import folded
from warehouse.contracts.table import contract

MODEL = [*BOARD, "model_id"]
ROW = ["snapshot_id", "file_name", "line"]
SURVIVORS = date(2025, 8, 1)  # from here on the dataset shows retired models too
AGREES = 1.0  # arena points: recorded boards may be rounded to integers
ENOUGH = 5  # common models whose median is compared
DEVIATIONS = 1 / (2 * 1.959963984540054)  # standard deviations by width of a 95 % interval
# Methods of the Space in order of trust. In 2023 the site showed the median of bootstrapped Elo
# (FastChat's elo_rating_final, which the tables round), since then Bradley-Terry.
KINDS = {"bradley_terry": 1, "published_table": 2, "elo_median": 3, "elo_online": 4}


def arena_observations(
    raw_arena_leaderboards: pl.LazyFrame,
    raw_arena_space_tables: pl.LazyFrame,
    raw_arena_space_ratings: pl.LazyFrame,
    raw_arena_catalog_ratings: pl.LazyFrame,
    raw_registry_arena_categories: pl.LazyFrame,
    raw_registry_arena_exclusions: pl.LazyFrame,
    raw_registry_model_aliases: pl.LazyFrame,
    as_of: date,
    known_at: date,
) -> pl.LazyFrame:
    """One row per rating row of a source up to `as_of`; rows with `is_chosen` form the board.

    The docstring of this module gives the rules.
    """
    space = pl.concat(
        [_tables(raw_arena_space_tables), _pickles(raw_arena_space_ratings)], how="diagonal"
    )
    catalog = _catalog(raw_arena_catalog_ratings)
    given = _received(
        _dataset(raw_arena_leaderboards), space, catalog, raw_registry_arena_categories
    )
    rows = given.filter(pl.col("publish_date") <= as_of)
    aliases = as_known(raw_registry_model_aliases, known_at)
    table = contract("core.arena_observations")
    excluded = as_known(raw_registry_arena_exclusions, known_at).select(folded("name"))
    ids = board_ids(rows.select("model_name_arena"), aliases, raw_arena_space_tables)
    held = rows.join(
        ids.with_columns(_is_excluded(excluded)), on="model_name_arena", how="left"
    ).with_columns(_trust(), _variance())
    return _with_difference(_chosen(_with_duplicates(held).collect())).select(
        pl.col(c).cast(kind) for c, kind in table.polars_schema.items()
    )


# ---- one shape for every source -------------------------------------------------------------


def _received(
    dataset: pl.LazyFrame, space: pl.LazyFrame, catalog: pl.LazyFrame, names: pl.LazyFrame
) -> pl.LazyFrame:
    categories = names.select("source_category", "category")
    return pl.concat(
        [dataset, _one_kind(_named(space, categories)), _named(catalog, categories)],
        how="diagonal_relaxed",
    )


RATING = ("rating", "rating_lower", "rating_upper")


def _dataset(leaderboards: pl.LazyFrame) -> pl.LazyFrame:
    return leaderboards.select(
        *("snapshot_id", "snapshot_date", "line", "category", "organization", "license"),
        *("variance", "vote_count", *RATING),
        pl.lit("lmarena").alias("board_source"),
        board="subset",
        publish_date="leaderboard_publish_date",
        model_name_arena="model_name",
        file_name="subset",
        rank_published="rank",
    )


def _tables(tables: pl.LazyFrame) -> pl.LazyFrame:
    """Ratings of the Space's tables, which are those of the text board of 2023."""
    return _newest(tables.filter(pl.col("rating").is_not_null())).select(
        *("snapshot_id", "snapshot_date", "file_name", "line", "organization", "license"),
        "rating",
        pl.lit("lmarena_space").alias("board_source"),
        pl.lit("text").alias("board"),
        pl.lit("overall").alias("source_category"),
        pl.lit("published_table").alias("rating_kind"),
        publish_date="table_date",
        model_name_arena="model_name",
    )


def _pickles(ratings: pl.LazyFrame) -> pl.LazyFrame:
    return _newest(ratings).select(
        *("snapshot_id", "snapshot_date", "file_name", "line"),
        pl.lit("lmarena_space").alias("board_source"),
        pl.col("subset").alias("board"),
        *("source_category", "rating_kind", "variance", "vote_count", *RATING),
        rank_published="rank",
        publish_date="table_date",
        model_name_arena="model_name",
    )


def _catalog(ratings: pl.LazyFrame) -> pl.LazyFrame:
    """Boards of arena-catalog, from the last commit of a day."""
    board = ["subset", "commit_date"]
    last = ratings.group_by(board).agg(pl.col("committed_at").max())
    return _newest(ratings.join(last, on=[*board, "committed_at"], how="semi")).select(
        *("snapshot_id", "snapshot_date", "file_name", "line", "source_category", *RATING),
        pl.lit("arena_catalog").alias("board_source"),
        board="subset",
        publish_date="commit_date",
        model_name_arena="model_name",
    )


def _newest(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Each file from its newest snapshot: snapshots of a frozen source repeat it."""
    newest = rows.group_by("file_name").agg(pl.col("snapshot_date").max())
    return rows.join(newest, on=["file_name", "snapshot_date"], how="semi")


def _one_kind(space: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of the most trusted method of every board: methods differ in scale."""
    ordered = space.with_columns(pl.col("rating_kind").replace_strict(KINDS).alias("order"))
    first = ordered.group_by(BOARD).agg(pl.col("order").min())
    return ordered.join(first, on=[*BOARD, "order"], how="semi").drop("rating_kind", "order")


def _named(rows: pl.LazyFrame, categories: pl.LazyFrame) -> pl.LazyFrame:
    """Categories by the dataset's names; categories unknown to the registry keep their own."""
    return (
        rows.join(categories, on="source_category", how="left")
        .with_columns(pl.coalesce("category", "source_category").alias("category"))
        .drop("source_category")
    )


def _trust() -> pl.Expr:
    late, source = pl.col("publish_date") >= SURVIVORS, pl.col("board_source")
    first = pl.when(late).then(pl.lit("lmarena")).otherwise(pl.lit("lmarena_space"))
    rank = pl.when(source == "arena_catalog").then(3).when(source == first).then(1).otherwise(2)
    return rank.cast(pl.Int32).alias("trust")


def _is_excluded(excluded: pl.LazyFrame) -> pl.Expr:
    """Whether the name is no model of anybody, such as Arena's own router."""
    names = excluded.collect().to_series()
    return folded("model_name_arena").is_in(names.implode()).alias("is_excluded")


def _variance() -> pl.Expr:
    """As published, else from the interval.

    Products only: the last bit of `/ 3.92` and `** 2` in Polars depends on the row's position.
    """
    width = pl.col("rating_upper") - pl.col("rating_lower")
    deviation = width * DEVIATIONS
    return pl.coalesce("variance", deviation * deviation)


# ---- which rows make the board --------------------------------------------------------------


def _with_duplicates(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `is_duplicate` to all rows of a model in one source but the one with the most votes."""
    key = ["board_source", *MODEL]
    many = rows.group_by(key).len().filter(pl.col("len") > 1)
    kept_first = (
        rows.join(many, on=key, how="semi")
        .select(*key, *ROW, "snapshot_date", "vote_count")
        .sort(
            *("vote_count", "snapshot_date", "file_name", "line"),
            descending=[True, True, True, False],
            nulls_last=True,
        )
        .with_columns((~pl.struct(key).is_first_distinct()).alias("is_duplicate"))
        .select(*ROW, "is_duplicate")
    )
    return rows.join(kept_first, on=ROW, how="left").with_columns(
        pl.col("is_duplicate").fill_null(value=False)
    )


def _chosen(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `is_chosen` and `not_chosen_reason`, source by source in order of trust."""
    shared = rows.group_by(BOARD).agg(pl.col("board_source").n_unique() > 1)
    shared = shared.filter("board_source").select(BOARD)
    passed = pl.col("is_duplicate") | pl.col("is_excluded")
    contested = rows.filter(~passed).join(shared, on=BOARD, how="semi")
    verdicts = _verdicts(contested.select(*BOARD, *ROW, "model_id", "trust", "rating"))
    reason = (
        pl.when(pl.col("is_excluded"))
        .then(pl.lit("excluded"))
        .when(pl.col("is_duplicate"))
        .then(pl.lit("duplicate"))
        .otherwise(pl.col("verdict"))
        .alias("not_chosen_reason")
    )
    return (
        rows.join(verdicts, on=ROW, how="left")
        .with_columns(reason)
        .with_columns(pl.col("not_chosen_reason").is_null().alias("is_chosen"))
    )


def _verdicts(rows: pl.DataFrame) -> pl.DataFrame:
    """Why rows are not chosen on boards that several sources have; chosen rows are absent."""
    held, refused = rows.clear(), [rows.select(ROW).clear()]
    for trust in sorted(rows["trust"].unique()):
        offered = rows.filter(pl.col("trust") == trust, pl.col("rating").is_not_null())
        elsewhere = offered.join(_other_scale(offered, held), on=BOARD, how="semi")
        refused.append(elsewhere.select(ROW))
        joining = offered.join(elsewhere, on=ROW, how="anti")
        held = pl.concat([held, joining.join(held, on=MODEL, how="anti")])
    other_scale = pl.concat(refused)
    # a row without a rating is chosen if no source rates its model
    unrated = rows.filter(pl.col("rating").is_null()).sort("trust", *ROW)
    unrated = unrated.unique(MODEL, keep="first", maintain_order=True)
    chosen = pl.concat([held, unrated.join(held, on=MODEL, how="anti")])
    better = rows.join(chosen, on=ROW, how="anti").join(other_scale, on=ROW, how="anti")
    return pl.concat(
        [
            other_scale.with_columns(pl.lit("other_scale").alias("verdict")),
            better.select(*ROW, pl.lit("better_source").alias("verdict")),
        ]
    )


def _other_scale(offered: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Offered boards whose scale differs from the held board of the same date."""
    off = (pl.col("rating") - pl.col("rating_held")).abs()
    compared = (
        offered.join(held, on=MODEL, suffix="_held")
        .group_by(BOARD)
        .agg(pl.len().alias("n"), off.median().alias("median"), off.max().alias("largest"))
    )
    decisive = pl.when(pl.col("n") >= ENOUGH).then("median").otherwise("largest")
    boards = offered.select(BOARD).unique().join(held.select(BOARD).unique(), on=BOARD, how="semi")
    return boards.join(compared.filter(decisive <= AGREES), on=BOARD, how="anti")


def _with_difference(rows: pl.DataFrame) -> pl.LazyFrame:
    """Adds `difference_to_chosen` to every row that is not chosen."""
    passed = rows.lazy().filter(~pl.col("is_chosen"))
    models = passed.select(MODEL).unique()
    chosen = (
        rows.lazy().filter("is_chosen").join(models, on=MODEL, how="semi").select(*MODEL, "rating")
    )
    difference = pl.col("rating") - pl.col("rating_chosen")
    differing = passed.join(chosen, on=MODEL, how="left", suffix="_chosen").select(
        *ROW, difference.alias("difference_to_chosen")
    )
    return rows.lazy().join(differing, on=ROW, how="left")
