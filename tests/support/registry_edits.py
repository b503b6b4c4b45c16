"""Edits copies of the registry's files, for tests that break a rule."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

Rows = list[dict[str, str]]
Edit = Callable[[Rows], None]


def edit(path: Path, change: Edit) -> None:
    """Rewrites a CSV with its rows changed; line breaks inside cells stay."""
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def line_of(path: Path, start: str, nth: int = 0) -> int:
    """Number of the nth line that begins with `start`."""
    lines = path.read_text("utf-8").split("\n")
    return [i for i, line in enumerate(lines, 1) if line.startswith(start)][nth]


def row(rows: Rows, name: str) -> dict[str, str]:
    """The first row of a namespace or lab."""
    return next(r for r in rows if name in (r.get("namespace"), r.get("lab_id")))


def cell(name: str, column: str, value: str) -> Edit:
    """Changes one cell of a namespace's or lab's row."""
    return lambda rows: row(rows, name).update({column: value})


def cells(at: int, **changed: str) -> Edit:
    """Changes cells of the row with this index."""
    return lambda rows: rows[at].update(changed)


def append(**changed: str) -> Edit:
    """Adds a copy of the last row with changes."""
    return lambda rows: rows.append({**rows[-1], **changed})


def twin(name: str, *, first: dict[str, str], **second: str) -> Edit:
    """Adds a copy of a name's row after it, with changes to both."""

    def change(rows: Rows) -> None:
        one = row(rows, name)
        other = {**one, **second}
        one.update(first)
        rows.insert(rows.index(one) + 1, other)

    return change


def ring(*names: str) -> Edit:
    """Makes each lab owned by the next, the last by the first."""

    def change(rows: Rows) -> None:
        for name, owner in zip(names, (*names[1:], names[0]), strict=True):
            row(rows, name).update(parent_lab_id=owner)

    return change
