"""The rules of the registry (docs/registry.md) as one table, and their reporter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import polars as pl
from polars import col

from warehouse.contracts.table import contract
from warehouse.registry.evidence_rules import EVIDENCE
from warehouse.registry.read import Breach, RegistryError, line_numbers

Files = Mapping[str, pl.DataFrame]  # name without .csv -> its rows, each with its `line`

FOREVER = pl.date(9999, 12, 31)


class Rule(NamedTuple):
    """One rule of a file: the rows that break it, and a message that may name their columns."""

    broken: pl.Expr | Callable[[pl.DataFrame, Files], pl.DataFrame]  # of the file's rows
    message: str


class Layout(NamedTuple):
    """What identifies a row on one day, and how the rows are sorted."""

    key: tuple[str, ...]
    order: tuple[str, ...]
    ignores_case: bool = False  # of the key


# Where they are not those of the contract's key. `folded` is the name in lower case.
LAYOUTS = {
    "labs": Layout(("lab_id",), ("lab_id", "valid_from", "known_from"), ignores_case=True),
    "namespaces": Layout(  # spellings that differ by case have a rule of their own
        ("system", "namespace"), ("system", "folded", "namespace", "valid_from", "known_from")
    ),
    "model_renames": Layout(("old_namespace", "old_name_prefix"), (), ignores_case=True),
    "lineage_exceptions": Layout(("model_id_hf", "base_model_id_hf"), (), ignores_case=True),
    "family_rules": Layout(
        ("family_id", "system", "namespace", "pattern"),
        ("family_id", "system", "folded", "priority"),
    ),
    "model_aliases": Layout(("system", "name"), ("model_id", "system", "folded")),
}


def check_registry(frames: Files, countries: pl.DataFrame) -> None:
    """Raises RegistryError with every breach of every rule.

    `frames`: file name without .csv -> its rows, in the file's order, with its contract's columns.
    """
    # XX is the code of unexamined names; a name with a row has been examined.
    files = {name: _prepared(frame) for name, frame in frames.items()}
    files["countries"] = countries.filter(col("country_code") != "XX")
    breaches = [
        breach
        for file in frames
        for rule in (*_common_rules(file), *RULES.get(file, ()))
        for breach in _breaches(file, rule, files)
    ]
    if breaches:
        raise RegistryError(breaches)


def _breaches(file: str, rule: Rule, files: Files) -> Iterator[Breach]:
    rows, broken = files[file], rule.broken
    found = rows.filter(broken) if isinstance(broken, pl.Expr) else broken(rows, files)
    for row in found.iter_rows(named=True):
        yield Breach(f"{file}.csv", row["line"], rule.message.format_map(row))


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """With each row's line, and its name in lower case."""
    names = [c for c in ("namespace", "name") if c in frame.columns]
    folded = [col(c).str.to_lowercase().alias("folded") for c in names]
    return frame.with_columns(line_numbers(frame).alias("line"), *folded)


# ---- rules that hold for every file --------------------------------------------------------------


def _common_rules(file: str) -> Iterator[Rule]:
    promised = contract(f"raw.registry_{file}")
    key = tuple(c for c in promised.key if c not in ("valid_from", "known_from"))
    layout = LAYOUTS.get(file, Layout(key, promised.key))
    text = col(pl.String)
    spaced = pl.any_horizontal(text.str.strip_chars() != text)
    yield Rule(spaced, "a cell begins or ends with a space; remove it")
    if file.startswith("arena_"):
        broken = pl.any_horizontal(text.str.contains("\n", literal=True))
        yield Rule(broken, "a cell has a line break; remove it")
    periods = [p for p in ("valid", "known") if f"{p}_to" in promised.columns]
    for period in periods:
        backwards = col(f"{period}_from") >= col(f"{period}_to")
        yield Rule(backwards, f"{period}_to must be later than {period}_from; correct one of them")
    for column in {"evidence_url", "reference"} & set(promised.columns):
        unsafe = ~col(column).str.starts_with("https://")
        yield Rule(unsafe, f"{column} must begin with https://; give the full address")
    if "evidence_read_on" in promised.columns:
        yield from (Rule(*rule) for rule in EVIDENCE)
    if layout.order:
        order = ", ".join(layout.order).replace("folded", "name in lower case")
        message = f"the file must be sorted by {order}; this is the first row out of order; move it"
        yield Rule(lambda rows, _: _first_unsorted(rows, layout.order), message)
    same = f"same {' and '.join(layout.key)} as line {{line_other}}"
    overlapping = ", for an overlapping period; delete one row or end its period"
    yield Rule(
        lambda rows, _: _at_once(rows, _joined(layout), periods),
        same + (overlapping if periods else "; delete one row"),
    )


def _joined(layout: Layout) -> pl.Expr:
    """The key of a row as one text."""
    key = pl.concat_str(col(layout.key).cast(pl.String).fill_null(""), separator="\0")
    return key.str.to_lowercase() if layout.ignores_case else key


def _first_unsorted(frame: pl.DataFrame, order: tuple[str, ...]) -> pl.DataFrame:
    return frame.filter(frame.sort(order, maintain_order=True)["line"] != frame["line"]).head(1)


def _at_once(frame: pl.DataFrame, key: pl.Expr, periods: list[str]) -> pl.DataFrame:
    """Rows with the key of an earlier one, `*_other`, whose periods all overlap with its own."""
    later = frame.with_columns(key.alias("key"))
    overlaps = [
        (col(f"{p}_from{one}") < col(f"{p}_to{other}").fill_null(FOREVER))
        for p in periods
        for one, other in (("", "_other"), ("_other", ""))
    ]
    pairs = later.join(later, on="key", suffix="_other")
    return pairs.filter(col("line") > col("line_other"), *overlaps).sort("line", "line_other")


# ---- rules of single files -----------------------------------------------------------------------


def _own_ancestors(labs: pl.DataFrame, _: Files) -> pl.DataFrame:
    """Labs that own themselves, over any number of steps."""
    owner = dict(labs.select("lab_id", "parent_lab_id").drop_nulls().iter_rows())

    def owns_itself(lab: str) -> bool:
        above = [lab]
        while (next_above := owner.get(above[-1])) is not None and next_above not in above:
            above.append(next_above)
        return next_above == lab

    return labs.filter(col("lab_id").is_in([lab for lab in owner if owns_itself(lab)]))


def _conflicting_spellings(namespaces: pl.DataFrame, _: Files) -> pl.DataFrame:
    """Joins ignore case, so rows that differ in case alone must agree."""
    key = pl.concat_str("system", "folded", separator="\0")
    compared = ("lab_id", "kind", "valid_from", "valid_to")
    return _at_once(namespaces, key, ["valid", "known"]).filter(
        col("namespace") != col("namespace_other"),
        pl.any_horizontal(col(c).ne_missing(col(f"{c}_other")) for c in compared),
    )


def _unknown(column: str, other: str, known_as: str = "", hint: str = "") -> Rule:
    """A reference to a row that the other file does not have."""

    def broken(rows: pl.DataFrame, files: Files) -> pl.DataFrame:
        known = files[other][known_as or column].to_list()
        return rows.filter(col(column).is_not_null() & ~col(column).is_in(known))

    hint = hint or f"in {other}.csv; add it there or correct {column}"
    return Rule(broken, f"{column} {{{column}!r}} is not {hint}")


OLD, NEW = col("old_namespace").str.to_lowercase(), col("new_namespace").str.to_lowercase()
MODEL, BASE = col("model_id_hf").str.to_lowercase(), col("base_model_id_hf").str.to_lowercase()
RENAMED = col("source_category").filter(col("source_category") != col("category"))
PATTERN = "(?i)" + col("pattern")
# Of an empty name, and of a character that no name has; null if the pattern is invalid.
MATCHES = [pl.lit(text).str.contains(PATTERN, strict=False) for text in ("", "~")]
ISO = "an ISO 3166-1 alpha-2 code; use ZZ if no single country is right"


def _is_same_in_group(group: str, *columns: str) -> pl.Expr:
    """Whether all rows of a group have the same values."""
    return pl.all_horizontal(col(columns).n_unique().over(group) == 1)


RULES = {
    "labs": (
        _unknown("parent_lab_id", "labs", known_as="lab_id"),
        _unknown("country_code", "countries", hint=ISO),
        Rule(_own_ancestors, "{lab_id!r} is its own ancestor; correct parent_lab_id"),
    ),
    "namespaces": (
        _unknown("lab_id", "labs"),
        Rule(
            _conflicting_spellings,
            "{namespace!r} differs from line {line_other} in case alone, but has another lab, kind "
            "or period; make the rows agree",
        ),
    ),
    "model_renames": (
        Rule(
            col("old_namespace").is_null() == col("old_name_prefix").is_null(),
            "fill in either old_namespace or old_name_prefix",
        ),
        Rule(
            NEW.is_in(OLD.drop_nulls().implode()),
            "new_namespace {new_namespace!r} was renamed too; use its current name",
        ),
    ),
    "lineage_exceptions": (
        Rule(
            MODEL == BASE,
            "{model_id_hf!r} cannot be its own base model; name its parent or delete the row",
        ),
    ),
    "families": (_unknown("lab_id", "labs"), _unknown("family_id", "family_rules")),
    "family_rules": (
        _unknown("family_id", "families"),
        Rule(MATCHES[0].is_null(), "pattern {pattern!r} is not a regular expression; correct it"),
        Rule(
            col("namespace").is_null() & pl.any_horizontal(MATCHES),
            "pattern {pattern!r} matches every model; narrow it or give a namespace",
        ),
        Rule(
            col("namespace").is_not_null() & (col("system") != "hub"),
            "only rules of system hub have a namespace; leave it blank",
        ),
    ),
    "model_aliases": (
        Rule(
            ~col("model_id").str.contains(r"^[a-z0-9][a-z0-9.+_/-]*$"),
            "model_id {model_id!r} may only have lower-case letters, digits and . + _ / -; "
            "rewrite it",
        ),
    ),
    "ai_index_residuals": (
        _unknown("edition", "ai_index_editions"),
        _unknown("country_code", "countries", hint="a known country code; use ISO 3166-1 alpha-2"),
        Rule(col("residual") == 0, "residual is 0; delete the row"),
    ),
    "published_figures": (
        Rule(
            ~_is_same_in_group("figure_id", "title", "unit", "as_of", "evidence_url"),
            "the rows of {figure_id!r} differ in title, unit, as_of or evidence_url; correct them",
        ),
    ),
    "arena_categories": (
        Rule(
            col("category").is_in(RENAMED.implode()),
            "category {category!r} is renamed in this file too; use its final name",
        ),
    ),
}
