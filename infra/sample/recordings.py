"""Recordings: the files that the sample is selected from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft, open_draft
from warehouse.contracts.source import card
from warehouse.database.read_files import csv_frame
from warehouse.storage.files import file_sha256


class SampleError(RuntimeError):
    """The recordings are incomplete, or the target is not a sample."""


@dataclass(frozen=True)
class Recording:
    """One verified file of the recordings, with its row of MANIFEST.csv."""

    name: str
    path: Path
    origin: str
    observed: str
    rows: int

    @property
    def retrieved_at(self) -> datetime:
        """When it was recorded: the end of a time span, the start (UTC) of a day."""
        moment = datetime.fromisoformat(self.observed.split("..")[-1])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.name} ({self.origin}; observed {self.observed})"


@dataclass(frozen=True)
class Recordings:
    """The folder of recordings."""

    root: Path

    def get(self, name: str) -> Recording:
        """One file by its path in MANIFEST.csv. Raises SampleError if it does not match."""
        path, row = self._verified(name)
        return Recording(name, path, row["origin"], row["observation_date"], int(row["rows"]))

    def path(self, name: str) -> Path:
        """The verified path of a file. Raises SampleError if it does not match."""
        return self._verified(name)[0]

    def _verified(self, name: str) -> tuple[Path, dict[str, str]]:
        """Path and row of MANIFEST.csv of one file."""
        listing = self.root / "MANIFEST.csv"
        if not listing.is_file():
            raise SampleError(
                f"{listing} does not exist; set --recordings or --histories to the folder with it"
            )
        row = csv_frame(listing).filter(pl.col("path") == name).to_dicts()
        if not row:
            raise SampleError(f"{listing} does not list {name}; use complete recordings")
        path = self.root / name
        if not path.is_file() or file_sha256(path) != row[0]["sha256"]:
            raise SampleError(f"{path} is not the file that {listing} lists; copy it again")
        return path, row[0]


@contextmanager
def sample_draft(
    archive: Archive,
    source: str,
    day: date,
    *,
    slot: str | None = None,
    complete_from: date | None = None,
) -> Iterator[Draft]:
    """A draft that is sealed as a sample at the end."""
    with open_draft(archive, source, day, slot) as draft:
        yield draft
        draft.seal(**card(source).sidecar_terms(), is_sample=True, complete_from=complete_from)
    (draft.folder / ".lock").unlink()
