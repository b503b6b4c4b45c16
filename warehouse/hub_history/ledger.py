"""The ledger of the history: which snapshots were applied, in which order, and to which files.

<history>/<archive>/ledger.json             the commit point: lists every valid file
<history>/<archive>/<kind>/<date>.parquet   the files, one folder for each kind
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import duckdb
from pydantic import BaseModel, ConfigDict

from warehouse.code_version import digest_of
from warehouse.storage.files import file_sha256, write_atomically

LEDGER = "ledger.json"
# What decides the content of the files: when it changes, the history is rebuilt.
MODULES = ("flows.sources.hub.parse_listing", "warehouse.hub_history.update")
CONTRACTS = ("warehouse/contracts/tables/raw/hub_models.yml",)
# They transport or record the content and do not change it.
CARRIERS = (
    *("flows.sources.http", "flows.sources.formats.damage"),
    *("warehouse.archive", "warehouse.storage", "warehouse.database.own_disk"),
    *("warehouse.hub_history.ledger", "warehouse.code_version"),
)
DAILY = ("counters", "models")  # of every snapshot, immutable
CHECKPOINT = ("counters_checkpoint", "models_checkpoint")  # of the first one in a month, immutable
NEWEST = ("state", "absences")  # of the last one; the absences of a checkpoint are kept too


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
    """One applied snapshot: its counts, and its files by kind."""

    sweep: Sweep
    counts: dict[str, int]
    files: dict[str, HistoryFile]

    @property
    def day(self) -> date:
        """Day of the snapshot."""
        return self.sweep.snapshot_date

    @property
    def is_checkpoint(self) -> bool:
        """Whether it has the row of every model."""
        return CHECKPOINT[0] in self.files

    @property
    def immutable(self) -> dict[str, HistoryFile]:
        """The files that never change, by kind; once published they need no second upload."""
        return {k: self.files[k] for k in (*DAILY, *CHECKPOINT) if k in self.files}

    def superseded(self) -> Entry:
        """The entry once a later snapshot is applied: without the files of the newest one."""
        old = NEWEST[:1] if self.is_checkpoint else NEWEST
        return self.model_copy(
            update={"files": {k: f for k, f in self.files.items() if k not in old}}
        )


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
    """The ledger of a history; without entries if there is none, or if other code wrote it.

    The code is then that of the file, which may be in an older format.
    """
    path = folder / LEDGER
    if not path.exists():
        return Ledger(code=code_digest())
    try:
        code = json.loads(path.read_bytes())["code"]
        if code != code_digest():
            return Ledger(code=code)
        return Ledger.model_validate_json(path.read_bytes())
    except (ValueError, LookupError, TypeError) as error:  # also ValidationError
        raise HistoryError(
            f"cannot read {path}: {error}; delete {folder}, and the next build recreates it"
        ) from error


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
