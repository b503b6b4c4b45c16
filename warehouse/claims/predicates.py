"""The closed vocabulary of tests that a claim may be put to.

Each class is one test with its parameters; the field `test` names it. `transforms.claims` holds the
computation of the same name. A claim chooses from these and never brings a query of its own.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from warehouse.contracts.table import Strict
from warehouse.contracts.vocabulary import vocabulary


def _word_of(name: str) -> AfterValidator:
    """A check that a text is an id of a vocabulary."""

    def check(word: str) -> str:
        if word not in (words := vocabulary(name)):
            raise ValueError(f"{word!r} is not a {name}; use one of {', '.join(words)}")
        return word

    return AfterValidator(check)


Population = Annotated[str, _word_of("population")]
Metric = Annotated[str, _word_of("metric")]
Attribution = Annotated[str, _word_of("attribution")]
Credit = Annotated[str, _word_of("credit")]
TILED = ("downloads_30d", "new_models_30d")  # counters of 30 days, which add up to longer windows


class Test(Strict):
    """What every test has: its name. Parameters are columns of raw.claim_trials."""


class _Hub(Test):
    """A share on the Hub, of a country, lab or family, under one definition.

    `window_days` tiles a longer window with counters of 30 days; without it: one observation.
    """

    by: Literal["country", "lab", "family"] = "country"
    subject: str
    population: Population = "all"
    metric: Metric = "downloads_30d"
    attribution: Attribution = "publisher"
    credit: Credit = "fractional"
    window_days: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _can_be_meant(self) -> _Hub:
        if self.window_days and self.metric not in TILED:
            raise ValueError(f"window_days needs a counter of 30 days: {', '.join(TILED)}")
        if self.by != "country" and self.credit == "full":
            raise ValueError(f"shares by {self.by} have fractional credit alone")
        return self


class HubShare(_Hub):
    """Share of `subject`."""

    test: Literal["hub_share"]


class HubAmount(_Hub):
    """What the share divides: downloads, likes or models of `subject`."""

    test: Literal["hub_amount"]


class HubLead(_Hub):
    """Share of `subject` minus share of `other`."""

    test: Literal["hub_lead"]
    other: str


class HubRank(_Hub):
    """Place of `subject` by its share among all countries, labs or families."""

    test: Literal["hub_rank"]


class _Period(Test):
    period_from: date
    period_to: date

    @model_validator(mode="after")
    def _forward(self) -> _Period:
        if self.period_to < self.period_from:
            raise ValueError("period_to is before period_from")
        return self


class DerivativeShare(_Period):
    """Share of models created in the period, with a declared parent, on bases of a country."""

    test: Literal["derivative_share"]
    subject: str
    derivative: Literal["finetune", "adapter", "quantized", "merge"] = "finetune"


Names = Annotated[tuple[str, ...], Field(min_length=1)]


class RepositoriesCreated(_Period):
    """How many of the named repositories were created in the period.

    A name is `namespace/repository`, and stands for versions of it too (`x/Y` for `x/Y-7B`);
    `x/Y*` for all that begin so. `licenses`: only under one of these.
    """

    test: Literal["repositories_created"]
    names: Names
    licenses: tuple[str, ...] = ()


class DatasetsCreated(_Period):
    """How many of the named data sets were created in the period; names as for repositories."""

    test: Literal["datasets_created"]
    names: Names


class ModelsCreated(_Period):
    """How many models a namespace created in the period."""

    test: Literal["models_created"]
    subject: str
    population: Literal["all", "llm_vlm"] = "all"


class ModelRank(Test):
    """Best place of the named repositories among all models of the listing by a counter."""

    test: Literal["model_rank"]
    names: Names
    metric: Literal["downloads_30d", "downloads_all_time", "likes", "trending_score"]


class ParameterRatio(Test):
    """Parameters of `subject` by those of `other`."""

    test: Literal["parameter_ratio"]
    subject: str
    other: str
    system: Literal["hub", "epoch"]


class _Trending(Test):
    subject: str
    top_n: Literal[5, 10]
    places: int = Field(ge=1, le=10)
    attribution: Attribution = "publisher"
    window_days: int = Field(default=91, gt=0)


class TrendingDays(_Trending):
    """Share of the observed days on which a country holds so many of the first places."""

    test: Literal["trending_days"]


class TrendingWeeks(_Trending):
    """Number of weeks in which a country holds so many of the first places on some day."""

    test: Literal["trending_weeks"]


class _Arena(Test):
    board: str = "text"
    category: str = "overall"


class ArenaCount(_Arena):
    """Models of a country among the first `top_n`; the highest over a period if there is one."""

    test: Literal["arena_count"]
    subject: str
    top_n: int = Field(ge=1)
    access: Literal["all", "open"] = "all"
    period_from: date | None = None
    period_to: date | None = None


class ArenaRank(_Arena):
    """Best rank of a country's, a lab's or the open models."""

    test: Literal["arena_rank"]
    by: Literal["country", "lab", "access"]
    subject: str
    rank: Literal["ordinal", "ub"] = "ordinal"
    access: Literal["all", "open"] = "all"


class ArenaFirst(_Arena):
    """Probability that a country's, a lab's or an open model is truly the best of the board."""

    test: Literal["arena_first"]
    by: Literal["country", "lab", "access"]
    subject: str


class ArenaLead(_Arena):
    """Best rating of `subject` against the best of `other` on one board, as `scale` says."""

    test: Literal["arena_lead"]
    by: Literal["country", "access"]
    subject: str
    other: str
    scale: Literal["points", "percent", "win_rate"]


class ArenaAhead(_Arena):
    """Probability that one model is truly better than another."""

    test: Literal["arena_ahead"]
    subject: str
    other: str


class NotableCount(Test):
    """Notable models of a year and country, counted from Epoch's vintage of the time.

    `around`: the day of the cut is not known, so the counts of the vintages before and after the
    stated day are its doubt.
    """

    test: Literal["notable_count"]
    subject: str
    year: int
    method: Literal["epoch", "organisation", "parent"] = "parent"
    vintages: Literal["nearest", "around"] = "nearest"


class ModelsPublished(_Period):
    """How many of the named models Epoch lists as published in the period."""

    test: Literal["models_published"]
    names: Names


class FrontierLag(Test):
    """Months from one country's first reach of a level of Epoch's index to another's.

    Levels are the records of `subject` (how late were they?) or of `other` (how long until
    `subject` reached them?).
    """

    test: Literal["frontier_lag"]
    subject: str
    other: str
    since: date
    levels: Literal["subject", "other"] = "subject"
    statistic: Literal["mean", "min", "max"]


class AiIndexValue(Test):
    """The figure as an edition of the AI Index prints it, or its lead over another.

    Looked up, not computed again: it shows that a citation is right, and can be no definition of
    a statement's own.
    """

    test: Literal["ai_index_value"]
    edition: int
    series: str
    subject: str
    other: str | None = None
    period: str
    revision: int | None = None


class Outside(Test):
    """Nothing that the sources hold can tell."""

    test: Literal["outside"]


AnyTest = Annotated[
    HubShare
    | HubAmount
    | HubLead
    | HubRank
    | DerivativeShare
    | RepositoriesCreated
    | DatasetsCreated
    | ModelsCreated
    | ModelRank
    | ParameterRatio
    | TrendingDays
    | TrendingWeeks
    | ArenaCount
    | ArenaRank
    | ArenaFirst
    | ArenaLead
    | ArenaAhead
    | NotableCount
    | ModelsPublished
    | FrontierLag
    | AiIndexValue
    | Outside,
    Field(discriminator="test"),
]
TESTS: tuple[str, ...] = tuple(
    get_args(kind.model_fields["test"].annotation)[0] for kind in get_args(get_args(AnyTest)[0])
)
