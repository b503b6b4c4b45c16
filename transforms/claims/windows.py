"""Tests of downloads in a window: window_share, window_amount, window_lead, window_rank.

In doubt are the models of unexamined namespaces (XX), of no single country (ZZ), by base those
without a recorded lineage, the downloads that no first counter separates from those before the
window, and everything that the source does not hold. What is not recorded can only add downloads:
without it, an amount has a lower bound and no upper one, and a share no bound but 0 and 1.
"""

from __future__ import annotations

import polars as pl

from transforms.claims.requests import NEEDED, to_answers
from transforms.claims.window_requests import OF_NEW, WINDOW, chosen_windows, observed_part
from transforms.hub.counted_panels import EXCERPT, WHOLE
from transforms.hub.definitions import NO_FAMILY, UNEXAMINED
from transforms.hub.window_shares import (
    Counted,
    by_holder,
    chunks,
    in_windows,
    totals,
    with_bounds,
)
from transforms.hub.windows import TURNING
from transforms.numeric.exact_sums import exactly, how_many
from transforms.registry.attribution import NOT_EXAMINED

HOLDERS = {"country": "country_code", "lab": "lab_id", "family": "family_id"}
NOBODY = ("ZZ", NOT_EXAMINED, UNEXAMINED, NO_FAMILY)
KEY = ["window_no", "population", "attribution", "by"]
INNER, OUTER = ("low", "high"), ("value_lower", "value_upper")
BOUNDS = (*INNER, *OUTER)


def window_answers(requests: pl.LazyFrame, counted: Counted) -> pl.LazyFrame:
    """Answers: a share, an amount, a lead or a rank in a window of time."""
    chosen = chosen_windows(requests, counted.days).collect()
    windows = (
        chosen.group_by(WINDOW, maintain_order=True).agg(_born_after()).with_row_index("window_no")
    )
    asked = chosen.join(windows, on=WINDOW, nulls_equal=True)
    found = [_held(chunk, asked.lazy(), counted) for chunk in chunks(windows, counted.days)]
    if not found:
        return to_answers(asked.lazy().select("request", value=pl.lit(None, pl.Float64)))
    return to_answers(_values(asked.lazy(), pl.concat(found).lazy()))


def _born_after() -> pl.Expr:
    """Models that are not newer count for no request about the window; null = all count."""
    start, population = pl.col("start").first(), pl.col("population")
    return (
        pl.when((population == OF_NEW[0]).all())
        .then(start)
        .when(population.is_in(list(OF_NEW)).all())
        .then(start - TURNING)
        .alias("born_after")
    )


def _held(windows: pl.LazyFrame, asked: pl.LazyFrame, counted: Counted) -> pl.DataFrame:
    """What every holder has in some windows, for the cuts that are asked for."""
    numbers = windows.select("window_no").collect().to_series().implode()
    here = asked.filter(pl.col("window_no").is_in(numbers))
    models = in_windows(windows, counted)
    of_all = totals(models).collect().lazy()
    cuts = here.select("by", "attribution").unique().sort("by", "attribution").collect().rows()
    parts = []
    for by, attribution in cuts:
        cut = here.filter(pl.col("by") == by, pl.col("attribution") == attribution)
        wanted = cut.select("window_no", "population").collect()
        mine = models.filter(pl.col("window_no").is_in(wanted["window_no"].unique().implode()))
        populations = wanted["population"].unique().sort().to_list()
        sums = by_holder(mine, attribution, HOLDERS[by], counted, populations).filter(
            pl.col("credit") == "fractional"
        )
        parts.append(_bounded(sums, of_all, cut, by).collect())
    return pl.concat(parts)


def _bounded(sums: pl.LazyFrame, of_all: pl.LazyFrame, cut: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """One row per window, population and holder: amounts and shares with their bounds."""
    nobody = {"country": NOT_EXAMINED, "lab": UNEXAMINED, "family": NO_FAMILY}[by]
    doubt = [] if by == "family" else [nobody]
    named = sums.with_columns(pl.col("holder").fill_null(nobody))
    wanted = cut.select("window_no", "population").unique()
    every = pl.concat([named, _without_any(named, cut)], how="diagonal")
    # Statements about a source's own models lack none; others in the same window decide for all.
    missing = cut.group_by("window_no").agg(_missing_part().max().alias("part"))
    joined = (
        every.join(wanted, on=["window_no", "population"], how="semi")
        .join(of_all, on=["window_no", "population"])
        .join(missing, on="window_no")
        .with_columns(missing=pl.col("all_high") * pl.col("part"))
        .with_columns(pl.col("all_high") + pl.col("missing"))
    )
    numbers = joined.group_by("window_no", "population", "attribution", "holder").agg(
        exactly(pl.col("value")).alias("value"),
        exactly(pl.col("value").filter(pl.col("is_certain"))).alias("recorded"),
    )
    on = ["window_no", "population", "attribution", "holder"]
    for names, doubtful in ((INNER, doubt), (OUTER, [*doubt, "ZZ"])):
        bounds = with_bounds(joined, doubtful, names).drop("credit")
        numbers = numbers.join(bounds, on=on)
    return numbers.join(of_all, on=["window_no", "population"]).with_columns(by=pl.lit(by))


def _without_any(sums: pl.LazyFrame, cut: pl.LazyFrame) -> pl.LazyFrame:
    """Empty rows for the subjects and others, which may have no model in a window."""
    names = pl.concat(
        [cut.select("window_no", "population", holder=c) for c in ("subject", "other")]
    ).drop_nulls()
    schema = {c: sums.collect_schema()[c] for c in ("value", "low", "high", "n_models")}
    zeros = [pl.lit(0, kind).alias(c) for c, kind in schema.items()]
    attribution = cut.select("attribution").unique()
    return (
        names.unique()
        .join(attribution, how="cross")
        .with_columns(*zeros, credit=pl.lit("fractional"), is_certain=pl.lit(True))
    )


def _is_closed() -> pl.Expr:
    """Whether the source holds all models that the statement is about."""
    is_its_own = (pl.col("counters") != "any") & (pl.col("panel") != EXCERPT)
    return is_its_own | (pl.col("panel") == WHOLE)


def _missing_part() -> pl.Expr:
    """Downloads that the source may lack, as a part of those that it has; 0 if it is unknown."""
    held = pl.col("panel_share_of_downloads")
    is_known = ~_is_closed() & (held >= NEEDED)
    return pl.when(is_known).then(1 / held - 1).otherwise(0.0).fill_null(0.0)


def _values(asked: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Values, bounds and coverage of every request."""
    mine = asked.join(held, left_on=[*KEY, "subject"], right_on=[*KEY, "holder"], suffix="_held")
    other = held.select(
        *KEY,
        pl.col("holder").alias("other"),
        *(pl.col(c).alias(f"{c}_b") for c in ("value", *BOUNDS)),
    )
    cut = held.group_by(KEY).agg(
        exactly(pl.col("value")).alias("sum"),
        exactly(pl.col("recorded")).alias("sum_recorded"),
        exactly(pl.col("value").filter(pl.col("holder").is_in([NOT_EXAMINED, UNEXAMINED]))).alias(
            "x"
        ),
    )
    rows = (
        mine.join(other, on=[*KEY, "other"], how="left")
        .join(cut, on=KEY)
        .join(_ranks(asked, held), on="request", how="left")
        .filter(pl.col("denominator") > 0)
    )
    return _covered(_in_open_sources(_by_test(rows)))


def _by_test(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`found` and its four bounds, by test."""
    share, share_b = (pl.col(c) / pl.col("denominator") for c in ("value", "value_b"))
    low, high, lower, upper = (pl.col(c) for c in BOUNDS)
    by_test = {
        "window_share": (share, low, high, lower, upper),
        "window_amount": (pl.col("value"), *(pl.col(f"{c}_amount") for c in BOUNDS)),
        "window_lead": (
            share - share_b, low - pl.col("high_b"), high - pl.col("low_b"),
            lower - pl.col("value_upper_b"), upper - pl.col("value_lower_b"),
        ),
        "window_rank": tuple(pl.col(c) for c in ("place", *(f"place_{b}" for b in BOUNDS))),
    }  # fmt: skip
    return rows.with_columns(
        pl.coalesce(
            pl.when(pl.col("test") == name).then(values[i].cast(pl.Float64))
            for name, values in by_test.items()
        ).alias(column)
        for i, column in enumerate(("found", *(f"found_{b}" for b in BOUNDS)))
    )


def _ranks(asked: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Rank of the subject, and the ranks that the bounds allow."""
    ranked = asked.filter(pl.col("test") == "window_rank").select("request", "subject", *KEY)
    amounts = [f"{b}_amount" for b in BOUNDS]
    mine = ranked.join(
        held.select(*KEY, pl.col("holder").alias("subject"), "value", *amounts),
        on=[*KEY, "subject"],
    )
    others = held.filter(~pl.col("holder").is_in(list(NOBODY))).select(
        *KEY, "holder", *(pl.col(c).alias(f"{c}_o") for c in ("value", *amounts))
    )
    pairs = mine.join(others, on=KEY, how="left").filter(pl.col("holder") != pl.col("subject"))
    more = {
        "place": pl.col("value_o") > pl.col("value"),
        "place_low": pl.col("low_amount_o") > pl.col("high_amount"),
        "place_high": pl.col("high_amount_o") > pl.col("low_amount"),
        "place_value_lower": pl.col("value_lower_amount_o") > pl.col("value_upper_amount"),
        "place_value_upper": pl.col("value_upper_amount_o") > pl.col("value_lower_amount"),
    }
    counted = pairs.group_by("request").agg((1 + how_many(e)).alias(n) for n, e in more.items())
    alone = [pl.col(n).fill_null(1) for n in more]  # nobody else has any download
    return mine.select("request").join(counted, on="request", how="left").with_columns(alone)


def _in_open_sources(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Widens the bounds where the source lacks models and nobody knows how much they have."""
    held = pl.col("panel_share_of_downloads").fill_null(0.0)
    is_open = ~_is_closed() & (held < NEEDED)
    test, infinite = pl.col("test"), float("inf")
    least = {"window_share": 0.0, "window_lead": -1.0, "window_rank": 1.0}
    most = {"window_share": 1.0, "window_lead": 1.0}
    low = test.replace_strict(least, default=None, return_dtype=pl.Float64)
    high = test.replace_strict(most, default=infinite, return_dtype=pl.Float64)
    widened = [
        *(pl.when(is_open).then(pl.coalesce(low, f"found_{c}")).otherwise(f"found_{c}").alias(c)
          for c in ("low", "value_lower")),
        *(pl.when(is_open).then(high).otherwise(f"found_{c}").alias(c)
          for c in ("high", "value_upper")),
    ]  # fmt: skip
    is_near = observed_part() >= NEEDED
    # Nothing bounds what a model that has left was downloaded, unless all bounds are open anyway.
    none_left = (pl.col("n_models_without_last") == 0) & _is_closed()
    # A counter near a model's first birthday may be missing where an earlier one gives a minimum.
    surely = pl.min_horizontal(pl.max_horizontal("found", "found_low"), "found_high")
    return rows.with_columns(
        *widened,
        pl.when(pl.col("found").is_not_null() & ~_is_unnamed()).then(surely).alias("value"),
        (is_near & (is_open | none_left)).alias("bounds_hold"),
        is_open.alias("is_open"),
        held.alias("held"),
    )


def _is_unnamed() -> pl.Expr:
    """Whether the study's annotations are asked for and none is there: nothing, and not 0."""
    return pl.col("attribution").str.starts_with("study_") & (pl.col("x") >= pl.col("sum"))


def _covered(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the coverages of each answer."""
    known = pl.col("denominator") / (pl.col("denominator") + pl.col("downloads_without_first"))
    population = pl.when(_is_closed()).then(known).otherwise(known * pl.col("held"))
    lineage = pl.when(pl.col("sum") > 0).then(pl.col("sum_recorded") / pl.col("sum"))
    return rows.with_columns(
        pl.col("end_on").alias("observed_on"),
        observed_part().alias("coverage_time"),
        population.alias("coverage_population"),
        pl.when(pl.col("attribution") == "base").then(lineage).alias("coverage_lineage"),
        (1 - pl.col("x") / pl.col("denominator")).clip(0, 1).alias("coverage_names"),
        (~pl.col("is_open")).alias("is_whole"),
    )
