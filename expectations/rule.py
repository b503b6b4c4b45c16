"""A rule: SQL that selects the failing rows, for what a contract cannot express."""

from __future__ import annotations

import re
from dataclasses import dataclass

from expectations.suites import Check, Severity, count_where

# A rule on single rows: the columns to show and a condition, nothing else.
_ON_ROWS = re.compile(r"\s*SELECT (?!DISTINCT\b)(.*?)\sFROM batch\s+WHERE\s(.*)", re.S | re.I)
_NOT_ON_ROWS = re.compile(
    r"\b(SELECT|FROM|GROUP|HAVING|QUALIFY|ORDER|LIMIT|UNION|EXCEPT|INTERSECT|WINDOW|OVER)\b", re.I
)
_OTHER_TABLE = re.compile(r'\b"?(raw|core|mart|meta)"?\s*\.\s*"?\w', re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """One rule about one table.

    `sql` selects the failing rows; `{batch}` is the table. It may name other tables of the same
    database as "layer"."name"; such a rule does not run on tables that are validated alone.
    """

    name: str
    table: str
    severity: Severity
    description: str
    sql: str

    @property
    def needs_database(self) -> bool:
        """Whether the rule looks at other tables than its own."""
        return _OTHER_TABLE.search(self.sql) is not None

    def check(self) -> Check:
        """The rule as a check."""
        sql = self.sql.replace("{batch}", "batch")
        condition = _condition(sql)
        return Check(
            self.name,
            self.severity,
            self.description,
            failing_rows=sql,
            aggregate=None if condition is None else count_where(condition),
        )


def _condition(sql: str) -> str | None:
    """The condition of a rule on single rows; None for all others."""
    if (found := _ON_ROWS.fullmatch(sql)) is None:
        return None
    columns, condition = found.groups()
    rest = re.sub(r"\bDISTINCT FROM\b", "", f"{columns} {condition}", flags=re.I)
    return None if _NOT_ON_ROWS.search(rest) else condition.strip()


@dataclass(frozen=True)
class TableRules:
    """Makes the rules of one table."""

    table: str

    def critical(self, name: str, description: str, sql: str) -> Rule:
        """A rule that stops the run if it fails."""
        return Rule(name, self.table, "critical", description, sql)

    def warning(self, name: str, description: str, sql: str) -> Rule:
        """A rule that is only reported if it fails."""
        return Rule(name, self.table, "warning", description, sql)


on = TableRules  # on("core.labs").critical("one_country_on_every_date", ...)
