"""Hugging Face Hub: from stored listing pages to raw tables.

A sweep has millions of items and few of them are unsound, so sound items go straight from the
pages into the table. Only pages with other items are read a second time, item by item: an unusable
value becomes null and is quarantined; an item without an id is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb

from flows.sources.formats.damage import DamagedFileError
from flows.sources.formats.json_text import readable_paths
from flows.sources.hub.page import NEWEST
from flows.sources.quarantine import (
    has_unusable_cell,
    quarantine,
    quarantine_cells,
    snapshot_columns,
    typed,
)
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import Contract, contract, literal, quote
from warehouse.database import read_files
from warehouse.storage.scratch import scratch_folder

_KEYS = (
    *("id", "_id", "author", "createdAt", "lastModified", "downloads", "downloadsAllTime"),
    *("likes", "trendingScore", "gated", "pipeline_tag", "library_name", "tags", "baseModels"),
)
_TOTAL = "safetensors.total"
_MIN_ITEM_BYTES = 16 * 1024 * 1024  # for the largest item; DuckDB's own default
# As text, a number or an object would look like an id, so the JSON itself is checked.
_REFUSAL = """CASE WHEN left("id", 1) = '"' AND "id" <> '""' THEN NULL ELSE 'missing id' END"""
_NAME = "\"id\" ->> '$'"

# SQL of the source text of each column; a raw table has those in its contract.
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
    """Loads a listing's stored pages into a raw table.

    Rejected: an item that is not an object or has no id (`missing id`), and every further item of
    an object already loaded from this sweep (`duplicate`; pages are read in order). Items that the
    re-read of the newest pages repeats are skipped: repeats are expected there. Any other value
    that does not have the format in its contract becomes null and is quarantined.
    """
    pages = snapshot.find("pages/")
    for page in pages:
        if not page.bytes:  # DuckDB reads it as a page without items
            raise DamagedFileError(f"{page.name}: is empty")
    paths = archive.paths(pages)
    target = _Target(con, snapshot, contract(table))
    with scratch_folder("listing") as folder:
        try:
            target.insert_sound(_all_at_once(paths, target.item_bytes))
        except duckdb.InvalidInputException:  # a repeated key, a non-object, half a surrogate
            paths = readable_paths(archive, pages, folder)
            target.insert_sound(_one_by_one(paths, target.item_bytes))
        target.drop_duplicates()
        if incomplete := target.incomplete_pages(pages, paths):
            target.load_rest(incomplete)


def _pages(paths: Sequence[str], item_bytes: int, *options: str) -> str:
    """SQL that reads pages with items of up to so many bytes.

    DuckDB allocates twice that for every thread, so it must not be more than needed.
    """
    size = f"maximum_object_size = {item_bytes}"
    return read_files.json(paths, "format = 'array'", "filename = true", size, *options)


def _all_at_once(paths: Sequence[str], item_bytes: int) -> str:
    """SQL of the items' values as text, in one pass over the pages; they are checked later."""
    kinds = {key: "JSON" if key == "id" else "VARCHAR" for key in _KEYS}
    kinds["safetensors"] = "STRUCT(total VARCHAR)"
    columns = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in kinds.items())
    names = ", ".join(map(quote, _KEYS))
    return (
        f"SELECT filename, {names}, safetensors.total AS {quote(_TOTAL)} "
        f"FROM {_pages(paths, item_bytes, f'columns = {{{columns}}}')}"
    )


def _one_by_one(paths: Sequence[str], item_bytes: int) -> str:
    """The same from each item's own text `item`; the first of a repeated key counts."""
    values = ", ".join(
        f"item {'->' if key == 'id' else '->>'} {literal(_path(key))} AS {quote(key)}"
        for key in (*_KEYS, _TOTAL)
    )
    pages = _pages(paths, item_bytes, "records = false", "columns = {'item': 'JSON'}")
    return f"SELECT filename, item, {values} FROM {pages}"


def _path(key: str) -> str:
    return "$." + ".".join(quote(part) for part in key.split("."))


@dataclass(frozen=True)
class _Target:
    """The raw table of a listing, and the snapshot that is loaded into it."""

    con: duckdb.DuckDBPyConnection
    snapshot: Snapshot
    table: Contract

    @property
    def item_bytes(self) -> int:
        """Maximum size of an item: that of the largest page."""
        return max([_MIN_ITEM_BYTES, *(page.bytes for page in self.snapshot.find("pages/"))])

    @property
    def _id(self) -> str:
        """The column of the repository's id."""
        return self.table.key[-1]

    @property
    def _is_loaded(self) -> str:
        return f"snapshot_id = {literal(self.snapshot.snapshot_id)}"

    @cached_property
    def _cells(self) -> dict[str, str]:
        """Columns whose text may be unusable: SQL of the text."""
        columns = self.table.columns.items()
        return {name: _TEXTS[name] for name, c in columns if name in _TEXTS and c.written}

    @cached_property
    def _values(self) -> dict[str, str]:
        """SQL of those columns' values; null where the text is unusable."""
        return {name: typed(text, self.table.columns[name]) for name, text in self._cells.items()}

    @property
    def _has_unusable_cell(self) -> str:
        return has_unusable_cell(self.table, self._cells, self._values)

    def insert_sound(self, items: str) -> None:
        """Inserts every item whose values match the contract's formats, in the order received."""
        is_sound = f"({_REFUSAL}) IS NULL AND NOT {self._has_unusable_cell}"
        self._insert(f"FROM ({items}) WHERE {is_sound}")

    def _insert(self, source: str) -> None:
        columns = list(self.table.columns)
        values = ", ".join(self._values.get(name, _TEXTS[name]) for name in columns[2:])
        self.con.execute(
            f"""INSERT INTO {self.table.sql_name} ({", ".join(map(quote, columns))})
            SELECT {snapshot_columns(self.snapshot)}, {values} {source}"""
        )

    def drop_duplicates(self) -> None:
        """Keeps the first row of every object and of every id.

        Hashes are compared first, so that a sweep with few or no duplicates sorts no texts.
        """
        rows = f"""(SELECT rowid AS item, coalesce(object_id_hf, {self._id}) AS object,
            {self._id} AS name FROM {self.table.sql_name} WHERE {self._is_loaded})"""
        repeated = [
            f"hash({key}) IN (SELECT hash({key}) FROM {rows} GROUP BY ALL HAVING count(*) > 1)"
            for key in ("object", "name")
        ]
        self.con.execute(
            f"""DELETE FROM {self.table.sql_name} WHERE rowid IN (
            SELECT item FROM {rows} WHERE {" OR ".join(repeated)}
            QUALIFY row_number() OVER (PARTITION BY object ORDER BY item) > 1
                OR row_number() OVER (PARTITION BY name ORDER BY item) > 1)"""
        )

    def incomplete_pages(self, pages: Sequence[ArchivedFile], paths: Sequence[str]) -> list[str]:
        """Pages of which the table has another number of rows than were received."""
        query = f"""SELECT file_name, count(*) FROM {self.table.sql_name}
            WHERE {self._is_loaded} GROUP BY ALL"""
        loaded: dict[str, int] = dict(self.con.execute(query).fetchall())
        return [
            path
            for path, page in zip(paths, pages, strict=True)
            if loaded.get(Path(path).name, 0) != page.rows_seen
        ]

    def load_rest(self, paths: list[str]) -> None:
        """Loads the items of these pages that have an unusable value, without that value.

        All others that are not in the table go to quarantine.
        """
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE page_items AS
            SELECT *, met - min(met) OVER (PARTITION BY file) + 1 AS line FROM (
                SELECT *, parse_filename(filename) AS file, {_NAME} AS name, {_REFUSAL} AS refusal,
                    {self._has_unusable_cell} AS is_odd, row_number() OVER () AS met
                FROM ({_one_by_one(paths, self.item_bytes)}))"""
        )
        is_known = f"""EXISTS (FROM {self.table.sql_name} AS kept WHERE kept.{self._is_loaded}
            AND (kept.{self._id} = name OR kept.object_id_hf = "_id"))"""
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE repaired_items AS
            SELECT * FROM page_items WHERE refusal IS NULL AND is_odd AND NOT {is_known}
            QUALIFY row_number() OVER (PARTITION BY name ORDER BY met) = 1
                AND row_number() OVER (PARTITION BY coalesce("_id", name) ORDER BY met) = 1"""
        )
        self._insert("FROM repaired_items ORDER BY met")
        quarantine_cells(
            self.con, self.snapshot, self.table, self._cells, "repaired_items", values=self._values
        )
        self._reject_rest()
        self.con.execute("DROP TABLE page_items")
        self.con.execute("DROP TABLE repaired_items")

    def _reject_rest(self) -> None:
        is_reread = f"starts_with(file, {literal(NEWEST.removeprefix('pages/'))})"
        quarantine(
            self.con,
            self.snapshot,
            self.table.table,
            f"""SELECT file, line, reason, item FROM (
                SELECT file, line, coalesce(refusal, 'duplicate') AS reason, item::VARCHAR AS item
                FROM page_items QUALIFY refusal IS NOT NULL
                    OR row_number() OVER (PARTITION BY file, name, "_id" ORDER BY met) > 1
                    OR NOT EXISTS (FROM {self.table.sql_name} AS kept WHERE kept.{self._is_loaded}
                        AND kept.file_name = page_items.file
                        AND kept.{self._id} = page_items.name
                        AND kept.object_id_hf IS NOT DISTINCT FROM page_items."_id")
            ) WHERE NOT (reason = 'duplicate' AND {is_reread})""",
        )
