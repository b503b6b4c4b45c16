"""Which declared text is a parent, which object it is, and until when a declaration holds."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl
import pytest
from huggingface_hub.utils import validate_repo_id
from huggingface_hub.utils._validators import HFValidationError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.frames import DAY, PROPERTY, Row, table_of
from tests.transforms.hub.test_lineage import edges, hub, listed, moved, roots, shares
from transforms.hub.repository_ids import is_repository_id, repository_id

EARLIER = date(2026, 8, 1)
A, B = "a" * 24, "b" * 24

NO_PARENT = {
    "/root/models/Qwen3-8B": "path",
    "./out": "path",
    "../models/base": "path",
    "~/models/base": "path",
    "~": "path",
    "C:\\models\\base": "path",
    "d:/models/base": "path",
    "\\\\server\\share\\base": "path",
    "models/llm/base": "path",
    "": "empty",
    " \u00a0\u200b": "empty",
    "Llama 3 8B": "no_repository_id",
    "cn-lab/base model": "no_repository_id",
    "-cn-lab/base": "no_repository_id",
    "cn-lab/base-": "no_repository_id",
    "cn-lab/.base": "no_repository_id",
    "cn-lab/base.": "no_repository_id",
    "cn-lab/a--b": "no_repository_id",
    "cn-lab/a..b": "no_repository_id",
    "cn-lab/base.git": "no_repository_id",
    "cn-lab/" + "x" * 97: "no_repository_id",
    "cn-lab/base@main": "no_repository_id",
    "cn-lab/modèle": "no_repository_id",
    "cn-lab/": "no_repository_id",
    "https://example.com/cn-lab/base": "address",
    "https://huggingface.co/datasets/cn-lab/base": "address",
    "file:///models/base": "address",
    "s3://bucket/base": "address",
}
SPELLINGS = (
    "cn-lab/base",
    " cn-lab/base\u00a0",
    "\ufeffcn-lab/base\u200b",
    "adapter:cn-lab/base",
    "distill:cn-lab/base",
    "adapter:distill:cn-lab/base",
    "https://huggingface.co/cn-lab/base",
    "https://hf.co/cn-lab/base/tree/main",
    "/root/.cache/huggingface/hub/models--cn-lab--base/snapshots/0a1b",
    "CN-Lab/Base",
)


def refused(*models: Row) -> dict[tuple[str, str], str]:
    """(model, declared text) -> why it is not a parent."""
    made = table_of("core.hub_refused_base_models", raw_hub_models=hub(*models))
    return {(m, text): reason for m, text, _, reason in made.rows()}


@pytest.mark.parametrize("text", NO_PARENT)
def test_declarations_that_are_no_repository_are_listed_as_refused(text: str) -> None:
    alone = listed("cn-lab/lora", tags=(f"adapter:{text}",))
    beside = listed("us-lab/lora", "cn-lab/base", tags=("cn-lab/base", f"adapter:{text}"))
    assert edges(alone, beside) == [("us-lab/lora", "cn-lab/base")]
    assert roots(alone)["cn-lab/lora"] == {"cn-lab/lora": (1.0, "root")}
    assert set(refused(alone, beside).values()) == {NO_PARENT[text]}
    assert {m for m, _ in refused(alone, beside)} == {"cn-lab/lora", "us-lab/lora"}


def test_spellings_of_one_parent_give_one_parent() -> None:
    model = listed("us-lab/x", tags=SPELLINGS)
    assert edges(model) == [("us-lab/x", "cn-lab/base")]
    assert shares(model) == {"CN": 1.0}
    assert refused(model) == {}


@pytest.mark.parametrize("text", SPELLINGS)
def test_each_way_to_write_a_parent_is_read(text: str) -> None:
    found = edges(listed("us-lab/x", tags=(text,)))
    assert [(m, p.lower()) for m, p in found] == [("us-lab/x", "cn-lab/base")]


def test_parents_of_the_tags_are_not_added_to_a_resolved_parent() -> None:
    model = listed("us-lab/x", "new-home/base", tags=("old-home/base", "finetune:old-home/base"))
    assert edges(model) == [("us-lab/x", "new-home/base")]
    assert refused(model) == {
        ("us-lab/x", "old-home/base"): "not_in_field",
        ("us-lab/x", "finetune:old-home/base"): "not_in_field",
    }


def test_tags_count_if_the_field_resolved_nothing() -> None:
    empty = {"base_models_json": '{"relation": "finetune", "models": []}'}
    model = {**listed("us-lab/x", tags=("cn-lab/gone",)), **empty}
    assert roots(model)["us-lab/x"] == {"cn-lab/gone": (1.0, "stub")}


def test_a_listed_id_of_a_forbidden_form_is_a_parent() -> None:
    models = [listed("cn--lab/base"), listed("us-lab/x", tags=("cn--lab/base", "cn--lab/other"))]
    assert edges(*models) == [("us-lab/x", "cn--lab/base")]
    assert refused(*models) == {("us-lab/x", "cn--lab/other"): "no_repository_id"}


@PROPERTY
@given(st.text("aZ09._-/ :\\~é", max_size=12) | st.text(max_size=8))
def test_ids_are_those_that_the_hubs_own_client_allows(text: str) -> None:
    ours = pl.select(is_repository_id(pl.lit(text))).item()
    try:
        validate_repo_id(text)
        theirs = text.isascii()  # the client's \\w is wider than what the Hub allows
    except HFValidationError:
        theirs = False
    assert ours == theirs
    if ours:
        assert pl.select(repository_id(pl.lit(text))).item() == text


# ---- objects and names used again -----------------------------------------------------------


def resolved(name: str, parent: str, object_id: str, **more: Any) -> Row:
    field = {"relation": "finetune", "models": [{"_id": object_id, "id": parent}]}
    return {**listed(name), "base_models_json": json.dumps(field), **more}


def moved_away(**more: Any) -> list[Row]:
    """cn-lab/m is object A until it moves to us-lab/old; then object B gets the name."""
    return [
        listed("cn-lab/m", object_id_hf=A, snapshot_date=EARLIER),
        listed("us-lab/old", object_id_hf=A),
        listed("cn-lab/m", object_id_hf=B, **more),
    ]


def renames(*models: Row) -> list[str]:
    return table_of("core.hub_renames", raw_hub_models=hub(*models))["old_model_id_hf"].to_list()


@pytest.mark.parametrize(
    "child",
    [
        resolved("nowhere/x", "cn-lab/m", B),
        listed("nowhere/x", tags=("cn-lab/m", "finetune:CN-Lab/M")),
    ],
)
def test_a_reused_name_is_the_new_object(child: Row) -> None:
    models = [*moved_away(), child]
    assert renames(*models) == []
    assert roots(*models)["nowhere/x"] == {"cn-lab/m": (1.0, "root")}


def test_a_reused_name_is_not_an_alias_after_its_second_object_is_gone() -> None:
    last = date(2026, 8, 16)
    later = [listed("us-lab/old", object_id_hf=A, snapshot_date=last)]
    assert renames(*moved_away(), *later) == []


def test_the_object_in_the_field_decides_before_the_name() -> None:
    models = [*moved_away(), resolved("nowhere/x", "cn-lab/m", A)]
    assert roots(*models)["nowhere/x"] == {"us-lab/old": (1.0, "root")}


def test_an_object_that_held_the_name_before_does_not_end_the_alias() -> None:
    models = [
        listed("cn-lab/m", object_id_hf=B, snapshot_date=date(2026, 7, 1)),
        listed("cn-lab/m", object_id_hf=A, snapshot_date=EARLIER),
        listed("us-lab/old", object_id_hf=A),
    ]
    assert renames(*models) == ["cn-lab/m"]


def test_a_moved_namespace_is_not_an_alias_for_a_model_still_listed() -> None:
    gone = moved({"old_namespace": "us-lab", "new_namespace": "cn-lab"})
    models = [listed("us-lab/m"), listed("a/x", "us-lab/m"), listed("a/y", "us-lab/other")]
    assert edges(*models, raw_registry_model_renames=gone) == [
        ("a/x", "us-lab/m"),
        ("a/y", "cn-lab/other"),
    ]


# ---- withdrawn ------------------------------------------------------------------------------


def test_a_parent_that_left_the_hub_stays_the_parent() -> None:
    models = [
        listed("cn-lab/base", snapshot_date=EARLIER),
        listed("us-lab/mid", "cn-lab/base", snapshot_date=EARLIER),
        listed("nowhere/x", "us-lab/mid"),
    ]
    assert roots(*models)["nowhere/x"] == {"cn-lab/base": (1.0, "root")}


WHOLE_TAGS = (["text-generation"], ["region:us"], [])


@pytest.mark.parametrize(
    "newer",
    [
        *({"tags_json": json.dumps(tags)} for tags in WHOLE_TAGS),
        {"base_models_json": '{"relation": "finetune", "models": []}'},
    ],
)
def test_a_declaration_that_its_author_withdrew_no_longer_counts(newer: Row) -> None:
    first = listed("us-lab/x", "cn-lab/a", tags=("cn-lab/a",), snapshot_date=EARLIER)
    second = {**listed("us-lab/x"), "pipeline_tag": "text-generation", **newer}
    assert edges(first, second) == []
    assert shares(second) == {"US": 1.0}


def test_a_record_without_lineage_does_not_withdraw_a_parent() -> None:
    first = listed("us-lab/x", "cn-lab/a", snapshot_date=EARLIER)
    for said in ({}, {"tags_json": '["license:mit", "en"]'}):
        second = {**listed("us-lab/x"), "pipeline_tag": "text-generation", **said}
        assert edges(first, second) == [("us-lab/x", "cn-lab/a")]


def test_one_parent_of_two_is_withdrawn() -> None:
    first = listed("us-lab/x", "cn-lab/a", "us-lab/b", snapshot_date=EARLIER)
    assert edges(first, listed("us-lab/x", "us-lab/b", snapshot_date=DAY)) == [
        ("us-lab/x", "us-lab/b")
    ]
