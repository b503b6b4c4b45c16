"""core.hub_base_models."""

from __future__ import annotations

from datetime import date

import polars as pl

from transforms.hub.lineage import (
    NAME,
    PARENT,
    RELATIONS,
    from_field,
    from_tags,
    is_resolved,
    newest_declarations,
)
from transforms.hub.renames import ID, PRESENT, present_ids
from transforms.hub.repository_ids import has_form_of_id, trimmed
from transforms.registry.bitemporal import as_known


def hub_base_models(
    raw_hub_known_models: pl.LazyFrame,
    raw_registry_model_renames: pl.LazyFrame,
    raw_registry_lineage_exceptions: pl.LazyFrame,
    hub_renames: pl.LazyFrame,
    hub_suspected_doubles: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per model and parent, from the newest record with a lineage.

    The field `baseModels` decides if it names a repository, otherwise the tags do.
    core.hub_refused_base_models lists declarations that cannot be repositories. A parent is the
    object that the field names, under its present id. Without an object, a moved parent has its
    present id, unless its old id is still listed. Reviewed exceptions add and drop parents, as
    known on `known_at`. A model is not its own parent; ids that differ only in case are one parent.
    """
    declared = _declared(raw_hub_known_models).collect().lazy()  # read several times
    reviewed = _reviewed(
        declared, as_known(raw_registry_lineage_exceptions, known_at), raw_hub_known_models
    )
    renames = as_known(raw_registry_model_renames, known_at)
    alive = _alive(raw_hub_known_models, hub_suspected_doubles)
    present = _present(reviewed, renames, hub_renames, alive)
    resolved = _by_object(present, raw_hub_known_models)
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
    """One row per model and declared parent that can be a repository."""
    declaring = newest_declarations(listing)
    tags = _listed_anyway(from_tags(declaring.filter(~is_resolved())), listing)
    edges = pl.concat([from_field(declaring), tags]).filter(pl.col(PARENT).is_not_null())
    return _believed(edges.with_columns(_rank()).with_row_index("place"), PARENT)


def _listed_anyway(tags: pl.LazyFrame, listing: pl.LazyFrame) -> pl.LazyFrame:
    """Adds parents with ids that the Hub forbids but still lists, such as old ids with `--`."""
    tags = tags.collect().lazy()
    odd = tags.filter(pl.col(PARENT).is_null() & has_form_of_id(pl.col(NAME)))
    ids = listing.select("model_id_hf").join(
        odd.select(model_id_hf=trimmed(pl.col(NAME))).unique(), on="model_id_hf", how="semi"
    )
    found = odd.join(
        ids.unique(), left_on=trimmed(pl.col(NAME)), right_on="model_id_hf", how="semi"
    )
    return pl.concat([tags, found.with_columns(trimmed(pl.col(NAME)).alias(PARENT))])


def _believed(edges: pl.LazyFrame, parent: str) -> pl.LazyFrame:
    """The first-ranked of a model's edges to one parent."""
    return edges.sort("rank", "place").unique(
        ["model_id_hf", parent], keep="first", maintain_order=True
    )


def _rank() -> pl.Expr:
    """The field before review before tags; among tags those with a relation first, by name."""
    named = pl.col("relation").cast(pl.Enum(sorted(RELATIONS)), strict=False).to_physical()
    by_tag = named.fill_null(len(RELATIONS)).cast(pl.UInt8) + 2
    order = {"base_models": 0, "registry": 1}
    by_source = pl.col("declared_by").replace_strict(order, default=2, return_dtype=pl.UInt8)
    return pl.when(pl.col("declared_by") == "tags").then(by_tag).otherwise(by_source).alias("rank")


def _reviewed(edges: pl.LazyFrame, exceptions: pl.LazyFrame, listing: pl.LazyFrame) -> pl.LazyFrame:
    """Drops reviewed parents, and adds reviewed parents to listed models."""
    parent = "declared_base_model_id_hf"
    rows = exceptions.rename({"base_model_id_hf": parent})
    folded = [pl.col("model_id_hf").str.to_lowercase(), pl.col(parent).str.to_lowercase()]
    kept = edges.join(rows.filter(pl.col("action") == "drop"), on=folded, how="anti")
    wanted = rows.filter(pl.col("action") == "add")
    # Few models against millions: no table of all listed models is made.
    listed = listing.select("model_id_hf").join(wanted, on="model_id_hf", how="semi").unique()
    added = wanted.join(listed, on="model_id_hf", how="semi").select(
        "model_id_hf", parent, "relation", pl.lit("registry").alias("declared_by")
    )
    added = added.with_columns(_rank(), pl.lit(0, pl.UInt32).alias("place"))
    return pl.concat([kept.drop("declared_text", NAME), added], how="diagonal")


def _present(
    edges: pl.LazyFrame, renames: pl.LazyFrame, hub_renames: pl.LazyFrame, alive: pl.LazyFrame
) -> pl.LazyFrame:
    """Adds `base_model_id_hf`: the declared id, or where it moved unless it is listed itself."""
    names = edges.select(pl.col(PARENT).alias(ID)).unique()
    present = present_ids(names, renames, hub_renames).filter(pl.col(ID) != pl.col(PRESENT))
    moved = present.join(
        alive, left_on=pl.col(ID).str.to_lowercase(), right_on="key", how="anti"
    ).rename({ID: PARENT})
    return (
        edges.join(moved, on=PARENT, how="left")
        .with_columns(pl.coalesce(PRESENT, PARENT).alias("base_model_id_hf"))
        .drop(PRESENT)
    )


def _alive(listing: pl.LazyFrame, doubles: pl.LazyFrame) -> pl.LazyFrame:
    """`key`: ids in the newest snapshot, without old ids of moved repositories."""
    last = pl.col("last_seen_date")
    twice = doubles.filter("is_counted_once")
    return (
        listing.filter(pl.col("is_current") & (last == last.max()))
        .join(
            twice, left_on=["model_id_hf", last], right_on=["model_id_hf", "as_of_date"], how="anti"
        )
        .select(key=pl.col("model_id_hf").str.to_lowercase())
    )


def _by_object(edges: pl.LazyFrame, listing: pl.LazyFrame) -> pl.LazyFrame:
    """Parents that the field names by their object, under that object's present id."""
    wanted = edges.select("base_object_id_hf").drop_nulls().unique()
    known = (
        listing.filter("is_current")
        .join(wanted, left_on="object_id_hf", right_on="base_object_id_hf", how="semi")
        .group_by("object_id_hf")
        .agg(pl.col("model_id_hf").max().alias("present_id"))
    )
    return (
        edges.join(known, left_on="base_object_id_hf", right_on="object_id_hf", how="left")
        .with_columns(pl.coalesce("present_id", "base_model_id_hf").alias("base_model_id_hf"))
        .drop("present_id")
    )
