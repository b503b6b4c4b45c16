"""Reads a registry CSV, and finds cells and records that do not fit the file's contract."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from warehouse.contracts.table import Column, Contract
from warehouse.database.read_files import csv_frame

REPAIR = "close every quote and save it as UTF-8, or take the last committed version"
WRITE = {  # what a cell of each type must look like
    "BOOLEAN": "write true or false",
    "DATE": "write a day that exists, as YYYY-MM-DD",
    "INTEGER": "write a whole number",
    "BIGINT": "write a whole number",
    "DOUBLE": "write a number such as 1.5",
    "TIMESTAMP": "write YYYY-MM-DD HH:MM:SS",
    "VARCHAR": "write a text",
}
BOOLEANS = {"true": True, "false": False}


class Breach(NamedTuple):
    """A line of a registry file that breaks a rule, and what to do about it."""

    file: str
    line: int
    message: str


class RegistryError(ValueError):
    """Registry files that break a rule. The message lists every breach with its file and line."""

    def __init__(self, breaches: list[Breach]) -> None:
        lines = [f"  {file}:{line}: {message}" for file, line, message in sorted(set(breaches))]
        count = f"{len(lines)} error{'s' if len(lines) != 1 else ''}"
        super().__init__("\n".join([f"{count} in the registry (warehouse/registry/data):", *lines]))


def read_file(path: Path, promised: Contract) -> tuple[pl.DataFrame, list[Breach]]:
    """The file with its contract's columns, typed, blank cells null; and what breaks the contract.

    The frame is empty if the records do not have the contract's columns.
    """
    if torn := list(_torn_records(path, list(promised.columns))):
        return pl.DataFrame(schema=promised.polars_schema), torn
    text = csv_frame(path)
    typed = text.with_columns(_typed(c, kind) for c, kind in promised.polars_schema.items())
    lines = line_numbers(text)
    return typed, [
        Breach(path.name, line, message)
        for name, column in promised.columns.items()
        for message, wrong in _wrong_cells(name, text[name], typed[name], column)
        for line in lines.filter(wrong)
    ]


def line_numbers(frame: pl.DataFrame) -> pl.Series:
    """Where each row begins in its file: line 1 is the header, and a cell may hold a line break."""
    breaks = frame.select(
        pl.sum_horizontal(pl.col(pl.String).str.count_matches("\n", literal=True)).alias("line")
    )["line"]
    above = breaks.cast(pl.Int64).cum_sum().shift(1, fill_value=0)
    return above + pl.int_range(2, frame.height + 2, eager=True)


def _typed(column: str, kind: pl.DataType) -> pl.Expr:
    cell = pl.col(column)
    if kind == pl.Date:
        return cell.str.to_date("%Y-%m-%d", strict=False)
    if kind == pl.Boolean:
        return cell.replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
    return cell.cast(kind, strict=False)


def _torn_records(path: Path, wanted: list[str]) -> Iterator[Breach]:
    """Records without exactly the contract's columns.

    Polars would read a forgotten comma as a blank cell, and fail on one too many without a line.
    """
    line = 1
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            if (header := next(reader, [])) != wanted:
                message = f"the header is {','.join(header)}; it must be {','.join(wanted)}"
                yield Breach(path.name, 1, message)
                return
            line = reader.line_num + 1
            for record in reader:
                if len(record) != len(wanted):
                    message = f"{len(record)} cells where the header has {len(wanted)}; check the "
                    yield Breach(path.name, line, message + "commas and quotes")
                line = reader.line_num + 1
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        yield Breach(path.name, line, f"the file cannot be read: {error}; {REPAIR}")


def _wrong_cells(
    name: str, text: pl.Series, typed: pl.Series, column: Column
) -> Iterator[tuple[str, pl.Series]]:
    """Kinds of wrong cells of one column: a message, and which rows have it."""
    if not column.nullable:
        yield f"{name} is blank; fill it in", text.is_null()
    yield (
        f"{name} is not a valid {column.type}; {WRITE[column.type]}",
        text.is_not_null() & typed.is_null(),
    )
    if column.values:
        outside = typed.is_not_null() & ~typed.is_in(list(column.values))
        yield f"{name} must be one of {', '.join(column.values)}", outside
