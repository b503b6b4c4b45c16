"""mart.registry_weight."""

from __future__ import annotations

import polars as pl

from transforms.hub.panels import with_panel
from transforms.numeric.exact_sums import total
from transforms.registry.bitemporal import holds_on
from warehouse.contracts.table import contract

# From the strongest to the weakest.
CONFIDENCE = ("high", "medium", "low")
EVIDENCE = ("specific", "list", "none")
NOT_EXAMINED = "not_examined"
PERIOD = ("valid_from", "valid_to")
GROUP = ["as_of_date", "confidence", "evidence_kind"]


def registry_weight(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_panels: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """30-day downloads of each day by how well the registry documents their uploaders.

    An uploader is as well documented as the weaker of two rows: its name's and its lab's.
    """
    weights = _weights(hub_daily_counters, hub_models)
    proofs = _proofs(weights.select("as_of_date").unique(), namespaces, labs)
    all_day = total(pl.col("downloads_30d")).over("as_of_date")
    sums = (
        weights.join(proofs, on=["as_of_date", "namespace_key"], how="left")
        .with_columns(pl.col("confidence", "evidence_kind").fill_null(NOT_EXAMINED))
        .group_by(GROUP)
        .agg(
            pl.len().cast(pl.Int64).alias("n_namespaces"),
            total(pl.col("n_models")).alias("n_models"),
            total(pl.col("downloads_30d")).alias("downloads_30d"),
        )
        .with_columns(pl.when(all_day > 0).then(pl.col("downloads_30d") / all_day).alias("share"))
    )
    return with_panel(sums, hub_panels).select(*contract("mart.registry_weight").columns)


def _weights(hub_daily_counters: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """Models and downloads by day and uploading namespace."""
    authors = hub_models.select("model_id_hf", namespace_key=pl.col("author").str.to_lowercase())
    return (
        hub_daily_counters.filter(pl.col("downloads_30d").is_not_null())
        .join(authors, on="model_id_hf")
        .group_by("as_of_date", "namespace_key")
        .agg(pl.len().cast(pl.Int64).alias("n_models"), total(pl.col("downloads_30d")))
    )


def _proofs(days: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    """Confidence and kind of evidence of each examined name on each day."""
    names = namespaces.filter(pl.col("system") == "hub")
    names = names.select("namespace_key", "lab_id", *_strength(), *PERIOD)
    owners = labs.select("lab_id", *_strength(), *PERIOD)
    held = names.join(days, how="cross").filter(holds_on(pl.col("as_of_date")))
    both = held.drop("valid_from", "valid_to").join(owners, on="lab_id", suffix="_lab")
    return (
        both.filter(holds_on(pl.col("as_of_date")))
        .group_by("as_of_date", "namespace_key")
        .agg(
            _weakest("confidence", CONFIDENCE),
            _weakest("evidence_kind", EVIDENCE),
        )
    )


def _strength() -> tuple[pl.Expr, pl.Expr]:
    """Confidence and evidence as places in their orders."""
    return (
        pl.col("confidence").replace_strict(CONFIDENCE, range(3), return_dtype=pl.Int32),
        pl.col("evidence_kind").replace_strict(EVIDENCE, range(3), return_dtype=pl.Int32),
    )


def _weakest(column: str, order: tuple[str, ...]) -> pl.Expr:
    place = pl.max_horizontal(pl.col(column), pl.col(f"{column}_lab")).max()
    return place.replace_strict(range(3), order, return_dtype=pl.String).alias(column)
