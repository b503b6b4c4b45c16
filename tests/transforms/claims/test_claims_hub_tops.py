"""A listing of the first N models against the whole Hub that it was cut from."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import PROPERTY, rows
from tests.support.ledger import (
    STATED,
    ledger,
    listing,
    raw_trials,
    shares,
    snapshots,
    trial,
    tried,
)
from transforms.claims.requests import NEEDED

Model = tuple[str, int, int]  # id, downloads, likes
Hub = list[Model]

# Few different counts, so that there are ties.
hubs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=14).map(
    lambda counts: [(f"{'ab'[n % 2]}/{n}", d, k) for n, (d, k) in enumerate(counts)]
)
depths = st.tuples(st.integers(1, 8), st.integers(1, 8))

CHECKS: dict[str, dict[str, Any]] = {
    "rank": {"test": "model_rank", "unit": "rank", "names": "a/*", "metric": "likes"},
    "overlap": {"test": "top_overlap", "unit": "models", "top_n": 3, "metric": "downloads_30d"},
    "named": {"test": "top_overlap", "unit": "models", "top_n": 4, "metric": "downloads_30d"},
    "share": {"test": "download_concentration", "unit": "share", "top_share": 0.3},
    "number": {"test": "download_concentration", "unit": "share", "top_n": 2},
}
CHECKS["overlap"] |= {"other_metric": "likes"}
CHECKS["named"] |= {"other_metric": "likes", "names": "b/*"}
CHECKS["share"] |= {"metric": "downloads_30d"}
CHECKS["number"] |= {"metric": "likes"}


def cut(hub: Hub, by_downloads: int, by_likes: int) -> Hub:
    """The first models by downloads, and those by likes."""
    first = sorted(hub, key=lambda m: -m[1])[:by_downloads]
    liked = sorted(hub, key=lambda m: -m[2])[:by_likes]
    return sorted({*first, *liked})


def truth(hub: Hub, check: dict[str, Any]) -> float | None:
    """The value on the whole Hub, in plain Python."""
    column = {"downloads_30d": 1, "likes": 2}[check["metric"]]

    def place(model: Model, by: int) -> int:
        return 1 + sum(m[by] > model[by] for m in hub)

    start = str(check.get("names", "")).removesuffix("*")
    mine = [m for m in hub if m[0].startswith(start)]
    if check["test"] == "model_rank":
        return min((place(m, column) for m in mine), default=None)
    if check["test"] == "top_overlap":
        n = check["top_n"]
        return sum(place(m, 1) <= n and place(m, 2) <= n for m in mine)
    counts = sorted((m[column] for m in hub), reverse=True)
    k = check.get("top_n") or max(1, round(check["top_share"] * len(hub)))
    return sum(counts[:k]) / sum(counts) if sum(counts) else None


def tables(hub: Hub, n_hub: int, tops: str | None) -> dict[str, pl.LazyFrame]:
    counters = [{"model_id_hf": m, "downloads_30d": d, "likes": k} for m, d, k in hub]
    sizes = rows(
        "raw.registry_hub_sizes",
        {"as_of_date": STATED, "n_models": n_hub},
        basis="test",
        reviewer="test",
        known_from=date(2025, 1, 1),
    )
    return {
        "hub_daily_counters": rows("core.hub_daily_counters", *counters, as_of_date=STATED),
        "raw_registry_hub_sizes": sizes,
        "meta_snapshots": snapshots(tops=tops, rows_seen=len(hub)),
        **shares(listing(STATED, {"US": 1.0}, n_models=len(hub))),
    }


def judged(
    check: dict[str, Any], stated: float, relation: str, hub: Hub, n_hub: int, tops: str | None
) -> dict[str, Any]:
    about = {"relation": relation, "stated_value": stated, "tolerance": 0.0}
    return ledger(trial(**check, **about), **tables(hub, n_hub, tops))["stated"]


relations = st.sampled_from(["at_least", "at_most", "equals", "above"])


def found(about: dict[str, Any], *given: Any) -> dict[str, dict[str, Any]]:
    """Every check on one Hub, with the same relation and stated value."""
    trials = [trial(**check, **about, measure_id=name) for name, check in CHECKS.items()]
    made = tried(raw_trials(*trials), **tables(*given)).filter(pl.col("moment") == "stated")
    return {row["measure_id"]: row for row in made.iter_rows(named=True)}


@PROPERTY
@given(hubs, depths, relations, st.sampled_from([0.0, 0.4, 1.0, 2.0, 3.0]))
def test_a_cut_listing_never_contradicts_the_whole_hub(
    hub: Hub, depth: tuple[int, int], relation: str, stated: float
) -> None:
    by_downloads, by_likes = (min(n, len(hub)) for n in depth)
    part = cut(hub, by_downloads, by_likes)
    tops = f"downloads_30d:{by_downloads}, likes:{by_likes}"
    about = {"relation": relation, "stated_value": stated, "tolerance": 0.0}
    whole, seen = found(about, hub, len(hub), None), found(about, part, len(hub), tops)
    for name, check in CHECKS.items():
        due, row = truth(hub, check), seen[name]
        assert whole[name]["value"] == pytest.approx(due), name
        if due is None or len(part) >= NEEDED * len(hub):
            continue
        assert (row["value_lower"] or 0) <= due + 1e-9, name
        assert due <= (row["value_upper"] or float("inf")) + 1e-9, name
        assert row["holds"] in (None, whole[name]["holds"]), name


HUB = [(f"x/{n}", 100 - n, n) for n in range(90)] + [("lab/One", 95, 89), ("lab/Two", 3, 2)]
FIRST = cut(HUB, 20, 10)
TOPS = "downloads_30d:20, likes:10"


def test_a_place_among_the_first_models_is_exact() -> None:
    rank = {**CHECKS["rank"], "names": "lab/One", "metric": "downloads_30d"}
    row = judged(rank, 6.0, "equals", FIRST, 3_000_000, TOPS)
    assert (row["recomputed_value"], row["verdict"], row["coverage"]) == (6, "reproduced", 1.0)
    without = judged(rank, 6.0, "equals", FIRST, 3_000_000, None)
    assert (without["verdict"], without["recomputed_value"]) == ("not_testable", 6)


def test_a_model_that_is_not_listed_is_behind_the_first_ones() -> None:
    rank = {**CHECKS["rank"], "names": "lab/Two", "metric": "downloads_30d"}
    row = judged(rank, 10.0, "at_most", FIRST, 3_000_000, TOPS)
    assert (row["verdict"], row["recomputed_value"]) == ("contradicted", None)
    assert "at least rank 20, whatever was not observed" in row["reason"]
    assert judged(rank, 25.0, "at_most", FIRST, 3_000_000, TOPS)["verdict"] == "not_testable"


def test_a_listing_that_decides_is_preferred_to_a_nearer_excerpt() -> None:
    rank = {**CHECKS["rank"], "names": "lab/One", "metric": "downloads_30d"}
    about = {"relation": "equals", "stated_value": 6.0, "tolerance": 0.0, "within_days": 15}
    given = tables(FIRST, 3_000_000, TOPS)
    later = STATED + timedelta(days=5)
    excerpt = [{"model_id_hf": m, "downloads_30d": d, "likes": k} for m, d, k in FIRST[:3]]
    given["hub_daily_counters"] = pl.concat(
        [
            given["hub_daily_counters"],
            rows("core.hub_daily_counters", *excerpt, as_of_date=later),
        ]
    )
    given |= shares(
        listing(STATED, {"US": 1.0}, n_models=len(FIRST)), listing(later, {"US": 1.0}, n_models=3)
    )
    moved = trial(**rank, **{**about, "target_date": later})
    row = ledger(moved, **given)["stated"]
    assert (row["verdict"], row["observed_on"]) == ("reproduced", STATED)
    far = trial(**rank, **{**about, "target_date": later, "within_days": 3})
    assert ledger(far, **given)["stated"]["observed_on"] == later


def test_a_listing_that_lost_a_record_is_no_list_of_the_first() -> None:
    rank = trial(
        **{**CHECKS["rank"], "names": "lab/One", "metric": "downloads_30d"},
        **{"relation": "equals", "stated_value": 6.0, "tolerance": 0.0},
    )
    given = tables(FIRST, 3_000_000, TOPS)
    given["meta_snapshots"] = snapshots(tops=TOPS, rows_seen=len(FIRST) + 1)
    assert ledger(rank, **given)["stated"]["verdict"] == "not_testable"
