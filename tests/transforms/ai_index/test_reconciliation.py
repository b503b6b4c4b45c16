"""The AI Index's counts of notable models by country, re-derived from Epoch's vintages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.steps.build import load_raw
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.flows.sources.test_epoch_labs import OLD, lay_down, records, reviewed
from tests.standin import StandIn
from tests.support.frames import Row, compute, everything, needed, rows, shuffled
from warehouse.archive.archive import Archive

TABLE = "mart.ai_index_reconciliation"
KNOWN = date(2026, 11, 22)
PUBLISHED = date(2026, 4, 13)

# ---- by hand -------------------------------------------------------------------------------------

REGISTRY = reviewed(
    ("google", "US", None, OLD, None),
    ("deepmind", "GB", "google", OLD, None),
    ("tsinghua", "CN", None, OLD, None),
    ("collective", "ZZ", None, OLD, None),
)


def printed(*given: Row) -> pl.LazyFrame:
    """Rows of core.ai_index_series; all other required columns are made up."""
    about: dict[str, object] = {
        "edition": 2026,
        "figure": "1.1.2",
        "revision": 1,
        "line": 1,
        "series": "notable_models",
        "subject_kind": "area",
        "year": 2024,
        "unit": "models",
        "is_point": False,
        "is_preferred": True,
    }
    return rows("core.ai_index_series", *given, **about)


def cell(country: str, value: float, period: str = "2024", **more: object) -> Row:
    return {"country_code": country, "value": value, "period": period, **more}


def edition(method: str = "parent", published: date = PUBLISHED, **more: object) -> pl.LazyFrame:
    row = {"edition": 2026, "method": method, "published_on": published, **more}
    return rows(
        "raw.registry_ai_index_editions", row, basis="test", reviewer="test", known_from=KNOWN
    )


def reasons(*given: Row) -> pl.LazyFrame:
    about = {
        "edition": 2026,
        "measure": "notable_models",
        "period": "2024",
        "revision": 1,
        "explanation": "unit_abroad",
        "basis": "test",
        "reviewer": "test",
        "known_from": KNOWN,
    }
    return rows("raw.registry_ai_index_residuals", *given, **about)


def reconcile(
    series: pl.LazyFrame, *epoch: pl.LazyFrame, known_at: date = date.max, **more: pl.LazyFrame
) -> dict[tuple[str, str, str], Row]:
    """(period, country, method) -> row."""
    raw = {"raw_epoch_models": pl.concat(epoch)} if epoch else {}
    made = everything(
        known_at=known_at,
        targets={"core.notable_model_labs", "core.countries"},
        **raw,
        **REGISTRY,
    )
    frames = {name.split(".")[1]: frame.lazy() for name, frame in made.items()}
    wanted = ("notable_models", "notable_model_labs", "countries")
    table = compute(
        TABLE,
        known_at=known_at,
        ai_index_series=series,
        **{name: frames[name] for name in wanted},
        **{"raw_registry_ai_index_editions": edition(), **more},
    )
    return {(r["period"], r["country_code"], r["method"]): r for r in table.iter_rows(named=True)}


VINTAGE = date(2026, 5, 2)
FILE = records(
    {"organization": "deepmind,google", "country_name": "United Kingdom"},
    {"organization": "deepmind,tsinghua", "country_name": "United Kingdom,China"},
    {"organization": "collective", "country_name": "France"},
    {"organization": "collective,google", "country_name": "France,United States of America"},
    {"organization": "google", "country_name": "China", "publication_date": None},
    {"organization": "tsinghua", "country_name": "China", "publication_date": date(2023, 1, 1)},
    snapshot_id=f"epoch/{VINTAGE}",
    snapshot_date=VINTAGE,
)


def counts(found: dict[tuple[str, str, str], Row], method: str, period: str = "2024") -> Row:
    return {c: r["n_derived"] for (p, c, m), r in found.items() if (p, m) == (period, method)}


def test_each_method_counts_a_model_once_for_every_distinct_country() -> None:
    found = reconcile(printed(cell("US", 3)), FILE)
    # the collective alone: the registry names no country, so Epoch's stands in; not beside google
    assert counts(found, "parent") == {"US": 3, "CN": 1, "FR": 1, "ZZ": 1}
    assert counts(found, "organisation") == {"US": 2, "GB": 2, "CN": 1, "FR": 1, "ZZ": 1}
    assert counts(found, "epoch") == {"GB": 2, "CN": 1, "FR": 2, "US": 1}


def test_a_range_of_years_adds_up_the_years_of_the_file() -> None:
    total = cell("CN", 2, "2003-2024", series="notable_models_cumulative", figure="1.1.3")
    found = reconcile(printed(cell("CN", 1), total), FILE)
    assert found["2003-2024", "CN", "parent"]["n_derived"] == 2
    assert found["2024", "CN", "parent"]["residual"] == 0
    assert found["2003-2024", "CN", "parent"]["measure"] == "notable_models_cumulative"


def test_unprinted_values_are_null_not_zero() -> None:
    found = reconcile(printed(cell("US", 4)), FILE)
    china = found["2024", "CN", "parent"]
    assert (china["n_printed"], china["residual"], china["explanation"]) == (
        None, None, "not_printed",
    )  # fmt: skip
    assert (china["figure"], china["n_derived"]) == (None, 1)


def test_a_country_without_records_counts_zero_if_a_value_is_printed() -> None:
    found = reconcile(printed(cell("JP", 2)), FILE)["2024", "JP", "parent"]
    assert (found["n_derived"], found["residual"], found["explanation"]) == (0, -2, "unexplained")


def test_without_a_vintage_the_explanation_is_no_vintage() -> None:
    found = reconcile(printed(cell("US", 3)))["2024", "US", "parent"]
    assert (found["n_derived"], found["residual"], found["vintage_date"]) == (None, None, None)
    assert (found["n_printed"], found["explanation"]) == (3, "no_vintage")


def vintage(day: date, *models: Row) -> pl.LazyFrame:
    return records(*models, snapshot_id=f"epoch/{day}", snapshot_date=day)


def test_the_vintage_nearest_to_publication_is_used() -> None:
    one = {"organization": "google"}
    days = [PUBLISHED + timedelta(days=n) for n in (-30, -5, 5, 90)]
    files = [vintage(day, *[one] * (i + 1)) for i, day in enumerate(days)]
    found = reconcile(printed(cell("US", 2)), *files)["2024", "US", "parent"]
    assert (found["vintage_date"], found["vintage_days"], found["n_derived"]) == (days[1], -5, 2)
    later = reconcile(printed(cell("US", 2)), *files[2:])["2024", "US", "parent"]
    assert (later["vintage_days"], later["n_derived"]) == (5, 3)


@pytest.mark.parametrize(
    ("also", "shown"),
    [
        ([], ("unit_abroad", True, "a unit")),
        ([{"country_code": "FR", "residual": 4}], ("vintage_far", False, None)),
        (
            [{"country_code": "US", "residual": -1, "edition": 2020}],
            ("unit_abroad", True, "a unit"),
        ),
    ],
)
def test_far_from_publication_a_review_applies_only_if_all_of_its_edition_do(
    also: list[Row], shown: tuple[str, bool, str | None]
) -> None:
    far = vintage(PUBLISHED + timedelta(days=61), {"organization": "google"})
    row = {"country_code": "US", "residual": -1, "note": "a unit"}
    review = pl.concat([reasons(each) for each in (row, *also)])
    made = reconcile(printed(cell("US", 2)), far, raw_registry_ai_index_residuals=review)
    found = made["2024", "US", "parent"]
    assert (found["explanation"], found["is_reviewed"], found["note"]) == shown


@pytest.mark.parametrize(
    ("review", "explanation"),
    [
        ({"residual": -1}, "unit_abroad"),
        ({"residual": 1}, "unexplained"),
        ({"residual": -1, "revision": 2}, "unexplained"),
        ({"residual": -1, "period": "2023"}, "unexplained"),
        ({"residual": -1, "edition": 2025}, "unexplained"),
        ({"residual": -1, "country_code": "CN"}, "unexplained"),
        ({"residual": -1, "known_from": KNOWN + timedelta(days=9)}, "unexplained"),
    ],
)
def test_a_reviewed_reason_applies_only_to_the_reviewed_residual(
    review: Row, explanation: str
) -> None:
    row = {"country_code": "US", "note": "a unit", **review}
    made = reconcile(
        printed(cell("US", 4)),
        FILE,
        known_at=KNOWN + timedelta(days=1),
        raw_registry_ai_index_residuals=pl.concat(
            [reasons(row), reasons({"country_code": "BR", "residual": 5})]
        ),
    )
    found = made["2024", "US", "parent"]
    assert (found["explanation"], found["is_reviewed"]) == (
        explanation, explanation == "unit_abroad",
    )  # fmt: skip
    other = made["2024", "US", "organisation"]
    assert (other["explanation"], other["is_edition_method"]) == ("other_method", False)


def test_only_the_preferred_value_is_compared_and_a_blank_is_not_printed() -> None:
    series = printed(
        cell("US", 50, figure="1.1.1", is_preferred=False),
        cell("US", 59, figure="1.1.1", revision=2),
        {**cell("CN", 1), "value": None},
    )
    found = reconcile(series, FILE)
    american = found["2024", "US", "parent"]
    assert (american["n_printed"], american["revision"], american["figure"]) == (59, 2, "1.1.1")
    assert found["2024", "CN", "parent"]["explanation"] == "not_printed"


def test_the_method_of_the_edition_is_the_registrys() -> None:
    found = reconcile(
        printed(cell("GB", 2)), FILE, raw_registry_ai_index_editions=edition("organisation")
    )
    assert {m for (_, _, m), row in found.items() if row["is_edition_method"]} == {"organisation"}


def test_the_order_of_records_changes_nothing() -> None:
    series = printed(cell("US", 3), cell("CN", 1), cell("GB", 1, "2023"))
    found = reconcile(series, FILE)
    for seed in range(3):
        assert reconcile(shuffled(series, seed), shuffled(FILE, seed)) == found


# ---- the recordings ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(
    recordings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, pl.DataFrame]]:
    """Both editions against the vintages of their years, with the registry as it is."""
    folder = tmp_path_factory.mktemp("recorded")
    with StandIn(recordings) as server:
        settings = settings_for(server, folder)
        observe("ai_index", settings, VINTAGE)
    archive = Archive(settings.archive)
    for day in ("2024-10-18", "2025-02-24", "2025-04-08", "2025-07-01", "2025-12-02", "2026-05-02"):
        lay_down(archive, recordings / "epoch" / day)
    load_raw(folder / "build", archive, archive.snapshots())
    with duckdb.connect(str(folder / "build"), read_only=True) as con:
        wanted = {i for step in needed({TABLE}) for i in step.inputs.values() if i[:4] == "raw."}
        raw = {f"raw_{t[4:]}": con.sql(f"SELECT * FROM {t}").pl().lazy() for t in wanted}
    yield everything(targets={TABLE}, **raw)


def of(
    recorded: dict[str, pl.DataFrame], edition: int, country: str, measure: str = "notable_models"
) -> dict[str, tuple[int | None, int | None]]:
    """Period -> printed, derived; by the edition's own method."""
    held = recorded[TABLE].filter(
        pl.col("is_edition_method"),
        pl.col("edition") == edition,
        pl.col("country_code") == country,
        pl.col("measure") == measure,
    )
    return {p: (a, b) for p, a, b in held.select("period", "n_printed", "n_derived").iter_rows()}


def test_each_edition_has_the_vintage_nearest_to_its_day(
    recorded: dict[str, pl.DataFrame],
) -> None:
    found = recorded[TABLE].select("edition", "vintage_date", "vintage_days").unique()
    assert set(found.rows()) == {(2025, date(2025, 4, 8), 1), (2026, date(2026, 5, 2), 19)}


def test_totals_of_2014_to_2024_are_those_of_the_ai_index(
    recorded: dict[str, pl.DataFrame],
) -> None:
    """Totals 2014-24 of the 2026 edition, identical when recomputed by hand."""
    totals = [33, 29, 49, 55, 37, 68, 50, 78, 91, 119, 98]
    models = recorded["core.notable_models"].filter(pl.col("vintage_date") == VINTAGE)
    found = dict(models["publication_year"].value_counts().iter_rows())
    assert [found[year] for year in range(2014, 2025)] == totals


def test_american_models_of_2012_to_2024_match_in_11_of_13_years(
    recorded: dict[str, pl.DataFrame],
) -> None:
    """By hand 11 of 13 are equal and two are lower by one (17 for 18, 39 for 40)."""
    found = of(recorded, 2026, "US")
    printed_here = [found[str(year)][0] for year in range(2012, 2025)]
    assert printed_here == [6, 14, 18, 20, 40, 38, 31, 59, 41, 61, 76, 87, 57]
    derived = [found[str(year)][1] for year in range(2012, 2025)]
    assert derived == [6, 14, 17, 20, 39, 38, 31, 59, 41, 61, 76, 87, 57]


def test_chinese_models_of_2014_to_2024_match_within_2_except_2024(
    recorded: dict[str, pl.DataFrame],
) -> None:
    """By hand 2024 has 31: Epoch puts SenseTime in Hong Kong, the registry in China."""
    found = of(recorded, 2026, "CN")
    assert [found[str(year)][0] for year in range(2014, 2025)] == [
        3, 4, 4, 10, 1, 6, 8, 16, 12, 21, 29,
    ]  # fmt: skip
    page = [3, 4, 5, 10, 1, 6, 8, 18, 12, 23, 31]
    assert [found[str(year)][1] for year in range(2014, 2025)] == [*page[:-1], page[-1] + 1]


def test_2025_matches_the_second_revision(
    recorded: dict[str, pl.DataFrame],
) -> None:
    """59 / 35 / 8 in revision 2; our count of the US is one higher."""
    codes = ("US", "CN", "KR", "CA", "FR", "HK", "SG", "GB")
    found = {code: of(recorded, 2026, code)["2025"] for code in codes}
    assert found == {
        "US": (59, 60), "CN": (35, 35), "KR": (8, 8), **dict.fromkeys(codes[3:], (1, 1))
    }  # fmt: skip


def test_organizations_at_parent_level_match_the_second_revision(
    recorded: dict[str, pl.DataFrame],
) -> None:
    """2014-25 are equal, except that our count of Alibaba is one higher."""
    each = recorded["core.notable_model_labs"].filter(
        pl.col("vintage_date") == VINTAGE,
        pl.col("publication_date").dt.year().is_between(2014, 2025),
    )
    found = dict(each.unique(["line", "top_lab_id"])["top_lab_id"].value_counts().iter_rows())
    expected = {
        "google": 193,
        "meta": 87,
        "microsoft": 42,
        "nvidia": 30,
        "tsinghua-university": 26,
        "stanford-university": 26,
        "alibaba": 25,
    }
    assert {lab: found[lab] - n for lab, n in expected.items()} == {
        **dict.fromkeys(expected, 0),
        "alibaba": 1,
    }


@pytest.mark.parametrize(
    ("edition", "period", "residuals"),
    [
        (2025, "2003-2024", {"US": -6, "CN": 9, "FR": 1, "DE": 0, "GB": 1, "KR": 1, "CH": 0}),
        (2026, "2003-2025", {"US": 7, "CN": 13, "FR": 0, "DE": 5, "GB": 3, "KR": 4, "CH": 0}),
    ],
)
def test_the_published_residuals_of_the_sums(
    recorded: dict[str, pl.DataFrame], edition: int, period: str, residuals: dict[str, int]
) -> None:
    """As found on 2026-11-22: not a target. A change here is news and wants a new review.

    Great Britain went from 4 to 3 when Isomorphic Labs got its owner Alphabet.
    """
    found = {
        code: of(recorded, edition, code, "notable_models_cumulative")[period] for code in residuals
    }
    assert {code: b - a for code, (a, b) in found.items()} == residuals  # type: ignore[operator]


def test_the_editions_differ_in_method_and_britain_shows_it(
    recorded: dict[str, pl.DataFrame],
) -> None:
    """DeepMind counted in Britain in 2025 (72 models) and in the United States in 2026 (41)."""
    britain = recorded[TABLE].filter(
        pl.col("country_code") == "GB", pl.col("measure") == "notable_models_cumulative"
    )
    found = {(e, m): r for e, m, r in britain.select("edition", "method", "residual").iter_rows()}
    assert abs(found[2025, "organisation"]) <= 1 and found[2025, "parent"] < -30
    assert abs(found[2026, "parent"]) <= 4 and found[2026, "organisation"] > 30


def test_every_residual_of_the_editions_method_is_reviewed(
    recorded: dict[str, pl.DataFrame],
) -> None:
    own = recorded[TABLE].filter(pl.col("is_edition_method") & pl.col("n_printed").is_not_null())
    assert own.filter((pl.col("residual") != 0) & ~pl.col("is_reviewed")).is_empty()
    kinds = set(own["explanation"])
    assert kinds <= {
        "exact", "older_revision", "unit_abroad", "sum_of_years", "file_later", "unexplained",
    }  # fmt: skip


def test_99_percent_of_the_organizations_of_every_vintage_are_examined(
    recorded: dict[str, pl.DataFrame],
) -> None:
    each = recorded["core.notable_model_labs"]
    share = each.group_by("vintage_date").agg(pl.col("lab_id").is_null().mean())
    assert share["lab_id"].max() <= 0.01


@pytest.mark.parametrize(
    ("method", "american"), [("full", 86), ("first", 81), ("fractional", 74.9)]
)
def test_ways_of_counting_2023(
    recorded: dict[str, pl.DataFrame], method: str, american: float
) -> None:
    """US by Epoch's countries: 86 (full), 81 (first listed), 74.9 (fractional)."""
    models = recorded["core.notable_models"].filter(
        pl.col("vintage_date") == VINTAGE, pl.col("publication_year") == 2023
    )
    if method == "first":
        names = pl.col("country_names").str.split(",").list.first()
        assert models.filter(names == "United States of America").height == american
        return
    countries = table_of_countries(recorded)
    (row,) = countries.filter(
        pl.col("year") == 2023, pl.col("country_code") == "US", pl.col("source") == "epoch"
    ).iter_rows(named=True)
    column = "n_models" if method == "full" else "n_models_fractional"
    assert round(row[column], 1) == american


def table_of_countries(recorded: dict[str, pl.DataFrame]) -> pl.DataFrame:
    names = ("notable_models", "notable_model_labs", "countries")
    inputs = {name: recorded[f"core.{name}"].lazy() for name in names}
    return compute("mart.notable_models_by_country", **inputs)


def test_registry_and_epoch_differ_in_the_country_of_few_organizations(
    recorded: dict[str, pl.DataFrame],
) -> None:
    newest = recorded["core.notable_model_labs"].filter(pl.col("vintage_date") == VINTAGE)
    apart = newest.filter(~pl.col("is_country_in_epoch"))
    assert set(apart["organization"]) <= {
        "BigScience", "EleutherAI", "SenseTime", "Samsung R&D Institute Russia", "Toloka",
    }  # fmt: skip
    assert apart.height < 0.01 * newest.height
