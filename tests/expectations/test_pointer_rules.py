"""A mart that names another row has that row's values: each planted fault breaks its rule."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from expectations.rule_sets.pointers import POINTERS
from expectations.suites import select_failing_rows

CARD = "UPDATE mart.lab_measures SET"
OF_BOARD = ("observed_on", "model_name", "rank_ordinal", "gap_to_leader", "win_rate", "value")
# The fault that was found: one board's values under the name of another.
COPIED = ", ".join(f"{c} = t.{c}" for c in (*OF_BOARD, "missing_reason"))
FAULTS = {
    "one board's values under the name of a board that no source has": (
        f"UPDATE mart.lab_measures AS m SET {COPIED} FROM mart.lab_measures AS t "
        "WHERE m.measure = 'arena_webdev' AND t.measure = 'arena_text' "
        "AND m.lab_id = t.lab_id AND m.as_of_date = t.as_of_date",
        {
            *("boards_differ_from_each_other", "model_is_a_row_of_its_board"),
            *("place_matches_its_board_row", "boards_are_the_newest_available"),
        },
    ),
    "a model of another lab": (
        f"{CARD} model_name = (SELECT max(model_name_arena) FROM core.arena_ratings WHERE "
        "board = 'text' AND lab_id <> 'openai') WHERE lab_id = 'openai' AND measure = 'arena_text'",
        {"model_is_a_row_of_its_board"},
    ),
    "a rank one too good": (
        f"{CARD} rank_ordinal = rank_ordinal - 1 WHERE rank_ordinal > 1",
        {"place_matches_its_board_row"},
    ),
    "a gap to another model": (
        f"{CARD} gap_to_leader = gap_to_leader + 1 WHERE model_name IS NOT NULL",
        {"place_matches_its_board_row"},
    ),
    "a win rate of another gap": (
        f"{CARD} win_rate = 0.1 WHERE gap_to_leader = 0",
        {"place_matches_its_board_row"},
    ),
    "an older day of a board": (
        f"{CARD} observed_on = observed_on - 1 WHERE measure = 'arena_text'",
        {"boards_are_the_newest_available"},
    ),
    "another lab's share": (
        f"{CARD} value = 0.123 WHERE lab_id = 'openai' AND measure = 'hub_share_publisher'",
        {"hub_share_matches_its_source_row"},
    ),
    "a share by the wrong attribution": (
        "UPDATE mart.lab_measures AS m SET value = t.value FROM mart.lab_measures AS t "
        "WHERE m.measure = 'hub_share_base' AND t.measure = 'hub_share_publisher' "
        "AND m.lab_id = t.lab_id AND m.as_of_date = t.as_of_date AND m.value <> t.value",
        {"hub_share_matches_its_source_row"},
    ),
    "a notable model too many": (
        f"{CARD} value = value + 1 WHERE measure = 'notable_models' AND value IS NOT NULL",
        {"notable_models_match_the_vintage"},
    ),
    "a country's model that is not its own": (
        "UPDATE mart.arena_leaders SET country_code = CASE country_code WHEN 'US' THEN 'CN' "
        "ELSE 'US' END WHERE country_code IN ('US', 'CN')",
        {"best_model_is_a_row_of_its_board"},
    ),
    "a lab's model with another's rating": (
        "UPDATE mart.arena_lab_leaders SET rating = rating + 1 WHERE lab_id = 'openai'",
        {"best_model_is_a_row_of_its_board"},
    ),
    "a range below every share": (
        "UPDATE mart.attribution_range SET share_lowest = share_lowest / 2 WHERE share_lowest > 0",
        {"lowest_share_is_that_of_its_definition"},
    ),
    "a highest share of another population": (
        "UPDATE mart.attribution_range SET definition_highest = 'likes' || definition_highest "
        "WHERE population = 'all'",
        {"highest_share_is_that_of_its_definition"},
    ),
    "a figure that no trial gives": (
        "UPDATE mart.claims SET recomputed_value = recomputed_value + 1 "
        "WHERE recomputed_value IS NOT NULL",
        {"recomputed_value_matches_a_trial"},
    ),
}


@pytest.fixture(scope="module")
def copy(sampled: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pointers")
    return Path(shutil.copy(sampled[0] / "observatory.duckdb", folder / "warehouse.duckdb"))


@pytest.fixture
def tampered(copy: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse to tamper with; afterwards it is as it was."""
    with duckdb.connect(str(copy)) as con:
        con.execute("BEGIN")
        yield con
        con.execute("ROLLBACK")


def broken(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The rules with failing rows."""
    return {
        rule.name
        for rule in POINTERS
        if con.sql(select_failing_rows(rule.table, str(rule.check().failing_rows))).fetchall()
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_value_of_another_row_fails(tampered: duckdb.DuckDBPyConnection, fault: str) -> None:
    change, expected = FAULTS[fault]
    assert broken(tampered) == set()
    assert tampered.execute(change).fetchall()[0][0] > 0
    assert expected <= broken(tampered)


def test_every_pointer_rule_has_a_failing_example_and_stops_the_build() -> None:
    assert {rule.name for rule in POINTERS} == set().union(*(r for _, r in FAULTS.values()))
    assert {rule.severity for rule in POINTERS} == {"critical"}
