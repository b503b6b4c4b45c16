"""Declared parents, from the field `baseModels` and from the tags `base_model:...`.

The Hub resolves the field. If it names a repository, the tags of that record add no parent: they
are free text and often name the same parent differently (an old owner, a folder on a disk).
"""

from __future__ import annotations

import polars as pl

from transforms.hub.repository_ids import has_form_of_id, repository_id, trimmed

RELATIONS = ("finetune", "adapter", "quantized", "merge")
_ENTRY = r"\{[^{}]*\}"
_ID = r'"id"\s*:\s*"((?:[^"\\]|\\.)*)"'
_OBJECT = r'"_id"\s*:\s*"([0-9A-Za-z]+)"'
_RESOLVED = r'"id"\s*:\s*"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)?"'
_TAG = r'"base_model:((?:[^"\\]|\\.)*)"'
_NAMED = rf"(?i)^\s*({'|'.join(RELATIONS)})\s*:"
_UNKNOWN_WORD = r"^\s*[A-Za-z][A-Za-z_-]+\s*:([^/].*)$"  # one letter is a drive, `//` an address
_PART = r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*"
_SUSPECT = r'[A-Za-z0-9_.-]{97}|\.git"'  # forbidden although it looks like a plain id
_PLAIN = rf'^\[(?:"base_model:(?:(?:{"|".join(RELATIONS)}):)?(?:{_PART}/)?{_PART}"(?:,\s*)?)*\]$'
# The declaration as received, the name in it, and the repository that it names (or null).
TEXT, NAME, PARENT = "declared_text", "declared_name", "declared_base_model_id_hf"


def newest_declarations(listing: pl.LazyFrame) -> pl.LazyFrame:
    """The records with the newest lineage of every id, also if it no longer names a parent."""
    newest = pl.col("lineage_date") == pl.col("lineage_date").max().over("model_id_hf")
    return listing.filter(pl.col("lineage_date").is_not_null()).filter(newest)


def is_resolved() -> pl.Expr:
    """Whether the Hub resolved a parent of the record."""
    return pl.col("base_models_json").str.contains(_RESOLVED).fill_null(False)


def from_field(declaring: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of `{"relation": ..., "models": [{"_id": ..., "id": ...}, ...]}`."""
    declared = pl.col("base_models_json").str.replace_all(r"\/", "/", literal=True)
    entry = pl.col("entry")
    return (
        declaring.filter(pl.col("base_models_json").is_not_null())
        .with_columns(entry=declared.str.extract_all(_ENTRY))
        .explode("entry")
        .with_columns(entry.str.extract(_ID).alias(TEXT))
        .filter(pl.col(TEXT).is_not_null())
        .select(
            "model_id_hf",
            TEXT,
            pl.col(TEXT).alias(NAME),
            pl.when(has_form_of_id(pl.col(TEXT))).then(trimmed(pl.col(TEXT))).alias(PARENT),
            entry.str.extract(_OBJECT).alias("base_object_id_hf"),
            pl.col("base_models_json")
            .str.extract(r'"relation"\s*:\s*"([a-z]+)"')
            .alias("relation"),
            pl.lit("base_models").alias("declared_by"),
        )
    )


def from_tags(declaring: pl.LazyFrame) -> pl.LazyFrame:
    """Edges of the tags `base_model:X` and `base_model:<word>:X`; the word may be a relation."""
    text = pl.col(TEXT)
    bare = text.str.replace(_NAMED, "")
    name = pl.coalesce(bare.str.extract(_UNKNOWN_WORD), bare)
    return (
        declaring.filter(pl.col("base_model_tags_json").is_not_null())
        .with_columns(pl.col("base_model_tags_json").str.extract_all(_TAG).alias(TEXT))
        .explode(TEXT)
        .with_columns(text.str.extract(_TAG))
        .filter(text.is_not_null())
        .select(
            "model_id_hf",
            TEXT,
            name.alias(NAME),
            repository_id(name).alias(PARENT),
            pl.lit(None, pl.String).alias("base_object_id_hf"),
            text.str.extract(_NAMED).str.to_lowercase().alias("relation"),
            pl.lit("tags").alias("declared_by"),
        )
    )


def is_odd() -> pl.Expr:
    """Whether a record may declare something that is not a parent; false for all but a few.

    Not odd: every tag ends in the single id of the field, or, without a field, is a plain id. Both
    are checked without taking the tags apart.
    """
    field, tags = pl.col("base_models_json"), pl.col("base_model_tags_json").fill_null("[]")
    ends = pl.concat_str(pl.lit(":"), field.str.extract(_ID), pl.lit('"'))
    n_tags = tags.str.count_matches('"base_model:', literal=True)
    agrees = is_resolved() & (tags.str.count_matches(ends, literal=True) == n_tags)
    plain = ~is_resolved() & field.str.extract(_ID).is_null() & tags.str.contains(_PLAIN)
    plain = plain & ~tags.str.contains(_SUSPECT)
    return ~(agrees | plain).fill_null(False)
