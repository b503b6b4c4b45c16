"""Great Expectations' classes, asked to count the rows at fault and not to list them as well.

Each of them runs its question twice, once for the number and once for some of the rows; ours are
listed in order and only when there are any (`expectations.validate`). Importing takes 3 to 5 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from great_expectations import expectations

from expectations.context import GxObject

gxe: GxObject = expectations  # its own types do not name the classes that it exports


class _Counts:
    """A column's expectation without the metric that fetches values."""

    def get_validation_dependencies(self: GxObject, *args: object, **kwargs: object) -> GxObject:
        needed = super().get_validation_dependencies(*args, **kwargs)  # type: ignore[misc]
        needed.metric_configurations.pop(f"{self.map_metric}.unexpected_values", None)
        return needed


class ColumnValuesAreNotNull(_Counts, gxe.ExpectColumnValuesToNotBeNull):  # type: ignore[misc]
    """No value is null."""


class ColumnValuesAreInSet(_Counts, gxe.ExpectColumnValuesToBeInSet):  # type: ignore[misc]
    """Every value is one of a list."""


class ColumnValuesAreBetween(_Counts, gxe.ExpectColumnValuesToBeBetween):  # type: ignore[misc]
    """Every value lies in a closed range."""


class QueryFindsNoRows(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]
    """A query that selects the rows at fault selects none; the observed value is their number."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(self, metrics: Mapping[str, Any], **_: object) -> dict[str, Any]:
        (name,) = self.metric_dependencies
        return {"success": metrics[name] == 0, "result": {"observed_value": metrics[name]}}


CLASSES: Mapping[str, GxObject] = {
    "expect_column_values_to_not_be_null": ColumnValuesAreNotNull,
    "expect_column_values_to_be_in_set": ColumnValuesAreInSet,
    "expect_column_values_to_be_between": ColumnValuesAreBetween,
    "expect_table_row_count_to_be_between": gxe.ExpectTableRowCountToBeBetween,
    "expect_table_columns_to_match_ordered_list": gxe.ExpectTableColumnsToMatchOrderedList,
}
