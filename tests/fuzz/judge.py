"""What a mutant led to, and whether that is allowed.

Allowed: the same rows; rows that differ where the mutation was, or are refused or null with a
reason in raw.quarantine; a SourceError or ArchiveError that names the source and the file. Anything
else is a violation: another exception, a Polars panic, a hang, memory without bound, a record that
is neither loaded nor refused, a value that nobody sent.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import resource
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import pyarrow.parquet as pq

from flows.sources.http import SourceError
from tests.fuzz.corpus import Input
from tests.fuzz.mutations import Damage
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchiveError, Snapshot
from warehouse.contracts.table import contract, contracts, quote
from warehouse.database.duckdb_file import bounded, connect, create_tables

SECONDS, MEGABYTES = 20, 700
UNKNOWN = -1
TABLES = {
    "ai_index": ("raw.ai_index_rows", "raw.ai_index_files", "raw.ai_index_corrections"),
    "arena_catalog": ("raw.arena_catalog_ratings",),
    "epoch": (
        *("raw.epoch_models", "raw.epoch_capabilities"),
        *("raw.epoch_organizations", "raw.epoch_model_versions"),
    ),
    "hub": ("raw.hub_models",),
    "hub_datasets": ("raw.hub_datasets",),
    "hub_evolution": ("raw.hub_evolution_counters",),
    "hub_namespaces": ("raw.hub_namespace_models",),
    "hub_stats": ("raw.hub_stats_models",),
    "hub_trending": ("raw.hub_trending",),
    "hub_trending_feed": ("raw.hub_trending_feed",),
    "lmarena": ("raw.arena_leaderboards", "raw.arena_agent_leaderboards"),
    "lmarena_space": ("raw.arena_space_tables", "raw.arena_space_ratings"),
}
ASIDE = ("raw.quarantine", "raw.arena_refused_rows")
Parse = Callable[[duckdb.DuckDBPyConnection, Archive, Snapshot], None]
Rows = Counter[tuple[Any, ...]]


@dataclass(frozen=True)
class Loaded:
    """What a parse left: rows by table without the snapshot's columns, and what it refused."""

    rows: dict[str, Rows]
    records: int  # refused
    cells: int  # made null

    @property
    def total(self) -> int:
        """Records that were loaded or refused."""
        counted = (
            t for t in self.rows if t not in ("raw.ai_index_files", "raw.ai_index_corrections")
        )
        return self.records + sum(self.rows[t].total() for t in counted)


@dataclass(frozen=True)
class Judged:
    """One mutant: what happened, and the kind of violation; None if it is allowed."""

    outcome: str
    violation: str | None = None


class Judge:
    """One warehouse in memory, into which every mutant is parsed and from which it is removed."""

    def __init__(self, parse: Parse, folder: Path) -> None:
        self.con, self.parse, self.folder = bounded(connect()), parse, folder
        create_tables(self.con)

    def load(self, given: Input) -> Loaded:
        """Parses an input. Raises what the parser raises."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for table in (*TABLES[given.source], *ASIDE):
            self.con.execute(f"DELETE FROM {table}")
        archive, snapshot = given.seal(self.folder)
        self.parse(self.con, archive, snapshot)
        rows = {t: self._rows(t) for t in TABLES[given.source]}
        kinds = dict(self.con.execute(_KINDS).fetchall())
        return Loaded(rows, kinds.get("record", 0), kinds.get("cell", 0))

    def _rows(self, table: str) -> Rows:
        names = ", ".join(map(quote, list(contract(table).columns)[2:]))
        found = self.con.execute(f"SELECT {names} FROM {table}").fetchall()
        return Counter(tuple(map(_comparable, row)) for row in found)

    def judge(self, given: Input, name: str, damage: Damage, base: Loaded) -> Judged:
        """What the mutant of one file led to."""
        mutant = given.with_file(name, damage.data)
        start, memory = time.monotonic(), _megabytes()
        try:
            loaded = self.load(mutant)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            judged = _refused(error, given.source, name)
        else:
            judged = self._accepted(loaded, base, given, name, damage)
        if (seconds := time.monotonic() - start) > SECONDS:
            return Judged(judged.outcome, f"hang: {seconds:.0f} s")
        if (more := _megabytes() - memory) > MEGABYTES:
            return Judged(judged.outcome, f"memory: {more} MB")
        return judged

    def _accepted(
        self, loaded: Loaded, base: Loaded, given: Input, name: str, damage: Damage
    ) -> Judged:
        was, now = records(name, given.files[name]), records(name, damage.data)
        if now is not None and was is not None and now != UNKNOWN:
            expected = base.total - was + now
            if loaded.total < expected:
                return Judged("loaded", f"lost: {loaded.total} of {expected} records")
            if loaded.total > expected and given.source != "lmarena_space":  # keeps blank records
                return Judged("loaded", f"made up: {loaded.total} of {expected} records")
        elif now is None and not name.endswith(".parquet"):
            return Judged("loaded", "accepted: not a document that can be read")
        lost = sum(((base.rows[t] - loaded.rows[t]).total()) for t in base.rows)
        if damage.touched is not None and lost > 2 * damage.touched + _derived(given.source):
            return Judged("loaded", f"others changed: {lost} rows instead of {damage.touched}")
        if problem := _out_of_contract(loaded):
            return Judged("loaded", f"out of contract: {problem}")
        if damage.has_value and damage.touched == 1 and (odd := _invented(loaded, base, damage)):
            return Judged("loaded", f"invented: {odd}")
        return Judged("same" if not lost else "differs")


_KINDS = "SELECT kind, count(*) FROM raw.quarantine GROUP BY ALL"


def _derived(source: str) -> int:
    """Rows that may change with another: a file's digest, a correction that no longer applies."""
    return 400 if source == "ai_index" else 0


def _comparable(value: object) -> object:
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _refused(error: BaseException, source: str, name: str) -> Judged:
    text, kind = str(error), type(error).__name__
    if not isinstance(error, SourceError | ArchiveError):
        return Judged(kind, f"traceback: {kind}: {text.splitlines()[0] if text else ''}"[:160])
    if source not in text or PurePosixPath(name).name not in text:
        return Judged(kind, f"unnamed: {text}"[:160])
    return Judged("refused")


def records(name: str, data: bytes) -> int | None:
    """The records of a file, counted without the project's code; None if it cannot be read.

    UNKNOWN where only the depth is too large to count.
    """
    try:
        return _COUNT[PurePosixPath(name).suffix](data)
    except RecursionError:
        return UNKNOWN
    except Exception:
        return None


def _json_records(data: bytes) -> int:
    found = json.loads(
        data.decode("utf-8-sig", errors="replace"), strict=False, object_pairs_hook=_Pairs
    )
    if isinstance(found, _Pairs):
        lists = [
            value for _, value in found if isinstance(value, list) and not isinstance(value, _Pairs)
        ]
        first = [value for key, value in found if key in ("recentlyTrending", "items")]
        if first:
            return len(first[0])
        return sum(len(models) for _, models in found) if not lists else 1 // 0
    return len(found)


class _Pairs(list[Any]):
    """A JSON object with repeated keys."""


def _csv_records(data: bytes) -> int:
    text = data.decode("utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return sum(any(cell.strip() for cell in row) for row in rows) - 1


def _parquet_records(data: bytes) -> int:
    return int(pq.read_table(io.BytesIO(data)).num_rows)


def _zip_records(data: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        named: dict[str, str] = {}  # of several with one name, the one in the fewest folders counts
        for n in bundle.namelist():
            parts = n.replace("\\", "/").lower().split("/")
            if "data" in parts[:-1] and n.lower().endswith(".csv") and "__MACOSX" not in n:
                key = "/".join(parts[-3:])
                named[key] = min(named.get(key, n), n, key=lambda n: len(re.split(r"[/\\]", n)))
        return sum(_rows_of(bundle.read(n)) for n in named.values())


def _rows_of(data: bytes) -> int:
    text = data.decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    next(rows)
    return sum(len(row) > 1 or bool(row and row[0].strip()) for row in rows)


_COUNT: dict[str, Callable[[bytes], int]] = {
    ".json": _json_records,
    ".csv": _csv_records,
    ".parquet": _parquet_records,
    ".zip": _zip_records,
}


def _out_of_contract(loaded: Loaded) -> str | None:
    """A value that the table's contract excludes."""
    for table, rows in loaded.rows.items():
        columns = list(contracts()[table].columns.items())[2:]
        for row in rows:
            for (name, column), value in zip(columns, row, strict=True):
                if value is None:
                    if not column.nullable:
                        return f"{table}.{name} is null"
                elif isinstance(value, int | float) and not isinstance(value, bool):
                    low, high = column.min, column.max
                    if (low is not None and value < low) or (high is not None and value > high):
                        return f"{table}.{name} = {value}"
                    if not math.isfinite(value):
                        return f"{table}.{name} = {value}"
                elif column.type in ("DATE", "TIMESTAMP") and not 1800 <= _year(value) < 2200:
                    return f"{table}.{name} = {value}"
    return None


def _year(value: object) -> int:
    return getattr(value, "year", 0)  # a date that Python cannot hold arrives as text


def _invented(loaded: Loaded, base: Loaded, damage: Damage) -> str | None:
    """A value of the touched record that is neither the old one, null with a note, nor the sent."""
    for table in base.rows:
        gone, new = base.rows[table] - loaded.rows[table], loaded.rows[table] - base.rows[table]
        if gone.total() != 1 or new.total() != 1:
            continue
        (before,), (after,) = gone, new
        names = list(contract(table).columns)[2:]
        for column, was, now in zip(names, before, after, strict=True):
            if was == now or contract(table).columns[column].type == "VARCHAR":
                continue
            if now is None:
                if not (loaded.cells > base.cells or _is_blank(damage.value)):
                    return f"{column} is null without a note"
            elif not _is_same(now, damage.value):
                return f"{column} = {now!r} from {damage.value!r:.60}"
    return None


def _is_blank(value: object) -> bool:
    return (
        value is None
        or str(value).strip(" \u200b\ufeff\u202e") in ("", "-", "nan", "NaN")
        or isinstance(value, dict | list)
    )


def _is_same(now: object, sent: object) -> bool:
    text = str(sent).strip()
    if isinstance(now, bool):
        return text.lower() == str(now).lower()
    if isinstance(now, int | float):
        try:
            if isinstance(now, int) and text.lstrip("-").isdecimal():
                return int(text) == now
            return float(text) == float(now) and (isinstance(now, float) or float(text) == int(now))
        except ValueError:
            return False
    return text[:10] == str(now)[:10]
