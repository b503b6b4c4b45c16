"""Build: from the archive to a warehouse file, stage by stage.

Each stage is a plain function that opens the private build file and closes it again, since Great
Expectations needs exclusive access to the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from flows.settings import ALL_SOURCES
from flows.sources.formats.damage import describe
from flows.sources.parse import parse_snapshot
from flows.steps.hub_history import SOURCE, up_to_date
from flows.steps.past_shares import TABLES as SETTLED
from flows.steps.past_shares import PastDay, load_past_shares
from flows.steps.snapshot_window import last_loaded_days, loaded
from transforms.ai_index.figures import CellError
from transforms.plan import Step, plan
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot, read_moment
from warehouse.code_version import code_version
from warehouse.contracts.source import card
from warehouse.contracts.table import contract
from warehouse.database import duckdb_file
from warehouse.hub_history.load import load_history
from warehouse.registry.load import load_reference
from warehouse.releases.licensing import table_sources
from warehouse.storage.files import file_sha256
from warehouse.storage.scratch import scratch_folder

log = logging.getLogger("observatory.build")


# What odd values cause; a panic of Polars is not even an Exception.
_VALUES = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, CellError),
    *(duckdb.ConstraintException, duckdb.ConversionException, duckdb.OutOfRangeException),
)


@dataclass(frozen=True)
class Clocks:
    """The two clocks of a run."""

    as_of: date  # the last day of observations
    known_at: date = (
        date.max
    )  # the registry is used as it was known on this day; date.max: all of it


class TransformError(RuntimeError):
    """A table cannot be computed from the values that were loaded."""


class NothingToBuildError(RuntimeError):
    """The archive has no snapshot up to the day."""


def chosen_snapshots(archive: Archive, sources: tuple[str, ...], as_of: date) -> list[Snapshot]:
    """The snapshots that a build reads: all up to the day, or the newest if it is cumulative.

    A source that stands in for another one is read only for days that the other one lacks.
    """
    archive.require_readable_reasons()
    chosen: list[Snapshot] = []
    for source in sources:
        found = archive.snapshots(source, until=as_of)
        if whole := card(source).stands_in_for:
            own = archive.days(whole)
            found = [s for s in found if s.snapshot_date not in own]
            if card(source).is_optional and not own:
                found = []  # a third party's copy only fills gaps between our own observations
        chosen += found[-1:] if card(source).loads == "newest_snapshot" else found
    if not chosen:
        later = [s.snapshot_date for source in sources for s in archive.snapshots(source)]
        todo = f"use --as-of {min(later)} or later: the first is of that day" if later else ""
        named = "" if set(sources) == set(ALL_SOURCES) else f" of {', '.join(sources)}"
        raise NothingToBuildError(
            f"{archive.root} has no snapshot{named} up to {as_of}; "
            + (todo or "fetch some with `observatory run`, or check --archive")
        )
    return chosen


def load_raw(
    build: Path, archive: Archive, snapshots: list[Snapshot], history: Path | None = None
) -> None:
    """Creates the build file and fills every raw table and meta.snapshots.

    `history` is the folder of the Hub's history; without one it is made in a temporary folder. The
    tables are the same either way.
    """
    con = duckdb_file.create(build)
    loaded_ids = [s.snapshot_id for s in loaded(snapshots)]
    try:
        load_reference(con)
        for snapshot in snapshots:
            if snapshot.snapshot_id in loaded_ids:
                _parse(con, archive, snapshot)
        rows = [_snapshot_row(archive, s, s.snapshot_id in loaded_ids) for s in snapshots]
        table = contract("meta.snapshots")
        duckdb_file.insert_frame(con, table, pl.DataFrame(rows, schema=table.polars_schema))
        with (
            _folder(history) as root,
            up_to_date(root, archive, snapshots, con, loaded_ids) as counted,
        ):
            if counted:
                days = [s.snapshot_date for s in snapshots if s.snapshot_id in loaded_ids]
                load_history(con, counted, counted.sweeps[-1].snapshot_date, days)
    finally:
        con.close()


def write_excluded_snapshots(
    build: Path, archive: Archive, snapshots: list[Snapshot], sources: tuple[str, ...], as_of: date
) -> None:
    """meta.refused_snapshots: excluded and rejected snapshots, and what is used instead."""
    newest = {s.source: s.snapshot_id for s in snapshots}  # sorted by time: the last one wins
    excluded = {"person": archive.excluded(), "arrival": archive.rejected_on_arrival()}
    rows = [
        {
            "snapshot_id": name,
            "source": source,
            "snapshot_date": read_moment(moment)[0],
            "refused_by": by,
            "reason": exclusion.reason,
            "continues_with": newest.get(source),
            "is_newest": name > newest.get(source, ""),
        }
        for by, found in excluded.items()
        for name, exclusion in found.items()
        for source, _, moment in [name.partition("/")]
        if source in sources and read_moment(moment)[0] <= as_of
    ]
    table = contract("meta.refused_snapshots")
    with _opened(build) as con:
        duckdb_file.insert_frame(con, table, pl.DataFrame(rows, schema=table.polars_schema))


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given:
        yield given
        return
    with scratch_folder("history") as scratch:
        yield scratch


def compute_past_shares(
    build: Path,
    archive: Archive,
    snapshots: list[Snapshot],
    clocks: Clocks,
    history: Path | None = None,
) -> int:
    """Inserts the shares of the Hub's days that are no longer loaded.

    Returns the number of days that were computed; the others are stored from an earlier build.
    """
    of_hub = [s for s in snapshots if s.source == SOURCE]
    days = [PastDay(*found) for found in last_loaded_days(of_hub).items()]
    if not days:
        return 0
    with (
        _opened(build) as con,
        _folder(history) as root,
        up_to_date(root, archive, snapshots) as counted,
    ):
        assert counted is not None  # there are snapshots of the Hub
        return load_past_shares(con, counted, days, vars(clocks))


def _parse(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    parse_snapshot(con, archive, snapshot)
    log.info("%s: loaded %s", snapshot.source, snapshot.snapshot_id)


def _snapshot_row(archive: Archive, snapshot: Snapshot, is_loaded: bool) -> dict[str, object]:
    return {
        "snapshot_id": snapshot.snapshot_id,
        "source": snapshot.source,
        "snapshot_date": snapshot.snapshot_date,
        "producer": snapshot.producer,
        "url": snapshot.url,
        "license": snapshot.license,
        "redistribution": snapshot.redistribution,
        "citation": snapshot.citation,
        "retrieved_at": snapshot.retrieved_at.replace(tzinfo=None),
        "files": len(snapshot.files),
        "bytes": snapshot.bytes,
        "rows_seen": snapshot.rows_seen,
        "is_complete": snapshot.is_complete,
        "is_sample": snapshot.is_sample,
        "tops": ", ".join(f"{c}:{n}" for c, n in sorted((snapshot.tops or {}).items())) or None,
        "complete_from": snapshot.complete_from,
        "sidecar_sha256": file_sha256(archive.sidecar(snapshot)),
        "is_loaded": is_loaded,
    }


def transform(build: Path, layer: str, clocks: Clocks) -> dict[str, int]:
    """Computes every table of a layer in the order of `plan()`. Returns rows by table."""
    with _opened(build) as con:
        return {s.table: _compute(con, s, clocks) for s in plan() if s.table.startswith(layer)}


def _compute(con: duckdb.DuckDBPyConnection, step: Step, clocks: Clocks) -> int:
    try:
        rows = duckdb_file.insert_frame(con, contract(step.table), _frame(con, step, clocks))
    except _VALUES as error:
        raise TransformError(
            f"{step.table} cannot be computed: {describe(error)}\n  what to do: find the value in "
            f"{', '.join(sorted(set(step.inputs.values())))} (*.failed.duckdb) and exclude its "
            "snapshot (`observatory exclude`)"
        ) from error
    log.info("%s: %s rows", step.table, f"{rows:,}")
    return rows


def _frame(con: duckdb.DuckDBPyConnection, step: Step, clocks: Clocks) -> pl.DataFrame:
    arguments: dict[str, object] = {
        parameter: duckdb_file.scan(con, contract(table), _loaded_days(step, table))
        for parameter, table in step.inputs.items()
    }
    arguments |= {clock: getattr(clocks, clock) for clock in step.clocks}
    return step.function(**arguments).collect()


def _loaded_days(step: Step, table: str) -> str:
    """Loaded days only, for a share table that reads another one: the rest exists already."""
    if step.table not in SETTLED or table not in SETTLED:
        return "true"
    first = "SELECT min(snapshot_date) FROM meta.snapshots WHERE is_loaded AND source = 'hub'"
    return f"as_of_date >= ({first})"


def write_lineage(build: Path) -> None:
    """Writes meta.lineage (one row per table and input table) and meta.table_sources."""
    rows = [(s.table, i) for s in plan() for i in sorted(set(s.inputs.values()))]
    with _opened(build) as con:
        for name, content in (("meta.lineage", rows), ("meta.table_sources", table_sources(rows))):
            table = contract(name)
            frame = pl.DataFrame(content, schema=table.polars_schema, orient="row")
            duckdb_file.insert_frame(con, table, frame)


def write_results(build: Path, results: pl.DataFrame) -> None:
    """Writes meta.validation_results."""
    with _opened(build) as con:
        duckdb_file.insert_frame(con, contract("meta.validation_results"), results)


@contextmanager
def _opened(build: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb_file.bounded(duckdb_file.connect(build))
    try:
        yield con
        duckdb_file.checkpoint(con)
    finally:
        con.close()


def write_build_info(build: Path, snapshots: list[Snapshot], clocks: Clocks) -> None:
    """Writes meta.build: the clocks, the code and whether this is the sample."""
    code = code_version()
    is_sample = any(s.is_sample for s in snapshots)
    with _opened(build) as con:
        con.execute(
            "INSERT INTO meta.build VALUES (?, ?, ?, ?, ?)",
            [clocks.as_of, clocks.known_at, code["version"], code["digest"], is_sample],
        )
