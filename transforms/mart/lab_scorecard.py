"""mart.lab_scorecard."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.leaders import expected_win_rate
from transforms.arena.refused import ranked_boards
from transforms.arena.scale import PLACED
from transforms.numeric.exact_sums import exactly, how_many, rate
from transforms.registry.bitemporal import holds_on
from transforms.registry.display_names import lab_names, with_names
from warehouse.contracts.table import contract

# One column per board, so that BI tools need no pivot; mart.arena_lab_leaders has all boards.
BOARDS = (
    *("text", "text_style_control", "webdev", "vision", "search_style_control"),
    *("text_to_image", "image_edit", "text_to_video", "image_to_video"),
)
ATTRIBUTIONS = ("publisher", "base")
DAY, ROW = ["as_of_date"], ["as_of_date", "lab_id"]
# A part of the card: measures per lab and day, and per day what they are based on.
Part = tuple[pl.LazyFrame, pl.LazyFrame]


def lab_scorecard(
    lab_share_daily: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    labs: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per lab and day, for the Hub's days and `as_of`, with the newest measures up to it.

    A lab has a row on a day if any measure is known. A missing measure is null, with the reason
    beside it.
    """
    observed = lab_share_daily.select("as_of_date").filter(pl.col("as_of_date") <= as_of)
    days = pl.concat([observed, pl.LazyFrame({"as_of_date": [as_of]})]).unique()
    parts = [
        *(_hub(lab_share_daily, days, attribution) for attribution in ATTRIBUTIONS),
        *(_arena(arena_ratings, days, board) for board in BOARDS),
        _notable(notable_models, notable_model_labs, days),
    ]
    card = pl.concat([measures.select(ROW) for measures, _ in parts]).unique()
    for measures, about in parts:
        card = card.join(about, on=DAY, how="left").join(measures, on=ROW, how="left")
    held = card.join(labs, on="lab_id").filter(holds_on(pl.col("as_of_date")))
    named = with_names(held, lab_names(labs), parent_lab_name="parent_lab_id")
    catalog = pl.any_horizontal(
        pl.col(f"{board}_has_catalog_rows").fill_null(False) for board in BOARDS
    )
    return named.with_columns(
        *_reasons(), catalog.alias("has_catalog_rows"), _hub_day().alias("hub_as_of_date")
    ).select(*contract("mart.lab_scorecard").columns)


def _newest(days: pl.LazyFrame, dated: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """For each day the newest date of a column up to it, if there is one."""
    return (
        days.join(dated.select(column).unique(), how="cross")
        .filter(pl.col(column) <= pl.col("as_of_date"))
        .group_by("as_of_date")
        .agg(pl.col(column).max())
    )


def _hub(lab_share_daily: pl.LazyFrame, days: pl.LazyFrame, attribution: str) -> Part:
    day = f"{attribution}_hub_date"
    shares = lab_share_daily.filter(
        (pl.col("population") == "all")
        & (pl.col("metric") == "downloads_30d")
        & (pl.col("attribution") == attribution)
    ).select(
        pl.col("as_of_date").alias(day),
        "lab_id",
        "is_examined",
        pl.col("share").alias(f"hub_share_{attribution}"),
        pl.col("lineage_coverage").alias(f"hub_lineage_coverage_{attribution}"),
    )
    newest = _newest(days, shares, day)
    lineage = f"hub_lineage_coverage_{attribution}"
    is_known = pl.col(f"hub_share_{attribution}").is_not_null().any()
    unexamined = pl.col(f"hub_share_{attribution}").filter(~pl.col("is_examined")).first()
    examined = pl.when(is_known).then((1.0 - unexamined).clip(0, 1).fill_null(1.0))
    coverages = shares.group_by(day).agg(
        examined.alias(f"hub_coverage_{attribution}"), pl.col(lineage).first()
    )
    about = newest.join(coverages, on=day, how="left")
    held = pl.col("is_examined") & pl.col(f"hub_share_{attribution}").is_not_null()
    return newest.join(shares.filter(held).drop("is_examined", lineage), on=day).drop(day), about


def _arena(arena_ratings: pl.LazyFrame, days: pl.LazyFrame, board: str) -> Part:
    """The best model of each lab on a board; gaps are within one publish date."""
    day = f"{board}_publish_date"
    rated = ranked_boards(
        arena_ratings.filter((pl.col("board") == board) & (pl.col("category") == "overall"))
    ).rename({"publish_date": day})
    gap = pl.col("rating").max().over(day) - pl.col("rating")
    best = (
        rated.with_columns(gap.alias("gap_to_leader"))
        .filter(pl.col("lab_id").is_not_null())
        .sort(day, *PLACED, nulls_last=True)
        .unique([day, "lab_id"], keep="first", maintain_order=True)
        .select(
            day,
            "lab_id",
            pl.col("model_name_arena").alias(f"{board}_model"),
            *(
                pl.col(c).alias(f"{board}_{c}")
                for c in ("rank_ordinal", "n_tied", "rating", "gap_to_leader")
            ),
            expected_win_rate(-pl.col("gap_to_leader")).alias(f"{board}_win_rate"),
        )
    )
    held = rated.group_by(day).agg(
        pl.col("has_catalog_rows").any().alias(f"{board}_has_catalog_rows")
    )
    newest = _newest(days, rated, day)
    return newest.join(best, on=day).drop(day), newest.join(held, on=day)


def _notable(
    notable_models: pl.LazyFrame, notable_model_labs: pl.LazyFrame, days: pl.LazyFrame
) -> Part:
    day = "notable_vintage_date"
    each = notable_model_labs.rename({"vintage_date": day})
    models = notable_models.rename({"vintage_date": day})
    counts = (
        each.filter(pl.col("lab_id").is_not_null())
        .select(day, "line", "lab_id")
        .unique()
        .join(models.select(day, "line", "publication_date", "is_open_weights"), on=[day, "line"])
        .group_by(day, "lab_id")
        .agg(
            pl.len().cast(pl.Int64).alias("n_notable_models"),
            how_many(is_recent(day)).alias("n_notable_models_12m"),
            pl.col("is_open_weights").count().cast(pl.Int64).alias("n_access_known"),
            rate(pl.col("is_open_weights")).alias("open_weights_share"),
        )
    )
    is_examined = pl.col("lab_id").is_not_null()
    weight = pl.col("weight")
    covered = each.group_by(day).agg(
        (exactly(weight.filter(is_examined)) / exactly(weight)).clip(0, 1).alias("notable_coverage")
    )
    newest = _newest(days, models, day)
    return newest.join(counts, on=day).drop(day), newest.join(covered, on=day, how="left")


def is_recent(vintage: str) -> pl.Expr:
    """Whether a model was published in the 12 months up to and including the vintage."""
    published, day = pl.col("publication_date"), pl.col(vintage)
    return (published > day.dt.offset_by("-12mo")) & (published <= day)


def _hub_day() -> pl.Expr:
    return pl.max_horizontal(f"{attribution}_hub_date" for attribution in ATTRIBUTIONS)


def _reasons() -> list[pl.Expr]:
    """Why a measure is null; null where it is not."""
    hub = {f"hub_share_{a}_missing": (f"hub_share_{a}", f"{a}_hub_date") for a in ATTRIBUTIONS}
    boards = {f"{b}_missing": (f"{b}_rating", f"{b}_publish_date") for b in BOARDS}
    notable = ("n_notable_models", "notable_vintage_date")
    no_notable = _reason(*notable, "no_vintage", "not_listed")
    reasons = {
        **{name: _reason(*about, "no_observation", "no_model") for name, about in hub.items()},
        **{name: _reason(*about, "no_board", "not_on_board") for name, about in boards.items()},
        "notable_missing": no_notable,
        "open_weights_missing": pl.when(
            pl.col("n_notable_models").is_not_null() & pl.col("open_weights_share").is_null()
        )
        .then(pl.lit("access_unknown"))
        .otherwise(no_notable),
    }
    reasons["hub_share_base_missing"] = (
        pl.when(pl.col("hub_lineage_coverage_base") == 0)
        .then(pl.lit("lineage_not_recorded"))
        .otherwise(reasons["hub_share_base_missing"])
    )
    return [reason.alias(name) for name, reason in reasons.items()]


def _reason(value: str, day: str, no_day: str, no_value: str) -> pl.Expr:
    """`no_day` if there is no observation at all, `no_value` if it lacks the lab."""
    return (
        pl.when(pl.col(day).is_null())
        .then(pl.lit(no_day))
        .when(pl.col(value).is_null())
        .then(pl.lit(no_value))
    )
