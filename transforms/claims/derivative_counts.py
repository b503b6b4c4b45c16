"""Test of how many models derive from a family, a lab or one model: derivative_count."""

from __future__ import annotations

import polars as pl

from transforms.claims.hub_models import newest_listing, proves_absence
from transforms.claims.requests import NEEDED, for_tests, to_answers
from transforms.numeric.exact_sums import how_many, total
from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country

_NO_BOUND = float("inf")


def derivative_count(
    requests: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_base_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    model_families: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    hub_listing_coverage: pl.LazyFrame,
) -> pl.LazyFrame:
    """Answers: the number of derivatives, or its ratio to that of another holder.

    A derivative that was found counts, whatever the listing lacks, so the number is a lower bound.
    That holds for a listing near the day only: earlier derivatives may have been deleted since, and
    parents may have been declared later.
    """
    wanted = _dated(for_tests(requests, "derivative_count"), hub_listing_coverage)
    # Collected, since Polars would join them again for each of the three branches.
    edges = _edges(hub_models, hub_base_models, hub_model_roots).collect().lazy()
    holders = pl.concat(
        [
            _by_base(wanted, edges),
            _by_family(wanted, edges, model_families),
            _by_lab(wanted, edges, namespaces, labs),
        ]
    )
    counts = _counts(wanted, holders)
    recorded = _recorded(wanted, hub_models)
    return to_answers(
        wanted.join(counts, on="request", how="left")
        .join(recorded, on="request", how="left")
        .with_columns(pl.col("n", "x").fill_null(0))
        .pipe(_valued)
    )


def _dated(wanted: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the newest listing, the last day that counts, and whether the listing is near it."""
    days = (pl.col("listing_day") - pl.col("until")).dt.total_days()
    return (
        wanted.join(newest_listing(coverage), how="cross")
        .with_columns(pl.min_horizontal("period_to", "day").alias("until"))
        .filter(pl.col("day").is_not_null())
        .with_columns((days <= pl.col("within_days")).alias("is_near"))
    )


def _edges(models: pl.LazyFrame, base_models: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """One row per derived model and parent, or root, with the day of its creation."""
    created = models.select(
        "model_id_hf", pl.col("created_at").dt.date().alias("created_on")
    ).drop_nulls()
    relations = base_models.select("model_id_hf", pl.col("relation").alias("kind")).unique()
    declared = base_models.select(
        "model_id_hf",
        pl.col("base_model_id_hf").alias("base"),
        pl.col("relation").alias("kind"),
        pl.lit("declared").alias("reach"),
    )
    lineage = (
        roots.filter(pl.col("root_model_id_hf") != pl.col("model_id_hf"))
        .join(relations, on="model_id_hf", how="left")
        .select(
            "model_id_hf",
            pl.col("root_model_id_hf").alias("base"),
            "kind",
            pl.lit("lineage").alias("reach"),
        )
    )
    return pl.concat([declared, lineage]).join(created, on="model_id_hf")


def _by_base(wanted: pl.LazyFrame, edges: pl.LazyFrame) -> pl.LazyFrame:
    """`by`, `holder` and the edges on single models that requests name."""
    named = _names(wanted, "base")
    return (
        edges.with_columns(pl.col("base").str.to_lowercase().alias("key"))
        .join(named.with_columns(pl.col("holder").str.to_lowercase().alias("key")), on="key")
        .pipe(_held, "base")
    )


def _by_family(
    wanted: pl.LazyFrame, edges: pl.LazyFrame, model_families: pl.LazyFrame
) -> pl.LazyFrame:
    members = (
        model_families.filter(pl.col("system") == "hub")
        .select(base="model_name", holder="family_id")
        .join(_names(wanted, "family"), on="holder", how="semi")
    )
    return edges.join(members, on="base").pipe(_held, "family")


def _by_lab(
    wanted: pl.LazyFrame, edges: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame
) -> pl.LazyFrame:
    """The same for labs; an unexamined namespace may belong to any lab."""
    is_asked = wanted.filter(pl.col("by") == "lab").select("by").unique()
    namespace = pl.col("base").str.extract(r"^([^/]+)/")
    named = edges.join(is_asked, how="cross").drop("by").with_columns(namespace.alias("namespace"))
    placed = with_lab_and_country(
        named, namespaces, labs, system="hub", name="namespace", day="created_on"
    )
    doubtful = pl.when(pl.col("country_code") == NOT_EXAMINED).then(pl.lit(NOT_EXAMINED))
    lab = placed.with_columns(
        pl.coalesce(pl.col("lab_id").cast(pl.String), doubtful).alias("holder")
    )
    return lab.drop_nulls("holder").pipe(_held, "lab")


def _names(wanted: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """The holders that requests of one kind name."""
    mine = wanted.filter(pl.col("by") == by)
    both = pl.concat([mine.select(holder="subject"), mine.select(holder="other")])
    return both.drop_nulls().unique()


def _held(edges: pl.LazyFrame, by: str) -> pl.LazyFrame:
    return edges.select(
        pl.lit(by).alias("by"),
        *("holder", "model_id_hf", "kind", "reach", "created_on"),
    )


def _counts(wanted: pl.LazyFrame, holders: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct derivatives of each request: the subject's, the other's, and those in doubt (x)."""
    fits = (pl.col("derivative") == "all") | (pl.col("derivative") == pl.col("kind"))
    holder, model = pl.col("holder"), pl.col("model_id_hf")
    return (
        wanted.join(holders, on=["by", "reach"])
        .filter(fits & (pl.col("created_on") <= pl.col("until")))
        .group_by("request")
        .agg(
            model.filter(holder.str.to_lowercase() == pl.col("subject").str.to_lowercase())
            .n_unique()
            .alias("n"),
            model.filter(holder.str.to_lowercase() == pl.col("other").str.to_lowercase())
            .n_unique()
            .alias("n_other"),
            model.filter(holder == NOT_EXAMINED).n_unique().alias("x"),
        )
    )


def _recorded(wanted: pl.LazyFrame, hub_models: pl.LazyFrame) -> pl.LazyFrame:
    """`coverage_lineage`: the part of the models up to the day whose lineage is recorded."""
    days = hub_models.group_by(pl.col("created_at").dt.date().alias("created_on")).agg(
        pl.len().cast(pl.Int64).alias("all"), how_many(pl.col("lineage_recorded")).alias("known")
    )
    until = wanted.select("request", "until")
    dated = days.join(until, how="cross").filter(pl.col("created_on") <= pl.col("until"))
    return dated.group_by("request").agg(
        (total(pl.col("known")) / total(pl.col("all"))).alias("coverage_lineage")
    )


def _valued(counted: pl.LazyFrame) -> pl.LazyFrame:
    """Value and bounds: exact on the whole Hub, else at least what was found (ratios: none)."""
    is_whole = proves_absence() & pl.col("is_near")
    is_ratio = pl.col("other").is_not_null()
    n = pl.col("n").cast(pl.Float64)
    ratio = pl.when(pl.col("n_other") > 0).then(n / pl.col("n_other"))
    least = pl.when(is_ratio & ~is_whole).then(0.0)
    is_exact = is_whole & (pl.col("coverage_lineage") >= NEEDED)
    most = pl.when(~is_exact.fill_null(value=False)).then(_NO_BOUND)
    surely = pl.when(is_ratio).then(n / (pl.col("n_other") + pl.col("x"))).otherwise(n)
    at_most = (
        pl.when(is_ratio).then((n + pl.col("x")) / pl.col("n_other")).otherwise(n + pl.col("x"))
    )
    return counted.with_columns(
        pl.when(is_ratio).then(ratio).otherwise(n).alias("value"),
        pl.coalesce(least, surely).alias("low"),
        pl.coalesce(most, at_most).alias("high"),
        pl.col("listing_day").alias("observed_on"),
        pl.col("listed_share").alias("coverage_population"),
        is_whole.alias("is_whole"),
        (pl.col("is_near") & ~is_whole & ~is_ratio).alias("bounds_hold"),
    )
