"""What a table's checks find: one statement for checks on rows, others alone, faults apart."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from expectations.answers import NotRun, Question, Rows, StatementError, answer
from expectations.rule import Rule
from expectations.suites import Check, checks_for
from tests.support.validation import MODELS, models, result, rows, validate

ON_ROWS = Rule(
    "rank_is_positive",
    MODELS.table,
    "warning",
    "Positive.",
    "SELECT model_id, rank FROM {batch} WHERE rank <= 0 OR rank IS DISTINCT FROM rank",
)


def asked(path: Path, checks: list[Check]) -> tuple[list[str], dict[str, int | NotRun]]:
    """The statements, and the numbers of failing rows by check and column."""
    statements = []
    with duckdb.connect(str(path), read_only=True) as con:

        def query(sql: str) -> Rows:
            statements.append(sql)
            try:
                return con.execute(sql).fetchall()
            except duckdb.Error as error:
                raise StatementError(str(error)) from error

        found = answer(query, Question(MODELS.table, MODELS.sql_name, checks))
    return statements, {
        f"{checks[at].name} {checks[at].column or ''}".strip(): n for at, n in found.failing.items()
    }


def test_checks_on_rows_are_one_statement(tmp_path: Path) -> None:
    checks = [*checks_for(MODELS, with_references=False), ON_ROWS.check()]
    fault = "UPDATE core.models SET n = -1, rank = 0, share = 'nan' WHERE model_id = 'b'"
    statements, found = asked(models(tmp_path, fault), checks)
    assert len(statements) == 2 and "DESCRIBE" in statements[0]
    assert {name for name, n in found.items() if n} == {
        "expect_column_values_to_be_between n",
        "values_are_finite share",
        "rank_is_positive",
    }


def test_only_suspected_duplicates_are_grouped(tmp_path: Path) -> None:
    checks = checks_for(MODELS, with_references=False)
    sound, _ = asked(models(tmp_path), checks)
    assert not any("GROUP BY" in sql for sql in sound)
    (tmp_path / "twice").mkdir()
    fault = "INSERT INTO core.models FROM core.models WHERE model_id = 'b'"
    statements, found = asked(models(tmp_path / "twice", fault, fault), checks)
    assert any("GROUP BY" in sql for sql in statements)
    assert found["key_is_unique"] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT DISTINCT kind FROM {batch} WHERE n > 5",
        "SELECT kind, count(*) AS n FROM {batch} WHERE n > 5 GROUP BY ALL",
        "SELECT n FROM {batch} AS b WHERE b.n > 5",
        "SELECT n FROM {batch} WHERE n = (SELECT max(n) FROM {batch})",
        "SELECT n FROM {batch} WHERE n > 5 LIMIT 1",
        "SELECT n FROM {batch} WHERE n > 5 UNION ALL SELECT n FROM {batch} WHERE n < 0",
        "SELECT n FROM {batch} WHERE true QUALIFY row_number() OVER (ORDER BY n) > 1",
        "SELECT n FROM (SELECT n FROM {batch}) WHERE n > 5",
        "FROM {batch} SELECT n WHERE n > 5",
    ],
)
def test_rule_with_groups_or_other_reads_has_a_statement_of_its_own(sql: str) -> None:
    assert Rule("rule", MODELS.table, "warning", "A rule.", sql).check().aggregate is None
    assert ON_ROWS.check().aggregate is not None


def test_missing_column_fails_only_the_checks_that_read_it(tmp_path: Path) -> None:
    """Here no check counts `is_open`, but a rule shows it."""
    shows = Rule(
        "shows", MODELS.table, "warning", "Shows.", "SELECT is_open FROM {batch} WHERE n > 50"
    )
    path = models(tmp_path, "ALTER TABLE core.models DROP is_open")
    report = validate(path, rules=[shows, ON_ROWS])
    assert {r.expectation for r in report.results if r.outcome == "not_run"} == {"shows"}
    assert {r.expectation for r in report.results if r.outcome == "failed"} == {
        "expect_table_columns_to_match_ordered_list"
    }


def test_wrong_type_leaves_other_checks_answered(tmp_path: Path) -> None:
    fault = "UPDATE core.models SET n = -1 WHERE model_id = 'b'"
    change = "ALTER TABLE core.models ALTER share TYPE VARCHAR"
    report = validate(models(tmp_path, fault, change))
    assert {r.column_name for r in report.results if r.outcome == "not_run"} == {"share"}
    found = result(report, "expect_column_values_to_be_between", "n")
    assert (found.unexpected_count, rows(found)[0]["n"]) == (1, -1)
