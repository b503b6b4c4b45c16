"""Tests of shares on the Hub."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from warehouse.claims.predicates.base import Attribution, Credit, Metric, Names, Population, Test

TILED = ("downloads_30d", "new_models_30d")  # counters of 30 days, which add up to longer windows


class _Hub(Test):
    """A share on the Hub, of a country, lab or family, under one definition.

    `window_days` adds counters of 30 days up to a longer window; without it: one observation.
    """

    by: Literal["country", "lab", "family"] = "country"
    subject: str
    population: Population = "all"
    metric: Metric = "downloads_30d"
    attribution: Attribution = "publisher"
    credit: Credit = "fractional"
    window_days: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_consistent(self) -> _Hub:
        if self.window_days and self.metric not in TILED:
            raise ValueError(f"window_days needs a counter of 30 days: use {' or '.join(TILED)}")
        if self.by != "country" and self.credit == "full":
            raise ValueError(f"shares by {self.by} support only credit fractional")
        return self


class HubShare(_Hub):
    """Share of `subject`."""

    test: Literal["hub_share"]


class HubAmount(_Hub):
    """The numerator of the share: downloads, likes or models of `subject`."""

    test: Literal["hub_amount"]


class HubLead(_Hub):
    """Share of `subject` minus share of `other`."""

    test: Literal["hub_lead"]
    other: str


class HubRank(_Hub):
    """Rank of `subject` by its share among all countries, labs or families."""

    test: Literal["hub_rank"]


class HubPart(Test):
    """The part of the downloads or likes of country `subject` that the labs `names` have."""

    test: Literal["hub_part"]
    subject: str
    names: Names
    population: Population = "all"
    metric: Metric = "downloads_30d"
    attribution: Attribution = "publisher"
