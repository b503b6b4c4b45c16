"""core.hub_model_roots."""

from __future__ import annotations

import polars as pl

from transforms.sums import in_order

MAX_DEPTH = 32


def hub_model_roots(hub_models: pl.LazyFrame, hub_base_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and root of its declared lineage; weights of a model sum to 1.

    The walk goes up all edges at once, one step a round, and ways that meet are one from there
    on. Several parents share by equal parts. It ends at a model without declared parent (`root`),
    at a parent that the listing does not hold (`stub`), at a model that is its own ancestor
    (`cycle`) or after MAX_DEPTH steps (`depth`). The last two have no root to find: that part of
    the weight stays with the model itself.
    """
    models = (
        hub_models.select("model_id_hf", pl.col("model_id_hf").str.to_lowercase().alias("key"))
        .sort("model_id_hf")  # of ids that differ by case alone, the first stands for all
        .collect()
    )
    edges = _edges(hub_base_models)
    cyclic = _on_cycle(edges)
    onward = edges.join(cyclic, left_on="child", right_on="node", how="anti")
    originals = models.join(edges, left_on="key", right_on="child", how="anti").select(_own("root"))
    derived = models.join(edges.select("child").unique(), left_on="key", right_on="child")
    walk = derived.select("model_id_hf", pl.col("key").alias("node"), weight=pl.lit(1.0))
    ended: list[pl.DataFrame] = []
    for depth in range(MAX_DEPTH + 1):
        caught = walk.join(cyclic, on="node", how="semi")
        ended.append(caught.select(_own("cycle", depth)))
        walk = walk.join(cyclic, on="node", how="anti")
        at_end = walk.join(edges, left_on="node", right_on="child", how="anti")
        ended.append(_arrived(at_end, models, edges, depth))
        walk = _one_up(walk, onward)
        if walk.is_empty():
            break
    ended.append(walk.select(_own("depth", MAX_DEPTH)))
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


def _on_cycle(edges: pl.DataFrame) -> pl.DataFrame:
    """`node`: every model that is its own ancestor within MAX_DEPTH steps."""
    rest = edges.select("child", "parent")
    for _ in range(MAX_DEPTH):  # an edge of a cycle begins where one ends and ends where one begins
        inner = rest.join(rest.select("child"), left_on="parent", right_on="child", how="semi")
        inner = inner.join(rest.select("parent"), left_on="child", right_on="parent", how="semi")
        if inner.height == rest.height:
            break
        rest = inner
    walk = rest.select("child", pl.col("parent").alias("node")).unique()
    found = [walk.clear().select("node")]
    for _ in range(MAX_DEPTH):
        found.append(walk.filter(pl.col("child") == pl.col("node")).select("node"))
        on = walk.filter(pl.col("child") != pl.col("node"))
        walk = (
            on.join(rest, left_on="node", right_on="child")
            .select("child", pl.col("parent").alias("node"))
            .unique()
        )
        if walk.is_empty():
            break
    return pl.concat(found).unique()


def _own(reason: str, depth: int = 0) -> list[pl.Expr]:
    """The model counts as its own root."""
    weight = pl.lit(1.0) if reason == "root" else pl.col("weight")
    return [
        pl.col("model_id_hf"),
        pl.col("model_id_hf").alias("root_model_id_hf"),
        weight.alias("weight"),
        pl.lit(depth, pl.Int32).alias("depth"),
        pl.lit(reason).alias("end_reason"),
    ]


def _one_up(walk: pl.DataFrame, onward: pl.DataFrame) -> pl.DataFrame:
    """One step up; ways of a model that meet at a node go on as one."""
    return (
        walk.join(onward, left_on="node", right_on="child")
        .group_by("model_id_hf", pl.col("parent").alias("node"))
        .agg(in_order(pl.col("weight") * pl.col("part")).alias("weight"))
    )


def _arrived(
    at: pl.DataFrame, models: pl.DataFrame, edges: pl.DataFrame, depth: int
) -> pl.DataFrame:
    """Rows whose walk ended at `node`, under the listing's spelling of that id where it has one."""
    listed = models.unique("key", keep="first", maintain_order=True).select(
        pl.col("model_id_hf").alias("listed_id"), "key"
    )
    declared = edges.select("parent", "parent_id").unique("parent")
    known = at.join(listed, left_on="node", right_on="key", how="left").join(
        declared, left_on="node", right_on="parent", how="left"
    )
    return known.select(
        "model_id_hf",
        pl.coalesce("listed_id", "parent_id").alias("root_model_id_hf"),
        "weight",
        pl.lit(depth, pl.Int32).alias("depth"),
        pl.when(pl.col("listed_id").is_null())
        .then(pl.lit("stub"))
        .otherwise(pl.lit("root"))
        .alias("end_reason"),
    )


def _summed(ends: pl.DataFrame) -> pl.DataFrame:
    """Several ways to one root add up."""
    return (
        ends.sort("model_id_hf", "root_model_id_hf", "depth", "end_reason")
        .group_by("model_id_hf", "root_model_id_hf", maintain_order=True)
        .agg(in_order(pl.col("weight")), pl.col("depth").max(), pl.col("end_reason").first())
    )
