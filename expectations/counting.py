"""Great Expectations' classes with less work: they count the failing rows and do not list them.

Each of them queries twice, once for the number of failing rows and once for some of them;
`expectations.validate` lists them in a fixed order, and only where there are any. Importing this
module takes 3 to 5 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations import expectations
from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.expectations import expectation

from expectations.context import GxObject

gxe: GxObject = expectations  # its own types do not name the classes that it exports
Expectation: GxObject = expectation.Expectation


class _Configured(Expectation):  # type: ignore[misc]
    """An expectation that computes its configuration once.

    Great Expectations reads it about 70 times per expectation and computes it each time, which is
    a third of the time for a small table. Expectations do not change here once they are made.
    """

    _known: GxObject = PrivateAttr(default=None)

    @property
    def configuration(self) -> GxObject:
        if self._known is None:
            self._known = super().configuration
        return self._known


class _Counts(_Configured):
    """A column's expectation without the metric that fetches values."""

    def get_validation_dependencies(self: GxObject, *args: object, **kwargs: object) -> GxObject:
        needed = super().get_validation_dependencies(*args, **kwargs)
        needed.metric_configurations.pop(f"{self.map_metric}.unexpected_values", None)
        return needed


class ColumnValuesAreNotNull(_Counts, gxe.ExpectColumnValuesToNotBeNull):  # type: ignore[misc]
    """No value is null."""


class ColumnValuesAreInSet(_Counts, gxe.ExpectColumnValuesToBeInSet):  # type: ignore[misc]
    """Every value is one of a list."""


class ColumnValuesAreBetween(_Counts, gxe.ExpectColumnValuesToBeBetween):  # type: ignore[misc]
    """Every value is in a closed range."""


class TableRowCountIsBetween(_Configured, gxe.ExpectTableRowCountToBeBetween):  # type: ignore[misc]
    """The number of rows is in a closed range."""


class TableColumnsAre(_Configured, gxe.ExpectTableColumnsToMatchOrderedList):  # type: ignore[misc]
    """The table has these columns, in this order."""


class QueryFindsNoRows(_Configured, gxe.UnexpectedRowsExpectation):  # type: ignore[misc]
    """A query that selects the failing rows finds none; the observed value is their number."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(self, metrics: Mapping[str, Any], **_: object) -> dict[str, Any]:
        (name,) = self.metric_dependencies
        return {"success": metrics[name] == 0, "result": {"observed_value": metrics[name]}}


CLASSES: Mapping[str, GxObject] = {
    "expect_column_values_to_not_be_null": ColumnValuesAreNotNull,
    "expect_column_values_to_be_in_set": ColumnValuesAreInSet,
    "expect_column_values_to_be_between": ColumnValuesAreBetween,
    "expect_table_row_count_to_be_between": TableRowCountIsBetween,
    "expect_table_columns_to_match_ordered_list": TableColumnsAre,
}
