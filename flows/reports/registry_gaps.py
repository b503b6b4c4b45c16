"""How much of the weight the registry documents, what it lacks, and names that look alike."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl
from rapidfuzz import fuzz, process

from warehouse.database.duckdb_file import open_read_only

PROPOSAL_SCORE = 88  # of 100; below it a similarity means nothing
CONFIDENCE = ("high", "medium", "low")
EVIDENCE = ("specific", "list", "none")

# The weight of a name in each system, with its day: 30-day downloads on the newest day, places
# among the first 50 of each board's newest edition, notable models of the newest vintage.
WEIGHTS = {
    "hub": """
        SELECT author AS name, max(as_of_date) AS day, sum(downloads_30d)::DOUBLE AS weight
        FROM core.hub_daily_counters JOIN core.hub_models USING (model_id_hf)
        WHERE as_of_date = (SELECT max(as_of_date) FROM core.hub_daily_counters)
        GROUP BY author""",
    "lmarena": """
        SELECT organization AS name, max(publish_date) AS day, count(*)::DOUBLE AS weight
        FROM (FROM core.arena_ratings WHERE category = 'overall'
            QUALIFY publish_date = max(publish_date) OVER (PARTITION BY board))
        WHERE rank_ordinal <= 50 GROUP BY organization""",
    # a comma inside a name is followed by a space, one between names is not
    "epoch": r"""
        SELECT replace(trim(name), chr(1), ', ') AS name, max(day) AS day,
            count(*)::DOUBLE AS weight
        FROM (
            SELECT vintage_date AS day,
                unnest(string_split(replace(organization, ', ', chr(1)), ',')) AS name
            FROM core.notable_models
            WHERE vintage_date = (SELECT max(vintage_date) FROM core.notable_models))
        GROUP BY ALL""",
}

# Each name with its lab, and the weaker of the two rows behind it: name to lab, lab to country.
DOCUMENTED = """
WITH weighed AS (
    SELECT *, weight / sum(weight) OVER () AS share FROM ({weights})
    WHERE name IS NOT NULL AND weight > 0
), rated AS (
    SELECT n.namespace_key, n.lab_id, l.country_code,
        greatest(list_position({confidence}, n.confidence),
            list_position({confidence}, l.confidence)) AS trust,
        greatest(list_position({evidence}, n.evidence_kind),
            list_position({evidence}, l.evidence_kind)) AS proof,
        greatest(n.valid_from, l.valid_from) AS valid_from,
        least(coalesce(n.valid_to, DATE '9999-12-31'), coalesce(l.valid_to, DATE '9999-12-31'))
            AS valid_to
    FROM core.namespaces AS n JOIN core.labs AS l USING (lab_id) WHERE n.system = $system
)
SELECT $system AS system, name, weight, share, min(lab_id) AS lab_id,
    min(country_code) AS country_code, {confidence}[max(trust)] AS confidence,
    {evidence}[max(proof)] AS evidence_kind
FROM weighed LEFT JOIN rated
    ON namespace_key = lower(name) AND day >= valid_from AND day < valid_to
GROUP BY name, weight, share ORDER BY weight DESC, name
"""


class Gaps(NamedTuple):
    """What the registry documents and what it lacks, each by system and descending weight."""

    summary: pl.DataFrame
    unexamined: pl.DataFrame
    undocumented: pl.DataFrame  # examined names without specific evidence


def coverage(warehouse: Path) -> pl.DataFrame:
    """One row per system and name: weight, its share of the system, lab, confidence, evidence.

    An unexamined name has no lab. Sorted by system and descending weight.
    """
    with open_read_only(warehouse) as con:
        return pl.concat([_coverage(con, system, sql) for system, sql in WEIGHTS.items()])


def _coverage(con: duckdb.DuckDBPyConnection, system: str, weights: str) -> pl.DataFrame:
    orders = {"confidence": str(list(CONFIDENCE)), "evidence": str(list(EVIDENCE))}
    query = DOCUMENTED.format(weights=weights, **orders)
    return con.sql(query, params={"system": system}).pl()


def gaps(warehouse: Path, limit: int = 25) -> Gaps:
    """The examined share of the weight by system, how it is documented, and the heaviest gaps."""
    names = coverage(warehouse)
    is_examined = pl.col("lab_id").is_not_null()
    summary = names.group_by("system", maintain_order=True).agg(
        pl.col("share").filter(is_examined).sum().alias("examined_share"),
        is_examined.not_().sum().alias("n_unexamined"),
        *(_of_examined("evidence_kind", kind) for kind in EVIDENCE),
        *(_of_examined("confidence", level) for level in CONFIDENCE),
    )
    lacking = names.filter(~is_examined).select("system", "name", "weight", "share")
    weak = names.filter(is_examined & (pl.col("evidence_kind") != "specific"))
    return Gaps(summary, _heaviest(lacking, limit), _heaviest(weak, limit))


def _of_examined(column: str, value: str) -> pl.Expr:
    """The part of the examined weight with this value; null if nothing is examined."""
    share = pl.col("share")
    examined = share.filter(pl.col("lab_id").is_not_null()).sum()
    return (
        pl.when(examined > 0)
        .then(share.filter(pl.col(column) == value).sum() / examined)
        .alias(f"{value}_share")
    )


def _heaviest(names: pl.DataFrame, limit: int) -> pl.DataFrame:
    return names.group_by("system", maintain_order=True).head(limit)


def propose(warehouse: Path, limit: int = 25) -> pl.DataFrame:
    """The most similar known name for each of the heaviest unexamined names, for review.

    Columns: system, name, share, known_name, known_system, lab_id, score (0–100).
    """
    lacking = gaps(warehouse, limit).unexamined
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
