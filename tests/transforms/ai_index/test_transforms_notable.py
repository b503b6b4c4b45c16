"""Notable models and the AI Index's figures, by hand and against a slow reference."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.ai_index_rows import figure, index, printed, revised
from tests.support.frames import (
    DAY,
    PROPERTY,
    Row,
    all_countries,
    compute,
    registry,
    rows,
    shuffled,
    table_of,
)
from warehouse.ai_index.figures import figures
from warehouse.registry.load import read_registry

OLDER = DAY - timedelta(days=90)
SPELLED = {
    "United States of America": "US",
    "China": "CN",
    "Korea (Republic of)": "KR",
    "United Kingdom of Great Britain and Northern Ireland": "GB",
    "Multinational": "ZZ",
    "Atlantis": "XX",
}


def epoch(*models: Row, day: date = DAY, **shared: object) -> pl.LazyFrame:
    """One vintage of Epoch's notable models, records numbered in order."""
    about = {
        "snapshot_id": f"epoch/{day}",
        "snapshot_date": day,
        "file_name": "notable_ai_models",
        "publication_date": date(2024, 5, 1),
        **shared,
    }
    numbered = [{"line": i, **each} for i, each in enumerate(models, 1)]
    return rows("raw.epoch_models", *numbered, **about)


def notable(raw: pl.LazyFrame) -> pl.DataFrame:
    return compute(
        "core.notable_models", raw_epoch_models=raw, raw_registry_countries=all_countries()
    )


def counted(raw: pl.LazyFrame, as_of: date = DAY) -> dict[tuple[int, str], tuple[int, float]]:
    """(year, country) -> models in full and by equal parts, by Epoch's own countries."""
    made = table_of("mart.notable_models_by_country", as_of, raw_epoch_models=raw)
    assert set(made["source"]) in (set(), {"epoch", "epoch_registry"})
    made = made.filter(pl.col("source") == "epoch")
    columns = ["year", "country_code", "n_models", "n_models_fractional"]
    return {(y, c): (n, f) for y, c, n, f in made.select(columns).iter_rows()}


# ---- Epoch's records ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "codes"),
    [
        ("China", "CN"),
        ("United States of America,China,United States of America", "CN,US"),
        ("China, Korea (Republic of) ,,China", "CN,KR"),
        ("Multinational,United Kingdom of Great Britain and Northern Ireland", "GB,ZZ"),
        ("Atlantis", "XX"),
        ("Atlantis,Lemuria,China", "CN,XX"),
        (None, None),
        (",", None),
    ],
)
def test_a_cell_of_countries_becomes_distinct_codes_and_stays_raw_beside(
    cell: str | None, codes: str | None
) -> None:
    made = notable(epoch({"country_name": cell})).row(0, named=True)
    assert (made["country_codes"], made["country_names"]) == (codes, cell)
    assert made["n_countries"] == (len(codes.split(",")) if codes else 0)


@pytest.mark.parametrize(
    ("access", "is_open"),
    [
        ("Open weights (unrestricted)", True),
        ("Open weights (non-commercial)", True),
        ("Open weights (restricted use)", True),
        ("Open access (unrestricted)", True),
        ("Open source", True),
        ("API access", False),
        ("Hosted access (no API)", False),
        ("Unreleased", False),
        (None, None),
    ],
)
def test_weights_are_open_by_the_accessibility_and_unknown_where_blank(
    access: str | None, is_open: bool | None
) -> None:
    made = notable(epoch({"model_accessibility": access}))
    assert made["is_open_weights"].to_list() == [is_open]


def test_only_the_notable_file_counts_and_every_vintage_is_kept() -> None:
    made = notable(
        pl.concat(
            [
                epoch({"country_name": "China"}, {"country_name": "China"}),
                epoch({"country_name": "China"}, file_name="large_scale_ai_models"),
                epoch({"country_name": None}, day=OLDER, publication_date=None),
            ]
        )
    )
    assert made.select("vintage_date", "line", "publication_year").rows() == [
        (OLDER, 1, None),
        (DAY, 1, 2024),
        (DAY, 2, 2024),
    ]


# ---- Epoch's models by country -----------------------------------------------------------------


def test_a_model_counts_once_in_full_for_each_distinct_country() -> None:
    found = epoch(
        {"country_name": "China,United States of America,China"},
        {"country_name": "China"},
        {"country_name": None},
        {"country_name": "Atlantis"},
        {"country_name": "Multinational"},
        {"country_name": "China", "publication_date": date(2023, 12, 31)},
    )
    assert counted(found) == {
        (2023, "CN"): (1, 1.0),
        (2024, "CN"): (2, 1.5),
        (2024, "US"): (1, 0.5),
        (2024, "XX"): (2, 2.0),
        (2024, "ZZ"): (1, 1.0),
    }


def test_only_the_newest_vintage_up_to_as_of_is_counted() -> None:
    found = pl.concat(
        [
            epoch({"country_name": "China"}, {"country_name": "China"}, day=OLDER),
            epoch({"country_name": "China"}, day=DAY),
        ]
    )
    assert counted(found) == {(2024, "CN"): (1, 1.0)}
    assert counted(found, DAY - timedelta(days=1)) == {(2024, "CN"): (2, 2.0)}
    assert counted(found, OLDER) == {(2024, "CN"): (2, 2.0)}
    assert counted(found, OLDER - timedelta(days=1)) == {}


def test_an_older_vintage_is_not_counted_if_the_newest_has_no_dates() -> None:
    found = pl.concat(
        [
            epoch({"country_name": "China"}, day=OLDER),
            epoch({"country_name": "China"}, day=DAY, publication_date=None),
        ]
    )
    assert counted(found) == {}


MODEL = st.fixed_dictionaries(
    {
        "country_name": st.none()
        | st.lists(st.sampled_from(list(SPELLED)), min_size=1, max_size=5).map(",".join),
        "publication_date": st.none() | st.dates(date(2022, 12, 1), date(2024, 2, 1)),
    }
)


@PROPERTY
@given(st.lists(MODEL, max_size=20), st.integers(0, 2**16))
def test_models_by_country_equal_a_loop_over_records(models: list[Row], seed: int) -> None:
    expected: dict[tuple[int, str], tuple[int, Fraction]] = defaultdict(lambda: (0, Fraction(0)))
    years: dict[int, int] = defaultdict(int)
    for each in models:
        cell, day = each["country_name"], each["publication_date"]
        if not isinstance(day, date):
            continue
        codes = {SPELLED[c] for c in str(cell).split(",")} if cell else {"XX"}
        years[day.year] += 1
        for code in codes:
            n, part = expected[day.year, code]
            expected[day.year, code] = (n + 1, part + Fraction(1, len(codes)))
    found = counted(epoch(*models))
    assert found == {k: (n, pytest.approx(float(part))) for k, (n, part) in expected.items()}
    assert all(full >= part - 1e-12 for full, part in found.values())
    for year, n in years.items():
        assert sum(part for (y, _), (_, part) in found.items() if y == year) == pytest.approx(n)
    assert counted(shuffled(epoch(*models), seed)) == found


# ---- the AI Index beside it ----------------------------------------------------------------------


def test_the_figure_of_a_single_year_wins_over_that_of_all_years() -> None:
    single = figure("1.1", fixed_period="2025")
    raw = index(
        printed("1.2", ["29", "China", "2024"], ["99", "China", "2025"], ["9", "Europe", "2025"]),
        printed("1.1", ["30", "China"], ["5", "South Korea"]),
        figures=[figure("1.2"), single],
    )
    made = table_of("mart.notable_models_by_country", **raw)
    columns = ["source", "year", "country_code", "n_models", "n_models_fractional", "figure"]
    assert made.select(columns).rows() == [
        ("ai_index_2026", 2024, "CN", 29, None, "1.2"),
        ("ai_index_2026", 2025, "CN", 30, None, "1.1"),
        ("ai_index_2026", 2025, "KR", 5, None, "1.1"),
    ]
    assert set(made["vintage_date"]) == {DAY}


def test_an_edition_has_its_publication_date() -> None:
    raw = index(printed("1.2", ["29", "China", "2024"]), figures=[figure("1.2")])
    editions = read_registry("ai_index_editions").lazy()
    table = "mart.notable_models_by_country"
    made = table_of(table, **raw, raw_registry_ai_index_editions=editions)
    assert made["vintage_date"].to_list() == [date(2026, 4, 13)]
    assert set(editions.collect()["edition"]) == {f.edition for f in figures()}


def test_a_later_revision_of_the_single_year_wins_over_both_csvs() -> None:
    raw = index(
        printed("1.2", ["30", "China", "2025"], ["29", "China", "2024"]),
        printed("1.1", ["30", "China"]),
        figures=[figure("1.2"), figure("1.1", fixed_period="2025")],
        **revised("1.1", ("China", "2025", 35), ("Singapore", "2025", 1)),
    )
    made = table_of("mart.notable_models_by_country", **raw)
    assert made.select("year", "country_code", "n_models", "figure").rows() == [
        (2024, "CN", 29, "1.2"),
        (2025, "CN", 35, "1.1"),
        (2025, "SG", 1, "1.1"),
    ]


def test_editions_and_other_series_are_never_merged() -> None:
    older = figure("3.2", edition=2025)
    total = figure("1.3", series="notable_models_cumulative")
    raw = index(
        printed("1.2", ["57", "United States", "2024"]),
        printed("3.2", ["40", "United States", "2024"], edition=2025, snapshot_date=OLDER),
        printed("1.3", ["627", "United States", "2024"]),
        figures=[figure("1.2"), older, total],
    )
    made = table_of(
        "mart.notable_models_by_country",
        **raw,
        raw_epoch_models=epoch({"country_name": "United States of America"}),
    )
    assert made.select("source", "n_models", "vintage_date").rows() == [
        ("ai_index_2025", 40, OLDER),
        ("ai_index_2026", 57, DAY),
        ("epoch", 1, DAY),
        ("epoch_registry", 1, DAY),
    ]


def test_both_counts_are_shown_where_one_organization_decides() -> None:
    """SenseTime: Hong Kong by Epoch, China by the registry."""
    made = table_of(
        "mart.notable_models_by_country",
        raw_epoch_models=epoch(
            {"organization": "sense", "country_name": "Hong Kong"},
            {"organization": "deep", "country_name": "China"},
            {"organization": "deep", "country_name": "China"},
            {"organization": "deep,sense", "country_name": "China,Hong Kong"},
        ),
        **registry({"sense": "CN", "deep": "CN"}, system="epoch"),
    )
    alone = "sense: HK by Epoch, CN by the registry"
    together = "deep,sense: CN, HK by Epoch, CN by the registry"
    columns = ["source", "country_code", "n_models", "n_models_other", "differing_organizations"]
    assert made.select(columns).rows() == [
        ("epoch", "CN", 3, 4, alone),
        ("epoch", "HK", 2, 0, f"{together}; {alone}"),
        ("epoch_registry", "CN", 4, 3, alone),
    ]


def test_recorded_file_gives_china_31_or_32_models_in_2024(recordings: Path) -> None:
    """The same from the CSV alone: countries of the records, and of SenseTime."""
    file = recordings / "epoch/2026-05-02/notable_ai_models.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        records = [r for r in csv.DictReader(lines) if r["Publication date"].startswith("2024")]
    by_epoch = sum("China" in r["Country (of organization)"].split(",") for r in records)
    alone = [r for r in records if r["Organization"] == "SenseTime"]
    assert [r["Country (of organization)"] for r in alone] == ["Hong Kong"]
    names = [o for r in records for o in r["Organization"].split(",")]
    assert names.count("SenseTime") == 1
    assert (by_epoch, by_epoch + len(alone)) == (31, 32)
    held = read_registry("labs").filter(pl.col("known_to").is_null(), lab_id="sensetime")
    assert held["country_code"].to_list() == ["CN"]


def test_the_order_of_records_changes_nothing() -> None:
    areas, years = ["China", "US", "Europe"], [2023, 2024, 2025]
    records = [[f"{10 + i}", area, f"{year}"] for i, area in enumerate(areas) for year in years]
    single = figure("1.1", fixed_period="2025")
    raw = index(
        printed("1.2", *records),
        printed("1.1", ["30", "China"], ["50", "US"]),
        figures=[figure("1.2"), single],
    )
    made = table_of("mart.notable_models_by_country", **raw)
    for seed in range(5):
        mixed = {name: shuffled(frame, seed) for name, frame in raw.items()}
        again = table_of("mart.notable_models_by_country", **mixed)
        assert_frame_equal(again, made, check_exact=True)
