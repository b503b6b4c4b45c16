"""Writes an entry into the registry: at its place, quoted as the files are, and only if valid."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category

from warehouse.registry import load
from warehouse.registry.entry import Entry, EntryError, Row, revised_labs, revised_names
from warehouse.storage.files import write_atomically
from warehouse.storage.scratch import scratch_folder

# As in warehouse.registry.checks.LAYOUTS; namespaces are sorted without case first.
ORDERS = {
    "labs.csv": ("lab_id", "valid_from", "known_from"),
    "namespaces.csv": ("system", "folded", "namespace", "valid_from", "known_from"),
}


FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class FileChange:
    """One file of the registry before and after an entry."""

    name: str
    before: bytes
    after: bytes

    def lines(self) -> list[str]:
        """The records that go (`- `) and come (`+ `), in the order of the file."""
        old, new = _records(self.before), _records(self.after)
        gone = [f"- {_line(r)}" for r in old if r not in new]
        return gone + [f"+ {_line(r)}" for r in new if r not in old]


def changes(entry: Entry, folder: Path | None = None) -> list[FileChange]:
    """The files that the entry changes. Raises EntryError or RegistryError; writes nothing."""
    folder = folder or load.REGISTRY
    load.registry_tables(folder)  # a registry that breaks a rule is not edited
    before = {name: (folder / name).read_bytes() for name in ORDERS}
    rows = {name: _rows(data) for name, data in before.items()}
    labs = revised_labs(rows["labs.csv"], entry)
    names = revised_names(rows["namespaces.csv"], labs, entry)
    after = {"labs.csv": _text("labs.csv", labs), "namespaces.csv": _text("namespaces.csv", names)}
    changed = [FileChange(n, before[n], after[n]) for n in ORDERS if before[n] != after[n]]
    if not changed:
        raise EntryError("nothing to add; give --namespace, or --name, --kind and --country")
    for change in changed:
        _require_plain_cells(change)
    _validate(changed, folder)
    return changed


def write(changed: list[FileChange], folder: Path | None = None) -> None:
    """Replaces each file atomically: first the labs, then the names that refer to them.

    Raises EntryError if a file changed since it was read.
    """
    folder = folder or load.REGISTRY
    for change in changed:
        if (folder / change.name).read_bytes() != change.before:
            raise EntryError(f"{change.name} was changed by another program; run the command again")
    for change in changed:
        write_atomically(folder / change.name, change.after)


def _require_plain_cells(change: FileChange) -> None:
    """Raises EntryError for a new cell that a spreadsheet would compute, or a terminal obey."""
    old = set(_records(change.before))
    for cell in (c for record in _records(change.after) if record not in old for c in record):
        if cell[:1] in FORMULA or any(category(c) in ("Cc", "Cf", "Cs") for c in cell):
            raise EntryError(
                f"{cell!a}: a value may not begin with one of {' '.join(FORMULA)}, nor contain "
                "control characters; write it in another way"
            )


def _validate(changed: list[FileChange], folder: Path) -> None:
    """Checks the whole registry with the changed files, in a copy."""
    with scratch_folder("registry") as scratch:
        copied = shutil.copytree(folder, scratch / "data")
        for change in changed:
            (copied / change.name).write_bytes(change.after)
        load.registry_tables(copied)


def _records(data: bytes) -> list[tuple[str, ...]]:
    return [tuple(r) for r in csv.reader(io.StringIO(data.decode("utf-8"), newline=""))]


def _line(record: tuple[str, ...]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="").writerow(record)
    return written.getvalue()


def _rows(data: bytes) -> list[Row]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def _text(name: str, rows: list[Row]) -> bytes:
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    placed = sorted((_place(name, row), i) for i, row in enumerate(rows))
    writer.writerows(rows[i] for _, i in placed)
    return written.getvalue().encode("utf-8")


def _place(name: str, row: Row) -> tuple[str, ...]:
    folded = {**row, "folded": row.get("namespace", "").lower()}
    return tuple(folded[column] for column in ORDERS[name])
