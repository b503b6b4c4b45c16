"""Stages a release in a folder: one Parquet file per table, a DuckDB file, and the manifest.

It reads a finished, validated warehouse file. `warehouse.publishing.upload` uploads the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import duckdb

from warehouse.contracts.source import Card, cards
from warehouse.contracts.table import Contract, contracts, literal
from warehouse.database import read_files
from warehouse.database.duckdb_file import bounded, connect
from warehouse.releases.database_file import RELEASE, write_database
from warehouse.releases.licensing import (
    ReleasePlan,
    TableScope,
    check_lineage,
    inherit,
    plan_release,
)
from warehouse.releases.manifest import (
    CATALOG,
    DATABASE,
    MANIFEST,
    Audience,
    FileEntry,
    Manifest,
    ReleaseError,
    TableEntry,
    make_release_id,
)
from warehouse.releases.metadata import FILES as METADATA
from warehouse.releases.metadata import write_metadata
from warehouse.releases.parquet import table_entry, write_table
from warehouse.releases.provenance import left_out, lineage, sources, validation
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import check_key
from warehouse.storage.scratch import scratch_folder

RESULTS_FIRST = ("mart", "core", "raw")  # the order of tables in manifest and documents
ENGINES = ("duckdb", "polars", "great-expectations")


def stage_release(
    database: Path,
    folder: Path,
    *,
    audience: Audience,
    as_of: date,
    code: Mapping[str, str],
    sample: bool,
    documents: Mapping[str, Path | bytes] | None = None,
    shared: Sequence[tuple[FileEntry, Path]] = (),
    tables: Mapping[str, Contract] | None = None,
    source_cards: Mapping[str, Card] | None = None,
) -> Manifest:
    """Writes a release into an empty folder and returns its manifest.

    It includes every contract with `published`: raw, core and mart tables as `<table>.parquet` and
    in `observatory.duckdb`, meta tables only in the DuckDB file. `code` has at least `version` and
    `digest`. `documents` are further files by their path in the release; `shared` are files that
    releases share, with their local paths. The caller makes sure that a public release may include
    them. Raises ReleaseError; the folder then has no manifest.
    """
    if missing := {"version", "digest"} - set(code):
        raise ReleaseError(
            f"`code` lacks {sorted(missing)}, which the release id depends on; pass it"
        )
    tables = contracts() if tables is None else tables
    source_cards = cards() if source_cards is None else source_cards
    _require_empty(folder)
    with _opened(database) as con:
        edges = lineage(con)
        if audience == "public":
            check_lineage(tables, source_cards, edges)
        plan = plan_release(inherit(tables, edges), source_cards, audience)
        _require_tables(con, database, plan)
        head = Head(as_of, audience, sample, dict(code))
        _put_documents(folder, documents or {})
        manifest = _stage(con, plan, folder, head, source_cards, edges)
    manifest = manifest.model_copy(update={"shared": _link(folder, shared)})
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest


class Head(NamedTuple):
    """The fields of a release that are known before anything is written."""

    as_of: date
    audience: Audience
    is_sample: bool
    code: dict[str, str]


def _stage(
    con: duckdb.DuckDBPyConnection,
    plan: ReleasePlan,
    folder: Path,
    head: Head,
    source_cards: Mapping[str, Card],
    edges: Sequence[tuple[str, str]],
) -> Manifest:
    written = (_write(con, one, folder) for one in plan.included)
    tables = tuple(
        sorted(written, key=lambda t: (RESULTS_FIRST.index(t.name.split(".")[0]), t.name))
    )
    release_id = make_release_id(tables, as_of=head.as_of, audience=head.audience, code=head.code)
    row = (release_id, *head[:3], head.code["version"], head.code["digest"])
    write_database(con, plan, folder, row)
    manifest = Manifest(
        release_id=release_id,
        **head._asdict(),
        engines={name: version(name) for name in ENGINES},
        tables=tables,
        files=(),
        sources=sources(con, plan, source_cards),
        validation=validation(con, plan),
        left_out=left_out(con, plan),
    )
    included = {s.contract.table: s.contract for s in plan.included}
    write_metadata(folder, manifest, included, edges)
    return manifest.model_copy(update={"files": _files(folder, {t.path for t in tables})})


def _require_empty(folder: Path) -> None:
    """A file of an earlier release must not become part of this one."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ReleaseError(f"{folder} is not empty; use a new folder to stage a release")


@contextmanager
def _opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the warehouse file; large sorts spill to a temporary folder."""
    if not database.is_file():
        raise ReleaseError(
            f"no warehouse file {database}; `observatory run` or `observatory replay` builds one"
        )
    with scratch_folder("stage") as spill, connect() as con:
        bounded(con).execute(f"SET temp_directory = {literal(str(spill))}")
        try:
            con.execute(f"ATTACH {read_files.database(database)} AS built (READ_ONLY)")
        except duckdb.Error as error:
            raise ReleaseError(
                f"{database} cannot be read: {error}\n"
                "  close the program that has it open for writing"
            ) from error
        con.execute("USE built")
        yield con


def _require_tables(con: duckdb.DuckDBPyConnection, database: Path, plan: ReleasePlan) -> None:
    query = "FROM duckdb_tables() SELECT schema_name, table_name WHERE database_name = 'built'"
    existing = {f"{schema}.{name}" for schema, name in con.execute(query).fetchall()}
    wanted = [c.table for c in plan.contracts if c.table != RELEASE]
    if missing := [t for t in wanted if t not in existing]:
        raise ReleaseError(
            f"{database} has no table {', '.join(missing)}; build the warehouse again"
        )


def _write(con: duckdb.DuckDBPyConnection, one: TableScope, folder: Path) -> TableEntry:
    path = folder / f"{one.contract.table}.parquet"
    rows = write_table(con, one.contract, path, one.included_rows)
    return table_entry(one.contract, path, rows, one.licenses)


def _put_documents(folder: Path, documents: Mapping[str, Path | bytes]) -> None:
    for name, document in documents.items():
        if name in (CATALOG, DATABASE, MANIFEST, *METADATA) or name.endswith(".parquet"):
            raise ReleaseError(
                f"document {name} has the same name as a file of the release; rename it"
            )
        target = folder / check_key(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(document, bytes):
            target.write_bytes(document)
        else:
            shutil.copyfile(document, target)


def _link(folder: Path, shared: Sequence[tuple[FileEntry, Path]]) -> tuple[FileEntry, ...]:
    """Links the shared files into the staged folder; copying years of days would take long."""
    for entry, path in shared:
        target = folder / check_key(entry.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:  # another disk, or no support for links
            shutil.copyfile(path, target)
    return tuple(entry for entry, _ in shared)


def add_files(folder: Path, manifest: Manifest) -> Manifest:
    """Adds new files in the folder of a staged release to its manifest and writes it again."""
    known = {MANIFEST, *(entry.path for entry in (*manifest.objects, *manifest.shared))}
    files = sorted((*manifest.files, *_files(folder, known)), key=lambda entry: entry.path)
    manifest = manifest.model_copy(update={"files": tuple(files)})
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return manifest


def _files(folder: Path, known: set[str]) -> tuple[FileEntry, ...]:
    """Every staged file that is not in `known`, by path."""
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return tuple(
        FileEntry(path=name, bytes=path.stat().st_size, sha256=file_sha256(path))
        for name, path in sorted(found.items())
        if name not in known
    )
