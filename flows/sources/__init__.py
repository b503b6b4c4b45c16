"""How each source is fetched and parsed: one module per source with a `fetch_*` and a `parse_*`.

The source card (warehouse/contracts/sources/<id>.yml) names the module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from warehouse.contracts.source import CardError, card
from warehouse.contracts.source_order import observed_sources

if TYPE_CHECKING:
    import duckdb

    from flows.settings import Settings
    from warehouse.archive.archive import Archive
    from warehouse.archive.draft import Draft
    from warehouse.archive.snapshot import Snapshot


@dataclass(frozen=True)
class Source:
    """Fetch stores bytes in the archive; parse loads raw tables from the stored bytes."""

    fetch: Callable[[Settings, Archive, Draft], None]
    parse: Callable[[duckdb.DuckDBPyConnection, Archive, Snapshot], None]


class _Sources(Mapping[str, Source]):
    """Every source that a card describes; its module is imported when it is first used."""

    def __getitem__(self, source: str) -> Source:
        if source not in observed_sources():
            raise KeyError(source)
        return _load(source)

    def __iter__(self) -> Iterator[str]:
        return iter(observed_sources())

    def __len__(self) -> int:
        return len(observed_sources())


@cache
def _load(source: str) -> Source:
    name = f"flows.sources.{card(source).module}"
    return Source(_only(name, "fetch_"), _only(name, "parse_"))


def _only(name: str, prefix: str) -> Callable[..., None]:
    """The one function of a module whose name starts with the prefix."""
    members = vars(import_module(name)).items()
    found = [f for n, f in members if n.startswith(prefix) and f.__module__ == name]
    if len(found) != 1:
        raise CardError(f"{name} must have exactly one function {prefix}*; it has {len(found)}")
    function: Callable[..., None] = found[0]
    return function


SOURCES: Mapping[str, Source] = _Sources()
