"""Families of models by the reviewed rules on their names."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

MODEL = ["system", "model_name"]
MATCH = [*MODEL, "family_id", "priority", "rule"]


def hub_families(names: pl.LazyFrame, rules: pl.LazyFrame) -> pl.LazyFrame:
    """The families of some repositories of the Hub (`model_name`), listed or not."""
    return best_matches(matches("hub", names, rules.collect()))


def best_matches(found: pl.DataFrame) -> pl.LazyFrame:
    """One row per model: its family by the rule of the first priority.

    If rules of several families have that priority, the family is null and `rule` names them all.
    """
    first = found.group_by(MODEL).agg(pl.col("priority").min())
    match = pl.format("{}: {}", "family_id", "rule")
    is_ambiguous = pl.col("family_id").n_unique() > 1
    return (
        found.join(first, on=[*MODEL, "priority"], how="semi")
        .lazy()
        .group_by(MODEL)
        .agg(
            pl.when(~is_ambiguous).then(pl.col("family_id").min()).first().alias("family_id"),
            pl.when(is_ambiguous)
            .then(match.unique().sort().str.join(" and "))
            .otherwise(pl.col("rule").min())
            .first()
            .alias("rule"),
        )
        .select(*MODEL, "family_id", "rule")
    )


def matches(system: str, names: pl.LazyFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """One row per model and rule that matches its name."""
    held = rules.filter(pl.col("system") == system).with_columns(
        pl.concat_str(pl.lit("(?i)"), "pattern").alias("regex"),
        pl.concat_str(pl.col("namespace").fill_null("*"), pl.lit(" "), "pattern").alias("rule"),
        pl.col("namespace").str.to_lowercase(),
    )
    models = _repositories(system, names).collect()
    # A thousand small queries: collected together they keep every core busy.
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
    yield met.clear().lazy().select(MATCH)  # if there is no rule at all
    for (regex,), rows in met.group_by("regex"):
        yield rows.lazy().filter(pl.col("name").str.contains(str(regex))).select(MATCH)


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
