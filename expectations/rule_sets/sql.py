"""SQL that several rules share."""

from __future__ import annotations


def rank_once_sql(group: str, rank: str, rating: str) -> str:
    """Groups that give a rank twice, one below 1, or none to a rated model."""
    return _ranks(group, rank, _not_once(rank, rating))


def rank_gap_sql(group: str, rank: str) -> str:
    """Groups whose number of ranks differs from their last rank."""
    return _ranks(group, rank, _gaps(rank))


def _ranks(group: str, rank: str, failing: str) -> str:
    return f"""
        SELECT {group}, count(*) AS n_models, count(DISTINCT {rank}) AS n_ranks,
            min({rank}) AS first_rank, max({rank}) AS last_rank
        FROM {{batch}} GROUP BY {group} HAVING {failing}
    """


def _not_once(rank: str, rating: str) -> str:
    return (
        f"count(DISTINCT {rank}) <> count({rank}) OR min({rank}) < 1 "
        f"OR bool_or({rating} IS NOT NULL AND {rank} IS NULL)"
    )


def _gaps(rank: str) -> str:
    return f"min({rank}) <> 1 OR max({rank}) <> count({rank})"


def bounds_sql(columns: str, value: str, lower: str, upper: str, slack: float = 0.0) -> str:
    """Rows outside their own interval; nulls pass, and so do intervals of zero width."""
    return f"""
        SELECT {columns}, {value}, {lower}, {upper} FROM {{batch}}
        WHERE {value} < {lower} - {slack!r} OR {value} > {upper} + {slack!r}
            OR {lower} > {upper} + {slack!r}
    """


def variance_sql(columns: str, lower: str, upper: str) -> str:
    """Variance against the 95 % interval: half its width is 1.959963984540054 deviations.

    With the factor cut to 3.91993 every recorded row misses the tolerance by 3.6 %.
    """
    implied = f"pow(({upper} - {lower}) / (2 * 1.959963984540054), 2)"
    return f"""
        SELECT {columns}, {lower}, {upper}, variance, {implied} AS implied FROM {{batch}}
        WHERE abs(variance - {implied}) > 1e-6 * {implied}
    """


def missing_rows_sql(group: str) -> str:
    """Boards whose last published rank implies more rows than were loaded or refused.

    A refused line is reported by other rules; it must not stop a build that has all the others.
    """
    return f"""
        WITH refused AS (
            SELECT split_part(file_name, '/', 1) AS board, line ->> '$.category' AS category,
                try_cast(line ->> '$.leaderboard_publish_date' AS DATE) AS publish_date,
                count(*) AS n_refused
            FROM (SELECT file_name, CASE WHEN json_valid(record) THEN record END AS line
                FROM "raw"."quarantine"
                WHERE table_name = 'raw.arena_leaderboards' AND kind = 'record')
            GROUP BY ALL
        ), loaded AS (
            SELECT {group}, max(rank_published) FILTER (board_source = 'lmarena') AS last_rank,
                count(DISTINCT model_id) FILTER (board_source = 'lmarena' OR is_chosen)
                + count(*) FILTER (board_source = 'lmarena' AND not_chosen_reason = 'duplicate')
                AS n_loaded
            FROM {{batch}} GROUP BY {group}
        )
        SELECT loaded.*, coalesce(n_refused, 0) AS n_refused
        FROM loaded LEFT JOIN refused USING ({group})
        WHERE last_rank > n_loaded + coalesce(n_refused, 0)
    """


def renames_sql(points: float) -> str:
    """Pairs of one lab: a model's last board is followed by another model's first, of near rating.

    Near means within `points` on nine of ten boards (at least three), or equal on all of them.
    """
    return f"""
        WITH boards AS (
            SELECT DISTINCT board, category, publish_date FROM {{batch}}
        ), steps AS (
            SELECT *, lag(publish_date) OVER (PARTITION BY board, category ORDER BY publish_date)
                AS previous_publish_date
            FROM boards
        ), spans AS (
            SELECT *, min(publish_date) OVER model AS first_date,
                max(publish_date) OVER model AS last_date
            FROM {{batch}} WHERE rating IS NOT NULL AND lab_id IS NOT NULL
            WINDOW model AS (PARTITION BY board, category, model_id)
        ), pairs AS (
            SELECT gone.model_name_arena AS old_name, came.model_name_arena AS new_name,
                came.publish_date, abs(came.rating - gone.rating) AS difference
            FROM spans AS came JOIN steps USING (board, category, publish_date)
            JOIN spans AS gone ON gone.board = came.board AND gone.category = came.category
                AND gone.publish_date = steps.previous_publish_date
                AND gone.segment_id = came.segment_id AND gone.lab_id = came.lab_id
            WHERE came.publish_date = came.first_date AND gone.publish_date = gone.last_date
        )
        SELECT old_name, new_name, min(publish_date) AS publish_date, count(*) AS n_boards,
            max(difference) AS largest_difference
        FROM pairs GROUP BY old_name, new_name HAVING largest_difference = 0
            OR count(*) >= 3 AND count(*) FILTER (difference <= {points!r}) >= 0.9 * count(*)
    """
