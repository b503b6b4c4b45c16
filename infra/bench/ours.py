"""Our side: our code, step by step, each on its own copy of the inputs.

A task prepares, which is not measured, and returns the work that is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import cast

from expectations.context import load_library
from expectations.validate import validate_database
from flows.settings import Settings
from flows.steps import build, sequence
from flows.steps.sequence import Step
from infra.bench.generate import FIRST_DAY
from infra.bench.places import NEXT_DAY, Place, empty, fill, history_of
from infra.bench.places import load as load_day
from transforms.plan import plan
from warehouse.contracts.table import LAYERS, contract, contracts
from warehouse.database import duckdb_file
from warehouse.releases.parquet import write_table

Work = Callable[[], object]
YEAR = 365  # days
TABLES = {
    "models": ("core.hub_models", "core.hub_daily_counters"),
    "lineage": ("core.hub_base_models", "core.hub_model_roots"),
    "names": ("core.model_families", "core.model_identities"),
    "shares": (
        "core.hub_credits",
        "mart.lab_share_daily",
        "mart.country_share_daily",
        "mart.family_share_daily",
    ),
}
VALIDATED = ("raw.hub_models", *(t for tables in TABLES.values() for t in tables))
WRITTEN = tuple(t for t in VALIDATED if t != "core.hub_credits")


def load(place: Place, scratch: Path) -> Work:
    """Pages to raw.hub_models, with verified bytes and odd items in quarantine."""
    con = empty(scratch / "loaded.duckdb")

    def work() -> None:
        fill(con, place)
        con.close()

    return work


def history(place: Place, scratch: Path) -> Work:
    """The second day into the history: keys, changed attributes and counters."""
    path, root = scratch / "loaded.duckdb", scratch / "history"
    load_day(place, path, NEXT_DAY)
    shutil.copytree(place.history, root)

    def work() -> None:
        with (
            duckdb_file.bounded(duckdb_file.connect(path)) as con,
            history_of(place, root, con, NEXT_DAY),
        ):
            pass

    return work


def transform(step: str) -> Callable[[Place, Path], Work]:
    """The transforms of a step, from table to table."""

    def task(place: Place, scratch: Path) -> Work:
        path = place.copy_of_built(scratch)
        with duckdb_file.connect(path) as con:
            for table in TABLES[step]:
                con.execute(f"TRUNCATE {contract(table).sql_name}")
        return lambda: _compute(path, TABLES[step])

    return task


def _compute(path: Path, tables: tuple[str, ...]) -> dict[str, float]:
    """Returns the seconds of each table."""
    seconds: dict[str, float] = {}
    with build._opened(path) as con:
        for step in plan():
            if step.table in tables:
                begin = perf_counter()
                build._compute(con, step, build.Clocks(FIRST_DAY))
                seconds[step.table] = perf_counter() - begin
    return seconds


def validation(place: Place, scratch: Path) -> Work:
    """Every expectation on the Hub's tables, by Great Expectations inside DuckDB."""
    load_library()  # no import is measured
    return lambda: validate_database(place.built, VALIDATED, "bench").raise_for_critical()


def parquet(place: Place, scratch: Path) -> Work:
    """The Hub's tables as sorted Parquet files."""

    def work() -> None:
        with duckdb_file.connect(place.built, read_only=True) as con:
            for table in WRITTEN:
                write_table(con, contracts()[table], scratch / f"{table}.parquet")

    return work


def year(place: Place, scratch: Path) -> Work:
    """Country shares under every definition over 365 days, all copies of the built one.

    Read as an analyst would: sorted, as a Polars frame.
    """
    path = place.copy_of_built(scratch)
    shares = contract("mart.country_share_daily").sql_name
    with duckdb_file.connect(path) as con:
        con.execute(
            f"""INSERT INTO {shares} SELECT s.* REPLACE ((as_of_date - n::INTEGER) AS as_of_date)
            FROM {shares} AS s CROSS JOIN range(1, {YEAR}) AS earlier(n) ORDER BY as_of_date"""
        )

    def work() -> None:
        with duckdb_file.connect(path, read_only=True) as con:
            con.execute(
                f"""SELECT as_of_date, population, metric, attribution, credit, country_code, share,
                share_lower, share_upper FROM {shares} ORDER BY ALL"""
            ).pl()

    return work


def settings(place: Place, scratch: Path) -> Settings:
    """Settings of a run on the generated Hub alone."""
    return Settings(
        archive=place.folder / "archive",
        warehouse=scratch / "observatory.duckdb",
        docs=scratch / "validation",
        history=scratch / "history",
        publish_to=(str(scratch / "published"),),
        sources=("hub",),
    )


def publish(place: Place, scratch: Path) -> Work:
    """Parquet, DuckDB file and page into a folder, read back and validated."""
    load_library()
    chosen = settings(place, scratch)
    shutil.copyfile(place.built, chosen.warehouse)
    return lambda: sequence.publish(chosen, chosen.publish_to, just_built=True)


def whole(place: Place, scratch: Path) -> Work:
    """Archive to published release, without Prefect."""
    load_library()
    chosen = settings(place, scratch)

    seconds: dict[str, float] = {}

    def timed(step: Step, /) -> Step:
        @wraps(step)
        def run(*args: object, **kwargs: object) -> object:
            begin = perf_counter()
            try:
                return step(*args, **kwargs)
            finally:
                layer = next((a for a in args if a in LAYERS), None)
                name = f"{step.__name__} {layer}" if layer else step.__name__
                seconds[name] = seconds.get(name, 0) + perf_counter() - begin

        return cast(Step, run)

    def work() -> dict[str, float]:
        sequence.build(chosen, FIRST_DAY, timed)
        sequence.publish(chosen, chosen.publish_to, wrap=timed, just_built=True)
        return seconds

    return work


def prefect(place: Place, scratch: Path) -> Work:
    """The same as a Prefect flow with a temporary server, whose database exists already."""
    upgrade = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
    subprocess.run(upgrade, check=True, stdout=subprocess.DEVNULL)
    chosen = settings(place, scratch)
    overrides = chosen.model_dump(mode="json", exclude_defaults=True)

    def work() -> None:
        from flows.pipeline import release  # noqa: PLC0415 - Prefect's start belongs to its cost

        release(as_of=FIRST_DAY, overrides=overrides)

    return work
