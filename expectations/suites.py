"""Contract -> Great Expectations suite: the promises of a table's YAML file as checks.

Great Expectations runs them inside DuckDB. Where it has no suitable expectation, the check is SQL
that selects the failing rows (`QueryFindsNoRows`): its type check sees SQLAlchemy's types (`String`
for VARCHAR), its compound key ignores keys with a null part, and its regex and LIKE expectations
do not support DuckDB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from warehouse.contracts.table import Column, Contract, literal, quote

Severity = Literal["critical", "warning"]

ROW_COUNT = "expect_table_row_count_to_be_between"
COLUMN_ORDER = "expect_table_columns_to_match_ordered_list"


@dataclass(frozen=True)
class Check:
    """One check of one table.

    `failing_rows` is SQL that selects the failing rows from `batch`, the table under validation,
    keys first; None where the table as a whole fails. `arguments` are those of Great Expectations'
    class of that `name` (`counting.CLASSES`); None = the query of `failing_rows`.

    `aggregate` is a SQL aggregate over the table: the number of failing rows if `is_counted`, else
    a number that is 0 only if there are none. Without it, `failing_rows` is counted. `types` are
    promised types by column.
    """

    name: str
    severity: Severity
    description: str
    column: str | None = None
    failing_rows: str | None = None
    arguments: Mapping[str, Any] | None = None
    aggregate: str | None = None
    is_counted: bool = True
    types: Mapping[str, str] | None = None


def count_where(condition: str) -> str:
    """The aggregate that counts the rows of a condition."""
    return f"count(*) FILTER (WHERE {condition})"


def checks_for(contract: Contract, *, with_references: bool = True) -> list[Check]:
    """Every promise of a contract; without references if the other tables are not available."""
    checks = [*_table_checks(contract)]
    for name, column in contract.columns.items():
        checks += _column_checks(contract, name, column)
        if column.references and with_references:
            checks.append(_reference(contract, name, column.references))
    return checks


def select_failing_rows(batch: str, sql: str, what: str = "*") -> str:
    """A whole statement: the failing rows of `batch`, a SQL table expression."""
    # Materializing would copy a million rows for a rule that reads the table twice.
    return (
        f"WITH batch AS NOT MATERIALIZED (SELECT * FROM {batch}) "
        f"SELECT {what} FROM ({sql}) AS failing"
    )


def _table_checks(contract: Contract) -> Iterator[Check]:
    yield Check(
        COLUMN_ORDER,
        "critical",
        f"{contract.table} has exactly the columns of its contract, in that order.",
        arguments={"column_list": list(contract.columns)},
    )
    yield Check(
        "column_types_match",
        "critical",
        f"The columns of {contract.table} have the types of its contract.",
        failing_rows=_other_types(contract),
        types={name: column.type for name, column in contract.columns.items()},
    )
    least = contract.thresholds.min_rows
    yield Check(
        ROW_COUNT,
        "critical",
        f"{contract.table} has {least} rows or more.",
        arguments={"min_value": least},
    )
    keys = _list(contract.key)
    yield Check(
        "key_is_unique",
        "critical",
        f"No two rows of {contract.table} share the key ({', '.join(contract.key)}).",
        failing_rows=f"SELECT {keys}, count(*) AS n_rows FROM batch GROUP BY {keys} "
        "HAVING count(*) > 1",
        # Different hashes are different keys; only equal hashes need a second look.
        aggregate=f"count(*) - count(DISTINCT hash({keys}))",
        is_counted=False,
    )


def _other_types(contract: Contract) -> str:
    promised = ", ".join(
        f"({literal(name)}, {literal(column.type)})" for name, column in contract.columns.items()
    )
    return (
        f"WITH promised(column_name, promised_type) AS (VALUES {promised}) "
        "SELECT column_name, column_type AS found_type, promised_type "
        "FROM (DESCRIBE SELECT * FROM batch) JOIN promised USING (column_name) "
        "WHERE column_type <> promised_type"
    )


def _column_checks(contract: Contract, name: str, column: Column) -> Iterator[Check]:
    if not column.nullable:
        yield _values(contract, name, "expect_column_values_to_not_be_null", "is never null", {})
    if column.values is not None:
        yield _values(
            contract,
            name,
            "expect_column_values_to_be_in_set",
            f"is one of {', '.join(column.values)}",
            {"value_set": list(column.values)},
        )
    if column.min is not None or column.max is not None:
        yield _values(
            contract,
            name,
            "expect_column_values_to_be_between",
            f"is {_range(column)}",
            {"min_value": column.min, "max_value": column.max},
        )
    if column.type == "DOUBLE":
        # A NaN passes `>= 0`, spoils every sum and is not null; a missing value must be null.
        yield _values(contract, name, "values_are_finite", "is never NaN or infinite")


def _values(
    contract: Contract,
    name: str,
    check: str,
    promise: str,
    arguments: Mapping[str, Any] | None = None,
) -> Check:
    violation = _violation(check, quote(name), contract.columns[name])
    return Check(
        check,
        "critical",
        f"{name} of {contract.table} {promise}.",
        column=name,
        failing_rows=_rows_where(contract, name, violation),
        arguments=None if arguments is None else {"column": name, **arguments},
        aggregate=count_where(violation),
    )


def _violation(check: str, sql: str, column: Column) -> str:
    if check == "expect_column_values_to_not_be_null":
        return f"{sql} IS NULL"
    if check == "expect_column_values_to_be_in_set":
        return f"{sql} NOT IN ({', '.join(literal(value) for value in column.values or ())})"
    if check == "values_are_finite":
        return f"NOT isfinite({sql})"
    bounds = ((column.min, "<"), (column.max, ">"))
    return " OR ".join(f"{sql} {sign} {bound!r}" for bound, sign in bounds if bound is not None)


def _range(column: Column) -> str:
    parts = (("at least", column.min), ("at most", column.max))
    return " and ".join(f"{word} {bound:g}" for word, bound in parts if bound is not None)


def _reference(contract: Contract, name: str, references: str) -> Check:
    layer, table, other = references.split(".")
    found = (
        f"SELECT 1 FROM {quote(layer)}.{quote(table)} AS other "
        f"WHERE other.{quote(other)} = batch.{quote(name)}"
    )
    return Check(
        "reference_exists",
        "critical",
        f"Every {name} of {contract.table} exists in {references}.",
        column=name,
        failing_rows=_rows_where(
            contract, name, f"{quote(name)} IS NOT NULL AND NOT EXISTS ({found})"
        ),
    )


def _rows_where(contract: Contract, column: str, condition: str) -> str:
    """The failing rows by key, with their snapshot and the failing value."""
    snapshot = ["snapshot_id"] if "snapshot_id" in contract.columns else []
    names = _list(dict.fromkeys([*snapshot, *contract.key, column]))
    return f"SELECT {names} FROM batch WHERE {condition}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)
