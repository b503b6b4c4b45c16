"""Hugging Face Hub: from kept listing pages to raw tables."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from flows.sources.raw import not_of_type, quarantine, snapshot_columns
from warehouse.archive import Archive, Snapshot
from warehouse.contract import contract, quote

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


def parse_models(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_models: one row per model and snapshot; the rest goes to quarantine.

    Refused: an item without id (`no id`), with a value of another type (`likes is no BIGINT`),
    and every further item of an object already seen in this sweep (`duplicate`: the first one met
    is kept, as pages are read in order).
    """
    _judge_items(con, archive.paths(snapshot.find("pages/")))
    columns = ", ".join(quote(c) for c in contract("raw.hub_models").columns)
    con.execute(
        f"""INSERT INTO raw.hub_models ({columns})
        SELECT {snapshot_columns(snapshot)}, parse_filename(filename), model, _id,
            coalesce(author, nullif(split_part(model, '/', 1), model)),
            createdAt::TIMESTAMP, lastModified::TIMESTAMP, downloads::BIGINT,
            downloadsAllTime::BIGINT, likes::BIGINT, trendingScore::DOUBLE,
            gated, pipeline_tag, library_name,
            tags::VARCHAR, nullif(baseModels::VARCHAR, 'null'), {_TOTAL}::BIGINT
        FROM hub_judged WHERE refusal IS NULL ORDER BY item"""
    )
    received = ", ".join(f"{quote(key)} := {quote(key)}" for key in _ITEM)
    quarantine(
        con,
        snapshot,
        "raw.hub_models",
        f"""SELECT parse_filename(filename), item, refusal,
            json_merge_patch('{{}}', to_json(struct_pack({received})))::VARCHAR
        FROM hub_judged WHERE refusal IS NOT NULL""",
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
        SELECT *, CASE json_type(id) WHEN 'VARCHAR' THEN id ->> '$' END AS model,
            row_number() OVER () AS item FROM read_json(?, format = 'array',
            columns = {{{items}}}, filename = true, maximum_object_size = 268435456)""",
        [paths],
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE hub_judged AS SELECT *, CASE
            WHEN model IS NULL OR model = '' THEN 'no id'
            {not_of_type([*typed, ("safetensors.total", _TOTAL, "BIGINT")])}
            WHEN row_number() OVER (PARTITION BY coalesce(_id, model) ORDER BY item) > 1
              OR row_number() OVER (PARTITION BY model ORDER BY item) > 1 THEN 'duplicate'
            END AS refusal FROM page_items"""
    )
