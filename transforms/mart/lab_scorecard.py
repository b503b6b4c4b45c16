"""mart.lab_scorecard."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.arena.leaders import expected_win_rate
from transforms.arena.refused import ranked_boards
from transforms.arena.scale import PLACED
from transforms.numeric.exact_sums import exactly, how_many, rate
from transforms.registry.bitemporal import holds_on
from warehouse.contracts.table import contract

# A column each, so that BI tools need no pivot; mart.arena_lab_leaders has every board.
BOARDS = (
    *("text", "text_style_control", "webdev", "vision", "search_style_control"),
    *("text_to_image", "image_edit", "text_to_video", "image_to_video"),
)
ATTRIBUTIONS = ("publisher", "base")
DAY, ROW = ["as_of_date"], ["as_of_date", "lab_id"]
# What a part gives: per lab and day its measures, per day what they are of.
Part = tuple[pl.LazyFrame, pl.LazyFrame]


def lab_scorecard(
    lab_share_daily: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    notable_model_labs: pl.LazyFrame,
    labs: pl.LazyFrame,
    as_of: date,
) -> pl.LazyFrame:
    """One row per lab and day, for the Hub's days and `as_of`; each measure the newest up to it.

    A lab stands there on a day on which anything is known of it. What is missing is null and has
    its reason beside it.
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
    named = card.join(labs, on="lab_id").filter(holds_on(pl.col("as_of_date")))
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
    is_told = pl.col(f"hub_share_{attribution}").is_not_null().any()
    unexamined = pl.col(f"hub_share_{attribution}").filter(~pl.col("is_examined")).first()
    examined = pl.when(is_told).then((1.0 - unexamined).clip(0, 1).fill_null(1.0))
    coverages = shares.group_by(day).agg(
        examined.alias(f"hub_coverage_{attribution}"), pl.col(lineage).first()
    )
    about = newest.join(coverages, on=day, how="left")
    held = pl.col("is_examined") & pl.col(f"hub_share_{attribution}").is_not_null()
    return newest.join(shares.filter(held).drop("is_examined", lineage), on=day).drop(day), about


def _arena(arena_ratings: pl.LazyFrame, days: pl.LazyFrame, board: str) -> Part:
    """The best model of each lab on a board; gaps hold within one publish date alone."""
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
    told = [
        *(
            (
                f"hub_share_{a}_missing",
                f"hub_share_{a}",
                f"{a}_hub_date",
                "no_observation",
                "no_model",
            )
            for a in ATTRIBUTIONS
        ),
        *(
            (f"{b}_missing", f"{b}_rating", f"{b}_publish_date", "no_board", "not_on_board")
            for b in BOARDS
        ),
        ("notable_missing", "n_notable_models", "notable_vintage_date", "no_vintage", "not_listed"),
    ]
    listed = pl.col("n_notable_models").is_not_null()
    reasons = {
        name: _reason(value, pl.col(day).is_null(), none, absent)
        for name, value, day, none, absent in told
    }
    by_base = "hub_share_base_missing"
    reasons[by_base] = (
        pl.when(pl.col("hub_lineage_coverage_base") == 0)
        .then(pl.lit("lineage_not_recorded"))
        .otherwise(reasons[by_base])
    )
    return [
        *(reason.alias(name) for name, reason in reasons.items()),
        pl.when(listed & pl.col("open_weights_share").is_null())
        .then(pl.lit("access_unknown"))
        .otherwise(
            _reason(
                "n_notable_models",
                pl.col("notable_vintage_date").is_null(),
                "no_vintage",
                "not_listed",
            )
        )
        .alias("open_weights_missing"),
    ]


def _reason(value: str, has_no_day: pl.Expr, none: str, absent: str) -> pl.Expr:
    return pl.when(has_no_day).then(pl.lit(none)).when(pl.col(value).is_null()).then(pl.lit(absent))
