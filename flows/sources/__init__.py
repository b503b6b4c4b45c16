"""How to speak to the outside: one module a source, a `fetch_*` and a `parse_*` in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from flows.settings import Settings
from flows.sources.ai_index.public_data import fetch_editions, parse_editions
from flows.sources.epoch import fetch_tables, parse_tables
from flows.sources.hub.datasets import fetch_datasets, parse_datasets
from flows.sources.hub.models import fetch_models
from flows.sources.hub.namespaces import fetch_namespaces, parse_namespaces
from flows.sources.hub.parse_listing import parse_models
from flows.sources.hub.stats_mirror import fetch_revision, parse_revision
from flows.sources.hub.trending import fetch_trending, parse_trending
from flows.sources.lmarena.catalog import fetch_catalog, parse_catalog
from flows.sources.lmarena.leaderboards import fetch_leaderboards, parse_leaderboards
from flows.sources.lmarena.space import fetch_space, parse_space
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import Snapshot

Fetch = Callable[[Settings, Archive, Draft], None]
Parse = Callable[[duckdb.DuckDBPyConnection, Archive, Snapshot], None]


@dataclass(frozen=True)
class Source:
    """Fetch keeps bytes in the archive; parse loads raw tables from kept bytes."""

    fetch: Fetch
    parse: Parse


SOURCES: dict[str, Source] = {
    "hub_namespaces": Source(fetch_namespaces, parse_namespaces),
    "hub": Source(fetch_models, parse_models),
    "hub_datasets": Source(fetch_datasets, parse_datasets),
    "hub_trending": Source(fetch_trending, parse_trending),
    "hub_stats": Source(fetch_revision, parse_revision),
    "lmarena": Source(fetch_leaderboards, parse_leaderboards),
    "lmarena_space": Source(fetch_space, parse_space),
    "arena_catalog": Source(fetch_catalog, parse_catalog),
    "epoch": Source(fetch_tables, parse_tables),
    "ai_index": Source(fetch_editions, parse_editions),
}
