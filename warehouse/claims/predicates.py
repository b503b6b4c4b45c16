"""The tests that a claim can use: a closed list.

Each class is one test with its parameters; the field `test` is its name. `transforms.claims` has
the computation of the same name. Claims use these tests and never a query of their own.
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
    """A test. Its parameters are columns of raw.claim_trials."""


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


class _Period(Test):
    period_from: date
    period_to: date

    @model_validator(mode="after")
    def _forward(self) -> _Period:
        if self.period_to < self.period_from:
            raise ValueError("period_to must not be before period_from")
        return self


class DerivativeShare(_Period):
    """Share of models created in the period, with a declared parent, on bases of a country."""

    test: Literal["derivative_share"]
    subject: str
    derivative: Literal["finetune", "adapter", "quantized", "merge"] = "finetune"


Names = Annotated[tuple[str, ...], Field(min_length=1)]


class RepositoriesCreated(_Period):
    """How many of the named repositories were created in the period.

    A name is `namespace/repository` and includes its versions (`x/Y` includes `x/Y-7B`); `x/Y*`
    matches all that begin with it. `licenses`: only under one of these.
    """

    test: Literal["repositories_created"]
    names: Names
    licenses: tuple[str, ...] = ()


class DatasetsCreated(_Period):
    """How many of the named datasets were created in the period; names as for repositories."""

    test: Literal["datasets_created"]
    names: Names


class ModelsCreated(_Period):
    """How many models a namespace created in the period."""

    test: Literal["models_created"]
    subject: str
    population: Literal["all", "llm_vlm"] = "all"


class ModelRank(Test):
    """Best rank of the named repositories among all models of the listing by a counter."""

    test: Literal["model_rank"]
    names: Names
    metric: Literal["downloads_30d", "downloads_all_time", "likes", "trending_score"]


class ParameterRatio(Test):
    """Parameters of `subject` divided by those of `other`."""

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
    """Share of observed days on which a country has `places` of the first `top_n`."""

    test: Literal["trending_days"]


class TrendingWeeks(_Trending):
    """Number of weeks with a day on which a country has `places` of the first `top_n`."""

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
    """Best rating of `subject` compared with the best of `other` on one board, in `scale`."""

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

    `around`: the day of the cut-off is unknown, so the vintages before and after the stated day
    give the bounds.
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
    """Months between the days on which two countries first reach a level of Epoch's index.

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


class Outside(Test):
    """The sources have no data on it."""

    test: Literal["outside"]


AnyTest = Annotated[
    HubShare | HubAmount | HubLead | HubRank | DerivativeShare | RepositoriesCreated
    | DatasetsCreated | ModelsCreated | ModelRank | ParameterRatio | TrendingDays | TrendingWeeks
    | ArenaCount | ArenaRank | ArenaFirst | ArenaLead | ArenaAhead | NotableCount | ModelsPublished
    | FrontierLag | AiIndexValue | Outside,
    Field(discriminator="test"),
]  # fmt: skip
TESTS: tuple[str, ...] = tuple(
    get_args(kind.model_fields["test"].annotation)[0] for kind in get_args(get_args(AnyTest)[0])
)
