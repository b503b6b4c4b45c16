"""A repository that a snapshot lists under two ids is counted once."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl

from tests.support.frames import DAY, Row, rows, shuffled, table_of
from tests.transforms.hub.test_lineage import edges, hub, listed, moved

A, B = "a" * 24, "b" * 24
BORN = datetime(2025, 3, 4)
MOVES = moved({"old_namespace": "old", "new_namespace": "new"},
              {"old_name_prefix": "gpt", "new_namespace": "openai"})  # fmt: skip


def twins(*models: Row, **more: Any) -> dict[str, tuple[str, str, bool]]:
    """Id beside the counted one -> the counted one, why, and whether they are counted once."""
    made = table_of("core.hub_suspected_doubles", raw_hub_models=hub(*models), **more)
    columns = ("counted_model_id_hf", "reason", "is_counted_once")
    return {
        row["model_id_hf"]: tuple(row[c] for c in columns) for row in made.iter_rows(named=True)
    }


def counted(*models: Row, **more: Any) -> dict[str, int]:
    made = table_of("core.hub_daily_counters", raw_hub_models=hub(*models), **more)
    return dict(made.select("model_id_hf", "downloads_30d").iter_rows())


def test_ids_that_differ_only_in_case_are_one_repository() -> None:
    models = [listed("lab/Model", downloads_30d=7), listed("lab/model", downloads_30d=5),
              listed("LAB/model", downloads_30d=None), listed("lab/models")]  # fmt: skip
    assert twins(*models) == {
        "lab/model": ("lab/Model", "case", True),
        "LAB/model": ("lab/Model", "case", True),
    }
    assert counted(*models) == {"lab/Model": 7, "lab/models": 10}


def test_of_spellings_with_equal_counters_the_first_in_the_alphabet_is_counted() -> None:
    models = hub(listed("lab/b"), listed("lab/B"))
    for seed in range(3):
        made = table_of("core.hub_daily_counters", raw_hub_models=shuffled(models, seed))
        assert made["model_id_hf"].to_list() == ["lab/B"]


def test_two_objects_are_two_repositories_whatever_their_names() -> None:
    models = [listed("lab/M", object_id_hf=A), listed("lab/m", object_id_hf=B)]
    assert twins(*models) == {"lab/m": ("lab/M", "case", False)}
    assert len(counted(*models)) == 2


def test_a_repository_under_its_old_and_its_present_id_is_counted_under_the_present_one() -> None:
    models = [listed("old/m", downloads_30d=99), listed("New/M", downloads_30d=1),
              listed("gpt2"), listed("openai/gpt2"), listed("old/alone")]  # fmt: skip
    given = {"raw_registry_model_renames": MOVES}
    assert twins(*models, **given) == {
        "old/m": ("New/M", "rename", True),
        "gpt2": ("openai/gpt2", "rename", True),
    }
    assert set(counted(*models, **given)) == {"New/M", "openai/gpt2", "old/alone"}


def test_a_rename_is_found_by_object_id_without_a_review() -> None:
    day = date(2026, 8, 1)
    models = [listed("was/m", object_id_hf=A, snapshot_date=day), listed("is/m", object_id_hf=A),
              listed("was/m", downloads_30d=3)]  # fmt: skip
    assert twins(*models) == {"was/m": ("is/m", "rename", True)}
    made = table_of("core.hub_renames", raw_hub_models=hub(*models[:2]))
    assert made["old_model_id_hf"].to_list() == ["was/m"]


def test_the_old_id_of_a_double_points_to_the_counted_repository() -> None:
    models = [listed("old/m"), listed("new/m"), listed("a/x", "old/m")]
    assert edges(*models, raw_registry_model_renames=MOVES) == [("a/x", "new/m")]


ALIKE = {"likes": 40, "created_at": BORN, "parameters_total": 1000}


def test_suspected_doubles_without_proof_are_counted_twice() -> None:
    first = listed("one/m", **ALIKE, downloads_30d=50)
    second = listed("two/M", **{**ALIKE, "likes": 37, "parameters_total": 995})
    assert twins(first, second) == {"two/M": ("one/m", "same_numbers", False)}
    assert len(counted(first, second)) == 2
    made = table_of("core.hub_suspected_doubles", raw_hub_models=hub(first, second))
    assert made.select("downloads_30d", "counted_downloads_30d").row(0) == (10, 50)


def test_copies_of_weights_are_not_suspected_doubles() -> None:
    first = listed("one/m", **ALIKE)
    for change in ({"likes": 30}, {"parameters_total": 900}, {"object_id_hf": A},
                   {"created_at": datetime(2025, 3, 5)}, {"likes": None},
                   {"created_at": None}):  # fmt: skip
        assert twins(first, listed("two/m", **{**ALIKE, **change})) == {}, change
    assert twins(first, listed("two/other", **ALIKE)) == {}
    few = {**ALIKE, "likes": 19}
    assert twins(listed("one/m", **few), listed("two/m", **few)) == {}


def test_doubles_are_found_day_by_day() -> None:
    earlier = date(2026, 8, 1)
    models = [listed("lab/M", snapshot_date=earlier), listed("lab/m")]
    assert twins(*models) == {}
    made = table_of("core.hub_daily_counters", raw_hub_models=hub(*models))
    assert made.height == 2


def test_a_double_adds_nothing_to_daily_downloads() -> None:
    steps = {"downloads_all_time": 9, "is_new": False, "was_listed": True}
    given = rows("raw.hub_counter_steps", *({"model_id_hf": m, **steps} for m in ("l/M", "l/m")),
                 snapshot_id=f"hub/{DAY}", snapshot_date=DAY)  # fmt: skip
    made = table_of("core.hub_daily_downloads", raw_hub_models=hub(listed("l/M"), listed("l/m")),
                    raw_hub_counter_steps=given)  # fmt: skip
    assert made["model_id_hf"].to_list() == ["l/M"]
    assert made.filter(pl.col("missing_reason").is_null()).is_empty()
