"""Public votes of pairwise battles: one outcome a battle, whatever the vote set calls it.

No table of the warehouse is made of them: they are an operator's own files (`flows/votes.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import polars as pl

from transforms.sums import mean

# All that a vote set has called a winner, as points of model_a. Closed: a label that is not here
# stops the run, for "unknown" must not become "tie".
OUTCOMES = {
    "model_a": 1.0,
    "model_b": 0.0,
    "tie": 0.5,
    "tie (bothbad)": 0.5,  # the sets up to 2024
    "both_bad": 0.5,  # the 140k set and later ones
}
ONE_HOT = {"winner_model_a": 1.0, "winner_model_b": 0.0, "winner_tie": 0.5}  # the 55k set
MODELS = ("model_a", "model_b")
IDS = ("question_id", "id")
COLUMNS = (*MODELS, "winner", *ONE_HOT, "anony", *IDS)
FLAGS = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}

KNOWN = "the voter knew the models"  # left out as the board leaves it out: no damage
UNKNOWN_LABEL = "unknown winner label"
REPEATED = "the same battle once more"


class VotesError(RuntimeError):
    """Votes that cannot be rated as they are."""


def outcomes(votes: pl.DataFrame) -> pl.DataFrame:
    """One row per record of one vote set, in its order.

    `votes` holds those of COLUMNS that the set has, all as text. Columns: record (from 1),
    battle_id, model_a, model_b, label (as written; "1,0,0" for one-hot columns), outcome (points
    of model_a: 1, 0.5, 0) and reason: why the record is not counted, null = it is. Raises
    VotesError for a set without models or without one kind of winner column.
    """
    label, outcome, bad = _winner(votes.columns)
    ids = [pl.col(c) for c in IDS if c in votes.columns]
    reason = _reason(bad, has_anony="anony" in votes.columns)
    return votes.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("record"),
        pl.coalesce(*ids, pl.lit(None, pl.String)).alias("battle_id"),
        *MODELS,
        label.alias("label"),
        pl.when(reason.is_null()).then(outcome).alias("outcome"),
        reason.alias("reason"),
    )


def _winner(columns: list[str]) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Label as written, points of model_a, and what is wrong with it."""
    held = [c for c in ONE_HOT if c in columns]
    if missing := [c for c in MODELS if c not in columns]:
        raise VotesError(f"no column {' and no column '.join(missing)}")
    if ("winner" in columns) == bool(held) or held not in ([], list(ONE_HOT)):
        raise VotesError(
            f"who won must stand in `winner` or in all of {', '.join(ONE_HOT)}, and not in both; "
            f"there is {', '.join(c for c in columns if c.startswith('winner')) or 'neither'}"
        )
    return _one_hot() if held else _label()


def _label() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    label = pl.col("winner")
    outcome = label.replace_strict(OUTCOMES, default=None, return_dtype=pl.Float64)
    bad = (
        pl.when(label.is_null())
        .then(pl.lit("no winner"))
        .when(outcome.is_null())
        .then(pl.lit(UNKNOWN_LABEL))
    )
    return label, outcome, bad


def _one_hot() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    flags = {c: _flag(c) for c in ONE_HOT}
    hot = pl.sum_horizontal(*flags.values(), ignore_nulls=False)
    points = pl.sum_horizontal(*(flags[c] * value for c, value in ONE_HOT.items()))
    label = pl.concat_str(*(pl.col(c).fill_null("null") for c in ONE_HOT), separator=",")
    bad = pl.when(hot.ne_missing(1)).then(pl.lit("not exactly one winner"))
    return label, points, bad


def _flag(column: str) -> pl.Expr:
    text = pl.col(column).str.to_lowercase()
    return text.replace_strict(FLAGS, default=None, return_dtype=pl.Int64)


def _reason(bad: pl.Expr, *, has_anony: bool) -> pl.Expr:
    blank = pl.any_horizontal(pl.col(c).str.strip_chars().fill_null("").eq("") for c in MODELS)
    reason = (
        pl.when(blank)
        .then(pl.lit("no model"))
        .when(pl.col("model_a") == pl.col("model_b"))
        .then(pl.lit("a model against itself"))
        .otherwise(bad)
    )
    if not has_anony:
        return reason
    return (
        pl.when(_flag("anony") == 0)
        .then(pl.lit(KNOWN))
        .when(_flag("anony").is_null())
        .then(pl.lit("whether the voter knew the models is not said"))
        .otherwise(reason)
    )


def without_repeats(votes: pl.DataFrame) -> pl.DataFrame:
    """The same rows, later ones with the id, models and outcome of an earlier one marked.

    Two sets may use one id for two battles, so the id alone says nothing; without an id a repeat
    cannot be told from a second vote.
    """
    counted = pl.col("reason").is_null() & pl.col("battle_id").is_not_null()
    again = ~pl.struct("battle_id", *MODELS, "outcome").is_first_distinct()
    # the outcome is null exactly where the record is not counted: those never hide a counted one
    return votes.with_columns(
        pl.when(counted & again).then(pl.lit(REPEATED)).otherwise("reason").alias("reason")
    )


def tally(votes: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Number of records by some columns, most first: columns as given, and n."""
    counts = votes.group_by(by).agg(pl.len().cast(pl.Int64).alias("n"))
    return counts.sort("n", *by, descending=[True, *(False for _ in by)], nulls_last=True)


def rated_models(votes: pl.DataFrame) -> set[str]:
    """The largest set of models that have finite ratings on one scale.

    Bradley–Terry has a finite answer only for models each of which took a point, directly or over
    others, from every other one (Ford 1957): a model that won always is "infinitely" good, and
    two groups that never met have no common scale. The libraries print a number all the same.
    """
    took: dict[str, set[str]] = defaultdict(set)
    gave: dict[str, set[str]] = defaultdict(set)
    for a, b, outcome in votes.select(*MODELS, "outcome").unique().iter_rows():
        for winner, loser, points in ((a, b, outcome), (b, a, 1 - outcome)):
            if points > 0:
                took[winner].add(loser)
                gave[loser].add(winner)
    left, best = set(took) | set(gave), set[str]()
    while left:
        start = min(left)
        group = _reached(start, took) & _reached(start, gave)
        best = max(best, group, key=len)
        left -= group
    return best


def _reached(start: str, steps: Mapping[str, set[str]]) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        new = steps.get(todo.pop(), set()) - seen
        seen |= new
        todo.extend(new)
    return seen


def battles_of(votes: pl.DataFrame) -> pl.DataFrame:
    """Battles a model took part in, on either side. Columns: model, n_battles; sorted by model."""
    sides = pl.concat([votes.get_column(c).alias("model") for c in MODELS]).to_frame()
    return sides.group_by("model").agg(pl.len().cast(pl.Int64).alias("n_battles")).sort("model")


def anchored(ratings: pl.DataFrame, model: str | None, points: float) -> pl.DataFrame:
    """Ratings and bounds moved by one number, so that the model (null: the mean) has the points.

    Intervals keep their width: they are those against the mean of all models, the anchor's too.
    """
    rating = pl.col("rating")
    origin = mean(rating) if model is None else rating.filter(pl.col("model") == model).first()
    shift = points - ratings.select(origin).item()
    return ratings.with_columns(pl.col("rating", "lower", "upper") + shift)
