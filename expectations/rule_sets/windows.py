"""Rules of downloads in windows of time."""

from __future__ import annotations

from expectations.rule import Rule, on
from expectations.rule_sets.sql import bounds_sql

_WINDOW = "counter_source, window_start, window_end, population, attribution, credit"

WINDOWS: tuple[Rule, ...] = (
    on("mart.country_share_window").critical(
        "fractional_shares_sum_to_one",
        "The shares of all countries in one window sum to 1 where credit is fractional.",
        f"SELECT {_WINDOW}, basis, sum(share) AS sum_of_shares, count(*) AS n_countries "
        "FROM {batch} WHERE credit = 'fractional' AND share_missing IS NULL "
        f"GROUP BY {_WINDOW}, basis HAVING (abs(sum(share) - 1) <= 1e-9) IS NOT TRUE",
    ),
    on("mart.country_share_window").critical(
        "share_is_within_bounds",
        "share_lower <= share <= share_upper, except for rounding.",
        bounds_sql(f"{_WINDOW}, basis, country_code", "share", "share_lower", "share_upper", 1e-9),
    ),
    on("mart.country_share_window").critical(
        "both_bases_agree_on_models_created_in_the_window",
        "The counters of one day and differences of counters give the same downloads of the models "
        "created in a window.",
        f"SELECT {_WINDOW}, country_code, min(downloads) AS least, max(downloads) AS most "
        "FROM {batch} WHERE population = 'created_in_window' "
        f"GROUP BY {_WINDOW}, country_code "
        "HAVING max(downloads) - min(downloads) > 1e-6 OR max(n_models) <> min(n_models)",
    ),
)
