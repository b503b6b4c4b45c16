"""Contracts are the only list of columns, and packages import in one direction."""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.settings import ALL_SOURCES
from flows.sources import SOURCES
from tests.conftest import ROOT
from tests.standin import StandIn
from transforms.plan import LOADED, plan
from warehouse.archive.archive import Archive
from warehouse.contracts.source import CardError, cards, read_card
from warehouse.contracts.table import (
    LAYERS,
    PHYSICAL,
    TABLES,
    Contract,
    ContractError,
    contract,
    contracts,
    literal,
    quote,
    read_contract,
)
from warehouse.database import duckdb_file
from warehouse.registry.load import read_registry, reference_tables
from warehouse.registry.read import RegistryError

FILES = sorted(TABLES.glob("*/*.yml"))
NAMES = [f"{path.parent.name}.{path.stem}" for path in FILES]
PROPERTY = settings(max_examples=25, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A fresh warehouse, as every build starts with."""
    con = duckdb_file.create(tmp_path_factory.mktemp("warehouse") / "a 'quoted' folder.duckdb")
    yield con
    con.close()


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


# --- the files -----------------------------------------------------------------------------------


def test_every_contract_file_is_loaded() -> None:
    assert sorted(contracts()) == sorted(NAMES)
    assert list(contracts()) == sorted(
        NAMES, key=lambda n: (LAYERS.index(n.split(".")[0]), n.split(".")[1])
    )
    with pytest.raises(
        ContractError,
        match=r"no contract for mart\.nothing: warehouse/contracts/tables/mart/nothing\.yml",
    ):
        contract("mart.nothing")


def misspellings(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with one field misspelt: each of its own, each that a column or limit has."""
    for field in document:
        yield field, {(f"{k}x" if k == field else k): v for k, v in document.items()}
    columns = document["columns"]
    own = {name: column for name, column in columns.items() if column != "shared"}
    inner = {field: ("columns", name) for name, column in own.items() for field in column}
    inner |= dict.fromkeys(document.get("thresholds", ()), ("thresholds",))
    for field, place in inner.items():
        wrong = copy.deepcopy(document)
        target = wrong
        for step in place:
            target = target[step]
        target[f"{field}x"] = target.pop(field)
        yield field, wrong


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_misspelled_field_is_an_error_with_the_file_name(path: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    copied = tmp_path / path.parent.name / path.name
    assert read_contract(written(copied, document)) == read_contract(path)
    wrongs = list(misspellings(document))
    whole = path.stem == "country_share_daily"  # all of one, and three of each: reading is slow
    for field, wrong in wrongs if whole else wrongs[FILES.index(path) % 5 :: len(wrongs) // 3]:
        with pytest.raises(ContractError) as refused:
            read_contract(written(copied, wrong))
        assert str(refused.value).startswith(f"{copied}: ")
        assert f"{field}x" in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"key": []},
        {"key": ["nowhere"]},
        {"columns": {"day": {"type": "HUGEINT", "description": "A type BI tools lack."}}},
        {"columns": {"day": {"type": "DATE"}}},
        {"columns": {"day": {"type": "DATE", "description": "Day.", "vocabulary": "nowhere"}}},
        {"columns": {"day": {"type": "DATE", "description": "Day."}, "nowhere": "shared"}},
        {"warnings": ["beware"]},
        {"drift": "sometimes"},
        {"table": "mart.other"},
        {"table": "core.small"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_inconsistent_contract_is_an_error(change: Any, tmp_path: Path) -> None:
    sound = {
        "table": "mart.small",
        "description": "Small.",
        "grain": "one row per day",
        "key": ["day"],
        "columns": {"day": {"type": "DATE", "description": "Day."}},
    }
    path = tmp_path / "mart" / "small.yml"
    assert read_contract(written(path, sound)).table == "mart.small"
    with pytest.raises(ContractError, match=re.escape(str(path))):
        read_contract(written(path, sound | change))


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\t", "table: &a [*a]"])
def test_file_that_is_not_a_yaml_mapping_is_an_error(text: str, tmp_path: Path) -> None:
    path = written(tmp_path / "mart" / "small.yml", text)
    with pytest.raises(ContractError, match=re.escape(str(path))):
        read_contract(path)


# --- the tables they make ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_created_table_matches_its_contract(created: duckdb.DuckDBPyConnection, name: str) -> None:
    table = contract(name)
    described = created.execute(f"DESCRIBE {table.sql_name}").fetchall()
    promised = [
        (column, c.type, "YES" if c.nullable else "NO") for column, c in table.columns.items()
    ]
    assert [row[:3] for row in described] == promised
    empty = created.sql(f"FROM {table.sql_name}").pl()
    table.check_frame(empty)
    assert empty.schema == table.polars_schema


@pytest.mark.parametrize("name", NAMES)
def test_table_and_columns_have_comments(created: duckdb.DuckDBPyConnection, name: str) -> None:
    table = contract(name)
    place = "schema_name = ? AND table_name = ?"
    about = created.execute(
        f"SELECT comment FROM duckdb_tables() WHERE {place}", [table.layer, table.name]
    ).fetchall()
    assert table.description in about[0][0]
    assert table.grain in about[0][0]
    assert all(warning in about[0][0] for warning in table.warnings)
    comments = created.execute(
        f"SELECT column_name, comment FROM duckdb_columns() WHERE {place}",
        [table.layer, table.name],
    ).fetchall()
    assert {column: (text or "").split(" Unit: ")[0] for column, text in comments} == {
        column: c.description for column, c in table.columns.items()
    }


def test_new_warehouse_has_only_tables_of_contracts(created: duckdb.DuckDBPyConnection) -> None:
    tables = created.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()")
    assert sorted(name for (name,) in tables.fetchall()) == sorted(NAMES)


def test_references_name_a_column_of_a_contract() -> None:
    led = [c.references for t in contracts().values() for c in t.columns.values() if c.references]
    assert led
    for reference in led:
        table, _, column = reference.rpartition(".")
        assert column in contract(table).columns, reference


NAMED = st.text(st.sampled_from("\"\"'';-\\ \n(aé字"), min_size=1, max_size=9)


@PROPERTY
@given(
    st.dictionaries(NAMED, st.sampled_from(sorted(PHYSICAL)), min_size=1, max_size=4),
    NAMED,
)
def test_names_and_texts_are_quoted(types: dict[str, str], text: str) -> None:
    columns = {n: {"type": t, "description": text} for n, t in types.items()}
    table = Contract.model_validate(
        {
            "table": f"mart.{text}",
            "description": text,
            "grain": text,
            "key": list(columns)[:1],
            "columns": columns,
        }
    )
    with duckdb.connect() as con:
        con.execute('CREATE SCHEMA "mart"')
        con.execute(table.create_sql())
        for statement in table.comment_sql():
            con.execute(statement)
        described = con.execute(f"DESCRIBE {table.sql_name}").fetchall()
        assert {row[0]: row[1] for row in described} == types
        comments = con.execute("SELECT DISTINCT comment FROM duckdb_columns() WHERE NOT internal")
        assert comments.fetchall() == [(" ".join(text.split()),)]


def test_quotes_are_doubled() -> None:
    assert quote('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"


# --- check_frame ---------------------------------------------------------------------------------


def frame_of(name: str) -> pl.DataFrame:
    return contract(name).polars_schema.to_frame()


@pytest.mark.parametrize("name", NAMES)
def test_frame_that_matches_the_contract_passes(name: str) -> None:
    contract(name).check_frame(frame_of(name))
    contract(name).check_frame(frame_of(name).lazy())


@pytest.mark.parametrize("name", NAMES)
def test_error_names_the_differences(name: str) -> None:
    table, frame = contract(name), frame_of(name)
    first, *_ = frame.columns
    other = pl.Int8()
    wrong = {
        rf"missing columns: {first}$": frame.drop(first),
        r"unknown columns: extra$": frame.with_columns(extra=pl.lit(1)),
        rf"wrong types: {first} is Int8, not": frame.with_columns(pl.col(first).cast(other)),
    }
    if frame.width > 1:
        wrong["columns are not in the order"] = frame.select(reversed(frame.columns))
    for message, bad in wrong.items():
        with pytest.raises(ContractError, match=rf"^{re.escape(name)} does not match.*{message}"):
            table.check_frame(bad)


def test_frame_that_does_not_match_is_not_written(
    created: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(ContractError, match=r"missing columns: table_name"):
        duckdb_file.insert_frame(
            created, contract("meta.lineage"), frame_of("meta.lineage").drop("table_name")
        )


# --- the registry and the cards ------------------------------------------------------------------


def test_registry_file_with_another_header_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_registry("labs")
    assert real.height > 0
    monkeypatch.setattr("warehouse.registry.load.REGISTRY", tmp_path)
    real.rename({"lab_id": "labid"}).write_csv(tmp_path / "labs.csv")
    with pytest.raises(RegistryError, match=r"labs\.csv:1: the header is labid,"):
        read_registry("labs")
    dates = [c for c, t in contract("raw.registry_labs").polars_schema.items() if t == pl.Date]
    real.with_columns(pl.lit("01/02/2026").alias(dates[0])).write_csv(tmp_path / "labs.csv")
    with pytest.raises(RegistryError, match=r"labs\.csv:2: valid_from is not a valid DATE"):
        read_registry("labs")


@pytest.mark.parametrize("source", sorted(cards()))
def test_misspelled_card_is_an_error_with_the_file_name(source: str, tmp_path: Path) -> None:
    document = yaml.safe_load(
        (ROOT / f"warehouse/contracts/sources/{source}.yml").read_text("utf-8")
    )
    path = tmp_path / f"{source}.yml"
    for field in document:
        wrong = {(f"{k}x" if k == field else k): v for k, v in document.items()}
        with pytest.raises(CardError, match=re.escape(str(path))):
            read_card(written(path, wrong))


# --- every table comes from somewhere, every source has its four places --------------------------


def texts_in(folder: Path) -> str:
    """Every string constant of the Python files below a folder."""
    return "\n".join(texts_in_file(path) for path in sorted(folder.rglob("*.py")))


def texts_in_file(path: Path) -> str:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return "\n".join(
        n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )


def test_core_and_mart_tables_and_transforms_correspond() -> None:
    computed = {step.table for step in plan()}
    assert computed <= set(NAMES)
    assert {t for t in computed if not t.startswith("meta.")} == {
        n for n in NAMES if n.split(".")[0] in ("core", "mart")
    }


def test_every_input_of_a_transform_is_a_table() -> None:
    read = {table for step in plan() for table in step.inputs.values()}
    assert read <= set(NAMES)
    assert {t for t in read if t.startswith("meta.")} <= set(LOADED.values())


def test_every_transform_is_documented_and_typed() -> None:
    for step in plan():
        assert inspect.getdoc(step.function), step.table
        hints = inspect.get_annotations(step.function, eval_str=False)
        assert hints["return"] == "pl.LazyFrame", step.table
        assert {hints[p] for p in step.inputs} <= {"pl.LazyFrame"}, step.table


def test_every_raw_table_has_a_loader() -> None:
    reference = reference_tables()
    loads = texts_in(ROOT / "flows" / "sources") + texts_in(ROOT / "warehouse" / "hub_history")
    for name in (n for n in NAMES if n.startswith("raw.")):
        is_loaded = re.search(rf"\b{re.escape(name)}\b", loads) is not None
        assert (name in reference) != is_loaded, name


def test_every_meta_table_is_written() -> None:
    writes = texts_in(ROOT / "flows") + texts_in(ROOT / "warehouse")
    computed = {step.table for step in plan()}
    for name in (n for n in NAMES if n.startswith("meta.")):
        assert (name in writes) != (name in computed), name


def test_build_fills_the_promised_tables(built: Any) -> None:
    """Nothing recorded is refused; no recording has agent boards, pickles, data sets or
    ids of objects.

    One recorded day of the Hub, without all-time counters, has no day before it.
    """
    with duckdb_file.open_read_only(built.warehouse) as con:
        empty = [
            t.table
            for t in contracts().values()
            if con.execute(f"SELECT count(*) FROM {t.sql_name}").fetchall() == [(0,)]
        ]
    assert set(empty) == {
        "raw.quarantine",
        "raw.arena_refused_rows",
        "meta.refused_snapshots",
        "raw.arena_agent_leaderboards",
        "raw.arena_space_ratings",
        "raw.hub_datasets",
        "raw.hub_stats_models",
        "raw.hub_evolution_counters",
        "raw.hub_trending_feed",
        *("raw.openrouter_rankings", "core.openrouter_tokens", "core.openrouter_restatements"),
        "mart.token_share_daily",
        "core.hub_all_time_counters",
        "core.hub_all_time_days",  # no recorded listing has all-time counters
        "mart.country_share_window",
        "mart.claim_answers_windows",
        "raw.hub_namespace_models",  # the whole listing is there
        "core.hub_datasets",
        "core.arena_agent_scores",
        "core.hub_refused_base_models",
        "core.hub_suspected_doubles",
        "core.hub_renames",
        "raw.hub_absences",
        "raw.hub_earlier_counters",
        "core.hub_counter_spikes",
        "core.hub_daily_downloads",
        "core.hub_tombstones",
        "mart.hub_leader_changes",
        "meta.release",
    }


SOURCE_FILES = sorted((ROOT / "flows/sources").rglob("*.py"))


def test_every_fetching_module_belongs_to_one_source_card() -> None:
    assert set(cards()) == {*ALL_SOURCES, "registry"}
    modules = {".".join(p.with_suffix("").relative_to(ROOT).parts) for p in SOURCE_FILES}
    speaking = {m for m in modules if any(n.startswith("fetch_") for n in defined_in(m))}
    assert sorted(speaking) == sorted(source.fetch.__module__ for source in SOURCES.values())


def defined_in(module: str) -> set[str]:
    found = vars(import_module(module)).items()
    return {name for name, value in found if getattr(value, "__module__", "") == module}


@pytest.mark.parametrize("source", ALL_SOURCES)
def test_source_has_its_card_module_and_contracts(source: str) -> None:
    assert cards()[source].license.raw
    fetch, parse = SOURCES[source].fetch, SOURCES[source].parse
    assert fetch.__name__.startswith("fetch_")
    assert parse.__name__.startswith("parse_")
    modules = {fetch.__module__, parse.__module__}
    files = [ROOT / f"{module.replace('.', '/')}.py" for module in modules]
    text = "\n".join(texts_in_file(file) for file in files)
    loaded = [n for n in NAMES if n.startswith("raw.") and re.search(rf"\b{re.escape(n)}\b", text)]
    assert loaded, f"{source} loads no raw table"
    assert all(source in contract(n).license_inputs for n in loaded)


@pytest.mark.parametrize("source", ALL_SOURCES)
def test_source_has_a_recorded_snapshot(source: str, request: pytest.FixtureRequest) -> None:
    if Archive(ROOT / "warehouse/sample").snapshots(source):
        return
    recordings = request.getfixturevalue("recordings")  # skips, and says why, on a bare machine
    if source == "hub_datasets" and StandIn(recordings).datasets is None:
        pytest.skip("the recorder of these strips kept models only; no listing was recorded")
    if cards()[source].is_optional:
        pytest.skip("an optional backfill: no revision of it was recorded")
    more = request.getfixturevalue("more_recordings")
    assert source in (*StandIn(recordings).sources, *StandIn(more).sources)
