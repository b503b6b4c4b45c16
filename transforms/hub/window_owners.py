"""Who is credited with the downloads of each model in a window, on the window's last day."""

from __future__ import annotations

import polars as pl

from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country

ATTRIBUTIONS = ("publisher", "base", "study_publisher", "study_base")
OWNED = ["span_no", "window_no", "owner_id", "lab_id", "country_code", "weight", "is_certain"]
_CODES = {"study_publisher": "study_country_codes", "study_base": "study_base_country_codes"}
_NAMESPACE = r"^([^/]+)/"


def owned(
    spans: pl.LazyFrame,
    attribution: str,
    hub_model_roots: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per window, model and owner, with its part of the model as `weight`.

    `owner_id` is the model that the credit goes to: the model, or by base its root. `is_certain` is
    false by base where no lineage is recorded, so the model may have any root. The study's
    annotations name countries and no lab.
    """
    if attribution in _CODES:
        return _by_study(spans, _CODES[attribution])
    if attribution == "base":
        return _by_base(spans, hub_model_roots, namespaces, labs)
    plain = spans.select(
        *("span_no", "window_no", "end_on"),
        namespace="author",
        owner_id="model_id_hf",
        weight=1.0,
        is_certain=True,
    )
    return _placed(plain, namespaces, labs)


def _by_base(
    spans: pl.LazyFrame, roots: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    root, weight = pl.col("root_model_id_hf"), pl.col("weight").fill_null(1.0)
    is_own = (root == pl.col("model_id_hf")).fill_null(True)
    derived = roots.filter(root != pl.col("model_id_hf")).select("model_id_hf").unique()
    is_derived = pl.col("is_derived").fill_null(False)
    namespace = pl.when(is_own).then("author").otherwise(root.str.extract(_NAMESPACE))
    # Few models have another root; all others are their own.
    others = roots.join(derived, on="model_id_hf", how="semi").select(
        "model_id_hf", "root_model_id_hf", "weight", is_derived=pl.lit(True)
    )
    rooted = spans.join(others, on="model_id_hf", how="left").select(
        "span_no", "window_no", "end_on",
        namespace.alias("namespace"), weight.alias("weight"),
        pl.coalesce(root, "model_id_hf").alias("owner_id"),
        (pl.col("lineage_recorded").fill_null(False) | is_derived).alias("is_certain"),
    )  # fmt: skip
    return _placed(rooted, namespaces, labs)


def _placed(rows: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    return with_lab_and_country(
        rows, namespaces, labs, system="hub", name="namespace", day="end_on"
    ).select(OWNED)


def _by_study(spans: pl.LazyFrame, codes: str) -> pl.LazyFrame:
    """By the study's annotation; several countries of a model have equal parts of it."""
    each = pl.col(codes).fill_null(NOT_EXAMINED).str.split(",")
    return (
        spans.select(
            "span_no",
            "window_no",
            each.alias("country_code"),
            owner_id="model_id_hf",
            is_certain=True,
        )
        .with_columns(
            weight=1.0 / pl.col("country_code").list.len(), lab_id=pl.lit(None, pl.String)
        )
        .explode("country_code")
        .select(OWNED)
    )
