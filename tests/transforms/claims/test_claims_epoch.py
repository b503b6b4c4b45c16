"""Verdicts on Epoch's tables, complete and incomplete."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from tests.support.frames import Row, rows
from tests.support.ledger import EPOCH_DAY, ledger, snapshots, trial

NOTABLE = {
    **{"test": "notable_count", "unit": "models", "subject": "US", "year": 2024},
    **{"method": "epoch", "stated_value": 57.0, "tolerance": 2.0, "target_date": EPOCH_DAY},
}


def sizes(*given: tuple[str, date, int]) -> pl.LazyFrame:
    about = {"basis": "test", "reviewer": "test", "known_from": date(2026, 1, 1)}
    return rows(
        "raw.registry_epoch_sizes",
        *({"file_name": f, "as_of_date": d, "n_records": n, **about} for f, d, n in given),
    )


def notable(day: date = EPOCH_DAY, **countries: int) -> list[Row]:
    """Records of 2024 by country."""
    codes = [code for code, n in countries.items() for _ in range(n)]
    about = {"vintage_date": day, "snapshot_id": f"epoch/{day}", "publication_year": 2024}
    return [
        {**about, "line": line, "country_codes": code, "n_countries": 1}
        for line, code in enumerate(codes, 1)
    ]


def counted(models: list[Row], n_known: int | None, **change: Any) -> dict[str, Any]:
    known = sizes(("notable_ai_models", EPOCH_DAY, n_known)) if n_known else sizes()
    given = {"notable_models": rows("core.notable_models", *models)}
    given |= {"raw_registry_epoch_sizes": known, "meta_snapshots": snapshots(**change)}
    return ledger(trial(**NOTABLE), **given)["stated"]


def test_a_complete_vintage_reproduces_or_contradicts() -> None:
    assert counted(notable(US=57, CN=29), 86)["verdict"] == "reproduced"
    assert counted(notable(US=40, CN=46), 86)["verdict"] == "contradicted"
    assert counted(notable(US=40, CN=60), 86)["verdict"] == "contradicted"  # larger than known


@pytest.mark.parametrize("n_us", [9, 56, 57])
def test_an_excerpt_of_epoch_never_contradicts_a_count(n_us: int) -> None:
    row = counted(notable(US=n_us, CN=4), 1011)
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")
    held = 1000 * (n_us + 4) // 1011 / 10
    assert f"{held} % of its records" in row["reason"]
    assert row["coverage_population"] == pytest.approx((n_us + 4) / 1011)


def test_missing_records_widen_both_bounds() -> None:
    """95 of 100 records are enough coverage, and the missing 5 could reach the stated count."""
    assert counted(notable(US=50, CN=45), 100)["verdict"] == "not_testable"
    assert counted(notable(US=49, CN=46), 100)["verdict"] == "contradicted"
    assert counted(notable(US=60, CN=35), 100)["verdict"] == "contradicted"  # more than stated


def test_a_sample_of_unknown_size_decides_nothing() -> None:
    row = counted(notable(US=9, CN=4), None, is_sample=True)
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")
    assert counted(notable(US=9, CN=4), None, is_complete=False)["verdict"] == "not_testable"


def test_a_vintage_smaller_than_an_earlier_one_is_an_excerpt() -> None:
    later = EPOCH_DAY + timedelta(days=30)
    known = sizes(("notable_ai_models", date(2026, 1, 1), 50))
    models = [*notable(US=57, CN=63), *notable(later, US=30, CN=25)]
    given = {"notable_models": rows("core.notable_models", *models)}
    about = {**NOTABLE, "target_date": later}
    row = ledger(trial(**about), raw_registry_epoch_sizes=known, **given)["stated"]
    assert (row["verdict"], row["observed_on"]) == ("not_testable", later)


NAMES = {"US": "United States of America", "CN": "China"}
FRONTIER = {
    **{"test": "frontier_lag", "unit": "months", "subject": "CN", "other": "US"},
    **{"since": date(2024, 1, 1), "tolerance": 0.5, "target_date": EPOCH_DAY},
}


def scored(*given: tuple[str, float, date]) -> pl.LazyFrame:
    """A vintage of the capabilities index: country, score and day of release."""
    about = {"snapshot_id": "x", "snapshot_date": EPOCH_DAY, "file_name": "x"}
    return rows(
        "raw.epoch_capabilities",
        *(
            {"line": i, "country_name": NAMES[c], "eci_score": s, "release_date": d, **about}
            for i, (c, s, d) in enumerate(given, 1)
        ),
    )


def test_an_excerpt_of_the_capabilities_gives_no_lag() -> None:
    frontier = {**FRONTIER, "levels": "subject", "statistic": "mean", "stated_value": 1.0}
    given = scored(("US", 10.0, date(2024, 1, 1)), ("CN", 10.0, date(2024, 12, 31)))
    for n_known, expected in ((2, "contradicted"), (3, "not_testable"), (583, "not_testable")):
        known = sizes(("epoch_capabilities_index", EPOCH_DAY, n_known))
        row = ledger(
            trial(**frontier), raw_epoch_capabilities=given, raw_registry_epoch_sizes=known
        )["stated"]
        assert row["verdict"] == expected


def test_lags_by_day_equal_a_count_over_every_day() -> None:
    """Epoch's method day by day: without the first records, and scores within a point are equal."""
    models = [
        *(("US", s, date(y, m, d)) for s, y, m, d in (
            (7.0, 2023, 6, 1), (20.0, 2024, 5, 1), (25.5, 2025, 7, 1), (30.0, 2025, 9, 1),
            (9.0, 2025, 10, 1),
        )),
        *(("CN", s, date(y, m, d)) for s, y, m, d in (
            (8.0, 2023, 12, 1), (15.0, 2024, 3, 1), (25.0, 2025, 6, 1), (99.0, 2026, 4, 1),
        )),
    ]  # fmt: skip
    later = {c: sorted((d, s) for k, s, d in models if k == c and s != 9.0)[1:] for c in NAMES}
    lags = []
    for day in (date(2024, 1, 1) + timedelta(days=i) for i in range(3 * 366)):
        held = {c: [s for d, s in given if d <= day] for c, given in later.items()}
        if day <= EPOCH_DAY and held["US"] and held["CN"]:
            passed = [d for d, s in later["US"] if s > max(held["CN"]) + 1 and d <= day]
            lags.append((day - min(passed)).days * 12 / 365.25 if passed else 0.0)
    expected = {"mean": sum(lags) / len(lags), "min": min(lags), "max": max(lags)}
    known = sizes(("epoch_capabilities_index", EPOCH_DAY, len(models)))
    for statistic, value in expected.items():
        asked = trial(**FRONTIER, levels="days", statistic=statistic, stated_value=value)
        row = ledger(asked, raw_epoch_capabilities=scored(*models), raw_registry_epoch_sizes=known)[
            "stated"
        ]
        assert row["recomputed_value"] == pytest.approx(value)
        assert row["verdict"] == "reproduced"
