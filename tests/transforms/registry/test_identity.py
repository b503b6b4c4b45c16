"""Identity: one model_id for a model's names, and never one for two models."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.rules import RULES
from flows.settings import Settings
from tests.conftest import ROOT
from tests.support.frames import PROPERTY, Row, compute, rows
from warehouse.database.duckdb_file import open_read_only
from warehouse.registry.load import read_registry

PAIRS = ROOT / "tests" / "support" / "data" / "identity_pairs.csv"
KNOWN = date(2026, 11, 21)
SYSTEMS = {
    "hub": ("hub_models", "model_id_hf"),
    "lmarena": ("arena_observations", "model_name_arena"),
    "epoch": ("notable_models", "model_name_epoch"),
}
Name = tuple[str, str]  # system, name


def alias(system: str, name: str, model_id: str, **more: object) -> Row:
    return {"system": system, "name": name, "model_id": model_id, **more}


def aliases(*given: Row) -> pl.LazyFrame:
    about = {"basis": "release", "reviewer": "test", "known_from": KNOWN}
    return rows("raw.registry_model_aliases", *[{**about, **row} for row in given])


def identities(
    names: set[Name], held: pl.LazyFrame, shown: Mapping[str, str] | None = None
) -> dict[Name, tuple[str, str]]:
    """Name -> model_id, rule; `shown` are display names of the Space's tables and their keys."""
    frames = {
        table: pl.LazyFrame(
            {column: sorted(n for s, n in names if s == system)}, schema={column: pl.String}
        )
        for system, (table, column) in SYSTEMS.items()
    }
    about = {"snapshot_id": "s", "snapshot_date": KNOWN, "file_name": "t", "table_date": KNOWN}
    tables = rows(
        "raw.arena_space_tables",
        *(
            {"line": i, "model_name": n, "model_key": k}
            for i, (n, k) in enumerate((shown or {}).items(), 1)
        ),
        **about,
    )
    made = compute(
        "core.model_identities",
        **frames,
        raw_registry_model_aliases=held,
        raw_arena_space_tables=tables,
    )
    found = {(system, name): (i, by) for system, name, i, by in made.iter_rows()}
    assert set(found) == names
    return found


def lmarena(names: list[str], *given: Row) -> list[tuple[str, str]]:
    found = identities({("lmarena", n) for n in names}, aliases(*given))
    return [found["lmarena", n] for n in names]


# ---- the rules ------------------------------------------------------------------------------


def test_an_unknown_name_keeps_its_own_id_with_its_system() -> None:
    assert lmarena(["solace", "command-r", "command-r+"]) == [
        ("lmarena:solace", "raw"),
        ("lmarena:command-r", "raw"),
        ("lmarena:command-r+", "raw"),
    ]


def test_names_that_differ_by_case_or_outer_blanks_are_one() -> None:
    found = lmarena(["GLM-4.5", "glm-4.5", "GLM-4.5 "])
    assert [i for i, _ in found] == ["lmarena:glm-4.5"] * 3
    assert [by for _, by in found] == ["normal_form", "raw", "normal_form"]


def test_the_same_name_in_two_systems_is_not_one_model_unless_reviewed() -> None:
    names = {("lmarena", "gemma-4-31b"), ("epoch", "gemma-4-31b")}
    assert len({i for i, _ in identities(names, aliases()).values()}) == 2
    both = aliases(*[alias(s, n, "gemma-4-31b") for s, n in names])
    assert set(identities(names, both).values()) == {("gemma-4-31b", "alias")}


def test_an_alias_applies_to_other_cases_if_all_aliases_agree() -> None:
    given = [alias("lmarena", "glm-4.5", "glm-4.5")]
    assert lmarena(["glm-4.5", "GLM-4.5"], *given) == [("glm-4.5", "alias")] * 2


def test_aliases_separate_two_models_whose_names_differ_only_in_case() -> None:
    given = [
        alias("lmarena", "WizardLM-13B", "wizardlm-13b-v1.0"),
        alias("lmarena", "wizardlm-13b", "wizardlm-13b-v1.2"),
    ]
    assert lmarena(["WizardLM-13B", "wizardlm-13b", "WIZARDLM-13B"], *given) == [
        ("wizardlm-13b-v1.0", "alias"),
        ("wizardlm-13b-v1.2", "alias"),
        ("lmarena:wizardlm-13b", "normal_form"),
    ]


def test_a_display_name_has_the_identity_of_its_key() -> None:
    shown = {"Command R+": "Command-R-Plus", "Grok (early)": "chocolate"}
    names = {("lmarena", n) for n in ("command r+", "command-r-plus", "Grok (early)")}
    held = aliases(alias("lmarena", "chocolate", "early-grok-3"))
    assert identities(names, held, shown) == {
        ("lmarena", "command r+"): ("lmarena:command-r-plus", "display_name"),
        ("lmarena", "command-r-plus"): ("lmarena:command-r-plus", "raw"),
        ("lmarena", "Grok (early)"): ("early-grok-3", "display_name"),
    }


def test_a_reviewed_alias_has_priority_over_the_display_name() -> None:
    names = {("lmarena", "Command R+"), ("hub", "Command R+")}
    held = aliases(alias("lmarena", "command r+", "reviewed"))
    found = identities(names, held, {"Command R+": "command-r-plus"})
    assert found["lmarena", "Command R+"] == ("reviewed", "alias")
    assert found["hub", "Command R+"] == ("hub:command r+", "normal_form")


def test_a_withdrawn_alias_no_longer_applies() -> None:
    old = alias("lmarena", "x", "first", known_to=date(2026, 12, 1))
    new = alias("lmarena", "x", "second", known_from=date(2026, 12, 1))
    assert lmarena(["x"], old, new) == [("second", "alias")]


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
)


@given(st.sets(st.tuples(st.sampled_from(sorted(SYSTEMS)), TEXT), max_size=12))
@PROPERTY
def test_without_aliases_only_case_and_outer_blanks_are_ignored(names: set[Name]) -> None:
    found = identities(names, aliases())
    groups = defaultdict(set)
    for (system, name), (model_id, _) in found.items():
        groups[model_id].add((system, polars_fold(name)))
    assert all(len(group) == 1 for group in groups.values())


def polars_fold(name: str) -> str:
    """Lower case as the transform understands it; Python differs in a few scripts."""
    return str(pl.Series([name]).str.strip_chars().str.to_lowercase()[0])


# ---- collisions -----------------------------------------------------------------------------

(COLLIDES,) = (r for r in RULES if r.table == "core.model_identities")
(ONE_NAME,) = (r for r in RULES if r.name == "one_name_of_a_model_on_a_board")


def faults(identities: list[tuple[str, str, str, str]], sql: str) -> list[tuple[object, ...]]:
    con = duckdb.connect()
    con.execute("CREATE TABLE t (system VARCHAR, name VARCHAR, model_id VARCHAR, rule VARCHAR)")
    con.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", identities)
    return con.execute(sql.replace("{batch}", "t")).fetchall()


@pytest.mark.parametrize(
    ("found", "n_faults"),
    [
        ([("lmarena", "a", "m", "alias"), ("lmarena", "b", "m", "alias")], 0),
        ([("lmarena", "GLM", "m", "normal_form"), ("lmarena", "glm", "m", "raw")], 0),
        ([("lmarena", "a", "m", "alias"), ("epoch", "b", "m", "raw")], 0),
        ([("lmarena", "A b", "m", "display_name"), ("lmarena", "a-b", "m", "raw")], 0),
        ([("lmarena", "A b", "m", "display_name"), ("lmarena", "a", "m", "alias")], 0),
        ([("lmarena", "a", "m", "alias"), ("lmarena", "b", "m", "raw")], 1),
        ([("hub", "a/r", "m", "normal_form"), ("hub", "a/r+", "m", "normal_form")], 1),
    ],
)
def test_two_names_of_a_system_with_one_id_are_a_reported_collision(
    found: list[tuple[str, str, str, str]], n_faults: int
) -> None:
    lines = faults(found, COLLIDES.sql)
    assert len(lines) == n_faults
    assert all({found[0][1], found[1][1]} <= set(line) for line in lines)
    assert COLLIDES.severity == "critical"


@pytest.mark.parametrize(
    ("names", "sources", "days", "n_faults"),
    [
        (["a", "b"], ["lmarena", "lmarena"], [1, 1], 1),
        (["a", "A "], ["lmarena", "lmarena"], [1, 1], 0),
        (["a", "b"], ["lmarena", "arena_catalog"], [1, 1], 0),
        (["a", "b"], ["lmarena", "lmarena"], [1, 2], 0),
    ],
)
def test_two_names_on_one_board_of_a_source_are_two_models(
    names: list[str], sources: list[str], days: list[int], n_faults: int
) -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE t (board_source VARCHAR, board VARCHAR, category VARCHAR, "
                "publish_date INT, model_id VARCHAR, model_name_arena VARCHAR)")  # fmt: skip
    lines = [
        (s, "text", "overall", d, "m", n) for n, s, d in zip(names, sources, days, strict=True)
    ]
    con.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", lines)
    found = con.execute(ONE_NAME.sql.replace("{batch}", "t")).fetchall()
    assert len(found) == n_faults
    assert all(set(names) <= set(line) for line in found)
    assert ONE_NAME.severity == "critical"


# ---- the labelled pairs ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs() -> list[Mapping[str, str]]:
    with PAIRS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def predicted(pairs: list[Mapping[str, str]]) -> dict[Name, str]:
    names = {name for pair in pairs for name in _both(pair)}
    held = read_registry("model_aliases").lazy()
    return {name: model_id for name, (model_id, _) in identities(names, held).items()}


def _both(pair: Mapping[str, str]) -> Iterator[Name]:
    yield pair["system"], pair["name"]
    yield pair["other_system"], pair["other_name"]


def _is_one(pair: Mapping[str, str], predicted: Mapping[Name, str]) -> bool:
    one, other = _both(pair)
    return predicted[one] == predicted[other]


def test_there_are_enough_hard_pairs_of_names(pairs: list[Mapping[str, str]]) -> None:
    assert len(pairs) >= 500
    assert {pair["is_same"] for pair in pairs} == {"0", "1"}
    assert sum(pair["is_same"] == "0" for pair in pairs) >= 300
    assert len({frozenset(_both(pair)) for pair in pairs}) == len(pairs)


def test_no_two_models_have_one_identity(
    pairs: list[Mapping[str, str]], predicted: dict[Name, str]
) -> None:
    wrong = [p for p in pairs if p["is_same"] == "0" and _is_one(p, predicted)]
    assert wrong == []


def test_most_names_of_one_model_have_one_identity(
    pairs: list[Mapping[str, str]],
    predicted: dict[Name, str],
    record_property: Callable[[str, object], None],
) -> None:
    """Whoever drops more than every tenth reviewed link has lost more than a doubtful one."""
    same = [p for p in pairs if p["is_same"] == "1"]
    recall = sum(_is_one(p, predicted) for p in same) / len(same)
    record_property("recall", round(recall, 4))
    print(f"identity: recall {recall:.1%} of {len(same)} pairs")
    assert recall >= 0.9


def test_the_pairs_are_names_of_the_recordings(
    pairs: list[Mapping[str, str]], built: Settings, recordings: Path
) -> None:
    """Names of boards and of Epoch; a Hub day is a list of the top only."""
    with open_read_only(built.warehouse) as con:
        found = con.execute("SELECT system, name FROM core.model_identities").fetchall()
    recorded = set(found) | {("lmarena", name) for name in _displayed(recordings)}
    queried = {name for pair in pairs for name in _both(pair) if name[0] != "hub"}
    assert queried <= recorded


def _displayed(recordings: Path) -> Iterator[str]:
    for path in (recordings / "lmarena" / "space").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row["Model"].strip()
                yield row.get("key") or ""


# ---- the recordings -------------------------------------------------------------------------


def test_every_recorded_name_has_one_identity(built: Settings) -> None:
    with open_read_only(built.warehouse) as con:
        names, made, ids = con.execute(
            "SELECT (SELECT count(*) FROM core.hub_models) "
            "+ (SELECT count(DISTINCT model_name_arena) FROM core.arena_observations) "
            "+ (SELECT count(DISTINCT model_name_epoch) FROM core.notable_models), "
            "count(*), count(DISTINCT model_id) FROM core.model_identities"
        ).fetchall()[0]
    assert names == made
    assert ids < made


def test_no_recorded_board_has_two_names_that_differ_only_in_case(
    built: Settings,
) -> None:
    """What the normal form rests on."""
    with open_read_only(built.warehouse) as con:
        twins = con.execute(
            "SELECT lower(model_name_arena), count(DISTINCT model_name_arena) FROM "
            "core.arena_ratings GROUP BY ALL HAVING count(DISTINCT model_name_arena) > 1"
        ).fetchall()
        together = con.execute(
            "SELECT board, category, publish_date, lower(model_name_arena) FROM "
            "core.arena_ratings GROUP BY ALL HAVING count(DISTINCT model_name_arena) > 1"
        ).fetchall()
    assert len(twins) > 20
    assert together == []


def test_models_are_joined_across_the_recorded_systems(built: Settings) -> None:
    with open_read_only(built.warehouse) as con:
        shared = dict(
            con.execute(
                "SELECT n, count(*) FROM (SELECT count(DISTINCT system) AS n FROM "
                "core.model_identities GROUP BY model_id) GROUP BY n"
            ).fetchall()
        )
        r1 = con.execute(
            "SELECT system, name FROM core.model_identities WHERE model_id = 'deepseek-r1' "
            "ORDER BY ALL"
        ).fetchall()
    assert shared[2] > 100
    assert shared[3] > 15
    wanted = [("epoch", "DeepSeek-R1"), ("hub", "deepseek-ai/DeepSeek-R1")]
    assert r1 == [*wanted, ("lmarena", "deepseek-r1")]
