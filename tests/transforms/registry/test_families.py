"""Families: rules on names, shares by publisher and by base, the registry's own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from expectations.rules import RULES
from flows.settings import Settings
from tests.support.frames import DAY, PROPERTY, Row, compute, registry, rows, shuffled, table_of
from warehouse.database.duckdb_file import open_read_only
from warehouse.registry.load import read_registry

KNOWN = date(2026, 11, 21)
LABS: dict[str, Any] = {"cn-lab": "CN", "us-lab": "US", "packer": "ZZ"}
REGISTRY = registry(LABS)
FAMILIES = rows(
    "raw.registry_families",
    {"family_id": "panda", "family_name": "Panda", "lab_id": "cn-lab"},
    {"family_id": "eagle", "family_name": "Eagle", "lab_id": "us-lab"},
    known_from=KNOWN,
)


def rule(family: str, pattern: str, namespace: str | None = None, **more: object) -> Row:
    about = {"system": "hub", "priority": 20, **more}
    return {"family_id": family, "pattern": pattern, "namespace": namespace, **about}


def rules(*given: Row) -> pl.LazyFrame:
    return rows("raw.registry_family_rules", *given, known_from=KNOWN)


PREFIXES = rules(rule("panda", "^panda"), rule("eagle", "^eagle"))


def families_of(
    names: Sequence[str], held: pl.LazyFrame, system: str = "hub"
) -> dict[str, str | None]:
    """Family of each name of one system; None without one."""
    column = {"hub": "model_id_hf", "lmarena": "model_name_arena", "epoch": "model_name_epoch"}
    table = {"hub": "hub_models", "lmarena": "arena_ratings", "epoch": "notable_models"}[system]
    frame = pl.LazyFrame({column[system]: list(names)})
    made = compute("core.model_families", **{table: frame}, raw_registry_family_rules=held)
    assert set(made["system"]) <= {system}
    return {**dict.fromkeys(names), **dict(made.select("model_name", "family_id").iter_rows())}


# ---- names ----------------------------------------------------------------------------------


def test_a_rule_reads_the_name_of_the_repository_without_its_namespace_or_case() -> None:
    names = ["cn-lab/Panda-3", "someone/PANDA-3-GGUF", "panda/other", "a/my-panda", "panda-1"]
    found = families_of(names, PREFIXES)
    assert found == dict(zip(names, ["panda", "panda", None, None, "panda"], strict=True))


def test_a_rule_for_a_namespace_applies_only_there() -> None:
    held = rules(rule("panda", ".", "CN-Lab"))
    found = families_of(["cn-lab/anything", "CN-LAB/x", "other/anything", "anything"], held)
    assert list(found.values()) == ["panda", "panda", None, None]


def test_names_of_boards_and_of_epoch_have_their_own_rules() -> None:
    held = rules(rule("panda", "^panda", system="lmarena"), rule("eagle", "^panda", system="epoch"))
    name = "Panda 3/4 (high)"
    assert families_of([name], held, "lmarena") == {name: "panda"}
    assert families_of([name], held, "epoch") == {name: "eagle"}
    assert families_of([name], held, "hub") == {name: None}


def test_the_smallest_priority_that_matches_wins() -> None:
    held = rules(rule("panda", "^panda", priority=20), rule("eagle", "^panda-eagle", priority=10))
    assert families_of(["a/panda-1", "a/panda-eagle-1"], held) == {
        "a/panda-1": "panda",
        "a/panda-eagle-1": "eagle",
    }


def test_a_model_that_rules_of_two_families_match_has_no_family() -> None:
    held = rules(rule("panda", "^panda"), rule("eagle", "eagle$"))
    assert families_of(["a/panda-eagle", "a/panda"], held) == {
        "a/panda-eagle": None,
        "a/panda": "panda",
    }


def test_two_rules_of_one_family_do_not_conflict() -> None:
    held = rules(rule("panda", "^panda"), rule("panda", "3$"))
    assert families_of(["a/panda-3"], held) == {"a/panda-3": "panda"}


def test_an_unlisted_parent_has_a_family() -> None:
    roots = rows(
        "core.hub_model_roots",
        {"model_id_hf": "x/tuned", "root_model_id_hf": "cn-lab/panda-gone"},
        weight=1.0,
        depth=1,
        end_reason="stub",
    )
    made = compute("core.model_families", hub_model_roots=roots, raw_registry_family_rules=PREFIXES)
    assert made["model_name"].to_list() == ["cn-lab/panda-gone"]


def test_a_withdrawn_rule_no_longer_applies() -> None:
    old = {**rule("panda", "^bear"), "known_to": date(2026, 12, 1)}
    new = {**rule("eagle", "^bear"), "known_from": date(2026, 12, 1)}
    held = rows("raw.registry_family_rules", {**old, "known_from": KNOWN}, new)
    assert families_of(["a/bear"], held) == {"a/bear": "eagle"}


# ---- shares ---------------------------------------------------------------------------------


def hub(*models: tuple[str, int, Sequence[str]]) -> pl.LazyFrame:
    """One sweep: id, downloads, declared parents."""
    listed = [
        {
            "model_id_hf": name,
            "author": name.split("/")[0],
            "downloads_30d": downloads,
            "base_models_json": '{"models": ['
            + ", ".join(f'{{"id": "{parent}"}}' for parent in parents)
            + "]}",
        }
        for name, downloads, parents in models
    ]
    about = {"snapshot_id": f"hub/{DAY}", "snapshot_date": DAY, "file_name": "1.json"}
    return rows("raw.hub_models", *listed, **about)


def shares(
    found: pl.LazyFrame, population: str = "all", metric: str = "downloads_30d"
) -> dict[str, dict[str, float]]:
    made = all_shares(found).filter(population=population, metric=metric)
    return {
        attribution: dict(
            made.filter(attribution=attribution).select("family_id", "share").iter_rows()
        )
        for attribution in ("publisher", "base")
    }


def all_shares(found: pl.LazyFrame, held: pl.LazyFrame = PREFIXES) -> pl.DataFrame:
    return table_of(
        "mart.family_share_daily",
        **REGISTRY,
        raw_registry_families=FAMILIES,
        raw_registry_family_rules=held,
        raw_hub_models=found,
        raw_arena_leaderboards=rows("raw.arena_leaderboards"),
        raw_epoch_models=rows("raw.epoch_models"),
    )


def test_by_publisher_a_family_has_only_models_of_its_makers_namespaces() -> None:
    found = hub(("cn-lab/panda", 60, []), ("packer/panda-GGUF", 40, ["cn-lab/panda"]))
    made = shares(found)
    assert made["publisher"] == {"panda": 0.6, "none": 0.4}
    assert made["base"] == {"panda": 1.0}


def test_by_base_a_derived_model_belongs_to_the_family_of_its_root() -> None:
    found = hub(
        ("cn-lab/panda", 10, []),
        ("us-lab/eagle-tuned", 30, ["cn-lab/panda"]),
        ("x/merge", 60, ["cn-lab/panda", "us-lab/eagle-lost"]),
    )
    made = shares(found)
    assert made["publisher"] == {"panda": 0.1, "eagle": 0.3, "none": 0.6}
    assert made["base"] == {"panda": 0.7, "eagle": 0.3}


def test_rows_count_models_and_name_the_family() -> None:
    found = hub(("cn-lab/panda", 6, []), ("cn-lab/panda-2", 3, []), ("x/y", 1, []))
    made = all_shares(found).filter(
        population="all", metric="downloads_30d", attribution="publisher"
    )
    wanted = ["family_id", "family_name", "numerator", "denominator", "n_models"]
    assert made.select(wanted).rows() == [
        ("none", "No family", 1.0, 10.0, 1),
        ("panda", "Panda", 9.0, 10.0, 2),
    ]
    assert made["n_models_population"].to_list() == [3, 3]


NAMES = ["cn-lab/panda", "cn-lab/panda-2", "us-lab/eagle", "packer/panda-q", "x/y", "x/eagle-z"]
PARENTS = st.lists(st.sampled_from([*NAMES, "cn-lab/panda-lost", "who/knows"]), max_size=3)
HUBS = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.integers(0, 10**9), PARENTS), min_size=1
)


@pytest.mark.slow
@given(HUBS, st.integers(0, 9))
@PROPERTY
def test_shares_sum_to_one_and_do_not_depend_on_the_order_of_rows(
    models: Mapping[str, tuple[int, Sequence[str]]], seed: int
) -> None:
    found = hub(*[(name, downloads, parents) for name, (downloads, parents) in models.items()])
    made = all_shares(found)
    group = ["as_of_date", "population", "metric", "metric_window", "attribution"]
    sums = made.group_by(group).agg(pl.col("share").sum())["share"]
    assert ((sums - 1).abs() <= 1e-9).all()
    assert_frame_equal(made, all_shares(shuffled(found, seed)), check_exact=True)


@given(HUBS)
@PROPERTY
def test_a_family_share_by_publisher_is_the_count_of_the_makers_models(
    models: Mapping[str, tuple[int, Sequence[str]]],
) -> None:
    """Against a slow count over the dictionary."""
    total = sum(downloads for downloads, _ in models.values())
    own = sum(d for name, (d, _) in models.items() if name.startswith("cn-lab/"))
    found = hub(*[(name, downloads, parents) for name, (downloads, parents) in models.items()])
    made = shares(found)["publisher"]
    if total:
        assert made.get("panda", 0.0) == pytest.approx(float(Fraction(own, total)), abs=1e-12)
    else:
        assert made == {}


# ---- the project's own registry -------------------------------------------------------------


@pytest.fixture(scope="module")
def own_rules() -> pl.LazyFrame:
    return read_registry("family_rules").lazy()


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen3-0.6B", "qwen"),
        ("Qwen/QwQ-32B", "qwen"),
        ("unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF", "qwen"),
        ("bartowski/Qwen_Qwen3-8B-GGUF", "qwen"),
        ("meta-llama/Meta-Llama-3-8B", "llama"),
        ("meta-llama/Prompt-Guard-86M", "llama"),
        ("someone/llama.cpp-tools", None),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "tinyllama"),
        ("nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", "nemotron"),
        ("nvidia/Qwen3.6-35B-A3B-NVFP4", "qwen"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "deepseek"),
        ("openai/gpt-oss-20b", "gpt-oss"),
        ("openai-community/gpt2", "gpt"),
        ("EleutherAI/gpt-neox-20b", "gpt-neo"),
        ("google/gemma-4-31B-it", "gemma"),
        ("google/t5gemma-2b-2b-ul2", "gemma"),
        ("google/flan-t5-base", "t5"),
        ("mistralai/Mixtral-8x7B-v0.1", "mistral"),
        ("zai-org/chatglm3-6b", "glm"),
        ("tiiuae/falcon-7b", "falcon"),
        ("Falconsai/nsfw_image_detection", None),
        ("sentence-transformers/all-MiniLM-L6-v2", "sbert"),
        ("Systran/faster-whisper-small", "whisper"),
        ("cardiffnlp/twitter-roberta-base-sentiment-latest", None),
    ],
)
def test_known_repositories_have_their_family(
    name: str, family: str | None, own_rules: pl.LazyFrame
) -> None:
    assert families_of([name], own_rules) == {name: family}


@pytest.mark.parametrize(
    ("system", "name", "family"),
    [
        ("lmarena", "qwen3-max-preview", "qwen"),
        ("lmarena", "gpt-oss-120b", "gpt-oss"),
        ("lmarena", "gpt-5.1-codex", "gpt"),
        ("lmarena", "gpt-image-1", "gpt-image"),
        ("lmarena", "gpt4all-13b-snoozy", None),
        ("lmarena", "command-r-plus", "command"),
        ("lmarena", "o3-mini-high", "openai-o"),
        ("lmarena", "llama-3.3-nemotron-49b-super-v1", "nemotron"),
        ("epoch", "Llama 3.1-405B", "llama"),
        ("epoch", "LLaMA-65B", "llama"),
        ("epoch", "Mixtral 8x7B", "mistral"),
        ("epoch", "GPT-NeoX-20B", "gpt-neo"),
        ("epoch", "Kimi k1.5", "kimi"),
        ("epoch", "GLaM", None),
    ],
)
def test_known_names_of_boards_and_of_epoch_have_their_family(
    system: str, name: str, family: str | None, own_rules: pl.LazyFrame
) -> None:
    assert families_of([name], own_rules, system) == {name: family}


# ---- the recordings -------------------------------------------------------------------------


def test_qwen_and_llama_on_the_recorded_day(built: Settings) -> None:
    """Of language models Qwen has eight times Llama's downloads, whoever publishes."""
    with open_read_only(built.warehouse) as con:
        found = con.execute(
            "SELECT attribution, family_id, share FROM mart.family_share_daily "
            "WHERE as_of_date = ? AND population = 'llm_vlm' AND metric = 'downloads_30d' "
            "AND family_id IN ('qwen', 'llama')",
            [DAY],
        ).fetchall()
    share = {(attribution, family): value for attribution, family, value in found}
    assert share["publisher", "qwen"] == pytest.approx(0.45, abs=0.02)
    assert share["name", "qwen"] == pytest.approx(0.53, abs=0.02)
    for attribution in ("publisher", "name"):
        assert share[attribution, "llama"] == pytest.approx(0.048, abs=0.005)
        assert share[attribution, "qwen"] > 8 * share[attribution, "llama"]


def test_families_cover_the_recorded_downloads(built: Settings) -> None:
    with open_read_only(built.warehouse) as con:
        found = con.execute(
            "SELECT attribution, 1 - share FROM mart.family_share_daily WHERE population = 'all' "
            "AND metric = 'downloads_30d' AND family_id = 'none'"
        ).fetchall()
    covered = dict(found)
    assert covered["name"] > 0.9
    assert covered["publisher"] > 0.8


def test_the_recorded_boards_and_epoch_records_have_families(built: Settings) -> None:
    with open_read_only(built.warehouse) as con:
        named = con.execute(
            "SELECT count(DISTINCT model_name_arena) FROM core.arena_ratings"
        ).fetchall()[0][0]
        counts = dict(
            con.execute("SELECT system, count(*) FROM core.model_families GROUP BY ALL").fetchall()
        )
    assert counts["lmarena"] > 0.9 * named
    assert counts["epoch"] > 200


def test_a_share_that_does_not_add_up_is_found(tmp_path: Path) -> None:
    queried = next(
        r for r in RULES if (r.table, r.name) == ("mart.family_share_daily", "shares_sum_to_one")
    )
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE t AS SELECT DATE '2026-08-15' AS as_of_date, 'all' AS population, "
        "'likes' AS metric, '30d' AS metric_window, a AS attribution, s AS share, "
        "NULL AS share_missing FROM "
        "(VALUES ('base', 0.4), ('base', 0.6), ('publisher', 0.4), ('publisher', 0.5)) v(a, s)"
    )
    faults = con.execute(queried.sql.replace("{batch}", "t")).fetchall()
    assert [fault[4] for fault in faults] == ["publisher"]
