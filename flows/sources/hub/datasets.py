"""Hugging Face Hub: the listing of all data sets, swept as the models are."""

from __future__ import annotations

import duckdb

from flows.settings import Settings
from flows.sources.hub.columns import columns
from flows.sources.hub.models import listing_url
from flows.sources.hub.parse_listing import load_items
from flows.sources.hub.sweep import Sweep
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot

EXPAND = columns("hub_datasets")


def fetch_datasets(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Keeps every page of the listing, newest data set first, then what was created meanwhile."""
    start = listing_url(settings, "datasets", EXPAND)
    sweep = Sweep(settings, archive, draft, "datasets", has_floor=True)
    sweep.read([start])
    sweep.read_newest(start)
    sweep.conclude()


def parse_datasets(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_datasets: one row per data set and snapshot; the rest goes to quarantine."""
    load_items(con, archive, snapshot, "raw.hub_datasets")
