"""Names that the registry lacks, by weight, and known names that look like them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
from rapidfuzz import fuzz, process

from warehouse.database.duckdb_file import open_read_only

PROPOSAL_SCORE = 88  # of 100; below it a similarity means nothing

# The weight of a name in each system: 30-day downloads on the newest day, leaderboard rows,
# notable models of the newest vintage.
WEIGHTS = {
    "hub": """
        SELECT author AS name, sum(downloads_30d)::DOUBLE AS weight
        FROM core.hub_daily_counters JOIN core.hub_models USING (model_id_hf)
        WHERE as_of_date = (SELECT max(as_of_date) FROM core.hub_daily_counters)
        GROUP BY ALL""",
    "lmarena": """
        SELECT organization AS name, count(*)::DOUBLE AS weight
        FROM core.arena_ratings GROUP BY ALL""",
    # a comma inside a name is followed by a space, one between names is not
    "epoch": r"""
        SELECT replace(trim(name), chr(1), ', ') AS name, count(*)::DOUBLE AS weight FROM (
            SELECT unnest(string_split(replace(organization, ', ', chr(1)), ',')) AS name
            FROM core.notable_models
            WHERE vintage_date = (SELECT max(vintage_date) FROM core.notable_models))
        GROUP BY ALL""",
}


def coverage(warehouse: Path) -> pl.DataFrame:
    """One row per system and name: weight, its share of the system, lab_id (null = unexamined).

    Sorted by system and descending weight.
    """
    with open_read_only(warehouse) as con:
        return pl.concat([_coverage(con, system, sql) for system, sql in WEIGHTS.items()])


def _coverage(con: duckdb.DuckDBPyConnection, system: str, weights: str) -> pl.DataFrame:
    return con.sql(
        f"""
        WITH weighed AS ({weights}), names AS (
            SELECT namespace_key, min(lab_id) AS lab_id FROM core.namespaces
            WHERE system = $system AND valid_to IS NULL GROUP BY ALL)
        SELECT $system AS system, name, weight, weight / sum(weight) OVER () AS share, lab_id
        FROM weighed LEFT JOIN names ON namespace_key = lower(name)
        WHERE name IS NOT NULL AND weight > 0
        ORDER BY weight DESC, name""",
        params={"system": system},
    ).pl()


def gaps(warehouse: Path, limit: int = 25) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The examined share of the weight by system, and the heaviest unexamined names."""
    names = coverage(warehouse)
    examined = pl.col("share").filter(pl.col("lab_id").is_not_null()).sum()
    summary = names.group_by("system", maintain_order=True).agg(
        examined.alias("examined_share"),
        pl.col("lab_id").is_null().sum().alias("n_unexamined"),
    )
    lacking = names.filter(pl.col("lab_id").is_null()).drop("lab_id")
    return summary, lacking.group_by("system", maintain_order=True).head(limit)


def propose(warehouse: Path, limit: int = 25) -> pl.DataFrame:
    """The most similar known name for each of the heaviest unexamined names, for review.

    Columns: system, name, share, known_name, known_system, lab_id, score (0–100).
    """
    _, lacking = gaps(warehouse, limit)
    with open_read_only(warehouse) as con:
        known = con.execute(
            "SELECT namespace, system, lab_id FROM core.namespaces ORDER BY ALL"
        ).fetchall()
    choices = [name for name, _, _ in known]
    rows = []
    for system, name, _, share in lacking.iter_rows():
        best = process.extractOne(
            name, choices, scorer=fuzz.WRatio, processor=str.casefold, score_cutoff=PROPOSAL_SCORE
        )
        if best:
            rows.append((system, name, share, *known[best[2]], round(best[1], 1)))
    columns = ["system", "name", "share", "known_name", "known_system", "lab_id", "score"]
    return pl.DataFrame(rows, schema=columns, orient="row")
