"""core.model_families."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from transforms.registry.bitemporal import as_known

MODEL = ["system", "model_name"]
CLAIM = [*MODEL, "family_id", "priority", "rule"]


def model_families(
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    notable_models: pl.LazyFrame,
    raw_registry_family_rules: pl.LazyFrame,
    known_at: date,
) -> pl.LazyFrame:
    """One row per system and model with a family, by the first rule that its name matches.

    Hub: the models of the listing and the roots that only a lineage names. The name alone
    decides here; that a derived model belongs to the family of its roots is for the shares.
    A model that two families claim with equal right has neither, and `rule` names both claims.
    """
    rules = as_known(raw_registry_family_rules, known_at).collect()
    roots = hub_model_roots.select(pl.col("root_model_id_hf").alias("model_name"))
    listed = hub_models.select(pl.col("model_id_hf").alias("model_name"))
    claims = pl.concat(
        [
            _claims("hub", pl.concat([listed, roots]), rules),
            _claims("lmarena", arena_ratings.select(model_name="model_name_arena"), rules),
            _claims("epoch", notable_models.select(model_name="model_name_epoch"), rules),
        ]
    )
    return _best(claims)


def hub_families(names: pl.LazyFrame, rules: pl.LazyFrame) -> pl.LazyFrame:
    """The same for some repositories of the Hub (`model_name`) that no listing need hold."""
    return _best(_claims("hub", names, rules.collect()))


def _best(claims: pl.DataFrame) -> pl.LazyFrame:
    """Of each model's claims those of the first rule."""
    first = claims.group_by(MODEL).agg(pl.col("priority").min())
    return _settled(claims.join(first, on=[*MODEL, "priority"], how="semi").lazy())


def _settled(best: pl.LazyFrame) -> pl.LazyFrame:
    """One row per model: its family, or null and every claim where several are as good."""
    claim = pl.format("{}: {}", "family_id", "rule")
    is_torn = pl.col("family_id").n_unique() > 1
    return (
        best.group_by(MODEL)
        .agg(
            pl.when(~is_torn).then(pl.col("family_id").min()).first().alias("family_id"),
            pl.when(is_torn)
            .then(claim.unique().sort().str.join(" and "))
            .otherwise(pl.col("rule").min())
            .first()
            .alias("rule"),
        )
        .select(*MODEL, "family_id", "rule")
    )


def _claims(system: str, names: pl.LazyFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """One row per model and rule that matches its name."""
    held = rules.filter(pl.col("system") == system).with_columns(
        pl.concat_str(pl.lit("(?i)"), "pattern").alias("regex"),
        pl.concat_str(pl.col("namespace").fill_null("*"), pl.lit(" "), "pattern").alias("rule"),
        pl.col("namespace").str.to_lowercase(),
    )
    models = _repositories(system, names).collect()
    # A thousand small questions: together they keep every core busy.
    return pl.concat(pl.collect_all([*_anywhere(models, held), *_in_namespace(models, held)]))


def _repositories(system: str, names: pl.LazyFrame) -> pl.LazyFrame:
    """One row per name, split into namespace and name where it is a repository id."""
    name = pl.col("model_name")
    is_id = system == "hub"
    return (
        names.filter(name.is_not_null())
        .unique()
        .select(
            pl.lit(system).alias("system"),
            "model_name",
            name.str.extract(r"^([^/]+)/").str.to_lowercase().alias("namespace"),
            (name.str.extract(r"([^/]*)$") if is_id else name.str.strip_chars()).alias("name"),
        )
    )


def _in_namespace(models: pl.DataFrame, rules: pl.DataFrame) -> Iterator[pl.LazyFrame]:
    """Rules for one namespace, pattern by pattern."""
    met = models.join(rules, on="namespace")
    yield met.clear().lazy().select(CLAIM)  # where there is no rule at all
    for (regex,), rows in met.group_by("regex"):
        yield rows.lazy().filter(pl.col("name").str.contains(str(regex))).select(CLAIM)


def _anywhere(models: pl.DataFrame, rules: pl.DataFrame) -> Iterator[pl.LazyFrame]:
    """Rules for any namespace, each on the names that any of them matches."""
    open_rules = rules.filter(pl.col("namespace").is_null())
    any_of_them = "|".join(f"(?:{regex})" for regex in open_rules["regex"]) or "$^"
    candidates = models.filter(pl.col("name").str.contains(any_of_them)).lazy()
    return (
        candidates.filter(pl.col("name").str.contains(rule["regex"])).select(
            *MODEL,
            pl.lit(rule["family_id"]).alias("family_id"),
            pl.lit(rule["priority"], pl.Int32).alias("priority"),
            pl.lit(rule["rule"]).alias("rule"),
        )
        for rule in open_rules.iter_rows(named=True)
    )
