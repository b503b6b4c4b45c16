"""Every table of a build is what its transform gives without any optimization."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.conftest import DAY
from tests.support.builds import GENERATED, LATER, build_tables
from tests.support.reckoning import as_written, differing, reckoned
from tests.support.releases import copied_warehouse
from transforms.plan import plan

Right = dict[tuple[object, ...], str]


@pytest.fixture(scope="module")
def right() -> Right:
    """What was counted again: the recordings of two days have most tables in common."""
    return {}


def assert_reckoned(path: Path, as_of: date, right: Right | None = None) -> None:
    found = reckoned(path, {"as_of": as_of, "known_at": date.max}, right=right)
    assert set(found) == {step.table for step in plan()}
    assert {table: columns for table, columns in found.items() if columns} == {}


def test_the_sample_is_what_its_second_reckoning_gives(sampled: tuple[Path, str]) -> None:
    assert_reckoned(sampled[0] / "observatory.duckdb", DAY)


def test_a_generated_hub_is_what_its_second_reckoning_gives(
    generated: Path, tmp_path: Path
) -> None:
    build_tables(generated, GENERATED, tmp_path / "built.duckdb", tmp_path / "history")
    assert_reckoned(tmp_path / "built.duckdb", GENERATED)


@pytest.mark.slow  # every transform once more, unoptimized: half a minute a day of recordings
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("as_of", [LATER, DAY], ids=str)
def test_the_recordings_are_what_their_second_reckoning_gives(
    built_days: Callable[[date], Path], right: Right, as_of: date
) -> None:
    assert_reckoned(built_days(as_of), as_of, right)


# A number, a text and a row of a mart and of a core table, each changed alone.
FAULTS = {
    "mart.lab_measures": "SET model_name = 'another' WHERE rank_ordinal = 1",
    "mart.country_share_daily": "SET share = share * (1 + 1e-11) WHERE country_code = 'CN'",
    "core.hub_models": "SET is_llm_vlm = NOT is_llm_vlm WHERE model_id_hf ILIKE 'q%'",
}


@pytest.mark.parametrize("table", FAULTS)
def test_one_wrong_value_is_found_in_its_table(
    sampled: tuple[Path, str], tmp_path: Path, table: str
) -> None:
    copy = copied_warehouse(sampled[0] / "observatory.duckdb", tmp_path / "copy.duckdb")
    change = FAULTS[table]
    with duckdb.connect(str(copy)) as con:
        assert con.execute(f"UPDATE {table} {change}").fetchall()[0][0] > 0
    found = reckoned(copy, {"as_of": DAY, "known_at": date.max}, {table})
    assert found == {table: [change.split()[1]]}


def test_two_frames_differ_by_a_value_a_null_a_row_or_more_than_rounding() -> None:
    one = pl.DataFrame({"k": [1, 2, 3], "x": [1.0, float("nan"), None], "s": ["a", None, "c"]})

    def changed(**columns: list[object]) -> list[str]:
        other = one.with_columns(pl.Series(name, held) for name, held in columns.items())
        return differing(one, other.reverse(), ["k"])

    assert changed() == []
    assert changed(x=[1.0 + 1e-13, float("nan"), None]) == []
    assert changed(x=[1.0 + 1e-11, float("nan"), None]) == ["x"]
    assert changed(x=[1.0, 2.0, None]) == ["x"]
    assert changed(x=[1.0, float("nan"), 0.0]) == ["x"]
    assert changed(s=["a", "b", "c"]) == ["s"]
    assert differing(one, one.head(2), ["k"]) == ["3 rows, not 2"]


def test_a_query_of_the_second_reckoning_is_not_optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    collect = pl.LazyFrame.collect

    def noted(self: pl.LazyFrame, *, optimizations: pl.QueryOptFlags) -> pl.DataFrame:
        seen.append(optimizations.predicate_pushdown or optimizations.comm_subplan_elim)
        return collect(self, optimizations=optimizations)

    monkeypatch.setattr(pl.LazyFrame, "collect", noted)
    with as_written():
        assert pl.LazyFrame({"a": [1]}).collect().height == 1
        assert pl.DataFrame({"a": [1, 2]}).sort("a").height == 2
    assert seen and not any(seen)
    assert pl.LazyFrame.collect is noted
