"""Tests of Epoch's tables and of the AI Index."""

from __future__ import annotations

from datetime import date
from typing import Literal

from warehouse.claims.predicates.base import Names, Period, Test


class NotableCount(Test):
    """Notable models of a year and country, counted from Epoch's vintage of the time.

    `around`: the day of the cut-off is unknown, so the vintages before and after the stated day
    give the bounds.
    """

    test: Literal["notable_count"]
    subject: str
    year: int
    method: Literal["epoch", "organisation", "parent"] = "parent"
    vintages: Literal["nearest", "around"] = "nearest"


class ModelsPublished(Period):
    """How many of the named models Epoch lists as published in the period."""

    test: Literal["models_published"]
    names: Names


class EpochValue(Test):
    """A figure of one model in Epoch's table, or its ratio to that of `other`."""

    test: Literal["epoch_value"]
    subject: str
    other: str | None = None
    field: Literal["cost_usd", "cost_cloud_usd", "compute_flop", "parameters"]


class FrontierLag(Test):
    """Months between the days on which two countries first reach a level of Epoch's index.

    Levels are the records of `subject` (how late were they?) or of `other` (how long until
    `subject` reached them?). With `days`: for each day since then, how long ago `other` surpassed
    the best of `subject`, as Epoch measures it.
    """

    test: Literal["frontier_lag"]
    subject: str
    other: str
    since: date
    levels: Literal["subject", "other", "days"] = "subject"
    statistic: Literal["mean", "min", "max"]


class AiIndexValue(Test):
    """The figure as an edition of the AI Index prints it, or its lead over another.

    It is looked up and not computed, which shows that a citation is correct; so it cannot be the
    statement's own definition.
    """

    test: Literal["ai_index_value"]
    edition: int
    series: str
    subject: str
    other: str | None = None
    period: str
    revision: int | None = None


class PublishedLead(Test):
    """A figure of a published table compared with another one of the same table.

    `other`: another row of the table, or `*` for the best of all others. The table is one of
    warehouse/registry/data/published_figures.csv. The figures are compared, not recomputed.
    """

    test: Literal["published_lead"]
    figure_id: str
    subject: str
    other: str
    scale: Literal["points", "ratio"] = "points"
