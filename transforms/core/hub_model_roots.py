"""core.hub_model_roots."""

from __future__ import annotations

import polars as pl

from transforms.numeric.exact_sums import exactly

MAX_DEPTH = 32


def hub_model_roots(hub_models: pl.LazyFrame, hub_base_models: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and root of its declared lineage; weights of a model sum to 1.

    The walk goes up all edges at once, one step per round; paths that meet continue as one. Several
    parents get equal parts. A path ends at a model without a declared parent (`root`), at a parent
    that is not listed (`stub`), at a model that is its own ancestor (`cycle`) or after MAX_DEPTH
    steps (`depth`). The last two have no root: that part of the weight stays with the model itself.
    """
    models = hub_models.select("model_id_hf").collect().sort("model_id_hf").with_row_index("model")
    models = models.with_columns(pl.col("model_id_hf").str.to_lowercase().alias("key"))
    nodes, edges = _numbered(hub_base_models, models)
    cyclic = _on_cycle(edges)
    onward = edges.join(cyclic, left_on="child", right_on="node", how="anti")
    begins = nodes.join(edges, left_on="node", right_on="child", how="semi").select("key", "node")
    originals = models.join(begins, on="key", how="anti").select(_own("root"))
    walk = models.join(begins, on="key").select("model", "node", weight=pl.lit(1.0))
    ended: list[pl.DataFrame] = []
    for depth in range(MAX_DEPTH + 1):
        caught = walk.join(cyclic, on="node", how="semi")
        ended.append(_stopped(caught, models, "cycle", depth))
        walk = walk.join(cyclic, on="node", how="anti")
        at_end = walk.join(edges, left_on="node", right_on="child", how="anti")
        ended.append(_arrived(at_end, models, nodes, depth))
        walk = _one_up(walk, onward)
        if walk.is_empty():
            break
    ended.append(_stopped(walk, models, "depth", MAX_DEPTH))
    return pl.concat([originals, _summed(pl.concat(ended))]).lazy()


def _numbered(
    hub_base_models: pl.LazyFrame, models: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nodes and edges of the lineage, numbered, since numbers join many times faster than ids.

    Nodes: `node`, its `key` (the id in lower case), `root_id` as listed (or, for an unlisted
    parent, the first declared spelling) and `is_listed`. The first of ids that differ only in case
    represents all. Edges: child, parent, part of the weight.
    """
    declared = hub_base_models.select(
        pl.col("model_id_hf").str.to_lowercase().alias("child_key"),
        pl.col("base_model_id_hf").str.to_lowercase().alias("parent_key"),
        pl.col("base_model_id_hf").alias("spelled"),
    ).collect()
    spelled = declared.group_by(key="parent_key").agg(pl.col("spelled").min())
    keys = pl.concat([declared["child_key"], spelled["key"]]).unique().alias("key")
    listed = models.join(keys.to_frame(), on="key", how="semi").select(
        "key", pl.col("model_id_hf").alias("listed")
    )
    nodes = (
        keys.to_frame()
        .join(listed.unique("key", keep="first", maintain_order=True), on="key", how="left")
        .join(spelled, on="key", how="left")
        .with_row_index("node")
    )
    number = nodes.select("key", "node")
    edges = (
        declared.join(number.rename({"node": "child"}), left_on="child_key", right_on="key")
        .join(number.rename({"node": "parent"}), left_on="parent_key", right_on="key")
        .select("child", "parent")
        .unique()
        .with_columns((1.0 / pl.len().over("child")).alias("part"))
    )
    root_id = pl.coalesce("listed", "spelled").alias("root_id")
    return nodes.select("node", "key", root_id, is_listed=pl.col("listed").is_not_null()), edges


def _on_cycle(edges: pl.DataFrame) -> pl.DataFrame:
    """`node`: every model that is its own ancestor within MAX_DEPTH steps."""
    rest = edges.select("child", "parent")
    for _ in range(MAX_DEPTH):  # in a cycle every edge has an edge before and after it
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
    return [
        pl.col("model_id_hf"),
        pl.col("model_id_hf").alias("root_model_id_hf"),
        (pl.lit(1.0) if reason == "root" else pl.col("weight")).alias("weight"),
        pl.lit(depth, pl.Int32).alias("depth"),
        pl.lit(reason).alias("end_reason"),
    ]


def _stopped(walk: pl.DataFrame, models: pl.DataFrame, reason: str, depth: int) -> pl.DataFrame:
    """Rows of a walk without a root: that part of the weight stays with the model."""
    return walk.join(models, on="model").select(_own(reason, depth))


def _one_up(walk: pl.DataFrame, onward: pl.DataFrame) -> pl.DataFrame:
    """One step up; paths of a model that meet at a node continue as one."""
    up = walk.join(onward, left_on="node", right_on="child").select(
        "model", pl.col("parent").alias("node"), pl.col("weight") * pl.col("part")
    )
    whole = pl.col("weight") == 1.0  # the only path of the model: no other can meet it
    met = up.filter(~whole).group_by("model", "node").agg(exactly(pl.col("weight")))
    return pl.concat([up.filter(whole), met])


def _arrived(
    at: pl.DataFrame, models: pl.DataFrame, nodes: pl.DataFrame, depth: int
) -> pl.DataFrame:
    """Rows whose walk ended at `node`."""
    reason = pl.when("is_listed").then(pl.lit("root")).otherwise(pl.lit("stub"))
    return (
        at.join(nodes, on="node")
        .join(models.select("model", "model_id_hf"), on="model")
        .select(
            "model_id_hf",
            pl.col("root_id").alias("root_model_id_hf"),
            "weight",
            pl.lit(depth, pl.Int32).alias("depth"),
            reason.alias("end_reason"),
        )
    )


def _summed(ends: pl.DataFrame) -> pl.DataFrame:
    """Adds up several paths to one root."""
    whole = pl.col("weight") == 1.0
    summed = (
        ends.filter(~whole)
        .sort("model_id_hf", "root_model_id_hf", "depth", "end_reason")
        .group_by("model_id_hf", "root_model_id_hf", maintain_order=True)
        .agg(exactly(pl.col("weight")), pl.col("depth").max(), pl.col("end_reason").first())
    )
    return pl.concat([ends.filter(whole), summed])
