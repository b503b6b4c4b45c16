"""Tests of downloads in a window of time, from all-time counters."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import model_validator

from warehouse.claims.predicates.base import Test, WindowAttribution, WindowPopulation


class _Window(Test):
    """Downloads in a window: from `period_from` to `period_to`, both included.

    Without `period_from` the window begins with the models (cumulative downloads); without
    `period_to` it ends on the day of the statement. `counters`: the source to use; the statement is
    then about the models of that source. `any`: the best one, and the statement is about the Hub.
    """

    by: Literal["country", "lab", "family"] = "country"
    subject: str
    population: WindowPopulation = "all"
    attribution: WindowAttribution = "publisher"
    period_from: date | None = None
    period_to: date | None = None
    counters: Literal["any", "hub", "hub_evolution", "hub_stats"] = "any"

    @model_validator(mode="after")
    def _is_consistent(self) -> _Window:
        if self.period_from and self.period_to and self.period_to < self.period_from:
            raise ValueError("period_to must not be before period_from")
        if self.by != "country" and self.attribution.startswith("study_"):
            raise ValueError("the study names countries only; use attribution publisher or base")
        return self


class WindowShare(_Window):
    """Share of `subject`."""

    test: Literal["window_share"]


class WindowAmount(_Window):
    """Downloads of `subject`."""

    test: Literal["window_amount"]


class WindowLead(_Window):
    """Share of `subject` minus share of `other`."""

    test: Literal["window_lead"]
    other: str


class WindowRank(_Window):
    """Rank of `subject` by downloads among all countries, labs or families."""

    test: Literal["window_rank"]
