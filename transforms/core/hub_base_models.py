"""core.hub_base_models."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.knowledge import as_known

RELATIONS = ("finetune", "adapter", "quantized", "merge")
_TAG = r'"base_model:((?:[^"\\]|\\.)+)"'
_ID = r'"id"\s*:\s*"([^"\\]+)"'


def hub_base_models(
    raw_hub_known_models: pl.LazyFrame,
    raw_registry_model_renames: pl.LazyFrame,
    raw_registry_lineage_exceptions: pl.LazyFrame,
    hub_renames: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per model and parent, from the newest snapshot that declares any.

    The parsed field `baseModels` is believed before the tags, which say the same twice
    (`base_model:X`, `base_model:<relation>:X`). A parent that has moved is taken under its present
    id. Reviewed exceptions add and drop parents, as known on `known_at`. A model that names itself
    is no edge; ids that differ by case alone are one parent.
    """
    declared = _declared(raw_hub_known_models).collect().lazy()  # several branches go on from here
    reviewed = _reviewed(
        declared, as_known(raw_registry_lineage_exceptions, known_at), raw_hub_known_models
    )
    renames = as_known(raw_registry_model_renames, known_at)
    resolved = _by_object(_by_namespace(reviewed, renames), hub_renames)
    key = pl.col("base_model_id_hf").str.to_lowercase()
    edges = resolved.with_columns(key.alias("base_key")).filter(
        pl.col("base_key") != pl.col("model_id_hf").str.to_lowercase()
    )
    return _believed(edges, "base_key").select(
        "model_id_hf",
        "base_model_id_hf",
        "declared_base_model_id_hf",
        "relation",
        "declared_by",
    )


def _declared(listing: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model and declared parent, from the newest snapshot that declares any."""
    newest = pl.col("lineage_date") == pl.col("lineage_date").max().over("model_id_hf")
    declaring = listing.filter(pl.col("lineage_date").is_not_null()).filter(newest)
    edges = pl.concat([_from_field(declaring), _from_tags(declaring)]).with_row_index("place")
    return _believed(edges, "declared_base_model_id_hf")


def _believed(edges: pl.LazyFrame, parent: str) -> pl.LazyFrame:
    """Of the edges of a model to one parent the one that ranks first."""
    return edges.sort("rank", "place").unique(
        ["model_id_hf", parent], keep="first", maintain_order=True
    )


def _rank(declared_by: str, relation: pl.Expr | None = None) -> pl.Expr:
    """The field before review before tags; of tags those with a relation first, by the alphabet."""
    if declared_by != "tags" or relation is None:
        return pl.lit(("base_models", "registry").index(declared_by), pl.UInt8).alias("rank")
    named = relation.cast(pl.Enum(sorted(RELATIONS))).to_physical()
    return (named.fill_null(len(RELATIONS)) + 2).cast(pl.UInt8).alias("rank")


def _columns(relation: pl.Expr, declared_by: str) -> list[pl.Expr]:
    return [
        pl.col("model_id_hf"),
        pl.col("declared_base_model_id_hf"),
        relation.alias("relation"),
        pl.lit(declared_by).alias("declared_by"),
        _rank(declared_by, relation),
    ]


def _from_field(listing: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of `{"relation": ..., "models": [{"id": ...}, ...]}`."""
    relation = pl.col("base_models_json").str.extract(r'"relation"\s*:\s*"([a-z]+)"')
    ids = pl.col("base_models_json").str.extract_all(_ID)
    return (
        listing.filter(pl.col("base_models_json").is_not_null())
        .with_columns(ids.alias("declared_base_model_id_hf"))
        .explode("declared_base_model_id_hf")
        .with_columns(pl.col("declared_base_model_id_hf").str.extract(_ID))
        .filter(pl.col("declared_base_model_id_hf").is_not_null())
        .select(_columns(relation, "base_models"))
    )


def _from_tags(listing: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of the tags `base_model:X` and `base_model:<relation>:X`."""
    tag, named = pl.col("tag").str.extract(_TAG), rf"^({'|'.join(RELATIONS)}):"
    return (
        listing.filter(pl.col("base_model_tags_json").is_not_null())
        .with_columns(pl.col("base_model_tags_json").str.extract_all(_TAG).alias("tag"))
        .explode("tag")
        .with_columns(
            tag.str.replace(named, "").alias("declared_base_model_id_hf"),
            tag.str.extract(named).alias("named_relation"),
        )
        .select(_columns(pl.col("named_relation"), "tags"))
    )


def _reviewed(edges: pl.LazyFrame, exceptions: pl.LazyFrame, listing: pl.LazyFrame) -> pl.LazyFrame:
    """Without the parents that review drops, with those it adds to models that are listed."""
    parent = "declared_base_model_id_hf"
    rows = exceptions.rename({"base_model_id_hf": parent})
    folded = [pl.col("model_id_hf").str.to_lowercase(), pl.col(parent).str.to_lowercase()]
    kept = edges.join(rows.filter(pl.col("action") == "drop"), on=folded, how="anti")
    wanted = rows.filter(pl.col("action") == "add")
    # The few are looked for among the many, so that no table of the many is made.
    listed = listing.select("model_id_hf").join(wanted, on="model_id_hf", how="semi").unique()
    added = wanted.join(listed, on="model_id_hf", how="semi").select(
        pl.lit(0, pl.UInt32).alias("place"),
        "model_id_hf",
        parent,
        "relation",
        pl.lit("registry").alias("declared_by"),
        _rank("registry"),
    )
    return pl.concat([kept, added])


def _by_namespace(edges: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `base_model_id_hf`: the declared id with a moved namespace put right."""
    declared = pl.col("declared_base_model_id_hf")
    parts = edges.with_columns(
        declared.str.extract(r"^([^/]+)/").str.to_lowercase().alias("old"),
        declared.str.extract(r"([^/]+)$").alias("name"),
    )
    spaces = renames.filter(pl.col("old_namespace").is_not_null()).select(
        pl.col("old_namespace").str.to_lowercase().alias("old"), "new_namespace"
    )
    moved = pl.concat_str("new_namespace", pl.lit("/"), "name")
    return (
        parts.join(spaces, on="old", how="left")
        .join(_legacy(parts, renames), on="declared_base_model_id_hf", how="left")
        .with_columns(pl.coalesce(moved, "legacy_id", declared).alias("base_model_id_hf"))
        .drop("old", "name", "new_namespace", "legacy_id")
    )


def _legacy(parts: pl.LazyFrame, renames: pl.LazyFrame) -> pl.LazyFrame:
    """Present id of every declared parent without namespace, by the longest prefix that fits."""
    prefixes = renames.filter(pl.col("old_name_prefix").is_not_null()).select(
        "old_name_prefix", pl.col("new_namespace").alias("home")
    )
    return (
        parts.filter(pl.col("old").is_null())
        .select("declared_base_model_id_hf", "name")
        .unique()
        .join(prefixes, how="cross")
        .filter(pl.col("name").str.starts_with(pl.col("old_name_prefix")))
        .sort("name", pl.col("old_name_prefix").str.len_chars(), "home")
        .unique("declared_base_model_id_hf", keep="last", maintain_order=True)
        .select(
            "declared_base_model_id_hf",
            pl.concat_str("home", pl.lit("/"), "name").alias("legacy_id"),
        )
    )


def _by_object(edges: pl.LazyFrame, hub_renames: pl.LazyFrame) -> pl.LazyFrame:
    """Parents that the listing has seen under a later id."""
    old_key = pl.col("old_model_id_hf").str.to_lowercase().alias("old_key")
    moved = hub_renames.group_by(old_key).agg(pl.col("new_model_id_hf").min())
    return (
        edges.with_columns(pl.col("base_model_id_hf").str.to_lowercase().alias("old_key"))
        .join(moved, on="old_key", how="left")
        .with_columns(pl.coalesce("new_model_id_hf", "base_model_id_hf").alias("base_model_id_hf"))
        .drop("old_key", "new_model_id_hf")
    )
