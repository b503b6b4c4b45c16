"""Hugging Face Hub: from kept listing pages to raw tables.

A sweep is millions of items and few of them are odd, so what is sound goes straight from the
pages into the table. Only pages from which not every item arrived are read a second time, item by
item: a value that cannot be used is null and noted, and what is nothing without it is refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.formats.json_text import readable_paths
from flows.sources.hub.page import NEWEST
from flows.sources.quarantine import quarantine, snapshot_columns, typed
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import Contract, contract, literal, quote

_KEYS = (
    *("id", "_id", "author", "createdAt", "lastModified", "downloads", "downloadsAllTime"),
    *("likes", "trendingScore", "gated", "pipeline_tag", "library_name", "tags", "baseModels"),
)
_TOTAL = "safetensors.total"
_ROOM = 16 * 1024 * 1024  # bytes for one item where the pages are small; DuckDB's own default
# An id that is a number or an object would pass for a text, so its JSON is looked at.
_REFUSAL = """CASE WHEN left("id", 1) = '"' AND "id" <> '""' THEN NULL ELSE 'no id' END"""
_NAME = "\"id\" ->> '$'"

# The text of each column of a raw table; a table takes the columns of its contract.
_TEXTS: Mapping[str, str] = {
    "file_name": "parse_filename(filename)",
    "model_id_hf": _NAME,
    "dataset_id_hf": _NAME,
    "object_id_hf": '"_id"',
    "author": f"coalesce(author, nullif(split_part({_NAME}, '/', 1), {_NAME}))",
    "created_at": '"createdAt"',
    "last_modified_at": '"lastModified"',
    "downloads_30d": "downloads",
    "downloads_all_time": '"downloadsAllTime"',
    "likes": "likes",
    "trending_score": '"trendingScore"',
    "gated": "gated",
    "pipeline_tag": "pipeline_tag",
    "library_name": "library_name",
    "tags_json": "tags",
    "base_models_json": '"baseModels"',
    "parameters_total": quote(_TOTAL),
}


def load_items(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot, table: str
) -> None:
    """Loads a listing's kept pages into a raw table of the same shape.

    Refused: an item that is no object or has no id (`no id`), and every further item of an object
    already met in this sweep (`duplicate`: the first one stays, as pages are read in order). What
    the re-read of the newest pages meets again is passed over: it is there to be met again. Any
    other value that is not written as its contract says is null and noted in quarantine.
    """
    pages = snapshot.find("pages/")
    paths = archive.paths(pages)
    into = _Target(con, snapshot, table)
    with tempfile.TemporaryDirectory() as folder:
        try:
            into.insert_sound(_at_once(into.room), paths)
        except duckdb.InvalidInputException:  # a key twice, no object where one is, half a letter
            paths = readable_paths(archive, pages, Path(folder))
            into.insert_sound(_one_by_one(into.room), paths)
        into.drop_duplicates()
        if odd := into.not_whole(pages, paths):
            into.mend(odd)


def _value(table: Contract, name: str) -> str:
    """SQL of a column's value; null where its text is not written as the contract says."""
    column = table.columns[name]
    value = typed(_TEXTS[name], column)
    if column.written is None or column.min is None:
        return value
    return f"CASE WHEN {value} >= {column.min!r} THEN {value} END"


def _unusable(table: Contract) -> dict[str, str]:
    """Columns whose text may be unusable: SQL that says whether it is."""
    return {
        name: f"({_TEXTS[name]} IS NOT NULL AND {_value(table, name)} IS NULL)"
        for name, column in table.columns.items()
        if name in _TEXTS and column.written
    }


def _pages(room: int) -> str:
    """The start of the call that reads pages with items of up to `room` bytes.

    DuckDB takes twice that for every thread, so that it must not be more than is needed.
    """
    return f"read_json(?, format = 'array', filename = true, maximum_object_size = {room}"


def _at_once(room: int) -> str:
    """The items' values as text, in one reading of the pages: numbers are judged afterwards."""
    kinds = {key: "JSON" if key == "id" else "VARCHAR" for key in _KEYS}
    kinds["safetensors"] = "STRUCT(total VARCHAR)"
    columns = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in kinds.items())
    names = ", ".join(map(quote, _KEYS))
    return (
        f"SELECT filename, {names}, safetensors.total AS {quote(_TOTAL)} "
        f"FROM {_pages(room)}, columns = {{{columns}}})"
    )


def _one_by_one(room: int) -> str:
    """The same from each item's own text `item`; of a key that stands twice, the first counts."""
    values = ", ".join(
        f"item {'->' if key == 'id' else '->>'} {literal(_path(key))} AS {quote(key)}"
        for key in (*_KEYS, _TOTAL)
    )
    return (
        f"SELECT filename, item, {values} "
        f"FROM {_pages(room)}, records = false, columns = {{'item': 'JSON'}})"
    )


def _path(key: str) -> str:
    return "$." + ".".join(quote(part) for part in key.split("."))


@dataclass(frozen=True)
class _Target:
    """The raw table of a listing, and the snapshot that is loaded into it."""

    con: duckdb.DuckDBPyConnection
    snapshot: Snapshot
    table: str

    @property
    def _sql_name(self) -> str:
        return contract(self.table).sql_name

    @property
    def room(self) -> int:
        """Bytes that an item may have: no more than the largest page."""
        return max([_ROOM, *(page.bytes for page in self.snapshot.find("pages/"))])

    @property
    def _id(self) -> str:
        """The column of the repository's id."""
        return contract(self.table).key[-1]

    @property
    def _ours(self) -> str:
        return f"snapshot_id = {literal(self.snapshot.snapshot_id)}"

    def insert_sound(self, items: str, paths: list[str]) -> None:
        """Every item whose values are written as the contract says, in the order received."""
        odd = " OR ".join(_unusable(contract(self.table)).values())
        self._insert(f"FROM ({items}) WHERE ({_REFUSAL}) IS NULL AND NOT ({odd})", [paths])

    def _insert(self, source: str, parameters: Sequence[object] = ()) -> None:
        table = contract(self.table)
        columns = list(table.columns)
        values = ", ".join(_value(table, column) for column in columns[2:])
        self.con.execute(
            f"""INSERT INTO {self._sql_name} ({", ".join(map(quote, columns))})
            SELECT {snapshot_columns(self.snapshot)}, {values} {source}""",
            list(parameters),
        )

    def drop_duplicates(self) -> None:
        """Leaves the first row of every object and of every id.

        Hashes are compared first: a sweep without duplicates, or with a few, sorts no texts.
        """
        rows = f"""(SELECT rowid AS item, coalesce(object_id_hf, {self._id}) AS object,
            {self._id} AS name FROM {self._sql_name} WHERE {self._ours})"""
        twice = [
            f"hash({key}) IN (SELECT hash({key}) FROM {rows} GROUP BY ALL HAVING count(*) > 1)"
            for key in ("object", "name")
        ]
        self.con.execute(
            f"""DELETE FROM {self._sql_name} WHERE rowid IN (
            SELECT item FROM {rows} WHERE {" OR ".join(twice)}
            QUALIFY row_number() OVER (PARTITION BY object ORDER BY item) > 1
                OR row_number() OVER (PARTITION BY name ORDER BY item) > 1)"""
        )

    def not_whole(self, pages: Sequence[ArchivedFile], paths: Sequence[str]) -> list[str]:
        """Pages of which the table holds other rows than were seen when they arrived."""
        counted = (
            f"SELECT file_name, count(*) FROM {self._sql_name} WHERE {self._ours} GROUP BY ALL"
        )
        kept: dict[str, int] = dict(self.con.execute(counted).fetchall())
        return [
            path
            for path, page in zip(paths, pages, strict=True)
            if kept.get(Path(path).name, 0) != page.rows_seen
        ]

    def mend(self, paths: list[str]) -> None:
        """Takes what is left of these pages: items with an unusable value, without that value.

        All others that are not in the table go to quarantine, as they came.
        """
        odd = " OR ".join(_unusable(contract(self.table)).values())
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE page_items AS
            SELECT *, parse_filename(filename) AS file, {_NAME} AS name, {_REFUSAL} AS refusal,
                ({odd}) AS is_odd, row_number() OVER () AS met FROM ({_one_by_one(self.room)})""",
            [paths],
        )
        kept = f"""EXISTS (FROM {self._sql_name} AS kept WHERE kept.{self._ours}
            AND (kept.{self._id} = name OR kept.object_id_hf = "_id"))"""
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE mended_items AS
            SELECT * FROM page_items WHERE refusal IS NULL AND is_odd AND NOT {kept}
            QUALIFY row_number() OVER (PARTITION BY name ORDER BY met) = 1
                AND row_number() OVER (PARTITION BY coalesce("_id", name) ORDER BY met) = 1"""
        )
        self._insert("FROM mended_items ORDER BY met")
        self._note_cells()
        self._refuse_rest()
        self.con.execute("DROP TABLE page_items")
        self.con.execute("DROP TABLE mended_items")

    def _note_cells(self) -> None:
        """The values of the mended items that could not be used."""
        table = contract(self.table)
        notes = ", ".join(
            f"CASE WHEN {sql} THEN {{'name': {literal(name)}, 'cell': ({_TEXTS[name]})::VARCHAR, "
            f"'reason': {literal(_reason(table, name))}}} END"
            for name, sql in _unusable(table).items()
        )
        self.con.execute(
            f"""INSERT INTO raw.quarantine
            SELECT {snapshot_columns(self.snapshot)}, {literal(self.table)}, file, line,
                note.reason, note.cell, 'cell', note.name
            FROM (SELECT file, line, unnest([{notes}]) AS note FROM mended_items
                JOIN (SELECT met, met - min(met) OVER (PARTITION BY file) + 1 AS line
                    FROM page_items) USING (met)) WHERE note IS NOT NULL"""
        )

    def _refuse_rest(self) -> None:
        again = f"starts_with(file, {literal(NEWEST.removeprefix('pages/'))})"
        quarantine(
            self.con,
            self.snapshot,
            self.table,
            f"""SELECT file, line, reason, item FROM (
                SELECT file, met - min(met) OVER (PARTITION BY file) + 1 AS line,
                    coalesce(refusal, 'duplicate') AS reason, item::VARCHAR AS item
                FROM page_items QUALIFY refusal IS NOT NULL
                    OR row_number() OVER (PARTITION BY file, name, "_id" ORDER BY met) > 1
                    OR NOT EXISTS (FROM {self._sql_name} AS kept WHERE kept.{self._ours}
                        AND kept.file_name = page_items.file
                        AND kept.{self._id} = page_items.name
                        AND kept.object_id_hf IS NOT DISTINCT FROM page_items."_id")
            ) WHERE NOT (reason = 'duplicate' AND {again})""",
        )


def _reason(table: Contract, name: str) -> str:
    column = table.columns[name]
    least = "" if column.min is None else f", {column.min:g} or more"
    return f"{name} is not written as {column.written}{least}"
