"""The AI Index figure map of the source card, typed, and the raw tables made from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import polars as pl
from pydantic import model_validator

from warehouse.ai_index.corrections import ai_index_corrections
from warehouse.contracts.source import cards
from warehouse.contracts.table import Strict, contract


class Figure(Strict):
    """How one figure of one edition is read: its header by name, its series, period and unit."""

    edition: int
    figure: str
    header: tuple[str, ...]
    values: dict[str, str]  # column -> series
    subject: str | None = None
    subject_kind: str
    detail: str | None = None
    period: str | None = None
    period_form: str = "year"
    period_is_header: bool = False  # every value column is named after its period
    fixed_period: str | None = None
    unit: str
    value_form: str = "number"
    blank: str | None = None  # what a blank cell means
    basis: str | None = None
    is_point: bool = False

    @model_validator(mode="after")
    def _is_consistent(self) -> Figure:
        if errors := list(self._errors()):
            raise ValueError(f"fig_{self.figure} of {self.edition}: {'; '.join(errors)}")
        return self

    def _errors(self) -> Iterator[str]:
        named = {*self.values, *filter(None, (self.subject, self.detail, self.period))}
        if missing := sorted(named - set(self.header)):
            yield f"the header has no column {', '.join(missing)}"
        periods = (self.period is not None, self.fixed_period is not None, self.period_is_header)
        if sum(periods) != 1:
            yield "give exactly one of period, fixed_period and period_is_header"
        if (self.subject is None) != (self.subject_kind == "none"):
            yield "subject_kind must be none if there is no subject, and only then"
        promised = contract("raw.ai_index_figures").columns
        for name in ("subject_kind", "period_form", "value_form"):
            if getattr(self, name) not in (promised[name].values or ()):
                yield f"{name} must be one of {', '.join(promised[name].values or ())}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row of raw.ai_index_figures for each value column."""
        for column, series in self.values.items():
            yield {
                "series": series,
                "value_index": self._index(column),
                "subject_index": self._index(self.subject),
                "detail_index": self._index(self.detail),
                "period_index": self._index(self.period),
                "period_form": self.period_form if self.period else None,
                "fixed_period": column if self.period_is_header else self.fixed_period,
                **self.model_dump(include=_UNCHANGED),
            }

    def _index(self, column: str | None) -> int | None:
        return None if column is None else self.header.index(column)


_UNCHANGED = {
    *("edition", "figure", "subject_kind", "unit", "value_form", "blank", "basis", "is_point")
}


@cache
def figures() -> tuple[Figure, ...]:
    """Every figure that the source card maps. Raises ValueError for an inconsistent one."""
    mapped = tuple(Figure.model_validate(f) for f in cards()["ai_index"].map["figures"])
    blocked = {(c.edition, f) for c in ai_index_corrections() for f in c.blocks}
    if wrong := sorted(blocked & {(f.edition, f.figure) for f in mapped}):
        listed = ", ".join(f"fig_{figure} of {edition}" for edition, figure in wrong)
        raise ValueError(
            f"warehouse/contracts/sources/ai_index.yml maps figures that corrections.yml blocks as "
            f"wrong: {listed}; remove them"
        )
    return mapped


def figure_rows() -> pl.DataFrame:
    """raw.ai_index_figures: the map with positions instead of header names."""
    rows = [row for figure in figures() for row in figure.rows()]
    return pl.DataFrame(rows, schema=contract("raw.ai_index_figures").polars_schema)


def subject_rows() -> pl.DataFrame:
    """raw.ai_index_subjects: spellings of subjects that are not countries."""
    listed: dict[str, dict[str, list[str]]] = cards()["ai_index"].map["subjects"]
    rows = [
        (kind, spelling, key)
        for kind, keys in listed.items()
        for key, spellings in keys.items()
        for spelling in spellings
    ]
    schema = contract("raw.ai_index_subjects").polars_schema
    return pl.DataFrame(rows, schema=schema, orient="row")


def revision_rows() -> pl.DataFrame:
    """raw.ai_index_revisions: the values of later revisions, numbered within their correction."""
    rows = [
        (c.id, c.edition, c.revision.figure, c.revision.number, line, v.subject, v.period, v.value)
        for c in ai_index_corrections()
        if c.revision
        for line, v in enumerate(c.revision.values, 1)
    ]
    schema = contract("raw.ai_index_revisions").polars_schema
    return pl.DataFrame(rows, schema=schema, orient="row")
