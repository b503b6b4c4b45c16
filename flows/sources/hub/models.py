"""Hugging Face Hub: the listing of all models.

A createdAt sweep with a thin expand: createdAt never moves, so no row is lost or doubled while
the sweep goes on. How pages are kept, checked and gone on with stands in hub_sweep.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flows.settings import Settings
from flows.sources.hub.columns import columns
from flows.sources.hub.sweep import Sweep
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft

EXPAND = columns("hub")


def fetch_models(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps every page of the listing, newest model first, then what was created meanwhile."""
    start = listing_url(settings, "models", EXPAND)
    sweep = Sweep(settings, archive, draft, "models", has_floor=True)
    sweep.read([start])
    sweep.read_newest(start)
    sweep.conclude()


def listing_url(settings: Settings, what: str, expand: tuple[str, ...], **more: str) -> str:
    """Address of a listing's first page: `what` is models or datasets."""
    query = [("sort", "createdAt"), ("limit", str(settings.hub_page_rows)), *more.items()]
    query += [("expand", key) for key in expand]
    return f"{settings.hub_url}/api/{what}?{urlencode(query)}"
