"""The rules of the registry (docs/registry.md) as one table, and their reporter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import polars as pl
from polars import col

from warehouse.contracts.table import contract
from warehouse.registry.read import Breach, RegistryError, line_numbers

Files = Mapping[str, pl.DataFrame]  # name without .csv -> its rows, each with its `line`

FOREVER = pl.date(9999, 12, 31)


class Rule(NamedTuple):
    """One rule: the rows that break it, and a message that may name columns of these rows."""

    file: str
    broken: pl.Expr | Callable[[Files], pl.DataFrame]
    message: str


class Layout(NamedTuple):
    """How the rows of a file are sorted, and what identifies one."""

    order: tuple[str, ...]
    key: tuple[str, ...]  # on one day, one row per key
    ignores_case: bool = False  # of the key


# Where the order or the key is not the key of the file's contract.
LAYOUTS = {
    "labs": Layout(("lab_id", "valid_from", "known_from"), ("lab_id",), ignores_case=True),
    "namespaces": Layout(  # spellings that differ by case have a rule of their own
        ("system", "folded", "namespace", "valid_from", "known_from"), ("system", "namespace")
    ),
    "model_renames": Layout((), ("old_namespace", "old_name_prefix"), ignores_case=True),
    "lineage_exceptions": Layout((), ("model_id_hf", "base_model_id_hf"), ignores_case=True),
    "family_rules": Layout(
        ("family_id", "system", "folded", "priority"),
        ("family_id", "system", "namespace", "pattern"),
    ),
    "model_aliases": Layout(("model_id", "system", "folded"), ("system", "name")),
}


def check_registry(frames: Files, countries: pl.DataFrame) -> None:
    """Raises RegistryError with every breach of every rule.

    `frames`: file name without .csv -> its rows, in the file's order, with its contract's columns.
    """
    # XX is the code of unexamined names; a name with a row has been examined.
    files = {name: _prepared(frame) for name, frame in frames.items()}
    files["countries"] = countries.filter(col("country_code") != "XX")
    rules = [*RULES, *(rule for name in frames for rule in _common_rules(name))]
    if breaches := [breach for rule in rules for breach in _breaches(rule, files)]:
        raise RegistryError(breaches)


def _breaches(rule: Rule, files: Files) -> Iterator[Breach]:
    if isinstance(rule.broken, pl.Expr):
        rows = files[rule.file].filter(rule.broken)
    else:
        rows = rule.broken(files)
    for row in rows.iter_rows(named=True):
        yield Breach(f"{rule.file}.csv", row["line"], rule.message.format_map(row))


def _prepared(frame: pl.DataFrame) -> pl.DataFrame:
    """With each row's line, and its name in lower case."""
    names = [c for c in ("namespace", "name") if c in frame.columns]
    added = [col(c).str.to_lowercase().alias("folded") for c in names]
    return frame.with_columns(line_numbers(frame).alias("line"), *added)


# ---- rules that hold for every file --------------------------------------------------------------


def _common_rules(file: str) -> Iterator[Rule]:
    promised = contract(f"raw.registry_{file}")
    key = tuple(c for c in promised.key if c not in ("valid_from", "known_from"))
    layout = LAYOUTS.get(file, Layout(promised.key, key))
    text = col(pl.String)
    spaced = pl.any_horizontal(text.str.strip_chars() != text)
    yield Rule(file, spaced, "a cell begins or ends with a space; remove it")
    if file.startswith("arena_"):
        broken = pl.any_horizontal(text.str.contains("\n", literal=True))
        yield Rule(file, broken, "a cell has a line break; remove it")
    periods = [p for p in ("valid", "known") if f"{p}_to" in promised.columns]
    for period in periods:
        backwards = col(f"{period}_from") >= col(f"{period}_to")
        yield Rule(file, backwards, f"{period}_to must be later than {period}_from")
    for column in {"evidence_url", "reference"} & set(promised.columns):
        unsafe = ~col(column).str.starts_with("https://")
        yield Rule(file, unsafe, f"{column} must begin with https://")
    if layout.order:
        message = f"rows are not sorted by {', '.join(layout.order)}; first wrong row"
        yield Rule(file, lambda files: _first_unsorted(files[file], layout.order), message)
    yield Rule(
        file,
        lambda files: _at_once(files[file], _joined(layout), periods),
        f"same {' and '.join(layout.key)} as line {{line_other}}"
        + (", for an overlapping period" if periods else "")
        + "; delete one row"
        + (" or end its period" if periods else ""),
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


def _own_ancestors(files: Files) -> pl.DataFrame:
    """Labs that own themselves, over any number of steps."""
    owner = dict(files["labs"].select("lab_id", "parent_lab_id").drop_nulls().iter_rows())

    def owns_itself(lab: str) -> bool:
        above = [lab]
        while (next_above := owner.get(above[-1])) is not None and next_above not in above:
            above.append(next_above)
        return next_above == lab

    return files["labs"].filter(col("lab_id").is_in([lab for lab in owner if owns_itself(lab)]))


def _conflicting_spellings(files: Files) -> pl.DataFrame:
    """Joins ignore case, so rows that differ in case alone must agree."""
    key = pl.concat_str("system", "folded", separator="\0")
    compared = ("lab_id", "kind", "valid_from", "valid_to")
    return _at_once(files["namespaces"], key, ["valid", "known"]).filter(
        col("namespace") != col("namespace_other"),
        pl.any_horizontal(col(c).ne_missing(col(f"{c}_other")) for c in compared),
    )


def _unknown(file: str, column: str, other: str, known_as: str = "", hint: str = "") -> Rule:
    """A reference to a row that the other file does not have."""

    def broken(files: Files) -> pl.DataFrame:
        known = files[other][known_as or column].to_list()
        return files[file].filter(col(column).is_not_null() & ~col(column).is_in(known))

    return Rule(file, broken, f"{column} {{{column}!r}} is not {hint or f'in {other}.csv'}")


OLD, NEW = col("old_namespace").str.to_lowercase(), col("new_namespace").str.to_lowercase()
RENAMED = col("source_category").filter(col("source_category") != col("category"))
PATTERN = "(?i)" + col("pattern")
# Of an empty name, and of a character that no name has; null if the pattern is invalid.
MATCHES = [pl.lit(text).str.contains(PATTERN, strict=False) for text in ("", "~")]

RULES = (
    _unknown("labs", "parent_lab_id", "labs", "lab_id"),
    _unknown(
        "labs",
        "country_code",
        "countries",
        hint="an ISO 3166-1 alpha-2 code; use ZZ if no single country is right",
    ),
    Rule("labs", _own_ancestors, "{lab_id!r} is its own ancestor; correct parent_lab_id"),
    _unknown("namespaces", "lab_id", "labs"),
    Rule(
        "namespaces",
        _conflicting_spellings,
        "{namespace!r} differs from line {line_other} in case alone, but has another lab, kind or "
        "period; make the rows agree",
    ),
    Rule(
        "model_renames",
        col("old_namespace").is_null() == col("old_name_prefix").is_null(),
        "fill in either old_namespace or old_name_prefix",
    ),
    Rule(
        "model_renames",
        NEW.is_in(OLD.drop_nulls().implode()),
        "new_namespace {new_namespace!r} was renamed too; use its current name",
    ),
    Rule(
        "lineage_exceptions",
        col("model_id_hf").str.to_lowercase() == col("base_model_id_hf").str.to_lowercase(),
        "{model_id_hf!r} cannot be its own base model",
    ),
    _unknown("families", "lab_id", "labs"),
    _unknown("families", "family_id", "family_rules"),
    _unknown("family_rules", "family_id", "families"),
    Rule(
        "family_rules",
        MATCHES[0].is_null(),
        "pattern {pattern!r} is not a regular expression",
    ),
    Rule(
        "family_rules",
        col("namespace").is_null() & pl.any_horizontal(MATCHES),
        "pattern {pattern!r} matches every model; narrow it or give a namespace",
    ),
    Rule(
        "family_rules",
        col("namespace").is_not_null() & (col("system") != "hub"),
        "only rules of system hub have a namespace; leave it blank",
    ),
    Rule(
        "model_aliases",
        ~col("model_id").str.contains(r"^[a-z0-9][a-z0-9.+_/-]*$"),
        "model_id {model_id!r} may only have lower-case letters, digits and . + _ / -",
    ),
    _unknown("ai_index_residuals", "edition", "ai_index_editions"),
    _unknown("ai_index_residuals", "country_code", "countries", hint="a known country code"),
    Rule("ai_index_residuals", col("residual") == 0, "residual is 0; delete the row"),
    Rule(
        "arena_categories",
        col("category").is_in(RENAMED.implode()),
        "category {category!r} is renamed in this file too; use its final name",
    ),
)
