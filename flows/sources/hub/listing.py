"""Hugging Face Hub: the address of a listing, and one sweep over all of it.

The listing is sorted by createdAt, which never changes, so no row is lost or doubled while the
sweep goes on.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flows.settings import Settings
from flows.sources.hub.columns import columns
from flows.sources.hub.sweep import Sweep
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft


def listing_url(settings: Settings, what: str, expand: tuple[str, ...], **more: str) -> str:
    """Address of a listing's first page: `what` is models or datasets."""
    query = [("sort", "createdAt"), ("limit", str(settings.hub_page_rows)), *more.items()]
    query += [("expand", key) for key in expand]
    return f"{settings.hub_url}/api/{what}?{urlencode(query)}"


def sweep_whole_hub(settings: Settings, archive: Archive, draft: Draft, what: str) -> None:
    """Stores every page of the listing, newest item first, then what was created meanwhile."""
    start = listing_url(settings, what, columns(draft.source))
    sweep = Sweep(settings, archive, draft, what, has_floor=True)
    sweep.read([start])
    sweep.read_newest(start)
    sweep.conclude()
