"""Hugging Face Hub: whether a sweep is the whole listing, counted in distinct objects."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from warehouse.archive.snapshot import ArchivedFile, Snapshot

MAX_LOSS = 0.02  # of the previous sweep's rows; a larger loss within a day means missing rows


def is_short(before: Snapshot | None, rows: int) -> bool:
    """Whether the previous sweep had so many more rows that some must be missing now."""
    return before is not None and rows < before.rows_seen * (1 - MAX_LOSS)


def pages_with_gaps(pages: Sequence[ArchivedFile]) -> list[str]:
    """Pages that hold rows of earlier pages, or none, instead of their own.

    A page that repeats rows but also has as many new rows as the first page has lost nothing.
    """
    full = pages[0].rows_seen or 0 if pages else 0
    return [page.name for page in pages if _has_gap(page, full)]


def _has_gap(page: ArchivedFile, full: int) -> bool:
    rows, repeated = page.rows_seen or 0, page.rows_repeated or 0
    if not rows:
        return page.next_url is not None
    return repeated > 0 and rows - repeated < full


def comparison(before: Snapshot | None, rows: int) -> str:
    """The note that compares a sweep with the previous one."""
    if before is None:
        return f"{rows:,} rows; no earlier sweep to compare with"
    had, name = before.rows_seen, before.snapshot_id
    change = f" ({(rows - had) / had:+.2%})" if had else ""
    return f"{rows:,} rows; {name} had {had:,}{change}; a loss above {MAX_LOSS:.0%} is too large"


def author(url: str) -> str | None:
    """The namespace that an address lists; None for the whole Hub."""
    return parse_qs(urlsplit(url).query).get("author", [None])[0]
