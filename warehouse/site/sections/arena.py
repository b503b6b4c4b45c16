"""Leaders, gaps as win rates, and lags on every Arena board."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.site.numbers import probability, thinned, thousandths
from warehouse.site.release_tables import Tables

DAYS, COUNTRIES, LABS, DRAWN, CHANGES = 60, 6, 8, 4, 60
NEWEST = (
    "publish_date = (SELECT max(n.publish_date) FROM mart.{0} AS n"
    " WHERE n.board = {0}.board AND n.category = {0}.category)"
)
PLACED = ["best_rank_ordinal", "best_model"]  # equal ratings share a rank
SHARED = {
    "model": "best_model",
    "rank": "best_rank_ordinal",
    "tied": "best_n_tied",
    "rating": "rating",
    "lower": "rating_lower",
    "upper": "rating_upper",
    "win": "expected_win_rate_of_leader",
    "first": "probability_first",
    "why": "probability_reason",
}
COUNTRY = SHARED | {
    "id": "country_code",
    "name": "country_name",
    "lag": "lag_days",
    "lag_lower": "lag_days_lower",
    "lag_upper": "lag_days_upper",
    "censored": "lag_is_censored",
    "before": "first_reached_by",
    "since": "first_reached_date",
    "open_model": "best_open_model",
    "open_rank": "best_open_rank_ordinal",
}
LAB = SHARED | {"id": "lab_id", "name": "lab_name", "country": "country_code"}


def arena(tables: Tables) -> dict[str, Any]:
    """`boards`: the newest board of each board and category; `history`: win rates of `overall`."""
    boards: dict[str, Any] = {}
    for level, table, fields, n in (
        ("countries", "arena_leaders", COUNTRY, COUNTRIES),
        ("labs", "arena_lab_leaders", LAB, LABS),
    ):
        newest = tables.read(f"mart.{table}", NEWEST.format(table))
        for row in _best(newest, n).iter_rows(named=True):
            one = boards.setdefault(
                f"{row['board']}|{row['category']}",
                {
                    "day": row["publish_date"],
                    "n_models": row["n_models_board"],
                    "countries": [],
                    "labs": [],
                },
            )
            one[level].append({name: row[column] for name, column in fields.items()})
    return {"boards": boards, "history": _history(tables), "changes": _changes(tables)}


def _best(newest: pl.DataFrame, n: int) -> pl.DataFrame:
    key = ["board", "category"]
    ordered = newest.sort(*key, *PLACED).group_by(key, maintain_order=True).head(n)
    rates = thousandths("expected_win_rate_of_leader"), probability("probability_first")
    return ordered.with_columns(*rates, pl.col("^rating.*$").round(1))


def _history(tables: Tables) -> dict[str, Any]:
    """Board -> days, and country -> `[win rate of the leader, scale segment]` per day, or null."""
    frame = tables.read("mart.arena_leaders", "category = 'overall'")
    return {board: _series(rows) for (board,), rows in frame.group_by("board", maintain_order=True)}


def _series(rows: pl.DataFrame) -> dict[str, Any]:
    days = thinned(rows["publish_date"].unique(), DAYS)
    newest = rows.filter(
        (pl.col("publish_date") == days[-1]) & ~pl.col("country_code").is_in(["ZZ", "XX"])
    )
    drawn = newest.sort(PLACED)["country_code"].head(DRAWN).to_list()
    kept = rows.filter(pl.col("publish_date").is_in(days) & pl.col("country_code").is_in(drawn))
    kept = kept.with_columns(thousandths("expected_win_rate_of_leader"))
    column = ["country_code", "publish_date", "expected_win_rate_of_leader", "segment_id"]
    at = {(code, day): [win, part] for code, day, win, part in kept.select(column).iter_rows()}
    return {
        "days": days,
        "countries": {code: [at.get((code, day)) for day in days] for code in drawn},
    }


def _changes(tables: Tables) -> list[dict[str, Any]]:
    """Confirmed changes of the leading lab or country on the overall boards, newest first."""
    frame = tables.read("mart.arena_leader_changes", "category = 'overall'")
    newest = frame.sort("confirmed_date", "board", "level", descending=[True, False, False])
    columns = ["board", "level", "confirmed_date", "previous_holder", "previous_holder_name"]
    columns += ["holder", "holder_name", "best_model"]
    return newest.head(CHANGES).select(columns).to_dicts()
