"""Runs Great Expectations inside DuckDB and turns its results into records.

Tables of a build and of a release's DuckDB file, read back from storage, are validated in the same
way. Only the few failing rows leave DuckDB.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.answers import Question
from expectations.context import GxObject, ephemeral_context
from expectations.report import Outcome, Report, Result, ValidationError
from expectations.rule import Rule
from expectations.rules import rules_for
from expectations.suites import (
    COLUMN_ORDER,
    ROW_COUNT,
    Check,
    checks_for,
    select_failing_rows,
)
from warehouse.contracts.table import Contract, ContractError, contracts
from warehouse.database.duckdb_file import attach_unpublished, unpublished_path

if TYPE_CHECKING:
    from sqlalchemy import Engine

ROWS_SHOWN = 20
CELL_LENGTH = 200
_BATCH = "all"
# Without the last two a finished query is rolled back and its result lost ("[]").
_ENGINE: Mapping[str, object] = {
    "connect_args": {"read_only": True},
    "isolation_level": "AUTOCOMMIT",
    "skip_autocommit_rollback": True,
}


def validate_database(
    path: Path,
    tables: Sequence[str],
    stage: str,
    *,
    alone: bool = False,
    known: Mapping[str, Contract] | None = None,
    rules: Sequence[Rule] | None = None,
) -> Report:
    """Check every promise and rule of the tables in a closed, checkpointed DuckDB file.

    The file is opened read-only and closed again. With `alone`, as for a release without the tables
    that their license withholds, references and rules that read other tables are skipped. `known`
    and `rules` replace the repository's contracts and RULES. Raises ContractError for a table
    without a contract and ValidationError if the file cannot be opened.
    """
    if not path.is_file():
        raise ValidationError(f"stage {stage}: no database at {path}; build it first")
    questions = []
    for table in tables:
        promised = _contract(table, known)
        checks = checks_of(promised, alone=alone, rules=rules)
        questions.append(Question(table, promised.sql_name, checks))
    return ask(path, questions, stage)


def checks_of(
    promised: Contract, *, alone: bool = False, rules: Sequence[Rule] | None = None
) -> list[Check]:
    """Every check of a table; with `alone`, without those that read other tables."""
    runnable = [r for r in rules_for(promised, rules) if not (alone and r.needs_database)]
    return [*checks_for(promised, with_references=not alone), *(r.check() for r in runnable)]


def _contract(table: str, known: Mapping[str, Contract] | None) -> Contract:
    try:
        return (contracts() if known is None else known)[table]
    except KeyError:
        raise ContractError(
            f"{table} cannot be validated: it has no contract in warehouse/contracts/tables"
        ) from None


def ask(database: Path, questions: Sequence[Question], stage: str) -> Report:
    """Great Expectations' results of one suite per table.

    Raises ValidationError if the file cannot be opened.
    """
    results: list[Result] = []
    with ephemeral_context() as context, opened(context, database, questions) as datasource:
        for question in questions:
            found = _run_checks(datasource, question)
            results += _results(datasource.get_engine(), question, found, stage)
    return Report(tuple(sorted(results, key=lambda r: r.sort_key)))


@contextmanager
def opened(context: GxObject, database: Path, questions: Sequence[Question]) -> Iterator[GxObject]:
    """A data source on a DuckDB file with one asset per table; closed at the end.

    All assets are added at once: each addition would write the whole configuration again.
    """
    assets = [
        {
            "name": each.table,
            "type": "query",
            "query": f"SELECT * FROM {each.rows}",
            "batch_definitions": [{"name": _BATCH}],
        }
        for each in questions
    ]
    address = _address(str(database))
    try:
        datasource = context.data_sources.add_sql(
            "warehouse", connection_string=address, kwargs=_ENGINE, assets=assets
        )
    except ConnectionError as error:
        raise ValidationError(
            f"{database} cannot be opened for validation: {_plain(str(error))}. "
            "Close every connection to it first, also in this process."
        ) from error
    try:
        if unpublished_path(database).exists():
            with datasource.get_engine().connect() as connection:
                connection.exec_driver_sql(attach_unpublished(database, read_only=True))
        yield datasource
    finally:
        # Both keep the file open, and then nothing in this process can write to it.
        datasource.get_engine().dispose()
        datasource.get_execution_engine().engine.dispose()


def _address(database: str) -> str:
    from sqlalchemy import URL  # noqa: PLC0415 - see ephemeral_context

    if "$" in database:
        raise ValidationError(
            f"cannot validate {database}: Great Expectations reads $ in a path as a variable; "
            "use a folder without $ in its name"
        )
    return URL.create("duckdb", database=database).render_as_string()


def _run_checks(datasource: GxObject, question: Question) -> GxObject:
    """All checks of one table at once. A checkpoint would take 50 % longer."""
    from great_expectations.validator.v1_validator import Validator  # noqa: PLC0415

    from expectations.counting import suite_for  # noqa: PLC0415 - see ephemeral_context

    batch = datasource.get_asset(question.table).get_batch_definition(_BATCH)
    validator = Validator(batch_definition=batch, result_format="BASIC")
    return validator.validate_expectation_suite(suite_for(question))


def _results(engine: Engine, question: Question, found: GxObject, stage: str) -> Iterator[Result]:
    """One record per check; the failing rows are added to Great Expectations' results."""
    by_position = {each.expectation_config.meta["position"]: each for each in found.results}
    results = [(check, by_position[at]) for at, check in enumerate(question.checks)]
    n_rows = next((r.result.get("observed_value") for c, r in results if c.name == ROW_COUNT), None)
    for check, result in results:
        outcome, count, details = _outcome(check, result)
        if outcome == "failed" and check.failing_rows is not None:
            details = _failing_rows(engine, question, check.failing_rows)
            _show_rows(check, result.result, details)
        yield Result(
            stage,
            question.table,
            check.name,
            check.column,
            check.severity,
            outcome,
            None if outcome == "not_run" else n_rows,
            count,
            json.dumps(details, ensure_ascii=False) if details else None,
            check.description,
        )


def _show_rows(check: Check, result: dict[str, Any], details: Mapping[str, Any]) -> None:
    """Puts the rows where the Data Docs look for them."""
    rows = details.get("rows", [])
    if check.arguments is None:
        result["observed_value"] = f"{result['observed_value']} failing rows, such as {rows[:3]}"
    else:
        result["partial_unexpected_list"] = rows


def _outcome(check: Check, found: GxObject) -> tuple[Outcome, int | None, dict[str, Any]]:
    """Outcome, number of failing rows, and what else is known without another query."""
    error = _error(found.exception_info)
    if error is not None:
        return "not_run", None, {"error": error}
    result = found.result
    count = None
    if check.failing_rows is not None:  # an empty table has no count at all
        count = result.get("observed_value" if check.arguments is None else "unexpected_count", 0)
    if found.success:
        return "passed", count, {}
    return "failed", count, _observed(check, result)


def _observed(check: Check, result: Mapping[str, Any]) -> dict[str, Any]:
    observed = result.get("observed_value")
    if check.name != COLUMN_ORDER or check.arguments is None:
        return {"observed": observed}
    promised, found = check.arguments["column_list"], list(observed or [])
    return {
        "missing": [c for c in promised if c not in found],
        "unexpected": [c for c in found if c not in promised],
        "observed": found,
    }


def _error(info: Mapping[str, Any]) -> str | None:
    """Why a check could not run, or None. There is one entry, or one per metric."""
    entries = [info] if "raised_exception" in info else [info[key] for key in sorted(info)]
    for entry in entries:
        if entry["raised_exception"]:
            return _plain(str(entry["exception_message"]))
    return None


def _plain(message: str) -> str:
    """A driver's message on one line, without the statement and the link that follow it."""
    return " ".join(re.split(r"\[SQL:|\(Background on", message, maxsplit=1)[0].split())


def _failing_rows(engine: Engine, question: Question, sql: str) -> dict[str, Any]:
    """Up to 20 failing rows, always the same ones; Great Expectations would take any."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - see ephemeral_context

    query = f"{select_failing_rows(question.rows, sql)} ORDER BY ALL LIMIT {ROWS_SHOWN}"
    try:
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(query).mappings().all()
    except SQLAlchemyError as error:
        return {"error": f"the rows could not be listed: {_plain(str(error))}"}
    return {"rows": [{name: _cell(value) for name, value in row.items()} for row in rows]}


def _cell(value: object) -> object:
    """A value that JSON can hold; long texts are cut."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = str(value)
    return text if len(text) <= CELL_LENGTH else text[: CELL_LENGTH - 1] + "…"
