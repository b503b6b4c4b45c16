"""LMArena: every leaderboard, from the dataset `lmarena-ai/leaderboard-dataset` on the Hub.

The subsets are found in the repository tree: a new one is loaded automatically, with a note. `full`
has the whole history, so `latest` is not fetched. A file with a sha256 that the archive already has
is not downloaded again; a changed file is compared with the previous one.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from flows.settings import Settings
from flows.sources.formats.damage import describe, is_damage, naming
from flows.sources.formats.parquet_sizes import read_footer
from flows.sources.hf_repository import (
    Repository,
    digest_mismatch,
    hub_api,
    translate_errors,
    tree_digest,
)
from flows.sources.http import SourceError, damaged_response
from flows.sources.lmarena.board_changes import changed_rows
from flows.sources.lmarena.board_columns import (
    UnknownKindError,
    cells_and_values,
    kind_of,
    select_list,
    source_columns,
)
from flows.sources.quarantine import (
    has_unusable_cell,
    quarantine,
    quarantine_cells,
    refusal,
    snapshot_columns,
)
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.table import Contract, quote
from warehouse.database.read_files import parquet

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

log = logging.getLogger("observatory.lmarena")

NAME, REPO = "lmarena", "lmarena-ai/leaderboard-dataset"
_FULL = re.compile(r"[a-z0-9][a-z0-9_-]*/full-\d{5}-of-\d{5}\.parquet")
_LATEST = re.compile(r"[^/]+/latest-\d{5}-of-\d{5}\.parquet")  # `full` also has its rows


def fetch_leaderboards(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores `<subset>/full-*.parquet` of every subset at one commit of the dataset."""
    address = f"{settings.hub_url}/datasets/{REPO}"
    with translate_errors(NAME, draft.day, address):
        repository = Repository.newest(hub_api(settings.hub_url), REPO, "dataset")
        tree = repository.files()
        files = [f for f in tree if _FULL.fullmatch(f.path)]
        draft.reset()  # an unfinished draft may be of another commit
        boards = _Boards(archive, draft)
        boards.note_unknown_layout(f.path for f in tree if f not in files)
        for file in files:
            boards.store(repository, file)
    boards.note_missing({_subset(f.path) for f in files})
    if not draft.files:
        raise SourceError(
            NAME,
            "the dataset has no <subset>/full-*.parquet of a known kind",
            f"{address}/tree/{repository.commit}",
            "compare the layout with the source card warehouse/contracts/sources/lmarena.yml",
        )
    draft.notes.append(f"commit {repository.commit}, {len(draft.files)} subsets")


def _subset(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


class _Boards:
    """The boards of one fetch, and those of earlier fetches to compare them with."""

    def __init__(self, archive: Archive, draft: Draft) -> None:
        self.archive, self.draft = archive, draft
        earlier = [s for s in archive.snapshots(NAME) if s.snapshot_date < draft.day]
        self.seen = {_subset(f.name) for s in earlier for f in s.files}
        self.before = {f.name: f for f in earlier[-1].files} if earlier else {}
        self.since = earlier[-1].snapshot_id if earlier else ""

    def store(self, repository: Repository, file: RepoFile) -> None:
        """Stores one board; a new subset of an unknown kind is quarantined without an error."""
        digest, url, subset = tree_digest(file), repository.url(file.path), _subset(file.path)
        if known := self.archive.file_with(NAME, digest):
            self._note_new(subset)
            self.draft.reuse(known, name=file.path, url=url)
            return
        data = repository.download(file.path)
        rows, unread, problem = _inspect(data)
        problem = digest_mismatch(data, digest) or problem
        if isinstance(problem, UnknownKindError) and subset not in self.seen:
            stored = self.draft.quarantine(file.path, data)
            self._warn(f"new subset {subset} not loaded: it {problem} (stored as {stored})")
            return
        if problem:
            do = "if the producer changed the columns, adapt the contracts of raw.arena_*"
            what = f"{file.path} {problem}"
            raise damaged_response(self.draft, file.path, data, url, what, do)
        self._note_new(subset)
        self.draft.add_file(file.path, data, url=url, etag=digest, rows_seen=rows)
        log.info("lmarena: %s, %s rows", file.path, f"{rows:,}")
        if unread:
            self._warn(f"{subset} has columns that are not loaded: {unread}")
        if changed := changed_rows(self.archive, self.draft.files[-1], self.before.get(file.path)):
            self._warn(f"{subset}: {changed} since {self.since}")

    def note_unknown_layout(self, paths: Iterable[str]) -> None:
        """Warns about tables at other paths than boards, so that a new layout is noticed."""
        odd = [p for p in paths if p.endswith(".parquet") and not _LATEST.fullmatch(p)]
        if odd:
            shown = ", ".join(f"{path:.60}" for path in map(ascii, odd[:5]))
            self._warn(f"{len(odd)} tables not fetched, since not <subset>/full-*.parquet: {shown}")

    def note_missing(self, found: set[str]) -> None:
        """Warns about every subset of the previous snapshot that is no longer offered."""
        for subset in sorted({_subset(name) for name in self.before} - found):
            self._warn(f"lost subset {subset}: {self.since} had it")

    def _note_new(self, subset: str) -> None:
        if self.seen and subset not in self.seen:
            self.draft.notes.append(f"new subset {subset}")

    def _warn(self, text: str) -> None:
        log.warning("lmarena: %s", text)
        self.draft.notes.append(text)


def _inspect(data: bytes) -> tuple[int, str, ValueError | str | None]:
    """Rows of a Parquet file, columns that are not loaded, and the problem; from its footer."""
    try:
        footer = read_footer(data)
        columns = footer.schema.to_arrow_schema().names
    except Exception as error:
        if not is_damage(error):
            raise
        return 0, "", f"is not a Parquet file ({describe(error)})"
    try:
        known = source_columns(kind_of(columns))
    except UnknownKindError as error:
        return 0, "", error
    unread = ", ".join(f"{name:.40}" for name in map(ascii, columns) if name[1:-1] not in known)
    return footer.num_rows, unread, None


def parse_leaderboards(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot
) -> None:
    """Loads raw.arena_leaderboards and raw.arena_agent_leaderboards: one row per board line.

    Empty strings and NaN become null. Values that are infinite, of another type or out of the
    contract's range become null and are quarantined. Rejected: a line without model, category or
    date, and one with an unusable rating or score.
    """
    before: Counter[str] = Counter()  # lines of the subset's earlier files, if it has several
    for file in sorted(snapshot.find(suffix=".parquet"), key=lambda file: file.name):
        path = str(archive.verify_file(file))
        with naming(file.name):
            footer = read_footer(Path(path).read_bytes())  # also of a file from a backup
            _load_board(con, snapshot, file.name, path, before[_subset(file.name)])
            before[_subset(file.name)] += footer.num_rows


def _load_board(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    name: str,
    path: str,
    before: int,
) -> None:
    kind = kind_of(pq.read_schema(path).names)
    _check_board(con, kind, path)
    columns = ", ".join(quote(c) for c in kind.columns)
    values = ", ".join(quote(ours) for ours in source_columns(kind).values())
    con.execute(
        f"""INSERT INTO {kind.sql_name} ({columns})
        SELECT {snapshot_columns(snapshot)}, ?, line + ?, {values}
        FROM board WHERE refusal IS NULL ORDER BY line""",
        [_subset(name), before],
    )
    quarantine(
        con,
        snapshot,
        kind.table,
        f"""SELECT ?, line, refusal, to_json(source)::VARCHAR FROM {_lines(path)} AS source
        JOIN (SELECT line, refusal FROM board WHERE refusal IS NOT NULL) AS refused
        ON refused.line = source.file_row_number + 1""",
        [name],
    )
    noted = f"""(SELECT ? AS file, noted.line AS line, source.* FROM {_lines(path)} AS source
        JOIN (SELECT line FROM board WHERE is_noted AND refusal IS NULL) AS noted
        ON noted.line = source.file_row_number + 1)"""
    cells, read = cells_and_values(kind, path)
    quarantine_cells(con, snapshot, kind, cells, noted, [name], read)
    con.execute("DROP TABLE board")


def _lines(path: str) -> str:
    return parquet(path, "file_row_number = true")


def _check_board(con: duckdb.DuckDBPyConnection, kind: Contract, path: str) -> None:
    """Creates the temp table board: every line with our columns, `refusal` and `is_noted`."""
    cells, values = cells_and_values(kind, path)
    needed = [quote(ours) for ours in cells if not kind.columns[ours].nullable]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE board AS
        SELECT *, CASE WHEN misfit IS NOT NULL THEN misfit
            WHEN {" IS NULL OR ".join(needed)} IS NULL THEN 'missing model, category or date'
            END AS refusal
        FROM (SELECT file_row_number + 1 AS line, {select_list(kind, path)},
            {refusal(kind, cells, values)} AS misfit,
            {has_unusable_cell(kind, cells, values)} AS is_noted
            FROM {_lines(path)})"""
    )
