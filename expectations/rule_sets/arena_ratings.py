"""Rules of LMArena's combined boards: observations, ratings and segments of the scale."""

from __future__ import annotations

from expectations.rule import Rule, on
from expectations.rule_sets.sql import bounds_sql, missing_rows_sql, renames_sql, variance_sql

_RATED = "board, category, publish_date"
_LEADERS_JUMP = 60  # arena points between two boards of one segment
_UNMAPPED_PCT = 1
_ROWS_PCT = 15
_RENAMED = 3.0  # arena points: a rename keeps votes and rating, the day brings some more


def _since_last(counted: str, group: str) -> str:
    """Common table expression `newest`: the last publish date of each group and the one before.

    Only the newest date counts: a short board in the sealed history must not warn forever.
    """
    return f"""
        WITH counts AS (SELECT {group}, publish_date, {counted} FROM {{batch}} GROUP BY ALL),
        newest AS (
            SELECT *, lag(publish_date) OVER earlier AS previous_publish_date,
                lag(counted) OVER earlier AS previous_counted
            FROM counts WINDOW earlier AS (PARTITION BY {group} ORDER BY publish_date)
            QUALIFY row_number() OVER (PARTITION BY {group} ORDER BY publish_date DESC) = 1
        )
    """


ARENA_RATINGS: tuple[Rule, ...] = (
    on("core.arena_observations").critical(
        "one_name_of_a_model_on_a_board",
        "No source lists a model under two names on one board, except for case; otherwise two "
        "models would be merged.",
        f"SELECT board_source, {_RATED}, model_id, min(model_name_arena) AS one_name, "
        "max(model_name_arena) AS other_name FROM {batch} GROUP BY ALL "
        "HAVING count(DISTINCT lower(trim(model_name_arena))) > 1",
    ),
    on("core.arena_observations").critical(
        "missing_rows_are_filled_from_other_sources",
        "Rows that the dataset's ranks show to be missing are filled from other sources, unless "
        "they were refused.",
        missing_rows_sql(_RATED),
    ),
    on("core.arena_ratings").critical(
        "model_is_listed_once_on_a_board",
        "A model_id appears once per board, category and date.",
        f"SELECT {_RATED}, model_id, min(model_name_arena) AS one_name, "
        "max(model_name_arena) AS other_name, count(*) AS n_rows FROM {batch} "
        "GROUP BY ALL HAVING count(*) > 1",
    ),
    on("core.arena_ratings").warning(
        "restored_model_is_not_a_duplicate",
        "No model from one source has exactly the rating and interval of a model from another "
        "source on the same board. Such a pair is one model under two names and needs an alias.",
        f"SELECT one.board, one.category, one.publish_date, one.model_name_arena, one.board_source,"
        " other.model_name_arena AS other_name FROM {batch} AS one JOIN {batch} AS other "
        f"USING ({_RATED}, rating, rating_lower, rating_upper) "
        "WHERE one.board_source > other.board_source AND rating <> round(rating)",
    ),
    on("core.arena_ratings").warning(
        "renamed_model_has_an_alias",
        f"No model leaves its boards while another model of its lab appears within "
        f"{_RENAMED:g} points of its rating. Such a pair is usually a rename, which needs an alias "
        "in warehouse/registry/data/model_aliases.csv.",
        renames_sql(_RENAMED),
    ),
    on("core.arena_ratings").warning(
        "boards_have_all_rated_rows",
        "No rated row of a board was refused. A board with a missing row has no ranks and no "
        "leader, so the newest leader comes from an earlier board. The row is in raw.quarantine.",
        f"SELECT {_RATED}, max(n_missing) AS n_missing, count(*) AS n_models FROM {{batch}} "
        f"WHERE n_missing > 0 GROUP BY {_RATED}",
    ),
    on("core.arena_ratings").critical(
        "every_rating_has_its_segment",
        "The publish date of every rating is within its segment of the scale.",
        f"SELECT DISTINCT {_RATED}, segment_id FROM {{batch}} AS r WHERE NOT EXISTS ("
        'FROM "core"."arena_scale_segments" AS s WHERE s.board = r.board '
        "AND s.category = r.category AND s.segment_id = r.segment_id "
        "AND r.publish_date BETWEEN s.first_publish_date AND s.last_publish_date)",
    ),
    on("core.arena_ratings").critical(
        "probabilities_sum_to_one",
        "Either all rated models of a board have a probability or none has; the probabilities sum"
        " to 1.",
        f"SELECT {_RATED}, sum(probability_best) AS sum_of_probabilities, "
        "count(probability_best) AS n_known, count(rating) AS n_rated FROM {batch} "
        f"GROUP BY {_RATED} HAVING n_known NOT IN (0, n_rated) "
        "OR abs(sum_of_probabilities - 1) > 1e-6",
    ),
    on("core.arena_scale_segments").warning(
        "scale_breaks_are_reviewed",
        "Every scale break that is detected in the numbers is reviewed in "
        "warehouse/registry/data/arena_scale_breaks.csv.",
        "SELECT board, category, previous_publish_date, first_publish_date, n_common_models, "
        "shift_median FROM {batch} WHERE is_detected AND NOT is_reviewed",
    ),
    on("core.arena_ratings").warning(
        "leader_does_not_jump",
        f"The best rating changes by less than {_LEADERS_JUMP} points between two boards of a "
        "segment.",
        f"SELECT *, best - previous_best AS jump FROM (SELECT {_RATED}, max(rating) AS best, "
        "lag(max(rating)) OVER (PARTITION BY board, category, segment_id "
        "ORDER BY publish_date) AS previous_best FROM {batch} WHERE rating IS NOT NULL "
        f"GROUP BY {_RATED}, segment_id) WHERE abs(best - previous_best) >= {_LEADERS_JUMP}",
    ),
    on("core.arena_ratings").warning(
        "categories_are_kept",
        "The newest board of a kind has every category of the previous one.",
        _since_last("list(DISTINCT category) AS counted", "board")
        + "SELECT board, publish_date, previous_publish_date, "
        "array_to_string(list_sort(lost), ', ') AS lost_categories FROM (SELECT *, "
        "list_filter(previous_counted, "
        "lambda c: NOT list_contains(counted, c)) AS lost FROM newest) WHERE len(lost) > 0",
    ),
    on("core.arena_ratings").warning(
        "number_of_models_is_stable",
        f"The newest board of a category has at most {_ROWS_PCT} % more or fewer models than the "
        "previous one.",
        _since_last("count(*) AS counted", "board, category")
        + f"SELECT {_RATED}, counted AS n_models, previous_publish_date, previous_counted "
        "FROM newest WHERE abs(counted - previous_counted) > previous_counted "
        f"* {_ROWS_PCT} / 100",
    ),
    on("core.arena_ratings").warning(
        "votes_do_not_depend_on_style_control",
        "A model has as many votes on the style-controlled board as on the raw one.",
        "SELECT plain.board, category, publish_date, model_id, plain.vote_count, "
        "controlled.vote_count AS vote_count_controlled FROM {batch} AS plain JOIN {batch} AS "
        "controlled USING (category, publish_date, model_id) "
        "WHERE controlled.board = plain.board || '_style_control' "
        "AND controlled.vote_count <> plain.vote_count",
    ),
    on("core.arena_ratings").critical(
        "labs_are_examined",
        f"At most {_UNMAPPED_PCT} % of the ratings belong to models whose lab is unexamined. "
        "Models that were restored from a source without organizations are not counted.",
        "SELECT coalesce(organization, '(blank)') AS organization, count(*) AS n_rows, "
        "min(model_name_arena) AS one_model, sum(count(*)) OVER () AS n_unmapped, (SELECT count(*) "
        "FROM {batch}) AS n_all FROM {batch} WHERE lab_id IS NULL "
        "AND (board_source = 'lmarena' OR organization IS NOT NULL) GROUP BY 1 "
        f"QUALIFY n_unmapped > n_all * {_UNMAPPED_PCT} / 100",
    ),
    on("core.arena_ratings").warning(
        "restored_models_have_an_organization",
        "Every model that is restored from another source has an organization, on some board or "
        "in a table of the Space. Without one it has no lab and no country.",
        "SELECT model_id, min(model_name_arena) AS one_name, count(*) AS n_rows FROM {batch} "
        "WHERE organization IS NULL AND board_source <> 'lmarena' GROUP BY ALL",
    ),
    on("core.arena_ratings").warning(
        "organizations_are_examined",
        "Every organization on the boards is in warehouse/registry/data/namespaces.csv.",
        "SELECT organization, count(*) AS n_rows, min(model_name_arena) AS one_model FROM {batch} "
        "WHERE lab_id IS NULL AND organization IS NOT NULL GROUP BY ALL",
    ),
    on("core.arena_ratings").critical(
        "rank_is_one_plus_number_rated_higher",
        "A model's rank is 1 + the number of models on its board with a higher rating, and n_tied"
        " counts the models with its rating. Unrated models and incomplete boards have neither.",
        f"SELECT {_RATED}, model_name_arena, rating, n_missing, rank_ordinal, n_tied, "
        "CASE WHEN is_due THEN place END AS due_rank, CASE WHEN is_due THEN alike END AS due_tied "
        "FROM (SELECT *, rating IS NOT NULL AND n_missing = 0 AS is_due, "
        f"rank() OVER (PARTITION BY {_RATED} ORDER BY rating DESC NULLS LAST) AS place, "
        f"count(*) OVER (PARTITION BY {_RATED}, rating) AS alike FROM {{batch}}) "
        "WHERE rank_ordinal IS DISTINCT FROM due_rank OR n_tied IS DISTINCT FROM due_tied",
    ),
    on("core.arena_ratings").critical(
        "value_is_within_bounds",
        "rating is within its bounds, where there are any.",
        bounds_sql(
            f"{_RATED}, model_name_arena",
            "rating",
            "rating_lower",
            "rating_upper",
        ),
    ),
    on("core.arena_ratings").warning(
        "variance_fits_the_bounds",
        "variance = ((upper - lower) / 2 / 1.95996)^2, within one part in a million.",
        variance_sql(f"{_RATED}, model_name_arena", "rating_lower", "rating_upper"),
    ),
    on("meta.arena_boards").warning(
        "sources_of_a_board_agree",
        "Sources of the same board differ by at most 1 point and use the same scale. The rows are"
        " in core.arena_observations.",
        f"SELECT {_RATED}, n_compared, n_disagreeing, n_other_scale FROM {{batch}} "
        "WHERE n_disagreeing > 0 OR n_other_scale > 0",
    ),
)
