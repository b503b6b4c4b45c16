"""Panels: which models a day's listing holds, and that no series joins two of them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, compute, rows
from transforms.core.hub_panels import SAME_PANEL

COUNTS = (
    *("models_changed", "models_new", "models_returned", "models_compared", "models_unchanged"),
    *("models_compared_100", "models_unchanged_100", "downloads_30d", "downloads_30d_compared"),
    *("downloads_30d_compared_before", "models_compared_all_time", "downloads_all_time_rises"),
    *("downloads_all_time_falls", "models_fallen_all_time"),
)
SIZES = {date(2025, 10, 23): 2_000, date(2026, 8, 7): 3_000}


def panels(
    *listed: set[int], whole: tuple[int, ...] = (), sizes: dict[date, int] = SIZES
) -> pl.DataFrame:
    """core.hub_panels of listings on consecutive days, from the sets of their models."""
    days = [
        {
            "snapshot_id": f"hub/{n}",
            "snapshot_date": DAY + timedelta(days=n),
            "is_whole_sweep": n in whole,
            "models": len(now),
            "models_before": len(before),
            "models_left": len(before - now),
        }
        for n, (before, now) in enumerate(zip([set(), *listed], listed, strict=False))
    ]
    reviewed = {"basis": "a count", "reviewer": "test", "known_from": date(2026, 1, 1)}
    counted = [{"as_of_date": d, "n_models": n} for d, n in sizes.items()]
    return compute(
        "core.hub_panels",
        raw_hub_history_days=rows("raw.hub_history_days", *days, **dict.fromkeys(COUNTS, 0)),
        raw_registry_hub_sizes=rows("raw.registry_hub_sizes", *counted, **reviewed),
    )


def test_days_that_list_mostly_the_same_models_are_one_panel() -> None:
    first, second, other = set(range(10)), set(range(2, 12)), set(range(9, 40))
    made = panels(first, second, other, other)
    later = f"excerpt_{DAY + timedelta(days=2)}"
    assert made["panel_id"].to_list() == [f"excerpt_{DAY}"] * 2 + [later] * 2
    assert made["models_in_common"].to_list()[:2] == [None, pytest.approx(8 / 12)]


def test_complete_sweeps_are_one_panel_despite_excerpts_between_them() -> None:
    hub, few = set(range(100)), set(range(10))
    made = panels(hub, few, few, hub, whole=(0, 3))
    excerpt = f"excerpt_{DAY + timedelta(days=1)}"
    assert made["panel_id"].to_list() == ["whole_hub", excerpt, excerpt, "whole_hub"]
    assert made["panel_share_of_models"].to_list() == [1.0, 10 / 3000, 10 / 3000, 1.0]
    assert made["panel_share_of_downloads"].to_list() == [1.0, None, None, 1.0]


def test_the_size_of_the_hub_is_that_of_the_nearest_count_or_unknown() -> None:
    (row,) = panels({1, 2, 3}).to_dicts()
    assert (row["hub_models_total"], row["hub_counted_on"]) == (3_000, date(2026, 8, 7))
    (row,) = panels({1, 2, 3}, sizes={}).to_dicts()
    assert (row["hub_models_total"], row["panel_share_of_models"]) == (None, None)


@PROPERTY
@given(st.lists(st.sets(st.integers(0, 8), min_size=1), min_size=1, max_size=6))
def test_neighbors_in_a_panel_share_half_their_models(listed: list[set[int]]) -> None:
    made = panels(*listed)
    names = made["panel_id"].to_list()
    same_panel = [x == y for x, y in pairwise(names)]
    for (a, b), same in zip(pairwise(listed), same_panel, strict=True):
        assert same == (len(a & b) / len(a | b) >= SAME_PANEL)
    assert made["panel_share_of_models"].is_between(0, 1).all()


def test_a_lead_is_not_carried_from_one_panel_to_another() -> None:
    shared = {
        **{
            "population": "all",
            "metric": "downloads_30d",
            "metric_window": "30d",
            "credit": "fractional",
        },
        **{"attribution": "publisher", "country_name": "x", "denominator": 1.0},
        **{"n_models_population": 1, "n_models_without_counter": 0},
    }
    given = [
        {
            "as_of_date": DAY + timedelta(days=n),
            "country_code": code,
            "share": share,
            "panel_id": "excerpt_a" if n < 3 else "excerpt_b",
        }
        for n in range(6)
        for code, share in (("US", 0.7 if n < 3 else 0.3), ("CN", 0.3 if n < 3 else 0.7))
    ]
    counts = ("models", "models_changed", "models_new", "models_left", "models_returned")
    zero = dict.fromkeys((*counts, "models_compared", "models_compared_100"), 1)
    days = [{"as_of_date": DAY + timedelta(days=n)} for n in range(6)]
    made = compute(
        "mart.hub_leader_changes",
        country_share_daily=rows("mart.country_share_daily", *given, **shared),
        hub_counter_days=rows("core.hub_counter_days", *days, **zero, is_whole_sweep=False),
    )
    shown = made.sort("confirmed_date").select("panel_id", "previous_holder", "holder").rows()
    assert shown == [("excerpt_a", None, "US"), ("excerpt_b", None, "CN")]
    assert pl.Series(made["confirmed_date"]).n_unique() == 2
