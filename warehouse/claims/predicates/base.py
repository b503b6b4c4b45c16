"""What the tests share: their base class, the vocabularies, a period and a list of names."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

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
WindowPopulation = Annotated[str, _word_of("window_population")]
WindowAttribution = Annotated[str, _word_of("window_attribution")]


class Test(Strict):
    """A test. Its parameters are columns of raw.claim_trials."""


class Period(Test):
    """A test of a period; both days are part of it."""

    period_from: date
    period_to: date

    @model_validator(mode="after")
    def _forward(self) -> Period:
        if self.period_to < self.period_from:
            raise ValueError("period_to must not be before period_from")
        return self


Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Outside(Test):
    """The sources have no data on it."""

    test: Literal["outside"]
