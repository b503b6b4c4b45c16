"""Source cards: who produces a source, where it is, and what its license lets us do with it.

`warehouse/contracts/sources/<id>.yml` describes one source. The license terms decide what a public
release may hold; the citation goes into every manifest.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from warehouse.contracts.table import Strict

SOURCES = Path(__file__).parent / "sources"


class CardError(ValueError):
    """A source card that cannot be used, or a source without one."""


class License(Strict):
    """The terms, and what they allow.

    `redistribution`: `derived` = adapted tables may be shared with credit; `raw` = only the
    unmodified files may; `none` = nothing may.
    """

    raw: str
    ours: str
    redistribution: Literal["raw", "derived", "none"]
    statement_url: str  # the producer's own statement, not a generic deed


class Card(Strict):
    """One source as its YAML file describes it."""

    id: str
    title: str
    producer: str
    homepage: str
    urls: dict[str, str] = Field(default_factory=dict)
    citation: str
    license: License
    cadence: str
    stale_after_days: int | None = None  # an observation older than this is late; null = never
    loads: Literal["every_snapshot", "newest_snapshot", "recent_snapshots"]
    # recent_snapshots: as many of the newest as have no more records than this, at least one.
    recent_records: int | None = None
    # A snapshot with fewer records is a list of some, and who is not on it need not be gone.
    whole_records: int | None = None
    recorded_snapshot: str | None = None
    is_optional: bool = False  # asked for by name alone, and never the only source of its kind
    several_a_day: bool = False  # its snapshots may be of a minute instead of a day
    stands_in_for: str | None = None  # read only for days without a snapshot of that source
    # How the source's own names and units are read; its shape is the parser's business.
    map: dict[str, Any] = Field(default_factory=dict)

    @property
    def may_share_derived(self) -> bool:
        """Whether tables made from this source may be in a public release."""
        return self.license.redistribution == "derived"


def read_card(path: Path) -> Card:
    """One card. Raises CardError naming the file and what is wrong in it."""
    try:
        card = Card.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise CardError(f"{path}: {error}") from error
    if card.id != path.stem:
        raise CardError(f"{path}: says id {card.id!r}, its name says {path.stem!r}")
    return card


@cache
def cards() -> dict[str, Card]:
    """Every source card by id, sorted."""
    return {card.id: card for card in map(read_card, sorted(SOURCES.glob("*.yml")))}


def card(source: str) -> Card:
    """The card of one source. Raises CardError for a source without one."""
    try:
        return cards()[source]
    except KeyError:
        raise CardError(f"no source card warehouse/contracts/sources/{source}.yml") from None
