"""Verdicts on single models of the Hub, and on listings that are incomplete."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import polars as pl
import pytest

from tests.support.frames import DAY, rows
from tests.support.ledger import HUB, SHARE, STATED, ledger, listing, shares, snapshots, trial
from warehouse.contracts.table import contract

CREATED = {
    **{"test": "repositories_created", "unit": "repositories", "relation": "at_least"},
    **{"stated_value": 2.0, "names": "lab/One\nlab/Two*"},
    **{"period_from": date(2025, 2, 1), "period_to": date(2025, 2, 28)},
}


def models(*given: tuple[str, date | None, str | None]) -> pl.LazyFrame:
    """Repositories with the day of creation and the license."""
    return rows(
        "core.hub_models",
        *(
            {
                "model_id_hf": name,
                "model_key": number,
                "created_at": day and datetime.combine(day, time(12)),
                "license": license,
            }
            for number, (name, day, license) in enumerate(given, 1)
        ),
        first_seen_date=DAY,
        last_seen_date=DAY,
    )


FEBRUARY = date(2025, 2, 14)


ONE, TWO = ("lab/One", FEBRUARY, None), ("lab/Two-7B", FEBRUARY, None)


@pytest.mark.parametrize(
    ("found", "n_models", "expected", "code"),
    [
        ([ONE, TWO], 5, "reproduced", "holds"),
        ([("LAB/one-7b", FEBRUARY, None), TWO], 5, "reproduced", "holds"),
        ([ONE], 5, "not_testable", "not_found"),
        ([ONE], HUB, "contradicted", "fails"),
        ([("lab/Oneness", FEBRUARY, None), TWO], HUB, "contradicted", "fails"),
        ([("lab/One", None, None), TWO], 5, "not_testable", "not_found"),
        ([("lab/One", date(2025, 3, 1), None), TWO], 5, "not_testable", "not_found"),
        ([("lab/One", date(2022, 3, 2), None), TWO], HUB, "contradicted", "fails"),
    ],
)
def test_only_a_complete_listing_disproves_a_release(
    found: list[tuple[str, date | None, str | None]], n_models: int, expected: str, code: str
) -> None:
    given = shares(listing(DAY, {"CN": 1, "US": 1}, n_models=n_models))
    row = ledger(trial(**CREATED), hub_models=models(*found), **given)["stated"]
    assert (row["verdict"], row["reason_code"]) == (expected, code)


def test_the_floor_of_createdat_is_not_a_release_date() -> None:
    early = {**CREATED, "period_from": date(2022, 1, 1), "period_to": date(2022, 12, 31)}
    floor = models(("lab/One", date(2022, 3, 2), None), ("lab/Two", date(2022, 3, 3), None))
    given = shares(listing(DAY, {"CN": 1, "US": 1}))
    assert ledger(trial(**early), hub_models=floor, **given)["stated"]["recomputed_value"] == 1


def test_only_recorded_licenses_count() -> None:
    licensed = {**CREATED, "licenses": "apache-2.0\nmit"}
    given = shares(listing(DAY, {"CN": 1, "US": 1}, n_models=5))
    for license, expected in (("mit", "reproduced"), (None, "not_testable"), ("x", "not_testable")):
        found = models(("lab/One", FEBRUARY, "apache-2.0"), ("lab/Two", FEBRUARY, license))
        row = ledger(trial(**licensed), hub_models=found, **given)["stated"]
        assert row["verdict"] == expected, license


def test_a_missing_dataset_disproves_nothing() -> None:
    asked_for = {k: v for k, v in CREATED.items() if k != "test"}
    wanted = trial(
        **{**asked_for, "test": "datasets_created", "names": "lab/*"} | {"stated_value": 1.0}
    )
    for day, expected in ((FEBRUARY, "reproduced"), (date(2025, 3, 1), "not_testable")):
        found = rows(
            "raw.hub_datasets",
            {"dataset_id_hf": "lab/set", "created_at": datetime.combine(day, time(12))},
            **{"snapshot_id": "hub_datasets/x", "snapshot_date": DAY, "file_name": "1"},
        )
        assert ledger(wanted, raw_hub_datasets=found)["stated"]["verdict"] == expected


def test_a_rank_in_a_panel_is_not_a_rank_on_the_hub() -> None:
    rank = {
        **{"test": "model_rank", "unit": "rank", "relation": "at_most", "stated_value": 2.0},
        **{"names": "lab/One", "metric": "likes"},
    }
    counters = rows(
        "core.hub_daily_counters",
        {"model_id_hf": "x/a", "likes": 9},
        {"model_id_hf": "lab/One", "likes": 7},
        {"model_id_hf": "x/b", "likes": 7},
        {"model_id_hf": "x/c"},
        as_of_date=STATED,
    )
    for n_models, expected in ((HUB, "reproduced"), (5, "not_testable")):
        given = shares(listing(STATED, {"CN": 1, "US": 1}, n_models=n_models))
        row = ledger(trial(**rank), hub_daily_counters=counters, **given)["stated"]
        assert (row["recomputed_value"], row["verdict"]) == (2, expected)


@pytest.mark.parametrize("part", [{"is_sample": True}, {"is_complete": False}])
def test_an_incomplete_listing_never_contradicts(part: dict[str, bool]) -> None:
    given = shares(listing(STATED, {"CN": 30, "US": 70}, n_models=950))  # 95 % of the Hub
    assert ledger(trial(**SHARE), meta_snapshots=snapshots(), **given)["stated"]["verdict"] == (
        "contradicted"
    )
    row = ledger(trial(**SHARE), meta_snapshots=snapshots(**part), **given)["stated"]
    assert (row["verdict"], row["reason_code"]) == ("not_testable", "source_not_whole")


def test_absence_from_an_incomplete_listing_disproves_nothing() -> None:
    named = trial(
        **{"test": "repositories_created", "unit": "repositories", "relation": "at_least"},
        **{"stated_value": 2.0, "names": "a/one\na/two", "tolerance": 0.0},
        **{"period_from": date(2025, 1, 1), "period_to": date(2026, 12, 31)},
    )
    one = {"model_id_hf": "a/one", "created_at": datetime(2025, 5, 5), "is_llm_vlm": False}
    about = {**one, "last_seen_date": STATED, "first_seen_date": STATED}
    held = {k: v for k, v in about.items() if k in contract("core.hub_models").columns}
    needed = {
        c: _filler(column.type)
        for c, column in contract("core.hub_models").columns.items()
        if not column.nullable and c not in held
    }
    given = shares(listing(STATED, {"US": 1.0}, n_models=950))
    given["hub_models"] = rows("core.hub_models", {**needed, **held})
    for change, expected in (({}, "contradicted"), ({"is_complete": False}, "not_testable")):
        row = ledger(named, meta_snapshots=snapshots(**change), **given)["stated"]
        assert row["verdict"] == expected


def _filler(kind: str) -> Any:
    return {"VARCHAR": "x", "DATE": STATED, "BOOLEAN": False}.get(kind, 0)
