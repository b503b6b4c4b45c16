"""Source cards: the only list of sources, with producer, addresses, license and schedule.

`warehouse/contracts/sources/<id>.yml` describes one source. Settings, parsers, deployments and the
documentation are made from the cards. The license terms decide what a public release may hold; the
citation goes into every manifest.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from warehouse.contracts.source_order import SOURCES, observed_sources
from warehouse.contracts.table import Strict
from warehouse.contracts.yaml_files import read_yaml


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


class Schedule(Strict):
    """When the source's deployment runs (UTC). `slug` names the schedule on the Prefect server."""

    slug: str
    cron: str


class Token(Strict):
    """The token of a source. It is sent to the source's address only.

    Without a required token the source is not part of a run that names no sources.
    """

    variable: str = Field(pattern=r"[A-Z][A-Z0-9_]*_(TOKEN|KEY)")
    purpose: str
    is_required: bool = False

    @property
    def meaning(self) -> str:
        """What the reference of the settings says about it."""
        return f"{self.purpose} Sent to that address only."


class Card(Strict):
    """One source as its YAML file describes it."""

    id: str
    # Position in a run, and the module below flows/sources with its one fetch_* and one parse_*.
    # A card without them is not observed: it is part of this repository.
    order: int | None = None
    module: str | None = None
    schedule: Schedule | None = None
    title: str
    producer: str
    homepage: str
    # What precedes every path of the source. The setting OBSERVATORY_<ID>_URL replaces it. A source
    # on the Hub or on GitHub has none: their addresses are settings of their own.
    address: str | None = None
    token: Token | None = None
    urls: dict[str, str] = Field(default_factory=dict)
    citation: str
    license: License
    cadence: Literal[
        "every six hours",
        "daily",
        "weekly",
        "monthly",
        "yearly",
        "stopped",
        "frozen",
        "with the code",
    ]
    cadence_note: str | None = None
    stale_after_days: int | None = None  # an older newest observation is late; null = never late
    loads: Literal["every_snapshot", "newest_snapshot", "recent_snapshots"]
    # recent_snapshots: the newest ones that together have at most this many records; at least one.
    recent_records: int | None = None
    # A snapshot with fewer records is a partial list: a model that is not on it need not be gone.
    whole_records: int | None = None
    recorded_snapshot: str | None = None
    is_optional: bool = False  # observed only when named, and never the only source of its kind
    several_a_day: bool = False  # a snapshot may belong to a minute instead of a day
    stands_in_for: str | None = None  # read only for days without a snapshot of that source
    # How the parser reads the source's own names and units; each parser defines the shape.
    map: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _order_and_module(self) -> Self:
        if (self.order is None) != (self.module is None):
            raise ValueError("give both `order` and `module`, or neither")
        if self.token and not self.address:
            raise ValueError("give the `address` that `token` is sent to")
        return self

    @property
    def required_token(self) -> str | None:
        """The variable of the token that the source cannot be read without."""
        return self.token.variable if self.token and self.token.is_required else None

    def sidecar_terms(self) -> dict[str, str]:
        """What the sidecar of a snapshot records about its source."""
        return {
            "producer": self.producer,
            "url": self.homepage,
            "citation": self.citation,
            "license": self.license.raw,
            "redistribution": self.license.redistribution,
        }

    @property
    def may_share_derived(self) -> bool:
        """Whether tables made from this source may be in a public release."""
        return self.license.redistribution == "derived"

    def is_late(self, age_days: int) -> bool:
        """Whether a newest observation of that age is overdue."""
        return self.stale_after_days is not None and age_days > self.stale_after_days


def read_card(path: Path) -> Card:
    """One card. Raises CardError naming the file and what is wrong in it."""
    try:
        card = Card.model_validate(read_yaml(path))
    except (ValidationError, yaml.YAMLError) as error:
        raise CardError(f"{path}: {error}") from error
    if card.id != path.stem:
        raise CardError(f"{path}: the id is {card.id!r}, but the file name requires {path.stem!r}")
    return card


@cache
def cards() -> dict[str, Card]:
    """Every source card by id, sorted."""
    found = {card.id: card for card in map(read_card, sorted(SOURCES.glob("*.yml")))}
    places = {card.id: card.order for card in found.values() if card.order is not None}
    if len({*places.values()}) < len(places):
        raise CardError(f"{SOURCES}: two source cards have the same `order`: {places}")
    return found


def card(source: str) -> Card:
    """The card of one source. Raises CardError for a source without one."""
    try:
        return cards()[source]
    except KeyError:
        raise CardError(f"no source card warehouse/contracts/sources/{source}.yml") from None


def sources_table() -> str:
    """The observed sources as a Markdown table for the documentation."""
    rows = [
        (f"`{c.id}`", f"[{c.title}]({c.homepage})", c.producer, c.license.raw, _cadence(c))
        for c in map(card, observed_sources())
    ]
    lines = [("Id", "What", "Producer", "License", "Updated"), ("---",) * 5, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _cadence(card: Card) -> str:
    text = f"{card.cadence}; {card.cadence_note}" if card.cadence_note else card.cadence
    if card.required_token:
        return f"{text} (requires `{card.required_token}`)"
    return f"{text} (optional)" if card.is_optional else text
