"""core.arena_observations: every source's ratings, and which of them make the healed board.

Before 2025-08 the frozen Space is believed first, for it shows models that the data set has
dropped since; from then on the data set; arena-catalog comes last. A board is the union by model:
each model's rated row of the most trusted source that has it, with or without interval (the
Space's tables have ratings for 2023 alone, when no source had intervals).

A less trusted source adds its models only where its board is on the scale of the board so far: the
median difference of common models (5 or more) is at most 1 point; of fewer, but at least one, every
model is. Without a common model nothing shows it, and its rows stay out.

Of the Space each board, category and date has one method: Bradley-Terry, else the published table,
else the median of bootstrapped Elo, else online Elo. Rows of the others are not here. Names that
the registry excludes are here, and on no board.
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
SURVIVORS = date(2025, 8, 1)  # from here on the data set shows retired models too
AGREES = 1.0  # arena points: recorded boards may be rounded to integers
ENOUGH = 5  # common models whose median can speak for a board
DEVIATIONS = 1 / (2 * 1.959963984540054)  # standard deviations by width of a 95 % interval
# Methods of the Space, the published one of its time first: in 2023 the site showed the median of
# bootstrapped Elo (FastChat's elo_rating_final, which the tables round), Bradley-Terry since.
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
    """One row per rating row of a source up to `as_of`; `is_chosen` makes the healed board.

    How it is healed is said at the head of this module.
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
    nobody = as_known(raw_registry_arena_exclusions, known_at).select(folded("name"))
    ids = board_ids(rows.select("model_name_arena"), aliases, raw_arena_space_tables)
    held = rows.join(
        ids.with_columns(_is_excluded(nobody)), on="model_name_arena", how="left"
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
    """Ratings of the Space's tables, which have some for 2023 alone: the text board of then."""
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
    """Boards of arena-catalog; of several commits on a day the last one's."""
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
    """Each file as the newest snapshot has it: snapshots of a frozen source repeat it."""
    newest = rows.group_by("file_name").agg(pl.col("snapshot_date").max())
    return rows.join(newest, on=["file_name", "snapshot_date"], how="semi")


def _one_kind(space: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of the most published method of every board: two methods are two scales."""
    ordered = space.with_columns(pl.col("rating_kind").replace_strict(KINDS).alias("order"))
    first = ordered.group_by(BOARD).agg(pl.col("order").min())
    return ordered.join(first, on=[*BOARD, "order"], how="semi").drop("rating_kind", "order")


def _named(rows: pl.LazyFrame, categories: pl.LazyFrame) -> pl.LazyFrame:
    """Categories in the data set's names; one that the registry does not hold keeps its own."""
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


def _is_excluded(nobody: pl.LazyFrame) -> pl.Expr:
    """Whether the name is no model of anybody, such as Arena's own router."""
    names = nobody.collect().to_series()
    return folded("model_name_arena").is_in(names.implode()).alias("is_excluded")


def _variance() -> pl.Expr:
    """As published, else from the interval.

    By products alone: the last bit of Polars' `/ 3.92` and `** 2` depends on the row's place.
    """
    width = pl.col("rating_upper") - pl.col("rating_lower")
    deviation = width * DEVIATIONS
    return pl.coalesce("variance", deviation * deviation)


# ---- which rows make the board --------------------------------------------------------------


def _with_duplicates(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `is_duplicate`: a model that the same source names twice keeps the row of most votes."""
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
    """Adds `is_chosen` and `not_chosen_reason`, by one source after the other in order of trust."""
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
    """Why rows of boards that several sources have do not make the board; the others are absent."""
    held, refused = rows.clear(), [rows.select(ROW).clear()]
    for trust in sorted(rows["trust"].unique()):
        offered = rows.filter(pl.col("trust") == trust, pl.col("rating").is_not_null())
        elsewhere = offered.join(_other_scale(offered, held), on=BOARD, how="semi")
        refused.append(elsewhere.select(ROW))
        joining = offered.join(elsewhere, on=ROW, how="anti")
        held = pl.concat([held, joining.join(held, on=MODEL, how="anti")])
    other_scale = pl.concat(refused)
    # a row without rating stands for its model where no source rates it
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
    """Boards among those offered that the held board of the same date does not bear out."""
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
    believed = (
        rows.lazy().filter("is_chosen").join(models, on=MODEL, how="semi").select(*MODEL, "rating")
    )
    difference = pl.col("rating") - pl.col("rating_believed")
    differing = passed.join(believed, on=MODEL, how="left", suffix="_believed").select(
        *ROW, difference.alias("difference_to_chosen")
    )
    return rows.lazy().join(differing, on=ROW, how="left")
