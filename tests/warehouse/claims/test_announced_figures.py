"""Announced places, releases and sizes, checked in plain Python on the recorded files.

The claims are tested on tables of the warehouse. Here the same figures come from the recordings
themselves, so that a mistake in a transform cannot confirm itself.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import zstandard

from warehouse.claims.read import claims

OPEN = ("mit", "apache", "llama", "gemma", "open", "deepseek", "qwen", "cc-by", "nvidia", "yi ")


def places(
    recordings: Path, subset: str, day: str, *, bounds: bool = False, only_open: bool = False
) -> dict[str, int]:
    """The place of every model of a recorded board, by rating or by bounds."""
    folder = recordings / "lmarena" / "leaderboard-dataset" / subset
    board = pl.read_parquet(folder / "full-00000-of-00001.parquet").filter(
        pl.col("leaderboard_publish_date") == day, category="overall"
    )
    models = [
        (r["model_name"], r["rating"], r["rating_lower"], r["rating_upper"])
        for r in board.iter_rows(named=True)
        if not only_open or any(word in (r["license"] or "").lower() for word in OPEN)
    ]
    assert models, (subset, day)
    if bounds:
        return {n: 1 + sum(low > up for _, _, low, _ in models) for n, _, _, up in models}
    return {n: 1 + sum(other > mine for _, other, _, _ in models) for n, mine, _, _ in models}


STYLE = "text_style_control"


@pytest.mark.parametrize(
    ("subset", "day", "model", "kind", "stated"),
    [
        ("text", "2025-04-08", "llama-4-maverick-03-26-experimental", "rating", 2),
        ("text", "2025-01-07", "deepseek-v3", "rating", 9),
        ("text", "2024-10-16", "yi-lightning", "bounds", 6),
        ("text", "2024-04-22", "llama-3-70b-instruct", "rating", 5),
        (STYLE, "2026-04-30", "ernie-5.1-preview", "rating", 12),
        (STYLE, "2026-04-03", "gemma-4-31b", "open", 3),
        (STYLE, "2026-04-03", "gemma-4-26b-a4b", "open", 6),
        (STYLE, "2026-02-27", "glm-5", "open", 1),
        (STYLE, "2026-02-27", "qwen3.5-397b-a17b", "open", 2),
    ],
)
def test_an_announced_place_is_that_of_the_recorded_board(
    recordings: Path, subset: str, day: str, model: str, kind: str, stated: int
) -> None:
    found = places(recordings, subset, day, bounds=kind == "bounds", only_open=kind == "open")
    assert found[model] == stated


def test_the_released_maverick_is_far_below_the_experimental_one(recordings: Path) -> None:
    by_bounds = places(recordings, "text", "2025-04-11", bounds=True)
    assert abs(by_bounds["llama-4-maverick-17b-128e-instruct"] - 32) <= 2
    assert places(recordings, "text", "2025-04-13")["llama-4-maverick-17b-128e-instruct"] == 38


def test_glm_4_7_is_not_among_the_first_ten_on_text(recordings: Path) -> None:
    for subset in ("text", STYLE):
        assert places(recordings, subset, "2026-03-27")["glm-4.7"] > 25


def test_the_spread_of_the_first_ten_depends_on_withdrawn_models(recordings: Path) -> None:
    folder = recordings / "lmarena" / "leaderboard-dataset" / "text"
    every = pl.read_parquet(folder / "full-00000-of-00001.parquet").filter(category="overall")
    for day, low, high in (
        ("2025-01-20", 5.1, 5.7),
        ("2025-02-17", 5.1, 5.7),
        ("2025-02-14", 2, 3),
    ):
        ratings = every.filter(leaderboard_publish_date=day)["rating"].sort(descending=True)
        assert low < 100 * (ratings[0] / ratings[9] - 1) < high, day


@cache
def catalog(recordings: Path) -> dict[str, dict[str, Any]]:
    """The models of the largest recorded listing, by id."""
    packed = (recordings / "hub" / "2026-10-15" / "models.ndjson.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()
    return {model["id"]: model for model in map(orjson.loads, lines)}


def measured(test: str) -> list[Any]:
    """The claims' own trials of a test, of exact names only."""
    return [
        pytest.param(claim, measure, check, id=f"{claim.id}-{measure.id}")
        for claim in claims()
        for definition, measure, check in claim.trials()
        if check.test == test and definition.is_own and getattr(check, "exact", True)
    ]


@pytest.mark.parametrize(("claim", "measure", "check"), measured("model_parameters"))
def test_a_stated_size_is_that_of_the_recorded_files(
    recordings: Path, claim: Any, measure: Any, check: Any
) -> None:
    size = catalog(recordings)[check.subject]["safetensors"]["total"]
    if measure.relation == "equals":
        assert abs(size - measure.stated) <= measure.tolerance, claim.id
    else:
        assert size >= measure.stated, claim.id


@pytest.mark.parametrize(("claim", "measure", "check"), measured("repositories_created"))
def test_a_stated_release_is_that_of_the_recorded_repositories(
    recordings: Path, claim: Any, measure: Any, check: Any
) -> None:
    found = 0
    for name in check.names:
        model = catalog(recordings)[name]
        day = date.fromisoformat(model["createdAt"][:10])
        licenses = {
            t.removeprefix("license:") for t in model.get("tags", ()) if t.startswith("license:")
        }
        fits = not check.licenses or bool(licenses & set(check.licenses))
        found += fits and check.period_from <= day <= check.period_to
    expected = 0 if (claim.id, measure.id) == ("r1-and-v3-early-2025", "v3") else measure.stated
    assert found == expected, claim.id


def test_likes_of_the_most_downloaded_model(recordings: Path) -> None:
    packed = (recordings / "hub" / "2026-08-07" / "models.ndjson.zst").read_bytes()
    lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()
    likes = {m["id"]: m["likes"] for m in map(orjson.loads, lines)}
    assert abs(likes["sentence-transformers/all-MiniLM-L6-v2"] - 5156) <= 50


def test_costs_are_those_of_epochs_newest_recorded_file(recordings: Path) -> None:
    path = recordings / "epoch" / "2026-05-02" / "notable_ai_models.csv"
    with path.open(encoding="utf-8", newline="") as file:
        models = {row["Model"].strip(): row for row in csv.DictReader(file)}
    cost = "Training compute cost (2023 USD)"
    v3, llama = models["DeepSeek-V3"], models["Llama 3.1-405B"]
    assert abs(float(v3[cost]) - 5_576_000) < 400_000
    assert float(v3[cost]) / float(llama[cost]) < 0.25
    compute = "Training compute (FLOP)"
    assert 1 / 16 < float(v3[compute]) / float(llama[compute]) < 1 / 8
    cloud = "Training compute cost (cloud)"
    assert abs(float(models["GPT-4 (Mar 2023)"][cloud]) / 78e6 - 1) < 0.1
    assert abs(float(models["Gemini 1.0 Ultra"][cloud]) / 191e6 - 1) < 0.1


def test_eight_qwen_models_alone_had_more_than_was_said_of_the_family(
    more_recordings: Path,
) -> None:
    path = more_recordings / "hub_evolution" / "all_downloads_with_annotations.parquet"
    totals: dict[tuple[str, str], int] = {}
    for row in pl.read_parquet(path).iter_rows(named=True):
        day, author = row["time"].date().isoformat(), row["author"]
        totals[author, day] = totals.get((author, day), 0) + row["downloadsAllTime"]
    assert totals["Qwen", "2025-02-26"] > 40e6
    assert totals["Qwen", "2025-12-24"] > 50e6  # said: an estimated 40 million
    assert totals["meta-llama", "2025-12-24"] > 46e6  # said: roughly 37 million
    assert totals["Qwen", "2025-12-31"] < 700e6  # too few models to confirm 700 million
