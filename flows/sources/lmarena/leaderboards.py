"""LMArena: every leaderboard, from the data set `lmarena-ai/leaderboard-dataset` on the Hub.

The subsets are found in the repository tree: a new one is taken in by itself, with a notice.
`full` holds the whole history, so `latest` is not fetched. A file whose sha256 the archive already
holds is not downloaded again; one that changed is held against the file before, for the producer
says that old rows never change.
"""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterable

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile
from pyarrow import ArrowInvalid

from flows.settings import Settings
from flows.sources.hf_repository import Repository, differs, digest_of, heard
from flows.sources.http import SourceError
from flows.sources.quarantine import (
    has_lost_cell,
    measured,
    quarantine,
    quarantine_cells,
    refusal,
    snapshot_columns,
    typed,
)
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import Contract, contract, literal, quote
from warehouse.database.duckdb_file import connect

log = logging.getLogger("observatory.lmarena")

NAME, REPO = "lmarena", "lmarena-ai/leaderboard-dataset"
# A board is of the kind whose columns it has: arena ratings, or the agent boards' scores.
KINDS = ("raw.arena_leaderboards", "raw.arena_agent_leaderboards")
_FULL = re.compile(r"[a-z0-9][a-z0-9_-]*/full-\d{5}-of-\d{5}\.parquet")
_LATEST = re.compile(r"[^/]+/latest-\d{5}-of-\d{5}\.parquet")  # the last board of `full` again


def fetch_leaderboards(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps `<subset>/full-*.parquet` of every subset at one commit of the data set."""
    address = f"{settings.hub_url}/datasets/{REPO}"
    with heard(NAME, draft.day, address):
        repository = Repository.newest(HfApi(endpoint=settings.hub_url), REPO, "dataset")
        tree = repository.files()
        files = [f for f in tree if _FULL.fullmatch(f.path)]
        draft.reset()  # a half-kept draft may be of another commit
        boards = _Boards(archive, draft)
        boards.note_passed_over(f.path for f in tree if f not in files)
        for file in files:
            boards.keep(repository, file)
    boards.note_missing({_subset(f.path) for f in files})
    if not draft.files:
        raise SourceError(
            NAME,
            "the data set's tree holds no <subset>/full-*.parquet of a known kind",
            f"{address}/tree/{repository.commit}",
            "compare the layout with the source card warehouse/contracts/sources/lmarena.yml",
        )
    draft.notes.append(f"commit {repository.commit}, {len(draft.files)} subsets")


def _subset(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


class _Boards:
    """The boards of one fetch beside those of the fetches before."""

    def __init__(self, archive: Archive, draft: Draft) -> None:
        self.archive, self.draft = archive, draft
        earlier = [s for s in archive.snapshots(NAME) if s.snapshot_date < draft.day]
        self.seen = {_subset(f.name) for s in earlier for f in s.files}
        self.before = {f.name: f for f in earlier[-1].files} if earlier else {}
        self.since = earlier[-1].snapshot_id if earlier else ""

    def keep(self, repository: Repository, file: RepoFile) -> None:
        """Keeps one board; a new subset of an unknown kind is set aside, the others go on."""
        digest, url, subset = digest_of(file), repository.url(file.path), _subset(file.path)
        if known := self.archive.file_with(NAME, digest):
            self._tell_new(subset)
            self.draft.reuse(known, name=file.path, url=url)
            return
        data = repository.download(file.path)
        rows, added, problem = _look(data)
        problem = differs(data, digest) or problem
        if isinstance(problem, UnknownKindError) and subset not in self.seen:
            aside = self.draft.quarantine(file.path, data)
            self._warn(f"new subset {subset} set aside: it {problem} (the bytes: {aside})")
            return
        if problem:
            raise self._refusal(file.path, data, str(problem), url)
        self._tell_new(subset)
        self.draft.add_file(file.path, data, url=url, etag=digest, rows_seen=rows)
        log.info("lmarena: %s, %s rows", file.path, f"{rows:,}")
        if added:
            self._warn(f"{subset} has columns that are not loaded: {added}")
        if changed := _changed(self.archive, self.draft.files[-1], self.before.get(file.path)):
            self._warn(f"{subset}: {changed} since {self.since}")

    def _refusal(self, name: str, data: bytes, problem: str, url: str) -> SourceError:
        aside = self.draft.quarantine(name, data)
        return SourceError(
            NAME,
            f"{self.draft.day} {name} {problem}",
            f"{url} (the bytes: {aside})",
            "if the producer changed the columns, adapt the contracts of raw.arena_*",
        )

    def note_passed_over(self, paths: Iterable[str]) -> None:
        """A notice of tables that lie elsewhere than boards do: a new layout must not go unseen."""
        odd = [p for p in paths if p.endswith(".parquet") and not _LATEST.fullmatch(p)]
        if odd:
            shown = ", ".join(f"{path:.60}" for path in map(ascii, odd[:5]))
            self._warn(f"{len(odd)} tables not fetched, no <subset>/full-*.parquet: {shown}")

    def note_missing(self, found: set[str]) -> None:
        """A notice for every subset of the snapshot before that is not offered any more."""
        for subset in sorted({_subset(name) for name in self.before} - found):
            self._warn(f"lost subset {subset}: {self.since} had it")

    def _tell_new(self, subset: str) -> None:
        if self.seen and subset not in self.seen:
            self._note(f"new subset {subset}")

    def _note(self, text: str) -> None:
        self.draft.notes.append(text)

    def _warn(self, text: str) -> None:
        log.warning("lmarena: %s", text)
        self._note(text)


class UnknownKindError(ValueError):
    """A board with columns of no known kind."""


def _look(data: bytes) -> tuple[int, str, ValueError | str | None]:
    """Rows of a Parquet file, columns nobody reads, and what is wrong; from its footer alone."""
    try:
        footer = pq.read_metadata(io.BytesIO(data))
        columns = footer.schema.to_arrow_schema().names
    except (ArrowInvalid, OSError) as error:
        return 0, "", f"is not a Parquet file ({error})"
    try:
        known = _source_columns(kind_of(columns))
    except UnknownKindError as error:
        return 0, "", error
    added = ", ".join(f"{name:.40}" for name in map(ascii, columns) if name[1:-1] not in known)
    return footer.num_rows, added, None


def _changed(archive: Archive, now: ArchivedFile, before: ArchivedFile | None) -> str | None:
    """What became of old rows since the file before; None where the new file only adds dates."""
    if before is None or before.sha256 == now.sha256 or not archive.is_sound(before):
        return None
    old, new = (str(archive.verify_file(f)) for f in (before, now))
    kinds = [kind_of(pq.read_schema(path).names) for path in (old, new)]
    if kinds[0] != kinds[1]:
        return f"has the columns of {kinds[1].table}, and had those of {kinds[0].table}"
    with connect() as con:
        for name, path in (("old", old), ("new", new)):
            lines = f"SELECT {_casts(kinds[0], path)} FROM read_parquet({literal(path)})"
            con.execute(f"CREATE TEMP VIEW {name} AS {lines}")
        con.execute(_DIFFERENCE)
        parts = [_count(con, "gone", "changed or gone"), _count(con, "added", "added or changed")]
    return ", ".join(filter(None, parts)) or None


# Only dates whose lines as a whole are others are compared line by line: that is most often none.
_DIFFERENCE = """
    CREATE TEMP TABLE days AS SELECT day FROM (
        SELECT leaderboard_publish_date AS day, count(*), sum(hash(old)::HUGEINT)
        FROM old GROUP BY day
        EXCEPT SELECT leaderboard_publish_date AS day, count(*), sum(hash(new)::HUGEINT)
        FROM new GROUP BY day);
    CREATE TEMP TABLE was AS FROM old SEMI JOIN days ON leaderboard_publish_date = day;
    CREATE TEMP TABLE now_is AS FROM new SEMI JOIN days ON leaderboard_publish_date = day;
    CREATE TEMP TABLE gone AS FROM was EXCEPT ALL FROM now_is;
    CREATE TEMP TABLE added AS FROM now_is EXCEPT ALL FROM was;
"""


def _count(con: duckdb.DuckDBPyConnection, table: str, what: str) -> str | None:
    ((rows, days, first, last),) = con.execute(
        f"""SELECT count(*), count(DISTINCT leaderboard_publish_date),
            min(leaderboard_publish_date), max(leaderboard_publish_date) FROM {table}"""
    ).fetchall()
    return f"{rows:,} rows of {days} old dates {what} ({first} to {last})" if rows else None


def kind_of(columns: list[str]) -> Contract:
    """The contract whose source columns a board has. Raises UnknownKindError naming the nearest."""
    lacks = {
        kind: [c for c in _source_columns(contract(kind)) if c not in columns] for kind in KINDS
    }
    best = min(KINDS, key=lambda kind: len(lacks[kind]))
    if lacks[best]:
        known = _source_columns(contract(best))
        adds = [c for c in columns if c not in known]
        raise UnknownKindError(f"lacks the columns {lacks[best]} of {best}; unknown there: {adds}")
    return contract(best)


def _source_columns(kind: Contract) -> dict[str, str]:
    """Source column -> our column."""
    return {name: ours for ours, c in kind.columns.items() for name in c.source_names}


def parse_leaderboards(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot
) -> None:
    """Loads raw.arena_leaderboards and raw.arena_agent_leaderboards: one row per board line.

    Empty strings and NaN become null. So does a value that cannot be used (infinite, of another
    type, out of the contract's range), with a note in raw.quarantine. Refused: a line without
    model, category or date, and one whose rating or score cannot be used.
    """
    before: Counter[str] = Counter()  # lines of the subset's earlier files: it may come in several
    for file in sorted(snapshot.find(suffix=".parquet"), key=lambda file: file.name):
        path = str(archive.verify_file(file))
        _load_board(con, snapshot, file.name, path, before[_subset(file.name)])
        before[_subset(file.name)] += pq.read_metadata(path).num_rows


def _load_board(
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    name: str,
    path: str,
    before: int,
) -> None:
    kind = kind_of(pq.read_schema(path).names)
    _judge_board(con, kind, path)
    columns = ", ".join(quote(c) for c in kind.columns)
    values = ", ".join(quote(ours) for ours in _source_columns(kind).values())
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
        """SELECT ?, line, refusal, to_json(source)::VARCHAR
        FROM read_parquet(?, file_row_number = true) AS source
        JOIN (SELECT line, refusal FROM board WHERE refusal IS NOT NULL) AS refused
        ON refused.line = source.file_row_number + 1""",
        [name, path],
    )
    noted = """(SELECT ? AS file, noted.line AS line, source.* FROM
        read_parquet(?, file_row_number = true) AS source
        JOIN (SELECT line FROM board WHERE is_noted AND refusal IS NULL) AS noted
        ON noted.line = source.file_row_number + 1)"""
    cells, read = _cells(kind, path)
    quarantine_cells(con, snapshot, kind, cells, noted, [name, path], read)
    con.execute("DROP TABLE board")


def _judge_board(con: duckdb.DuckDBPyConnection, kind: Contract, path: str) -> None:
    """Temp table board: every line with our columns, its refusal or null, and `is_noted`."""
    cells, values = _cells(kind, path)
    needed = [quote(ours) for ours in cells if not kind.columns[ours].nullable]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE board AS
        SELECT *, CASE WHEN misfit IS NOT NULL THEN misfit
            WHEN {" IS NULL OR ".join(needed)} IS NULL THEN 'no model, category or date'
            END AS refusal
        FROM (SELECT file_row_number + 1 AS line, {_casts(kind, path)},
            {refusal(kind, cells, values)} AS misfit,
            {has_lost_cell(kind, cells, values)} AS is_noted
            FROM read_parquet(?, file_row_number = true))""",
        [path],
    )


def _cells(kind: Contract, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """SQL of the cells of a board by our column, and of what those are read as that are no text."""
    held = pq.read_schema(path)
    types = {ours: held.field(source).type for source, ours in _source_columns(kind).items()}
    cells = {o: _value(s, types[o]) for s, o in _source_columns(kind).items()}
    texts = {ours for ours, held_as in types.items() if _is_text(held_as)}
    return cells, {o: measured(c, kind.columns[o]) for o, c in cells.items() if o not in texts}


def _casts(kind: Contract, path: str) -> str:
    """SQL of our columns out of a board's own."""
    cells, values = _cells(kind, path)
    read = {ours: typed(cell, kind.columns[ours]) for ours, cell in cells.items()} | values
    return ", ".join(f"{value} AS {quote(ours)}" for ours, value in read.items())


def _is_text(held: pa.DataType) -> bool:
    kind = held.value_type if pa.types.is_dictionary(held) else held
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(kind) for is_kind in tests)


def _value(source: str, held: pa.DataType) -> str:
    """SQL of one source column; '' and NaN are how the file says null."""
    column = quote(source)
    kind = held.value_type if pa.types.is_dictionary(held) else held
    if pa.types.is_floating(kind):
        return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END"
    if _is_text(held):
        return f"nullif({column}, '')"
    if pa.types.is_timestamp(kind) and kind.tz:
        return f"make_timestamp(epoch_us({column}))"  # UTC, whatever the session's time zone is
    return column
