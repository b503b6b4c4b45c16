"""The ledger of the history: which snapshots were applied, in which order, and to which files.

<history>/<archive>/ledger.json                  the commit point: lists every valid file
<history>/<archive>/changes/<date>.parquet       counters of the models that changed, immutable
<history>/<archive>/models/<date>.parquet        attributes of the models that changed, immutable
<history>/<archive>/state/<date>/*.parquet       the complete state after a snapshot: the newest,
                                                 and the last one of every month as a checkpoint
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from warehouse.code_version import digest_of
from warehouse.storage.files import file_sha256, write_atomically

LEDGER = "ledger.json"
# What decides the content of the files: when it changes, the history is rebuilt.
MODULES = ("flows.sources.hub.parse_listing", "warehouse.hub_history.apply")
CONTRACTS = ("warehouse/contracts/tables/raw/hub_models.yml",)
# They transport or record the content and do not change it.
CARRIERS = (
    *("flows.sources.http", "flows.sources.formats.damage"),
    *("warehouse.archive", "warehouse.storage", "warehouse.database.own_disk"),
    *("warehouse.hub_history.ledger", "warehouse.code_version"),
)


class HistoryError(RuntimeError):
    """The history lacks a file, or has one that differs from its ledger."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sweep(_Record):
    """A snapshot of the Hub's listing, as far as the history depends on it."""

    snapshot_id: str
    snapshot_date: date
    sidecar_sha256: str
    is_whole: bool  # a complete sweep of the Hub: models that it lacks are gone


class HistoryFile(_Record):
    """One file of the history; its path is relative to the history's folder."""

    path: str
    bytes: int
    sha256: str


class Entry(_Record):
    """One applied snapshot: its counts and its files."""

    sweep: Sweep
    counts: dict[str, int]
    changes: HistoryFile
    models: HistoryFile
    state: tuple[HistoryFile, ...]  # () once a later snapshot of the month replaced it

    @property
    def day(self) -> date:
        """Day of the snapshot."""
        return self.sweep.snapshot_date


class Ledger(_Record):
    """All applied snapshots, oldest first."""

    code: str
    entries: tuple[Entry, ...] = ()

    def until(self, day: date) -> tuple[Entry, ...]:
        """The entries up to and including a day."""
        return tuple(entry for entry in self.entries if entry.day <= day)


def code_digest() -> str:
    """Digest of what decides the content: code, contract, and DuckDB, which writes the files."""
    code = digest_of(*MODULES, data=CONTRACTS, without=CARRIERS)
    return hashlib.sha256(f"{duckdb.__version__} {code}".encode()).hexdigest()


def read_ledger(folder: Path) -> Ledger:
    """The ledger of a history; empty if there is none, or if other code wrote it."""
    path = folder / LEDGER
    if not path.exists():
        return Ledger(code=code_digest())
    try:
        found = Ledger.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise HistoryError(
            f"cannot read {path}: {error}; delete {folder}, and the next build recreates it"
        ) from error
    return found if found.code == code_digest() else Ledger(code=code_digest())


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Commits: from now on the history consists of the files in this ledger."""
    text = ledger.model_dump_json(indent=1)
    write_atomically(folder / LEDGER, text.encode() + b"\n")


def describe(folder: Path, path: Path) -> HistoryFile:
    """A file with its size and digest."""
    return HistoryFile(
        path=path.relative_to(folder).as_posix(),
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )
