"""Published statements: who said what, what it means, and how it is tested.

They are in `warehouse/claims/statements/*.yml`, one file per topic. Verdicts are not stored there;
they are computed (transforms/mart/claims.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from warehouse.claims.predicates import AnyTest
from warehouse.claims.predicates.base import Test
from warehouse.claims.predicates.publications import AiIndexValue
from warehouse.claims.predicates.rankings import ArenaCount
from warehouse.contracts.table import Strict

Unit = Literal[
    "share", "percent", "downloads", "models", "rank", "probability", "months",
    "arena points", "repositories", "weeks", "ratio", "dollars", "FLOP", "parameters",
    "points", "times", "likes",
]  # fmt: skip


# stated: the source gives its definition. plain: the words have one meaning, like a release date.
# open: the definition is not given, so that no reading of ours can contradict the statement.
Meaning = Literal["stated", "plain", "open"]
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"  # BCP 47: en, hi, zh-Hans


class Measure(Strict):
    """One quantity of a statement: the stated value and how it is measured."""

    id: str
    label: str  # short, for lists: "China"
    unit: Unit
    relation: Literal["equals", "at_least", "at_most", "above", "below", "ahead"]
    stated: float
    tolerance: float = Field(ge=0, default=0.0)
    tolerance_reason: str | None = None
    on: date | None = None  # day of this quantity, if it differs from the claim's
    only_stated: bool = False  # not tested today, such as the state before a change
    check: AnyTest

    @model_validator(mode="after")
    def _tolerance_has_a_reason(self) -> Measure:
        if self.relation == "equals" and self.tolerance_reason is None:
            raise ValueError("relation equals needs tolerance_reason; add it")
        return self


class Definition(Strict):
    """One reading of a statement: other parameters, or another test for a quantity."""

    id: str
    says: str
    is_own: bool = False  # the statement's own meaning, or one of its possible meanings
    # Parameter -> value, for every quantity whose test has the parameter.
    set: dict[str, Any] = Field(default_factory=dict)
    replace: dict[str, AnyTest] = Field(default_factory=dict)  # quantity -> test
    stated: dict[str, float] = Field(default_factory=dict)  # quantity -> another limit
    on: date | None = None  # another day than the claim's, if the wording allows several


class Claim(Strict):
    """One published statement."""

    id: str
    listed_as: tuple[str, ...] = ()  # `claims:<id>`, `observatories:<row>`
    statement: str  # in English, as printed or as a faithful translation
    quote: str | None = None  # the exact words in their own language; null = not found
    quote_language: str | None = Field(default=None, pattern=LANGUAGE)
    publisher: str
    source: str  # who published it, page, figure or time, and how we know it
    url: str | None = Field(default=None, pattern=r"^https://\S+$")
    url_searched_on: date | None = None  # day of a search that found no page
    published_on: date | None = None
    as_of: date | None = None  # the day that it is about; null = not stated
    period: str
    quantity: str
    metric_window: str | None = None
    population: str | None = None
    attribution: str | None = None
    credit: str | None = None
    denominator: str | None = None
    source_definition: str | None = None  # as the source gives it, word for word
    source_definition_language: str = Field(default="en", pattern=LANGUAGE)
    meaning: Meaning
    definition_note: str | None = None  # why our test differs from the source's definition
    hedge: str | None = None  # the source's hedging words, and how the test takes them
    within_days: int = Field(default=31, ge=0)  # how far an observation may be from that day
    untested: str | None = None  # the part of the statement that no quantity covers
    data_needed: str
    measures: tuple[Measure, ...] = Field(min_length=1)
    definitions: tuple[Definition, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_testable(self) -> Claim:
        if errors := list(self._errors()):
            raise ValueError("; ".join(errors))
        return self

    def _errors(self) -> Iterator[str]:
        yield from self._errors_of_the_source()
        yield from self._errors_of_the_tests()

    def _errors_of_the_source(self) -> Iterator[str]:
        if (self.quote is None) != (self.quote_language is None):
            yield "quote and quote_language belong together; give both, such as quote_language: hi"
        if self.url and self.url_searched_on:
            yield "remove url_searched_on; it is for statements whose page was not found"
        if not self.url and not self.url_searched_on:
            yield "give url, or url_searched_on: the day of a search that found no page"
        if self.meaning == "stated" and not self.source_definition:
            yield (
                "meaning stated needs source_definition, the source's own words; without them use "
                "meaning open, or plain if the words have only one meaning"
            )

    def _errors_of_the_tests(self) -> Iterator[str]:
        for kind, names in (
            ("quantity", [m.id for m in self.measures]),
            ("definition", [d.id for d in self.definitions]),
        ):
            if twice := sorted(n for n, count in Counter(names).items() if count > 1):
                yield f"duplicate {kind}: {', '.join(twice)}"
        if not any(d.is_own for d in self.definitions):
            yield "no definition has is_own; mark what the statement itself means"
        if all(is_about_the_past_only(d, m, c) for d, m, c in self._own()):
            yield "no definition with is_own can be tested today"
        for each in self.definitions:
            named = {*each.replace, *each.stated}
            if lost := sorted(named - {m.id for m in self.measures}):
                yield f"definition {each.id} names unknown quantities: {', '.join(lost)}"
            looked_up = [m.id for m in self.measures if _is_look_up(self._replaced(m, each))]
            if each.is_own and looked_up:
                yield (
                    f"definition {each.id} has is_own but only looks up {', '.join(looked_up)}; a "
                    "look-up does not test the statement"
                )
            taken = {f for m in self.measures for f in type(self._replaced(m, each)).model_fields}
            if unread := sorted(set(each.set) - taken):
                yield f"definition {each.id} sets unknown parameters: {', '.join(unread)}"
            yield from self._invalid_parameters(each)

    def _own(self) -> Iterator[tuple[Definition, Measure, Test]]:
        own = (d for d in self.definitions if d.is_own)
        yield from ((d, m, self._replaced(m, d)) for d in own for m in self.measures)

    def _invalid_parameters(self, definition: Definition) -> Iterator[str]:
        """Parameters that a definition sets to a value that its tests do not allow."""
        for measure in self.measures:
            try:
                self._as_defined(measure, definition)
            except ValidationError as error:
                for each in error.errors():
                    field = ".".join(map(str, each["loc"]))
                    yield f"definition {definition.id}, {measure.id}, {field}: {each['msg']}"

    def _replaced(self, measure: Measure, definition: Definition) -> Test:
        return definition.replace.get(measure.id, measure.check)

    def _as_defined(self, measure: Measure, definition: Definition) -> Test:
        plain = self._replaced(measure, definition)
        changed = {k: v for k, v in definition.set.items() if k in type(plain).model_fields}
        return type(plain).model_validate({**plain.model_dump(), **changed})

    def trials(self) -> Iterator[tuple[Definition, Measure, Test]]:
        """Every definition and quantity, with its test under that definition."""
        for definition in self.definitions:
            for measure in self.measures:
                yield definition, measure, self._as_defined(measure, definition)


def is_about_the_past_only(definition: Definition, measure: Measure, test: Test) -> bool:
    """Whether it cannot be tested today, because it names another day or a past period."""
    over_a_period = isinstance(test, ArenaCount) and test.period_from is not None
    return measure.only_stated or definition.on is not None or over_a_period


def _is_look_up(test: Test) -> bool:
    return isinstance(test, AiIndexValue)
