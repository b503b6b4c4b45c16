"""Tests of single models, datasets and derivatives on the Hub."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from warehouse.claims.predicates.base import Names, Period, Test

Counter = Literal["downloads_30d", "downloads_all_time", "likes", "trending_score"]


class DerivativeShare(Period):
    """Share of models created in the period, with a declared parent, on bases of a country."""

    test: Literal["derivative_share"]
    subject: str
    derivative: Literal["finetune", "adapter", "quantized", "merge"] = "finetune"


class DerivativeCount(Test):
    """How many models declare a parent of a family or lab, or a certain model, as their parent.

    `reach` lineage also counts the descendants of derivatives, by the roots of their lineage.
    `other`: divided by the number of its derivatives. `period_to`: only models created by then.
    """

    test: Literal["derivative_count"]
    by: Literal["family", "lab", "base"]
    subject: str
    other: str | None = None
    period_to: date | None = None
    derivative: Literal["all", "finetune", "adapter", "quantized", "merge"] = "all"
    reach: Literal["declared", "lineage"] = "declared"

    @model_validator(mode="after")
    def _has_roots(self) -> DerivativeCount:
        if self.by == "base" and self.reach == "lineage":
            raise ValueError("a single base model has only declared derivatives; remove reach")
        return self


class RepositoriesCreated(Period):
    """How many of the named repositories were created in the period.

    A name is `namespace/repository` and includes its versions (`x/Y` includes `x/Y-7B`); `x/Y*`
    matches all that begin with it. `licenses`: only under one of these. `exact`: only the
    repository of that very name, so that one that was created at another time is known to fail.
    """

    test: Literal["repositories_created"]
    names: Names
    licenses: tuple[str, ...] = ()
    exact: bool = False

    @model_validator(mode="after")
    def _names_are_exact(self) -> RepositoriesCreated:
        if self.exact and any(name.endswith("*") for name in self.names):
            raise ValueError("exact needs whole names; remove the * or set exact: false")
        return self


class DatasetsCreated(Period):
    """How many of the named datasets were created in the period; names as for repositories."""

    test: Literal["datasets_created"]
    names: Names


class ModelsCreated(Period):
    """How many models a namespace created in the period."""

    test: Literal["models_created"]
    subject: str
    population: Literal["all", "llm_vlm"] = "all"


class ModelRank(Test):
    """Best rank of the named repositories among all models of the listing by a counter."""

    test: Literal["model_rank"]
    names: Names
    metric: Counter


class TopOverlap(Test):
    """How many models are among the first `top_n` by two counters on one day.

    `names`: only these repositories count, named as for repositories_created.
    """

    test: Literal["top_overlap"]
    top_n: int = Field(ge=1)
    metric: Counter
    other_metric: Counter
    names: tuple[str, ...] = ()


class DownloadConcentration(Test):
    """Share of all downloads that the first repositories have: a part or a number of them."""

    test: Literal["download_concentration"]
    top_share: float | None = Field(default=None, gt=0, lt=1)
    top_n: int | None = Field(default=None, ge=1)
    metric: Literal["downloads_30d", "downloads_all_time", "likes"] = "downloads_30d"

    @model_validator(mode="after")
    def _is_one_of_both(self) -> DownloadConcentration:
        if (self.top_share is None) == (self.top_n is None):
            raise ValueError("give either top_share, a part of the repositories, or top_n")
        return self


class ParameterRatio(Test):
    """Parameters of `subject` divided by those of `other`."""

    test: Literal["parameter_ratio"]
    subject: str
    other: str
    system: Literal["hub", "epoch"]


class ModelParameters(Test):
    """Parameters of one repository, counted from its files on the Hub."""

    test: Literal["model_parameters"]
    subject: str


class HubCounter(Test):
    """A counter of one repository on one day."""

    test: Literal["hub_counter"]
    subject: str
    metric: Counter
