"""Great Expectations' classes, answered from one metric per table.

Each of them would ask for metrics of its own, in two statements or more, and be copied and made
anew for every use: for small tables that takes a hundred times longer than the queries. Importing
this module takes 3 to 5 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from great_expectations import ExpectationSuite, expectations
from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.core.result_format import ResultFormat
from great_expectations.execution_engine.sqlalchemy_execution_engine import (
    SqlAlchemyExecutionEngine,
)
from great_expectations.expectations import expectation, expectation_configuration
from great_expectations.expectations.metrics import metric_provider, table_metric_provider
from great_expectations.validator import metric_configuration, validator
from sqlalchemy.exc import SQLAlchemyError

from expectations.answers import Answers, NotRun, Question, Rows, StatementError, answer
from expectations.context import GxObject
from expectations.suites import Check, select_failing_rows

gxe: GxObject = expectations  # its own types do not name the classes that it exports
Expectation: GxObject = expectation.Expectation
ExpectationConfiguration: GxObject = expectation_configuration.ExpectationConfiguration
TableMetricProvider: GxObject = table_metric_provider.TableMetricProvider

METRIC = "table.answers"
_FORMAT = {"result_format": ResultFormat.BASIC, "partial_unexpected_count": 20}
_FORMAT |= {"include_unexpected_rows": False}


class CheckNotRunError(Exception):
    """A check has no answer; Great Expectations records the message."""


class TableAnswers(TableMetricProvider):  # type: ignore[misc]
    """The answers to all questions about one table: `expectations.answers.answer`."""

    metric_name = METRIC
    value_keys = ("question",)

    @metric_provider.metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls: GxObject,  # noqa: N805  Great Expectations passes the class
        execution_engine: GxObject,
        metric_value_kwargs: Mapping[str, Question],
        **_: object,
    ) -> Answers:
        with execution_engine.engine.connect() as connection:

            def query(sql: str) -> Rows:
                try:
                    return list(connection.exec_driver_sql(sql).fetchall())
                except SQLAlchemyError as error:
                    raise StatementError(str(error)) from error

            return answer(query, metric_value_kwargs["question"])


class _KnownConfiguration(ExpectationConfiguration):  # type: ignore[misc]
    """The configuration of an expectation that exists already.

    Great Expectations copies a configuration three times and makes the expectation from it twice.
    """

    expectation: GxObject = None

    def to_domain_obj(self) -> GxObject:
        return self.expectation

    def described(self, text: str | None) -> GxObject:
        """An ordinary configuration with another description."""
        return ExpectationConfiguration(
            type=self.type,
            kwargs=self.kwargs,
            meta=self.meta,
            description=text,
            severity=self.severity,
        )

    def process_suite_parameters(self, *_: object, **__: object) -> None:
        """Our expectations have no parameters."""

    def __deepcopy__(self, memo: object) -> GxObject:
        copied = self.__class__.__new__(self.__class__)
        copied.__dict__.update(self.__dict__, _kwargs=dict(self.kwargs))
        return copied


class _Answered(Expectation):  # type: ignore[misc]
    """An expectation whose metrics are in the answers of its table."""

    _configuration: GxObject = PrivateAttr(default=None)
    _needs: GxObject = PrivateAttr(default=None)

    @property
    def configuration(self) -> GxObject:
        """Computed once: Great Expectations reads it dozens of times per expectation."""
        if self._configuration is None:
            self._configuration = super().configuration
            self._configuration.__class__ = _KnownConfiguration
            self._configuration.expectation = self
        return self._configuration

    def get_validation_dependencies(self, *_: object, **__: object) -> GxObject:
        return self._needs

    def metrics_validate(self, metrics: Mapping[object, Answers], **_: object) -> GxObject:
        answers = metrics[self._needs.metric_configurations[METRIC].id]
        position = self.meta["position"]
        found = self._found(answers, answers.failing.get(position))
        for value in found.values():
            if isinstance(value, NotRun):
                raise CheckNotRunError(value.error)
        return self._build_evr(self._validate(found, {"result_format": _FORMAT}))

    def _found(self, answers: Answers, failing: int | NotRun | None) -> dict[str, Any]:
        """What Great Expectations' own class expects, by the name of its metric."""
        raise NotImplementedError


class _OfColumn(_Answered):
    def _found(self, answers: Answers, failing: int | NotRun | None) -> dict[str, Any]:
        if answers.n_rows == failing == 0:
            failing = None  # Great Expectations' own sum over an empty table is null
        return {
            "table.row_count": answers.n_rows,
            "column_values.nonnull.unexpected_count": answers.nulls.get(self.column),
            f"{self.map_metric}.unexpected_count": failing,
        }


class ColumnValuesAreNotNull(_OfColumn, gxe.ExpectColumnValuesToNotBeNull):  # type: ignore[misc]
    """No value is null."""


class ColumnValuesAreInSet(_OfColumn, gxe.ExpectColumnValuesToBeInSet):  # type: ignore[misc]
    """Every value is one of a list."""


class ColumnValuesAreBetween(_OfColumn, gxe.ExpectColumnValuesToBeBetween):  # type: ignore[misc]
    """Every value is in a closed range."""


class TableRowCountIsBetween(_Answered, gxe.ExpectTableRowCountToBeBetween):  # type: ignore[misc]
    """The number of rows is in a closed range."""

    def _found(self, answers: Answers, failing: int | NotRun | None) -> dict[str, Any]:
        return {"table.row_count": answers.n_rows}


class TableColumnsAre(_Answered, gxe.ExpectTableColumnsToMatchOrderedList):  # type: ignore[misc]
    """The table has these columns, in this order."""

    def _found(self, answers: Answers, failing: int | NotRun | None) -> dict[str, Any]:
        return {"table.columns": answers.columns}


class QueryFindsNoRows(_Answered, gxe.UnexpectedRowsExpectation):  # type: ignore[misc]
    """A query that selects the failing rows finds none; the observed value is their number."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _found(self, answers: Answers, failing: int | NotRun | None) -> dict[str, Any]:
        return {self.metric_dependencies[0]: failing}

    def _validate(self, metrics: Mapping[str, Any], *_: object) -> dict[str, Any]:
        (count,) = metrics.values()
        return {"success": count == 0, "result": {"observed_value": count}}


CLASSES: Mapping[str, GxObject] = {
    "expect_column_values_to_not_be_null": ColumnValuesAreNotNull,
    "expect_column_values_to_be_in_set": ColumnValuesAreInSet,
    "expect_column_values_to_be_between": ColumnValuesAreBetween,
    "expect_table_row_count_to_be_between": TableRowCountIsBetween,
    "expect_table_columns_to_match_ordered_list": TableColumnsAre,
}


def suite_for(question: Question) -> ExpectationSuite:
    """The checks of a table as a suite. `meta.position` links a result to its check."""
    asked = metric_configuration.MetricConfiguration(METRIC, {}, {"question": question})
    needs = validator.ValidationDependencies({METRIC: asked}, _FORMAT)
    return ExpectationSuite(question.table, expectations=_expectations(question.checks, needs))


def _expectations(checks: Sequence[Check], needs: object) -> list[GxObject]:
    made = [_expectation(check, at) for at, check in enumerate(checks)]
    for each in made:
        each._needs = needs
    return made


def _expectation(check: Check, position: int) -> GxObject:
    arguments = check.arguments
    kind = QueryFindsNoRows if arguments is None else CLASSES[check.name]
    if arguments is None:
        # Escape what Great Expectations reads as {fields} and SQLAlchemy as :parameters.
        sql = (check.failing_rows or "").replace("{", "{{").replace("}", "}}").replace(":", r"\:")
        arguments = {"unexpected_rows_query": select_failing_rows("{batch}", sql)}
    return kind(
        **arguments,
        severity=check.severity,
        description=check.description,
        meta={"position": position},
    )
