"""OpenRouter's rankings from the recording to the marts, counted again over the raw files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.settings import Settings
from flows.steps import sequence
from flows.steps.observe import observe
from tests.conftest import Shared, settings_for
from tests.standin import StandIn
from tests.standin.openrouter import KEY
from warehouse.database.duckdb_file import open_read_only
from warehouse.registry.load import REGISTRY

FIRST, LAST = date(2025, 1, 1), date(2026, 10, 1)
AS_OF = date(2026, 10, 2)
# The files and the registry's CSV; nothing of the warehouse.
COUNTED = """
WITH listed AS (
    SELECT r.date::DATE AS day, r.model_permaslug AS slug, r.total_tokens::BIGINT AS tokens,
        lower(split_part(slug, '/', 1)) AS publisher,
        slug LIKE 'stealth/%' OR regexp_matches(slug, '^openrouter/[^:]*-(alpha|beta)(:|$)')
            AS is_cloaked
    FROM (SELECT unnest(data) AS r FROM read_json($files))
), named AS (
    SELECT listed.*, n.lab_id, l.country_code, l.lab_name
    FROM listed
    LEFT JOIN read_csv($names, all_varchar = true) AS n ON n.system = 'openrouter'
        AND lower(n.namespace) = publisher AND n.known_to IS NULL AND NOT is_cloaked
        AND day >= n.valid_from::DATE AND day < coalesce(n.valid_to::DATE, DATE '9999-12-31')
    LEFT JOIN read_csv($labs, all_varchar = true) AS l ON l.lab_id = n.lab_id
        AND l.known_to IS NULL
        AND day >= l.valid_from::DATE AND day < coalesce(l.valid_to::DATE, DATE '9999-12-31')
), held AS (
    SELECT day, 'country' AS level, tokens, lab_id IS NULL AS is_doubt,
        CASE WHEN is_cloaked THEN 'cloaked' ELSE coalesce(country_code, 'unexamined') END AS holder
    FROM named UNION ALL
    SELECT day, 'lab', tokens, lab_id IS NULL,
        CASE WHEN is_cloaked THEN 'cloaked' ELSE coalesce(lab_id, 'unexamined') END
    FROM named
), summed AS (
    SELECT day, level, holder, is_doubt, sum(tokens)::BIGINT AS tokens, count(*) AS n_models
    FROM held GROUP BY ALL
), day_summed AS (
    SELECT day, level, sum(tokens)::BIGINT AS tokens_total,
        coalesce(sum(tokens) FILTER (is_doubt), 0) AS doubt
    FROM summed GROUP BY ALL
)
SELECT day, level, holder, is_doubt, tokens, tokens_total, n_models,
    tokens / tokens_total AS share,
    CASE WHEN NOT is_doubt THEN (tokens + doubt) / tokens_total END AS share_upper
FROM summed JOIN day_summed USING (day, level)
"""


@pytest.fixture(scope="module")
def ranked(more_recordings: Path, shared: Shared) -> Settings:
    """The validated warehouse of the recorded rankings alone."""

    def fill(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch, StandIn(more_recordings) as server:
            patch.setenv("OPENROUTER_API_KEY", KEY)
            settings = settings_for(server, folder)
            observe("openrouter", settings, date(2026, 9, 2))
            observe("openrouter", settings, AS_OF)
        sequence.build(settings, AS_OF)  # without key and server

    folder = shared("openrouter", fill)
    return Settings(archive=folder / "archive", warehouse=folder / "observatory.duckdb")


@pytest.fixture
def con(ranked: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_read_only(ranked.warehouse) as opened:
        yield opened


def test_shares_are_those_counted_from_the_files(
    con: duckdb.DuckDBPyConnection, more_recordings: Path
) -> None:
    files = {
        "files": str(more_recordings / "openrouter" / "rankings-daily_*.json"),
        "names": str(REGISTRY / "namespaces.csv"),
        "labs": str(REGISTRY / "labs.csv"),
    }
    with duckdb.connect() as own:
        counted = own.execute(COUNTED, files).pl()
    exact = "day, level, holder, is_doubt, tokens, tokens_total, n_models"
    ours = f"SELECT {exact} FROM mart.token_share_daily"
    con.register("counted", counted)
    assert con.execute(f"{ours} EXCEPT ALL SELECT {exact} FROM counted").fetchall() == []
    assert con.execute(f"SELECT {exact} FROM counted EXCEPT ALL {ours}").fetchall() == []
    (off,) = con.execute(
        "SELECT count(*) FROM mart.token_share_daily AS m JOIN counted AS c USING (day, level, "
        "holder) WHERE abs(m.share - c.share) > 1e-12 OR m.share_lower IS DISTINCT FROM "
        "CASE WHEN NOT m.is_doubt THEN m.share END "
        "OR coalesce(abs(m.share_upper - c.share_upper) > 1e-12, m.is_doubt <> (c.share_upper IS "
        "NULL))"
    ).fetchall()
    assert off == (0,)


@pytest.mark.parametrize(
    ("day", "holder", "percent"),
    [
        (FIRST, "anthropic", 44.81),
        (LAST, "cloaked", 23.52),
        (LAST, "deepseek", 23.89),
    ],
)
def test_known_shares(
    con: duckdb.DuckDBPyConnection, day: date, holder: str, percent: float
) -> None:
    query = (
        "SELECT share FROM mart.token_share_daily WHERE level = 'lab' AND day = ? AND holder = ?"
    )
    ((share,),) = con.execute(query, [day, holder]).fetchall()
    assert round(share * 100, 2) == percent


@pytest.mark.parametrize(("day", "total"), [(FIRST, 46_910_006_572), (LAST, 21_965_606_208_110)])
def test_known_totals(con: duckdb.DuckDBPyConnection, day: date, total: int) -> None:
    query = "SELECT DISTINCT tokens_total, has_other FROM mart.token_share_daily WHERE day = ?"
    assert con.execute(query, [day]).fetchall() == [(total, False)]


def test_the_measure_of_a_lab_is_its_newest_share(con: duckdb.DuckDBPyConnection) -> None:
    wrong = con.execute(
        "SELECT lab_id FROM mart.lab_measures AS m FULL JOIN (FROM mart.token_share_daily "
        "WHERE level = 'lab' AND NOT is_doubt AND day = DATE '2026-10-01') AS t "
        "ON t.holder = m.lab_id WHERE m.measure = 'openrouter_token_share' "
        "AND ((value, value_lower, value_upper, observed_on) "
        "IS DISTINCT FROM (t.share, t.share_lower, t.share_upper, t.day) "
        "OR abs(coverage - 1 + tokens_in_doubt / tokens_total) > 1e-12)"
    ).fetchall()
    assert wrong == []
    missing = "SELECT DISTINCT missing_reason FROM mart.lab_measures WHERE measure = 'hub_likes'"
    assert con.execute(missing).fetchall() == [("no_observation",)]


def test_the_build_has_no_critical_failure_and_two_snapshots_agree(
    con: duckdb.DuckDBPyConnection,
) -> None:
    failed = con.execute(
        "SELECT DISTINCT expectation FROM meta.validation_results "
        "WHERE outcome = 'failed' AND table_name LIKE '%openrouter%'"
    ).fetchall()
    assert failed == [("days_have_fifty_models_and_other",)]  # `other` was not recorded
    assert con.execute("SELECT count(*) FROM core.openrouter_restatements").fetchone() == (0,)
    assert con.execute(
        "SELECT count(DISTINCT snapshot_id) FROM raw.openrouter_rankings"
    ).fetchone() == (2,)
