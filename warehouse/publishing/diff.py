"""The differences between two releases, from their manifests and the marts that changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warehouse.contracts.table import quote
from warehouse.database.duckdb_file import connect
from warehouse.database.read_files import parquet
from warehouse.publishing.release_objects import read_manifest, release_key
from warehouse.releases.manifest import ColumnEntry, Manifest, TableEntry
from warehouse.storage.protocol import Storage, check_key
from warehouse.storage.scratch import scratch_folder

SHOWN = 20  # largest changes listed per table
SHARE = "share"
CLAIMS, VERDICT = "mart.claims", "verdict"


@dataclass(frozen=True)
class TableChange:
    """One table whose bytes differ.

    `added`, `removed` and `changed` count rows by the table's key. They are None if the rows were
    not compared: only one release has the table, its key changed, or it is not a mart.
    """

    table: str
    rows_before: int | None
    rows_after: int | None
    schema: tuple[str, ...]
    added: int | None = None
    removed: int | None = None
    changed: int | None = None


@dataclass(frozen=True)
class Comparison:
    """The differences of two releases. `shares` and `verdicts` have the key, before and after."""

    before: str
    after: str
    same_tables: int
    tables: tuple[TableChange, ...]
    shares: tuple[dict[str, Any], ...]
    verdicts: tuple[dict[str, Any], ...]


def compare(storage: Storage, before: str, after: str) -> Comparison:
    """Compares two complete releases; downloads only marts that differ. Raises ReleaseError."""
    old, new = read_manifest(storage, before), read_manifest(storage, after)
    earlier, later = {t.name: t for t in old.tables}, {t.name: t for t in new.tables}
    names = sorted(earlier.keys() | later.keys())
    pairs = [(earlier.get(name), later.get(name)) for name in names]
    differ = [(a, b) for a, b in pairs if not (a and b and a.sha256 == b.sha256)]
    with scratch_folder("diff") as scratch, connect() as con:
        rows = _Rows(con, storage, (old, new), scratch)
        tables = tuple(rows.change(a, b) for a, b in differ)
        both = [(a, b) for a, b in differ if a and b and _comparable(a, b)]
        shares = [change for pair in both for change in rows.value_changes(*pair, SHARE)]
        claims = [pair for pair in both if pair[0].name == CLAIMS]
        verdicts = [change for pair in claims for change in rows.value_changes(*pair, VERDICT)]
    return Comparison(
        before=before,
        after=after,
        same_tables=len(names) - len(differ),
        tables=tables,
        shares=tuple(sorted(shares, key=lambda s: -abs(s["after"] - s["before"]))[:SHOWN]),
        verdicts=tuple(verdicts),
    )


def _comparable(a: TableEntry, b: TableEntry) -> bool:
    """Only marts are compared by row: raw and core tables are large."""
    columns = {c.name for c in a.columns} & {c.name for c in b.columns}
    return a.name.startswith("mart.") and a.key == b.key and set(a.key) <= columns


def schema_changes(a: TableEntry, b: TableEntry) -> Iterator[str]:
    """Columns that were added, removed, or changed their type or unit, and a changed key."""
    old, new = {c.name: c for c in a.columns}, {c.name: c for c in b.columns}
    yield from (f"- {name}" for name in old if name not in new)
    yield from (f"+ {name} {new[name].type}" for name in new if name not in old)
    for name in old.keys() & new.keys():
        if _shape(old[name]) != _shape(new[name]):
            yield f"{name}: {_shape(old[name])} -> {_shape(new[name])}"
    if a.key != b.key:
        yield f"key: {', '.join(a.key)} -> {', '.join(b.key)}"


def _shape(column: ColumnEntry) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.type}{'' if column.nullable else ' NOT NULL'}{unit}"


class _Rows:
    """Compares the two Parquet files of a table by row, inside DuckDB."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        storage: Storage,
        manifests: tuple[Manifest, Manifest],
        scratch: Path,
    ) -> None:
        self._con, self._storage, self._manifests = con, storage, manifests
        self._scratch = scratch

    def change(self, a: TableEntry | None, b: TableEntry | None) -> TableChange:
        """The change of one table."""
        name = (a or b).name  # type: ignore[union-attr]  # at least one exists
        schema = tuple(schema_changes(a, b)) if a and b else ()
        counts = self._counts(a, b) if a and b and _comparable(a, b) else (None, None, None)
        return TableChange(name, a.rows if a else None, b.rows if b else None, schema, *counts)

    def _counts(self, a: TableEntry, b: TableEntry) -> tuple[int, int, int]:
        shared = [c.name for c in a.columns if c.name in {d.name for d in b.columns}]
        differs = " OR ".join(
            f"o.{quote(c)} IS DISTINCT FROM n.{quote(c)}" for c in shared if c not in a.key
        )
        query = (
            "SELECT count(*) FILTER (WHERE o.here IS NULL), "
            "count(*) FILTER (WHERE n.here IS NULL), "
            f"count(*) FILTER (WHERE o.here AND n.here AND ({differs or 'false'})) "
            f"FROM {self._joined(a, b, 'FULL JOIN')}"
        )
        added, removed, changed = self._con.execute(query).fetchall()[0]
        return added, removed, changed

    def value_changes(self, a: TableEntry, b: TableEntry, column: str) -> list[dict[str, Any]]:
        """Rows whose value in a column changed: the largest changes of a share, all of a text.

        Empty unless both tables have the column.
        """
        if not all(column in {c.name for c in t.columns} for t in (a, b)):
            return []
        value = quote(column)
        key = ", ".join(f"{quote(c)}: o.{quote(c)}" for c in a.key)
        largest = f"ORDER BY abs(n.{value} - o.{value}) DESC LIMIT {SHOWN}"
        query = (
            f"SELECT {{{key}}}, o.{value}, n.{value} FROM {self._joined(a, b, 'JOIN')} "
            f"WHERE o.{value} <> n.{value} {largest if column == SHARE else 'ORDER BY 1'}"
        )
        rows = self._con.execute(query).fetchall()
        return [{"table": a.name, "key": k, "before": was, "after": now} for k, was, now in rows]

    def _joined(self, a: TableEntry, b: TableEntry, how: str) -> str:
        on = " AND ".join(f"o.{quote(c)} IS NOT DISTINCT FROM n.{quote(c)}" for c in a.key)
        sides = [
            f"(SELECT *, true AS here FROM {parquet(self._file(i, t))})"
            for i, t in enumerate((a, b))
        ]
        return f"{sides[0]} o {how} {sides[1]} n ON {on}"

    def _file(self, side: int, table: TableEntry) -> Path:
        path = self._scratch / f"{side}-{table.name}.parquet"
        if not path.exists():
            key = release_key(self._manifests[side].release_id, check_key(table.path))
            self._storage.download(key, path, durable=False)
        return path
