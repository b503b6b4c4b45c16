"""The recorded boards: the break of 2025-05-20, and retired models."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from tests.support.arena_sources import OLD, Tables, catalog, dataset, entry, made

BREAK = date(2025, 5, 20)
FILES = {
    "text": "leaderboard-text.json",
    "text_style_control": "leaderboard-text-style-control.json",
}


def recorded_boards(recordings: Path) -> pl.LazyFrame:
    """The data set's text boards of the days around the break."""
    found = []
    for subset in FILES:
        path = recordings / f"lmarena/leaderboard-dataset/{subset}/full-00000-of-00001.parquet"
        held = pl.read_parquet(path).filter(
            pl.col("leaderboard_publish_date").str.to_date().is_in([OLD, BREAK])
        )
        found += [{**row, "subset": subset} for row in held.iter_rows(named=True)]
    text = "organization", "license"
    return dataset(
        *(
            {
                **row,
                **{c: row[c] or None for c in text},
                "leaderboard_publish_date": date.fromisoformat(row["leaderboard_publish_date"]),
            }
            for row in found
        )
    )


def recorded_catalog(recordings: Path) -> pl.LazyFrame:
    """arena-catalog's text boards of those days."""
    lines = [
        entry(
            name,
            values["rating"],
            day,
            rating_lower=values["rating_q025"],
            rating_upper=values["rating_q975"],
            subset=subset,
            source_category=category,
            file_name=f"{day}/{file}",
        )
        for day in (OLD, BREAK)
        for subset, file in FILES.items()
        for category, models in json.loads(
            (recordings / f"lmarena/arena-catalog/{day}/{file}").read_text("utf-8")
        ).items()
        for name, values in models.items()
    ]
    return catalog(*lines)


@pytest.fixture(scope="module")
def around_the_break(recordings: Path) -> tuple[Tables, Tables, list[str]]:
    """Both days by all sources; and again without some models in the data set's coding board."""
    full, others = recorded_boards(recordings), recorded_catalog(recordings)
    names = full.filter(pl.col("category") == "coding").select("model_name").collect().to_series()
    gone = sorted(names.unique())[::7]
    dropped = (pl.col("category") == "coding") & pl.col("model_name").is_in(gone)
    first, second = (
        made(raw_arena_leaderboards=boards, raw_arena_catalog_ratings=others)
        for boards in (full, full.filter(~dropped))
    )
    return first, second, gone


@pytest.mark.parametrize(
    ("board_name", "category", "median"),
    [
        ("text_style_control", "overall", 59.9),
        ("text", "exclude_ties", -179),
        ("text", "korean", -170),
        ("text", "japanese", -151),
        ("text", "chinese", -65),
        ("text", "french", 62),
        ("text", "spanish", 38),
        ("text", "english", 29),
    ],
)
def test_the_recorded_break_of_2025_05_20_is_found(
    around_the_break: tuple[Tables, Tables, list[str]],
    board_name: str,
    category: str,
    median: float,
) -> None:
    held = around_the_break[0]["core.arena_scale_segments"]
    (found,) = held.filter(board=board_name, category=category, segment_id=2).to_dicts()
    assert found["first_publish_date"] == BREAK
    assert found["is_detected"]
    assert found["shift_median"] == pytest.approx(median, abs=0.6)
    if board_name == "text_style_control":
        assert found["n_common_models"] == 228
        assert found["shift_min"] == pytest.approx(57.8, abs=0.05)
        assert found["shift_max"] == pytest.approx(64.4, abs=0.05)


def test_the_recorded_raw_overall_board_has_no_detected_break(
    around_the_break: tuple[Tables, Tables, list[str]],
) -> None:
    held = around_the_break[0]["core.arena_scale_segments"]
    assert held.filter(board="text", category="overall").height == 1


def test_retired_models_are_restored_from_the_recorded_catalog(
    around_the_break: tuple[Tables, Tables, list[str]],
) -> None:
    full, healed, gone = around_the_break
    shown = ["board", "publish_date", "model_id", "rank_ordinal", "rank_ub", "n_tied"]
    of_coding = [t["core.arena_ratings"].filter(category="coding") for t in (full, healed)]
    for want, got in zip(*(t.select(shown).sort(shown) for t in of_coding), strict=False):
        assert got.to_list() == want.to_list()
    back = of_coding[1].filter(board_source="arena_catalog")
    assert len(gone) > 30
    assert set(back["board"]) == set(FILES)
    assert back["model_id"].n_unique() == len(gone)
    disagreeing = healed["meta.arena_boards"].select("n_disagreeing", "n_other_scale").sum()
    assert disagreeing.rows() == [(0, 0)]


def test_the_recorded_overall_board_itself_lacks_retired_models(
    around_the_break: tuple[Tables, Tables, list[str]],
) -> None:
    """As the site hid them until July 2025: gemini-exp-1206 is among them."""
    board = around_the_break[0]["core.arena_ratings"].filter(
        board="text", category="overall", publish_date=OLD
    )
    assert board.height == 228  # the recorded dataset has 197 of them
    found = board.filter(board_source="arena_catalog")
    assert found.height == 31
    assert "gemini-exp-1206" in {n.lower() for n in found["model_name_arena"]}
