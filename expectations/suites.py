"""Contract -> Great Expectations suite: what a table's YAML file promises, as questions.

Great Expectations asks them inside DuckDB. Where it has no fitting expectation the question is SQL
that selects the rows at fault (`QueryFindsNoRows`): its type check sees SQLAlchemy's
types (`String` for VARCHAR), its compound key drops keys with a null part, and its regex and LIKE
expectations refuse DuckDB altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from expectations.context import GxObject
from warehouse.contracts.table import Column, Contract, literal, quote

if TYPE_CHECKING:
    import great_expectations as gx

Severity = Literal["critical", "warning"]

ROW_COUNT = "expect_table_row_count_to_be_between"
COLUMN_ORDER = "expect_table_columns_to_match_ordered_list"


@dataclass(frozen=True)
class Check:
    """One question about one table.

    `offending` selects the rows at fault from `batch`, the table under validation, keys first;
    None where no row is at fault but the table itself. `arguments` are those of Great
    Expectations' class of that `name` (`counting.CLASSES`); None = ask `offending` itself.
    """

    name: str
    severity: Severity
    description: str
    column: str | None = None
    offending: str | None = None
    arguments: Mapping[str, Any] | None = None


def checks_for(contract: Contract, *, with_references: bool = True) -> list[Check]:
    """Every promise of a contract; without references where the other tables are out of reach."""
    checks = [*_table_checks(contract)]
    for name, column in contract.columns.items():
        checks += _column_checks(contract, name, column)
        if column.references and with_references:
            checks.append(_reference(contract, name, column.references))
    return checks


def suite_for(name: str, checks: Sequence[Check]) -> gx.ExpectationSuite:
    """The checks as a suite. `meta.position` leads from an answer back to its check."""
    import great_expectations as gx  # noqa: PLC0415 - takes 3 to 5 s; `--help` must not wait

    return gx.ExpectationSuite(
        name, expectations=[_expectation(check, at) for at, check in enumerate(checks)]
    )


def select_offending(batch: str, offending: str) -> str:
    """A whole statement: the rows at fault in `batch`, a SQL table expression."""
    # Materialising would copy a million rows for a rule that looks at the table twice.
    return (
        f"WITH batch AS NOT MATERIALIZED (SELECT * FROM {batch}) "
        f"SELECT * FROM ({offending}) AS offending"
    )


def _expectation(check: Check, position: int) -> GxObject:
    from expectations.counting import CLASSES, QueryFindsNoRows  # noqa: PLC0415 - see suite_for

    arguments = check.arguments
    kind = QueryFindsNoRows if arguments is None else CLASSES[check.name]
    if arguments is None:
        # Great Expectations fills {fields}, SQLAlchemy :parameters; a rule's text has neither.
        sql = (check.offending or "").replace("{", "{{").replace("}", "}}").replace(":", r"\:")
        arguments = {"unexpected_rows_query": select_offending("{batch}", sql)}
    return kind(
        **arguments,
        severity=check.severity,
        description=check.description,
        meta={"position": position},
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
        offending=_other_types(contract),
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
        offending=f"SELECT {keys}, count(*) AS n_rows FROM batch GROUP BY {keys} "
        "HAVING count(*) > 1",
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
            f"lies {_range(column)}",
            {"min_value": column.min, "max_value": column.max},
        )
    if column.type == "DOUBLE":
        # A NaN passes `>= 0`, survives every sum and is no null: missing must be null.
        yield _values(contract, name, "values_are_finite", "is a number, never NaN or infinite")


def _values(
    contract: Contract,
    name: str,
    check: str,
    promise: str,
    arguments: Mapping[str, Any] | None = None,
) -> Check:
    column = contract.columns[name]
    return Check(
        check,
        "critical",
        f"{name} of {contract.table} {promise}.",
        column=name,
        offending=_rows_where(contract, name, _violation(check, quote(name), column)),
        arguments=None if arguments is None else {"column": name, **arguments},
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
        f"Every {name} of {contract.table} stands in {references}.",
        column=name,
        offending=_rows_where(
            contract, name, f"{quote(name)} IS NOT NULL AND NOT EXISTS ({found})"
        ),
    )


def _rows_where(contract: Contract, column: str, condition: str) -> str:
    """The rows at fault by key, with the snapshot that they came from and the value at fault."""
    snapshot = ["snapshot_id"] if "snapshot_id" in contract.columns else []
    names = _list(dict.fromkeys([*snapshot, *contract.key, column]))
    return f"SELECT {names} FROM batch WHERE {condition}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)
