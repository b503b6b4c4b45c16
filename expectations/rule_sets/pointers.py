"""Rules of marts that copy values from other rows: each value must equal that of its row."""

from __future__ import annotations

from expectations.rule import Rule, on

_RATINGS, _SHARES = '"core"."arena_ratings"', '"mart"."lab_share_daily"'
_ATTRIBUTIONS = ("publisher", "base")
_RATED = "board, category, publish_date"
# The places of labs on the boards, with the column names of a board.
_CARDS = """
    SELECT lab_id, as_of_date, substr(measure, 7) AS board, missing_reason AS missing,
        observed_on AS publish_date, model_name AS model, rank_ordinal, value AS rating,
        gap_to_leader, win_rate
    FROM {batch} WHERE starts_with(measure, 'arena_')
"""


def _on_a_board(found: str) -> str:
    """Places of labs whose row of the board does not satisfy `found`."""
    return f"""
        WITH cards AS ({_CARDS}), rated AS (
            SELECT *, max(rating) OVER (PARTITION BY {_RATED}) - rating AS gap
            FROM {_RATINGS} WHERE category = 'overall' AND rating IS NOT NULL
        )
        SELECT c.lab_id, c.as_of_date, c.board, c.publish_date, c.model, c.rank_ordinal,
            c.rating, c.gap_to_leader, c.win_rate
        FROM cards AS c LEFT JOIN rated AS r ON r.board = c.board
            AND r.publish_date = c.publish_date AND r.model_name_arena = c.model
            AND r.lab_id = c.lab_id
        WHERE c.model IS NOT NULL AND ({found}) IS NOT TRUE
    """


def _same_boards() -> str:
    """Pairs of boards that name the same model with the same rating for every lab of a day."""
    return f"""
        WITH cards AS (SELECT * FROM ({_CARDS}) WHERE model IS NOT NULL), counted AS (
            SELECT as_of_date, board, count(*) AS n_labs FROM cards GROUP BY ALL
        )
        SELECT a.as_of_date, a.board, b.board AS other_board, count(*) AS n_labs
        FROM cards AS a JOIN cards AS b USING (lab_id, as_of_date, model, rating)
        JOIN counted AS na ON na.as_of_date = a.as_of_date AND na.board = a.board
        JOIN counted AS nb ON nb.as_of_date = a.as_of_date AND nb.board = b.board
        WHERE a.board < b.board
        GROUP BY a.as_of_date, a.board, b.board, na.n_labs, nb.n_labs
        HAVING count(*) > 1 AND count(*) = greatest(na.n_labs, nb.n_labs)
    """


def _newest_boards() -> str:
    """Boards of labs that are not the newest up to the day, or do not exist."""
    return f"""
        WITH cards AS ({_CARDS}), dates AS (
            SELECT DISTINCT board, publish_date FROM {_RATINGS}
            WHERE category = 'overall' AND rating IS NOT NULL
        ), due AS (
            SELECT d.as_of_date, d.board, max(dates.publish_date) AS newest
            FROM (SELECT DISTINCT as_of_date, board FROM cards) AS d
            LEFT JOIN dates ON dates.board = d.board AND dates.publish_date <= d.as_of_date
            GROUP BY ALL
        )
        SELECT c.lab_id, c.as_of_date, c.board, c.publish_date, due.newest, c.model, c.missing
        FROM cards AS c JOIN due USING (as_of_date, board)
        WHERE c.publish_date IS DISTINCT FROM due.newest
            OR (c.model IS NULL) <> (c.rating IS NULL)
            OR (c.model IS NULL) <> (c.missing IS NOT NULL)
            OR due.newest IS NULL AND c.missing IS DISTINCT FROM 'no_board'
            OR due.newest IS NOT NULL AND c.missing = 'no_board'
    """


def _hub_shares() -> str:
    shares = [
        f"""
        SELECT c.lab_id, c.as_of_date, '{each}' AS attribution, c.value AS share,
            s.share AS share_of_row
        FROM (FROM {{batch}} WHERE measure = 'hub_share_{each}') AS c
        LEFT JOIN days ON days.day <= c.as_of_date
            AND days.attribution = '{each}'
        LEFT JOIN {_SHARES} AS s ON s.as_of_date = days.day AND s.lab_id = c.lab_id
            AND s.attribution = '{each}' AND s.population = 'all' AND s.metric = 'downloads_30d'
            AND s.is_examined
        QUALIFY row_number() OVER (
            PARTITION BY c.lab_id, c.as_of_date ORDER BY days.day DESC NULLS LAST) = 1
        """
        for each in _ATTRIBUTIONS
    ]
    return f"""
        WITH days AS (
            SELECT DISTINCT as_of_date AS day, attribution FROM {_SHARES}
            WHERE population = 'all' AND metric = 'downloads_30d'
        )
        SELECT * FROM (({") UNION ALL (".join(shares)}))
        WHERE share IS DISTINCT FROM share_of_row
    """


def _notable() -> str:
    return """
        WITH vintages AS (
            SELECT c.as_of_date, max(m.vintage_date) AS vintage_date
            FROM (SELECT DISTINCT as_of_date FROM {batch}) AS c
            LEFT JOIN "core"."notable_models" AS m ON m.vintage_date <= c.as_of_date GROUP BY ALL
        ), counted AS (
            SELECT vintage_date, lab_id, count(DISTINCT line) AS n_models
            FROM "core"."notable_model_labs" GROUP BY ALL
        )
        SELECT c.lab_id, c.as_of_date, c.observed_on, v.vintage_date, c.value, n.n_models
        FROM {batch} AS c JOIN vintages AS v USING (as_of_date)
        LEFT JOIN counted AS n ON n.vintage_date = v.vintage_date AND n.lab_id = c.lab_id
        WHERE c.measure = 'notable_models' AND (
            c.observed_on IS DISTINCT FROM v.vintage_date OR c.value IS DISTINCT FROM n.n_models)
    """


def _leader_rule(table: str, holder: str) -> Rule:
    return on(table).critical(
        "best_model_is_a_row_of_its_board",
        "best_model, its rank and its rating are those of one row of that board and date.",
        f"SELECT l.board, l.category, l.publish_date, l.{holder}, l.best_model, l.rating, "
        f"l.best_rank_ordinal FROM {{batch}} AS l LEFT JOIN {_RATINGS} AS r "
        f"ON r.model_id = l.best_model_id AND r.{holder} = l.{holder} "
        f"AND r.board = l.board AND r.category = l.category AND r.publish_date = l.publish_date "
        "WHERE (r.model_name_arena = l.best_model AND r.rating = l.rating "
        "AND r.rank_ordinal = l.best_rank_ordinal) IS NOT TRUE",
    )


def _range_rule(end: str) -> Rule:
    return on("mart.attribution_range").critical(
        f"{end}_share_is_that_of_its_definition",
        f"share_{end} is the share of the row that definition_{end} names, or 0 without one.",
        f"SELECT a.as_of_date, a.population, a.metric, a.country_code, a.definition_{end}, "
        f"a.share_{end}, s.share FROM {{batch}} AS a LEFT JOIN "
        '"mart"."country_share_daily" AS s ON s.as_of_date = a.as_of_date '
        "AND s.metric = a.metric AND s.metric_window = a.metric_window "
        "AND s.country_code = a.country_code "
        "AND concat_ws(', ', s.population, s.attribution, s.credit) = "
        f"a.definition_{end} WHERE a.share_{end} <> coalesce(s.share, 0) "
        "OR a.population NOT IN ('any', split_part(a.definition_" + end + ", ', ', 1))",
    )


POINTERS: tuple[Rule, ...] = (
    on("mart.lab_measures").critical(
        "boards_differ_from_each_other",
        "No two boards have the same models with the same ratings for every lab on a day.",
        _same_boards(),
    ),
    on("mart.lab_measures").critical(
        "model_is_a_row_of_its_board",
        "The model of a lab is a row of that board, publish date and lab.",
        _on_a_board("r.board IS NOT NULL"),
    ),
    on("mart.lab_measures").critical(
        "place_matches_its_board_row",
        "Rank, rating and gap equal those of the board's row, and the win rate follows from the "
        "gap.",
        _on_a_board(
            "r.rank_ordinal = c.rank_ordinal AND r.rating = c.rating "
            "AND abs(r.gap - c.gap_to_leader) <= 1e-9 "
            "AND abs(1 / (1 + pow(10, r.gap / 400)) - c.win_rate) <= 1e-9"
        ),
    ),
    on("mart.lab_measures").critical(
        "boards_are_the_newest_available",
        "Each board is the newest one up to the day. Where no source has a board, the cells are "
        "empty.",
        _newest_boards(),
    ),
    on("mart.lab_measures").critical(
        "hub_share_matches_its_source_row",
        "The Hub share equals the lab's share on the newest day up to the row's day.",
        _hub_shares(),
    ),
    on("mart.lab_measures").critical(
        "notable_models_match_the_vintage",
        "The number of notable models equals the lab's number in the newest vintage up to the day.",
        _notable(),
    ),
    _leader_rule("mart.arena_leaders", "country_code"),
    _leader_rule("mart.arena_lab_leaders", "lab_id"),
    _range_rule("lowest"),
    _range_rule("highest"),
    on("mart.claims").critical(
        "recomputed_value_matches_a_trial",
        "The recomputed value of a statement is the value of its first quantity under one of its "
        "own definitions.",
        "SELECT c.claim_id, c.moment, c.recomputed_value, t.value, c.stated_value, "
        "t.stated_value AS stated_in_trial FROM {batch} AS c LEFT JOIN (SELECT claim_id, moment, "
        "first(value ORDER BY position) AS value, first(stated_value ORDER BY position) "
        'AS stated_value FROM "mart"."claim_trials" WHERE is_own GROUP BY ALL) AS t '
        "USING (claim_id, moment) WHERE c.stated_value IS DISTINCT FROM t.stated_value "
        "OR c.value_withheld IS NULL AND c.recomputed_value IS DISTINCT FROM t.value",
    ),
)
