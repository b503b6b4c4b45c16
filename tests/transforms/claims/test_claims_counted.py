"""Verdicts on derivatives, on Epoch's figures, and on figures of published tables."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from tests.support.frames import Row, rows
from tests.support.ledger import EPOCH_DAY, STATED, ledger, listing, shares, trial

EPOCH = {
    **{"test": "epoch_value", "unit": "dollars", "subject": "A", "field": "cost_usd"},
    **{"relation": "at_most", "stated_value": 6e6, "tolerance": 0.0, "target_date": EPOCH_DAY},
}


def epoch_models(*models: Row) -> dict[str, pl.LazyFrame]:
    about = {"snapshot_id": f"epoch/{EPOCH_DAY}", "snapshot_date": EPOCH_DAY}
    given = [{"line": n, **about, **m} for n, m in enumerate(models, 1)]
    return {"raw_epoch_models": rows("raw.epoch_models", *given)}


def in_epoch(name: str, cost: float | None, file: str = "notable_ai_models", **more: Any) -> Row:
    return {
        **{"model_name_epoch": name, "training_compute_cost_usd": cost, "file_name": file},
        **{"other_columns_json": "{}", **more},
    }


def test_cost_is_read_from_the_file_that_has_it() -> None:
    given = epoch_models(in_epoch("A", None, "all_ai_models"), in_epoch("A", 5.4e6))
    row = ledger(trial(**EPOCH), **given)["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (5.4e6, "reproduced")
    assert row["recomputed_text"] == "China: $5.4 M"


def test_files_that_disagree_give_bounds() -> None:
    given = epoch_models(in_epoch("A", 5.4e6), in_epoch("A", 6.4e6, "frontier_ai_models"))
    row = ledger(trial(**EPOCH), **given)["stated"]
    assert (row["recomputed_lower"], row["recomputed_upper"]) == (5.4e6, 6.4e6)
    assert row["verdict"] == "not_testable"


def test_a_ratio_needs_both_models() -> None:
    ratio = trial(**{**EPOCH, "unit": "times", "other": "B", "stated_value": 0.2})
    both = epoch_models(in_epoch("A", 5e6), in_epoch("B", 50e6))
    assert ledger(ratio, **both)["stated"]["recomputed_value"] == pytest.approx(0.1)
    alone = ledger(ratio, **epoch_models(in_epoch("A", 5e6)))["stated"]
    assert (alone["recomputed_value"], alone["reason_code"]) == (None, "no_observation")


def test_cost_in_the_cloud_is_a_column_of_its_own() -> None:
    text = '{"Training compute cost (cloud)":"78400000"}'
    cloud = trial(**{**EPOCH, "field": "cost_cloud_usd", "stated_value": 79e6})
    given = epoch_models(in_epoch("A", 40e6, other_columns_json=text))
    assert ledger(cloud, **given)["stated"]["recomputed_value"] == 78.4e6


# ---- derivatives --------------------------------------------------------------------------------

COUNT = {
    **{"test": "derivative_count", "unit": "models", "by": "base", "subject": "Qwen/Q"},
    **{"relation": "at_least", "stated_value": 3.0, "tolerance": 0.0},
    **{"derivative": "all", "reach": "declared"},
}


def hub(n_models: int, *derived: tuple[str, str, date]) -> dict[str, pl.LazyFrame]:
    """A listing of STATED with derived models: id, parent, and day of creation."""
    models = [
        {"model_id_hf": name, "created_at": datetime(d.year, d.month, d.day), "author": "x"}
        for name, _, d in derived
    ]
    about = {"first_seen_date": STATED, "last_seen_date": STATED, "lineage_recorded": True}
    about |= {"is_llm_vlm": True, "is_current": True}
    known = rows("core.hub_models", *models, **_needed("core.hub_models", about))
    edges = rows(
        "core.hub_base_models",
        *({"model_id_hf": m, "base_model_id_hf": p, "relation": "finetune"} for m, p, _ in derived),
        **_needed("core.hub_base_models", {"declared_by": "tags"}),
    )
    return {
        "hub_models": known,
        "hub_base_models": edges,
        **shares(listing(STATED, {"CN": 1.0}, n_models=n_models)),
    }


def _needed(table: str, given: Row) -> Row:
    from warehouse.contracts.table import contract

    blank = {"VARCHAR": "x", "BOOLEAN": False, "DATE": STATED, "INTEGER": 0, "BIGINT": 0}
    columns = contract(table).columns
    filled = {
        c: blank[str(k.type)] for c, k in columns.items() if not k.nullable and k.type in blank
    }
    filled |= {c: datetime(2025, 1, 1) for c, k in columns.items() if k.type == "TIMESTAMP"}
    return {**filled, **{c: v for c, v in given.items() if c in columns}}


DERIVED = [(f"u/{n}", "Qwen/Q", date(2025, 3, n + 1)) for n in range(4)]


def test_derivatives_that_were_found_are_a_lower_bound() -> None:
    excerpt = hub(10, *DERIVED)
    row = ledger(trial(**COUNT), **excerpt)["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (4, "reproduced")
    assert (row["recomputed_lower"], row["recomputed_upper"]) == (4, None)
    more = ledger(trial(**{**COUNT, "stated_value": 5.0}), **excerpt)["stated"]
    assert more["verdict"] == "not_testable"
    fewer = trial(**{**COUNT, "relation": "equals", "stated_value": 2.0})
    assert ledger(fewer, **excerpt)["stated"]["verdict"] == "contradicted"
    assert "at least 4, whatever was not observed" in ledger(fewer, **excerpt)["stated"]["reason"]


def test_the_whole_hub_counts_derivatives_exactly() -> None:
    whole = hub(1000, *DERIVED)
    row = ledger(trial(**{**COUNT, "stated_value": 5.0}), **whole)["stated"]
    assert (row["recomputed_value"], row["verdict"]) == (4, "contradicted")


def test_only_derivatives_of_the_holder_up_to_the_day_count() -> None:
    later = ("u/late", "Qwen/Q", date(2025, 10, 1))
    given = hub(10, *DERIVED, later, ("u/other", "meta/L", date(2025, 1, 1)))
    assert ledger(trial(**COUNT), **given)["stated"]["recomputed_value"] == 4
    early = trial(**COUNT, period_to=date(2025, 3, 2))
    assert ledger(early, **given)["stated"]["recomputed_value"] == 2
    adapters = trial(**{**COUNT, "derivative": "adapter"})
    assert ledger(adapters, **given)["stated"]["recomputed_value"] == 0


def test_an_old_count_is_no_bound() -> None:
    early = trial(**{**COUNT, "stated_value": 2.0}, period_to=date(2025, 3, 2))
    row = ledger(early, **hub(10, *DERIVED))["stated"]
    assert (row["verdict"], row["recomputed_value"]) == ("not_testable", 2)


# ---- published tables ---------------------------------------------------------------------------

LEAD = {
    **{"test": "published_lead", "unit": "points", "figure_id": "t", "subject": "A", "other": "B"},
    **{"scale": "points", "relation": "above", "stated_value": 0.0, "tolerance": 0.0},
}


def table(**figures: float) -> dict[str, pl.LazyFrame]:
    about = {
        **{"figure_id": "t", "title": "x", "unit": "percent", "as_of": STATED, "basis": "x"},
        **{"reviewer": "x", "known_from": date(2025, 1, 1)},
    }
    given = [{"subject": name, "value": value, **about} for name, value in figures.items()]
    return {"raw_registry_published_figures": rows("raw.registry_published_figures", *given)}


def test_figures_of_one_table_are_compared() -> None:
    given = table(A=84.85, B=83.61, C=84.27)
    row = ledger(trial(**LEAD), **given)["stated"]
    assert (row["verdict"], row["recomputed_value"]) == ("reproduced", pytest.approx(1.24))
    best = ledger(trial(**{**LEAD, "other": "*"}), **given)["stated"]
    assert best["recomputed_value"] == pytest.approx(0.58)
    behind = ledger(trial(**{**LEAD, "subject": "B", "other": "*"}), **given)["stated"]
    assert behind["verdict"] == "contradicted"
    ratio = ledger(trial(**{**LEAD, "scale": "ratio"}), **given)["stated"]
    assert ratio["recomputed_value"] == pytest.approx(84.85 / 83.61)
    unknown = ledger(trial(**{**LEAD, "other": "D"}), **given)["stated"]
    assert (unknown["verdict"], unknown["recomputed_value"]) == ("not_testable", None)
