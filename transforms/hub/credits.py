"""Who is credited with each model of the Hub on a day: the rows that core.hub_credits adds up.

Models and namespaces are numbered first, since numbers join faster than texts in millions of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from transforms.hub.definitions import METRIC_RULES, POPULATION_RULES
from transforms.registry.attribution import NOT_EXAMINED, names_of
from transforms.registry.bitemporal import holds_on


@dataclass(frozen=True)
class Credits:
    """Rows per day, model and owner, with metrics, and populations as flags.

    `models` maps `model_no` to the model. `publisher` has each model once. By root, `whole` has the
    models with a single root (`root_model_id_hf` is null if that is the model itself) and `parts`
    one row per root of all others, with its `weight`. `lineage_recorded` says whether the lineage
    of the model is known; if not, the model counts as its own root.
    """

    models: pl.LazyFrame
    publisher: pl.LazyFrame
    whole: pl.LazyFrame
    parts: pl.LazyFrame


def credited(
    counters: pl.LazyFrame,
    models: pl.LazyFrame,
    spikes: pl.LazyFrame,
    roots: pl.LazyFrame,
    makers: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> Credits:
    """The owners of every model.

    By publisher: the lab of the uploading namespace. By root: the labs at the roots of the declared
    lineage. The family is that of the model's name, or of the root's, if that lab makes the family,
    so a family never has more than its maker. `named_family_id` is the family of the name, whoever
    uploaded it.
    """
    days = counters.select("as_of_date").unique().collect()
    names = _names(namespaces)
    numbered = _numbered(models, names, makers).collect().lazy()
    far = _roots(roots, numbered, names, makers).collect().lazy()
    owners = _owners(namespaces, labs, names, days.lazy()).collect().lazy()
    known = _with_lineage(numbered, far)
    counted = _counted(counters, known, spikes, owners).collect().lazy()
    own = counted.filter(~pl.col("is_derived"))
    derived = counted.drop("name_no", "family_id", "maker").join(far, on="model_no")
    is_whole = pl.col("weight") == 1.0
    whole = pl.concat([own, derived.filter(is_whole).drop("weight")], how="diagonal")
    return Credits(
        numbered,
        _owned(counted.drop("name_no").rename({"publisher_no": "name_no"}), owners),
        _owned(whole, owners),
        _owned(derived.filter(~is_whole), owners),
    )


def makers_of(model_families: pl.LazyFrame, families: pl.LazyFrame) -> pl.LazyFrame:
    """Family of each Hub model by its name, and the lab that makes the family."""
    return (
        model_families.filter(pl.col("system") == "hub")
        .join(families.select("family_id", maker="lab_id"), on="family_id")
        .select("model_name", pl.col("family_id", "maker").cast(pl.Categorical))
    )


def _names(namespaces: pl.LazyFrame) -> pl.LazyFrame:
    """The Hub's examined namespaces, numbered."""
    keys = namespaces.filter(pl.col("system") == "hub").select("namespace_key").unique()
    return keys.sort("namespace_key").with_row_index("name_no").collect().lazy()


def _numbered(models: pl.LazyFrame, names: pl.LazyFrame, makers: pl.LazyFrame) -> pl.LazyFrame:
    """Each model with a number, its publisher, the namespace of its id, and its family."""
    publisher = names.rename({"name_no": "publisher_no"})
    return (
        models.select("model_id_hf", "author", "created_at", "is_llm_vlm", "lineage_recorded")
        .with_row_index("model_no")
        .join(publisher, left_on=_key("author"), right_on="namespace_key", how="left")
        .join(names, left_on=_key(_namespace("model_id_hf")), right_on="namespace_key", how="left")
        .join(makers, left_on="model_id_hf", right_on="model_name", how="left")
    )


def _key(name: str | pl.Expr) -> pl.Expr:
    return (pl.col(name) if isinstance(name, str) else name).str.to_lowercase()


def _namespace(model_id: str) -> pl.Expr:
    """The part before the slash; null if there is no slash."""
    parts = pl.col(model_id).str.splitn("/", 2).struct
    return pl.when(parts.field("field_1").is_not_null()).then(parts.field("field_0"))


def _roots(
    roots: pl.LazyFrame, models: pl.LazyFrame, names: pl.LazyFrame, makers: pl.LazyFrame
) -> pl.LazyFrame:
    """Roots of the models that are not their own: namespace and family of each root."""
    return (
        roots.filter(
            (pl.col("root_model_id_hf") != pl.col("model_id_hf")) | (pl.col("weight") != 1.0)
        )
        .join(models.select("model_id_hf", "model_no"), on="model_id_hf")
        .join(
            names,
            left_on=_key(_namespace("root_model_id_hf")),
            right_on="namespace_key",
            how="left",
        )
        .join(makers, left_on="root_model_id_hf", right_on="model_name", how="left")
        .select("model_no", "root_model_id_hf", "weight", "name_no", "family_id", "maker")
    )


def _with_lineage(models: pl.LazyFrame, far: pl.LazyFrame) -> pl.LazyFrame:
    """Adds `is_derived`: the model has another root than itself, so its lineage is recorded.

    The registry adds parents that no listing names.
    """
    derived = far.select("model_no").unique().with_columns(is_derived=pl.lit(True))
    is_derived = pl.col("is_derived").fill_null(False)
    return models.join(derived, on="model_no", how="left").with_columns(
        is_derived, pl.col("lineage_recorded").fill_null(False) | is_derived
    )


def _owners(
    namespaces: pl.LazyFrame, labs: pl.LazyFrame, names: pl.LazyFrame, days: pl.LazyFrame
) -> pl.LazyFrame:
    """Lab, kind and country of each examined namespace on each day."""
    held = (
        names_of(namespaces, "hub")
        .join(names, on="namespace_key")
        .join(days, how="cross")
        .filter(holds_on(pl.col("as_of_date")))
        .select("as_of_date", "name_no", "lab_id", "kind")
    )
    return (
        held.join(labs.select("lab_id", "country_code", "valid_from", "valid_to"), on="lab_id")
        .filter(holds_on(pl.col("as_of_date")))
        .select(
            "as_of_date",
            "name_no",
            pl.col("lab_id", "kind", "country_code").cast(pl.Categorical),
        )
    )


def _counted(
    counters: pl.LazyFrame, models: pl.LazyFrame, spikes: pl.LazyFrame, owners: pl.LazyFrame
) -> pl.LazyFrame:
    """One row per day and model: its numbers, its metrics and, as flags, its populations."""
    kinds = owners.select("as_of_date", publisher_no="name_no", kind="kind")
    spiked = spikes.select("as_of_date", "model_id_hf", is_spike=pl.lit(True))
    return (
        counters.join(models, on="model_id_hf")
        .join(spiked, on=["as_of_date", "model_id_hf"], how="left")
        .join(kinds, on=["as_of_date", "publisher_no"], how="left")
        .select(
            "as_of_date",
            "model_no",
            "publisher_no",
            "name_no",
            "family_id",
            "maker",
            "is_derived",
            "lineage_recorded",
            **METRIC_RULES,
            **POPULATION_RULES,
        )
    )


def _owned(rows: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """Adds lab and country of the namespace, XX if not examined, and drops families of others."""
    owner = owners.select("as_of_date", "name_no", "lab_id", "country_code")
    is_made = (pl.col("lab_id") == pl.col("maker")).fill_null(False)
    return rows.join(owner, on=["as_of_date", "name_no"], how="left").with_columns(
        pl.col("country_code").fill_null(NOT_EXAMINED),
        pl.when(is_made).then(pl.col("family_id")).alias("family_id"),
        pl.col("family_id").alias("named_family_id"),
    )
