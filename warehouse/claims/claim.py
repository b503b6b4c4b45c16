"""Published statements: who said what, what it means, and how it is tested.

They are in `warehouse/claims/statements/*.yml`, one file per topic. Verdicts are not stored there;
they are computed (transforms/mart/claims.py).
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
    """Invalid files of claims; the message lists every error with its file and line."""


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
    listed_as: tuple[str, ...] = Field(min_length=1)  # `claims:<id>`, `observatories:<row>`
    statement: str
    publisher: str
    source: str  # where we found it
    url: str | None = None
    published_on: date | None = None
    as_of: date | None = None  # the day that it is about; null = not stated
    period: str
    quantity: str
    metric_window: str | None = None
    population: str | None = None
    attribution: str | None = None
    credit: str | None = None
    denominator: str | None = None
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
        for kind, names in (
            ("quantity", [m.id for m in self.measures]),
            ("definition", [d.id for d in self.definitions]),
        ):
            if twice := sorted(n for n, count in Counter(names).items() if count > 1):
                yield f"duplicate {kind}: {', '.join(twice)}"
        if not any(d.is_own for d in self.definitions):
            yield "no definition has is_own; mark what the statement itself means"
        if all(_is_about_the_past_only(d, m, c) for d, m, c in self._own()):
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


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of one file. Raises ClaimError with file, line and field of every error."""
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
    """Line of the deepest part of the document on the path `place`."""
    line = 1
    for part in place:
        children = dict(_children(node))
        if part not in children:
            continue  # pydantic adds the variant of a test to the path
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
                raise ClaimError(f"{path}: duplicate claim {claim.id}, also in {where[claim.id]}")
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
            "only_stated": _is_about_the_past_only(definition, measure, test),
            **measure.model_dump(exclude={"id", "stated", "on", "check", "only_stated"}),
            **{k: _flat(v) for k, v in test.model_dump().items()},
        }
        for claim in claims()
        for position, (definition, measure, test) in enumerate(claim.trials())
    ]
    return pl.DataFrame(rows, schema=contract("raw.claim_trials").polars_schema)


def _is_about_the_past_only(definition: Definition, measure: Measure, test: Test) -> bool:
    """Whether it cannot be tested today, because it names another day or a past period."""
    over_a_period = isinstance(test, ArenaCount) and test.period_from is not None
    return measure.only_stated or definition.on is not None or over_a_period


def _is_look_up(test: Test) -> bool:
    return isinstance(test, AiIndexValue)


def _flat(value: object) -> object:
    """Lists as text, one item per line, for BI tools; null if empty."""
    return "\n".join(value) or None if isinstance(value, tuple) else value
