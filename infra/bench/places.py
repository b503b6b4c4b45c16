"""The inputs of a bench of one size, and how they are made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from flows.sources.hub.models import parse_models
from flows.steps import build
from flows.steps.hub_history import up_to_date
from infra.bench.generate import FIRST_DAY, GeneratedHub
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot
from warehouse.database import duckdb_file
from warehouse.database.build_files import move
from warehouse.database.duckdb_file import unpublished_path
from warehouse.hub_history.load import load_history
from warehouse.hub_history.store import History
from warehouse.registry.load import load_reference

NEXT_DAY = FIRST_DAY + timedelta(days=1)


@dataclass(frozen=True)
class Place:
    """The folder of one size: `archive` of two days, `built.duckdb` of the first."""

    folder: Path
    models: int

    @property
    def archive(self) -> Archive:
        """Two generated days."""
        return Archive(self.folder / "archive")

    @property
    def built(self) -> Path:
        """A warehouse of the first day, every table filled, not validated."""
        return self.folder / "built.duckdb"

    @property
    def history(self) -> Path:
        """The history of the counters up to the first day."""
        return self.folder / "history"

    def snapshot(self, day: date = FIRST_DAY) -> Snapshot:
        """A generated day. Raises ValueError if `prepare` did not make it."""
        found = self.archive.snapshot("hub", day)
        if found is None:
            raise ValueError(
                f"{self.folder} has no snapshot of {day}; run `python -m infra.bench` first"
            )
        return found

    def pages(self) -> list[str]:
        """The first day's page files."""
        return self.archive.paths(self.snapshot().find("pages/"))

    def copy_of_built(self, scratch: Path) -> Path:
        """A copy of the built warehouse, for writing."""
        copy = Path(shutil.copyfile(self.built, scratch / "built.duckdb"))
        shutil.copyfile(unpublished_path(self.built), unpublished_path(copy))
        return copy

    def prepare(self) -> None:
        """Makes the inputs that do not exist yet."""
        hub = GeneratedHub(self.models)
        for day in (FIRST_DAY, NEXT_DAY):
            hub.archive_day(self.archive, day)
        if not unpublished_path(self.built).exists():
            part = self.folder / "part.duckdb"
            shutil.rmtree(self.history, ignore_errors=True)
            load(self, part)
            keep_history(self, part, self.history)
            clocks = build.Clocks(FIRST_DAY)
            for layer in ("core", "mart", "meta"):
                build.transform(part, layer, clocks)
            build.write_build_info(part, [self.snapshot()], clocks)
            move(part, self.built)
        # If the code has changed, the history is rebuilt here and not while measuring.
        with (
            duckdb_file.connect(self.built, read_only=True) as con,
            history_of(self, self.history, con, FIRST_DAY),
        ):
            pass


def load(place: Place, path: Path, day: date = FIRST_DAY) -> None:
    """A fresh warehouse file with the registry and one day of the Hub, as a build loads them."""
    con = empty(path)
    fill(con, place, day)
    con.close()


def empty(path: Path) -> duckdb.DuckDBPyConnection:
    """A fresh warehouse file with the registry alone."""
    con = duckdb_file.create(path)
    load_reference(con)
    duckdb_file.checkpoint(con)
    return con


def fill(con: duckdb.DuckDBPyConnection, place: Place, day: date = FIRST_DAY) -> None:
    """One day of the Hub, from its pages to the disk."""
    parse_models(con, place.archive, place.snapshot(day))
    duckdb_file.checkpoint(con)


def keep_history(place: Place, path: Path, root: Path, day: date = FIRST_DAY) -> None:
    """Updates the history to the day that the warehouse file has loaded."""
    with duckdb_file.bounded(duckdb_file.connect(path)) as con:
        with history_of(place, root, con, day) as history:
            load_history(con, history, day, [day])
        duckdb_file.checkpoint(con)


@contextmanager
def history_of(
    place: Place, root: Path, con: duckdb.DuckDBPyConnection, day: date
) -> Iterator[History]:
    """The history up to the day, which is loaded in `con`."""
    snapshots = [s for s in place.archive.snapshots("hub") if s.snapshot_date <= day]
    loaded = [place.snapshot(day).snapshot_id]
    with up_to_date(root, place.archive, snapshots, con, loaded) as history:
        if history is None:
            raise ValueError("the archive of the bench has no snapshot of the Hub")
        yield history
