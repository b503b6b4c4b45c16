"""The data set of the study "Economies of Open Intelligence": all-time downloads by model and day.

The producer overwrites one Parquet file with the complete history. It is downloaded only if its
digest in the repository differs from that of the newest snapshot. A second file is archived when it
is offered, and not loaded: its columns are not documented.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import duckdb

from flows.settings import Settings
from flows.sources.arrival import arriving
from flows.sources.formats.damage import naming
from flows.sources.formats.parquet_cells import as_text
from flows.sources.formats.parquet_sizes import read_footer
from flows.sources.hf_repository import (
    Repository,
    digest_mismatch,
    hub_api,
    translate_errors,
    tree_digest,
)
from flows.sources.http import SourceError
from flows.sources.quarantine import load_records, typed
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import card
from warehouse.contracts.table import contract, literal, quote
from warehouse.database.read_files import parquet

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

log = logging.getLogger("observatory.hub_evolution")

NAME, TABLE = "hub_evolution", "raw.hub_evolution_counters"
CARD = "compare the data set with the source card warehouse/contracts/sources/hub_evolution.yml"
REQUIRED = ("model_id_hf", "as_of_date", "downloads_all_time")
_ID = r"(?:[A-Za-z0-9_.-]{1,96}/)?[A-Za-z0-9_.-]{1,96}"


def fetch_study(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores the counters, and the second file if it is offered, at the newest commit."""
    terms = card(NAME).map
    repo, wanted = terms["repository"], terms["file"]
    address = f"{settings.hub_url}/datasets/{repo}"
    with translate_errors(NAME, draft.day, address):
        repository = Repository.newest(hub_api(settings.hub_url), repo, "dataset")
        offered = {f.path: f for f in repository.files()}
        draft.reset()  # an unfinished draft may be of another commit
        if wanted not in offered:
            raise SourceError(
                NAME, f"{draft.day} the data set has no {wanted}", repository.url(wanted), CARD
            )
        for name in (wanted, *terms["archived_only"]):
            if name in offered:
                _store(archive, draft, repository, offered[name])
    draft.notes.append(f"commit {repository.commit}")


def _store(archive: Archive, draft: Draft, repository: Repository, file: RepoFile) -> None:
    """Stores one file; an unchanged one refers to the bytes of the newest snapshot."""
    digest, url = tree_digest(file), repository.url(file.path)
    if known := archive.file_with(NAME, digest):
        draft.reuse(known, name=file.path, url=url)
        draft.notes.append(f"{file.path} is unchanged and was not downloaded")
        return
    data = repository.download(file.path)
    with arriving(draft, file.path, data, url, CARD):
        if problem := digest_mismatch(data, digest):
            raise ValueError(problem)
        rows, notes = _inspect(file.path, data)
    draft.add_file(file.path, data, url=url, etag=digest, rows_seen=rows)
    draft.notes += notes
    log.info("hub_evolution: %s, %s rows", file.path, f"{rows:,}")


def _inspect(name: str, data: bytes) -> tuple[int, list[str]]:
    """Rows of a file, and notes on its columns. Raises ValueError if it cannot be used."""
    footer = read_footer(data)
    names = footer.schema.to_arrow_schema().names
    if name != card(NAME).map["file"]:
        return footer.num_rows, [f"{name} is archived and not loaded; its columns: {names}"]
    columns = _source_names()
    missing = [columns[c] for c in REQUIRED if columns[c] not in names]
    if missing or not footer.num_rows:
        raise ValueError(
            f"has {footer.num_rows} rows and lacks the columns {missing}; found: {names}"
        )
    lacking = [n for n in columns.values() if n not in names]
    return footer.num_rows, [f"{name} lacks {lacking}: null in {TABLE}"] if lacking else []


def _source_names() -> dict[str, str]:
    """Our column -> column of the file."""
    return {n: c.source_names[0] for n, c in contract(TABLE).columns.items() if c.source_names}


def parse_study(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_evolution_counters: one row per model and day.

    Rejected: a row without a valid model id or day, a repeated row, and every row of a model and
    day with different counters or countries, of which none can be preferred. A counter that is
    negative or absurd becomes null and is quarantined; one that falls is kept and flagged.
    """
    files = [f for f in snapshot.files if f.name == card(NAME).map["file"]]
    (path,) = archive.paths(files)
    with naming(files[0].name):
        _load(con, snapshot, files[0].name, path)


def _load(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, name: str, path: str) -> None:
    _read_cells(con, path)
    table = contract(TABLE)
    given = {n: c for n, c in table.columns.items() if c.source_names}
    values = {n: typed(quote(n), c) for n, c in given.items()}
    cells = {n: quote(n) for n, c in given.items() if c.written}
    fields = ", ".join(f"{quote(n)} := {quote(n)}" for n in given)
    records = f"""(SELECT *, {literal(name)} AS file,
        to_json(struct_pack({fields}))::VARCHAR AS record, {_refusal()} AS refusal
        FROM study_cells LEFT JOIN study_repeated USING (model_id_hf, as_of_date))"""
    columns = {n: values.get(n, quote(n)) for n in ("line", *given)}
    load_records(con, snapshot, table, records, columns, cells)
    _flag_falls(con, snapshot)
    con.execute("DROP TABLE study_repeated; DROP TABLE study_cells")


def _read_cells(con: duckdb.DuckDBPyConnection, path: str) -> None:
    """Creates study_cells, the columns as text, and study_repeated, models with several rows a day.

    Among equal rows the first counts. `is_ambiguous` where rows of a model and day differ.
    """
    described = con.execute(f"DESCRIBE FROM {parquet(path)}").fetchall()
    kinds = {name: kind for name, kind, *_ in described}
    texts = {n: as_text(s if s in kinds else None, kinds) for n, s in _source_names().items()}
    texts["as_of_date"] = f"left({texts['as_of_date']}, 10)"
    picked = ", ".join(f"nullif({text}, '') AS {quote(n)}" for n, text in texts.items())
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE study_cells AS
        SELECT file_row_number + 1 AS line, {picked}
        FROM {parquet(path, "file_row_number = true")}"""
    )
    con.execute(
        """CREATE OR REPLACE TEMP TABLE study_repeated AS
        SELECT model_id_hf, as_of_date, min(line) AS first_line, count(DISTINCT concat_ws(
            '|', downloads_all_time, org_country, derived_org_country)) > 1 AS is_ambiguous
        FROM study_cells GROUP BY ALL HAVING count(*) > 1"""
    )


def _refusal() -> str:
    day = typed("as_of_date", contract(TABLE).columns["as_of_date"])
    return f"""CASE WHEN model_id_hf IS NULL THEN 'missing id'
        WHEN NOT regexp_full_match(model_id_hf, {literal(_ID)}) THEN 'model: expected a Hub id'
        WHEN as_of_date IS NULL THEN 'missing day'
        WHEN {day} IS NULL THEN 'time: expected a time'
        WHEN is_ambiguous THEN 'different counters or countries for one model and day'
        WHEN line > first_line THEN 'duplicate' END"""


def _flag_falls(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Fills downloads_fell_by from each model's previous day with a counter."""
    con.execute(
        f"""UPDATE {contract(TABLE).sql_name} AS rows SET downloads_fell_by = fell_by
        FROM (SELECT line, lag(downloads_all_time) OVER (
                PARTITION BY model_id_hf ORDER BY as_of_date) - downloads_all_time AS fell_by
            FROM {contract(TABLE).sql_name}
            WHERE snapshot_id = $1 AND downloads_all_time IS NOT NULL) AS steps
        WHERE rows.snapshot_id = $1 AND rows.line = steps.line AND fell_by > 0""",
        [snapshot.snapshot_id],
    )
