"""Hugging Face Hub: the listing of all datasets."""

from __future__ import annotations

import duckdb

from flows.settings import Settings
from flows.sources.hub.listing import sweep_whole_hub
from flows.sources.hub.parse_listing import load_items
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot


def fetch_datasets(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores every page of the listing of datasets."""
    sweep_whole_hub(settings, archive, draft, "datasets")


def parse_datasets(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_datasets: one row per dataset and snapshot; refused items go to quarantine."""
    load_items(con, archive, snapshot, "raw.hub_datasets")
