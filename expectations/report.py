"""Results of validation: records that can be stored, counted and acted upon."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Literal

import polars as pl

from expectations.suites import Severity
from warehouse.contracts.table import contract

Outcome = Literal["passed", "failed", "not_run"]

FAILURES_SHOWN = 10
ROWS_SHOWN = 3


class ValidationError(Exception):
    """A critical expectation failed or could not run: nothing may be published."""


@dataclass(frozen=True)
class Result:
    """The result of one expectation: one row of meta.validation_results."""

    stage: str
    table_name: str
    expectation: str
    column_name: str | None
    severity: Severity
    outcome: Outcome
    element_count: int | None
    unexpected_count: int | None
    details: str | None
    description: str

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        """The key of meta.validation_results, sortable."""
        return self.stage, self.table_name, self.expectation, self.column_name or ""


@dataclass(frozen=True)
class Report:
    """The results of one stage, or of several added up, in the order of their key."""

    results: tuple[Result, ...]

    def __add__(self, other: Report) -> Report:
        results = sorted((*self.results, *other.results), key=lambda r: r.sort_key)
        return Report(tuple(results))

    def failures(self, severity: Severity) -> list[Result]:
        """Expectations of that severity that failed or could not run."""
        return [r for r in self.results if r.severity == severity and r.outcome != "passed"]

    def summary(self) -> dict[str, int]:
        """Number of expectations by outcome, and of failures by severity."""
        outcomes = Counter(r.outcome for r in self.results)
        return {
            "expectations": len(self.results),
            "passed": outcomes["passed"],
            "failed": outcomes["failed"],
            "not_run": outcomes["not_run"],
            "critical": len(self.failures("critical")),
            "warning": len(self.failures("warning")),
        }

    def to_frame(self) -> pl.DataFrame:
        """The results as meta.validation_results; without times, so a re-run gives the same."""
        schema = contract("meta.validation_results").polars_schema
        rows = [
            dict(zip((f.name for f in fields(r)), astuple(r), strict=True)) for r in self.results
        ]
        return pl.DataFrame(rows, schema=schema)

    def raise_for_critical(self) -> None:
        """Raises ValidationError naming every table and expectation, and the first failing rows."""
        # Failures first: a missing column also keeps other expectations from running.
        failures = sorted(self.failures("critical"), key=lambda r: r.outcome == "not_run")
        if failures:
            raise ValidationError("\n".join(_message(failures)))


def _message(failures: Sequence[Result]) -> Iterator[str]:
    stages = ", ".join(dict.fromkeys(r.stage for r in failures))
    yield f"validation of stage {stages}: {_count(len(failures), 'critical expectation')} failed"
    for result in failures[:FAILURES_SHOWN]:
        yield from _about(result)
    if len(failures) > FAILURES_SHOWN:
        yield f"  ... and {len(failures) - FAILURES_SHOWN} more"
    yield (
        "The run stops here; nothing was published. Look the failing rows up in the source's files "
        "(snapshot_id names the folder in the archive). If the source is wrong, exclude the "
        "snapshot (`observatory exclude SOURCE/DATE --reason TEXT`) or add a correction. If a "
        "transform is wrong, correct it. Then run again."
    )


def _about(result: Result) -> Iterator[str]:
    column = f".{result.column_name}" if result.column_name else ""
    yield (
        f"  [{result.stage}] {result.table_name}{column}: {result.expectation} "
        f"{_failure(result)}. {result.description}"
    )
    details = json.loads(result.details or "{}")
    for row in details.get("rows", [])[:ROWS_SHOWN]:
        yield "      " + ", ".join(f"{name} = {value}" for name, value in row.items())
    for name in ("observed", "missing", "unexpected", "error"):
        if name in details:
            yield f"      {name}: {details[name]}"


def _failure(result: Result) -> str:
    if result.outcome == "not_run":
        return "could not run (wrong columns in the table, or wrong SQL in the rule)"
    if result.unexpected_count is None:
        return "failed"
    return f"failed for {result.unexpected_count} of {_count(result.element_count or 0, 'row')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
