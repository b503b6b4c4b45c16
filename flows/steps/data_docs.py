"""The folder of the Data Docs: which files are ours, and replacing them.

Each build replaces the files of the previous one, file by file, and removes those that it no longer
has. A list in the folder names our files; all others stay as they are. So the folder may be a link,
a mount point, or contain other things.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import duckdb

from warehouse.contracts.table import LAYERS
from warehouse.database.duckdb_file import WarehouseError
from warehouse.storage.files import write_atomically

log = logging.getLogger("observatory.data_docs")

LIST = ".observatory-data-docs.json"
TITLE = b"Data Docs created by Great Expectations"
MADE_BY_SYSTEM = {"lost+found"}  # in the root of a new disk


class DataDocsError(RuntimeError):
    """The folder of the Data Docs is not ours to write to."""


@dataclass(frozen=True)
class Listed:
    """Our files in a folder. `results`: digest of the validation results that they show.

    It is None for folders of earlier versions, and empty while the files are being replaced.
    """

    files: tuple[str, ...]
    results: str | None = None


def listed(folder: Path) -> Listed:
    """Our files in the folder; none if it is missing or empty.

    Raises DataDocsError if it has other content.
    """
    if not folder.exists():
        return Listed(())
    if not folder.is_dir():
        raise DataDocsError(_not_ours(folder, "is not a folder"))
    if (folder / LIST).exists():
        return _read_list(folder)
    if {path.name for path in folder.iterdir()} <= MADE_BY_SYSTEM:
        return Listed(())
    if _is_of_earlier_version(folder):
        found = [folder / "index.html", *folder.glob("static/**/*")]
        found += [p for layer in LAYERS for p in folder.glob(f"validations/{layer}/*/{layer}/*/*")]
        return Listed(tuple(p.relative_to(folder).as_posix() for p in found if p.is_file()))
    raise DataDocsError(_not_ours(folder, "contains files that are not Data Docs of a build"))


def _read_list(folder: Path) -> Listed:
    try:
        found = json.loads((folder / LIST).read_bytes())
        files = tuple(map(str, found["files"]))
    except (ValueError, TypeError, KeyError) as error:
        raise DataDocsError(
            _not_ours(folder, f"has a damaged list of our files, {LIST}")
        ) from error
    if any(PurePosixPath(f).is_absolute() or ".." in PurePosixPath(f).parts for f in files):
        raise DataDocsError(_not_ours(folder, f"has a damaged list of our files, {LIST}"))
    return Listed(files, str(found.get("results") or ""))


def _is_of_earlier_version(folder: Path) -> bool:
    """Whether the folder has the shape of our Data Docs, which had no list of files."""
    index, validations = folder / "index.html", folder / "validations"
    if not (index.is_file() and validations.is_dir() and (folder / "static").is_dir()):
        return False
    with index.open("rb") as stream:
        is_data_docs = TITLE in stream.read(4096)
    return is_data_docs and {path.name for path in validations.iterdir()} <= set(LAYERS)


def _not_ours(folder: Path, what: str) -> str:
    return (
        f"{folder} {what}, so a build does not write there; set OBSERVATORY_DOCS to a new folder, "
        "or move the content elsewhere"
    )


def replace(new: Path, folder: Path, results: str) -> None:
    """Makes our files in the folder those of the new one.

    Each file is replaced as a whole. The list is changed before the first file and after the last,
    so an interrupted call is noticed. Raises DataDocsError.
    """
    folder = Path(os.path.realpath(folder))
    before = listed(folder).files
    after = sorted(p.relative_to(new).as_posix() for p in new.rglob("*") if p.is_file())
    _write_list(folder, Listed(tuple(sorted({*before, *after})), ""))
    for name in sorted(after, key=lambda name: name == "index.html"):  # the entry page is last
        data, path = (new / name).read_bytes(), folder / name
        if not (path.is_file() and path.read_bytes() == data):
            write_atomically(path, data, durable=False)
    for name in set(before) - set(after):
        _remove(folder, name)
    _write_list(folder, Listed(tuple(after), results))


def _write_list(folder: Path, found: Listed) -> None:
    write_atomically(folder / LIST, json.dumps(asdict(found), indent=1).encode() + b"\n")


def _remove(folder: Path, name: str) -> None:
    """Removes one file, and the folders that are empty then."""
    path = folder / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def files(folder: Path, results: str) -> dict[str, Path]:
    """Our files by relative path, for a release whose warehouse has these validation results.

    Raises WarehouseError if they are of another build.
    """
    found = listed(folder)
    if not found.files:
        log.warning("%s has no Data Docs, so the release does not include them", folder)
    elif found.results not in (None, results):
        raise WarehouseError(
            f"{folder} has the Data Docs of another build than the warehouse, or of an interrupted "
            "one; build again with `observatory replay`"
        )
    return {name: folder / name for name in found.files if (folder / name).is_file()}


def results_digest(con: duckdb.DuckDBPyConnection) -> str:
    """A digest of the validation results that a warehouse contains."""
    rows = con.execute("SELECT * FROM meta.validation_results ORDER BY ALL").fetchall()
    return sha256(repr(rows).encode()).hexdigest()
