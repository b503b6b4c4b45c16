"""Tests of shares on the Hub: hub_share, hub_amount, hub_lead, hub_rank.

In doubt are the models of unexamined namespaces (XX), of no single country (ZZ) and, by base, those
without a recorded lineage: anybody may own them, or their roots.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import NEEDED, for_tests, nearest, part, to_answers
from transforms.hub.definitions import NO_FAMILY, UNEXAMINED
from transforms.numeric.exact_sums import exactly, how_many
from transforms.registry.attribution import NOT_EXAMINED

TESTS = ("hub_share", "hub_amount", "hub_lead", "hub_rank")
TILE_DAYS = 30  # what a rolling counter covers
NEAR_DAYS = 3  # largest distance of a counter from the end of its tile
NOBODY = ("ZZ", NOT_EXAMINED, UNEXAMINED, NO_FAMILY)
CUT = ["by", "population", "metric", "attribution", "credit"]
_KEPT = ["observed_on", *CUT, "holder", "numerator", "denominator", "lineage_coverage"]


def hub_shares(
    requests: pl.LazyFrame,
    country_share_daily: pl.LazyFrame,
    lab_share_daily: pl.LazyFrame,
    family_share_daily: pl.LazyFrame,
    hub_counter_days: pl.LazyFrame,
    hub_listing_coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: a share of one observation, or of a longer window tiled by counters of 30 days.

    Downloads are not read on days on which the Hub's counters stood still or fell.
    """
    every = pl.concat(
        [
            _held(country_share_daily, "country", "country_code"),
            _held(lab_share_daily, "lab", "lab_id"),
            _held(family_share_daily, "family", "family_id"),
        ]
    )
    shares = _without_outages(every, hub_counter_days)
    tiles = _tiles(for_tests(requests, *TESTS), shares)
    rows = tiles.join(shares, on=["observed_on", *CUT])
    sums = _sums(rows, _ranks(rows))
    covered = _coverage(tiles, hub_listing_coverage, _counted(country_share_daily))
    return to_answers(_values(sums.join(covered, on="request")).pipe(_one_sided))


def _one_sided(values: pl.LazyFrame) -> pl.LazyFrame:
    """On an excerpt, what a holder surely has is a lower bound of its amount.

    Not over a tiled window: the counters of neighboring tiles may overlap by a few days.
    """
    is_excerpt = (pl.col("coverage_population") < NEEDED) | ~pl.col("is_whole")
    is_amount = (pl.col("test") == "hub_amount") & pl.col("window_days").is_null()
    is_least = is_amount & is_excerpt
    no_bound = pl.lit(float("inf"))
    return values.with_columns(
        is_least.alias("bounds_hold"),
        *(pl.when(is_least).then(no_bound).otherwise(c).alias(c) for c in ("high", "value_upper")),
    )


def _without_outages(shares: pl.LazyFrame, hub_counter_days: pl.LazyFrame) -> pl.LazyFrame:
    outages = hub_counter_days.filter(pl.col("counter_outage").is_not_null()).select(
        pl.col("as_of_date").alias("observed_on"), is_out=pl.lit(True)
    )
    is_valid = ~(pl.col("is_out").fill_null(False) & pl.col("metric").str.starts_with("downloads"))
    return shares.join(outages, on="observed_on", how="left").filter(is_valid).drop("is_out")


def _held(shares: pl.LazyFrame, by: str, holder: str) -> pl.LazyFrame:
    credit = pl.col("credit") if by == "country" else pl.lit("fractional")
    return shares.with_columns(
        pl.col("as_of_date").alias("observed_on"),
        pl.lit(by).alias("by"),
        credit.alias("credit"),
        pl.col(holder).alias("holder"),
    ).select(_KEPT)


def _tiles(wanted: pl.LazyFrame, shares: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request and observation of its window, with the `n_tiles` that it needs."""
    days = shares.select(*CUT, "observed_on").unique()
    single = nearest(wanted.filter(pl.col("window_days").is_null()), days, CUT)
    off = (pl.col("observed_on") - pl.col("end")).dt.total_days().abs()
    tiled = (
        _ends(wanted.filter(pl.col("window_days").is_not_null()), days)
        .join(days, on=CUT)
        .with_columns(off.alias("off"))
        .filter((pl.col("off") <= NEAR_DAYS) & (pl.col("observed_on") <= pl.col("clock")))
        .sort("request", "tile", "off", "observed_on")
        .unique(["request", "tile"], keep="first", maintain_order=True)
        .drop("off", "end", "tile")
    )
    one = single.with_columns(n_tiles=pl.lit(1, pl.Int64))
    return pl.concat([one, tiled.select(one.collect_schema().names())])


def _ends(windows: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """The tiles of each window by their last days; it ends at the stated day or the newest one."""
    is_newest = pl.col("moment") == "newest"
    newest = nearest(windows.filter(is_newest), days, CUT)
    due = (pl.col("window_days") * (1 / TILE_DAYS)).round().cast(pl.Int64).clip(1)
    last = pl.concat(
        [
            windows.filter(~is_newest & pl.col("day").is_not_null()),
            newest.with_columns(day="observed_on").select(windows.collect_schema().names()),
        ]
    ).with_columns(due.alias("n_tiles"))
    return (
        last.with_columns(pl.int_ranges(0, pl.col("n_tiles")).alias("tile"))
        .explode("tile")
        .with_columns((pl.col("day") - pl.duration(days=TILE_DAYS * pl.col("tile"))).alias("end"))
    )


def _sums(rows: pl.LazyFrame, ranks: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request: subject (a), other (b), unexamined (x) and ZZ (z), over its tiles."""
    held = pl.col("numerator")
    holder = pl.col("holder")
    unexamined = holder.is_in([NOT_EXAMINED, UNEXAMINED])
    per_day = rows.group_by("request", "observed_on").agg(
        exactly(held.filter(holder == pl.col("subject"))).alias("a"),
        exactly(held.filter(holder == pl.col("other"))).alias("b"),
        exactly(held.filter(unexamined)).alias("x"),
        exactly(held.filter(holder == "ZZ")).alias("z"),
        pl.col("denominator").first().alias("all"),
        _unrecorded().alias("u"),
        pl.col("lineage_coverage").first(),
    )
    amounts = ["a", "b", "x", "z", "all", "u"]
    return (
        per_day.group_by("request")
        .agg(
            exactly(pl.col(amounts)),
            pl.col("observed_on").max(),
            pl.col("lineage_coverage").min().alias("coverage_lineage"),
        )
        .join(rows.select("request", "test", "window_days").unique(), on="request")
        .join(ranks, on="request", how="left")
    )


def _unrecorded() -> pl.Expr:
    """By base, the weight of the models without a recorded lineage."""
    missing = (1 - pl.col("lineage_coverage").first()).fill_null(0.0)
    return pl.col("denominator").first() * missing


def _ranks(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Place of the subject among all holders, and the places that the doubt allows."""
    wanted = rows.filter(pl.col("test") == "hub_rank")
    sums = wanted.group_by("request", "subject", "holder").agg(exactly(pl.col("numerator")))
    days = wanted.group_by("request", "observed_on").agg(_unrecorded().alias("u"))
    unrecorded = days.group_by("request").agg(exactly(pl.col("u")))
    unexamined = pl.col("holder").is_in([NOT_EXAMINED, UNEXAMINED])
    held = pl.col("numerator")
    doubts = sums.group_by("request").agg(
        exactly(held.filter(pl.col("holder") == pl.col("subject"))).alias("mine"),
        exactly(held.filter(unexamined)).alias("x"),
        exactly(held.filter(pl.col("holder") == "ZZ")).alias("z"),
    )
    others = sums.filter(
        (pl.col("holder") != pl.col("subject")) & ~pl.col("holder").is_in(list(NOBODY))
    )
    mine, u = pl.col("mine"), pl.col("u")
    x, doubt = pl.col("x") + u, pl.col("x") + pl.col("z") + u
    return (
        others.join(doubts, on="request", how="right")
        .join(unrecorded, on="request")
        .group_by("request")
        .agg(
            (1 + how_many(held > mine)).alias("rank"),
            (1 + how_many(held - u > mine + x)).alias("rank_low"),
            (1 + how_many(held + x > mine - u)).alias("rank_high"),
            (1 + how_many(held - u > mine + doubt)).alias("rank_lower"),
            (1 + how_many(held + doubt > mine - u)).alias("rank_upper"),
        )
    )


def _values(sums: pl.LazyFrame) -> pl.LazyFrame:
    """Values and bounds by test; by base none if no lineage at all was recorded."""
    amounts = _bounds(*(pl.col(c) for c in "abxzu"))
    shares = _bounds(*(pl.col(c) / pl.col("all") for c in "abxzu"))
    ranks = ("rank", "rank_low", "rank_high", "rank_lower", "rank_upper")
    by_test = {
        "hub_share": shares[0],
        "hub_lead": shares[1],
        "hub_amount": amounts[0],
        "hub_rank": tuple(pl.col(c) for c in ranks),
    }
    names = ("value", "low", "high", "value_lower", "value_upper")
    is_known = pl.col("coverage_lineage").is_null() | (pl.col("coverage_lineage") > 0)
    return sums.with_columns(
        pl.coalesce(
            pl.when(is_known & (pl.col("test") == name)).then(values[i].cast(pl.Float64))
            for name, values in by_test.items()
        ).alias(column)
        for i, column in enumerate(names)
    ).with_columns((1 - pl.col("x") / pl.col("all")).alias("coverage_names"))


def _bounds(
    a: pl.Expr, b: pl.Expr, x: pl.Expr, z: pl.Expr, u: pl.Expr
) -> tuple[tuple[pl.Expr, ...], tuple[pl.Expr, ...]]:
    """Of an amount (a) and of its lead over another (b): value, bounds, and bounds with ZZ (z).

    The unexamined (x) may be anybody's. So may what has no recorded lineage (u), which is counted
    with its publishers and may not be theirs.
    """
    least, least_other = (pl.max_horizontal(held - u, 0.0) for held in (a, b))
    most, most_other = a + x + u, b + x + u
    one = (a, least, most, least, most + z)
    low, high = least - most_other, most - least_other
    return one, (a - b, low, high, low - z, high + z)


def _counted(country_share_daily: pl.LazyFrame) -> pl.LazyFrame:
    """The part of a population's models whose metric was recorded."""
    n, without = pl.col("n_models_population"), pl.col("n_models_without_counter")
    return country_share_daily.select(
        pl.col("as_of_date").alias("observed_on"),
        "population",
        "metric",
        part(n, n + without).alias("counted"),
    ).unique()


def _coverage(
    tiles: pl.LazyFrame, hub_listing_coverage: pl.LazyFrame, counted: pl.LazyFrame
) -> pl.LazyFrame:
    whole = pl.col("metric").is_in(["models", "new_models_30d"])  # known of every listed model
    listed = hub_listing_coverage.rename({"as_of_date": "observed_on"})
    # Downloads are covered by downloads, if the total is known: few models have nearly all.
    is_downloads = (pl.col("metric") == "downloads_30d") & (pl.col("population") == "all")
    by_models = pl.col("listed_share").fill_null(0.0) * pl.col("counted").fill_null(0.0)
    by_downloads = pl.when(is_downloads).then(pl.col("listed_downloads_share"))
    return (
        tiles.join(listed, on="observed_on", how="left")
        .join(counted, on=["observed_on", "population", "metric"], how="left")
        .with_columns(pl.when(whole).then(1.0).otherwise("counted").alias("counted"))
        .group_by("request")
        .agg(
            (pl.len() / pl.col("n_tiles").first()).alias("coverage_time"),
            pl.coalesce(by_downloads, by_models).min().alias("coverage_population"),
            pl.col("is_whole").all(),
        )
    )
