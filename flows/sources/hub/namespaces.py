"""Hugging Face Hub: the models of the registry's labs, namespace by namespace.

This takes some hundred requests instead of thousands. It runs before the sweep of the whole Hub,
so that the labs are observed even on a day on which the sweep does not finish.
"""

from __future__ import annotations

import duckdb

from flows.settings import Settings
from flows.sources.hub.columns import columns
from flows.sources.hub.listing import listing_url
from flows.sources.hub.parse_listing import load_items
from flows.sources.hub.sweep import Sweep
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot
from warehouse.registry.load import first_party_namespaces


def fetch_namespaces(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores the listing of every namespace, one after another: `pages/000001.json` onwards."""
    names, expand = first_party_namespaces(), columns(draft.source)
    sweep = Sweep(settings, archive, draft, "models", has_floor=False)
    sweep.read([listing_url(settings, "models", expand, author=name) for name in names])
    sweep.note_left_out()
    draft.is_complete = False
    draft.notes.append(
        f"only the {len(names)} namespaces of labs, universities and communities in the registry: "
        "not the whole Hub, and never the denominator of a share"
    )


def parse_namespaces(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_namespace_models: one row per model; rejected items go to quarantine."""
    load_items(con, archive, snapshot, "raw.hub_namespace_models")
