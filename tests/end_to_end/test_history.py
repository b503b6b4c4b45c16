"""The recorded history, observed day by day: one China, many shares, by definition alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.settings import Settings
from flows.steps import sequence
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import StandIn

pytestmark = pytest.mark.slow

AUGUST = [date(2026, 8, day) for day in range(7, 16)]
CATALOGUE = date(2026, 10, 15)


@pytest.fixture(scope="module")
def history(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Nine August days, the October catalog and every recorded strip: 226 of 128 days."""
    folder = tmp_path_factory.mktemp("history")
    settings: Settings | None = None
    for day in [*AUGUST, CATALOGUE]:
        with StandIn(recordings, hub_date=day.isoformat()) as server:
            settings = settings_for(server, folder)
            observe("hub", settings, day)
    strips = sorted(p.stem for p in (recordings / "hub" / "trending").glob("*.json"))
    for name in strips:
        with StandIn(recordings, trending_at=name) as server:
            settings = settings_for(server, folder)
            observe("hub_trending", settings, date.fromisoformat(name[:10]), name[11:])
    assert settings is not None
    settings = settings.model_copy(update={"sources": ("hub", "hub_trending")})
    sequence.build(settings, CATALOGUE)
    return settings


def rows(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_every_definition_is_there_on_every_day(history: Settings) -> None:
    found = rows(
        history,
        """SELECT as_of_date, count(DISTINCT (population, metric, attribution, credit))
        FROM mart.country_share_daily WHERE metric = 'downloads_30d' GROUP BY ALL ORDER BY ALL""",
    )
    assert [day for day, _ in found] == [*AUGUST, CATALOGUE]
    assert {n for _, n in found} == {24}


def test_one_day_gives_china_a_quarter_or_more_than_half_by_definition_alone(
    history: Settings,
) -> None:
    """hub.md section 14 has 24.0, 40.4 and 52.5 % for 2026-08-22, a week after the last day."""
    share = dict(
        rows(
            history,
            """SELECT population, share FROM mart.country_share_daily
            WHERE as_of_date = '2026-08-15' AND metric = 'downloads_30d' AND country_code = 'CN'
            AND attribution = 'publisher' AND credit = 'fractional'""",
        )
    )
    assert share["all"] == pytest.approx(0.240, abs=0.015)
    assert share["created_1y"] == pytest.approx(0.404, abs=0.02)
    assert share["llm_vlm"] == pytest.approx(0.525, abs=0.03)
    low, high = rows(
        history,
        """SELECT share_lowest, share_highest FROM mart.attribution_range
        WHERE as_of_date = '2026-08-15' AND metric = 'downloads_30d' AND country_code = 'CN'
        AND population = 'any'""",
    )[0]
    assert low <= share["all"] < share["llm_vlm"] <= high


def test_the_catalog_of_language_models_is_mostly_chinese(history: Settings) -> None:
    """hub.md section 14: CN 47.8, US 34.6 % of the 16,849 models of October."""
    share = dict(
        rows(
            history,
            """SELECT country_code, share FROM mart.country_share_daily
            WHERE as_of_date = '2026-10-15' AND metric = 'downloads_30d' AND population = 'all'
            AND attribution = 'publisher' AND credit = 'fractional'""",
        )
    )
    assert share["CN"] == pytest.approx(0.478, abs=0.02)
    assert share["US"] == pytest.approx(0.346, abs=0.02)


def test_every_strip_of_a_day_is_there(history: Settings) -> None:
    found = rows(
        history,
        """SELECT count(*), count(DISTINCT as_of_date), max(strip), bool_and(strip_time IS NOT NULL)
        FROM core.hub_trending WHERE model_position = 1""",
    )
    assert found == [(226, 128, 6, True)]


def test_trending_places_differ_by_attribution(history: Settings) -> None:
    days = rows(
        history,
        """SELECT attribution, count(DISTINCT as_of_date), sum(n_places)
        FROM mart.trending_share_daily WHERE top_n = 10 GROUP BY ALL ORDER BY ALL""",
    )
    assert [(a, n) for a, n, _ in days] == [("base", 128), ("publisher", 128)]
    assert all(total == pytest.approx(1280) for _, _, total in days)
    monthly = rows(
        history,
        """SELECT month(as_of_date), sum(n_places) FILTER (country_code = 'CN') / sum(n_places)
        FROM mart.trending_share_daily WHERE top_n = 10 AND attribution = 'publisher'
        GROUP BY ALL ORDER BY ALL""",
    )
    # observatories.md section 7, last observation of each day, % by publisher, March to July
    for (month, share), published in zip(monthly, (33, 48, 36, 26, 40), strict=True):
        assert 100 * share == pytest.approx(published, abs=4), month
