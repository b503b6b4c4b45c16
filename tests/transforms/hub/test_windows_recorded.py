"""Windows of the study's 41 recorded models, against plain Python over its file."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.support.frames import everything
from tests.support.study_file import raw_study
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import connect, create_tables, insert_frame
from warehouse.registry.load import reference_tables

FILE = "all_downloads_with_annotations.parquet"
TABLE = "mart.country_share_window"
# The asked window, and the days whose counters it uses.
WINDOWS = [
    ((date(2025, 9, 30), date(2025, 12, 31)), (date(2025, 9, 24), date(2025, 12, 31))),
    ((date(2026, 5, 2), date(2026, 6, 1)), (date(2026, 5, 1), date(2026, 6, 1))),
    ((date(2025, 8, 20), date(2026, 8, 20)), (date(2025, 8, 20), date(2026, 8, 20))),
]


@pytest.fixture(scope="module")
def study(more_recordings: Path) -> Path:
    return more_recordings / "hub_evolution" / FILE


@pytest.fixture(scope="module")
def tables(study: Path) -> dict[str, pl.DataFrame]:
    registry = {f"raw_{n.removeprefix('raw.')}": f.lazy() for n, f in reference_tables().items()}
    given = {k: f for k, f in registry.items() if k.startswith("raw_registry_")}
    raw = raw_study(study)
    return everything(date(2026, 10, 15), {TABLE}, raw_hub_evolution_counters=raw, **given)


def in_csv(name: str) -> list[dict[str, str]]:
    path = ROOT / "warehouse" / "registry" / "data" / name
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def held(row: dict[str, str], day: date) -> bool:
    """Whether a row of the registry is valid on the day and not withdrawn."""
    start, end = row["valid_from"], row["valid_to"]
    return not row.get("known_to") and start <= str(day) and (not end or str(day) < end)


def country_of(author: str, day: date) -> str:
    labs = [
        r["lab_id"]
        for r in in_csv("namespaces.csv")
        if r["system"] == "hub" and r["namespace"].lower() == author.lower() and held(r, day)
    ]
    codes = [r["country_code"] for r in in_csv("labs.csv") if r["lab_id"] in labs and held(r, day)]
    return codes[0] if codes else "XX"


def by_hand(study: Path, first: date, last: date) -> dict[str, int]:
    """Downloads by country: the counter of the last day minus that of the first, per model."""
    counters: dict[date, dict[str, int]] = defaultdict(dict)
    for row in pq.read_table(study, columns=["model", "time", "downloadsAllTime"]).to_pylist():
        counters[row["time"].date()][row["model"]] = row["downloadsAllTime"]
    sums: dict[str, int] = defaultdict(int)
    for model, counter in counters[last].items():
        sums[country_of(model.split("/")[0], last)] += counter - counters[first][model]
    return dict(sums)


@pytest.mark.parametrize(("asked", "used"), WINDOWS, ids=["quarter", "30 days", "year"])
def test_shares_equal_a_reckoning_by_hand(
    study: Path, tables: dict[str, pl.DataFrame], asked: Any, used: Any
) -> None:
    due = by_hand(study, *used)
    found = tables[TABLE].filter(
        pl.col("window_start") == asked[0],
        pl.col("window_end") == asked[1],
        pl.col("population") == "all",
        pl.col("attribution") == "publisher",
        pl.col("credit") == "fractional",
    )
    assert set(found.select("first_counter_on", "last_counter_on").rows()) == {used}
    assert dict(found.select("country_code", "downloads").rows()) == due
    for code, share in found.select("country_code", "share").iter_rows():
        assert share == pytest.approx(due[code] / sum(due.values()), rel=1e-12)
    assert set(found["denominator"]) == {sum(due.values())}
    assert found["n_models"].sum() == 41
    assert set(found["panel"]) == {"excerpt"}


def test_defects_of_the_file_are_flagged(tables: dict[str, pl.DataFrame]) -> None:
    counters, days = tables["core.hub_all_time_counters"], tables["core.hub_all_time_days"]
    repeated = days.filter(pl.col("repeats_date").is_not_null())
    assert repeated.select("as_of_date", "repeats_date", "is_usable").rows() == [
        (date(2025, 7, 2), date(2025, 5, 28), False)
    ]
    assert date(2025, 7, 2) not in tables[TABLE]["last_counter_on"].to_list()
    jumps = set(counters.filter("is_jump").select("model_id_hf", "as_of_date").rows())
    assert {
        ("meta-llama/Meta-Llama-3-8B", date(2025, 5, 28)),
        ("Qwen/Qwen3-32B", date(2025, 9, 24)),
    } <= jumps
    assert not counters["is_fall"].any()


def test_the_macro_gives_the_shares_of_the_mart(tables: dict[str, pl.DataFrame]) -> None:
    read = ("core.hub_all_time_counters", "core.hub_all_time_days", "core.namespaces", "core.labs")
    with connect() as con:
        create_tables(con)
        for table in read:
            insert_frame(con, contract(table), tables[table])
        for (start, end), used in WINDOWS:
            found = con.execute("FROM mart.share_window(?, ?)", [start, end]).pl()
            due = tables[TABLE].filter(
                pl.col("window_start") == start,
                pl.col("window_end") == end,
                pl.col("population") == "all",
                pl.col("attribution") == "publisher",
                pl.col("credit") == "fractional",
            )
            assert set(found.select("first_counter_on", "last_counter_on").rows()) == {used}
            columns = ("country_code", "downloads", "share")
            assert sorted(found.select(columns).rows()) == sorted(due.select(columns).rows())
