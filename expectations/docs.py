"""The Data Docs of a run: what Great Expectations found, as pages that open from a disk.

They are rendered here and not by Great Expectations, whose pages load their styles and scripts from
other sites: without a network they are blank.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.report import Report, Result

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
STYLE = "docs.css"
OUTCOMES = ("failed", "not_run", "passed")  # in this order on every page


def build_docs(reports: Sequence[Report], folder: Path, as_of: date) -> Path:
    """Writes `index.html` and a page per stage and table; returns the path of the first.

    Equal results give equal bytes. `as_of` is the logical date of the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STYLE).write_bytes((TEMPLATES / STYLE).read_bytes())
    found = _by_table(result for report in reports for result in report.results)
    for (stage, table), results in found.items():
        path = folder / _page(stage, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"stage": stage, "table": table, "as_of": as_of, "rows": map(_shown, results)}
        _write(path, "table.html", counts=_counts(results), **values)
    tables = [
        {"stage": stage, "table": table, "page": _page(stage, table), "counts": _counts(results)}
        for (stage, table), results in found.items()
    ]
    every = _counts(result for results in found.values() for result in results)
    _write(folder / "index.html", "index.html", tables=tables, as_of=as_of, counts=every)
    return folder / "index.html"


def _by_table(results: Iterable[Result]) -> dict[tuple[str, str], list[Result]]:
    """Stage and table -> its results, those that need attention first."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in sorted(results, key=lambda r: (OUTCOMES.index(r.outcome), r.sort_key)):
        found.setdefault((result.stage, result.table_name), []).append(result)
    return dict(sorted(found.items()))


def _page(stage: str, table: str) -> str:
    return f"validations/{stage}/{table}.html"


def _counts(results: Iterable[Result]) -> dict[str, int]:
    counted = Counter[str](result.outcome for result in results)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def _shown(result: Result) -> dict[str, Any]:
    """A result with its details: failing rows as a table, everything else as text."""
    details = json.loads(result.details or "{}")
    rows = details.pop("rows", [])
    return {
        "result": result,
        "columns": list(dict.fromkeys(name for row in rows for name in row)),
        "rows": rows,
        "details": {name: _text(value) for name, value in details.items()},
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write(path: Path, template: str, **values: object) -> None:
    path.write_text(_environment().get_template(template).render(**values), encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
