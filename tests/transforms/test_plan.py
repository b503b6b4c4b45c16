"""The order of work: read off the transforms, complete, and safe on empty inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from graphlib import CycleError
from pathlib import Path

import pytest

import transforms.core
import transforms.mart
from tests.support.frames import DAY, compute, everything, registry, rows
from transforms.plan import LOADED, PlanError, Step, plan
from warehouse.contracts.table import contract, contracts
from warehouse.registry.load import reference_tables

Write = Callable[[str, str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Adds a transform with the given parameters to core or mart, for one test."""
    before = set(sys.modules)
    for layer, package in (("core", transforms.core), ("mart", transforms.mart)):
        (tmp_path / layer).mkdir()
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / layer)])

    def add(layer: str, name: str, parameters: str) -> None:
        code = f"def {name}({parameters}):\n    return None\n"
        (tmp_path / layer / f"{name}.py").write_text(code, encoding="utf-8")

    yield add
    for name in set(sys.modules) - before:
        if name.startswith("transforms."):
            layer, _, leaf = name.removeprefix("transforms.").partition(".")
            vars(sys.modules[f"transforms.{layer}"]).pop(leaf, None)
            del sys.modules[name]


def fresh_plan() -> tuple[Step, ...]:
    """The plan of the present modules, without the cache."""
    return plan.__wrapped__()


def test_every_core_and_mart_contract_has_one_transform_and_no_transform_lacks_one() -> None:
    promised = [table for table in contracts() if table.startswith(("core.", "mart."))]
    computed = [each.table for each in plan() if not each.table.startswith("meta.")]
    assert sorted(computed) == sorted(promised)


def test_no_transform_has_more_than_twelve_parameters() -> None:
    assert {each.table for each in plan() if len(each.inputs) + len(each.clocks) > 12} == set()


def test_every_input_is_a_table_with_a_contract() -> None:
    for each in plan():
        for parameter, table in each.inputs.items():
            assert contract(table).name == parameter.removeprefix("raw_").removeprefix("meta_")


def test_inputs_come_before_outputs_and_core_reads_no_mart() -> None:
    made: set[str] = set()
    for each in plan():
        computed = {t for t in each.inputs.values() if not t.startswith("raw.")}
        computed -= set(LOADED.values())  # every build begins with it
        assert computed <= made, f"{each.table} before its inputs"
        if each.table.startswith("core."):
            assert not any(t.startswith("mart.") for t in computed)
        assert not any(t.startswith("meta.") for t in computed)
        made.add(each.table)


def test_the_order_of_the_plan_never_changes() -> None:
    assert [s.table for s in fresh_plan()] == [s.table for s in plan()]


def test_parameters_give_a_new_transform_its_place(write: Write) -> None:
    write("core", "aaa", "zzz, raw_hub_models, as_of")
    write("core", "zzz", "labs")
    found = {each.table: (i, each) for i, each in enumerate(fresh_plan())}
    assert found["core.labs"][0] < found["core.zzz"][0] < found["core.aaa"][0]
    aaa = found["core.aaa"][1]
    assert aaa.inputs == {"zzz": "core.zzz", "raw_hub_models": "raw.hub_models"}
    assert (aaa.clocks, found["core.zzz"][1].clocks) == (("as_of",), ())


def test_a_circle_of_transforms_is_an_error_that_names_it(write: Write) -> None:
    write("core", "aaa", "bbb")
    write("mart", "bbb", "aaa")
    with pytest.raises(CycleError, match=r"core\.aaa.*mart\.bbb|mart\.bbb.*core\.aaa"):
        fresh_plan()


def test_a_transform_that_reads_its_own_table_is_an_error(write: Write) -> None:
    write("core", "aaa", "aaa")
    with pytest.raises(CycleError, match=r"core\.aaa"):
        fresh_plan()


def test_a_parameter_that_names_no_table_is_an_error_that_names_it(write: Write) -> None:
    write("core", "aaa", "labs, hub_modles")
    with pytest.raises(PlanError, match=r"core/aaa\.py.*hub_modles"):
        fresh_plan()


# ---- runs in which a source is missing ----------------------------------------------------------


@pytest.mark.parametrize("each", plan(), ids=lambda s: s.table)
def test_empty_inputs_give_an_empty_table_that_matches_its_contract(each: Step) -> None:
    assert compute(each.table).is_empty()


ONE_ROW = {
    "raw.hub_models": {
        "snapshot_id": f"hub/{DAY}",
        "file_name": "000001.json",
        "model_id_hf": "google/x",
        "author": "google",
        "downloads_30d": 7,
        "base_models_json": '{"relation":"finetune","models":[{"_id":"0","id":"gone/y"}]}',
    },
    "raw.hub_namespace_models": {
        "snapshot_id": f"hub_namespaces/{DAY}",
        "file_name": "000001.json",
        "model_id_hf": "google/x",
        "author": "google",
        "downloads_30d": 7,
    },
    "raw.hub_trending": {
        "snapshot_id": f"hub_trending/{DAY}",
        "position": 1,
        "repo_type": "model",
        "model_id_hf": "google/x",
    },
    "raw.arena_leaderboards": {
        "snapshot_id": f"lmarena/{DAY}",
        "subset": "text",
        "line": 1,
        "model_name": "x",
        "organization": "Google",
        "rating": 1400.0,
        "category": "overall",
        "leaderboard_publish_date": DAY,
    },
    "raw.epoch_models": {
        "snapshot_id": f"epoch/{DAY}",
        "file_name": "notable_ai_models",
        "line": 1,
        "publication_date": DAY,
        "country_name": "China",
    },
    "raw.openrouter_rankings": {
        "snapshot_id": f"openrouter/{DAY}",
        "file_name": "rankings-daily.json",
        "line": 1,
        "day": DAY,
        "model_permaslug": "google/x",
        "total_tokens": 7,
    },
    "raw.ai_index_rows": {
        "snapshot_id": f"ai_index/{DAY}",
        "edition": 2025,
        "figure": "1.3.2",
        "file_name": "1. Research and Development/Data/fig_1.3.2.csv",
        "line": 1,
        "header_json": "[]",
        "record_json": '["2024", "15", "China"]',
    },
}
# Every statement has a verdict and every lab of the registry a row, data or none.
ALWAYS = {"mart.claims", "mart.claim_trials", "mart.labs"}
MARTS = {
    "raw.hub_models": {
        "mart.attribution_range",
        "mart.country_share_daily",
        "mart.family_share_daily",
        "mart.hub_lab_totals_daily",
        "mart.lab_measures",
        "mart.lab_share_daily",
        "mart.models",
        "mart.registry_weight",
    },
    "raw.hub_namespace_models": {"mart.hub_lab_totals_daily"},
    "raw.hub_trending": {"mart.trending_share_daily"},
    "raw.arena_leaderboards": {
        "mart.arena_lab_leaders",
        "mart.arena_leaders",
        "mart.lab_measures",
        "mart.model_rankings",
        "mart.models",
    },
    "raw.openrouter_rankings": {"mart.lab_measures", "mart.token_share_daily"},
    "raw.epoch_models": {"mart.notable_models_by_country"},
    "raw.ai_index_rows": {"mart.ai_index_reconciliation", "mart.notable_models_by_country"},
}


@pytest.mark.parametrize("source", [None, *ONE_ROW])
def test_a_run_with_one_source_fills_its_tables_and_leaves_the_rest_empty(
    source: str | None,
) -> None:
    reference = {
        f"raw_{t.removeprefix('raw.')}": frame.lazy() for t, frame in reference_tables().items()
    }
    given = {
        f"raw_{t.removeprefix('raw.')}": rows(t, row, snapshot_date=DAY)
        for t, row in ONE_ROW.items()
        if t == source
    }
    made = everything(**reference, **given)
    marts = {
        table
        for table, frame in made.items()
        if table.startswith("mart.") and contract(table).published and not frame.is_empty()
    }
    assert marts - ALWAYS == (MARTS[source] if source else set())
    assert marts >= ALWAYS
    registry_tables = {"core.countries", "core.labs", "core.namespaces"}
    assert all(not made[t].is_empty() for t in registry_tables)


def test_without_a_registry_every_country_is_unexamined() -> None:
    given = {
        f"raw_{t.removeprefix('raw.')}": rows(t, row, snapshot_date=DAY)
        for t, row in ONE_ROW.items()
        if t in ("raw.hub_models", "raw.arena_leaderboards")
    }
    made = everything(**registry({}), **given)
    for table in ("mart.country_share_daily", "mart.arena_leaders"):
        assert set(made[table]["country_code"]) == {"XX"}
