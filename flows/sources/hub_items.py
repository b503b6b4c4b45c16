"""Hugging Face Hub: from kept listing pages to raw tables.

A sweep is millions of items and few of them are odd, so what is sound goes straight from the
pages into the table. Only pages from which not every item arrived are read a second time, item by
item, to keep what was refused and say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.hub_page import NEWEST
from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive
from warehouse.contract import contract, literal, quote
from warehouse.snapshot import ArchivedFile, Snapshot

# One item's keys and their types; keys that it lacks become NULL, keys unknown here are ignored.
_ITEM: Mapping[str, str] = {
    "id": "VARCHAR",
    "_id": "VARCHAR",
    "author": "VARCHAR",
    "createdAt": "TIMESTAMP",
    "lastModified": "TIMESTAMP",
    "downloads": "BIGINT",
    "downloadsAllTime": "BIGINT",
    "likes": "BIGINT",
    "trendingScore": "DOUBLE",
    "gated": "VARCHAR",
    "pipeline_tag": "VARCHAR",
    "library_name": "VARCHAR",
    "tags": "VARCHAR",
    "baseModels": "VARCHAR",
    "safetensors.total": "BIGINT",
}
_TYPED = [(key, quote(key), kind) for key, kind in _ITEM.items() if kind != "VARCHAR"]
_TOTAL = "safetensors.total"
_ROOM = 16 * 1024 * 1024  # bytes for one item where the pages are small; DuckDB's own default
# An id that is a number or an object would pass for a text, so its JSON is looked at.
_REFUSAL = f"""CASE WHEN left("id", 1) = '"' AND "id" <> '""' THEN
    CASE {not_of_type(_TYPED)} END ELSE 'no id' END"""
_NAME = "\"id\" ->> '$'"


def _typed(key: str) -> str:
    return f"try_cast({quote(key)} AS {_ITEM[key]})"


# What each column of a raw table is made of; a table takes the columns of its contract.
_COLUMNS: Mapping[str, str] = {
    "file_name": "parse_filename(filename)",
    "model_id_hf": _NAME,
    "dataset_id_hf": _NAME,
    "object_id_hf": '"_id"',
    "author": f"coalesce(author, nullif(split_part({_NAME}, '/', 1), {_NAME}))",
    "created_at": _typed("createdAt"),
    "last_modified_at": _typed("lastModified"),
    "downloads_30d": _typed("downloads"),
    "downloads_all_time": _typed("downloadsAllTime"),
    "likes": _typed("likes"),
    "trending_score": _typed("trendingScore"),
    "gated": "gated",
    "pipeline_tag": "pipeline_tag",
    "library_name": "library_name",
    "tags_json": "tags",
    "base_models_json": '"baseModels"',
    "parameters_total": _typed(_TOTAL),
}


def parse_models(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_models: one row per model and snapshot; the rest goes to quarantine."""
    load_items(con, archive, snapshot, "raw.hub_models")


def load_items(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot, table: str
) -> None:
    """Loads a listing's kept pages into a raw table of the same shape.

    Refused: an item without id (`no id`), with a value of another type (`likes is no BIGINT`),
    and every further item of an object already met in this sweep (`duplicate`: the first one
    stays, as pages are read in order). What the re-read of the newest pages meets again is passed
    over: it is there to be met again.
    """
    pages = snapshot.find("pages/")
    paths = archive.paths(pages)
    into = _Target(con, snapshot, table)
    try:
        into.insert_sound(_at_once(into.room), paths)
    except duckdb.InvalidInputException:  # an item that repeats a key, or no object where one is
        into.insert_sound(_one_by_one(into.room), paths)
    into.drop_duplicates()
    if odd := into.not_whole(pages, paths):
        into.refuse(odd)


def _pages(room: int) -> str:
    """The start of the call that reads pages with items of up to `room` bytes.

    DuckDB takes twice that for every thread, so that it must not be more than is needed.
    """
    return f"read_json(?, format = 'array', filename = true, maximum_object_size = {room}"


def _at_once(room: int) -> str:
    """The items' values as text, in one reading of the pages: numbers are judged afterwards."""
    kinds = {key: "JSON" if key == "id" else "VARCHAR" for key in _ITEM if key != _TOTAL}
    kinds["safetensors"] = "STRUCT(total VARCHAR)"
    columns = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in kinds.items())
    names = ", ".join(quote(key) for key in _ITEM if key != _TOTAL)
    return (
        f"SELECT filename, {names}, safetensors.total AS {quote(_TOTAL)} "
        f"FROM {_pages(room)}, columns = {{{columns}}})"
    )


def _one_by_one(room: int) -> str:
    """The same from each item's own text `item`; of a key that stands twice, the first counts."""
    values = ", ".join(
        f"item {'->' if key == 'id' else '->>'} {literal(_path(key))} AS {quote(key)}"
        for key in _ITEM
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
        """Every item whose values are of their types, in the order received."""
        columns = list(contract(self.table).columns)
        values = ", ".join(_COLUMNS[column] for column in columns[2:])
        self.con.execute(
            f"""INSERT INTO {self._sql_name} ({", ".join(map(quote, columns))})
            SELECT {snapshot_columns(self.snapshot)}, {values}
            FROM ({items}) WHERE ({_REFUSAL}) IS NULL""",
            [paths],
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

    def refuse(self, paths: list[str]) -> None:
        """Every item of these pages that is not in the table goes to quarantine, as it came."""
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE page_items AS
            SELECT parse_filename(filename) AS file_name, item, {_NAME} AS name, "_id",
                {_REFUSAL} AS refusal, row_number() OVER () AS met
            FROM ({_one_by_one(self.room)})""",
            [paths],
        )
        again = f"starts_with(file_name, {literal(NEWEST.removeprefix('pages/'))})"
        quarantine(
            self.con,
            self.snapshot,
            self.table,
            f"""SELECT file_name, line, reason, item FROM (
                SELECT file_name, met - min(met) OVER (PARTITION BY file_name) + 1 AS line,
                    coalesce(refusal, 'duplicate') AS reason, item::VARCHAR AS item
                FROM page_items QUALIFY refusal IS NOT NULL
                    OR row_number() OVER (PARTITION BY file_name, name, "_id" ORDER BY met) > 1
                    OR NOT EXISTS (FROM {self._sql_name} AS kept WHERE kept.{self._ours}
                        AND kept.file_name = page_items.file_name
                        AND kept.{self._id} = page_items.name
                        AND kept.object_id_hf IS NOT DISTINCT FROM page_items."_id")
            ) WHERE NOT (reason = 'duplicate' AND {again})""",
        )
        self.con.execute("DROP TABLE page_items")
