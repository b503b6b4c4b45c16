"""Hugging Face Hub: from kept listing pages to raw tables."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from flows.sources.hub_page import NEWEST
from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive, Snapshot
from warehouse.contract import contract, literal, quote

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
    "tags": "JSON",
    "baseModels": "JSON",
    "safetensors": "JSON",
}
_TOTAL = "(safetensors ->> '$.total')"


# What each column of a raw table is made of; a table takes the columns of its contract.
_COLUMNS: Mapping[str, str] = {
    "file_name": "parse_filename(filename)",
    "model_id_hf": "name",
    "dataset_id_hf": "name",
    "object_id_hf": "_id",
    "author": "coalesce(author, nullif(split_part(name, '/', 1), name))",
    "created_at": '"createdAt"::TIMESTAMP',
    "last_modified_at": '"lastModified"::TIMESTAMP',
    "downloads_30d": "downloads::BIGINT",
    "downloads_all_time": '"downloadsAllTime"::BIGINT',
    "likes": "likes::BIGINT",
    "trending_score": '"trendingScore"::DOUBLE',
    "gated": "gated",
    "pipeline_tag": "pipeline_tag",
    "library_name": "library_name",
    "tags_json": "tags::VARCHAR",
    "base_models_json": "nullif(\"baseModels\"::VARCHAR, 'null')",
    "parameters_total": f"{_TOTAL}::BIGINT",
}


def parse_models(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_models: one row per model and snapshot; the rest goes to quarantine."""
    load_items(con, archive, snapshot, "raw.hub_models")


def load_items(
    con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot, table: str
) -> None:
    """Loads a listing's kept pages into a raw table of the same shape.

    Refused: an item without id (`no id`), with a value of another type (`likes is no BIGINT`),
    and every further item of an object already seen in this sweep (`duplicate`: the first one met
    is kept, as pages are read in order). What the re-read of the newest pages meets again is
    passed over: it is there to be met again.
    """
    _judge_items(con, archive.paths(snapshot.find("pages/")))
    columns = list(contract(table).columns)
    values = ", ".join(_COLUMNS[column] for column in columns[2:])
    con.execute(
        f"""INSERT INTO {contract(table).sql_name} ({", ".join(map(quote, columns))})
        SELECT {snapshot_columns(snapshot)}, {values}
        FROM hub_judged WHERE refusal IS NULL ORDER BY item"""
    )
    received = ", ".join(f"{quote(key)} := {quote(key)}" for key in _ITEM)
    quarantine(
        con,
        snapshot,
        table,
        f"""SELECT parse_filename(filename), item, refusal,
            json_merge_patch('{{}}', to_json(struct_pack({received})))::VARCHAR
        FROM hub_judged WHERE refusal IS NOT NULL AND NOT (refusal = 'duplicate'
            AND starts_with(parse_filename(filename), {literal(NEWEST.removeprefix("pages/"))}))""",
    )
    con.execute("DROP TABLE page_items; DROP TABLE hub_judged")


def _judge_items(con: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    """Temp table hub_judged: every item in the order received, with its refusal or null.

    Values are text at first: one of another type refuses its item, not the whole sweep.
    """
    kinds = {key: "JSON" if kind == "JSON" else "VARCHAR" for key, kind in _ITEM.items()}
    kinds["id"] = "JSON"  # or an id that is a number or an object would pass for a text
    items = ", ".join(f"'{key}': '{kind}'" for key, kind in kinds.items())
    typed = [(k, quote(k), kind) for k, kind in _ITEM.items() if kind not in ("JSON", "VARCHAR")]
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE page_items AS
        SELECT *, CASE json_type(id) WHEN 'VARCHAR' THEN id ->> '$' END AS name,
            row_number() OVER () AS item FROM read_json(?, format = 'array',
            columns = {{{items}}}, filename = true, maximum_object_size = 268435456)""",
        [paths],
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE hub_judged AS SELECT *, CASE
            WHEN name IS NULL OR name = '' THEN 'no id'
            {not_of_type([*typed, ("safetensors.total", _TOTAL, "BIGINT")])}
            WHEN row_number() OVER (PARTITION BY coalesce(_id, name) ORDER BY item) > 1
              OR row_number() OVER (PARTITION BY name ORDER BY item) > 1 THEN 'duplicate'
            END AS refusal FROM page_items"""
    )
