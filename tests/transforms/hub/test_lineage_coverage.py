"""Shares by base: the part with a recorded lineage, and the doubt about the rest."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, REVIEWED, Row, compute, everything, registry, rows
from warehouse.contracts.table import contract

LABS = {"us-lab": "US", "cn-lab": "CN", "packer": "FR"}
TABLES = {
    f"mart.{name}"
    for name in (
        "country_share_daily",
        "lab_share_daily",
        "family_share_daily",
        "attribution_range",
    )
}
WHOLE_TAGS = json.dumps(["region:us"])  # the Hub's own list of tags, without a parent
ALL = {"population": "all", "metric": "downloads_30d"}


def model(name: str, downloads: int, *parents: str, recorded: bool = False) -> Row:
    field = json.dumps({"models": [{"id": p} for p in parents]})
    return {
        **{"model_id_hf": name, "author": name.partition("/")[0], "downloads_30d": downloads},
        "base_models_json": field if parents else None,
        "tags_json": WHOLE_TAGS if recorded else None,
    }


def family(name: str, lab: str) -> dict[str, pl.LazyFrame]:
    reviewed = {k: v for k, v in REVIEWED.items() if k in ("reviewer", "known_from", "basis")}
    about = {**reviewed, "confidence": "low", "kind": "lab"}

    def made(table: str, **given: Any) -> pl.LazyFrame:
        return rows(
            table, {k: v for k, v in {**about, **given}.items() if k in contract(table).columns}
        )

    return {
        "raw_registry_families": made(
            "raw.registry_families", family_id=name, family_name=name, lab_id=lab
        ),
        "raw_registry_family_rules": made(
            "raw.registry_family_rules",
            family_id=name,
            system="hub",
            pattern=f"^{name}",
            priority=1,
        ),
    }


def marts(*models: Row, **more: pl.LazyFrame) -> dict[str, pl.DataFrame]:
    about = {"snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "file_name": "0.json"}
    listing = rows("raw.hub_models", *models, **about)
    raw = {**registry(LABS), **family("big", "cn-lab"), **more, "raw_hub_models": listing}
    return everything(DAY, TABLES, **raw)


def shares(made: dict[str, pl.DataFrame], by: str = "country", **cut: str) -> list[Row]:
    wanted = {**ALL, "attribution": "base", **cut}
    frame = made[f"mart.{by}_share_daily"].filter(**wanted)
    return frame.filter(credit="fractional").to_dicts() if by == "country" else frame.to_dicts()


def test_shares_by_base_are_null_without_a_recorded_lineage() -> None:
    made = marts(model("us-lab/a", 3), model("cn-lab/big", 1))
    for by in ("country", "lab", "family"):
        held = shares(made, by)
        assert held
        for row in held:
            assert (row["share"], row["numerator"], row["n_models"]) == (None, None, None)
            assert (row["share_missing"], row["lineage_coverage"]) == ("lineage_not_recorded", 0)
        assert {r["share_missing"] for r in shares(made, by, attribution="publisher")} == {None}
    assert {r["share_upper"] for r in shares(made)} == {None}
    assert {r["top_lab_id"] for r in shares(made)} == {None}
    ranges = made["mart.attribution_range"]
    named = set(ranges["definition_lowest"]) | set(ranges["definition_highest"])
    assert not [d for d in named if "base" in d]


def test_unrecorded_lineage_widens_the_bounds() -> None:
    made = marts(
        model("us-lab/a", 50, recorded=True),
        model("us-lab/b", 20),
        model("cn-lab/c", 20, recorded=True),
        model("who/d", 10, recorded=True),
    )
    found = {r["country_code"]: r for r in shares(made)}
    assert {r["lineage_coverage"] for r in found.values()} == {0.8}
    bounds = {c: (r["share_lower"], r["share"], r["share_upper"]) for c, r in found.items()}
    assert bounds["US"] == pytest.approx((0.5, 0.7, 0.8))
    assert bounds["CN"] == pytest.approx((0.2, 0.2, 0.5))
    assert bounds["XX"] == pytest.approx((0.0, 0.1, 0.3))
    publisher = {r["country_code"]: r for r in shares(made, attribution="publisher")}
    assert {r["lineage_coverage"] for r in publisher.values()} == {None}
    assert publisher["CN"]["share_upper"] == pytest.approx(0.3)


def test_a_reviewed_parent_counts_as_recorded() -> None:
    added = {"model_id_hf": "us-lab/a", "base_model_id_hf": "cn-lab/c", "relation": "finetune"}
    table = "raw.registry_lineage_exceptions"
    about = {**REVIEWED, **added, "action": "add", "evidence": "x", "reason": "x", "basis": "x"}
    exceptions = rows(table, {k: v for k, v in about.items() if k in contract(table).columns})
    made = marts(
        model("us-lab/a", 3), model("cn-lab/c", 1), raw_registry_lineage_exceptions=exceptions
    )
    (china,) = shares(made)
    assert (china["country_code"], china["share"], china["lineage_coverage"]) == ("CN", 1.0, 0.75)


@pytest.mark.parametrize("says", [True, False])
def test_a_day_without_lineage_has_no_shares_by_base(says: bool) -> None:
    """Whatever another day's listing or review says of the same models."""
    counts = dict.fromkeys(
        (c for c, about in contract("raw.hub_history_days").columns.items() if about.min == 0), 0
    )
    day = {"snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "is_whole_sweep": False}
    days = rows("raw.hub_history_days", {**counts, **day, "has_lineage": says})
    made = marts(model("us-lab/a", 3, "cn-lab/c"), model("cn-lab/c", 1), raw_hub_history_days=days)
    for by in ("country", "lab", "family"):
        held = shares(made, by)
        assert {r["share_missing"] for r in held} == {None if says else "lineage_not_recorded"}
        assert {r["lineage_coverage"] for r in held} == {0.75 if says else 0.0}


NAMES = ("cn-lab/big-1", "us-lab/big-1", "packer/big-q", "us-lab/other", "cn-lab/x", "who/big")
HUBS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 9),
        st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda m: m[0],
)


@PROPERTY
@given(HUBS)
def test_a_family_never_has_more_than_its_maker(
    hub: list[tuple[str, int, list[str], bool]],
) -> None:
    made = marts(*(model(n, d, *p, recorded=r) for n, d, p, r in hub))
    key = ["population", "metric", "attribution"]
    family = made["mart.family_share_daily"].filter(family_id="big")
    labs = made["mart.lab_share_daily"].filter(lab_id="cn-lab").select(*key, lab="numerator")
    both = family.filter(pl.col("attribution") != "name").join(labs, on=key, how="left")
    shown = both.filter(pl.col("share_missing").is_null())
    assert (shown["numerator"] <= shown["lab"].fill_null(0) + 1e-9).all()
    for row in made["mart.country_share_daily"].drop_nulls("share").iter_rows(named=True):
        assert row["share_lower"] <= row["share"] + 1e-12
        assert row["share"] <= row["share_upper"] + 1e-12


def test_by_name_a_family_has_every_model_with_its_name() -> None:
    made = marts(
        model("cn-lab/big-1", 4, recorded=True),
        model("packer/big-q", 2, "cn-lab/big-1"),
        model("packer/tuned", 1, "cn-lab/big-1"),
        model("who/big-x", 8),
    )
    found = {
        a: {r["family_id"]: r["numerator"] for r in shares(made, "family", attribution=a)}.get(
            "big"
        )
        for a in ("publisher", "base", "name")
    }
    assert found == {"publisher": 4, "base": 7, "name": 14}


# ---- trending -----------------------------------------------------------------------------------


def test_a_place_without_lineage_goes_to_the_maker_of_the_named_family_or_to_xx() -> None:
    """Never silently to the uploader; the maker's own model is the maker's by name."""
    listed = [
        model("packer/tuned", 1, "cn-lab/big-1"),
        model("us-lab/own", 1, recorded=True),
        model("us-lab/silent", 1),
        model("cn-lab/big-1", 1),
    ]
    names = [m["model_id_hf"] for m in listed] + ["who/big-new", "us-lab/new"]
    strip = [
        {
            **{"snapshot_id": f"hub_trending/{DAY}", "snapshot_date": DAY, "position": place},
            **{"repo_type": "model", "model_id_hf": name, "author": str(name).partition("/")[0]},
        }
        for place, name in enumerate(names, 1)
    ]
    about = {"snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "file_name": "0.json"}
    made = everything(
        DAY,
        {"mart.trending_share_daily"},
        **registry(LABS),
        **family("big", "cn-lab"),
        raw_hub_models=rows("raw.hub_models", *listed, **about),
        raw_hub_trending=rows("raw.hub_trending", *strip),
    )["mart.trending_share_daily"]
    found = {
        row["country_code"]: (
            row["n_places"], row["n_places_by_name"], row["n_places_without_lineage"],
        )
        for row in made.filter(top_n=10, attribution="base").iter_rows(named=True)
    }  # fmt: skip
    assert found == {"CN": (3, 2, 0), "US": (1, 0, 0), "XX": (2, 0, 2)}
    publisher = made.filter(top_n=10, attribution="publisher")
    assert publisher["n_places_by_name"].null_count() == publisher.height


# ---- claims -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "verdict", "reason"),
    [
        (1.0, "reproduced", "holds"),
        (0.85, "not_testable", "lineage_not_recorded"),
        (0.0, "not_testable", "lineage_not_recorded"),
    ],
)
def test_no_claim_holds_by_base_without_enough_lineage(
    recorded: float, verdict: str, reason: str
) -> None:
    from tests.support.ledger import STATED, ledger, listing, trial
    from tests.support.ledger import shares as given_shares

    day = listing(STATED, {"CN": 400, "US": 600}, attribution="base")
    for row in day:
        row["lineage_coverage"] = recorded
        if recorded == 0:
            row.update(share=None, numerator=None, share_missing="lineage_not_recorded")
    wanted = trial(
        **{"test": "hub_share", "by": "country", "subject": "CN", "population": "all"},
        **{"metric": "downloads_30d", "attribution": "base", "credit": "fractional"},
    )
    row = ledger(wanted, **given_shares(day))["stated"]
    assert (row["verdict"], row["reason_code"]) == (verdict, reason)
    assert row["coverage_lineage"] == recorded


def test_the_measure_of_a_lab_says_why_a_share_by_base_is_missing() -> None:
    made = marts(model("us-lab/a", 3))
    labs = everything(DAY, {"core.labs"}, **registry(LABS))["core.labs"].lazy()
    found = compute(
        "mart.lab_measures", lab_share_daily=made["mart.lab_share_daily"].lazy(), labs=labs
    ).filter(lab_id="us-lab")
    (of_publisher,) = found.filter(measure="hub_share_publisher").iter_rows(named=True)
    (of_base,) = found.filter(measure="hub_share_base").iter_rows(named=True)
    assert (of_publisher["value"], of_base["value"]) == (1.0, None)
    assert of_base["missing_reason"] == "lineage_not_recorded"
    assert (of_base["lineage_coverage"], of_base["coverage"]) == (0.0, None)
