"""Small handwritten frames, and transforms that run on them as in a build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

import polars as pl
from hypothesis import HealthCheck, settings

from tests.support.hub_oracle import FROM_HISTORY, with_history
from tests.support.reckoning import differing
from transforms.plan import Step, plan
from warehouse.contracts.table import Contract, contract
from warehouse.database.duckdb_file import connect, create_schemas, scan
from warehouse.registry.load import countries

DAY = date(2026, 8, 15)

Row = Mapping[str, object]
Period = tuple[str, date, date | None]

# The same examples on every run, so that failures are reproducible.
PROPERTY = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def rows(table: str, *given: Row, **shared: object) -> pl.LazyFrame:
    """A frame with the schema of a contract; nullable columns that are not given are null.

    Raises ValueError for a column that the contract lacks or that it needs and nobody gave.
    """
    columns = contract(table).columns
    filled = [{**dict.fromkeys(columns), **shared, **row} for row in given]
    for row in filled:
        unknown = set(row) - set(columns)
        missing = {c for c, column in columns.items() if row[c] is None and not column.nullable}
        if unknown or missing:
            raise ValueError(f"{table}: not in the contract {unknown}, not given {missing}")
    return pl.DataFrame(filled, schema=contract(table).polars_schema).lazy()


@cache
def empty(table: str) -> pl.LazyFrame:
    """A frame of a contract without any row."""
    return contract(table).polars_schema.to_frame().lazy()


def usual(table: str) -> pl.LazyFrame:
    """What a transform reads where a test gives nothing."""
    return core_countries() if table == "core.countries" else empty(table)


@cache
def core_countries() -> pl.LazyFrame:
    """core.countries from the project's own spellings."""
    return step("core.countries").function(all_countries()).collect().lazy()


def shuffled(frame: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    """The same rows in another order."""
    return frame.collect().sample(fraction=1, shuffle=True, seed=seed).lazy()


def step(table: str) -> Step:
    """The transform of a table."""
    return next(s for s in plan() if s.table == table)


def compute(
    table: str, as_of: date = DAY, known_at: date = date.max, **inputs: pl.LazyFrame
) -> pl.DataFrame:
    """One table from its transform, sorted by key.

    Missing inputs are empty, except the countries, which are the project's own.
    """
    wanted, inputs = step(table), with_history(inputs)
    if FROM_HISTORY & set(wanted.inputs):
        inputs = {
            p: frame for p, frame in inputs.items() if p != "raw_hub_models" or p in wanted.inputs
        }
    inputs = {
        p: frame for p, frame in inputs.items() if p in wanted.inputs or p not in FROM_HISTORY
    }
    frames = {
        parameter: inputs.pop(parameter, usual(source))
        for parameter, source in wanted.inputs.items()
    }
    assert not inputs, f"{table} does not read {sorted(inputs)}"
    given = {"as_of": as_of, "known_at": known_at}
    clocks = {clock: given[clock] for clock in wanted.clocks}
    made = promised(table, wanted.function(**frames, **clocks).collect())
    if made.height and SCANNED[table] < SCANS:
        SCANNED[table] += 1
        assert differing(through_scan(wanted, frames, clocks), made, held_key(table)) == [], table
    return made


def held_key(table: str) -> list[str]:
    """The columns that identify a row of a table."""
    return list(contract(table).key)


# The first results of each table in a process are computed again from stored frames, as a build
# reads them; of every table at least one: tests/end_to_end/test_second_reckoning.py, on whole
# builds.
SCANS = 2
SCANNED: Counter[str] = Counter()


def through_scan(
    wanted: Step, frames: Mapping[str, pl.LazyFrame], clocks: Mapping[str, date]
) -> pl.DataFrame:
    """The result of a transform that reads its inputs from DuckDB."""
    with connect() as con:
        create_schemas(con)
        scans = {}
        for parameter, frame in frames.items():
            source = contract(wanted.inputs[parameter])
            columns = ", ".join(f'"{n}" {c.type}' for n, c in source.columns.items())
            con.execute(f"CREATE TABLE {source.sql_name} ({columns})")
            con.register("given", frame.collect())  # a test may omit unused inputs
            con.execute(f"INSERT INTO {source.sql_name} BY NAME FROM given")
            con.unregister("given")
            scans[parameter] = scan(con, source)
        return wanted.function(**scans, **clocks).collect()


def table_of(
    target: str, as_of: date = DAY, known_at: date = date.max, **raw: pl.LazyFrame
) -> pl.DataFrame:
    """One core or mart table with its dependencies, from raw frames as in a build.

    Countries are the project's own unless given; other raw tables not given are empty.
    """
    return everything(as_of, {target}, known_at, **raw)[target]


def everything(
    as_of: date = DAY,
    targets: set[str] | None = None,
    known_at: date = date.max,
    **raw: pl.LazyFrame,
) -> dict[str, pl.DataFrame]:
    """Every core and mart table (or those that the targets need), by name."""
    raw.setdefault("raw_registry_countries", all_countries())
    raw = with_history(raw)
    tables: dict[str, pl.DataFrame] = {}
    for each in needed(targets):
        inputs = {
            parameter: tables[source].lazy() if source in tables else raw[parameter]
            for parameter, source in each.inputs.items()
            if source in tables or parameter in raw
        }
        tables[each.table] = compute(each.table, as_of, known_at, **inputs)
    for table, frame in tables.items():
        assert_references(contract(table), frame, tables)
    return tables


def needed(targets: set[str] | None) -> list[Step]:
    """The steps behind some tables, in order; every step if None."""
    if targets is None:
        return list(plan())
    wanted = set(targets)
    for each in reversed(plan()):
        wanted |= set(each.inputs.values()) if each.table in wanted else set()
    return [each for each in plan() if each.table in wanted]


def promised(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame sorted by key, after a check of its contract."""
    held = contract(table)
    held.check_frame(frame)
    assert not frame.select(held.key).is_duplicated().any(), f"{table}: key is not unique"
    for name, column in held.columns.items():
        values = frame[name]
        assert column.nullable or values.null_count() == 0, f"{table}.{name} is null"
        if column.values:
            assert set(values.drop_nulls()) <= set(column.values), f"{table}.{name}"
        assert column.min is None or (values >= column.min).all(), f"{table}.{name} < {column.min}"
        assert column.max is None or (values <= column.max).all(), f"{table}.{name} > {column.max}"
    return frame.sort(held.key)


def assert_references(held: Contract, frame: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    """Checks that every reference exists in the table it refers to."""
    for name, column in held.columns.items():
        if column.references and column.references.rpartition(".")[0] in tables:
            table, _, key = column.references.rpartition(".")
            lost = set(frame[name].drop_nulls()) - set(tables[table][key])
            assert not lost, f"{held.table}.{name}: {lost} not in {table}"


# Defaults of registry rows.
REVIEWED: dict[str, object] = {
    "kind": "lab",
    "basis": "test",
    "reviewer": "test",
    "confidence": "low",
    "known_from": date(2026, 1, 1),
}


@cache
def all_countries() -> pl.LazyFrame:
    """The project's own spellings of countries."""
    return countries().lazy()


def registry(
    labs: Mapping[str, str | Sequence[Period]], system: str = "hub"
) -> dict[str, pl.LazyFrame]:
    """Raw registry tables: each lab has one name in a system, its own id, and dated countries."""
    dated = {
        lab: [(given, date(1900, 1, 1), None)] if isinstance(given, str) else given
        for lab, given in labs.items()
    }
    periods = [
        {"lab_id": lab, "country_code": code, "valid_from": start, "valid_to": end}
        for lab, held in dated.items()
        for code, start, end in held
    ]
    names = [{"namespace": lab, "lab_id": lab} for lab in labs]
    return {
        "raw_registry_labs": rows("raw.registry_labs", *periods, lab_name="A lab", **REVIEWED),
        "raw_registry_namespaces": rows(
            "raw.registry_namespaces",
            *names,
            system=system,
            valid_from=date(1900, 1, 1),
            **REVIEWED,
        ),
        "raw_registry_countries": all_countries(),
    }
