"""Which sources there are, for programs that need no more of the cards: it is read in no time."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from warehouse.contracts.yaml_files import read_yaml

SOURCES = Path(__file__).parent / "sources"


@cache
def observed_sources() -> tuple[str, ...]:
    """Ids of the sources that a run can observe, in the order of a run."""
    orders = {path.stem: read_yaml(path).get("order") for path in sorted(SOURCES.glob("*.yml"))}
    return tuple(sorted((i for i, o in orders.items() if o is not None), key=orders.__getitem__))
