"""What validation found: records that can be stored, counted and acted upon."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any, Literal

import polars as pl

from expectations.suites import Severity
from warehouse.contracts.table import contract

Outcome = Literal["passed", "failed", "not_asked"]

FAILURES_SHOWN = 10
ROWS_SHOWN = 3


class ValidationError(Exception):
    """A critical expectation does not hold, or could not be asked: nothing may be published."""


@dataclass(frozen=True)
class Result:
    """The answer to one expectation: one row of meta.validation_results."""

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
    """The answers of one stage (or of several, added up), in the order of their key.

    `pages` are Great Expectations' own results, one per table, for the Data Docs.
    """

    results: tuple[Result, ...]
    pages: tuple[Mapping[str, Any], ...] = field(default=(), repr=False, compare=False)

    def __add__(self, other: Report) -> Report:
        results = sorted((*self.results, *other.results), key=lambda r: r.sort_key)
        return Report(tuple(results), (*self.pages, *other.pages))

    def failures(self, severity: Severity) -> list[Result]:
        """Expectations of that severity that do not hold or could not be asked."""
        return [r for r in self.results if r.severity == severity and r.outcome != "passed"]

    def summary(self) -> dict[str, int]:
        """Number of expectations by outcome, and of failures by severity."""
        outcomes = Counter(r.outcome for r in self.results)
        return {
            "expectations": len(self.results),
            "passed": outcomes["passed"],
            "failed": outcomes["failed"],
            "not_asked": outcomes["not_asked"],
            "critical": len(self.failures("critical")),
            "warning": len(self.failures("warning")),
        }

    def to_frame(self) -> pl.DataFrame:
        """The results as meta.validation_results; no times, so that a replay gives the same."""
        schema = contract("meta.validation_results").polars_schema
        rows = [
            dict(zip((f.name for f in fields(r)), astuple(r), strict=True)) for r in self.results
        ]
        return pl.DataFrame(rows, schema=schema)

    def raise_for_critical(self) -> None:
        """Raises ValidationError naming every table, promise and the first rows at fault."""
        # Bad data first: a missing column also keeps other questions from being asked.
        failures = sorted(self.failures("critical"), key=lambda r: r.outcome == "not_asked")
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
        "The run stops here. Follow the keys (snapshot_id leads to the sidecar in the archive) "
        "to the source's bytes: if the source is wrong, refuse the snapshot or add a correction; "
        "if the transform is, mend it; then run again."
    )


def _about(result: Result) -> Iterator[str]:
    column = f".{result.column_name}" if result.column_name else ""
    yield (
        f"  [{result.stage}] {result.table_name}{column}: {result.expectation} "
        f"{_fault(result)}. {result.description}"
    )
    details = json.loads(result.details or "{}")
    for row in details.get("rows", [])[:ROWS_SHOWN]:
        yield "      " + ", ".join(f"{name}={value!r}" for name, value in row.items())
    for name in ("observed", "missing", "surplus", "error"):
        if name in details:
            yield f"      {name}: {details[name]}"


def _fault(result: Result) -> str:
    if result.outcome == "not_asked":
        return "could not be asked (a fault of the table's columns or of the rule's SQL)"
    if result.unexpected_count is None:
        return "failed"
    return f"failed: {result.unexpected_count} at fault, of {result.element_count} rows"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
