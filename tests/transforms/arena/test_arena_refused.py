"""One unusable cell costs no rating, and no ranking goes on without a rated row."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from tests.support.frames import Row, everything, registry, rows
from transforms.arena.refused import refused_rows

DAY = date(2026, 8, 1)
FILE = "text/full-00000-of-00001.parquet"
LEADERS = ("mart.arena_leaders", "mart.arena_lab_leaders")
TARGETS = {*LEADERS, "mart.lab_measures", "meta.arena_boards"}
CATEGORIES = rows(
    "raw.registry_arena_categories",
    {"source_category": "full", "category": "overall"},
    {"source_category": "hard_6", "category": "hard_prompts"},
)


def line(name: str, rating: float, lab: str = "us-lab", **more: Any) -> Row:
    sides = {"rating_lower": rating - 5, "rating_upper": rating + 5}
    return {"model_name": name, "organization": lab, "rating": rating, **sides, **more}


def quarantined(table: str, file: str, record: object, **more: Any) -> Row:
    about = {"snapshot_id": f"lmarena/{DAY}", "snapshot_date": DAY, "line": 1}
    text = record if isinstance(record, str) else json.dumps(record)
    reason = "rating: expected number"
    named = {"table_name": table, "file_name": file, "reason": reason, "record": text}
    return {**about, **named, **more}


def refused_line(name: str | None, rating: object = "Infinity", **more: Any) -> Row:
    about = {"category": "overall", "leaderboard_publish_date": str(DAY), "rating": rating}
    record = json.dumps({"model_name": name, **about, **more}).replace('"Infinity"', "Infinity")
    return quarantined("raw.arena_leaderboards", FILE, record)


def made(*lines: Row, refused: list[Row] | None = None, **raw: pl.LazyFrame) -> dict[str, Any]:
    about = {"snapshot_id": f"lmarena/{DAY}", "snapshot_date": DAY, "subset": "text"}
    about |= {"category": "overall", "leaderboard_publish_date": DAY}
    numbered = [{**about, "line": i, **given} for i, given in enumerate(lines, 1)]
    return everything(
        DAY,
        TARGETS,
        raw_arena_leaderboards=rows("raw.arena_leaderboards", *numbered),
        raw_arena_refused_rows=rows("raw.arena_refused_rows", *(refused or [])),
        raw_registry_arena_categories=CATEGORIES,
        **registry({"us-lab": "US", "cn-lab": "CN"}, system="lmarena"),
        **raw,
    )


REST = [line(f"model-{i}", 1490.0 - i) for i in range(5)]


def test_a_leader_with_an_open_interval_leads_without_a_probability() -> None:
    """Case 10: a new model with few votes and an infinite upper bound, which is null."""
    found = made(line("newcomer", 1510.0, "cn-lab", rating_upper=None, rating_lower=1400.0), *REST)
    leaders = found["mart.arena_leaders"].sort("best_rank_ordinal")
    columns = ["country_code", "best_model", "best_rank_ordinal", "rating", "rating_upper"]
    assert leaders.select(columns).row(0) == ("CN", "newcomer", 1, 1510.0, None)
    assert set(leaders["probability_first"]) == {None}
    assert set(leaders["probability_reason"]) == {"no_variance"}


def test_a_board_with_a_rejected_rated_row_has_no_leader() -> None:
    coding = [{**given, "category": "coding"} for given in REST]
    found = made(*REST, *coding, refused=[refused_line("newcomer")])
    for table in LEADERS:
        assert set(found[table]["category"]) == {"coding"}
    assert "model-0" not in set(found["mart.lab_measures"]["model_name"])
    ratings = found["core.arena_ratings"].filter(category="overall")
    assert ratings.height == len(REST)  # what was good stays
    shown = ratings.select("n_missing", "rank_ordinal", "n_tied", "rank_ub", "probability_best")
    assert shown.unique().rows() == [(1, None, None, None, None)]
    assert set(ratings["probability_reason"]) == {"row_refused"}
    boards = found["meta.arena_boards"].select("category", "n_missing").sort("category").rows()
    assert boards == [("coding", 0), ("overall", 1)]


@pytest.mark.parametrize(
    "refused",
    [
        refused_line("newcomer", category="french"),
        refused_line("newcomer", leaderboard_publish_date="2026-07-01"),
        {**refused_line("newcomer", rating=None), "reason": "missing model, category or date"},
        {**refused_line("newcomer"), "table_name": "raw.epoch_models"},
        refused_line("MODEL-0 "),  # that model is rated on the board
    ],
)
def test_rejected_unrated_rows_do_not_affect_the_leader(refused: Row) -> None:
    found = made(*REST, refused=[refused])["mart.arena_leaders"]
    assert found["best_model"].to_list() == ["model-0"]


def test_a_rejected_row_without_a_name_may_be_any_model() -> None:
    nameless = {**refused_line(None, rating=1600.0), "reason": "missing model, category or date"}
    assert made(*REST, refused=[nameless])["mart.arena_leaders"].height == 0


def test_only_the_newest_snapshot_of_a_file_counts() -> None:
    old = {**refused_line("newcomer"), "snapshot_date": date(2026, 7, 31)}
    elsewhere = {**refused_line("model-0"), "line": 2}
    found = made(*REST, refused=[old, elsewhere])["mart.arena_leaders"]
    assert found["best_model"].to_list() == ["model-0"]


def test_a_rejected_row_that_another_source_has_is_not_missing() -> None:
    about = {"snapshot_id": "arena_catalog/x", "snapshot_date": DAY, "file_name": "x"}
    about |= {"commit_id": "c", "committed_at": datetime(2026, 8, 1), "commit_date": DAY}
    about |= {"subset": "text", "source_category": "full"}
    names = [("newcomer", 1510.0), *((f"model-{i}", 1490.0 - i) for i in range(5))]
    catalog = rows(
        "raw.arena_catalog_ratings",
        *({**about, "line": i, "model_name": n, "rating": r} for i, (n, r) in enumerate(names, 1)),
    )
    found = made(*REST, refused=[refused_line("newcomer")], raw_arena_catalog_ratings=catalog)
    leaders = found["mart.arena_leaders"].sort("best_rank_ordinal")
    assert leaders["best_model"][0] == "newcomer"


@pytest.mark.parametrize(
    ("table", "file", "record", "expected"),
    [
        (
            "arena_leaderboards",
            "text_style_control/full-00000-of-00001.parquet",
            '{"model_name":"a \\"b\\"","rating":NaN,"category":"coding",'
            '"leaderboard_publish_date":"2026-08-01 00:00:00"}',
            ("text_style_control", "coding", DAY),
        ),
        (
            "arena_space_ratings",
            "elo_results_20260801.pkl",
            {"subset": "vision", "source_category": "hard_6", "model_name": "a", "rating": None},
            ("vision", "hard_prompts", DAY),
        ),
        (
            "arena_space_tables",
            "leaderboard_table_20260801-2.csv",
            {"key": "a", "Model": "A", "Arena Elo rating": "many"},
            ("text", "overall", DAY),
        ),
        (
            "arena_catalog_ratings",
            "20260801T120000Z.0123456789ab/leaderboard-data-style-control.json",
            {"full": {"a": {"rating": "x"}}},
            ("text_style_control", "overall", DAY),
        ),
        (
            "arena_catalog_ratings",
            "20260801T120000Z.0123456789ab/leaderboard-vision.json",
            {"new one": {"a": {"rating": True}}},
            ("vision", "new one", DAY),
        ),
    ],
)
def test_the_board_of_a_rejected_row_is_found_in_every_source(
    table: str, file: str, record: object, expected: tuple[str, str, date]
) -> None:
    given = rows("raw.arena_refused_rows", quarantined(f"raw.{table}", file, record))
    found = refused_rows(given, CATEGORIES.select("source_category", "category")).collect()
    assert found.select("board", "category", "publish_date").rows() == [expected]
    assert found["name"][0].startswith("a")
