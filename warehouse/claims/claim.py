"""The claim ledger's statements: who said what, what it means, and how it is put to the test.

`warehouse/claims/*.yml` hold them, one file a topic. A verdict stands in none of them: it is
computed (transforms/mart/claims.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import polars as pl
import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from warehouse.claims.predicates import AiIndexValue, AnyTest, ArenaCount, Test
from warehouse.contracts.table import Strict, contract

CLAIMS = Path(__file__).parent / "statements"

Unit = Literal[
    "share", "percent", "downloads", "models", "rank", "probability", "months",
    "arena points", "repositories", "weeks", "ratio",
]  # fmt: skip


class ClaimError(ValueError):
    """A file of claims that cannot be used; every finding has its file and line."""


class Measure(Strict):
    """One quantity of a statement: what was said of it and how it is measured."""

    id: str
    label: str  # short, for lists: "China"
    unit: Unit
    relation: Literal["equals", "at_least", "at_most", "above", "below", "ahead"]
    stated: float
    tolerance: float = Field(ge=0, default=0.0)
    tolerance_reason: str | None = None
    on: date | None = None  # the day that this quantity is about, where it is not the claim's
    only_stated: bool = False  # says nothing of today, such as how it was before a change
    check: AnyTest

    @model_validator(mode="after")
    def _tolerance_has_a_reason(self) -> Measure:
        if self.relation == "equals" and self.tolerance_reason is None:
            raise ValueError("`equals` needs a tolerance and its reason")
        return self


class Definition(Strict):
    """One reading of a statement: parameters that differ, or another test for a quantity."""

    id: str
    says: str
    is_own: bool = False  # what the statement itself means, or may mean
    # Parameter -> value, for every quantity whose test has the parameter.
    set: dict[str, Any] = Field(default_factory=dict)
    replace: dict[str, AnyTest] = Field(default_factory=dict)  # quantity -> test
    stated: dict[str, float] = Field(default_factory=dict)  # quantity -> another limit
    on: date | None = None  # another day than the claim's, where the words allow several


class Claim(Strict):
    """One published statement."""

    id: str
    listed_as: tuple[str, ...] = Field(min_length=1)  # `claims:<id>`, `observatories:<row>`
    statement: str
    publisher: str
    source: str  # where we have it from
    url: str | None = None
    published_on: date | None = None
    as_of: date | None = None  # the day it speaks of; null = it does not say
    period: str
    quantity: str
    metric_window: str | None = None
    population: str | None = None
    attribution: str | None = None
    credit: str | None = None
    denominator: str | None = None
    within_days: int = Field(default=31, ge=0)  # how far an observation may lie from that day
    untested: str | None = None  # what of the statement no quantity covers
    data_needed: str
    measures: tuple[Measure, ...] = Field(min_length=1)
    definitions: tuple[Definition, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_tried(self) -> Claim:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        for kind, names in (
            ("quantity", [m.id for m in self.measures]),
            ("definition", [d.id for d in self.definitions]),
        ):
            if twice := sorted(n for n, count in Counter(names).items() if count > 1):
                yield f"{kind} {twice} stands twice"
        if not any(d.is_own for d in self.definitions):
            yield "no definition is its own"
        if all(_is_of_its_day_alone(d, m, c) for d, m, c in self._own()):
            yield "nothing of its own could be said today"
        for each in self.definitions:
            named = {*each.replace, *each.stated}
            if lost := sorted(named - {m.id for m in self.measures}):
                yield f"definition {each.id} names {lost}: no such quantity"
            looked_up = [m.id for m in self.measures if _is_look_up(self._replaced(m, each))]
            if each.is_own and looked_up:
                yield f"definition {each.id} is its own: looking {looked_up} up tests nothing"
            taken = {f for m in self.measures for f in type(self._replaced(m, each)).model_fields}
            if unread := sorted(set(each.set) - taken):
                yield f"definition {each.id} sets {unread}: no test of it has that"
            yield from self._refused(each)

    def _own(self) -> Iterator[tuple[Definition, Measure, Test]]:
        own = (d for d in self.definitions if d.is_own)
        yield from ((d, m, self._replaced(m, d)) for d in own for m in self.measures)

    def _refused(self, definition: Definition) -> Iterator[str]:
        """What a definition sets and its tests do not allow."""
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
        """Every definition and quantity with the test as that definition has it."""
        for definition in self.definitions:
            for measure in self.measures:
                yield definition, measure, self._as_defined(measure, definition)


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of one file. Raises ClaimError with file, line and field of every finding."""
    text = path.read_text(encoding="utf-8")
    try:
        return TypeAdapter(tuple[Claim, ...]).validate_python(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ClaimError(f"{path}: {error}") from error
    except ValidationError as error:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = [
            f"{path}:{_line(root, e['loc'])}: {'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors()
        ]
        raise ClaimError("\n".join(lines)) from error


def _line(node: yaml.Node | None, place: tuple[int | str, ...]) -> int:
    """Line of the deepest part of the document that a finding's place leads to."""
    line = 1
    for part in place:
        children = dict(_children(node))
        if part not in children:
            continue  # pydantic names the variant of a test on the way
        node = children[part]
        line = int(node.start_mark.line) + 1
    return line


def _children(node: yaml.Node | None) -> Iterator[tuple[int | str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim of the repository, by id. Raises ClaimError."""
    files = {path: read_claims(path) for path in sorted(CLAIMS.glob("*.yml"))}
    where: dict[str, Path] = {}
    for path, found in files.items():
        for claim in found:
            if claim.id in where:
                raise ClaimError(f"{path}: {claim.id} stands in {where[claim.id]} already")
            where[claim.id] = path
    return tuple(sorted((c for found in files.values() for c in found), key=lambda c: c.id))


def claim_rows() -> pl.DataFrame:
    """raw.claims: one row per statement."""
    schema = contract("raw.claims").polars_schema
    rows = [
        {
            "claim_id": c.id,
            "listed_as": ", ".join(c.listed_as),
            **c.model_dump(include=set(schema) - {"claim_id", "listed_as"}),
        }
        for c in claims()
    ]
    return pl.DataFrame(rows, schema=schema)


def trial_rows() -> pl.DataFrame:
    """raw.claim_trials: one row per statement, definition and quantity, with its test."""
    rows = [
        {
            "claim_id": claim.id,
            "definition_id": definition.id,
            "measure_id": measure.id,
            "position": position,
            "definition": definition.says,
            "is_own": definition.is_own,
            "target_date": definition.on or measure.on or claim.as_of,
            "within_days": claim.within_days,
            "stated_value": definition.stated.get(measure.id, measure.stated),
            "only_stated": _is_of_its_day_alone(definition, measure, test),
            **measure.model_dump(exclude={"id", "stated", "on", "check", "only_stated"}),
            **{k: _flat(v) for k, v in test.model_dump().items()},
        }
        for claim in claims()
        for position, (definition, measure, test) in enumerate(claim.trials())
    ]
    return pl.DataFrame(rows, schema=contract("raw.claim_trials").polars_schema)


def _is_of_its_day_alone(definition: Definition, measure: Measure, test: Test) -> bool:
    """Whether it says nothing of today: another day or a period of the past is named."""
    over_a_period = isinstance(test, ArenaCount) and test.period_from is not None
    return measure.only_stated or definition.on is not None or over_a_period


def _is_look_up(test: Test) -> bool:
    return isinstance(test, AiIndexValue)


def _flat(value: object) -> object:
    """Lists as BI tools can hold them; an empty one is no list."""
    return "\n".join(value) or None if isinstance(value, tuple) else value
