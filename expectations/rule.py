"""A rule: SQL that selects the failing rows, for what a contract cannot express."""

from __future__ import annotations

import re
from dataclasses import dataclass

from expectations.suites import Check, Severity

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
        return Check(self.name, self.severity, self.description, failing_rows=sql)


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
