"""The probability that each model of a board is truly the best, from ratings and variances.

Model i's true strength is taken as normal around its rating r_i with variance v_i, independent of
the others. Then P(i is best) is the integral over x of its density times the product of all other
distribution functions. Independence is an assumption: the ratings of a board are estimated together
and the source publishes no covariances. If errors rise and fall together, as with a common anchor,
differences are more certain than computed here.

The integral uses Gauss-Legendre quadrature instead of random draws: it gives the same bits on every
run without a seed, and its error is below 2e-8 on every recorded board, where a million draws leave
5e-4. The trapezoid rule would do except for an anchor (variance 0), whose point mass makes an edge
in the integrand.
"""

from __future__ import annotations

import math

import polars as pl

from transforms.arena.scale import BOARD
from transforms.numeric.exact_sums import exactly, how_many

# A model below the floor even this many deviations up is best with probability below 1e-9.
DEVIATIONS = 6.0
# A board where one deviation is a thousandth of another would need too many points.
MAX_PANELS = 20_000
# With five points a panel and panels no wider than the smallest deviation the points lie at most
# 0.27 deviations apart; panels twice as wide leave an error of 1e-6. Abscissas and weights:
# Abramowitz & Stegun, table 25.4, n = 5.
PANEL = 1.0
GAUSS = pl.LazyFrame(
    {
        "abscissa": [-0.906179845938664, -0.538469310105683, 0, 0.538469310105683,
                     0.906179845938664],
        "weight": [0.236926885056189, 0.478628670499366, 0.568888888888889, 0.478628670499366,
                   0.236926885056189],
    },
    schema={"abscissa": pl.Float64, "weight": pl.Float64},
)  # fmt: skip

# Hart et al., Computer Approximations (1968), no. 5666, as printed by G. West, "Better
# approximations to cumulative normal functions", Wilmott 2005: Phi(-z) = exp(-z^2/2) P(z) / Q(z).
_P = (3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383,
      112.079291497871, 221.213596169931, 220.206867912376)  # fmt: skip
_Q = (8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461,
      296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752)  # fmt: skip
_HART_LIMIT = 7.0  # as far as the formula holds; Phi(-7) is 1.3e-12
_NEGLIGIBLE = -28.0  # ln of the product of all distributions: 7e-13

NO_VARIANCE, UNEVEN = "no_variance", "uneven_variances"


def log_normal_cdf(z: pl.Expr) -> pl.Expr:
    """ln Phi(z), within 3e-9 from z = -7 on (2e-12 from -4); below that, the value at -7."""
    size = z.abs().clip(upper_bound=_HART_LIMIT)
    upper, lower = _horner(_P, size), _horner(_Q, size)
    tail = (-size * size / 2).exp() * upper / lower
    return pl.when(z > 0).then(1 - tail).otherwise(tail).log()


def _horner(coefficients: tuple[float, ...], x: pl.Expr) -> pl.Expr:
    value = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


def with_probability_best(rated: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `probability_best` and `probability_reason` to rated models of boards.

    The probabilities of a board sum to 1 up to the error of the quadrature (below 1e-6); models
    below 1e-9 get 0. All probabilities of a board are null if a model without a variance could be
    the best, were it as uncertain as the board's least certain model (`no_variance`), or if the
    smallest deviation is too small compared with the others (`uneven_variances`). Models that are
    certain (variance 0) and equal share their probability.
    """
    # Cached: row numbers must not change between two uses.
    numbered = rated.with_row_index("_model").cache()
    models = _contenders(numbered.select("_model", *BOARD, "rating", "variance")).cache()
    sound = models.filter(pl.col("_is_contender") & pl.col("probability_reason").is_null()).cache()
    chances = pl.concat([_spread(sound), _certain(sound)])
    known = pl.col("probability_reason").is_null()
    chance = pl.when(known).then(pl.col("probability_best").fill_null(0.0))
    found = models.join(chances, on="_model", how="left").select(
        "_model", chance.alias("probability_best"), "probability_reason"
    )
    return numbered.join(found, on="_model", how="left").drop("_model")


def _contenders(models: pl.LazyFrame) -> pl.LazyFrame:
    """Marks the models that could be best, and lays out panels from the floor to the top.

    The floor is the highest level that one model is almost certainly above, so no model below it is
    the best. A model that is almost certainly behind that one is not a contender.
    """
    sd, rating = pl.col("_sd"), pl.col("_rating")
    surest = pl.struct(low=rating - DEVIATIONS * sd, sd=sd).sort_by(rating - DEVIATIONS * sd, sd)
    among = pl.col("_is_contender")
    marked = (
        models.select(
            "_model",
            pl.struct(BOARD).rank("dense").alias("_board"),
            pl.col("rating").alias("_rating"),
            pl.col("variance").sqrt().alias("_sd"),
        )
        .with_columns(
            surest.last().over("_board").alias("_surest"),
            sd.fill_null(sd.max().over("_board")).alias("_at_most"),
        )
        .with_columns(pl.col("_surest").struct.field("low").alias("_floor"))
        .with_columns(_may_be_best().alias("_is_contender"))
    )
    reach = (rating + DEVIATIONS * sd).filter(among).max().over("_board")
    panel = PANEL * sd.filter(among & (sd > 0)).min().over("_board")
    return (
        marked.with_columns((reach - pl.col("_floor")).alias("_height"))
        .with_columns((pl.col("_height") / panel).ceil().fill_null(0.0).alias("_panels"))
        .with_columns(_reason(among, sd).alias("probability_reason"))
    )


def _may_be_best() -> pl.Expr:
    """Whether it is not almost certainly behind; null if the board has no variances at all."""
    sd, at_most = pl.col("_surest").struct.field("sd"), pl.col("_at_most")
    behind = pl.col("_floor") + DEVIATIONS * sd - pl.col("_rating")
    return behind <= DEVIATIONS * (sd * sd + at_most * at_most).sqrt()


def _reason(among: pl.Expr, sd: pl.Expr) -> pl.Expr:
    lacks = (pl.col("_floor").is_null() | (among & sd.is_null())).any().over("_board")
    uneven = pl.col("_panels") > MAX_PANELS
    return pl.when(lacks).then(pl.lit(NO_VARIANCE)).when(uneven).then(pl.lit(UNEVEN))


def _spread(contenders: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board and uncertain contender (`_model`): its chance.

    Two passes over models x points, each of which streams: in memory they would take gigabytes.
    """
    uncertain = contenders.filter(pl.col("_sd") > 0).select("_board", "_model", "_rating", "_sd")
    points = _points(contenders)
    log_all = (
        _at_points(points, uncertain)
        .group_by("_point")
        .agg(exactly(pl.col("_log_cdf")).alias("_log_all"))
        .filter(pl.col("_log_all") > _NEGLIGIBLE)
    )
    log_density = -pl.col("_z") * pl.col("_z") / 2 - pl.col("_log_cdf") + pl.col("_log_all")
    scale = pl.col("_weight") / (pl.col("_sd") * math.sqrt(2 * math.pi))
    return (
        _at_points(points.join(log_all, on="_point"), uncertain)
        .select("_model", part=log_density.exp() * scale)
        .group_by("_model")
        .agg(exactly(pl.col("part")).alias("probability_best"))
    )


def _at_points(points: pl.LazyFrame, models: pl.LazyFrame) -> pl.LazyFrame:
    """Every model at every point of its board.

    The columns are computed in two steps, because an aggregate would compute their common part
    again at every use.
    """
    z = (pl.col("_x") - pl.col("_rating")) / pl.col("_sd")
    return (
        points.join(models, on="_board")
        .with_columns(z.alias("_z"))
        .with_columns(log_normal_cdf(pl.col("_z")).alias("_log_cdf"))
    )


def _points(contenders: pl.LazyFrame) -> pl.LazyFrame:
    """One row per board and point of the quadrature, with its weight."""
    boards = contenders.select("_board", "_floor", "_height", "_panels").unique().sort("_board")
    panels = boards.filter(pl.col("_panels") > 0).with_columns(
        pl.int_ranges(0, pl.col("_panels").cast(pl.Int64)).alias("_panel")
    )
    width, place = pl.col("_height") / pl.col("_panels"), (1 + pl.col("abscissa")) / 2
    return (
        panels.explode("_panel")
        .join(GAUSS, how="cross", maintain_order="left_right")
        .select(
            "_board",
            (pl.col("_floor") + width * (pl.col("_panel") + place)).alias("_x"),
            (width * pl.col("weight") / 2).alias("_weight"),
        )
        .with_row_index("_point")
    )


def _certain(contenders: pl.LazyFrame) -> pl.LazyFrame:
    """One row per contender of variance 0, which is at the floor of its board: its chance."""
    is_certain = pl.col("_sd") == 0
    z = (pl.col("_floor") - pl.col("_rating")) / pl.col("_sd")
    below = exactly(log_normal_cdf(z).filter(~is_certain)).exp()
    return (
        contenders.group_by("_board")
        .agg(
            pl.col("_model").filter(is_certain),
            (below / how_many(is_certain)).alias("probability_best"),
        )
        .explode("_model")
        .drop_nulls("_model")
        .select("_model", "probability_best")
    )
