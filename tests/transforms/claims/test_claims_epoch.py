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


def test_an_excerpt_of_the_capabilities_gives_no_lag() -> None:
    frontier = {
        **{"test": "frontier_lag", "unit": "months", "subject": "CN", "other": "US"},
        **{"since": date(2024, 1, 1), "levels": "subject", "statistic": "mean"},
        **{"stated_value": 1.0, "tolerance": 0.5, "target_date": EPOCH_DAY},
    }
    scored = [
        ("US", 10.0, date(2024, 1, 1)), ("CN", 10.0, date(2024, 12, 31)),
    ]  # fmt: skip
    about = {"snapshot_id": "x", "snapshot_date": EPOCH_DAY, "file_name": "x"}
    names = {"US": "United States of America", "CN": "China"}
    given = rows(
        "raw.epoch_capabilities",
        *(
            {"line": i, "country_name": names[c], "eci_score": s, "release_date": d, **about}
            for i, (c, s, d) in enumerate(scored, 1)
        ),
    )
    for n_known, expected in ((2, "contradicted"), (3, "not_testable"), (583, "not_testable")):
        known = sizes(("epoch_capabilities_index", EPOCH_DAY, n_known))
        row = ledger(
            trial(**frontier), raw_epoch_capabilities=given, raw_registry_epoch_sizes=known
        )["stated"]
        assert row["verdict"] == expected
