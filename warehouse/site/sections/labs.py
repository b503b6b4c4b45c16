"""Labs with something to show: models on the Hub, a place in the Arena, or notable models."""

from __future__ import annotations

from typing import Any

import polars as pl

from warehouse.site.numbers import thousandths
from warehouse.site.release_tables import Tables

SHOWN = "hub_models > 0 OR arena_board IS NOT NULL OR n_notable_models > 0"
SHARES = ("hub_share_publisher", "hub_share_base", "hub_coverage_publisher", "hub_coverage_base")
MODELS = 25  # listed on the page of a lab
COLUMNS = [
    "model", "model_name", "family_name", "license", "created_on", "downloads_30d", "likes",
    "n_derivatives", "arena_board", "arena_rank", "counters_missing",
]  # fmt: skip


def labs(tables: Tables) -> list[dict[str, Any]]:
    """Rows of mart.labs by downloads, each with its first `models` and with `claims` about them.

    `claims` are ids of statements that name one of the lab's models. Shares are in thousandths.
    """
    shown = tables.read("mart.labs", SHOWN)
    places = ["hub_downloads_30d", "n_notable_models", "arena_rank_ordinal", "lab_id"]
    shown = shown.sort(places, descending=[True, True, False, False], nulls_last=True)
    shown = shown.with_columns(*map(thousandths, [*SHARES, "hub_lineage_coverage_base"]))
    listed, named = _models(tables), _claims(tables)
    return [
        {**row, "models": listed.get(row["lab_id"], []), "claims": named.get(row["lab_id"], [])}
        for row in shown.iter_rows(named=True)
    ]


def _models(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """Lab -> its most downloaded models, then those that only the boards list."""
    order = "downloads_30d DESC NULLS LAST, arena_rank NULLS LAST, model"
    first = f"row_number() OVER (PARTITION BY lab_id ORDER BY {order}) <= {MODELS}"
    rest = f"WHERE lab_id IS NOT NULL QUALIFY {first} ORDER BY lab_id, {order}"
    rows = tables.select("mart.models", ["lab_id", *COLUMNS], rest)
    parts = rows.partition_by("lab_id", as_dict=True, include_key=False)
    return {str(lab_id): models.to_dicts() for (lab_id,), models in parts.items()}


def _claims(tables: Tables) -> dict[str, list[str]]:
    """Lab -> statements that name one of its models."""
    named = "WHERE lab_id IS NOT NULL AND n_claims > 0"
    models = tables.select("mart.models", ["lab_id", "claim_ids"], named)
    each = models.with_columns(pl.col("claim_ids").str.split(", ")).explode("claim_ids")
    ids = each.unique().sort("lab_id", "claim_ids")
    return dict(ids.group_by("lab_id", maintain_order=True).agg("claim_ids").iter_rows())
