"""Holds families, model names and AI Index reviews of the registry to their rules, line by line."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from warehouse.registry.checks import FOREVER, RegistryError

Finding = tuple[str, int, str]  # file, line, what is wrong

FAMILIES, RULES, ALIASES = "families.csv", "family_rules.csv", "model_aliases.csv"
EDITIONS, RESIDUALS = "ai_index_editions.csv", "ai_index_residuals.csv"
MODEL_ID = r"^[a-z0-9][a-z0-9.+_/-]*$"


def check_families(families: pl.DataFrame, rules: pl.DataFrame, labs: pl.DataFrame) -> None:
    """Raises RegistryError with every finding in families.csv and family_rules.csv.

    Frames as `read_registry` gives them: the contract's columns, typed, in the file's order.
    """
    families, rules = _with_line(families, "family_id"), _with_line(rules, "namespace")
    rule = ["family_id", "system", "namespace", "pattern"]
    _raise(
        [
            *_common(FAMILIES, families, ["family_id"], ["family_id", "known_from"]),
            *_common(RULES, rules, rule, ["family_id", "system", "folded", "priority"]),
            *_lost(FAMILIES, families, "lab_id", labs, "lab of labs.csv"),
            *_lost(RULES, rules, "family_id", families, "family of families.csv"),
            *_lost(FAMILIES, families, "family_id", rules, "family that any rule claims for"),
            *_patterns(rules),
            *_tell(
                RULES,
                rules.filter(pl.col("namespace").is_not_null() & (pl.col("system") != "hub")),
                "only names on the Hub have a namespace",
            ),
        ]
    )


def check_model_aliases(aliases: pl.DataFrame) -> None:
    """Raises RegistryError with every finding in model_aliases.csv; a collision prints both ids.

    Two names of one system may stand for one model, since both are listed as its aliases. One
    name never stands for two models.
    """
    aliases = _with_line(aliases, "name")
    _raise(
        [
            *_common(ALIASES, aliases, ["system", "name"], ["model_id", "system", "folded"]),
            *_two_models_of_one_name(aliases),
            *_tell(
                ALIASES,
                aliases.filter(~pl.col("model_id").str.contains(MODEL_ID)),
                "model_id is not in lower case or holds other characters than letters, digits "
                "and . + _ / -",
            ),
        ]
    )


def check_ai_index(
    editions: pl.DataFrame, residuals: pl.DataFrame, countries: pl.DataFrame
) -> None:
    """Raises RegistryError with every finding in ai_index_editions.csv and ai_index_residuals.csv.

    A residual of 0 needs no reason, and an edition that is not listed has no method to be held to.
    """
    editions = _with_line(editions, "method")
    residuals = _with_line(residuals, "country_code")
    cell = ["edition", "measure", "period", "country_code", "revision", "residual"]
    _raise(
        [
            *_common(EDITIONS, editions, ["edition"], ["edition", "known_from"]),
            *_common(RESIDUALS, residuals, cell, [*cell, "known_from"]),
            *_lost(RESIDUALS, residuals, "edition", editions, f"edition of {EDITIONS}"),
            *_lost(RESIDUALS, residuals, "country_code", countries, "country"),
            *_tell(
                RESIDUALS,
                residuals.filter(pl.col("residual") == 0),
                "a residual of 0 has no reason",
            ),
        ]
    )


def _raise(found: list[Finding]) -> None:
    if found:
        lines = "\n".join(f"  {name}:{line}: {what}" for name, line, what in sorted(found))
        raise RegistryError(f"the registry breaks its rules in {len(found)} places\n{lines}")


def _with_line(frame: pl.DataFrame, folded: str) -> pl.DataFrame:
    return frame.with_row_index("line", offset=2).with_columns(  # line 1 is the header
        pl.col("known_to").fill_null(FOREVER).alias("known_until"),
        pl.col(folded).str.to_lowercase().alias("folded"),
    )


def _tell(name: str, rows: pl.DataFrame, what: str) -> Iterator[Finding]:
    yield from ((name, line, what) for line in rows["line"])


def _common(name: str, frame: pl.DataFrame, key: list[str], order: list[str]) -> Iterator[Finding]:
    """Blanks around cells, order, periods of knowledge, and keys known twice at one time."""
    text = [c for c, kind in frame.schema.items() if kind == pl.String]
    spaced = pl.any_horizontal(pl.col(c).str.strip_chars() != pl.col(c) for c in text)
    yield from _tell(name, frame.filter(spaced), "space around a cell")
    backwards = pl.col("known_from") >= pl.col("known_until")
    yield from _tell(name, frame.filter(backwards), "a period that ends before it begins")
    sorted_lines = frame.sort(order, maintain_order=True)["line"].to_list()
    wrong = [line for line, due in zip(frame["line"], sorted_lines, strict=True) if line != due]
    if wrong:
        yield name, wrong[0], f"not in the order of {', '.join(order)}"
    for line, other in _known_at_once(frame, key).select("line_other", "line").iter_rows():
        yield name, line, f"the same {' and '.join(key)} stands in line {other} too"


def _known_at_once(frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Pairs of rows with one key that were known on a common day."""
    return frame.join(frame, on=key, suffix="_other", nulls_equal=True).filter(
        (pl.col("line") < pl.col("line_other"))
        & (pl.col("known_from") < pl.col("known_until_other"))
        & (pl.col("known_from_other") < pl.col("known_until"))
    )


def _two_models_of_one_name(aliases: pl.DataFrame) -> Iterator[Finding]:
    pairs = _known_at_once(aliases, ["system", "name"]).filter(
        pl.col("model_id") != pl.col("model_id_other")
    )
    wanted = ["line_other", "system", "name", "model_id", "model_id_other"]
    for line, system, name, one, other in pairs.select(wanted).iter_rows():
        yield ALIASES, line, f"{system} {name!r} stands for two models: {one!r} and {other!r}"


def _lost(
    name: str, frame: pl.DataFrame, column: str, known: pl.DataFrame, what: str
) -> Iterator[Finding]:
    lost = frame.join(known, on=column, how="anti")
    for line, value in lost.select("line", column).iter_rows():
        yield name, line, f"{column} {value!r} is no {what}"


def _patterns(rules: pl.DataFrame) -> Iterator[Finding]:
    """Patterns that are no regular expressions, or that claim whatever has no namespace."""
    for line, pattern, namespace in rules.select("line", "pattern", "namespace").iter_rows():
        try:
            matches_nothing = pl.Series(["", "~"]).str.contains(f"(?i){pattern}").any()
        except pl.exceptions.ComputeError as error:
            yield RULES, line, f"{pattern!r} is no regular expression: {error}"
            continue
        if matches_nothing and namespace is None:
            yield RULES, line, f"{pattern!r} claims every model of every namespace"
