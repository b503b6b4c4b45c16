"""core.hub_model_roots."""

from __future__ import annotations

import polars as pl

from transforms.sums import in_order

MAX_DEPTH = 32


def hub_model_roots(hub_models: pl.LazyFrame, hub_base_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and root of its declared lineage; weights of a model sum to 1.

    The walk goes up all edges at once, one step a round. Several parents share by equal parts.
    It ends at a model without declared parent (`root`), at a parent that the listing does not
    hold (`stub`) or after MAX_DEPTH steps (`depth`). Where it meets a model again there is no
    root to find: the part of the weight stays with the model itself (`cycle`).
    """
    models = (
        hub_models.select("model_id_hf", pl.col("model_id_hf").str.to_lowercase().alias("key"))
        .sort("model_id_hf")  # of ids that differ by case alone, the first stands for all
        .collect()
    )
    edges = _edges(hub_base_models)
    originals = models.join(edges, left_on="key", right_on="child", how="anti").select(_own("root"))
    ended: list[pl.DataFrame] = []
    derived = models.join(edges.select("child").unique(), left_on="key", right_on="child")
    walk = derived.select(
        "model_id_hf",
        pl.col("key").alias("node"),
        pl.lit(1.0).alias("weight"),
        pl.concat_list("key").alias("path"),
    )
    for depth in range(1, MAX_DEPTH + 1):
        step = _one_up(walk, edges)
        met = step.filter(pl.col("is_met"))
        ended.append(met.select(_own("cycle", depth, pl.col("weight"))))
        on = step.filter(~pl.col("is_met"))
        at_end = on.join(edges, left_on="node", right_on="child", how="anti")
        ended.append(_arrived(at_end, models, depth))
        walk = on.join(edges.select("child").unique(), left_on="node", right_on="child", how="semi")
        if walk.is_empty():
            break
    ended.append(_arrived(walk, models, MAX_DEPTH, cut=True))
    return pl.concat([originals, _summed(pl.concat(ended))]).lazy()


def _edges(hub_base_models: pl.LazyFrame) -> pl.DataFrame:
    """child, parent (ids in lower case), parent_id as declared, part of the child's weight."""
    return (
        hub_base_models.select(
            pl.col("model_id_hf").str.to_lowercase().alias("child"),
            pl.col("base_model_id_hf").str.to_lowercase().alias("parent"),
            pl.col("base_model_id_hf").alias("parent_id"),
        )
        .with_columns(pl.col("parent_id").min().over("parent"))  # one spelling of a lost parent
        .unique(["child", "parent"], keep="any")
        .with_columns((1.0 / pl.len().over("child")).alias("part"))
        .collect()
    )


def _own(reason: str, depth: int = 0, weight: pl.Expr | None = None) -> list[pl.Expr]:
    """The model counts as its own root."""
    return [
        pl.col("model_id_hf"),
        pl.col("model_id_hf").alias("root_model_id_hf"),
        (pl.lit(1.0) if weight is None else weight).alias("weight"),
        pl.lit(depth, pl.Int32).alias("depth"),
        pl.lit(reason).alias("end_reason"),
    ]


def _one_up(walk: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    # not its own `parent_id`: the join would keep the last round's instead of the edge's
    at = walk.select("model_id_hf", "node", "weight", "path")
    return at.join(edges, left_on="node", right_on="child").select(
        "model_id_hf",
        pl.col("parent").alias("node"),
        "parent_id",
        (pl.col("weight") * pl.col("part")).alias("weight"),
        pl.col("path").list.contains(pl.col("parent")).alias("is_met"),
        pl.concat_list("path", "parent").alias("path"),
    )


def _arrived(at: pl.DataFrame, models: pl.DataFrame, depth: int, cut: bool = False) -> pl.DataFrame:
    """Rows whose walk ended at `node`, under the listing's spelling of that id where it has one."""
    spelling = models.unique("key", keep="first", maintain_order=True)
    known = at.join(
        spelling.select(pl.col("model_id_hf").alias("listed_id"), "key"),
        left_on="node",
        right_on="key",
        how="left",
    )
    reason = pl.when(pl.col("listed_id").is_null()).then(pl.lit("stub")).otherwise(pl.lit("root"))
    return known.select(
        "model_id_hf",
        pl.coalesce("listed_id", "parent_id" if "parent_id" in at.columns else "node").alias(
            "root_model_id_hf"
        ),
        "weight",
        pl.lit(depth, pl.Int32).alias("depth"),
        (pl.lit("depth") if cut else reason).alias("end_reason"),
    )


def _summed(ends: pl.DataFrame) -> pl.DataFrame:
    """Several ways to one root add up."""
    return (
        ends.sort("model_id_hf", "root_model_id_hf", "depth", "end_reason")
        .group_by("model_id_hf", "root_model_id_hf", maintain_order=True)
        .agg(in_order(pl.col("weight")), pl.col("depth").max(), pl.col("end_reason").first())
    )
