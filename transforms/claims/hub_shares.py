"""Tests of shares on the Hub: hub_share, hub_amount, hub_lead, hub_rank."""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import answers, nearest, of, part
from transforms.claims.wholeness import partial
from transforms.mart.family_share_daily import NO_FAMILY
from transforms.numeric.exact_sums import exactly, how_many
from transforms.registry.attribution import NOT_EXAMINED

TESTS = ("hub_share", "hub_amount", "hub_lead", "hub_rank")
TILE_DAYS = 30  # what a rolling counter covers
NEAR_DAYS = 3  # how far from the end of a tile its counter may lie
UNEXAMINED = "unexamined"  # the row of mart.lab_share_daily for all that nobody examined
NOBODY = ("ZZ", NOT_EXAMINED, UNEXAMINED, NO_FAMILY)
CUT = ["by", "population", "metric", "attribution", "credit"]
_KEPT = ["observed_on", *CUT, "holder", "numerator", "denominator", "lineage_coverage"]


def listing_coverage(
    country_share_daily: pl.LazyFrame, sizes: pl.LazyFrame, meta_snapshots: pl.LazyFrame
) -> pl.LazyFrame:
    """`observed_on` and `listed`: the part of the Hub's models that the day's listing holds.

    By number of models, against the nearest day on which somebody counted them all; 0 where
    nobody did. What part of all downloads that is, nobody knows. `is_whole`: not a sample, and
    proved to have come to its end.
    """
    every = (pl.col("population") == "all") & (pl.col("metric") == "models")
    counts = country_share_daily.filter(every).select(
        pl.col("as_of_date").alias("observed_on"), pl.col("n_models_population").alias("n")
    )
    off = (pl.col("observed_on") - pl.col("as_of_date")).dt.total_days().abs()
    known = (
        counts.unique()
        .join(sizes.select("as_of_date", "n_models"), how="cross")
        .with_columns(off.alias("off"))
        .sort("observed_on", "off", "as_of_date")
        .unique("observed_on", keep="first", maintain_order=True)
        .select("observed_on", part(pl.col("n"), pl.col("n_models")).alias("listed"))
    )
    parts = partial(meta_snapshots).filter(pl.col("source") == "hub")
    torsos = parts.select(pl.col("snapshot_date").alias("observed_on"), is_whole=pl.lit(False))
    return (
        counts.select("observed_on")
        .unique()
        .join(known, on="observed_on", how="left")
        .join(torsos, on="observed_on", how="left")
        .select(
            "observed_on", pl.col("listed").fill_null(0.0), pl.col("is_whole").fill_null(value=True)
        )
    )


def hub_shares(
    requests: pl.LazyFrame,
    country_share_daily: pl.LazyFrame,
    lab_share_daily: pl.LazyFrame,
    family_share_daily: pl.LazyFrame,
    hub_counter_days: pl.LazyFrame,
    listed: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: a share of one observation, or of a longer window tiled by counters of 30 days.

    Days on which the Hub's counters stood still or fell tell nothing of downloads.
    """
    shares = pl.concat(
        [
            _held(country_share_daily, "country", "country_code"),
            _held(lab_share_daily, "lab", "lab_id"),
            _held(family_share_daily, "family", "family_id"),
        ]
    )
    outages = hub_counter_days.filter(pl.col("counter_outage").is_not_null()).select(
        pl.col("as_of_date").alias("observed_on"), is_out=pl.lit(True)
    )
    believed = ~(pl.col("is_out").fill_null(False) & pl.col("metric").str.starts_with("downloads"))
    shares = shares.join(outages, on="observed_on", how="left").filter(believed).drop("is_out")
    wanted = of(requests, *TESTS)
    tiles = _tiles(wanted, shares)
    rows = tiles.join(shares, on=["observed_on", *CUT])
    sums = _sums(rows, _ranks(rows))
    covered = _coverage(tiles, listed, _counted(country_share_daily))
    return answers(_values(sums.join(covered, on="request")))


def _held(shares: pl.LazyFrame, by: str, holder: str) -> pl.LazyFrame:
    credit = pl.col("credit") if by == "country" else pl.lit("fractional")
    return shares.with_columns(
        pl.col("as_of_date").alias("observed_on"),
        pl.lit(by).alias("by"),
        credit.alias("credit"),
        pl.col(holder).alias("holder"),
    ).select(_KEPT)


def _tiles(wanted: pl.LazyFrame, shares: pl.LazyFrame) -> pl.LazyFrame:
    """One row per request and observation that its window is made of, with `n_tiles` due."""
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
    """One row per request: what subject, other, the unexamined and ZZ hold, over its tiles."""
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
        .join(rows.select("request", "test").unique(), on="request")
        .join(ranks, on="request", how="left")
    )


def _unrecorded() -> pl.Expr:
    """By base, the weight of the models without recorded lineage: anybody's may be their root."""
    missing = (1 - pl.col("lineage_coverage").first()).fill_null(0.0)
    return pl.col("denominator").first() * missing


def _ranks(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Place of the subject among all holders, and the places that doubt allows."""
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
    """Values and bounds by test; no value where no lineage was recorded of what goes by it."""
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
    """Of what one holds and of its lead over another: value, bounds, and bounds with ZZ's.

    What nobody examined (x) and what has no recorded lineage (u) may be anybody's; the latter is
    counted with its publishers, so it may also not be theirs.
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


def _coverage(tiles: pl.LazyFrame, listed: pl.LazyFrame, counted: pl.LazyFrame) -> pl.LazyFrame:
    whole = pl.col("metric").is_in(["models", "new_models_30d"])  # these lack nothing
    return (
        tiles.join(listed, on="observed_on", how="left")
        .join(counted, on=["observed_on", "population", "metric"], how="left")
        .with_columns(pl.when(whole).then(1.0).otherwise("counted").alias("counted"))
        .group_by("request")
        .agg(
            (pl.len() / pl.col("n_tiles").first()).alias("coverage_time"),
            (pl.col("listed").fill_null(0.0) * pl.col("counted").fill_null(0.0))
            .min()
            .alias("coverage_population"),
            pl.col("is_whole").all(),
        )
    )
