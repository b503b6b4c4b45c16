"""mart.registry_weight: how much of the downloads rests on which confidence and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.support.frames import DAY, REVIEWED, Row, all_countries, everything, rows
from warehouse.contracts.evidence import GENERIC_LISTS

TABLE = "mart.registry_weight"
EVER = date(1900, 1, 1)
PAGE = {"evidence_url": "https://example.org/about", "evidence_read_on": DAY}
LIST = {"evidence_url": GENERIC_LISTS[0]}
NONE: dict[str, object] = {"evidence_url": None}


def lab(name: str, confidence: str, evidence: dict[str, object], **more: object) -> Row:
    return {"lab_id": name, "confidence": confidence, **evidence, **more}


def named(name: str, confidence: str, evidence: dict[str, object], **more: object) -> Row:
    return {"namespace": name, **lab(name.lower(), confidence, evidence), **more}


def weights(names: list[Row], labs: list[Row], **downloads: int | None) -> pl.DataFrame:
    """The table for one model per uploader."""
    shared = {**REVIEWED, "valid_from": EVER, "kind": "lab"}
    models = [
        {"model_id_hf": f"{who}/m", "author": who, "downloads_30d": n, "snapshot_date": DAY,
         "snapshot_id": "hub/a"} for who, n in downloads.items()
    ]  # fmt: skip
    made = everything(
        DAY,
        {TABLE},
        raw_hub_models=rows("raw.hub_models", *models, file_name="000001.json"),
        raw_registry_countries=all_countries(),
        raw_registry_labs=rows(
            "raw.registry_labs", *labs, **shared, lab_name="A lab", country_code="US"
        ),
        raw_registry_namespaces=rows("raw.registry_namespaces", *names, **shared, system="hub"),
    )
    return made[TABLE]


def found(made: pl.DataFrame) -> dict[tuple[str, str], float]:
    """Confidence and kind of evidence -> share."""
    return {(c, e): s for c, e, s in made.select("confidence", "evidence_kind", "share").rows()}


def test_uploader_is_as_well_documented_as_the_weaker_of_its_two_rows() -> None:
    names = [named("both", "high", PAGE), named("name", "low", PAGE), named("site", "high", LIST)]
    labs = [lab("both", "high", PAGE), lab("name", "high", NONE), lab("site", "medium", PAGE)]
    made = weights(names, labs, both=50, name=20, site=10, stranger=20)
    assert found(made) == {
        ("high", "specific"): 0.5,
        ("low", "none"): 0.2,
        ("medium", "list"): 0.1,
        ("not_examined", "not_examined"): 0.2,
    }


def test_period_of_the_name_and_of_the_lab_decide_on_the_day() -> None:
    names = [
        named("moved", "high", PAGE, valid_to=DAY),
        named("moved", "low", LIST, valid_from=DAY),
        named("past", "high", PAGE, valid_to=DAY),
    ]
    labs = [
        lab("moved", "medium", PAGE, valid_to=DAY),
        lab("moved", "medium", NONE, valid_from=DAY),
        lab("past", "high", PAGE),
    ]
    made = weights(names, labs, moved=3, past=1)
    assert found(made) == {("low", "none"): 0.75, ("not_examined", "not_examined"): 0.25}


def test_spellings_of_one_uploader_count_once_with_the_weakest_row() -> None:
    names = [named("Mixed", "high", PAGE), {**named("mixed", "low", LIST), "lab_id": "mixed"}]
    made = weights(names, [lab("mixed", "high", PAGE)], MIXED=7)
    assert found(made) == {("low", "list"): 1.0}
    assert made["n_namespaces"].to_list() == made["n_models"].to_list() == [1]


def test_models_without_the_counter_do_not_count() -> None:
    made = weights([], [], one=4, two=None)
    assert made.select("n_models", "downloads_30d", "share").rows() == [(1, 4, 1.0)]


def test_day_without_downloads_has_no_share() -> None:
    made = weights([], [], one=0)
    assert made.select("downloads_30d", "share").rows() == [(0, None)]


# ---- the sample, reckoned again in SQL ------------------------------------------------------


@pytest.fixture(scope="module")
def sample(sampled: tuple[Path, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(sampled[0] / "observatory.duckdb"), read_only=True) as con:
        yield con


AGAIN = """
WITH rated AS (
    SELECT * EXCLUDE (confidence),
        list_position(['high', 'medium', 'low'], confidence) AS trust,
        CASE WHEN evidence_url IS NULL THEN 3
            WHEN EXISTS (FROM unnest($lists) AS l(url) WHERE starts_with(evidence_url, l.url))
            THEN 2 ELSE 1 END AS proof
    FROM (SELECT 'name' AS part, lab_id, lower(namespace) AS name, valid_from, valid_to,
            known_to, confidence, evidence_url
        FROM raw.registry_namespaces WHERE system = 'hub'
        UNION ALL BY NAME SELECT 'lab' AS part, lab_id, valid_from, valid_to, known_to, confidence,
            evidence_url FROM raw.registry_labs)
    WHERE known_to IS NULL
), days AS (
    SELECT c.as_of_date, lower(m.author) AS name, c.downloads_30d
    FROM core.hub_daily_counters c JOIN core.hub_models m USING (model_id_hf)
    WHERE c.downloads_30d IS NOT NULL
), placed AS (
    SELECT d.as_of_date, d.downloads_30d, (SELECT {'trust': max(greatest(n.trust, l.trust)),
            'proof': max(greatest(n.proof, l.proof))}
        FROM rated n JOIN rated l ON l.part = 'lab' AND l.lab_id = n.lab_id
        WHERE n.part = 'name' AND n.name = d.name
            AND d.as_of_date >= n.valid_from AND d.as_of_date < coalesce(n.valid_to, '9999-12-31')
            AND d.as_of_date >= l.valid_from AND d.as_of_date < coalesce(l.valid_to, '9999-12-31')
        ) AS held
    FROM days d
)
SELECT as_of_date, coalesce(['high', 'medium', 'low'][held.trust], 'not_examined') AS confidence,
    coalesce(['specific', 'list', 'none'][held.proof], 'not_examined') AS evidence_kind,
    count(*) AS n_models, sum(downloads_30d)::BIGINT AS downloads_30d
FROM placed GROUP BY ALL ORDER BY ALL
"""


def test_sql_over_the_registry_gives_the_same_weights(sample: duckdb.DuckDBPyConnection) -> None:
    again = sample.execute(AGAIN, {"lists": list(GENERIC_LISTS)}).fetchall()
    held = sample.sql(
        "SELECT as_of_date, confidence, evidence_kind, n_models, downloads_30d "
        f"FROM {TABLE} ORDER BY ALL"
    ).fetchall()
    assert len(held) > 4
    assert held == again


def test_shares_of_a_day_sum_to_one(sample: duckdb.DuckDBPyConnection) -> None:
    sums = sample.sql(f"SELECT sum(share) FROM {TABLE} GROUP BY as_of_date").fetchall()
    assert [s for (s,) in sums] == pytest.approx([1.0] * len(sums))


def test_share_not_examined_is_the_share_of_xx(sample: duckdb.DuckDBPyConnection) -> None:
    by_country = sample.sql(
        """SELECT as_of_date, share FROM mart.country_share_daily WHERE country_code = 'XX'
            AND (population, metric, attribution, credit)
                = ('all', 'downloads_30d', 'publisher', 'fractional') ORDER BY ALL"""
    ).fetchall()
    by_confidence = sample.sql(
        f"SELECT as_of_date, share FROM {TABLE} WHERE confidence = 'not_examined' ORDER BY ALL"
    ).fetchall()
    assert dict(by_confidence) == pytest.approx(dict(by_country))
