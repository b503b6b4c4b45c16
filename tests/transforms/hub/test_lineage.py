"""Lineage: the roots of a model through renames, reviews, cycles and unlisted parents."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.support.frames import DAY, Row, compute, registry, rows, table_of
from warehouse.contracts.table import contract
from warehouse.registry import load

EVER = date(2026, 1, 1)
LABS = registry({"us-lab": "US", "cn-lab": "CN", "nowhere": "ZZ"})


def listed(name: str, *parents: str, tags: tuple[str, ...] = (), **more: Any) -> Row:
    """A line of a Hub listing; parents stand in the field, further ones in the tags."""
    field = {"relation": "finetune", "models": [{"_id": "0", "id": p} for p in parents]}
    return {
        "model_id_hf": name,
        "author": name.rpartition("/")[0] or None,
        "base_models_json": json.dumps(field) if parents else None,
        "tags_json": json.dumps([f"base_model:{t}" for t in tags], ensure_ascii=False)
        if tags
        else None,
        "downloads_30d": 10,
        "snapshot_date": DAY,
        **more,
    }


def hub(*models: Row) -> pl.LazyFrame:
    filled = [{"snapshot_id": f"hub/{m['snapshot_date']}", **m} for m in models]
    return rows("raw.hub_models", *filled, file_name="000001.json")


def reviewed(*given: Row) -> pl.LazyFrame:
    return rows(
        "raw.registry_lineage_exceptions",
        *given,
        **{"known_from": EVER, "reviewer": "test", "reason": "test"},
    )


def moved(*given: Row) -> pl.LazyFrame:
    return rows("raw.registry_model_renames", *given, known_from=EVER, basis="test")


def real_renames() -> pl.LazyFrame:
    return load.read_registry("model_renames").lazy()


def edges(*models: Row, known_at: date = date.max, **inputs: pl.LazyFrame) -> list[tuple[str, str]]:
    """(model, parent) as they count."""
    made = table_of("core.hub_base_models", DAY, known_at, raw_hub_models=hub(*models), **inputs)
    return made.select("model_id_hf", "base_model_id_hf").rows()


def roots(*models: Row, **inputs: pl.LazyFrame) -> dict[str, dict[str, tuple[float, str]]]:
    """Model -> root -> weight and why the walk ended."""
    made = table_of("core.hub_model_roots", raw_hub_models=hub(*models), **inputs)
    found: dict[str, dict[str, tuple[float, str]]] = {m["model_id_hf"]: {} for m in models}  # type: ignore[misc]
    for model, root, weight, _, reason in made.rows():
        found[model][root] = (weight, reason)
    return found


def shares(*models: Row, attribution: str = "base", credit: str = "fractional") -> dict[str, float]:
    """Country -> share of 30-day downloads."""
    made = table_of("mart.country_share_daily", raw_hub_models=hub(*models), **LABS)
    one = made.filter(
        population="all", metric="downloads_30d", attribution=attribution, credit=credit
    )
    return dict(one.select("country_code", "share").iter_rows())


# ---- renames --------------------------------------------------------------------------------

MOVES = {
    "THUDM/chatglm-6b": "zai-org/chatglm-6b",
    "CohereForAI/aya-101": "CohereLabs/aya-101",
    "AIDC-AI/Ovis2-8B": "ATH-MaaS/Ovis2-8B",
    "Tencent-Hunyuan/HunyuanVideo": "tencent/HunyuanVideo",
    "cognitivecomputations/dolphin-2.9": "dphn/dolphin-2.9",
    "NexaAIDev/Octopus-v2": "NexaAI/Octopus-v2",
    "neuralmagic/Mistral-7B-pruned": "RedHatAI/Mistral-7B-pruned",
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "roberta-base": "FacebookAI/roberta-base",
    "gpt2": "openai-community/gpt2",
    "t5-small": "google-t5/t5-small",
    "distilbert-base-uncased": "distilbert/distilbert-base-uncased",
}


@pytest.mark.parametrize("old", MOVES)
def test_a_known_rename_gives_the_present_id(old: str) -> None:
    new = MOVES[old]
    found = roots(
        listed(new), listed("a/tuned", old), listed("a/again", "a/tuned"),
        raw_registry_model_renames=real_renames(),
    )  # fmt: skip
    assert found["a/tuned"] == found["a/again"] == {new: (1.0, "root")}


def test_a_parent_under_its_old_and_its_new_name_is_one_parent() -> None:
    model = listed("a/x", "THUDM/glm", tags=("zai-org/GLM", "quantized:thudm/glm"))
    found = edges(model, raw_registry_model_renames=real_renames())
    assert [(m, p.lower()) for m, p in found] == [("a/x", "zai-org/glm")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gpt2", "openai-community/gpt2"),
        ("gpt2-xl", "openai-community/gpt2-xl"),
        ("bert-base-cased", "google-bert/bert-base-cased"),
        ("distilbert-base-cased", "distilbert/distilbert-base-cased"),
        ("xlm-roberta-base", "FacebookAI/xlm-roberta-base"),
        ("distilgpt2", "distilbert/distilgpt2"),
        ("no-such-legacy-name", "no-such-legacy-name"),
        ("someone/gpt2", "someone/gpt2"),  # has a namespace: no legacy name
        ("thudm/glm", "zai-org/glm"),
    ],
)
def test_legacy_names_resolve_and_similar_names_do_not(old: str, new: str) -> None:
    found = edges(listed("a/x", old), raw_registry_model_renames=real_renames())
    assert found == [("a/x", new)]


def test_the_longest_prefix_wins_in_any_order() -> None:
    given = [
        {"old_name_prefix": "gpt2", "new_namespace": "short"},
        {"old_name_prefix": "gpt2-xl", "new_namespace": "long"},
        {"old_name_prefix": "g", "new_namespace": "shortest"},
    ]
    models = [listed("a/1", "gpt2-medium"), listed("a/2", "gpt2-xl"), listed("a/3", "glm")]
    for renames in (moved(*given), moved(*reversed(given))):
        assert edges(*models, raw_registry_model_renames=renames) == [
            ("a/1", "short/gpt2-medium"),
            ("a/2", "long/gpt2-xl"),
            ("a/3", "shortest/glm"),
        ]


def test_a_rename_counts_from_the_day_it_was_known() -> None:
    renames = moved(
        {"old_namespace": "first", "new_namespace": "one"},
        {"old_namespace": "old", "new_namespace": "new", "known_from": date(2026, 3, 1)},
    )
    model = listed("a/x", "old/m")
    for day, parent in ((date(2025, 1, 1), "old/m"), (date(2026, 2, 28), "old/m"),
                        (date(2026, 3, 1), "new/m")):  # fmt: skip
        found = edges(model, known_at=day, raw_registry_model_renames=renames)
        assert found == [("a/x", parent)]


def test_an_object_under_another_id_is_renamed() -> None:
    earlier, later = date(2026, 8, 1), date(2026, 8, 10)
    listing = [
        listed("old/m", object_id_hf="6" * 24, snapshot_date=earlier),
        listed("mid/m", object_id_hf="6" * 24, snapshot_date=later),
        listed("new/m", object_id_hf="6" * 24),
        listed("a/x", "OLD/m", "mid/m", object_id_hf="7" * 24),
        listed("a/other", object_id_hf="8" * 24, snapshot_date=earlier),
    ]
    made = compute("core.hub_renames", raw_hub_models=hub(*listing))
    assert made.select("old_model_id_hf", "new_model_id_hf", "renamed_by_date").rows() == [
        ("mid/m", "new/m", DAY),
        ("old/m", "new/m", DAY),
    ]
    assert edges(*listing) == [("a/x", "new/m")]
    assert roots(*listing)["a/x"] == {"new/m": (1.0, "root")}


def test_records_without_an_object_id_are_not_one_object() -> None:
    listing = [listed("old/m", snapshot_date=date(2026, 8, 1)), listed("new/m")]
    assert compute("core.hub_renames", raw_hub_models=hub(*listing)).is_empty()


# ---- reviews --------------------------------------------------------------------------------


def test_review_adds_and_drops_parents() -> None:
    rows_ = reviewed(
        {"model_id_hf": "a/distilled", "base_model_id_hf": "b/student", "action": "add",
         "relation": "finetune"},
        {"model_id_hf": "A/Distilled", "base_model_id_hf": "b/TEACHER", "action": "drop"},
        {"model_id_hf": "a/not-listed", "base_model_id_hf": "b/student", "action": "add"},
    )  # fmt: skip
    models = [listed("a/distilled", "b/teacher"), listed("a/other", "b/teacher")]
    assert edges(*models, raw_registry_lineage_exceptions=rows_) == [
        ("a/distilled", "b/student"),
        ("a/other", "b/teacher"),
    ]


def test_a_review_counts_from_the_day_it_was_known() -> None:
    rows_ = reviewed(
        {"model_id_hf": "a/first", "base_model_id_hf": "b/m", "action": "add"},
        {"model_id_hf": "a/x", "base_model_id_hf": "b/student", "action": "add",
         "known_from": date(2026, 3, 1)},
        {"model_id_hf": "a/x", "base_model_id_hf": "b/teacher", "action": "drop",
         "known_from": date(2026, 3, 1)},
    )  # fmt: skip
    model = listed("a/x", "b/teacher")
    for day, parent in ((date(2026, 2, 28), "b/teacher"), (date(2026, 3, 1), "b/student")):
        found = edges(model, known_at=day, raw_registry_lineage_exceptions=rows_)
        assert found == [("a/x", parent)]


def test_distilled_models_of_deepseek_have_the_tuned_models_as_parents() -> None:
    real = load.read_registry("lineage_exceptions")
    names = real["model_id_hf"].to_list()
    found = roots(*map(listed, names), raw_registry_lineage_exceptions=real.lazy())
    owners = {n.rsplit("-", 2)[1]: next(iter(found[n])).partition("/")[0] for n in names}
    assert owners == {"Llama": "meta-llama", "Qwen": "Qwen"}


# ---- shapes, through to the shares ------------------------------------------------------------


def test_every_model_on_a_cycle_is_credited_to_itself() -> None:
    loop = [listed("us-lab/a", "cn-lab/b"), listed("cn-lab/b", "us-lab/a")]
    found = roots(*loop)
    assert found["us-lab/a"] == {"us-lab/a": (1.0, "cycle")}
    assert found["cn-lab/b"] == {"cn-lab/b": (1.0, "cycle")}
    assert shares(*loop) == shares(*loop, attribution="publisher") == {"US": 0.5, "CN": 0.5}


def test_a_model_below_a_loop_keeps_its_own_country() -> None:
    below = [listed("us-lab/a", "cn-lab/b"), listed("cn-lab/b", "us-lab/a")]
    below += [listed("nowhere/c", "cn-lab/b")]
    assert roots(*below)["nowhere/c"] == {"nowhere/c": (1.0, "cycle")}
    assert shares(*below)["ZZ"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("itself", ["us-lab/a", "US-Lab/A"])
def test_a_self_reference_is_not_a_parent(itself: str) -> None:
    assert edges(listed("us-lab/a", itself)) == []
    assert roots(listed("us-lab/a", itself))["us-lab/a"] == {"us-lab/a": (1.0, "root")}
    assert roots(listed("us-lab/a", itself, "cn-lab/b"))["us-lab/a"] == {"cn-lab/b": (1.0, "stub")}


def test_a_deleted_parent_is_a_stub_whose_namespace_gives_its_country() -> None:
    tuned = [listed("us-lab/tuned", "CN-Lab/Deleted"), listed("us-lab/again", "us-lab/tuned")]
    assert roots(*tuned)["us-lab/again"] == {"CN-Lab/Deleted": (1.0, "stub")}
    assert shares(*tuned) == {"CN": 1.0}
    assert shares(*tuned, attribution="publisher") == {"US": 1.0}


def test_a_deleted_parent_in_a_moved_namespace_has_the_present_country() -> None:
    real = table_of(
        "mart.country_share_daily",
        raw_hub_models=hub(listed("us-lab/tuned", "THUDM/deleted")),
        raw_registry_model_renames=moved({"old_namespace": "thudm", "new_namespace": "cn-lab"}),
        **LABS,
    )
    base = real.filter(attribution="base", metric="downloads_30d", population="all")
    assert set(base["country_code"]) == {"CN"}


def test_a_deleted_parent_in_an_unknown_namespace_is_not_examined() -> None:
    assert shares(listed("us-lab/tuned", "stranger/deleted")) == {"XX": 1.0}
    assert shares(listed("us-lab/tuned", "legacy-name-without-namespace")) == {"XX": 1.0}


def test_parents_of_two_countries_have_half_each() -> None:
    merged = [listed("nowhere/merge", "us-lab/a", "cn-lab/b")]
    assert roots(*merged)["nowhere/merge"] == {
        "cn-lab/b": (0.5, "stub"),
        "us-lab/a": (0.5, "stub"),
    }
    assert shares(*merged) == {"US": 0.5, "CN": 0.5}
    assert shares(*merged, credit="full") == {"US": 1.0, "CN": 1.0}
    assert shares(*merged, attribution="publisher") == {"ZZ": 1.0}


def test_parents_share_by_equal_parts_at_every_step() -> None:
    merged = [
        listed("nowhere/top", "nowhere/mid", "us-lab/a"),
        listed("nowhere/mid", "us-lab/a", "cn-lab/b"),
    ]
    found = roots(*merged)["nowhere/top"]
    assert {r: w for r, (w, _) in found.items()} == {"us-lab/a": 0.75, "cn-lab/b": 0.25}


def test_a_parent_declared_in_both_forms_counts_once() -> None:
    tags = ("us-lab/a", "finetune:us-lab/a", "US-lab/A", "cn-lab/b", "merge:cn-lab/b")
    alone = listed("nowhere/x", tags=tags)
    assert edges(alone) == [("nowhere/x", "cn-lab/b"), ("nowhere/x", "us-lab/a")]
    assert shares(alone) == {"US": 0.5, "CN": 0.5}
    assert edges(listed("nowhere/x", "us-lab/a", tags=tags)) == [("nowhere/x", "us-lab/a")]


# ---- many -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_hundred_thousand_models_keep_their_weight() -> None:
    """Fourteen generations, one or two parents each: too many to walk one by one."""
    n, depth, draw = 300_000, 14, np.random.default_rng(7)
    generation = draw.integers(0, depth + 1, n)
    names = np.array([f"org{i % 997}/m{i}" for i in range(n)])
    by_generation = [np.flatnonzero(generation == g) for g in range(depth + 1)]
    children, parents = [], []
    for g in range(1, depth + 1):
        below, above = by_generation[g], by_generation[g - 1]
        for share in (1.0, 0.02):  # most models have one parent
            some = below[draw.random(below.size) < share]
            children.append(some)
            parents.append(above[draw.integers(0, above.size, some.size)])
    pairs = pl.DataFrame(
        {
            "model_id_hf": names[np.concatenate(children)],
            "base_model_id_hf": names[np.concatenate(parents)],
        }
    ).unique()
    models = pl.DataFrame({"model_id_hf": names}).lazy()
    made = compute("core.hub_model_roots", hub_models=_as("core.hub_models", models),
                   hub_base_models=_as("core.hub_base_models", pairs.lazy()))  # fmt: skip
    sums = made.group_by("model_id_hf").agg(pl.col("weight").sum())
    assert sums.height == n
    assert (sums["weight"] - 1).abs().max() <= 1e-9
    assert made["depth"].max() == depth
    originals = set(names[by_generation[0]])
    assert set(made["root_model_id_hf"]) <= originals
    assert made.filter(pl.col("depth") == 0).height == len(originals)


def _as(table: str, frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame with the other columns of a contract, empty."""
    schema = contract(table).polars_schema
    have = frame.collect_schema().names()
    return frame.with_columns(
        pl.lit(None, kind).alias(c) for c, kind in schema.items() if c not in have
    ).select(list(schema))
