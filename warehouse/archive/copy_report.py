"""What backup and restore share: keys of the copy, the report, and a check of the two places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import EXCLUSION, SIDECAR, ArchiveError
from warehouse.storage.local import LocalStorage
from warehouse.storage.protocol import MissingObjectError, Storage

PREFIX = "archive/"


class SamePlaceError(ArchiveError):
    """Archive and copy share a folder."""


@dataclass(frozen=True)
class CopyReport:
    """The snapshots and files that were copied; `found`: number of snapshots at the origin.

    `repaired` are files of snapshots that the archive had already; `problems` is one line for each
    snapshot that could not be copied.
    """

    snapshots: tuple[str, ...]
    files: int
    bytes: int
    found: int
    repaired: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def raise_for_problems(self) -> None:
        """Raises ArchiveError with all problems, one per line."""
        if self.problems:
            raise ArchiveError("\n".join(self.problems))


@dataclass
class Copying:
    """The report of a copy that is being made. `root`: of the archive."""

    root: Path
    snapshots: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    def count(self, size: int) -> None:
        """Counts a copied file."""
        self.files, self.bytes = self.files + 1, self.bytes + size

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Adds what is wrong with one snapshot to the report, so that the others are copied.

        Raises ArchiveError if the archive's disk is full or cannot be used at all.
        """
        try:
            yield
        except (ArchiveError, MissingObjectError) as error:
            self.problems.append(str(error))
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            self.problems.append(f"{error.filename}: {error.strerror}; move it out of the archive")
        except OSError as error:
            raise ArchiveError(
                f"{error.filename or self.root}: {error.strerror}; what was copied before is "
                "complete; free space there or change its permissions, then run this again"
            ) from error

    def report(self, found: int) -> CopyReport:
        """The finished report."""
        done = tuple(self.snapshots), self.files, self.bytes
        return CopyReport(*done, found, tuple(self.repaired), tuple(self.problems))


def sidecar_key(snapshot_id: str) -> str:
    """Where the copy has the sidecar of a snapshot."""
    return f"{PREFIX}{snapshot_id}/{SIDECAR}"


def exclusion_key(snapshot_id: str) -> str:
    """Where the copy has the exclusion of a snapshot."""
    return f"{PREFIX}{snapshot_id}/{EXCLUSION}"


def check_apart(archive: Archive, storage: Storage) -> None:
    """Raises SamePlaceError if one folder is the other or is in it."""
    if not isinstance(storage, LocalStorage):
        return
    ours, copy = (Path(os.path.realpath(p)) for p in (archive.root, storage.root / PREFIX))
    same = ours.exists() and copy.exists() and ours.samefile(copy)
    if same or ours.is_relative_to(copy) or copy.is_relative_to(ours):
        raise SamePlaceError(
            f"the copy's folder {copy} and the archive {ours} overlap; name a place outside the "
            "archive"
        )
