"""SQL that several rules share."""

from __future__ import annotations


def rank_sql(group: str, rank: str, rating: str) -> str:
    """Groups whose ranks are not 1..N; an unrated model (null) may go without a rank."""
    return _ranks(group, rank, f"{_not_once(rank, rating)} OR {_gaps(rank)}")


def rank_once_sql(group: str, rank: str, rating: str) -> str:
    """Groups that give a rank twice, one below 1, or none to a rated model."""
    return _ranks(group, rank, _not_once(rank, rating))


def rank_gap_sql(group: str, rank: str) -> str:
    """Groups whose ranks are not as many as the last one says."""
    return _ranks(group, rank, _gaps(rank))


def _ranks(group: str, rank: str, at_fault: str) -> str:
    return f"""
        SELECT {group}, count(*) AS n_models, count(DISTINCT {rank}) AS n_ranks,
            min({rank}) AS first_rank, max({rank}) AS last_rank
        FROM {{batch}} GROUP BY {group} HAVING {at_fault}
    """


def _not_once(rank: str, rating: str) -> str:
    return (
        f"count(DISTINCT {rank}) <> count({rank}) OR min({rank}) < 1 "
        f"OR bool_or({rating} IS NOT NULL AND {rank} IS NULL)"
    )


def _gaps(rank: str) -> str:
    return f"min({rank}) <> 1 OR max({rank}) <> count({rank})"


def bounds_sql(columns: str, value: str, lower: str, upper: str, slack: float = 0.0) -> str:
    """Rows outside their own interval; nulls pass, and so does an anchor of zero width."""
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
