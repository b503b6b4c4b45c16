"""The models behind a share, by what each of them adds to the numerator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import polars as pl

from flows.tracing.find_row import TracedRow
from transforms.hub.credits import credited
from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import scan

# Shares of the Hub that are sums over models -> the column that they credit.
SHARES = {"mart.country_share_daily": "country_code", "mart.lab_share_daily": "lab_id"}
NO_FAMILIES = {"model_name": pl.String, "family_id": pl.Categorical, "maker": pl.Categorical}
ABSENT = {"country_code": None, "lab_id": "unexamined"}  # the value for a lab not examined yet


@dataclass(frozen=True)
class Contributions:
    """The models that a share credits: their number, their sum, and the largest."""

    models: int
    total: float
    largest: pl.DataFrame  # model_id_hf, root_model_id_hf, namespace, lab_id, value, weight, adds


def contributions(
    con: duckdb.DuckDBPyConnection, target: TracedRow, limit: int
) -> Contributions | None:
    """The models behind a share, summed again with the transform's own rules.

    None for other tables, for days whose counters are only in the history, and for a null share.
    `total` must equal the numerator of the row; the caller reports a difference.
    """
    by = SHARES.get(target.contract.table)
    row = target.row
    if by is None or row["numerator"] is None or not _has_counters(con, row["as_of_date"]):
        return None
    counts = pl.col(row["population"]) & pl.col(row["metric"]).is_not_null()
    credited = _credited(con, row["as_of_date"]).filter(
        counts & (pl.col("attribution") == row["attribution"])
    )
    holder = pl.col(by).fill_null(ABSENT[by]) if ABSENT[by] else pl.col(by)
    models = credited.filter(holder == row[by])
    weight = pl.col("weight")
    if row.get("credit") == "full":  # every distinct country of a model gets all of it, once
        models = models.unique("model_id_hf", keep="first", maintain_order=True)
        weight = pl.lit(1.0)
    added = models.select(
        "model_id_hf", "root_model_id_hf", "namespace", "lab_id",
        pl.col(row["metric"]).alias("value"), weight.alias("weight"),
        (pl.col(row["metric"]) * weight).alias("adds"),
    ).collect()  # fmt: skip
    largest = added.sort("adds", "model_id_hf", descending=[True, False]).head(limit)
    return Contributions(added["model_id_hf"].n_unique(), float(added["adds"].sum()), largest)


def _has_counters(con: duckdb.DuckDBPyConnection, day: date) -> bool:
    query = "SELECT 1 FROM core.hub_daily_counters WHERE as_of_date = ? LIMIT 1"
    return bool(con.execute(query, [day]).fetchall())


def _credited(con: duckdb.DuckDBPyConnection, day: date) -> pl.LazyFrame:
    """Credits of one day."""
    of_day = "SELECT * FROM core.{} WHERE as_of_date = ?"
    counters, spikes = (
        con.sql(of_day.format(name), params=[day]).pl().lazy()
        for name in ("hub_daily_counters", "hub_counter_spikes")
    )
    tables = {
        name: scan(con, contract(f"core.{name}"))
        for name in ("hub_models", "hub_model_roots", "namespaces", "labs")
    }
    makers = pl.LazyFrame(schema=NO_FAMILIES)  # no share here depends on the family
    found = credited(
        counters, tables["hub_models"], spikes, tables["hub_model_roots"], makers,
        tables["namespaces"], tables["labs"],
    )  # fmt: skip
    ids = found.models.select("model_no", "model_id_hf", "author")
    root = pl.coalesce("root_model_id_hf", "model_id_hf")
    rows = [
        found.publisher.join(ids, on="model_no").with_columns(
            attribution=pl.lit("publisher"),
            namespace=pl.col("author"),
            root_model_id_hf=pl.col("model_id_hf"),
        ),
        pl.concat([found.whole, found.parts], how="diagonal")
        .join(ids, on="model_no")
        .with_columns(
            attribution=pl.lit("base"),
            namespace=root.str.extract(r"^([^/]+)/"),
            root_model_id_hf=root,
        ),
    ]
    return pl.concat(rows, how="diagonal").with_columns(
        pl.col("weight").fill_null(1.0),
        pl.col("lab_id", "country_code").cast(pl.String),
        all=pl.lit(True),
    )


def seeds(found: Contributions | None, row: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """The rows behind the largest contributions, by table."""
    if found is None:
        return {}
    models = found.largest.select("model_id_hf")
    names = found.largest.select(
        system=pl.lit("hub"), namespace_key=pl.col("namespace").str.to_lowercase()
    )
    return {
        "core.hub_daily_counters": models.select(
            pl.lit(row["as_of_date"]).alias("as_of_date"), "model_id_hf"
        ),
        "core.hub_models": models.unique(maintain_order=True),
        "core.hub_model_roots": found.largest.select("model_id_hf", "root_model_id_hf"),
        "core.namespaces": names.drop_nulls().unique(maintain_order=True),
        "core.labs": found.largest.select("lab_id").drop_nulls().unique(maintain_order=True),
    }
