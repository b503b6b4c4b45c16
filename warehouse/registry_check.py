"""Holds the registry to its constitution (warehouse/registry/README.md), line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from warehouse.contract import Column, Contract

FOREVER = pl.date(9999, 12, 31)


class RegistryError(ValueError):
    """A registry file that breaks a rule; every finding has its file and line."""


Finding = tuple[str, int, str]  # file, line, what is wrong
Check = Callable[[pl.DataFrame, pl.DataFrame], Iterator[Finding]]


def check_registry(labs: pl.DataFrame, namespaces: pl.DataFrame, countries: set[str]) -> None:
    """Raises RegistryError with every finding of both files.

    Frames as `read_registry` gives them: the contract's columns, typed, in the file's order.
    """
    labs, namespaces = _with_line(labs), _with_line(namespaces)
    found = [
        *_findings("labs.csv", labs, ["lab_id"], ["lab_id", "valid_from", "known_from"]),
        *_findings(
            "namespaces.csv",
            namespaces,
            ["system", "namespace"],
            ["system", "folded", "namespace", "valid_from", "known_from"],
        ),
        *_dangling("namespaces.csv", namespaces, "lab_id", labs),
        *_dangling("labs.csv", labs, "parent_lab_id", labs),
        *_own_ancestor(labs),
        *_unknown_country(labs, countries),
        *_two_labs_of_one_name(namespaces),
    ]
    if found:
        lines = "\n".join(f"  {name}:{line}: {what}" for name, line, what in sorted(found))
        raise RegistryError(f"the registry breaks its rules in {len(found)} places\n{lines}")


def _with_line(frame: pl.DataFrame) -> pl.DataFrame:
    numbered = frame.with_row_index("line", offset=2)  # line 1 is the header
    if "namespace" in frame.columns:
        numbered = numbered.with_columns(pl.col("namespace").str.to_lowercase().alias("folded"))
    return numbered.with_columns(
        pl.col("valid_to").fill_null(FOREVER).alias("valid_until"),
        pl.col("known_to").fill_null(FOREVER).alias("known_until"),
    )


def _findings(
    name: str, frame: pl.DataFrame, key: list[str], order: list[str]
) -> Iterator[Finding]:
    """What can be said of one file alone."""
    shown = pl.concat_str(key, separator=" ")
    yield from _tell(name, frame.filter(pl.any_horizontal(pl.col(key).is_null())), "blank key")
    backwards = (pl.col("valid_from") >= pl.col("valid_until")) | (
        pl.col("known_from") >= pl.col("known_until")
    )
    yield from _tell(name, frame.filter(backwards), "a period that ends before it begins")
    yield from _tell(name, frame.filter(pl.col("reviewer").is_null()), "nobody answers for it")
    no_ground = pl.col("basis").is_null() | (
        pl.col("evidence_url").is_not_null() & ~pl.col("evidence_url").str.starts_with("https://")
    )
    yield from _tell(
        name, frame.filter(no_ground), "no basis, or evidence that is no https address"
    )
    spaced = pl.any_horizontal(
        pl.col(c).str.strip_chars() != pl.col(c)
        for c, kind in frame.schema.items()
        if kind == pl.String
    )
    yield from _tell(name, frame.filter(spaced), "space around a cell")
    yield from _unsorted(name, frame, order)
    yield from _overlapping(name, frame, key, shown)


def _tell(name: str, rows: pl.DataFrame, what: str) -> Iterator[Finding]:
    yield from ((name, line, what) for line in rows["line"])


def _unsorted(name: str, frame: pl.DataFrame, order: list[str]) -> Iterator[Finding]:
    wanted = frame.sort(order, maintain_order=True)["line"]
    wrong = frame.filter(pl.Series(wanted.to_list()) != frame["line"])
    if not wrong.is_empty():
        yield name, int(wrong["line"][0]), f"not in the order of {', '.join(order)}"


def _overlapping(
    name: str, frame: pl.DataFrame, key: list[str], shown: pl.Expr
) -> Iterator[Finding]:
    """Two rows of one name, ignoring case, that hold at once and were known at once."""
    folded = frame.with_columns(shown.str.to_lowercase().alias("name"))
    pairs = folded.join(folded, on="name", suffix="_other").filter(
        (pl.col("line") < pl.col("line_other"))
        & (pl.col("valid_from") < pl.col("valid_until_other"))
        & (pl.col("valid_from_other") < pl.col("valid_until"))
        & (pl.col("known_from") < pl.col("known_until_other"))
        & (pl.col("known_from_other") < pl.col("known_until"))
    )
    if "lab_id_other" in pairs.columns and "namespace" in frame.columns:
        # one name in several spellings is fine as long as they stand for one lab
        pairs = pairs.filter(
            (pl.col("namespace") == pl.col("namespace_other"))
            & (pl.col("system") == pl.col("system_other"))
        )
    for line, other, what in pairs.select("line_other", "line", "name").iter_rows():
        yield name, line, f"{what!r} stands in line {other} too, for an overlapping period"


def _two_labs_of_one_name(namespaces: pl.DataFrame) -> Iterator[Finding]:
    """Spellings that differ by case alone must stand for one lab: joins ignore case."""
    several = namespaces.filter(
        pl.struct("lab_id", "kind").n_unique().over("system", "folded", "valid_from", "known_from")
        > 1
    )
    for line, name in several.select("line", "namespace").iter_rows():
        yield (
            "namespaces.csv",
            line,
            f"{name!r} and a spelling that differs by case alone stand for different labs or kinds",
        )


def _dangling(name: str, frame: pl.DataFrame, column: str, labs: pl.DataFrame) -> Iterator[Finding]:
    lost = frame.filter(pl.col(column).is_not_null()).join(
        labs, left_on=column, right_on="lab_id", how="anti"
    )
    for line, lab in lost.select("line", column).iter_rows():
        yield name, line, f"{column} {lab!r} is no lab of labs.csv"


def _own_ancestor(labs: pl.DataFrame) -> Iterator[Finding]:
    """A lab that owns itself, over any number of steps."""
    parents = labs.filter(pl.col("parent_lab_id").is_not_null()).select(
        "lab_id", pl.col("parent_lab_id").alias("up")
    )
    walk = parents.unique()
    for _ in range(labs.height):
        looped = walk.filter(pl.col("lab_id") == pl.col("up"))
        if walk.is_empty() or not looped.is_empty():
            break
        walk = walk.join(parents, left_on="up", right_on="lab_id").select(
            "lab_id", pl.col("up_right").alias("up")
        )
    yield from _tell(
        "labs.csv", labs.join(looped, on="lab_id", how="semi"), "the lab is its own ancestor"
    )


def _unknown_country(labs: pl.DataFrame, countries: set[str]) -> Iterator[Finding]:
    """`XX` is no entry either: what was not examined has no row."""
    allowed = sorted(countries - {"XX"})
    for line, code in (
        labs.filter(~pl.col("country_code").is_in(allowed) | pl.col("country_code").is_null())
        .select("line", "country_code")
        .iter_rows()
    ):
        yield "labs.csv", line, f"{code!r} is no ISO 3166-1 alpha-2 code nor ZZ"


def check_header(path: Path, found: list[str], wanted: list[str]) -> None:
    """Raises RegistryError unless a file has exactly the contract's columns."""
    if found != wanted:
        raise RegistryError(f"{path.name}:1: header {found}, the contract says {wanted}")


def check_cells(path: Path, text: pl.DataFrame, typed: pl.DataFrame, promised: Contract) -> None:
    """Raises RegistryError for blank, misspelt and unreadable cells, with their lines."""
    found = [
        f"  {path.name}:{line}: {name} {what}"
        for name, column in promised.columns.items()
        for what, wrong in _wrong_cells(text[name], typed[name], column)
        for line in (wrong.arg_true() + 2)
    ]
    if found:
        raise RegistryError("\n".join([f"{path.name} cannot be used", *found]))


def _wrong_cells(
    text: pl.Series, typed: pl.Series, column: Column
) -> Iterator[tuple[str, pl.Series]]:
    """Kinds of wrong cells of one column, each with a mask of its rows."""
    if not column.nullable:
        yield "is blank", text.is_null()
    yield f"is no {column.type}", text.is_not_null() & typed.is_null()
    if column.values:
        outside = typed.is_not_null() & ~typed.is_in(list(column.values))
        yield f"is none of {', '.join(column.values)}", outside
