"""What the checks of a table find: one statement counts for most of them.

Every check that looks at single rows is an aggregate of that statement. A check that needs groups
or other tables has a statement of its own. Where the common statement cannot run (a missing column,
another type), each of its checks is asked alone, so that only those fail that have to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from expectations.suites import Check, select_failing_rows
from warehouse.contracts.table import quote

Rows = Sequence[Sequence[Any]]
Query = Callable[[str], Rows]


class StatementError(Exception):
    """A statement could not run; the message is the driver's."""


@dataclass(frozen=True)
class NotRun:
    """Why there is no answer."""

    error: str


@dataclass(frozen=True)
class Question:
    """The checks of one table. `rows` is a SQL table expression; checks are known by position."""

    table: str
    rows: str
    checks: Sequence[Check]

    def __str__(self) -> str:
        """Identifies the question among those of one validation."""
        return self.table


@dataclass
class Answers:
    """What was found: columns and number of rows of the table, failing rows and nulls by check."""

    columns: list[str] | NotRun
    n_rows: int | NotRun = 0
    failing: dict[int, int | NotRun] = field(default_factory=dict)
    nulls: dict[str, int] = field(default_factory=dict)


def answer(query: Query, question: Question) -> Answers:
    """Asks all checks of a table; a statement that fails is the answer of its checks."""
    try:
        described = query(f"SELECT column_name, column_type FROM (DESCRIBE FROM {question.rows})")
    except StatementError as error:
        missing = NotRun(str(error))
        return Answers(missing, missing, dict.fromkeys(range(len(question.checks)), missing))
    types: dict[str, str] = {row[0]: row[1] for row in described}
    answers = Answers([*types])
    if not (_has_columns(question, types) and _ask_together(query, question, answers)):
        _ask_alone(query, question, answers)
    for at, check in enumerate(question.checks):
        if check.types is not None:
            answers.failing[at] = _wrong_types(check.types, types)
        elif at not in answers.failing and check.failing_rows is not None:
            answers.failing[at] = _count(query, question.rows, check.failing_rows)
    return answers


def _has_columns(question: Question, types: Mapping[str, str]) -> bool:
    """Whether every promised column exists; a rule may show one that no check counts."""
    return all(name in types for check in question.checks for name in check.types or ())


def _ask_together(query: Query, question: Question, answers: Answers) -> bool:
    """Rows, nulls, and failing rows where an aggregate counts them; False if that cannot run."""
    counts = {at: c.aggregate for at, c in enumerate(question.checks) if c.aggregate is not None}
    nulls = {name: _nulls(name) for name in _of_columns(question).values()}
    asked = ", ".join(["count(*)", *counts.values(), *nulls.values()])
    try:
        answers.n_rows, *found = query(f"SELECT {asked} FROM {question.rows} AS batch")[0]
    except StatementError:
        return False
    for at, count in zip(counts, found, strict=False):
        # An aggregate that only proves that nothing fails says no more than that.
        if question.checks[at].is_counted or count == 0:
            answers.failing[at] = count
    answers.nulls = dict(zip(nulls, found[len(counts) :], strict=True))
    return True


def _ask_alone(query: Query, question: Question, answers: Answers) -> None:
    """The same for Great Expectations' own checks, each in a statement of its own."""

    def one(aggregate: str) -> int | NotRun:
        return _one(query, f"SELECT {aggregate} FROM {question.rows} AS batch")

    answers.n_rows = one("count(*)")
    for at, name in _of_columns(question).items():
        answers.failing[at] = one(question.checks[at].aggregate or "NULL")
        nulls = one(_nulls(name))
        answers.nulls[name] = 0 if isinstance(nulls, NotRun) else nulls


def _of_columns(question: Question) -> dict[int, str]:
    """Position and column of Great Expectations' own checks; they also report nulls."""
    return {
        at: check.column
        for at, check in enumerate(question.checks)
        if check.arguments is not None and check.column is not None
    }


def _nulls(column: str) -> str:
    return f"count(*) - count({quote(column)})"


def _count(query: Query, rows: str, sql: str) -> int | NotRun:
    return _one(query, select_failing_rows(rows, sql, "count(*)"))


def _one(query: Query, statement: str) -> int | NotRun:
    try:
        return int(query(statement)[0][0])
    except StatementError as error:
        return NotRun(str(error))


def _wrong_types(promised: Mapping[str, str], found: Mapping[str, str]) -> int:
    return sum(found.get(name, each) != each for name, each in promised.items())
