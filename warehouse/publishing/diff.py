"""What changed from one release to another, by their manifests and the marts that differ."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warehouse.contracts.table import literal, quote
from warehouse.database.duckdb_file import connect
from warehouse.publishing.release_objects import read_manifest, release_key
from warehouse.releases.manifest import ColumnEntry, Manifest, TableEntry
from warehouse.storage.protocol import Storage, check_key

SHOWN = 20  # largest changes of a table that are listed
SHARE = "share"
CLAIMS, VERDICT = "mart.claims", "verdict"


@dataclass(frozen=True)
class TableChange:
    """One table that is not the same, byte for byte.

    `added`, `removed` and `changed` count rows by the table's key; None where the rows were not
    compared: a table that only one release has, a key that changed, or not a mart.
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
    """Two releases side by side. `shares` and `verdicts` hold the key, before and after."""

    before: str
    after: str
    same_tables: int
    tables: tuple[TableChange, ...]
    shares: tuple[dict[str, Any], ...]
    verdicts: tuple[dict[str, Any], ...]


def compare(storage: Storage, before: str, after: str) -> Comparison:
    """Compares two whole releases; only marts that differ are fetched. Raises ReleaseError."""
    old, new = read_manifest(storage, before), read_manifest(storage, after)
    ours, theirs = {t.name: t for t in old.tables}, {t.name: t for t in new.tables}
    names = sorted(ours.keys() | theirs.keys())
    pairs = [(ours.get(name), theirs.get(name)) for name in names]
    differ = [(a, b) for a, b in pairs if not (a and b and a.sha256 == b.sha256)]
    with tempfile.TemporaryDirectory() as scratch, connect() as con:
        rows = _Rows(con, storage, (old, new), Path(scratch))
        tables = tuple(rows.change(a, b) for a, b in differ)
        both = [(a, b) for a, b in differ if a and b and _comparable(a, b)]
        shares = [change for pair in both for change in rows.moved(*pair, SHARE)]
        claims = [pair for pair in both if pair[0].name == CLAIMS]
        verdicts = [change for pair in claims for change in rows.moved(*pair, VERDICT)]
    return Comparison(
        before=before,
        after=after,
        same_tables=len(names) - len(differ),
        tables=tables,
        shares=tuple(sorted(shares, key=lambda s: -abs(s["after"] - s["before"]))[:SHOWN]),
        verdicts=tuple(verdicts),
    )


def _comparable(a: TableEntry, b: TableEntry) -> bool:
    """Marts are small; raw and core tables are told by their counts."""
    columns = {c.name for c in a.columns} & {c.name for c in b.columns}
    return a.name.startswith("mart.") and a.key == b.key and set(a.key) <= columns


def schema_changes(a: TableEntry, b: TableEntry) -> Iterator[str]:
    """Columns that came, went, changed their type or may be null now; and another key."""
    ours, theirs = {c.name: c for c in a.columns}, {c.name: c for c in b.columns}
    yield from (f"- {name}" for name in ours if name not in theirs)
    yield from (f"+ {name} {theirs[name].type}" for name in theirs if name not in ours)
    for name in ours.keys() & theirs.keys():
        if _shape(ours[name]) != _shape(theirs[name]):
            yield f"{name}: {_shape(ours[name])} -> {_shape(theirs[name])}"
    if a.key != b.key:
        yield f"key: {', '.join(a.key)} -> {', '.join(b.key)}"


def _shape(column: ColumnEntry) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.type}{'' if column.nullable else ' NOT NULL'}{unit}"


class _Rows:
    """Row by row, inside DuckDB, on the two Parquet files of a table."""

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
        """What changed in one table."""
        name = (a or b).name  # type: ignore[union-attr]  # one of them is there
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

    def moved(self, a: TableEntry, b: TableEntry, column: str) -> list[dict[str, Any]]:
        """Rows in both whose column changed: the largest changes of a number, every one of a text.

        Empty where the two tables do not both have the column.
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
            f"(SELECT *, true AS here FROM read_parquet({literal(str(self._file(i, t)))}, "
            "hive_partitioning = false))"
            for i, t in enumerate((a, b))
        ]
        return f"{sides[0]} o {how} {sides[1]} n ON {on}"

    def _file(self, side: int, table: TableEntry) -> Path:
        path = self._scratch / f"{side}-{table.name}.parquet"
        if not path.exists():
            key = release_key(self._manifests[side].release_id, check_key(table.path))
            self._storage.download(key, path, durable=False)
        return path
