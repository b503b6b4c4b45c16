"""The outcome of validation in the log: one line per layer, and one per warning."""

from __future__ import annotations

import logging
from pathlib import Path

from expectations.report import Report
from warehouse.database.duckdb_file import open_built

log = logging.getLogger("observatory.validation")

# Two recorded boards can be months apart, in which the best rating rises by more than usual.
EXPECTED_IN_SAMPLE = {("core.arena_ratings", "leader_does_not_jump")}


def log_outcome(path: Path, layer: str, report: Report) -> None:
    """Logs what the expectations of a layer of a warehouse or build file found."""
    warnings = report.failures("warning")
    found = {(w.table_name, w.expectation) for w in warnings}
    expected = bool(found) and found <= EXPECTED_IN_SAMPLE and _is_sample(path)
    counts = report.summary()
    log.info(
        "%s: %s expectations, %s",
        layer,
        f"{counts['expectations']:,}",
        outcome(counts, expected=expected),
    )
    for warning in warnings:
        log.log(
            logging.INFO if expected else logging.WARNING,
            "%s %s: %s",
            warning.table_name,
            warning.expectation,
            warning.description,
        )


def outcome(counts: dict[str, int], *, expected: bool = False) -> str:
    """`all passed`, or the number of failures and warnings."""
    critical, warnings = counts["critical"], counts["warning"]
    parts = [f"{critical} failed"] if critical else []
    if warnings:
        note = " (expected for the sample)" if expected else ""
        parts.append(f"{warnings} warning{'' if warnings == 1 else 's'}{note}")
    return ", ".join(parts) or "all passed"


def _is_sample(path: Path) -> bool:
    with open_built(path) as con:
        return any(s for (s,) in con.execute("SELECT is_sample FROM meta.snapshots").fetchall())
