"""Holds the registry to its constitution (warehouse/registry/README.md), line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from warehouse.contracts.table import Column, Contract

FOREVER = pl.date(9999, 12, 31)


class RegistryError(ValueError):
    """A registry file that breaks a rule; every finding has its file and line."""


Finding = tuple[str, int, str]  # file, line, what is wrong


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
        *_spellings_that_disagree(namespaces),
    ]
    refuse(found)


def check_lineage(renames: pl.DataFrame, exceptions: pl.DataFrame) -> None:
    """Raises RegistryError with every finding of model_renames.csv and lineage_exceptions.csv."""
    moves = renames.with_columns(
        _lines(renames), pl.coalesce("old_namespace", "old_name_prefix").alias("old")
    )
    reviewed = exceptions.with_columns(_lines(exceptions))
    one = pl.col("old_namespace").is_null() != pl.col("old_name_prefix").is_null()
    gone = renames["old_namespace"].drop_nulls().str.to_lowercase().to_list()
    moved_on = pl.col("new_namespace").str.to_lowercase().is_in(gone)
    itself = (
        pl.col("model_id_hf").str.to_lowercase() == pl.col("base_model_id_hf").str.to_lowercase()
    )
    moved, excepted = "model_renames.csv", "lineage_exceptions.csv"
    refuse(
        [
            *tell(moved, moves.filter(~one), "names no old name or two of them"),
            *tell(moved, moves.filter(moved_on), "moves to a namespace that has moved on itself"),
            *spaced(moved, moves),
            *_twice(moved, moves, ["old"]),
            *tell(excepted, reviewed.filter(itself), "a model is no parent of its own"),
            *spaced(excepted, reviewed),
            *_twice(excepted, reviewed, ["model_id_hf", "base_model_id_hf"]),
        ]
    )


def refuse(found: list[Finding]) -> None:
    """Raises RegistryError with every finding, sorted, if there is any."""
    if found:
        lines = "\n".join(f"  {name}:{line}: {what}" for name, line, what in sorted(found))
        raise RegistryError(f"the registry breaks its rules in {len(found)} places\n{lines}")


def _twice(name: str, frame: pl.DataFrame, key: list[str]) -> Iterator[Finding]:
    folded = frame.select("line", pl.concat_str(key, separator=" ").str.to_lowercase().alias("key"))
    for line, what in folded.filter(~pl.col("key").is_first_distinct()).iter_rows():
        yield name, line, f"{what!r} stands there already"


def spaced(name: str, frame: pl.DataFrame) -> Iterator[Finding]:
    """Text cells with blanks around them."""
    text = pl.col(pl.String)
    yield from tell(
        name, frame.filter(pl.any_horizontal(text.str.strip_chars() != text)), "space around a cell"
    )


def _with_line(frame: pl.DataFrame) -> pl.DataFrame:
    numbered = frame.with_columns(_lines(frame))
    if "namespace" in frame.columns:
        numbered = numbered.with_columns(pl.col("namespace").str.to_lowercase().alias("folded"))
    return numbered.with_columns(
        pl.col("valid_to").fill_null(FOREVER).alias("valid_until"),
        pl.col("known_to").fill_null(FOREVER).alias("known_until"),
    )


def _lines(frame: pl.DataFrame) -> pl.Series:
    """Where each row begins in its file: line 1 is the header, and a name may hold a line break."""
    breaks = frame.select(
        pl.sum_horizontal(pl.col(pl.String).str.count_matches("\n", literal=True)).alias("line")
    )["line"]
    above = breaks.cast(pl.Int64).cum_sum().shift(1, fill_value=0)
    return above + pl.int_range(2, frame.height + 2, eager=True)


def _findings(
    name: str, frame: pl.DataFrame, key: list[str], order: list[str]
) -> Iterator[Finding]:
    """What can be said of one file alone."""
    shown = pl.concat_str(key, separator=" ")
    yield from tell(name, frame.filter(pl.any_horizontal(pl.col(key).is_null())), "blank key")
    backwards = (pl.col("valid_from") >= pl.col("valid_until")) | (
        pl.col("known_from") >= pl.col("known_until")
    )
    yield from tell(name, frame.filter(backwards), "a period that ends before it begins")
    yield from tell(name, frame.filter(pl.col("reviewer").is_null()), "nobody answers for it")
    no_ground = pl.col("basis").is_null() | (
        pl.col("evidence_url").is_not_null() & ~pl.col("evidence_url").str.starts_with("https://")
    )
    yield from tell(name, frame.filter(no_ground), "no basis, or evidence that is no https address")
    yield from spaced(name, frame)
    yield from _unsorted(name, frame, order)
    yield from _overlapping(name, frame, key, shown)


def tell(name: str, rows: pl.DataFrame, what: str) -> Iterator[Finding]:
    """One finding for each of the rows, which have a column `line`."""
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
    pairs = _at_once(frame.with_columns(shown.str.to_lowercase().alias("name")), ["name"])
    if "namespace" in frame.columns:
        # spellings of one name are fine as long as they agree, which is looked at apart
        pairs = pairs.filter(pl.col("namespace") == pl.col("namespace_other"))
    for line, other, what in pairs.select("line_other", "line", "name").iter_rows():
        yield name, line, f"{what!r} stands in line {other} too, for an overlapping period"


def _at_once(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Pairs of rows of the same `by` whose validity and whose knowledge overlap, each pair once."""
    return frame.join(frame, on=by, suffix="_other").filter(
        (pl.col("line") < pl.col("line_other"))
        & (pl.col("valid_from") < pl.col("valid_until_other"))
        & (pl.col("valid_from_other") < pl.col("valid_until"))
        & (pl.col("known_from") < pl.col("known_until_other"))
        & (pl.col("known_from_other") < pl.col("known_until"))
    )


def _spellings_that_disagree(namespaces: pl.DataFrame) -> Iterator[Finding]:
    """Spellings that differ by case alone must say the same of the same days: joins ignore case."""
    said = ("lab_id", "kind", "valid_from", "valid_until")
    pairs = _at_once(namespaces, ["system", "folded"]).filter(
        (pl.col("namespace") != pl.col("namespace_other"))
        & pl.any_horizontal(pl.col(c) != pl.col(f"{c}_other") for c in said)
    )
    for line, other, name in pairs.select("line_other", "line", "namespace_other").iter_rows():
        yield (
            "namespaces.csv",
            line,
            f"{name!r} and the spelling in line {other}, which differs by case alone, disagree on "
            "lab, kind or period",
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
    walk, looped = parents.unique(), parents.clear()
    for _ in range(labs.height):
        looped = walk.filter(pl.col("lab_id") == pl.col("up"))
        if walk.is_empty() or not looped.is_empty():
            break
        walk = walk.join(parents, left_on="up", right_on="lab_id").select(
            "lab_id", pl.col("up_right").alias("up")
        )
    yield from tell(
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


def check_records(path: Path, wanted: list[str]) -> None:
    """Raises RegistryError unless the file has the contract's columns, in every record.

    Polars would take a forgotten comma for a blank cell and stop at one too many without a line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            header = next(reader, [])
            if header != wanted:
                raise RegistryError(f"{path.name}:1: header {header}, the contract says {wanted}")
            line = reader.line_num + 1
            for record in reader:
                if len(record) != len(wanted):
                    raise RegistryError(
                        f"{path.name}:{line}: {len(record)} cells, the header has {len(wanted)}"
                    )
                line = reader.line_num + 1
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path.name} cannot be read: {error}") from error


def check_cells(path: Path, text: pl.DataFrame, typed: pl.DataFrame, promised: Contract) -> None:
    """Raises RegistryError for blank, misspelt and unreadable cells, with their lines."""
    lines = _lines(text)
    found = [
        f"  {path.name}:{line}: {name} {what}"
        for name, column in promised.columns.items()
        for what, wrong in _wrong_cells(text[name], typed[name], column)
        for line in lines.filter(wrong)
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
